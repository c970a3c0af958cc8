"""A real PostgreSQL for the tests: of this system, or Debian's packages unpacked beside it."""

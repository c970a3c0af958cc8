"""The real OpenSearch of the tests: what is fetched, and how it is kept running."""

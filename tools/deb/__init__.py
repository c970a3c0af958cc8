"""`make deb`: the Debian package, with a virtual environment of its own, units, and what a Debian package has."""

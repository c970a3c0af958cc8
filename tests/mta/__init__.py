"""Mail servers and filters, each in a place of its own on this machine, for the tests that run the program in them."""

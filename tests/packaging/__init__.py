"""What is handed to those who install: manual pages, completion, wheels, packages."""

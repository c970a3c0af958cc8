"""Small values of mail: dates, domains, networks, URLs, results of authentication, and what a field is.

Enters: text as a stranger wrote it. Leaves: a normalised value, or None. Pure and quick; knows no message, no report
and no document. Imports no other room.
"""

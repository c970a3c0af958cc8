"""`read_message`, and one file for each kind of report.

Enters: the tree of a message. Leaves: reports, whose documents stream, and problems. A kind knows no other kind;
nothing here raises what the message made, knows the clock, or asks the network. May import: documents, message,
values.
"""

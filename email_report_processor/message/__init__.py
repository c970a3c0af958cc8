"""Any bytes to a tree of parts, and parts to payloads: MIME, archives, transfer encodings, all of it bounded.

Enters: the bytes of one message, or of one bare report. Leaves: nodes as byte ranges, payloads that can be opened
twice, and a Problem for what cannot be read. Content decides, labels are hints. May import: values.
"""

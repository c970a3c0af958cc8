"""Ways in that stay: a listener to which the mail server hands messages one after the other.

Enters: connections of a mail server. Leaves: an answer for each message, after the store has answered or a copy is
kept. `lmtp` is the conversation, `worker` reads and stores, `dispatch` stands between. May import: the modules of the
pipeline, and the rooms of the core.
"""

"""Ways in that stay: a listener to which the mail server hands messages, and mailboxes that are read by IMAP.

Enters: connections of a mail server; messages of mailboxes. Leaves: an answer for each message, or its move to another
folder, after the store has answered or a copy is kept. Of the listener `lmtp` is the conversation, `worker` reads and
stores, `dispatch` stands between; of mailboxes `imap` is the conversation, `folder` reads, stores and files away,
`mailboxes` looks after the processes. May import: the modules of the pipeline, and the rooms of the core.
"""

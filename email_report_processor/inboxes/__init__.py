"""Ways in that stay: a listener to which the mail server hands messages, and mailboxes and buckets that are read.

Enters: connections of a mail server; messages of mailboxes, objects of buckets. Leaves: an answer for each message, or
its move to another folder, after the store has answered or a copy is kept. Of the listener `lmtp` is the conversation,
`worker` reads and stores, `dispatch` stands between; of mailboxes `imap` is the conversation, `folder` reads, stores
and files away; `bucket` reads those of S3; `mailboxes` looks after the processes of both. May import: the modules of
the pipeline, and the rooms of the core.
"""

"""What a person names as messages (files, directories, mboxes, Maildirs, objects of S3), read by several processes.

Enters: paths. Leaves: counts of what became of each message. `workers` read, `intake` is what one of them does,
`progress` is what a person sees. May import: the modules of the pipeline, and the rooms of the core.
"""

"""What is asked for by people whose data is stored, and by the law: erasing an address, and keeping nothing for ever.

Enters: an address, or how long each dataset is kept. Leaves: counts of what was found and taken away. `wanted` finds
an address however it is written; `documents` looks at stores, `files` at kept messages and the state directory,
`prune` takes away what is old. May import: the modules of the pipeline (process, job, settings, log, watch), and the
rooms of the core.
"""

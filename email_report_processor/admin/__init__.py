"""`email-report-admin`: one module per sub-command, holding argv, printing and status only.

Enters: a command line. Leaves: text for a person and an exit status. What a command does stands in the room that it is
about; `command` finds the sub-command, `text` is how tables look. May import every room.
"""

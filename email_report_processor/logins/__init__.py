"""Who logs in from where: lines of mail servers' logs to logins, judged by a table of rules, told, and stopped by hand.

Enters: lines of Postfix, Dovecot and Exim; questions of mail servers. Leaves: documents of `mail-login`, findings with
their evidence, answers to mail servers. `lines` reads, `rules` judges what `memory` remembers, `state` is the one file
on disk, `policy` answers. Channels of notices other than a command and a mail are the room `alerts`'; pages are the
desk's. May import: importing, checking, pages, the modules of the pipeline, and the rooms of the core.
"""

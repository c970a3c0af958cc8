"""The abuse desk: from a pile of failure reports to fraud that is reported to whoever can stop it.

Enters: documents that a query found, the site's own networks and verdicts, what a person decided. Leaves: campaigns,
drafts of reports (ARF), blocking lists, events of the dataset `abuse`, and the pages of the web server. Nothing of a
stranger's message is rendered, fetched or linked live. May import: pages, the modules of the pipeline (process, job,
settings, log, watch, flags), and the rooms of the core.
"""

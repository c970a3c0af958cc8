"""Told when something is wrong, silent when nothing is: rules, what was told already, and the channels.

Enters: the store, verdicts, the kept messages, the time. Leaves: events, each told once by each channel; a line for a
monitoring system; metrics. Rules look at when reports were stored (`event.ingested`), since reports come days late.
May import: checking, pages, the modules of the pipeline (process, job, settings, log, watch, flags), and the rooms of
the core.
"""

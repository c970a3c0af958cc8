"""What a stricter policy would have cost, and what to do before it is published.

Enters: stored rows of aggregate reports, a record that is tried, verdicts. Leaves: counts of what would have been
lost, kept and stopped, as values and as figures for pages. Pure but for what asks the store. May import: checking,
pages, the modules of the pipeline (process, job, settings, log, watch, flags), and the rooms of the core.
"""

"""Figures as values, and their clothes: text, SVG, HTML, JSON, CSV.

Enters: a store, and what to ask it about (`asking.Scope`). Leaves: a `figure.Page` of answers, things to fix and
figures; and from it text for a terminal or a mail, one static HTML page, files for machines. No clothes ask the store,
and no figure knows how it will look. May import: the modules of the pipeline, and the rooms of the core.
"""

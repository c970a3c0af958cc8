"""The views of the desk: one file for each, with its routes. Enters: `Asked`. Leaves: what `Asked.page` makes of it.

A view asks `Asked.store` alone, changes something only by POST, and renders, fetches or links nothing of a stranger's.
May import: desk.web, and what it may.
"""

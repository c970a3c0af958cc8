"""Where documents go, and how people ask for sums: one protocol, one file for each store, and the kept messages.

Enters: rows (index, id, JSON). Leaves: how many were stored, were there already, or were refused; or StoreError,
which is never the document's fault. `opening` finds the store that a URL names. May import: documents, values.
"""

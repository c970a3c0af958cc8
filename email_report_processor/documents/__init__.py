"""What is stored: the fields of each dataset, their ids, index names and JSON, and what is ours to say of a document.

Enters: flat fields as a report has them. Leaves: documents that are classified, enriched, named and encoded. Each
field is spelled once, in `datasets`. May import: values.
"""

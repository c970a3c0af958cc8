"""What `email-report-admin setup` sends to OpenSearch and to Dashboards: requests as pure values, and their order.

Enters: prefix, retention, what is there already. Leaves: requests, and what came of them. May import: stores,
documents, values.
"""

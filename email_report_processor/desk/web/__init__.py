"""`email-report-admin desk`: the pages of the desk, served to people who are known.

Enters: a request. Leaves: a page, which holds nothing that a user may not see; an entry of the audit trail for a sample
that was seen and for what was changed. Documents are asked for through a store that is narrowed to the user's domains;
`guard` decides before any view is called, `views/` has one file for each view. May import: desk, what desk may, alerts,
advice, logins, checking, importing, inboxes.
"""

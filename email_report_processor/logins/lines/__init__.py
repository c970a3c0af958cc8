"""Any bytes of a log to logins: one file for each program that writes them, found without looking at every line.

Enters: chunks of whole lines, and a moment that dates without a year are held against. Leaves: `Login` records. Pure:
no clock, no network. May import: values.
"""

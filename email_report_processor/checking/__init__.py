"""What `doctor` and `dns` look at: the machine, the store, the records of a domain.

Enters: settings, a store, a domain. Leaves: findings (ok, warning, failure), each with its remedy; prints nothing. May
import: cluster, the modules of the pipeline (process, job, settings, log, watch), and the rooms of the core.
"""

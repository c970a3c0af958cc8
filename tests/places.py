"""Where things lie that several tests need."""

from pathlib import Path

TESTS = Path(__file__).resolve().parent
ROOT = TESTS.parent  # the checkout
PACKAGE = ROOT / "email_report_processor"
GOLDEN = TESTS / "golden"  # golden pairs: a report, and the documents that it becomes
CORPUS = ROOT.parent / "shared" / "corpus"  # real messages, where they lie beside the checkout; no part of the project
CASES = ROOT.parent / "shared" / "cases"  # small inputs after public problem reports, likewise

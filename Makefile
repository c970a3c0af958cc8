# Needs python3 (3.11 or later) and make; the rest is set up in .venv and in the user's cache.

PYTHON ?= python3
BIN := .venv/bin
MINUTES ?= 30

.DEFAULT_GOAL := help
.PHONY: help python venv prerequisites prerequisites-long nodes node lint test test-long test-mta fuzz bench bench-peer demo pictures docs lock dist deb clean

help: ## show this
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | while IFS='|' read -r name text; do \
		printf '%-18s %s\n' "  $$name" "$$text"; done

python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "This needs Python 3.11 or later, and '$(PYTHON)' is not. Name another: make PYTHON=python3.13 …" >&2; \
		exit 1; }

venv: .venv/.installed ## the virtual environment .venv, with the package and its tools

.venv/.installed: pyproject.toml requirements.lock tools/venv.py | python
	$(PYTHON) -m tools.venv

prerequisites: | python
	@$(PYTHON) -m tools.prerequisites

prerequisites-long: | python
	@$(PYTHON) -m tools.prerequisites long

nodes: | python prerequisites
	$(PYTHON) -m tests.nodes build

test: venv prerequisites ## everything: style, types, and all tests but test-long and test-mta (ARGS=… go to pytest)
	@$(MAKE) --no-print-directory -j2 --output-sync=target lint nodes
	$(TEST_ENV) $(BIN)/pytest $(PARALLEL) $(ARGS)

# Tests of one file stay in one process. More processes than this wait for the two nodes.
PARALLEL := -n auto --maxprocesses=4 --dist=loadfile

# Root may fetch Debian packages of mail servers (unpacked beside the system, never installed).
TEST_ENV := $(if $(filter 0,$(shell id -u)),EMAIL_REPORT_TEST_DOWNLOAD=1)

test-long: venv prerequisites-long nodes ## the tests that take too long for `make test`
	$(TEST_ENV) $(BIN)/pytest -m long $(ARGS)

test-mta: venv prerequisites nodes ## the other mail servers and filters (root on Debian)
	$(TEST_ENV) $(BIN)/pytest -m mta $(ARGS)

lint: venv ## style and types alone
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

fuzz: venv ## mutated messages, MINUTES=30 of CPU time
	$(BIN)/python -m tests.fuzz --minutes $(MINUTES)

bench: venv nodes ## the benchmarks of benchmarks/README.md (ARGS=… names some)
	$(BIN)/python -m benchmarks $(ARGS)

bench-peer: venv ## the same work by parsedmarc, which this installs into an environment of its own
	$(BIN)/python -m benchmarks peer

demo: venv ## sample messages through the filter, and what became of them
	@$(BIN)/python -m tools.demo

pictures: venv ## draw the page for docs/images (needs Chromium)
	@$(BIN)/python -m tools.pictures

docs: venv ## generate docs/fields.md, the page of the settings, the manual pages, completion
	$(BIN)/python -m tools.generate_docs

lock: venv ## write requirements.lock: version and hash of everything that development needs
	$(BIN)/python -m tools.lock

dist: venv ## wheel, sdist and their list of components (SBOM) in dist/
	$(BIN)/python -m tools.distribution

deb: venv ## the Debian package in dist/, for the release of Debian that this is
	$(BIN)/python -m tools.deb.build

node: nodes ## run both OpenSearch nodes until Ctrl-C, and print the variables with which tests use them
	@$(PYTHON) -m tests.nodes start

clean: ## remove what the other targets made here (not the OpenSearch jars in ~/.cache/email-report-processor-tests)
	rm -rf .venv .demo build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Every target sets up .venv by itself; all it needs is Python 3.11 or later with pip and venv.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/stamp
FUZZ_SECONDS ?= 60

.DEFAULT_GOAL := help
.PHONY: help demo test test-all bench bench-rivals relay fuzz nightly clean

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "%-14s %s\n", $$1, $$2}'

demo: $(STAMP)  ## play a real chat on a relay and four peers, with failures, and check the result
	$(BIN)/syncchat demo

test: $(STAMP)  ## run every check: format, lint, types, import contracts, tests
	$(BIN)/python -m tests

test-all: $(STAMP)  ## the same with the long simulations
	$(BIN)/python -m tests --all

fuzz: $(STAMP)  ## fuzz what eats bytes from outside; FUZZ_SECONDS for each target
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[fuzz]'
	$(BIN)/python -m tests.fuzz --seconds $(FUZZ_SECONDS)

nightly: $(STAMP)  ## the long way: fuzz each target for half an hour, hypothesis at its deepest
	$(MAKE) fuzz FUZZ_SECONDS=1800
	HYPOTHESIS_PROFILE=nightly $(BIN)/python -m pytest -n 2 --timeout 7200 tests/property tests/fuzz

bench: $(STAMP)  ## measure, and print the figures of this machine
	$(BIN)/python -m benchmarks

bench-rivals: $(STAMP)  ## install what others would use instead, and measure beside it
	$(BIN)/python -m benchmarks setup
	$(BIN)/python -m benchmarks --against all

relay: $(STAMP)  ## run a relay on this machine until ctrl-c
	$(BIN)/syncchat relay

clean:  ## remove the virtual environment, caches and build results
	rm -rf benchmarks/.rivals .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "syncchat needs Python 3.11 or later; say which with: make PYTHON=/path/to/python3")'
	@$(BIN)/python -c 'import pip' 2>/dev/null || $(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

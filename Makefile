SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:

# The Python that makes .venv: 3.11 or newer.
PYTHON ?= python3
BIN := .venv/bin
# Where `make run` keeps its database, logs and process ids.
VAR ?= var

help: ## Show what there is to make
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: .venv/.installed ## Start the platform here (./var, no root), run a demo action, say what to try next
	@$(BIN)/st2ctl standalone start --var $(VAR)
	@$(BIN)/st2ctl standalone demo --var $(VAR)
	@echo "  make stop"

stop: ## Stop what `make run` started
	@if [ -x $(BIN)/st2ctl ]; then $(BIN)/st2ctl standalone stop --var $(VAR); else echo "Nothing runs here."; fi

status: ## Show what `make run` started
	@$(BIN)/st2ctl standalone status --var $(VAR)

test: .venv/.installed-for-tests ## Lint, types, layers and all tests but the long ones (6 to 14 minutes with 2 CPUs)
	@.ci/system-packages
	@$(BIN)/python .ci/leaves_nothing_behind.py $(MAKE) --no-print-directory lint pytest

# Fewer workers than `make test`: the long tests do work, and more of them at once fail by their own limits.
test-full: .venv/.installed-for-tests ## The same and the long tests: before a release
	@.ci/system-packages chromium nginx
	@$(BIN)/pip install --disable-pip-version-check --quiet -e '.[browser]'
	@$(BIN)/python .ci/leaves_nothing_behind.py $(MAKE) --no-print-directory lint pytest SELECT="''" SIDE_BY_SIDE=2

lint: .venv/.installed-for-tests ## Style, types and the layers of the packages
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The default selection stands in pyproject.toml: not the tests marked "full".
SELECT ?= "not full"
# Tests wait more than they work: more workers than cores. Files of one name stay together, the slowest kinds come first.
SIDE_BY_SIDE ?= 4
pytest: .venv/.installed-for-tests
	$(BIN)/pytest -q -m $(SELECT) -n $(SIDE_BY_SIDE) --dist loadscope --no-loadscope-reorder

bench: .venv/.installed-for-tests ## Measure, and print ratios against baselines of the same run
	@.ci/system-packages
	@$(BIN)/python -m bench --sync

clean: stop ## Stop, and remove everything that was installed or stored here
	rm -rf .venv .venv-official $(VAR) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

.venv/bin/python:
	@command -v $(PYTHON) >/dev/null || { echo "There is no $(PYTHON). On Debian: apt-get install python3 python3-venv" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "$$($(PYTHON) --version) is too old: 3.11 or newer is needed (make PYTHON=/path/to/python3.11 ...)." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "$(PYTHON) cannot make virtual environments. On Debian: apt-get install python3-venv" >&2; exit 1; }
	@echo "Making a virtual environment in .venv"
	@$(PYTHON) -m venv .venv || { rm -rf .venv; exit 1; }

# Installed again only when what the project needs has changed.
.venv/.installed: setup.cfg pyproject.toml | .venv/bin/python
	@echo "Installing into .venv from PyPI: about 170 MB the first time, half a minute with a fast connection"
	@$(BIN)/pip install --disable-pip-version-check --progress-bar off -e '.[embedded]' | \
	  awk '/^(Collecting|Installing|Successfully)/ {print "  " substr($$0, 1, 100); fflush()}'
	@touch $@

.venv/.installed-for-tests: setup.cfg pyproject.toml | .venv/bin/python
	@echo "Installing into .venv from PyPI, the tools for tests included"
	@$(BIN)/pip install --disable-pip-version-check --progress-bar off -e '.[embedded,test,dev]' | \
	  awk '/^(Collecting|Installing|Successfully)/ {print "  " substr($$0, 1, 100); fflush()}'
	@touch $@ .venv/.installed

.PHONY: help run stop status test test-full lint pytest bench clean

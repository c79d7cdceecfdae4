# Each target sets up what it needs in .venv, once; nothing is installed anywhere else.
#
#   make demo    run the bundled flows end to end, offline; writes demo-output/report.html
#   make test    the tests
#   make check   format, lint, types, import floors
#   make bench   measure speed (docs/benchmarks.md)
#   make docs    build the manual into site/
#   make lock    renew requirements*.txt from pyproject.toml
#   make clean   remove everything these targets made

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
VENV := .venv
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
# The newest supported interpreter that really starts (a version manager's shim may not) and can make environments.
FIND_PYTHON = for python in $(PYTHON) python3.13 python3.12 python3.11 python3 python; do \
	  if "$$python" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then break; fi; python=; \
	done; \
	if [ -z "$$python" ]; then \
	  echo 'Penstock needs Python 3.11, 3.12 or 3.13 with its venv module, and none was found on the PATH.' \
	    'Install one (on Debian and Ubuntu: apt install python3-venv), or name yours: make PYTHON=/path/to/python3.' >&2; \
	  exit 1; \
	fi
INSTALL = python -m pip install -qq --disable-pip-version-check

.PHONY: help demo test check bench docs lock clean

help:
	@sed -n 's/^#   make /make /p' Makefile

$(VENV)/bin/python:
	@$(FIND_PYTHON); "$$python" -m venv --clear $(VENV)

# Running: the locked dependencies, then Penstock itself, in place. The build tools are locked too.
$(VENV)/run.stamp: requirements.txt requirements-build.txt pyproject.toml | $(VENV)/bin/python
	@echo 'Setting up $(VENV) ...'
	@$(INSTALL) --require-hashes -r requirements.txt -r requirements-build.txt
	@$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/dev.stamp: requirements-dev.txt $(VENV)/run.stamp
	@echo 'Setting up the tools for tests and checks ...'
	@$(INSTALL) --require-hashes -r requirements-dev.txt
	@touch $@

$(VENV)/docs.stamp: requirements-docs.txt $(VENV)/run.stamp
	@echo 'Setting up the tools for the manual ...'
	@$(INSTALL) --require-hashes -r requirements-docs.txt
	@touch $@

demo: export PENSTOCK_HOME := $(CURDIR)/demo-output
demo: $(VENV)/run.stamp
	@rm -rf demo-output && mkdir demo-output
	penstock run create --flow examples/named-entity --data examples/named-entity/data.jsonl \
	  --column-mapping text='$${data.text}' --name demo_ner --offline examples/named-entity/offline.yaml --stream
	penstock run create --flow examples/eval-entities --data examples/named-entity/data.jsonl --run demo_ner \
	  --column-mapping entities='$${run.outputs.entities}' ground_truth='$${data.entities}' --name demo_eval --stream
	penstock run show-metrics -n demo_eval
	penstock run visualize -n demo_ner,demo_eval --html-path demo-output/report.html
	@echo
	@echo 'No network was used: the model is scripted in examples/named-entity/offline.yaml.'
	@echo 'Every line, prompt and score: open demo-output/report.html in a browser.'
	@echo 'The same from the terminal:   PENSTOCK_HOME=demo-output $(VENV)/bin/penstock run show-details -n demo_eval'

test: $(VENV)/dev.stamp
	pytest -n auto --maxprocesses 4 $(TESTS)

check: $(VENV)/dev.stamp
	ruff format --check .
	ruff check .
	mypy
	lint-imports

bench: $(VENV)/dev.stamp
	python benchmarks/run.py $(BENCH)

docs: $(VENV)/docs.stamp
	python docs/_cli.py
	NO_MKDOCS_2_WARNING=1 mkdocs build --strict
	@echo 'The manual is in site/index.html.'

# Hashes of every file a version has, for every supported Python and system; a release must be a week old to get in.
lock: $(VENV)/bin/python
	@python -m venv --clear build/lock && build/lock/bin/python -m pip install --quiet uv
	@lock() { build/lock/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	    --exclude-newer '7 days' --no-annotate --no-header --no-emit-index-url --no-emit-find-links "$$@"; }; \
	  lock pyproject.toml --output-file requirements.txt; \
	  lock --constraints requirements.txt --group build --output-file requirements-build.txt; \
	  lock pyproject.toml --constraints requirements.txt --group dev --output-file requirements-dev.txt; \
	  lock --constraints requirements.txt --group docs --output-file requirements-docs.txt
	@rm -rf build/lock

clean:
	rm -rf $(VENV) build dist site demo-output .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

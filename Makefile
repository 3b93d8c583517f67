# What people and CI call. Each command sets up what it needs: a virtual environment with the
# versions pinned in requirements.txt and requirements-dev.txt. It needs Python 3.11 or newer with venv.
#
#   make demo                       make test                       make test PYTHON=python3.13

PYTHON  ?= python3
version := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
# The usual interpreter has .venv, each other one that is named has a place of its own.
VENV    ?= $(if $(filter file,$(origin PYTHON)),.venv,.venv-$(version))
python  := $(VENV)/bin/python
pip     := $(python) -m pip --disable-pip-version-check --quiet install
# `make test TESTS=tests/unit ARGS=-x` runs a part.
TESTS   ?=
ARGS    ?=
# `make chaos EXAMPLES=5000`; `make mutants WORD=xlsx` takes those whose file or description has the word.
EXAMPLES ?= 2000
WORD    ?=
# `make bench WORD=ticks` takes those whose name has the word; `ROWS=2000` makes no larger table, QUICK=1
# none of more than 10,000 rows.
ROWS    ?= $(if $(QUICK),10000,100000)
QUICK   ?=

# Stamps of what has been set up. Another version of Python begins afresh.
made    := $(VENV)/.made-$(version)
run     := $(VENV)/.run-$(version)
dev     := $(VENV)/.dev-$(version)
pins    := pyproject.toml requirements.txt requirements-dev.txt

.PHONY: help demo test test-all test-others chaos mutants bench check format install pins clean
.DEFAULT_GOAL := help

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 18

demo: $(run) ## train five small models, sync them into runs.xlsx, train one more, sync again
	@echo "== five runs, recorded by wandb offline in demo/wandb"
	@$(python) examples/train.py --runs 5 --out demo
	@echo "== the first sync"
	@$(sync)
	@echo "== one more run"
	@$(python) examples/train.py --runs 1 --out demo
	@echo "== the second sync adds that one only"
	@$(sync)
	@echo "== the rows are in $(CURDIR)/runs.xlsx"

sync = $(python) wandb_spreadsheet_sync.py --config_path examples/config.json --source folders:demo \
	--destination xlsx:runs.xlsx --log_file demo/sync.log --once

test: $(dev) ## the whole test suite
	$(python) -m pytest -n 3 $(TESTS) $(ARGS)

test-all: test-others test ## the test suite on each Python from 3.11 to 3.13 that this machine has

chaos: $(dev) ## both destinations under attack: thousands of new examples, and a table of what was done
	$(python) -m tests.chaos $(EXAMPLES)

mutants: $(dev) ## puts each deliberate fault into a copy of the code: the tests have to catch it
	$(python) -m tests.mutants $(WORD)

bench: $(dev) ## a table of what is measured and what must be reached: benchmarks/README.md
	$(python) -m benchmarks $(WORD) --rows $(ROWS)

test-others:
	@for found in $(others); do \
		echo "== the tests on $$($$found --version)"; \
		$(MAKE) --no-print-directory test PYTHON=$$found || exit 1; \
	done

# Interpreters of other versions than PYTHON's: on the PATH, or beside it as pyenv lays them.
beside = $(shell $(PYTHON) -c 'import pathlib, sys; print(pathlib.Path(sys.base_prefix).parent)')
others = $(shell for minor in 3.11 3.12 3.13; do \
	[ $$minor = $(version) ] && continue; \
	for each in python$$minor $$(ls -d $(beside)/$$minor.*/bin/python 2>/dev/null); do \
		$$each -c 'import venv, ensurepip' 2>/dev/null && { echo $$each; break; }; \
	done; done)

check: $(dev) ## lint, format and types
	$(python) -m ruff check .
	$(python) -m ruff format --check .
	$(python) -m mypy runsheet examples benchmarks wandb_spreadsheet_sync.py

format: $(dev) ## format the code
	$(python) -m ruff check --fix-only .
	$(python) -m ruff format .

install: $(dev) ## set up everything for development: .venv/bin/runsheet
	@echo "ready: $(VENV)/bin/runsheet --help"

pins: ## renew requirements.txt and requirements-dev.txt from the ranges in pyproject.toml
	@[ "$(version)" = 3.11 ] || { echo "the pins are made with the oldest Python, 3.11: PYTHON=python3.11"; exit 1; }
	rm -rf build/pins && $(PYTHON) -m venv build/pins
	build/pins/bin/pip -q install . && build/pins/bin/pip freeze --exclude runsheet > build/run.txt
	build/pins/bin/pip -q install -r build/run.txt '.[dev,demo]' && build/pins/bin/pip freeze --exclude runsheet > build/all.txt
	(sed -n '/^#/p' requirements.txt; cat build/run.txt) > build/new.txt && mv build/new.txt requirements.txt
	(sed -n '/^#/p' requirements-dev.txt; grep -vxFf build/run.txt build/all.txt) > build/new.txt && mv build/new.txt requirements-dev.txt

clean: ## remove what these commands made, but for runs.xlsx
	rm -rf .venv .venv-* build demo *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find runsheet tests examples benchmarks -name __pycache__ -prune -exec rm -rf {} +

$(made):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "$(PYTHON) is not Python 3.11 or newer: name one that is, as in  make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
		{ echo "$(PYTHON) cannot make virtual environments: install its venv (Debian: apt install python3-venv)"; exit 1; }
	@echo "== setting up $(VENV): once, a minute or two"
	@$(PYTHON) -m venv --clear $(VENV)
	@touch $@

# requirements-dev.txt only bounds what is installed here: the demo needs no test tools.
$(run): $(made) $(pins)
	@$(pip) -r requirements.txt -c requirements-dev.txt --editable '.[demo]'
	@touch $@

$(dev): $(made) $(pins)
	@$(pip) -r requirements.txt -r requirements-dev.txt --editable '.[demo,dev]'
	@touch $@ $(run)

# What to type. `make` alone lists it; every line below that ends in `## words` is a command.

VENV ?= .venv
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := $(VENV)/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt
PYTEST := $(BIN)/pytest -q
TEST_ARGS ?=

# Debian's packages: for PDF, and the real servers and tools that tests start.
FOR_PDF := libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 fonts-dejavu-core
FOR_TESTS := $(FOR_PDF) postgresql rabbitmq-server chromium libpcap0.8 strace

.DEFAULT_GOAL := help
.PHONY: help run test bench crash soak wheel lint check manual assets bytecode packages packages-for-tests

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(VENV)/.centre assets bytecode packages ## Install what is missing and start the demonstration centre
	$(BIN)/cgii run --demo

test: $(VENV)/.test assets bytecode packages-for-tests ## Install what is missing and run the tests
	$(PYTEST) $(TEST_ARGS)

bench: $(VENV)/.test assets bytecode ## Measure speed against baselines of the same run; tells missed goals
	$(PYTEST) -s -m benchmark

crash: $(VENV)/.test assets bytecode ## Kill the centre and its servers at random moments, again and again
	$(PYTEST) -s -m crash

soak: $(VENV)/.test assets bytecode ## Have 300 sensors send for half an hour: no loss, no growth
	$(PYTEST) -s -m soak

wheel: $(VENV)/.test assets ## Build the wheel that compose.yaml runs, in dist/
	@rm -f dist/cgii-*.whl
	$(BIN)/python -m build --wheel --no-isolation --outdir dist

lint: $(VENV)/.test ## Check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

check: $(VENV)/.centre ## Check the content: sources, rules, playbooks, reports, boards
	$(BIN)/cgii check

manual: $(VENV)/.centre ## Write the manual's pages that are made from the program
	$(BIN)/python -c 'from cgii.base.settings import manual_page; print(manual_page(), end="")' \
		> cgii/help/settings.md

# The stamps make a second run instant; a change of what is wanted installs it anew.
$(VENV)/.centre: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) -e '.[centre]'
	@touch $@

$(VENV)/.test: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) -e '.[test]'
	@touch $@ $(VENV)/.centre

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo 'Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11'; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || .ci/packages 'the environment' python3-venv
	$(PYTHON) -m venv $(VENV)

assets: | $(BIN)/python
	@$(BIN)/python cgii/web/assets/install.py

# Whoever runs the service may not write here, and would compile all at each start of a process.
bytecode: | $(BIN)/python
	@$(BIN)/python -m compileall -q cgii

# What these are for can be missing: the rest works, and says what does not.
packages:
	@.ci/packages 'reports as PDF' $(FOR_PDF) || true

packages-for-tests:
	@.ci/packages 'some tests' $(FOR_TESTS) || true

# Two commands matter: `make run` and `make test`. The README says what the others do.

VENV ?= .venv
BIN := $(VENV)/bin
# Where it is set, every process of the suite would compile all tests anew.
unexport PYTHONDONTWRITEBYTECODE
PYTEST_ARGS ?=
# Which tests are in the suite; a lane of CI may leave some to another lane.
LANE ?= not browser
# Who asks for some of the tests may find none of them among the journeys.
SOME = $(if $(PYTEST_ARGS),|| test $$? -eq 5)

# A Python that the locks know, or else any newer one.
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && echo $$python && exit; done; \
	python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo python3)

# What `check --deploy` looks at: a production node's environment, with throw-away secrets.
PRODUCTION := CONSOLE_ENV_FILE=/dev/null CONSOLE_PRODUCTION=true ALLOWED_HOSTS=console.example.com \
	SECRET_KEY=0123456789-abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJKLMNOPQRSTUVWXYZ \
	AI_SECRETS_KEY=MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE= \
	CONSOLE_HOME=$(VENV)/check-home

.DEFAULT_GOAL := help
.PHONY: help install install-dev run test test-suite test-journeys contract-clients coverage check fix bench lock screenshots

help:
	@echo "make run          start the console: web server and worker"
	@echo "make test         run the tests"
	@echo "make check        run the static checks"
	@echo "make fix          put right what the checks can put right"
	@echo "make bench        measure, as ratios with the goal beside each"
	@echo "make screenshots  take the pictures of the README again"
	@echo "make contract-clients  install the SDKs that the contract tests speak through"
	@echo "make install      create $(VENV) with the locked dependencies"
	@echo "make lock         choose the newest allowed dependencies"

# The lock that was installed is kept in the environment: as long as it is the same there is nothing to do.
# Compiled as pip compiles what it installs, so that processes start quickly where Python may write no bytecode.
define install_lock
	@cmp -s $(1) $(VENV)/$(1) || { set -e; \
	test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed. Install it, or name it: make run PYTHON=/path/to/python3"; exit 1; }; \
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "Python's venv module is needed (Debian: apt-get install python3-venv)."; exit 1; }; \
	echo "Installing $(1) into $(VENV) …"; \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $(1); \
	cp $(1) $(VENV)/$(1); }
	@$(BIN)/python -m compileall -q ai console
endef

install:
	$(call install_lock,requirements.lock)

install-dev:
	$(call install_lock,requirements-dev.lock)
	@cp requirements.lock $(VENV)/requirements.lock

run: install
	@exec $(BIN)/python -m console.supervisor

test: test-suite test-journeys

# A browser that is driven in step keeps an event loop of its own, which async tests cannot share: a process for each.
# Tests of one class, or module, stay together: what they share is started once.
test-suite: install-dev
	$(BIN)/python -m pytest -n auto --dist loadscope -m "$(LANE)" $(PYTEST_ARGS) $(SOME)

test-journeys: install-dev
	$(BIN)/python -m pytest -m browser $(PYTEST_ARGS) $(SOME)

# Other people's SDKs, each in an environment of its own: what the contract tests speak through.
CLIENTS := tests/contract/clients

contract-clients: .venv-openai-1 .venv-openai-2 .venv-marvin-2 .node-contract

.PHONY: .venv-openai-1 .venv-openai-2 .venv-marvin-2 .node-contract
.venv-openai-1 .venv-openai-2 .venv-marvin-2: .venv-%:
	@cmp -s $(CLIENTS)/$*.txt $@/$*.txt || { set -e; \
	echo "Installing $(CLIENTS)/$*.txt into $@ …"; \
	rm -rf $@; $(PYTHON) -m venv $@; \
	$@/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r $(CLIENTS)/$*.txt; \
	cp $(CLIENTS)/$*.txt $@/$*.txt; }

.node-contract:
	@cmp -s $(CLIENTS)/package.json $@/node_modules/package.json || { set -e; \
	command -v npm >/dev/null || { echo "npm is needed (Debian: apt-get install npm)."; exit 1; }; \
	echo "Installing $(CLIENTS)/package.json into $@ …"; \
	rm -rf $@; mkdir $@; cp $(CLIENTS)/package.json $@/; \
	npm install --prefix $@ --ignore-scripts --no-package-lock --no-audit --no-fund --loglevel=error; \
	cp $(CLIENTS)/package.json $@/node_modules/package.json; }

# The same suite, slower, and which branches of the code it never took.
coverage: install-dev
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -n auto --dist loadscope -m "not browser" $(PYTEST_ARGS)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

check: install-dev
	$(BIN)/python -m tests.house.sizes
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python manage.py makemigrations --check --dry-run
	$(PRODUCTION) $(BIN)/python manage.py check --deploy --fail-level WARNING
	$(BIN)/djlint --lint --quiet templates
	find templates -name '*.html' -exec $(BIN)/djade --check --target-version 5.2 {} +

fix: install-dev
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format
	find ai console tests -name '*.py' -not -path '*/migrations/*' -exec $(BIN)/django-upgrade --target-version 5.2 {} +
	find templates -name '*.html' -exec $(BIN)/djade --target-version 5.2 {} +

bench: install-dev
	$(BIN)/python -m tests.benchmarks

screenshots: install-dev
	$(BIN)/python -m tests.journeys.screenshots

# One resolution for every Python and platform, with hashes, and without the name of the index it came from.
LOCK := pip compile --quiet --universal --generate-hashes --python-version 3.11 --all-extras --group weights \
	--no-header --no-annotate --no-emit-index-url --no-emit-find-links --upgrade

lock: install-dev
	$(BIN)/uv $(LOCK) pyproject.toml --output-file requirements.lock
	$(BIN)/uv $(LOCK) --group dev --constraints requirements.lock pyproject.toml --output-file requirements-dev.lock

# The commands people type. `make` alone lists them.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CLIENTS := build/clients

.DEFAULT_GOAL := help
.PHONY: help install run test proof flaky test-packages test-waitress test-clients lint format demo binary wheel bench bench-stall chaos chaos-nodes soak pins clean

# The tests start the program hundreds of times, and may not write bytecode where they do.
compile = $(BIN)/python -m compileall -q foreman app.py

# They write many small files: where no disk is waited for. What pytest has compiled of the tests is kept for the next run.
quickly = PYTHONDONTWRITEBYTECODE= TMPDIR=$$($(BIN)/python -m tests.support.memory)

# One worker more than two cores: each of them also waits.
pytest = $(quickly) $(BIN)/python -m pytest -n 3

help: ## List these commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'

install: $(VENV)/installed ## Create .venv and install what requirements.txt pins

run: install ## Serve on http://localhost:3000; on an empty database print a first key and how to use it
	@$(BIN)/python app.py serve --first-key

test: $(VENV)/installed-dev ## Run the test suite; COVERAGE=1 measures what it covers, ENGINE=postgres runs it on PostgreSQL
	@$(compile)
	@$(pytest) $(if $(COVERAGE),--cov)

proof: $(VENV)/installed-dev ## Run the long proofs in full: kills, power losses, models of random use, generated requests
	@$(compile)
	@PROOF=full $(pytest) -m "proof or long"

flaky: $(VENV)/installed-dev ## Run the test suite again and again beside a load on every core; RUNS=10
	@$(compile)
	@$(quickly) $(BIN)/python -m tests.house.beside_load --runs $(or $(RUNS),10)

lint: $(VENV)/installed-dev ## Check style (ruff) and types (mypy)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: $(VENV)/installed-dev ## Format the code as `make lint` wants it
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

demo: install ## Run a real workflow from start to end against a throwaway server
	@$(BIN)/python examples/index_sources.py

binary: $(VENV)/installed-package ## Build dist/foreman, one file that runs without Python
	@$(BIN)/python -m PyInstaller --noconfirm --log-level WARN --workpath build/pyinstaller deploy/foreman.spec

wheel: $(VENV)/installed-package ## Build dist/foreman_ledger-VERSION-py3-none-any.whl
	@$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir dist .

test-packages: $(VENV)/installed-dev binary wheel ## Try binary and wheel where nothing else is, and what is in deploy/
	@$(BIN)/python -m pytest tests/package

test-clients: $(VENV)/installed-dev $(CLIENTS)/installed-python $(CLIENTS)/installed-node ## Make clients from the OpenAPI document and use them
	@$(BIN)/python -m pytest tests/clients

test-waitress: $(VENV)/installed-dev ## Run waitress's own functional tests against the server
	@$(BIN)/python -m tests.server.waitress_functional

bench: $(VENV)/installed-bench $(if $(ENGINE),$(VENV)/installed-dev) ## Measure everything and write docs/performance.md; QUICK=1 takes minutes, into build/; BASE=REVISION or ENGINE=postgres compares
	@$(BIN)/python -m bench $(if $(QUICK),--quick) $(if $(BASE),--base "$(BASE)") $(if $(ENGINE),--engine "$(ENGINE)") $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(ONLY),--only $(ONLY))

bench-stall: $(VENV)/installed-bench ## The longest waits of writes on a large database, into build/; MINUTES=10 GIGABYTES=5
	@$(BIN)/python -m bench.stall --minutes $(or $(MINUTES),10) --gigabytes $(or $(GIGABYTES),5)

chaos: $(VENV)/installed-dev ## Kill the server again and again under load and check that nothing is lost; KILLS=200
	@$(BIN)/python -m tests.chaos crash --kills $(or $(KILLS),200)

chaos-nodes: $(VENV)/installed-dev ## Three nodes on PostgreSQL behind HAProxy, with Redis, while each of these fails; LONG=1 ROUNDS=3 ONLY=Redis
	@$(BIN)/python -m tests.chaos nodes $(if $(LONG),--long) $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(ONLY),--only "$(ONLY)")

soak: $(VENV)/installed-dev ## The highest load for a while: is everything as flat at the end as at the start? MINUTES=3
	@$(BIN)/python -m tests.chaos soak --minutes $(or $(MINUTES),3)

pins: install ## Resolve what pyproject.toml names into requirements.txt and requirements/, with hashes
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==0.13.9
	@$(pin) pyproject.toml --output-file requirements.txt
	@$(pin) pyproject.toml --extra metrics --output-file requirements/metrics.txt
	@$(pin) pyproject.toml --extra postgres --output-file requirements/postgres.txt
	@$(pin) pyproject.toml --extra redis --output-file requirements/redis.txt
	@$(pin) pyproject.toml --all-extras --output-file requirements/all.txt
	@$(pin) pyproject.toml --all-extras --group dev --output-file requirements/dev.txt
	@$(pin) pyproject.toml --group bench --output-file requirements/bench.txt
	@$(pin) pyproject.toml --extra metrics --group package --output-file requirements/package.txt
	@$(pin) --group clients --output-file requirements/clients.txt

# One version of each package for all Pythons: what CI tests on one is what runs on another.
pin := $(BIN)/uv pip compile --quiet --universal --fork-strategy fewest --python-version 3.11 --generate-hashes --no-annotate --no-emit-index-url \
	--custom-compile-command "make pins"

clean: ## Remove what the other commands made, but no database
	@rm -rf $(VENV) .pytest_cache .ruff_cache .mypy_cache .hypothesis .coverage htmlcov dist build
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A .venv is of no use when making it was cut short or its Python has gone: nothing in it counts as installed, and it is made again.
usable := [ ! -e $(VENV)/unfinished ] && $(BIN)/python -c 'import pip' 2>/dev/null
$(shell { $(usable); } || rm -f $(VENV)/installed*)

# Installing is skipped while the pins are older than the last installation. They name every package: pip need not look for more.
$(VENV)/installed: requirements.txt
	@command -v $(PYTHON) >/dev/null || { echo "Foreman needs Python 3.11 or newer, and there is no $(PYTHON) here" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Foreman needs Python 3.11 or newer, this is " + sys.version.split()[0])'
	@{ $(usable); } || { $(make-venv); }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements.txt
	@touch $@

# Debian and Ubuntu keep a part of Python's venv in a package of its own.
define make-venv
rm -rf $(VENV); \
if ! $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null; then \
	package=$$($(PYTHON) -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])'); \
	echo "$(PYTHON) cannot make $(VENV): it lacks the modules ensurepip and venv; on Debian or Ubuntu: apt install $$package" >&2; \
	exit 1; \
fi; \
mkdir $(VENV) && touch $(VENV)/unfinished && $(PYTHON) -m venv $(VENV) && rm $(VENV)/unfinished || { rm -rf $(VENV); exit 1; }
endef

$(VENV)/installed-dev: requirements/dev.txt $(VENV)/installed
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements/dev.txt
	@touch $@

$(VENV)/installed-bench: requirements/bench.txt $(VENV)/installed
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements/bench.txt
	@touch $@

# Generators need other versions of what Foreman and its tests need.
$(CLIENTS)/installed-python: requirements/clients.txt
	@$(PYTHON) -m venv $(CLIENTS)/python
	@$(CLIENTS)/python/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements/clients.txt
	@touch $@

# Without npm the test of the TypeScript client is skipped, but in CI it fails.
$(CLIENTS)/installed-node: tests/clients/package-lock.json
	@mkdir -p $(CLIENTS)/node
	@cp tests/clients/package.json tests/clients/package-lock.json $(CLIENTS)/node
	@if command -v npm >/dev/null; then \
		npm ci --prefix $(CLIENTS)/node --ignore-scripts --no-audit --no-fund --loglevel=error && touch $@; \
	else echo "npm is not installed (Node.js 18 or newer has it): the TypeScript client is left out" >&2; fi

# PyInstaller's own build of the program that unpacks dist/foreman needs zlib from the machine: this one has it inside.
$(VENV)/installed-package: requirements/package.txt $(VENV)/installed
	@command -v cc >/dev/null || { echo "Packaging needs a C compiler, named cc" >&2; exit 1; }
	@PYINSTALLER_COMPILE_BOOTLOADER=1 PYI_STATIC_ZLIB=1 $(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--no-binary pyinstaller --no-deps -r requirements/package.txt
	@touch $@

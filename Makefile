# Everything that collab needs to run, to be tested and to be shipped. `make` alone lists the targets.
#
# Each step of the set-up leaves a stamp inside of what it made, so a second call does nothing and
# deleting a folder is enough to have it made again.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-builtin-rules --no-print-directory
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# Where it is set, every process compiles all of collab anew: a second for each server that a test starts.
unexport PYTHONDONTWRITEBYTECODE

# Node's own copy, if the system has none; absent, the folder does no harm.
export PATH := $(CURDIR)/.node/bin:$(PATH)

# More options for what a target runs: make test ARGS="-k room", make serve ARGS="--port 9000".
ARGS ?=
# Test processes at once. On two cores three are a sixth faster than two: many tests wait for a disk, a browser or a process that starts.
WORKERS ?= 3

python := .venv/bin/python
pip_install := .venv/bin/pip install --quiet --disable-pip-version-check --no-deps

venv := .venv/.made
runtime := .venv/.runtime
package := .venv/.package
tests := .venv/.tests
node := .node/.ready
node_modules := node_modules/.ready
compiled := collab/core/compiled/SOURCES
page := collab/static/index.html
uv := .tools/uv/bin/uv

# Folders are in it, too: a file that went away changes its folder.
page_sources := $(shell find web -maxdepth 1 -type f -not -name '*.tsbuildinfo' 2>/dev/null; find web/src web/public 2>/dev/null)

##@ Run

.PHONY: serve
serve: $(package) $(compiled) $(page) ## Set up, build the page and serve it; whoever has a link may edit
	@exec .venv/bin/collab serve --anonymous edit $(ARGS)

##@ Test

.PHONY: test
test: system install $(page) $(if $(ARGS),,test-page) ## Set up and run all tests but the long ones
	@$(python) -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

.PHONY: test-long
test-long: system install $(page) ## Run the tests that take minutes
	@$(python) -m pytest -m long --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

.PHONY: proof
proof: system install ## Prove at length that nothing saved is lost, and write docs/proof.md: ARGS="--minutes 20"
	@$(python) -m tests.durability.proof $(ARGS)

.PHONY: test-page
test-page: $(node_modules) ## Run the page's own tests; a part of make test
	@npm run --silent test --workspace web -- --passWithNoTests

.PHONY: check
check: install ## Lint, format and types of Python and of the page; the locks
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@$(python) scripts/check_locks.py
	@npm run --silent check --workspace web

.PHONY: fix
fix: install ## Mend what the linters can mend, and format
	@.venv/bin/ruff check --fix .
	@.venv/bin/ruff format .
	@npm run --silent format --workspace web

.PHONY: bench
bench: $(package) $(compiled) $(tests) ## Run the benchmarks; each prints one JSON object, and all of them must hold
	@failed=0; for file in benchmarks/[!_]*.py; do $(python) "$$file" $(ARGS) || failed=1; done; exit $$failed

##@ Build

.PHONY: install
install: $(package) $(compiled) $(tests) $(node_modules) ## Set up: .venv and node_modules, without the system's programs

.PHONY: page
page: $(page) ## Build the editor page into collab/static

.PHONY: wheel
wheel: $(package) $(page) ## Build the wheel, page and migrations in it, into dist/
	@$(python) -m hatchling build --target wheel

.PHONY: lock
lock: $(uv) $(node) ## Lock again what pyproject.toml and the package.json files ask for; newer with ARGS=--upgrade
	@scripts/lock.sh $(uv) $(ARGS)
	@npm install --package-lock-only --ignore-scripts

.PHONY: clean
clean: ## Remove all that was installed or built; data/ stays
	rm -rf .venv .node .tools dist collab/static collab/core/compiled/SOURCES collab/core/compiled/*.so .hypothesis .mypy_cache .pytest_cache .ruff_cache
	rm -rf node_modules web/node_modules tests/node/node_modules
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help
help: ## This list
	@awk 'BEGIN { FS = ":.*## " } \
	  /^##@ / { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z-]+:.*## / { printf "  make %-10s  %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# The steps of the set-up.

$(venv):
	@echo "Making .venv"
	@scripts/setup-python.sh .venv
	@touch $@

$(runtime): requirements/runtime.txt requirements/build.txt $(venv)
	@echo "Installing what the server needs"
	@$(pip_install) --require-hashes -r requirements/runtime.txt -r requirements/build.txt
	@touch $@

$(package): pyproject.toml $(runtime)
	@$(pip_install) --no-build-isolation --editable .
	@touch $@

# Not made without a compiler; then it is tried, and said, each time.
$(compiled): scripts/compile_gate.py $(wildcard collab/core/*.py) $(package)
	@$(python) scripts/compile_gate.py

$(tests): requirements/test.txt $(runtime)
	@echo "Installing what the tests need"
	@$(pip_install) --require-hashes -r requirements/test.txt
	@touch $@

$(node): requirements/node.txt | $(venv)
	@scripts/setup-node.sh .venv/bin/pip
	@touch $@

$(node_modules): package.json package-lock.json web/package.json tests/node/package.json .npmrc $(node)
	@echo "Installing what the page needs"
	@npm ci --no-audit --no-fund --loglevel error
	@touch $@

$(page): $(node_modules) $(page_sources)
	@echo "Building the page"
	@npm run --silent build --workspace web
	@touch $@

$(uv):
	@scripts/setup-python.sh .tools/uv
	@.tools/uv/bin/pip install --quiet --disable-pip-version-check uv
	@touch $@

.PHONY: system
system:
	@scripts/setup-system.sh

# Everything that one does with the repository. `make` alone lists it. Each target can be interrupted and run again.

# The first Python that is recent enough; make PYTHON=… names another.
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3.10 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null && echo $$p && break; done)
# More arguments for the program that a target starts: make test ARGS="-k retry"
ARGS ?=

PY := .venv/bin/python
PIP := $(PY) -m pip install --quiet --disable-pip-version-check
LOCK := $(PY) -m uv pip compile --quiet --universal --python-version 3.10 --generate-hashes \
	--custom-compile-command "make lock" pyproject.toml

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

.PHONY: help
help: ## List what there is to do
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  \033[1m%-12s\033[0m %s\n", $$1, $$2 }' Makefile

# Using it

.PHONY: run
run: .venv/.run-ready ## Set up and start API and workers on http://localhost:8000 (ARGS="--port 9000")
	@$(PY) run_api.py $(ARGS)

# Working on it

.PHONY: test
test: .venv/.dev-ready servers ## Set up, with real servers, and run all tests (ARGS="-k retry")
	@PATH="$$PATH:/usr/sbin:/usr/local/sbin" $(PY) -m pytest -n auto --dist worksteal $(ARGS)

.PHONY: coverage
coverage: .venv/.dev-ready servers ## Run all tests and show which lines none of them reached
	@PATH="$$PATH:/usr/sbin:/usr/local/sbin" $(PY) -m pytest -n auto --dist worksteal \
		--cov=distributed_queue --cov-report=term --cov-report=html $(ARGS)
	@echo "Line by line: htmlcov/index.html"

.PHONY: check
check: .venv/.dev-ready ## Check lint, format, types, layers, the tree, and that what is generated is up to date
	$(PY) -m ruff check
	$(PY) -m ruff format --check
	$(PY) -m mypy
	.venv/bin/lint-imports --no-logo
	$(PY) -m scripts.reference --check
	$(PY) -m pytest -q -n 0 -p no:randomly distributed_queue/tests/meta/test_tree.py \
		distributed_queue/tests/meta/test_requirements.py distributed_queue/tests/meta/test_documents.py

.PHONY: format
format: .venv/.dev-ready ## Format the code, and mend what the linter can mend
	$(PY) -m ruff check --fix-only
	$(PY) -m ruff format

.PHONY: bench
bench: .venv/.run-ready servers ## Measure speed and cost on this machine (ARGS="--quick")
	@PATH="$$PATH:/usr/sbin:/usr/local/sbin" $(PY) -m benchmarks $(ARGS)

.PHONY: bench-check
bench-check: .venv/.run-ready servers ## Count instructions for each task, and fail where there are over 15 % more than expected
	@command -v valgrind >/dev/null || scripts/system-package.sh valgrind valgrind valgrind
	@PATH="$$PATH:/usr/sbin:/usr/local/sbin" $(PY) -m benchmarks.guard $(ARGS)

.PHONY: bench-peers
bench-peers: .venv/.dev-ready servers ## Measure other task queues beside this one (ARGS="--quick", ARGS="dramatiq huey")
	@PATH="$$PATH:/usr/sbin:/usr/local/sbin" $(PY) -m benchmarks.peers $(ARGS)

.PHONY: campaign
campaign: .venv/.dev-ready servers ## Break a whole system at random, and judge (ENGINE=redis MINUTES=10 SEED=1)
	@PATH="$$PATH:/usr/sbin:/usr/local/sbin" $(PY) -m distributed_queue.testing.campaign \
		--engine $(or $(ENGINE),redis) --minutes $(or $(MINUTES),10) --seed $(or $(SEED),1) $(ARGS)

.PHONY: fuzz
fuzz: .venv/.dev-ready ## Send the API what nobody should (EXAMPLES=1000, ARGS="--mode key --url sqlite:////tmp/f.db")
	@$(PY) -m distributed_queue.tests.fuzz.api --examples $(or $(EXAMPLES),100) $(ARGS)

.PHONY: overload
overload: .venv/.dev-ready servers ## Flood a server with submissions that it refuses, and measure the work (ARGS="--engine redis")
	@PATH="$$PATH:/usr/sbin:/usr/local/sbin" $(PY) -m distributed_queue.tests.chaos.overload $(ARGS)

.PHONY: docs
docs: .venv/.dev-ready ## Generate docs/reference/ from the code
	@$(PY) -m scripts.reference

.PHONY: wheel-test
wheel-test: .venv/.dev-ready servers ## Build the wheel, install it elsewhere, and run a part of the tests on it
	@PATH="$$PATH:/usr/sbin:/usr/local/sbin" scripts/wheel-test.sh

.PHONY: test-lowest
test-lowest: .venv/.dev-ready servers ## Run a part of the tests on the lowest versions that pyproject.toml allows
	@PATH="$$PATH:/usr/sbin:/usr/local/sbin" scripts/lowest-test.sh

.PHONY: lock
lock: .venv/.dev-ready ## Generate requirements*.txt from pyproject.toml (ARGS=--upgrade for the newest versions)
	$(LOCK) --extra all -o requirements.txt $(ARGS)
	$(LOCK) --extra sqlite --extra redis --extra server --extra cli -c requirements.txt -o requirements-server.txt $(ARGS)
	$(LOCK) --extra dev -c requirements.txt -o requirements-dev.txt $(ARGS)

.PHONY: clean
clean: ## Remove everything that these targets made
	rm -rf .venv .cache .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage .coverage.* \
		htmlcov build dist site
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# How the set-up gets there

.PHONY: servers
servers:
	@scripts/need-redis.sh
	@scripts/need-chromium.sh
	@scripts/need-prometheus.sh

# The stamps are written last: a set-up that was interrupted is taken up again.
.venv/.made: scripts/make-venv.sh
	@scripts/make-venv.sh "$(PYTHON)"
	@touch $@

.venv/.run-ready: requirements.txt | .venv/.made
	@echo "Installing requirements.txt into .venv"
	@$(PIP) --require-hashes -r requirements.txt
	@touch $@

.venv/.dev-ready: requirements-dev.txt | .venv/.made
	@echo "Installing requirements-dev.txt into .venv (a minute, the first time)"
	@$(PIP) --require-hashes -r requirements-dev.txt
	@$(PIP) --no-deps --no-build-isolation --no-index --editable .
	@touch $@ .venv/.run-ready

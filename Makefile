# make run: set up, start the app, print its address.   make class: the same for everybody in the room.   make test: set up, run the tests.
PYTHON ?= python3.11
VENV ?= .venv
BIN := $(VENV)/bin
PORT ?= 8501
export OMP_NUM_THREADS ?= 1
# Some environments forbid it: every process, of which tests start hundreds, would then compile all of the source anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run class test test-slow test-long test-peers test-cluster bench lint setup setup-dev setup-cluster clean

run: setup $(VENV)/.packed
	@echo "Paretoscope is at http://127.0.0.1:$(PORT)"
	@$(BIN)/python -m streamlit run app.py --server.port $(PORT) --server.headless true

class: setup $(VENV)/.packed
	@$(BIN)/python -m core class serve --port $(PORT)

test: setup-dev
	$(BIN)/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder --durations=50

# What conftest.py calls slow: browsers, whole runs and downloads; .ci/run runs them after make test.
test-slow: setup-dev
	$(BIN)/python -m pytest -q -m 'slow and not long and not cluster' -n 2 --dist loadfile --no-loadscope-reorder --durations=20

# With other draws than the days before.
test-long: export PARETOSCOPE_TEST_SEED ?= $(shell date +%Y%m%d)
test-long: setup-dev setup-cluster
	$(BIN)/python -m pytest -q -m 'long and not cluster'
	$(BIN)/python -m tests.cluster -m 'cluster and long' tests/cluster

# Other packages beside ours, in environments of their own in the cache folder: once-for-all's networks, transformers', then searches.
test-peers: setup-dev
	$(BIN)/python benchmarks/ofa_peers.py
	$(BIN)/python benchmarks/transformers_peers.py
	$(BIN)/python -m pytest -q -s -m long tests/peers
	$(BIN)/python benchmarks/search_peers.py

# Two Ray nodes and a Postgres in a network of their own, whose processes are killed.
test-cluster: setup-dev setup-cluster
	$(BIN)/python -m tests.cluster

lint: setup-dev
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

bench: setup
	$(BIN)/python benchmarks/exhaustive.py

setup: $(VENV)/.installed

setup-dev: $(VENV)/.installed-dev

setup-cluster: $(VENV)/.installed-cluster

# Every version with its hashes, but torch: its builds differ by platform. Written anew by .ci/lock.
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check -q
TORCH := $(shell grep '^torch==' requirements.txt)

$(VENV)/.installed: requirements.txt requirements.lock
	@test -x $(BIN)/python || $$(command -v $(PYTHON) || command -v python3) -m venv $(VENV)
	@$(BIN)/python -c 'import sys; sys.exit(sys.version_info[:2] < (3, 11))' || (echo "Python 3.11 or newer is needed: make run PYTHON=/path/to/python3.11"; exit 1)
	$(INSTALL) --require-hashes -r requirements.lock
	$(INSTALL) $(TORCH)
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed requirements-dev.txt requirements-dev.lock tests/e2e/axe/package-lock.json
	$(INSTALL) --require-hashes -r requirements.lock -r requirements-dev.lock
	@if command -v npm >/dev/null; then npm ci --prefix tests/e2e/axe --ignore-scripts --no-audit --no-fund --silent; \
	else echo "There is no npm: the rules of accessibility (tests/e2e/axe) will not be tested."; fi
	@touch $@

# What a cluster needs beside it, at versions that leave all others as they are.
$(VENV)/.installed-cluster: $(VENV)/.installed requirements-cluster.txt
	$(BIN)/python -m pip list --disable-pip-version-check --format=freeze > $(VENV)/there.txt
	$(INSTALL) -c $(VENV)/there.txt -r requirements-cluster.txt
	@touch $@

# Streamlit's scripts, as small as they get, so that the first visitor does not wait for it.
$(VENV)/.packed: $(VENV)/.installed
	@echo "Packing the pages' scripts, once: about 10 seconds."
	@$(BIN)/python -m pages.ui.packed && touch $@

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis

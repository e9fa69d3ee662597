# `make demo` and `make test` are all the set-up a fresh machine needs (Python 3.11+ and make).
PYTHON ?= python3
VENV   ?= .venv
BIN     = $(VENV)/bin

.PHONY: demo test lint types bench clean

demo: $(VENV)/.demo-installed
	$(BIN)/xsearch demo

test: $(VENV)/.test-installed
	$(BIN)/pytest -n 2

lint: $(VENV)/.dev-installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(VENV)/.dev-installed
	$(BIN)/mypy

bench: $(VENV)/.test-installed
	$(BIN)/python eval/bench/engine.py

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo-installed: pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dense]'
	touch $@

$(VENV)/.test-installed: pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dense,ingest,eval,plots,irds,langchain,llama-index,haystack,test]'
	touch $@

$(VENV)/.dev-installed: pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dense,ingest,eval,dev]'
	touch $@

clean:
	rm -rf $(VENV) .demo dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

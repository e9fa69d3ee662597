# `make demo` and `make test` are all the set-up a fresh machine needs (Python 3.11+ and make).
PYTHON ?= python3
VENV   ?= .venv
BIN     = $(VENV)/bin
NEURAL ?= .venv-neural
TORCH  ?= torch==2.13.0

.PHONY: demo test lint types neural bench clean

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

# torch comes first and alone: with the other packages in one go, resolvers may take a build for GPUs (5 GB).
neural: $(NEURAL)/.installed
	$(NEURAL)/bin/pytest -m neural tests/neural

bench: $(VENV)/.test-installed
	$(BIN)/python eval/bench/engine.py $(if $(DATA),--data $(DATA))

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo-installed: pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dense]'
	touch $@

$(VENV)/.test-installed: pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dense,fast,ingest,eval,plots,irds,langchain,llama-index,haystack,test]'
	touch $@

$(VENV)/.dev-installed: pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dense,ingest,eval,dev]'
	touch $@

$(NEURAL)/.installed: pyproject.toml
	$(PYTHON) -m venv $(NEURAL)
	$(NEURAL)/bin/pip install --quiet --disable-pip-version-check '$(TORCH)'
	$(NEURAL)/bin/pip install --quiet --disable-pip-version-check -e '.[dense,neural,test]'
	touch $@

clean:
	rm -rf $(VENV) $(NEURAL) .demo dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

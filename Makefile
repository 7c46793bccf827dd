# Everything a developer or operator starts. `make` alone explains it.
.DEFAULT_GOAL := help
.PHONY: help setup lock demo up down test test-slow test-real lint bench
PYTHON := .venv/bin/python
PYTEST := $(PYTHON) -m pytest -p tests.no_skips

help:  ## Show this
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

setup:  ## Set this machine up (quick when nothing changed)
	@scripts/setup.sh

demo: setup  ## From raw data to an answer, through Airflow (other data: ARGS="--recipe … --source …")
	@$(PYTHON) -m scripts.demo $(ARGS)

up: setup  ## Start Airflow, MLflow's UI and the service for use in a browser
	@$(PYTHON) -m scripts.stack up

down:  ## End them all
	@if [ -x $(PYTHON) ]; then $(PYTHON) -m scripts.stack down; else echo "nothing was set up"; fi

lint: setup  ## Format, lint, types, import contracts
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports

test: lint  ## Lint and tests, as CI runs them; a skipped test fails
	@scripts/test_tools.sh
	$(PYTEST)

test-slow: setup  ## Kill, outage and long runs
	$(PYTEST) -m 'slow and not gpu and not real_data'

test-real: setup  ## The whole job on real data: SUPPORT_QA=folder make test-real (and Debian's package debian-faq)
	$(PYTEST) -m real_data

# Each lock has one source. The service's take the main lock's versions where they can (on a GPU vLLM pins its own).
# TORCH_BACKEND=cpu: PyTorch's own CPU build instead of PyPI's with CUDA, for whoever can reach PyTorch's index.
COMPILE := .llmops/bootstrap/bin/uv pip compile --generate-hashes --no-emit-index-url --no-header
lock: setup  ## Resolve the locks anew: requirements.lock from pyproject.toml, the service's images from their own lists
	$(COMPILE) pyproject.toml --group dev --universal --python-version 3.11 -o requirements.lock
	$(COMPILE) docker/serving/cpu-requirements.in -c requirements.lock --python-version 3.11 --python-platform x86_64-manylinux_2_36 $(if $(TORCH_BACKEND),--torch-backend $(TORCH_BACKEND)) -o docker/serving/cpu-requirements.lock
	$(COMPILE) docker/serving/gpu-requirements.in --python-version 3.12 --python-platform x86_64-manylinux_2_36 -o docker/serving/gpu-requirements.lock

bench: setup  ## Run a benchmark against its peer: make bench NAME=quickstart
	@test -f 'benchmarks/$(NAME).py' || { echo "no such benchmark: '$(NAME)'; there are: $$(cd benchmarks && ls *.py | sed 's/\.py//' | xargs)"; exit 2; }
	@$(PYTHON) -m 'benchmarks.$(NAME)' $(ARGS)

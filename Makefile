# Sealgate: build, test, measure. `make test` is what a change has to pass.
#
# Programs that tests run are built once, in the versions of
# tests/servers/pins.mk, into a cache folder: $SEALGATE_CACHE, or sealgate in the
# user's cache folder.

SHELL       := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

include tests/servers/pins.mk

GO    ?= go
CACHE := $(or $(SEALGATE_CACHE),$(XDG_CACHE_HOME:%=%/sealgate),$(if $(filter Darwin,$(shell uname -s)),$(HOME)/Library/Caches/sealgate,$(HOME)/.cache/sealgate))
BIN   := $(CACHE)/bin
export SEALGATE_CACHE := $(CACHE)

MINIO         := $(BIN)/minio-$(MINIO_VERSION)
VERSITYGW     := $(BIN)/versitygw-$(VERSITYGW_VERSION)
OPA           := $(BIN)/opa-$(OPA_VERSION)
GOLANGCI_LINT := $(BIN)/golangci-lint-$(GOLANGCI_LINT_VERSION)
JS_CLIENT     := $(CACHE)/js/.installed

# What runs requests and policies is tested under the race detector, the command line,
# which runs one thing at a time, without. Some tests make thousands of policies; under
# the detector they take a sample, and all without it.
RACE_PACKAGES = $(shell $(GO) list ./module/... ./policy/... | grep -v '/sealgate/module/cli$$')
SAMPLED_PACKAGES = ./policy ./policy/lint
OTHER_PACKAGES = $(shell $(GO) list ./... | grep -vE '/sealgate/((module|policy)(/|$$)|tests$$)') ./module/cli

.PHONY: help
help: ## What there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-10s %s\n", $$1, $$2 }'

.PHONY: build
build: ## Compile bin/sealgate and bin/quickstart
	$(GO) build -trimpath -o bin/ ./cmd/...

.PHONY: test
test: prerequisites servers vet ## All tests: unit, race detector, whole system with real stores and clients
	$(GO) test -race -timeout 20m $(RACE_PACKAGES)
	$(GO) test -timeout 20m $(SAMPLED_PACKAGES) $(OTHER_PACKAGES)
	@# From its own folder, so that its table of clients and servers is shown.
	cd tests && $(GO) test -count=1 -timeout 30m

.PHONY: vet
vet: ## go vet
	$(GO) vet ./...

.PHONY: lint
lint: $(GOLANGCI_LINT) $(OPA) ## Linters, and the policy library under stock opa
	$(GOLANGCI_LINT) run ./...
	$(OPA) check --strict --schema rego/schemas/input.json rego
	$(OPA) test rego

FUZZTIME ?= 5s
.PHONY: fuzz
fuzz: ## Every fuzz target for FUZZTIME (5s)
	.ci/fuzz $(FUZZTIME)

BENCH ?=
.PHONY: bench
bench: servers ## Store alone, plain Caddy and Sealgate side by side; BENCH=-help for options
	$(GO) run ./tests/bench $(BENCH)

.PHONY: prerequisites
prerequisites:
	@missing=; for program in $(GO) gcc; do command -v "$$program" >/dev/null || missing="$$missing $$program"; done; \
	if [ -n "$$missing" ]; then echo "needed and not found:$$missing" >&2; exit 1; fi; \
	for program in aws s3cmd rclone restic node python3; do command -v "$$program" >/dev/null || missing="$$missing $$program"; done; \
	test -e "$(JS_CLIENT)" || missing="$$missing @aws-sdk/client-s3"; \
	if [ -n "$$missing" ]; then echo "needed by the whole-system tests and not found:$$missing; run \`make clients\`" >&2; exit 1; fi

.PHONY: servers
servers: $(MINIO) $(VERSITYGW) ## Build the stores that tests run, once

SUDO = $(if $(filter 0,$(shell id -u)),,sudo)
.PHONY: clients
clients: $(JS_CLIENT) ## Install the clients that tests run (Debian packages and one npm package)
	@for program in aws s3cmd rclone restic; do command -v "$$program" >/dev/null || need=yes; done; \
	/usr/bin/python3 -c 'import cryptography' 2>/dev/null || need=yes; \
	if [ -n "$${need:-}" ]; then \
		$(SUDO) apt-get update -q && \
		$(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends awscli s3cmd rclone restic python3-cryptography; \
	fi

$(JS_CLIENT): tests/js/package.json tests/js/package-lock.json
	@mkdir -p $(@D)
	cp tests/js/package.json tests/js/package-lock.json $(@D)/
	cd $(@D) && npm ci --ignore-scripts --no-audit --no-fund
	@touch $@

# install(package@version): build a program outside of this module into its own
# file, saying how far it is.
define install
	@mkdir -p $(BIN); \
	work=$$(mktemp -d); trap 'rm -rf "$$work"' EXIT; cd "$$work"; \
	echo "building $(1): several minutes, once"; \
	GOBIN="$$work" GOFLAGS= $(GO) install -v $(1) 2>&1 | awk '/ /{ print; next } ++n % 100 == 0 { print "  " n " packages"; fflush() }'; \
	find "$$work" -maxdepth 1 -type f -perm -u+x -exec mv {} $@ \;
	@test -x $@
endef

$(MINIO):
	$(call install,github.com/minio/minio@$(MINIO_VERSION))

$(VERSITYGW):
	$(call install,github.com/versity/versitygw/cmd/versitygw@$(VERSITYGW_VERSION))

$(OPA):
	$(call install,github.com/open-policy-agent/opa@$(OPA_VERSION))

$(GOLANGCI_LINT):
	$(call install,github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT_VERSION))

.PHONY: clean
clean: ## Remove what was built here; the cache folder stays
	rm -rf bin

# Versions of the programs that tests and checks run, read by the Makefile and by package servers.
MINIO_VERSION := v0.0.0-20260212201848-7aac2a2c5b7c
VERSITYGW_VERSION := v1.8.0
OPA_VERSION := v1.22.2
GOLANGCI_LINT_VERSION := v2.15.0

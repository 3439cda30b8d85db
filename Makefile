# `make run` and `make test` set everything up on a fresh machine with Python >= 3.11; both may be called again cheaply.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ifeq ($(OS),Windows_NT)
BIN := $(VENV)/Scripts
endif
PIP := $(BIN)/python -m pip --disable-pip-version-check -q
ARGS ?=
.PHONY: help run test test-vm lint format types check release-check bench clean

help:  ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "%-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(BIN)/.run: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(PIP) install -e .
	@touch $@

$(BIN)/.dev: pyproject.toml $(BIN)/.run
	$(PIP) install -e '.[dev]'
	@touch $@

run: $(BIN)/.run  ## the main job; ARGS="..." passes arguments on
	$(BIN)/live --preset fast $(ARGS)

test: $(BIN)/.dev  ## all tests that need no special hardware
	$(BIN)/python -m pytest

test-vm: $(BIN)/.dev  ## virtual camera and camera input with real drivers, in virtual machines (QEMU), 6 min
	REQUIRE_VM=1 $(BIN)/python -m pytest tests/vm -v -s

lint: $(BIN)/.dev  ## ruff
	$(BIN)/ruff check live tests models tools docker
	$(BIN)/ruff format --check live tests models tools docker

format: $(BIN)/.dev  ## ruff, in place
	$(BIN)/ruff format live tests models tools docker
	$(BIN)/ruff check --fix live tests models tools docker

types: $(BIN)/.dev  ## mypy, strict on live/
	$(BIN)/mypy
	$(BIN)/mypy tools/*.py

check: lint types test  ## everything CI runs

release-check: $(BIN)/.dev  ## build the packages, install and run them in clean environments, 3 min for each Python
	$(BIN)/python tools/release_check.py $(ARGS)

bench: $(BIN)/.run  ## speed of the whole program on this machine
	$(BIN)/live bench speed

clean:  ## remove what make made
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache

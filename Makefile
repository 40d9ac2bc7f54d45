# Two commands on a fresh machine: `make demo` and `make test`. Each makes .venv and installs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# A folder of pictures for the demo; without it, surfaces are drawn.
DATA ?=

STAMP := $(VENV)/.installed
SOURCES := edgecl export calibration runtime tests benchmarks

.PHONY: demo test lint unit clean help
.DEFAULT_GOAL := help

help:
	@echo "make demo              train, export, run and bench on drawn surfaces, end to end"
	@echo "make demo DATA=FOLDER  the same on your pictures"
	@echo "make test              lint, types and all tests"
	@echo "make clean             remove the virtual environment and the demo's output"

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "edgecl needs Python 3.11 or newer; name one: make PYTHON=python3.12"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt --editable '.[train,tensorboard,openvino,tensorrt-rtx,sign,dev]'
	@touch $(STAMP)

demo: $(STAMP)
	$(BIN)/edgecl demo --out demo $(if $(DATA),--data '$(DATA)')

test: lint unit

lint: $(STAMP)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

unit: $(STAMP)
	$(BIN)/python -m pytest

clean:
	rm -rf $(VENV) demo .mypy_cache .ruff_cache .pytest_cache *.egg-info

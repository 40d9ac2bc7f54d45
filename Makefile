# Two commands on a fresh machine: `make demo` and `make test`. Each makes .venv and installs.
# A third for a machine with an NVIDIA GPU: `make gpu-test`, with a .venv-gpu of its own.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# A folder of images for the demo; without it, surfaces are drawn.
DATA ?=

STAMP := $(VENV)/.installed
# Sees the system's packages: a Jetson's TensorRT is one of them. No torch is needed there.
GPU_VENV := .venv-gpu
GPU_BIN := $(GPU_VENV)/bin
GPU_STAMP := $(GPU_VENV)/.installed
PACKAGES := edgecl export calibration runtime
SOURCES := $(PACKAGES) tests benchmarks docs examples
# Tests start hundreds of processes, which would compile the sources anew each time.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test test-all lint lint-in-one-piece quick unit again gpu-test clean help
.DEFAULT_GOAL := help

help:
	@echo "make demo              train, export, run and bench on drawn surfaces, end to end"
	@echo "make demo DATA=FOLDER  the same on your images"
	@echo "make test              lint, types and the quick tests"
	@echo "make test-all          lint, types and all tests"
	@echo "make again             the tests that failed in the last run, one at a time"
	@echo "make gpu-test          the tests that need an NVIDIA GPU with TensorRT, on such a machine"
	@echo "make clean             remove the virtual environment and the demo's output"

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "edgecl needs Python 3.11 or newer; name one: make PYTHON=python3.12"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt \
		--editable '.[train,tensorboard,openvino,tensorrt-rtx,sign,genicam,mqtt,metrics,gpio,modbus,opcua,serve,tune,oip,loadgen,nvml,dev]'
	@touch $(STAMP)

demo: $(STAMP)
	$(BIN)/edgecl demo --out demo $(if $(DATA),--data '$(DATA)')

# Side by side: type checks keep one core busy, and tests often wait for something.
test: $(STAMP)
	@$(MAKE) --no-print-directory --jobs=2 lint-in-one-piece quick

test-all: $(STAMP)
	@$(MAKE) --no-print-directory --jobs=2 lint-in-one-piece unit

# What lint says comes at its end, not line by line between the tests.
lint-in-one-piece: $(STAMP)
	@said=$$($(MAKE) --no-print-directory lint 2>&1); code=$$?; printf '\n%s\n' "$$said"; exit $$code

lint: $(STAMP)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/vermin --target=3.10- --no-tips --quiet $(PACKAGES)
	$(BIN)/python -m docs.check
	bash -n .ci/run

# A process per core, with one thread each: several threads in each would wait for one another, and
# with more processes tests of cameras miss their moments.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal
# Of all tests many wait for something: a process more than there are cores takes a sixth less time.
MORE = $(shell $(BIN)/python -c 'import os; print(min(4, len(os.sched_getaffinity(0)) + 1))')

quick: $(STAMP)
	$(PYTEST) -m 'not slow'

unit: $(STAMP)
	$(PYTEST) --numprocesses $(MORE)

# What failed in the last run, one test at a time; fails where no test had run.
again: $(STAMP)
	$(PYTEST) --numprocesses 0 --last-failed --last-failed-no-failures none

# TensorRT is installed only where the system does not bring it; pycuda is compiled.
$(GPU_STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
		{ echo "edgecl runs on Python 3.10 or newer; name one: make gpu-test PYTHON=python3.12"; exit 2; }
	$(PYTHON) -m venv --system-site-packages $(GPU_VENV)
	$(GPU_BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[gpu-test]'
	$(GPU_BIN)/python -c 'import tensorrt' 2>/dev/null || \
		$(GPU_BIN)/python -m pip install --disable-pip-version-check 'tensorrt>=10.3'
	$(GPU_BIN)/python -c 'import pycuda' 2>/dev/null || \
		$(GPU_BIN)/python -m pip install --disable-pip-version-check 'pycuda>=2024.1'
	@touch $(GPU_STAMP)

gpu-test: $(GPU_STAMP)
	$(GPU_BIN)/python -m pytest -m gpu -rs tests/gpu

clean:
	rm -rf $(VENV) $(GPU_VENV) demo .mypy_cache .ruff_cache .pytest_cache *.egg-info

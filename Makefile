# Everything happens in .venv; `make setup` makes it. See README.md.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: setup demo test lint types bench docs reference fit check clean

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev,onnx,mat,parquet]'
	@touch $(STAMP)

demo: setup
	$(BIN)/vbench run --suite synth-sot --methods kcf,mosse,kcf+dummy@fixed:5,kcf+patch-aggregation@online:0.8:5,full-template
	$(BIN)/vbench report --plot tradeoff --html

test: setup
	$(BIN)/python -m pytest -n 2 --dist loadfile

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy

# The regression gate on the embedded suites, against results/reference/.
GATE_SOT := hold,kcf,mosse,full-template,kcf+dummy@fixed:5,kcf+kcf@online:0.5:5,kcf+full-template@fixed:3,kcf+patch-aggregation@online:0.8:5
GATE_VID := blobs,blobs+soft-nms,blobs+seq-nms,blobs+dummy@fixed:5,blobs+kalman@decay:5:0.9,blobs+lk@fixed:5,blobs+full-template@online:0.5:5,blobs+kcf@adaptive:move:0.3:5
GATE := --no-timing --jobs 2 --again always --quiet

check: setup
	$(BIN)/vbench run --suite synth-sot --methods $(GATE_SOT) $(GATE) --out results/gate-sot
	$(BIN)/vbench check results/gate-sot --strict --cost-tolerance 2%
	$(BIN)/vbench run --suite synth-vid --methods $(GATE_VID) $(GATE) --out results/gate-vid
	$(BIN)/vbench check results/gate-vid --strict --cost-tolerance 2%

bench: setup
	@set -e; for file in tests/benchmarks/bench_*.py; do echo "== $$file"; $(BIN)/python -m tests.benchmarks.$$(basename $$file .py); done

fit: setup
	$(BIN)/python -m tests.benchmarks.fit_trackers
	$(BIN)/python -m tests.benchmarks.fit_lsts
	$(BIN)/python -m tests.benchmarks.fit_plugplay

docs: setup reference
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[docs]'
	$(BIN)/mkdocs build --strict

reference: setup
	$(BIN)/python -m vbench.cli.reference > docs/cli.md

clean:
	rm -rf $(VENV) build dist site *.egg-info

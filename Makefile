# make demo      set everything up, train on drawn pictures, caption some of them
# make test      set everything up, run the tests
# make check     style, types and tests
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO := runs/demo

.PHONY: demo test check clean

demo: $(VENV)/installed
	rm -rf $(DEMO)
	$(BIN)/python train.py demo --out $(DEMO)
	$(BIN)/python evaluate.py --model $(DEMO) --output $(DEMO)/test.json
	$(BIN)/python caption.py --model $(DEMO) --data scenes --split test --limit 16 --sheet $(DEMO)/sheet.png
	@echo "picture sheet: $(DEMO)/sheet.png   learning curves: $(DEMO)/curves.png"

test: $(VENV)/tested
	$(BIN)/python -m pytest -n 2

check: $(VENV)/tested
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n 2

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/tested: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable '.[test]'
	@touch $@ $(VENV)/installed

clean:
	rm -rf $(VENV) runs build dist *.egg-info

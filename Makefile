# make demo      set everything up, train on drawn pictures, caption some that it never saw
# make test      set everything up, run the tests
# make check     style, types and tests
# make notebooks run the notebooks at their real size and keep what they show (minutes)
# make bench     every step beside the usual way of doing it (most of an hour, on an idle machine)
# make results   write the tables of the README anew from results/
# make experiments  train and score what results/catalogue.py lists and has no record yet (days)
PYTHON ?= python3
BIN := .venv/bin
DEMO := runs/demo
SCENES := data/scenes

.PHONY: demo test check notebooks bench results experiments clean

demo: .venv/installed
	rm -rf $(DEMO)
	$(BIN)/python data/prepare_scenes.py --output $(SCENES)
	$(BIN)/python train.py demo --data $(SCENES) --out $(DEMO)
	$(BIN)/python evaluate.py --model $(DEMO) --data $(SCENES) --split test --output $(DEMO)/test.json
	$(BIN)/python caption.py --model $(DEMO) --sheet $(DEMO)/sheet.png '$(SCENES)/images/005[5-9][37]0.jpg' '$(SCENES)/images/005[5-9][26]5.jpg'
	@echo "picture sheet: $(DEMO)/sheet.png"
	@echo "learning curves: $(DEMO)/curves.png"

test: .venv/tested
	$(BIN)/python -m pytest -n 2

check: .venv/tested
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python results/tables.py --check
	$(BIN)/python -m pytest -n 2

notebooks: .venv/tested
	$(BIN)/python tests/test_notebooks.py

bench: .venv/tested
	$(BIN)/python -m benchmarks

results: .venv/tested
	$(BIN)/python results/tables.py

experiments: .venv/tested
	$(BIN)/python results/experiments.py --data data/flickr8k
	$(BIN)/python results/tables.py

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/installed: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --editable '.[train]'
	@touch $@

.venv/tested: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --editable '.[test]'
	@touch $@ .venv/installed

clean:
	rm -rf .venv runs build dist *.egg-info

# make study   the main job, on the embedded poses: ends with the path of a report
# make test    the tests that take minutes          make test-long   all tests
# make check   format, lint, types, import contracts make bench      what the README claims about speed
PYTHON ?= python3.11
BIN := .venv/bin
INSTALLED := .venv/.installed

.PHONY: study test test-long check bench format constraints clean

study: $(INSTALLED)
	$(BIN)/python studies/stability.py --preset quick $(ARGS)

test: $(INSTALLED)
	$(BIN)/python -m pytest -m "not long" $(ARGS)

test-long: $(INSTALLED)
	$(BIN)/python -m pytest $(ARGS)

check: $(INSTALLED)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/pyright

bench: $(INSTALLED)
	$(BIN)/python benchmarks

format: $(INSTALLED)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv || python3 -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

constraints: $(INSTALLED)
	(echo "# Versions that the tests pass with. Made anew by: make constraints"; \
	 $(BIN)/python -m pip freeze --exclude-editable | sed 's/+cpu$$//') > constraints.txt

clean:
	rm -rf .venv .pytest_cache .ruff_cache

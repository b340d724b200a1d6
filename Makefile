# make study   the main job, on the embedded poses: ends with the path of a report
# make test    the quick tests                  make check          format, lint, types, import contracts
# make test-slow  and those that take minutes   make test-nightly   all tests
# make bench   what is claimed about speed      make docs           the documentation, into site/
PYTHON ?= python3.11
BIN := .venv/bin
INSTALLED := .venv/.installed
# Without a GPU the CPU build of torch is enough, and much smaller; TORCH_INDEX names an index that has it (see docs/howto/gpu.md).
TORCH_INDEX ?=
HAS_GPU := $(shell command -v nvidia-smi)
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
PYTEST := $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadgroup --no-loadscope-reorder

# The theme's maintainers announce a successor at each build.
export NO_MKDOCS_2_WARNING := 1

.PHONY: study test test-slow test-nightly check docs bench format constraints clean

study: $(INSTALLED)
	$(BIN)/tips-ray stability --preset quick $(ARGS)

test: $(INSTALLED)
	$(PYTEST) -m "not slow and not nightly" $(ARGS)

test-slow: $(INSTALLED)
	$(PYTEST) -m "not nightly" $(ARGS)

test-nightly: $(INSTALLED)
	$(PYTEST) $(ARGS)

check: $(INSTALLED)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/pyright

docs: $(INSTALLED)
	$(BIN)/mkdocs build --quiet --strict
	@echo 'Documentation: site/index.html'

bench: $(INSTALLED)
	$(BIN)/python benchmarks

format: $(INSTALLED)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv || python3 -m venv .venv
	$(if $(HAS_GPU),,$(if $(TORCH_INDEX),$(PIP) --index-url $(TORCH_INDEX) torch))
	$(PIP) --editable '.[dev,docs]'
	touch $@

constraints: $(INSTALLED)
	(echo "# Versions that the tests pass with. Made anew by: make constraints"; \
	 $(BIN)/python -m pip freeze --exclude-editable | sed 's/+cpu$$//') > constraints.txt

clean:
	rm -rf .venv site .pytest_cache .ruff_cache

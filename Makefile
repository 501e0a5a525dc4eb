# The commands of this project: each works in a fresh clone with Python 3.11+ and make.
#
#   make demo    serve the example manifests on 127.0.0.1:5353 until Ctrl-C
#   make test    lint, types, import contracts and every test
#   make bench   what an answer costs, beside the DNS servers installed here (bench/README.md)
#   make clean   remove what the others made

PYTHON ?= python3
VENV ?= .venv
LISTEN ?= 127.0.0.1:5353
BIN = $(VENV)/bin

.PHONY: demo test lint tests packages bench clean

demo: $(VENV)/.installed
	@exec $(BIN)/skydns-py serve --manifests deploy/examples --listen $(LISTEN) --try

test: packages lint tests

lint: $(VENV)/.tested
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

tests: $(VENV)/.tested
	$(BIN)/python -m pytest

packages:
	@sh tests/install-packages.sh tests/debian-packages.txt

bench: $(VENV)/.tested
	$(BIN)/python -m bench $(BENCH)

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "$(PYTHON) is older than 3.11: call make PYTHON=python3.12, for instance" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) \
	  || { echo "python3 -m venv failed: on Debian, apt-get install python3-venv" >&2; exit 1; }
	@touch $@

$(VENV)/.installed: $(VENV)/.created pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.tested: $(VENV)/.created pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@ $(VENV)/.installed

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

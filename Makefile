# Each target makes what it needs: `make demo` and `make test` are the two to begin with.

VENV      := .venv
PY        := $(VENV)/bin/python
FRAMEWORK ?= flask
PORT      ?= 8000

# The first interpreter that runs and is new enough; PYTHON=... names another.
PYTHON ?= $(shell for name in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	"$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$name" && break; done)

# uv installs faster; pip does where there is none, or where uv cannot reach the index (UV= turns it off).
UV      ?= $(shell command -v uv || ls $(VENV)/bin/uv 2>/dev/null)
install  = $(if $(UV),$(UV) pip install -q --python $(PY) $(1) ||) $(PY) -m pip install -q $(1)

# pyenv hides the interpreters that are not the chosen one: tox is offered them all.
PYENV_ALL = $(shell command -v pyenv >/dev/null && pyenv versions --bare 2>/dev/null | sort -rV | paste -sd: -)

FRAMEWORKS := flask fastapi django litestar
PROJECTS   := pyproject.toml $(wildcard packages/*/pyproject.toml) conformance/pyproject.toml
PACKAGES   := -e 'packages/core[asyncio,bcrypt,http,jwt,postgres,redis,sodium,strength]' $(FRAMEWORKS:%=-e packages/%) -e 'conformance[target]'
KNOWN       = $(if $(word 2,$(FRAMEWORK)),,$(filter $(FRAMEWORKS),$(FRAMEWORK)))
# A demo needs its framework and a server, nothing more; after `make setup` everything is there.
DEMO_READY  = $(if $(wildcard $(VENV)/.stamp-setup),$(VENV)/.stamp-setup,$(VENV)/.stamp-demo-$(FRAMEWORK))

# What other libraries ask for stays out of the way.
PEERS := build/peers-venv

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint bench bench-peers timing crowd races docs clean

help:
	@echo "make setup   $(VENV) with everything"
	@echo "make demo    a small application (FRAMEWORK=flask|fastapi|django|litestar, PORT=8000)"
	@echo "make test    every check, through tox"
	@echo "make lint    format, style, types, import rules"
	@echo "make bench   the figures beside their goals, also in build/bench.json"
	@echo "make bench-peers  the same beside other libraries, in build/peers-venv, also in build/bench-peers.json"
	@echo "make timing  whether the time of an answer tells who has an account"
	@echo "make crowd   a hundred users at once, while mail server and workers stop"
	@echo "make races   every single-use thing contended for, 200 rounds each (ROUNDS=200)"
	@echo "make docs    the documentation, executed"
	@echo "make clean   remove what the others made"

setup: $(VENV)/.stamp-setup

demo: $(if $(KNOWN),$(DEMO_READY),unknown-framework)
	@$(PY) examples/demo/serve.py --framework $(FRAMEWORK) --port $(PORT)

test: $(VENV)/.stamp-tox
	@rm -rf build/junit && mkdir -p build/junit
	$(if $(PYENV_ALL),PYENV_VERSION=$(PYENV_ALL) )$(VENV)/bin/tox run $(if $(UV),-x "testenv.install_command=$(abspath $(UV)) pip install --python {env_python} {opts} {packages}") $(TOX_ARGS)

lint: $(VENV)/.stamp-setup
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

bench: $(VENV)/.stamp-setup
	@mkdir -p build
	@$(PY) benchmarks/run.py

bench-peers: $(PEERS)/.stamp
	@cd benchmarks && ../$(PEERS)/bin/python -m peers $(PEERS_ARGS)

timing: $(VENV)/.stamp-setup
	@$(PY) benchmarks/timing.py

crowd: $(VENV)/.stamp-setup
	@$(PY) benchmarks/hundred_users.py
	@$(PY) benchmarks/hundred_users.py --kill

races: $(VENV)/.stamp-setup
	AUTHCORE_RACE_ROUNDS=$(or $(ROUNDS),200) $(PY) -m pytest packages/core/tests/races

docs: $(VENV)/.stamp-setup
	$(PY) -m pytest docs/tests

clean:
	rm -rf $(VENV) .tox build dist packages/*/dist conformance/dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .coverage .coverage.*
	find . -name __pycache__ -type d -not -path '*/node_modules/*' -prune -exec rm -rf {} +

$(VENV)/.stamp-venv:
	$(if $(PYTHON),,$(error authcore needs Python 3.11 or newer; install one, or name it: make PYTHON=/path/to/python))
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install -q --upgrade 'pip>=25.1'
	@touch $@

$(VENV)/.stamp-tox: $(VENV)/.stamp-venv pyproject.toml
	$(call install,--group run)
	@touch $@

$(VENV)/.stamp-setup: $(VENV)/.stamp-tox $(PROJECTS)
	$(call install,$(PACKAGES) --group dev)
	@touch $@

$(PEERS)/.stamp: PY := $(PEERS)/bin/python
$(PEERS)/.stamp: benchmarks/peers/requirements.txt $(PROJECTS)
	$(if $(PYTHON),$(PYTHON) -m venv $(PEERS),$(error authcore needs Python 3.11 or newer))
	$(call install,-r benchmarks/peers/requirements.txt $(PACKAGES))
	@touch $@

$(VENV)/.stamp-demo-%: $(VENV)/.stamp-venv packages/core/pyproject.toml packages/%/pyproject.toml
	$(call install,-e 'packages/core[phone]' -e packages/$* 'uvicorn>=0.30')
	@touch $@

.PHONY: unknown-framework
unknown-framework:
	@echo "make demo: FRAMEWORK is one of $(FRAMEWORKS), not '$(FRAMEWORK)'" >&2; exit 2

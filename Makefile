# Each target has one line that says what it is for; `make` alone prints them.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help run setup test lint bench soak kvm-lab kvm-lab-down screenshots packages

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip install --disable-pip-version-check --no-input --progress-bar off
# pip says a lot; the names of what it fetches are enough to see it move.
NAMES := sed -un 's/^Collecting \([^ ]*\).*/  \1/p; /^ERROR/p; s/^Installing collected packages.*/  putting them in place …/p'

# A virtual environment whose Python is gone (a newer system, a broken start) is made anew.
$(shell test -x $(PY) || rm -rf $(VENV))
.DELETE_ON_ERROR:

help:
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | while IFS=$$'\t' read -r name what; do printf '  make %-14s %s\n' "$$name" "$$what"; done

run: $(VENV)/.runtime $(VENV)/bin/clusterctl ## start everything in this window; PORT=, HOSTS=kvm-lab, DATABASE_URL=, REDIS_URL= are honoured
	@exec $(PY) manage.py up

test: setup lint ## everything that CI runs
	@exec tests/run.sh

setup: packages $(VENV)/.runtime $(VENV)/bin/clusterctl $(VENV)/.tests $(VENV)/.libvirt ## install what the tests need (Debian packages when root)

lint: $(VENV)/.tests ## ruff and mypy
	@$(PY) -m ruff check . && $(PY) -m ruff format --check . && $(PY) -m mypy

bench: setup ## measure speed and memory at 64 nodes and 8,000 VMs (docs/performance.md); ONLY=pages measures a part
	@$(PY) -m tests.bench $(ONLY)

kvm-lab: packages $(VENV)/.runtime $(VENV)/.libvirt ## three real libvirt nodes on this machine (root, Debian)
	@$(PY) -m clustermgr.kvmlab up

kvm-lab-down: ## end those nodes without a trace
	@$(PY) -m clustermgr.kvmlab down

soak: setup ## what stands on Redis, PostgreSQL and the disk, each of them away for a whole minute
	@OUTAGE_S=60 $(PY) -m pytest tests/setup/test_outages.py --durations=0

screenshots: $(VENV)/.tests ## docs/screenshots from a demonstration of its own
	@$(PY) docs/screenshots/make.py

packages:
	@tests/packages.sh

$(PY):
	@if ! command -v $(PYTHON) >/dev/null; then \
	  echo "$(PYTHON) is not installed. Install it (apt-get install python3 python3-venv), or name one: make run PYTHON=python3.12" >&2; exit 1; fi
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("clustermgr needs Python 3.11 or newer; $(PYTHON) is %d.%d. Name a newer one: make run PYTHON=python3.12" % sys.version_info[:2])'
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { \
	  echo "$(PYTHON) cannot make virtual environments here. Install that part of it: apt-get install python3-venv" >&2; exit 1; }
	@echo "making the virtual environment in $(VENV) …"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: requirements.txt | $(PY)
	@echo "installing what clustermgr runs on (once; about a minute) …"
	@$(PIP) -r requirements.txt | $(NAMES)
	@touch $@

$(VENV)/bin/clusterctl: clustermgr/cli/install.py $(VENV)/.runtime
	@$(PY) -m clustermgr.cli.install && touch $@

$(VENV)/.tests: tests/requirements.txt $(VENV)/.runtime
	@echo "installing what the tests need …"
	@$(PIP) -r tests/requirements.txt | $(NAMES)
	@touch $@

$(VENV)/.libvirt: requirements-libvirt.txt $(VENV)/.runtime
	@if pkg-config --exists libvirt 2>/dev/null; then \
	  echo "compiling libvirt-python …"; $(PIP) -r requirements-libvirt.txt | $(NAMES); touch $@; \
	else echo "libvirt-python is left out: it needs libvirt-dev, pkg-config, gcc and python3-dev"; fi

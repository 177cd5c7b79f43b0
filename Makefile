# make            what there is
# make test       everything that CI runs
# PYTHON=python3.12 make test     with that interpreter
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
export PYTHON

.PHONY: help setup test soak check labs conform clean

help: ## list these
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/make \1	\2/p' $(MAKEFILE_LIST) | expand -t 16

setup: ## the system's tools (as root on Debian) and a virtual environment in .venv, where something has changed
	@scripts/setup

test: setup ## everything that CI runs: style, types, tests
	@scripts/test

soak: setup ## what takes hours: 200 kills, 20 repeats, runs beside each other; SOAK_KILLS=20 SOAK_REPEATS=1 does less
	@scripts/soak

check: setup ## check this node against the built-in suites; report in report/
	@scripts/conform node

labs: setup ## run the labs: each fault, the checks that find it, and the fix; report in report/
	@scripts/conform labs

conform: setup ## check this node, then run the labs, whatever the node's verdicts were; one report in report/
	@scripts/conform

clean: ## remove what these made
	rm -rf .venv report build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Each target works by itself in a fresh clone: it first makes the environment, once.
# Settings: PYTHON=python3.12 VENV=.venv QT=pyside6 ARGS="-k widget"

PYTHON ?= python3
QT ?= pyqt6
ifeq ($(QT),pyqt6)
VENV ?= .venv
else
VENV ?= .venv-$(QT)
endif
ARGS ?=
DATA ?=
MODELS ?=

READY := $(VENV)/.ready
SETUP := PYTHON="$(PYTHON)" VENV="$(VENV)" QT="$(QT)" sh scripts/setup.sh
RUN := VENV="$(VENV)" QT="$(QT)" sh scripts/setup.sh run

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test lint format weights benchmark docs-pictures wheel-check clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-15s %s\n", $$1, $$2}' Makefile
	@echo "Settings: PYTHON=$(PYTHON) VENV=$(VENV) QT=$(QT) (or pyside6) ARGS=\"more for pytest\""

demo: $(READY) ## Segment a sample: in napari, or to a picture where there is no screen
	@$(SETUP) system-demo
	@$(RUN) spheroseg demo

test: $(READY) ## Run the tests, on a virtual screen where there is none
	@$(SETUP) system-test
	@$(SETUP) with-screen python -m pytest $(ARGS)

lint: $(READY) ## Check style and types
	@$(RUN) ruff check .
	@$(RUN) ruff format --check .
	@$(RUN) mypy

format: $(READY) ## Correct style
	@$(RUN) ruff check --fix .
	@$(RUN) ruff format .

weights: $(READY) ## Train the models that ship: DATA=folder with manifest.csv, MODELS="unet ..."
	@test -n "$(DATA)" || { echo "Say where the images are: make weights DATA=folder"; exit 2; }
	@$(RUN) python scripts/make_weights.py "$(DATA)" $(MODELS)

benchmark: $(READY) ## Compare models and classical methods: DATA=folder with manifest.csv
	@test -n "$(DATA)" || { echo "Say where the images are: make benchmark DATA=folder"; exit 2; }
	@$(RUN) python benchmarks/segmentation.py "$(DATA)"

docs-pictures: $(READY) ## Make the pictures of the documentation again
	@$(SETUP) system-test
	@$(SETUP) with-screen python scripts/docs_pictures.py

wheel-check: ## Build the wheel and try it far from the checkout
	@PYTHON="$(PYTHON)" sh scripts/check_wheel.sh

clean: ## Delete the environments and whatever was built
	rm -rf .venv .venv-pyside6 "$(VENV)" build dist demo-output .mypy_cache .pytest_cache .ruff_cache
	find src tests scripts -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): pyproject.toml constraints.txt
	@$(SETUP) environment

# Reconstructing the Transformer. `make` lists what can be made; Python 3.11 and make are all that must be there.

PYTHON ?= python3.11
ifeq (, $(shell command -v $(PYTHON) 2>/dev/null))
PYTHON := python3
endif
VENV   ?= .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
LOCK   := _build/requirements.txt
SITE   := _build/html/index.html

.DEFAULT_GOAL := help
.PHONY: help setup book test serve chapter lab verify lint format bench images readme lock clean

help:  ## list what can be made
	@echo "Reconstructing the Transformer: a book whose every equation is tied to code and proof."
	@echo
	@echo "  make book      builds the book; make test proves it. Each does its own set-up, the first time."
	@echo
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/\1|\2/' | \
		while IFS='|' read -r target text; do printf '  make %-8s  %s\n' "$$target" "$$text"; done

$(READY): requirements.txt pyproject.toml book/web/package-lock.json
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; $$($(PYTHON) --version) was found. Name another: make PYTHON=/path/to/python"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing the locked packages into $(VENV): some minutes, the first time …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --use-pep517 --requirement requirements.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@$(BIN)/python -c 'from reconstructing_transformer.sphinx.vendor import main; main()'
	@touch $@

setup: $(READY)  ## install everything into .venv, by the lock; the other targets do it by themselves

book: $(READY)  ## execute the chapters and build the site
	@echo "Building the book: a minute or more where chapters must be executed, seconds where nothing has changed …"
	@$(BIN)/jupyter-book build . --quiet > /dev/null
	@echo "The book is built. Open file://$(CURDIR)/$(SITE)"

test: book  ## everything: code, broken books that must fail, and the built site in a real Chromium
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist loadscope --quiet

serve: $(READY)  ## show the book at http://127.0.0.1:8000 and rebuild it when a file is saved
	@$(BIN)/python -m reconstructing_transformer.sphinx.preview serve

chapter: $(READY)  ## execute and build one chapter: make chapter NAME=transformer/why-attention
	@test -n "$(NAME)" || { echo "Which chapter? make chapter NAME=transformer/why-attention"; exit 2; }
	@$(BIN)/python -m reconstructing_transformer.sphinx.preview chapter "$(NAME)"

lab: $(READY)  ## open JupyterLab on copies of the chapters, in _build/lab; no output goes into the sources
	@$(BIN)/python -m reconstructing_transformer.sphinx.lab _build/lab
	@OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1} $(BIN)/python -m jupyterlab --ServerApp.root_dir=_build/lab $(OPTIONS)

verify: $(READY)  ## compare each equation's code with independent references
	@$(BIN)/reconstruct verify

lint: $(READY)  ## check style, types of annotations and the direction of imports
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports

format: $(READY)  ## bring the code into the project's form
	@$(BIN)/ruff check --fix --quiet .
	@$(BIN)/ruff format .

bench: $(READY)  ## measure builds, pages, attention and training; ONLY=vision for one part; writes _build/bench.json
	@$(BIN)/python -m tests.bench $(ONLY)

images:  ## build the Docker images and try each from within; IMAGES="vit book" for some, TORCH=cuda for GPUs
	@docker/images.sh $(IMAGES)

readme: $(READY)  ## write the results in README.md anew, from the run records
	@$(BIN)/python -m reconstructing_transformer.sphinx.readme

lock: $(READY)  ## write requirements.txt anew, from what .venv holds
	@echo '# The full lock: every package of every part, exactly. `make lock` writes it anew from the environment.' > $(LOCK)
	@$(BIN)/python -m pip freeze --exclude-editable | sed -E 's/\+[a-z0-9.]+$$//' >> $(LOCK)
	@mv $(LOCK) requirements.txt

clean:  ## remove what was built, caches included; the environment stays
	@rm -rf _build .pytest_cache .ruff_cache .import_linter_cache

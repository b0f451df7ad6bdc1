# Every check and every build of the book is one target here; CI runs exactly these.
#
#   make book     environment, package, every notebook, the pages in _build/html
#   make test     unit tests, every notebook compared with its outputs, the built pages
#   make quick    what takes little time of that: a minute or so, while you write
#   make lint     ruff, spelling, notebook rules
#   make run      every notebook run in place, or one: make run CHAPTER=03
#   make plots    the pictures of plots/, drawn again
#   make count    lines of code by room, and the budgets
#   make bench    speed against PyTorch and against the matrix products alone, kept in results/
#   make serve    the built pages on http://127.0.0.1:8000 (another port: make serve PORT=8080)
#   make lab      the chapters in JupyterLab
#   make clean    remove what was built (the environment in .venv stays)
#
# Needs make and Python 3.11 or later. Another Python: make PYTHON=python3.12 book

PYTHON ?= python3
PORT ?= 8000
JOBS ?= 2

VENV := .venv
ifeq ($(OS),Windows_NT)
  BIN := $(VENV)/Scripts
else
  BIN := $(VENV)/bin
endif
BUILD := _build
INSTALLED := $(VENV)/.installed
BUILT := $(BUILD)/.built

SHELL := /bin/sh
MAKEFLAGS += --no-print-directory
.DELETE_ON_ERROR:
.PHONY: book test quick lint run plots count bench serve lab clean FORCE

# What runs here depends on this folder alone: no settings, kernels or packages of the user.
unexport PYTHONPATH PYTHONHOME PYTHONSTARTUP PYTHONWARNINGS JUPYTER_PATH MPLBACKEND
export PYTHONNOUSERSITE := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export IPYTHONDIR := $(CURDIR)/$(VENV)/ipython
export JUPYTER_CONFIG_DIR := $(CURDIR)/$(VENV)/jupyter/config
export JUPYTER_DATA_DIR := $(CURDIR)/$(VENV)/jupyter/data
export JUPYTER_RUNTIME_DIR := $(CURDIR)/$(VENV)/jupyter/runtime
export JUPYTER_PLATFORM_DIRS := 1
export MPLCONFIGDIR := $(CURDIR)/$(VENV)/matplotlib
# A kernel under Python 3.11 warns about the debugger on stderr unless told not to look.
export PYDEVD_DISABLE_FILE_VALIDATION := 1

# `find` prints nothing for a folder that is not there yet.
files = $(sort $(shell find $(1) -type f ! -name '*.pyc' ! -path '*/.*' ! -path '*.egg-info/*' \
        2>/dev/null))
# What the notebooks compute with, and what the pages are made from.
ENGINE := $(call files,lstm_lesson results)
PAGES := $(call files,chapters)
CHAPTERS := $(filter %.ipynb %.md,$(PAGES))
SOURCES := $(PAGES) $(call files,plots) intro.md _config.yml _toc.yml references.bib

book: $(BUILT)
	@echo "The book is built. Open this file in a browser:"
	@echo "$(CURDIR)/$(BUILD)/html/index.html"

# The one place that knows how the environment is made. Constraints hold every version.
$(INSTALLED): pyproject.toml requirements.txt constraints.txt
	@command -v "$(PYTHON)" >/dev/null || { \
	  echo "No '$(PYTHON)' here. Name a Python 3.11 or later: make PYTHON=python3.12 book" >&2; \
	  exit 1; }
	@$(PYTHON) -c 'import sys; v = sys.version_info; v >= (3, 11) or sys.exit(\
	  "%s is Python %d.%d; the book needs 3.11 or later. Name another: " \
	  "make PYTHON=python3.12 book" % (sys.executable, v[0], v[1]))'
	@echo "Making the environment in $(VENV) (about 1 GB, a few minutes the first time)"
	@$(PYTHON) -m venv $(VENV)
	@# pip's remarks on its own settings go to a file, which is shown if it fails.
	@$(BIN)/python -m pip install -r requirements.txt -c constraints.txt 2>$(VENV)/pip.log || { \
	  cat $(VENV)/pip.log >&2; exit 1; }
	@# Kernels talk to this machine alone; their warning that the talk is not encrypted is noise.
	@mkdir -p $(IPYTHONDIR)/profile_default
	@echo 'c.IPKernelApp.log_level = "ERROR"' > $(IPYTHONDIR)/profile_default/ipython_kernel_config.py
	@# Left to the first notebook, matplotlib's font cache prints to its stderr.
	@$(BIN)/python -c 'import matplotlib.font_manager'
	@touch $@

# The cache of executed notebooks sees a change in a notebook, not one in what it imports.
# Compared by content, so that a fresh checkout of the same files keeps the cache.
$(BUILD)/.engine: FORCE
	@mkdir -p $(BUILD)
	@now="$$(cksum $(ENGINE) constraints.txt)"; \
	if [ "$$now" != "$$(cat $@ 2>/dev/null)" ]; then \
	  rm -rf $(BUILD)/.jupyter_cache; echo "$$now" > $@; \
	fi

# Changes when a page is added or removed, which no file's own date tells.
$(BUILD)/.names: FORCE
	@mkdir -p $(BUILD)
	@[ "$(SOURCES)" = "$$(cat $@ 2>/dev/null)" ] || echo "$(SOURCES)" > $@

# Only edited chapters are read again; anything else that changed is on every page (--all).
# The stamp goes first: after a build that failed, Sphinx must not trust what it kept of it.
$(BUILT): $(INSTALLED) $(SOURCES) $(BUILD)/.engine $(BUILD)/.names
	@rm -f $@
	@echo "Building the book: running each notebook that changed, then writing the pages"
	@$(BIN)/jupyter-book build . -W -n --keep-going $(if $(filter-out $(CHAPTERS),$?),--all)
	@touch $@

# One thread for each of the processes side by side, unless the caller says otherwise.
ONE_THREAD := OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1} OPENBLAS_NUM_THREADS=$${OPENBLAS_NUM_THREADS:-1}

test: $(BUILT)
	@echo "Testing: the package, each notebook against its outputs, the built pages"
	@$(ONE_THREAD) $(BIN)/python -m pytest --nbval -n $(JOBS) --dist loadfile

quick: $(INSTALLED)
	@$(ONE_THREAD) $(BIN)/python -m pytest -m "not slow" -n $(JOBS) tests

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	$(BIN)/python -m pytest -q tests/test_notebooks.py

# CHAPTER is the number of a chapter, or of several: CHAPTER="03 05". Without it all of them run.
run: $(INSTALLED)
	@$(ONE_THREAD) $(BIN)/python tests/run_chapters.py --jobs $(JOBS) $(CHAPTER)

plots: $(INSTALLED)
	@$(BIN)/lstm-lesson experiments plot
	@$(BIN)/python -c 'from lstm_lesson.figures.diagrams import write_pictures as w; w("plots")'
	@$(BIN)/python tests/house.py draw plots

count: $(INSTALLED)
	@$(BIN)/python tests/house.py count

bench: $(INSTALLED)
	@echo "Measuring on one thread, a few minutes; leave the machine alone meanwhile"
	@$(BIN)/python tests/bench.py

serve: $(BUILT)
	@echo "The book is at http://127.0.0.1:$(PORT) until you press Ctrl-C"
	@$(BIN)/python -m http.server $(PORT) --bind 127.0.0.1 --directory $(BUILD)/html

lab: $(INSTALLED)
	@$(BIN)/jupyter lab chapters

clean:
	rm -rf $(BUILD) .pytest_cache .ruff_cache .hypothesis
	find lstm_lesson tests chapters -name __pycache__ -prune -exec rm -rf {} +

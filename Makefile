# Every check and every build of the book is one target here; CI runs exactly these.
#
#   make book     what the pages need, and the pages in _build/html from the committed outputs
#   make test     the rest; unit tests, every notebook run and compared, the built pages
#   make quick    what takes little time of that: a minute or so, while you write
#   make lint     ruff, spelling, notebook rules
#   make run      every notebook run in place, or one: make run CHAPTER=03
#   make plots    the pictures of plots/, drawn again
#   make count    lines of code by room, and the budgets
#   make bench    speed against PyTorch, and what chapter 22 measures, kept in results/
#   make pdf      the whole book on paper, by Chromium or Chrome (elsewhere: make pdf CHROMIUM=PATH)
#   make epub     the whole book for a reading device; the pages then offer both
#   make slides   a chapter as slides, in _build/slides: make slides CHAPTER=03
#   make serve    the built pages on http://127.0.0.1:8000 (another port: make serve PORT=8080)
#   make lab      the chapters in JupyterLab, as copies to read and to play with
#   make release  the wheel, the sources, the kit and the printed book, in _build/release
#   make lighthouse   scores of pages in Lighthouse (needs Node, Chromium and the network)
#   make links    every address outside of the book, asked for over the network
#   make test-oldest, make test-newest    with the oldest or newest releases that pyproject.toml
#                 allows, in an environment of their own
#   make clean    remove what was built (the environment in .venv and the copies for JupyterLab stay)
#
# Needs make and Python 3.11 to 3.14. Another Python: make PYTHON=python3.12 book
# On Linux PyTorch comes for CUDA, 5 GB, unless PYTORCH_INDEX says where else to look: README.md.

PYTHON ?= python3
PYTORCH_INDEX ?=
PORT ?= 8000
JOBS ?= 2
PAGE ?=
CHROMIUM ?=

VENV := .venv
ifeq ($(OS),Windows_NT)
  BIN := $(VENV)/Scripts
else
  BIN := $(VENV)/bin
endif
BUILD := _build
FOR_PAGES := $(VENV)/.for_pages
INSTALLED := $(VENV)/.installed
BUILT := $(BUILD)/.built
PACKED := $(BUILD)/.packed

SHELL := /bin/sh
MAKEFLAGS += --no-print-directory
.DELETE_ON_ERROR:
.PHONY: book test quick lint run plots count bench pdf epub slides serve lab release lighthouse links \
  test-oldest test-newest clean FORCE

# What runs here depends on this folder alone: no settings, kernels or packages of the user.
unexport PYTHONPATH PYTHONHOME PYTHONSTARTUP PYTHONWARNINGS JUPYTER_PATH MPLBACKEND
export PYTHONNOUSERSITE := 1
export PYTHONUTF8 := 1
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
PAGES := $(call files,chapters)
CHAPTERS := $(filter %.ipynb %.md,$(PAGES))
PACKAGE := $(filter %.py,$(call files,lstm_lesson))
KIT := $(filter %.zip %.txt %.md %.c,$(call files,lstm_lesson/interop/kit)) $(call files,ports)
SOURCES := $(PAGES) $(PACKAGE) $(KIT) $(call files,plots) intro.md _config.yml _toc.yml references.bib

book: $(BUILT) $(PACKED)
	@echo "The book is built. Open this file in a browser:"
	@echo "$(CURDIR)/$(BUILD)/html/index.html"

# How the environment is made, here and nowhere else: what the pages need, then the rest.
# Constraints hold every version. pip's remarks go to a file, which is shown if it fails.
INSTALL = $(BIN)/python -m pip install -c constraints.txt \
  $(addprefix --extra-index-url ,$(PYTORCH_INDEX))
LOG := 2>$(VENV)/pip.log || { cat $(VENV)/pip.log >&2; exit 1; }

$(FOR_PAGES): pyproject.toml constraints.txt
	@command -v "$(PYTHON)" >/dev/null || { \
	  echo "No '$(PYTHON)' here. Name a Python 3.11 to 3.14: make PYTHON=python3.12 book" >&2; \
	  exit 1; }
	@"$(PYTHON)" -c 'import sys; v = sys.version_info; (3, 11) <= v < (3, 15) or sys.exit(\
	  "%s is Python %d.%d; the book needs 3.11 to 3.14. Name another: " \
	  "make PYTHON=python3.12 book" % (sys.executable, v[0], v[1]))'
	@echo "Making the environment in $(VENV): what the pages need, about 0.5 GB"
	@"$(PYTHON)" -m venv $(VENV)
	@$(INSTALL) -e ".[pages]" $(LOG)
	@touch $@

$(INSTALLED): $(FOR_PAGES) requirements.txt
	@echo "Adding to $(VENV) what chapters and tests need, PyTorch above all"
	@$(INSTALL) -r requirements.txt $(LOG)
	$(call settle,$(BIN))
	@touch $@

# What an environment needs before a first notebook runs in it.
define settle
	@# Kernels talk to this machine alone; their warning that the talk is not encrypted is noise.
	@mkdir -p "$(IPYTHONDIR)/profile_default"
	@echo 'c.IPKernelApp.log_level = "ERROR"' \
	  > "$(IPYTHONDIR)/profile_default/ipython_kernel_config.py"
	@# Left to the first notebook, matplotlib's font cache prints to its stderr.
	@$(1)/python -c 'import matplotlib.font_manager'
endef

# Changes when a page is added or removed, or an address is given: no file's own date tells.
SETTINGS := $(strip $(SOURCES) $(BOOK_ADDRESS) $(BOOK_REPOSITORY))
$(BUILD)/.names: FORCE
	@mkdir -p $(BUILD)
	@[ "$(SETTINGS)" = "$$(cat $@ 2>/dev/null)" ] || echo "$(SETTINGS)" > $@

# Sphinx reads edited chapters again, and the page of the package when its code has changed;
# anything else is on every page (--all).
# The stamp goes first: after a build that failed, Sphinx must not trust what it kept of it.
$(BUILT): $(FOR_PAGES) $(SOURCES) $(BUILD)/.names
	@rm -f $@
	@echo "Writing the pages"
	@$(BIN)/jupyter-book build . -W -n --keep-going \
	  $(if $(filter-out $(CHAPTERS) $(PACKAGE),$?),--all)
	@touch $@

# The wheel and the source archive, which the pages offer: the same bytes from the same files.
$(PACKED): $(FOR_PAGES) $(SOURCES) $(call files,lstm_lesson results tests ports .ci .github) \
  $(wildcard *.md *.txt *.cff *.toml) LICENSE Makefile $(BUILD)/.names
	@rm -f $(BUILD)/html/lstm_lesson-*
	@$(BIN)/python -m hatchling build -d $(BUILD)/html >/dev/null
	@touch $@

# One thread for each of the processes side by side, unless the caller says otherwise.
ONE_THREAD := OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1} OPENBLAS_NUM_THREADS=$${OPENBLAS_NUM_THREADS:-1}

test: $(INSTALLED) $(BUILT) $(PACKED)
	@echo "Testing: the package, each notebook against its outputs, the built pages"
	@# In the order of tests/conftest.py: by itself xdist puts files of few tests last, however long.
	@$(ONE_THREAD) $(BIN)/python -m pytest --nbval -n $(JOBS) --dist loadfile \
	  --no-loadscope-reorder

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
	@$(BIN)/python -c 'from lstm_lesson.figures import cover; \
	  from lstm_lesson.pretrained.characters import load; \
	  cover.write_cover("plots", load().read(cover.LINE)[0].c)'

count: $(INSTALLED)
	@$(BIN)/python tests/house.py count

bench: $(INSTALLED)
	@echo "Measuring on one thread, a few minutes; leave the machine alone meanwhile"
	@$(BIN)/python tests/bench.py

serve: $(BUILT) $(PACKED)
	@echo "The book is at http://127.0.0.1:$(PORT) until you press Ctrl-C"
	@$(BIN)/python -m http.server $(PORT) --bind 127.0.0.1 --directory $(BUILD)/html

# Files that the pages offer, as long as they are there: `book` makes neither.
NAME := inside-the-lstm

pdf: $(BUILT)
	@echo "Printing the book, which takes a minute or more"
	@CHROMIUM="$(CHROMIUM)" $(BIN)/python chapters/extensions/print_book.py \
	  $(BUILD)/html $(BUILD)/html/$(NAME).pdf
	@$(BIN)/python chapters/extensions/offer_files.py $(BUILD)/html

epub: $(BUILT)
	@rm -rf $(BUILD)/epub
	@$(BIN)/jupyter-book build . -W -n --keep-going --builder custom --custom-builder epub
	@cp $(BUILD)/epub/$(NAME).epub $(BUILD)/html
	@$(BIN)/python chapters/extensions/offer_files.py $(BUILD)/html

slides: $(BUILT)
	@$(BIN)/python chapters/extensions/make_slides.py $(BUILD)/html $(BUILD)/slides $(CHAPTER)

# A copy follows its chapter; what you made of one stays, beside it where both have changed.
lab: $(INSTALLED) $(BUILT)
	@$(BIN)/python chapters/extensions/lab_copies.py $(BUILD)/html/_sources/chapters $(BUILD)/lab
	@$(BIN)/jupyter lab $(BUILD)/lab

# The printed book is among it once `make pdf epub` has made it.
release: $(BUILT) $(PACKED)
	@rm -rf $(BUILD)/release
	@mkdir -p $(BUILD)/release
	@cp lstm_lesson/interop/kit/kit.zip $(BUILD)/release/lstm-conformance-kit.zip
	@find $(BUILD)/html -name 'lstm_lesson-*' -o -name '*.pdf' -o -name '*.epub' | \
	  while read -r file; do cp "$$file" $(BUILD)/release/; done
	@ls -l $(BUILD)/release

lighthouse: $(BUILT)
	@$(BIN)/python tests/lighthouse.py $(PAGE)

links: $(FOR_PAGES)
	@$(BIN)/jupyter-book build . --path-output $(BUILD)/links --builder linkcheck

# uv can choose the oldest releases, which pip can't. What holds of constraints.txt alone is left
# out, and so is what looks at pages in a browser.
define try
	@echo "Trying $(1) releases in .venv-$(1)"
	@"$(PYTHON)" -m venv --clear .venv-$(1)
	@$(subst $(VENV),.venv-$(1),$(BIN))/python -m pip install --quiet uv
	@$(subst $(VENV),.venv-$(1),$(BIN))/uv pip install --quiet \
	  --python $(subst $(VENV),.venv-$(1),$(BIN))/python --resolution $(2) \
	  $(if $(PYTORCH_INDEX),--extra-index-url $(PYTORCH_INDEX) --index-strategy unsafe-best-match) \
	  -r requirements.txt
	$(call settle,$(subst $(VENV),.venv-$(1),$(BIN)))
	@$(subst $(VENV),.venv-$(1),$(BIN))/jupyter-book build . --path-output $(BUILD)/$(1) -n \
	  --keep-going
	@$(ONE_THREAD) $(subst $(VENV),.venv-$(1),$(BIN))/python -m pytest --nbval -n $(JOBS) \
	  --dist loadfile -m "not slow and not pins" tests chapters
endef

test-oldest:
	$(call try,oldest,lowest-direct)

test-newest:
	$(call try,newest,highest)

clean:
	[ ! -d $(BUILD) ] || find $(BUILD) -mindepth 1 -maxdepth 1 ! -name lab -exec rm -rf {} +
	rm -rf .venv-oldest .venv-newest .pytest_cache .ruff_cache .hypothesis
	find lstm_lesson tests chapters -name __pycache__ -prune -exec rm -rf {} +

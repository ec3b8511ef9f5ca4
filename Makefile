# Everything from nothing: `make repro` runs the main job on the embedded demo, `make test` the checks.
PYTHON ?= python3
VENV := .venv
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.PHONY: setup repro test faults benchmark paper profile docs

repro: setup
	dvc repro
	@echo "The report: $(CURDIR)/results/report.html"

benchmark: setup
	python -m benchmarks.accuracy.features
	dvc repro benchmarks/dvc.yaml

# A table of a paper: `make paper TABLE=mtran_ucf_hmdb`, or another of benchmarks/papers.
paper: setup
	python -m benchmarks.paper $(TABLE)

# Where the time from videos to features goes: `make profile DOMAIN=street`.
DOMAIN ?= street
profile: setup
	dvc repro index@$(DOMAIN)
	python -m benchmarks.profile $(DOMAIN)

test: setup
	ruff format --check .
	ruff check .
	mypy
	pytest -n auto --dist worksteal

# What is slow, or needs real servers: they are installed first.
faults: $(VENV)/.faults
	pytest tests/faults

setup: $(VENV)/.complete

# uv is many times faster than pip; where it cannot be had, pip does the same. Compiled ahead, PyTorch
# is imported in half the time, also where PYTHONDONTWRITEBYTECODE keeps Python from doing it.
$(VENV)/.complete: requirements.txt
	$(PYTHON) -m venv --clear $(VENV)
	$(VENV)/bin/pip install --quiet uv==0.13.9 \
	&& $(VENV)/bin/uv pip install --quiet --compile-bytecode --python $(VENV)/bin/python \
	    $(if $(PIP_FIND_LINKS),--find-links $(PIP_FIND_LINKS)) -r requirements.txt \
	|| $(VENV)/bin/pip install -r requirements.txt
	touch $@

# What some targets need beyond it: requirements-faults.txt, requirements-docs.txt.
$(VENV)/.%: requirements-%.txt $(VENV)/.complete
	$(VENV)/bin/uv pip install --quiet --compile-bytecode --python $(VENV)/bin/python -r $< \
	|| $(VENV)/bin/pip install --quiet -r $<
	touch $@

# The documentation as a site, in site/.
docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 mkdocs build --quiet

# make reproduce   install, run the pipeline, print a summary
# make verify      compare a fresh run with the committed results, by stated tolerances
# make test        install, run the whole test suite
# make smoke       every stage through DVC at tiny sizes
# make figures     redraw figures, claims and report from the committed results
# make studies     the long experiments behind published/
# make bench       speed ratios against the plain algorithms

PYTHON ?= python3
export PATH := $(CURDIR)/.venv/bin:$(PATH)
INSTALLED := .venv/.installed

.PHONY: reproduce verify test smoke figures studies bench lint clean

reproduce: $(INSTALLED)
	python -m pipeline.reproduce

verify: $(INSTALLED)
	python -m pipeline.verify

test: $(INSTALLED)
	python -m pytest

smoke: $(INSTALLED)
	python -m pytest tests/test_pipeline.py -k runs_through_dvc

figures: $(INSTALLED)
	python -m pipeline.figures
	python -m pipeline.claims
	python -m pipeline.report
	python -m pipeline.readme

studies: $(INSTALLED)
	python -m pipeline.reproduce --all-pipelines

bench: $(INSTALLED)
	@for file in benchmarks/*.py; do python $$file || exit 1; done

lint: $(INSTALLED)
	ruff check .

clean:
	rm -rf .venv artifacts notebooks/executed

$(INSTALLED): requirements.lock
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --requirement requirements.lock
	touch $@

# make install     the environment in .venv alone
# make reproduce   install, run the pipeline, print a summary
# make verify      compare a fresh run with the committed results, by stated tolerances
# make test        install, run the whole test suite
# make smoke       every stage through DVC at tiny sizes
# make figures     redraw figures, claims and report from the committed results
# make studies     the long experiments behind published/, run and published
# make gpu         the studies at the papers' size, on a GPU (docs/GPU.md)
# make gpu-session   ten minutes on a GPU, prepared and measured step by step; SESSION=language for language models
# make archive     a release archive that reproduces outside git; make anonymous: one for review
# make bench       speed ratios against the plain algorithms
# make gpu-bench   our loop beside the plain Hugging Face Trainer, up to 10,000 tasks; on the device in W2S_DEVICE

PYTHON ?= python3
export PATH := $(CURDIR)/.venv/bin:$(PATH)
INSTALLED := .venv/.installed

.PHONY: install reproduce verify test smoke figures studies gpu bench gpu-bench gpu-session archive anonymous lint clean

install: $(INSTALLED)

reproduce: $(INSTALLED)
	python -m pipeline.reproduce

verify: $(INSTALLED)
	python -m pipeline.verify

test: $(INSTALLED)
	python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

smoke: $(INSTALLED)
	python -m pytest tests/test_pipeline.py -k runs_through_dvc

figures: $(INSTALLED)
	python -m pipeline.figures
	python -m pipeline.claims
	python -m pipeline.report
	python -m pipeline.readme

studies: $(INSTALLED)
	python -m pipeline.study --all

gpu: $(INSTALLED)
	W2S_DEVICE=$${W2S_DEVICE:-cuda} python -m pipeline.study --gpu

bench: $(INSTALLED)
	@for file in $(filter-out benchmarks/gpu% benchmarks/scaling.py,$(wildcard benchmarks/*.py)); do python $$file || exit 1; done

gpu-bench: $(INSTALLED)
	python benchmarks/gpu.py
	python benchmarks/gpu_tasks.py

SESSION ?= molecules
gpu-session: $(INSTALLED)
	python -m pipeline.session.prepare $(SESSION) artifacts/session/$(SESSION)
	cd artifacts/session/$(SESSION) && W2S_DEVICE=$${W2S_DEVICE:-cuda} \
	  python -m pipeline.session.run $(CURDIR)/artifacts/session/$(SESSION)-found

archive: $(INSTALLED)
	python -m pipeline.archive

anonymous: $(INSTALLED)
	python -m pipeline.archive --anonymous

lint: $(INSTALLED)
	ruff check .
	mypy

clean:
	rm -rf .venv artifacts notebooks/executed

$(INSTALLED): requirements.lock
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --requirement requirements.lock
	touch $@

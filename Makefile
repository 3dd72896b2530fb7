# `make train`, `make test` and `make docs` set everything up by themselves, once.
PYTHON ?= $(shell python3.11 -c 'print("python3.11")' 2>/dev/null || echo python3)
PYTEST = -m pytest -n 2 --dist=worksteal

export TF_CPP_MIN_LOG_LEVEL ?= 3
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: install train figures claim test test-current docs tutorial lint format bench lock clean
.DELETE_ON_ERROR:

install: .venv/installed

train: .venv/installed
	.venv/bin/python scripts/train.py --flagfile=flags/digits/wo10_kl.flags

# Small runs on digits, every figure of them in docs/figures, and a page about them.
FIGURES = runs/figures
TINY = --flagfile=flags/digits/base.flags --width=0.25 --steps=400 --test_images=180 --seeds=1

figures: .venv/installed
	.venv/bin/python scripts/table.py $(TINY) --output_dir=$(FIGURES)/defenses \
		--defenses=std,std_star,wo1_kl,wo5_kl,wo10_kl,wo20_kl,wo10_at,wo10_alp
	for weight in 0.5 2 32; do \
		.venv/bin/python scripts/table.py $(TINY) --output_dir=$(FIGURES)/lambda_$$weight \
			--defenses=wo10_kl,wo10_alp --lambda=$$weight || exit; \
	done
	.venv/bin/python scripts/plot.py --all --runs=$(FIGURES) \
		--run=$(FIGURES)/defenses/resnet8_std_seed0 --output_dir=docs/figures
	.venv/bin/python scripts/report.py --runs=$(FIGURES)

# The paper's claim: with one search, a regularizer makes fewer errors. Continues where it was stopped.
# SMALL=1: on digits, in minutes. DATA_DIR=FOLDER: the TensorFlow Datasets where they are at hand.
ifdef SMALL
CLAIM = runs/claim_small
CLAIMED_ON = --flagfile=flags/digits/few/base.flags --train_images=200
else
CLAIM = runs/claim
CLAIMED_ON = --flagfile=flags/cifar10/cpu/base.flags --train_images=5000 --steps=4687
endif

claim: .venv/installed
	.venv/bin/python scripts/table.py $(CLAIMED_ON) $(if $(DATA_DIR),--data_dir=$(DATA_DIR)) --seeds=1 \
		--defenses=std_star,wo10_at,wo10_kl --output_dir=$(CLAIM)
	.venv/bin/python scripts/report.py --runs=$(CLAIM) --nobest_run --compare=wo10_at,wo10_kl

test: .venv/installed
	.venv/bin/python $(PYTEST)

# What TensorFlow and Keras decide, and so both stacks have to show; `make test` shows the rest for both.
BOTH = tests/training tests/models tests/classifiers tests/evaluation tests/geometry/warp_test.py \
	tests/support/compat_test.py tests/callbacks_test.py tests/fidelity_test.py \
	tests/readme_test.py tests/docs_test.py::test_the_code_of_a_page_runs \
	tests/house_test.py::test_a_registered_object_survives_json \
	tests/experiments/train_test.py tests/experiments/checkpoints_test.py \
	tests/experiments/distribution_test.py tests/experiments/evaluate_test.py \
	tests/experiments/own_images_test.py tests/experiments/hyper_model_test.py \
	tests/commands/train_test.py tests/commands/evaluate_test.py tests/commands/table_test.py \
	tests/commands/tune_test.py tests/commands/workers_test.py

# TensorFlow 2.21 with Keras 3 on this same Python, where pip would install the paper's stack.
test-current: .venv-current/installed
	PYTHONPATH="$(CURDIR)" .venv-current/bin/python $(PYTEST) $(BOTH)

# The documentation, in site/
docs: .venv/docs-installed
	PYTHONPATH="$(CURDIR)" NO_MKDOCS_2_WARNING=1 .venv/bin/python -m mkdocs build --strict --quiet
	@echo "Built: open site/index.html."

# Runs the notebook, and keeps its outputs in it.
tutorial: .venv/docs-installed
	PYTHONPATH="$(CURDIR)" .venv/bin/python -m nbconvert --to notebook --execute --inplace \
		--ClearMetadataPreprocessor.enabled=True docs/tutorial.ipynb

lint: .venv/installed
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy

format: .venv/installed
	.venv/bin/ruff check --fix
	.venv/bin/ruff format

bench: .venv/installed
	.venv/bin/python scripts/benchmark.py

# Every package of .venv by its version, for Bazel.
lock: .venv/installed
	.venv/bin/python -m pip freeze --all --exclude pip --exclude-editable > requirements/bazel.lock

clean:
	rm -rf .venv .venv-current .pytest_cache .ruff_cache build site *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/installed: setup.py $(wildcard requirements/*.txt)
	@echo "Installing into .venv, once; this takes some minutes."
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --editable '.[dev]'
	touch $@

.venv/docs-installed: .venv/installed requirements/docs.txt
	.venv/bin/python -m pip install --quiet -r requirements/docs.txt
	touch $@

.venv-current/installed: $(wildcard requirements/*.txt)
	@echo "Installing into .venv-current, once; this takes some minutes."
	$(PYTHON) -m venv .venv-current
	.venv-current/bin/python -m pip install --quiet \
		-r requirements/common.txt -r requirements/current.txt -r requirements/dev.txt
	touch $@

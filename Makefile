# Two commands set everything up on a fresh machine with Python 3.11 or newer: `make demo` and `make test`.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

# torch's threads spin while they wait; on busy cores that costs tenfold. Sleeping costs little.
export OMP_WAIT_POLICY := PASSIVE
export TOKENIZERS_PARALLELISM := false

.PHONY: demo test test-all check bench ehrsql sql-engines ehrxqa-parity parity reproduce starters reference clean

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "chartsight needs Python 3.11 or newer; set PYTHON=" >&2; exit 2; }
	@echo "setting up $(VENV) (some minutes the first time)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt torch
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

## the whole mission, small: hospital, record, questions, fine-tuning, comparison, report
demo: $(STAMP)
	@$(BIN)/python -m chartsight.demo $(if $(OPEN_DATA),--open-data $(OPEN_DATA))

## the tests; under ten minutes on two cores
test: $(STAMP)
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not slow and not gpu" -n 2 --dist loadfile -q

## every test, the slow ones too
test-all: $(STAMP)
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not gpu" -n 2 --dist loadfile

## style, types, import edges, tests
check: $(STAMP)
	@$(BIN)/ruff check src tests benchmarks
	@$(BIN)/ruff format --check src tests benchmarks
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(MAKE) test

## films/s, rows/s, questions/s of this machine; with BUILDER, BUILDER_PYTHON and WORK=FOLDER also EHRXQA at 10 to 250 times
bench: $(STAMP)
	@$(BIN)/python benchmarks/first_light.py
	@test -z "$(BUILDER)" || PYTHONPATH=. $(BIN)/python benchmarks/ehrxqa_scale.py $(BUILDER) --python $(BUILDER_PYTHON) --work $(WORK) $(SCALE_FLAGS)

## EHRSQL-2024 on the real MIMIC-IV demo: our database, all published queries, their published answers (OPEN_DATA=DIR)
ehrsql: $(STAMP)
	@$(BIN)/python benchmarks/ehrsql.py $(if $(OPEN_DATA),--open-data $(OPEN_DATA))

## every gold query of EHRSQL-2024 on SQLite, DuckDB and PostgreSQL (OPEN_DATA=DIR)
sql-engines: $(STAMP)
	@PYTHONPATH=. $(BIN)/python benchmarks/sql_engines.py $(if $(OPEN_DATA),--open-data $(OPEN_DATA))

## EHRXQA's database row for row as the published builder makes it; BUILDER is your clone, BUILDER_PYTHON its Python
ehrxqa-parity: $(STAMP)
	@test -n "$(BUILDER)" -a -n "$(BUILDER_PYTHON)" || { echo "say BUILDER=DIR (a clone of github.com/baeseongsu/ehrxqa) and BUILDER_PYTHON=FILE" >&2; exit 2; }
	@PYTHONPATH=. $(BIN)/python benchmarks/ehrxqa_parity.py $(BUILDER) --python $(BUILDER_PYTHON) $(PARITY_FLAGS)

## LLaVA's golden cases: logits, tokens and losses there, tensors back; ids, labels and pixels (GOLDEN=DIR, of llava/)
parity: $(STAMP)
	@PYTHONPATH=. $(BIN)/python benchmarks/llava_parity.py $(if $(GOLDEN),--golden $(GOLDEN))
	@$(if $(GOLDEN),CHARTSIGHT_GOLDEN=$(GOLDEN)) $(BIN)/python -m pytest -q tests/vlm/test_tokens.py tests/vlm/test_preprocessing.py

## your LLaVA-1.5 and LLaVA-Med v1.5 on VQA-RAD, by their conventions and scorer and by ours (MODEL="DIR ..." VQA_RAD=DIR)
reproduce: $(STAMP)
	@test -n "$(MODEL)" -a -n "$(VQA_RAD)" || { echo "say MODEL=\"DIR ...\" (converted models) and VQA_RAD=DIR (its JSON and images, or Parquet)" >&2; exit 2; }
	@PYTHONPATH=. $(BIN)/python benchmarks/reproduce.py $(MODEL) --vqa-rad "$(VQA_RAD)" $(if $(OUT),--out "$(OUT)") $(REPRODUCE_FLAGS)

## make the shipped starters again, from nothing (about three hours)
starters: $(STAMP)
	@$(BIN)/python -m chartsight.starters.build runs/starters

## freeze how hard the films are: the reference classifier, taught and measured again
reference: $(STAMP)
	@$(BIN)/python -m chartsight.starters.reference fit runs/reference --ship --write docs/starter.md

clean:
	rm -rf $(VENV) demo demo-open-data

"""The hospital of drawn-by-lot labels with its films known, and a rendered one with truth and techniques beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from chartsight.hospital import HospitalConfig, build_hospital
from chartsight.questions import QuestionConfig, build_questions, read_questions
from chartsight.questions.variants import GoldMaker, KnownFilms, build_variants, read_known_films
from chartsight.records import build_record
from chartsight.schema import CONDITIONS, Condition, Question, Variant
from tests.fixtures_hospital import sources

SEED = 11


@pytest.fixture(scope="session")
def known(built: Path) -> KnownFilms:
    return read_known_films(built)


@pytest.fixture
def gold(known: KnownFilms) -> GoldMaker:
    return GoldMaker(known)


@pytest.fixture(scope="session")
def asked(questions: list[Question]) -> list[Question]:
    """Those of the test split."""
    return [question for question in questions if question.split == "test"]


@pytest.fixture(scope="session")
def variants(asked: Sequence[Question], known: KnownFilms) -> dict[Condition, dict[str, Variant]]:
    """What becomes of them under every condition."""
    return build_variants(asked, CONDITIONS, known, SEED)


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Questions about a drawn hospital of 40 patients."""
    folder = tmp_path_factory.mktemp("rendered")
    build_hospital(
        folder / "hospital",
        HospitalConfig(patients=40, seed=5, film_size_px=64, confounding=0.5),
        workers=1,
        quiet=True,
    )
    build_record(folder / "record.duckdb", sources(folder / "hospital"), quiet=True)
    out = folder / "questions.parquet"
    build_questions(
        folder / "record.duckdb", out, QuestionConfig(min_support=2, test_share=0.4, valid_share=0.1), quiet=True
    )
    assert read_questions(out)
    return out

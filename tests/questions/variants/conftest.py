"""The films of the record of drawn-by-lot labels, and what becomes of its questions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from chartsight.questions.variants import GoldMaker, KnownFilms, build_variants, read_known_films
from chartsight.schema import CONDITIONS, Condition, Question, Variant

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

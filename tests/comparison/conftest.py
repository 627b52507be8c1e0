from __future__ import annotations

from pathlib import Path

import pytest

from tests.comparison.made_up import make_questions


@pytest.fixture(scope="session")
def questions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_questions(tmp_path_factory.mktemp("made-up"))

"""The whole path from nothing to two starters, in small: `python -m chartsight.starters.build`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from chartsight.starters.build import SMALL, STAND_IN, build_starters
from chartsight.vlm.answering import FilmQuestions, answer_films
from chartsight.vlm.checkpoint import ADAPTER, load_vlm


@pytest.mark.slow
def test_two_starters_from_nothing_and_again_from_what_is_there(tmp_path: Path) -> None:
    made = build_starters(tmp_path, SMALL, steps=2, quiet=True)
    assert set(made) == {"starter", "starter-med"}
    film = np.zeros((128, 128), dtype=np.uint8)
    for name, folder in made.items():
        vlm = load_vlm(folder)
        assert vlm.card.name == name and vlm.card.description == STAND_IN[name]
        assert "stand-in" in vlm.card.description.lower()
        assert vlm.card.terms == "synthetic" and vlm.card.base is None
        assert not (folder / ADAPTER).exists()
        assert sum(path.stat().st_size for path in folder.iterdir()) < 10e6
        [[answer]] = answer_films(vlm, [FilmQuestions(film, ("is there a ring?",))], max_new_tokens=4)
        assert answer.n_tokens >= 1
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("[0-9]-*/run.json")}
    weights = {name: (folder / "model.safetensors").read_bytes() for name, folder in made.items()}
    assert len(before) == 7 and weights["starter"] != weights["starter-med"]
    again = build_starters(tmp_path, SMALL, steps=2, quiet=True)
    assert {path: path.stat().st_mtime_ns for path in before} == before, "no lesson is taught twice"
    assert {name: (folder / "model.safetensors").read_bytes() for name, folder in again.items()} == weights

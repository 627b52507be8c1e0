"""The benchmark of training, small: a peer learns the same from the same, and a bar that is missed is seen."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from benchmarks import training
from benchmarks.training import Cells, Result, judge


def result(name: str, speed: float, losses: list[float]) -> Result:
    return Result(name, 10.0, 12.0, round(10 * speed), losses)


def test_a_bar_that_is_missed_and_losses_that_differ_are_seen() -> None:
    losses = [3.0, 2.0]
    peers = [result("TRL SFTTrainer, 4 at once", 10, losses), result("Hugging Face Trainer, 16 at once", 20, losses)]
    line, reached = judge((576, 8), result("chartsight", 103, losses), peers, bound=6.0)
    assert reached and "| 5.15 | 6.00 | 86% |" in line, "against the faster peer"
    assert not judge((576, 8), result("chartsight", 101, losses), peers, bound=6.0)[1]
    assert not judge((576, 8), result("chartsight", 103, [3.0, 2.1]), peers, bound=6.0)[1]
    assert not judge((64, 8), result("chartsight", 59, losses), peers, bound=3.5)[1]
    assert judge((64, 8), result("chartsight", 61, losses), peers, bound=3.5)[1]


def test_a_cell_is_measured_once_and_again_when_the_code_is_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = []

    def run() -> Result:
        ran.append(1)
        return result("chartsight", len(ran), [3.0, 2.0])

    kept = tmp_path / "cells.json"
    first = Cells.open(kept).measure("64x8 chartsight", run)
    assert Cells.open(kept).measure("64x8 chartsight", run) == first and len(ran) == 1
    Cells.open(kept).measure("64x1 chartsight", run)
    assert len(ran) == 2 and len(Cells.open(kept).found) == 2
    monkeypatch.setattr(training, "fingerprint", lambda: "another")
    assert Cells.open(kept).measure("64x8 chartsight", run) != first and len(ran) == 3


@pytest.mark.slow
def test_a_plain_trainer_learns_the_same_from_the_same(tmp_path: Path) -> None:
    training.run_one(tmp_path, "make", 8, {"image_tokens": 16}, None)
    told = json.loads((tmp_path / "peers.json").read_text("utf-8"))
    assert len(told["examples"]) == training.STEPS * training.QUESTIONS_A_STEP and told["plain"] > 1.5 * told["shared"]
    ours = training.run_one(tmp_path, "chartsight", 8, {}, None)
    peer = training.run_one(tmp_path, "trainer", 8, {"batch": 16, "checkpointing": False}, None)
    assert ours.losses == pytest.approx(peer.losses, abs=training.SAME_LOSS)
    assert ours.losses[-1] < ours.losses[0], "something is learned"

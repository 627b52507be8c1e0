"""Learning curves are those of the logs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from chartsight.errors import ChartsightError
from chartsight.starters.curves import draw, read_curves, read_lessons


def write_log(work: Path, lesson: str, *rows: Mapping[str, Any]) -> Path:
    path = work / lesson / "metrics.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def test_a_towers_epochs_and_an_answerers_steps(tmp_path: Path) -> None:
    write_log(
        tmp_path, "10-answers", {"step": 5, "loss": 2.0}, {"step": 10, "loss": 1.5},
        {"step": 10, "valid_loss": 1.75, "valid_accuracy": 0.625, "valid_accuracy_boolean": 0.5},
    )  # fmt: skip
    write_log(tmp_path, "9-tower", {"epoch": 1, "loss": 0.5, "valid_auroc": 0.75, "by_label": {"a": 0.1}})
    tower, answers = read_lessons(tmp_path)
    assert (tower.lesson, tower.unit, tower.measure, tower.measured) == ("9-tower", "epoch", "AUROC", ((1, 0.75),))
    assert tower.losses == {"loss": ((1, 0.5),)}
    assert (answers.lesson, answers.measured) == ("10-answers", ((10, 0.625),))
    assert answers.losses == {"loss": ((5, 2.0), (10, 1.5)), "valid loss": ((10, 1.75),)}


def test_the_same_logs_the_same_picture(tmp_path: Path) -> None:
    write_log(tmp_path, "5-tower", *({"epoch": n, "loss": 1 / n, "valid_auroc": 0.9} for n in (1, 2)))
    first, second = tmp_path / "a.svg", tmp_path / "b.svg"
    for path in (first, second):
        draw(read_lessons(tmp_path), path)
    assert first.read_bytes() == second.read_bytes()
    assert "5-tower" in first.read_text("utf-8") and "AUROC, valid" in first.read_text("utf-8")


def test_a_lesson_that_has_just_begun_is_drawn(tmp_path: Path) -> None:
    write_log(tmp_path, "1-answers", {"step": 5, "loss": 2.0})
    draw(read_lessons(tmp_path), tmp_path / "a.svg")
    assert "1-answers" in (tmp_path / "a.svg").read_text("utf-8")


@pytest.mark.parametrize("line", ["{", "[1]", '{"loss": 1}'])
def test_what_is_no_log_is_one_line(line: str, tmp_path: Path) -> None:
    path = write_log(tmp_path, "1-tower")
    path.write_text(line, "utf-8")
    with pytest.raises(ChartsightError, match=r"metrics\.jsonl") as caught:
        read_curves(path)
    assert "\n" not in str(caught.value)


def test_a_folder_without_lessons_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ChartsightError, match="no lesson"):
        read_lessons(tmp_path)

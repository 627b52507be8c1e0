"""A network that learns where the habits are strong learns the habits; where they are off it does not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from chartsight.starters.shortcut import DIALS, Exam, ShortcutPlan, as_markdown, plan_request, run_study

TINY = ShortcutPlan(test=500)


def test_the_dial_changes_how_a_film_is_taken_and_nothing_else() -> None:
    looks = set()
    for number in range(60):
        requests = [plan_request(TINY, number, dial) for dial in DIALS]
        assert len({shown for _, shown in requests}) == 1
        first = requests[0][0]
        for request, _ in requests[1:]:
            assert replace(request, view=first.view, technique=first.technique) == first
        looks |= {request.view for request, _ in requests}
    assert looks == {"PA", "AP"}


def test_sickness_ties_the_finding_to_the_view_with_the_dials_sign() -> None:
    for dial in DIALS:
        requests = [plan_request(TINY, number, dial) for number in range(600)]
        is_portable = np.array([request.view == "AP" for request, _ in requests])
        is_ill = np.array([shown for _, shown in requests])
        together = float(np.corrcoef(is_portable, is_ill)[0, 1])
        assert together == pytest.approx(0.0, abs=0.1) if dial == 0 else together * dial > 0.2


@pytest.mark.slow
def test_what_was_learned_from_habits_is_lost_when_they_are_reversed(tmp_path: Path) -> None:
    exams = {(each.learned, each.dial): each for each in run_study(TINY, tmp_path, quiet=True, learned=(1.0, 0.0))}

    def lost(learned: float) -> float:
        return exams[learned, 1.0].area.estimate - exams[learned, -1.0].area.estimate

    habit, sight = exams[1.0, -1.0], exams[0.0, -1.0]
    assert lost(1.0) > 0.08 and abs(lost(0.0)) < 0.03
    assert habit.flipped.low > sight.flipped.high  # the swap shows it
    own = exams[1.0, 1.0]
    assert own.aligned.low > own.opposed.high  # the subgroups show it
    assert sight.area.low > habit.area.high
    assert isinstance(own, Exam) and as_markdown(list(exams.values())).count("\n") == 1 + len(exams)

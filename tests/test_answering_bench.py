"""The benchmark of answering: every way says the same on a small run, and its gates can fail."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from benchmarks import answering

from chartsight.errors import GateError


@pytest.fixture(scope="module")
def found() -> answering.Comparison:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(answering, "QUESTIONS_A_FILM", 3)
        return answering.compare(films=1, tokens=2, threads=1, bfloat16=True, quiet=True)


def test_all_ways_answer_the_same_questions_with_the_same_words(found: answering.Comparison) -> None:
    assert found.differing == 0
    assert [way.answers for way in found.ways] == [3, 3, 3, 3]
    assert all(way.processor_seconds > 0 and way.seconds > 0 for way in found.ways)
    assert found.flips_in_bfloat16 is not None and found.flips_in_bfloat16[1] == 3


def test_a_slow_way_or_another_answer_is_a_failed_gate(found: answering.Comparison) -> None:
    fast = {answering.ONE_BY_ONE: 1.0, answering.BATCHED: 2.0, answering.SHARED: 8.5, answering.SCORED: 9.0}
    ways = tuple(answering.Measured(name, int(10 * speed), 1.0, 10.0) for name, speed in fast.items())
    good = replace(found, ways=ways, differing=0)
    good.check()
    with pytest.raises(GateError, match="1 answers differ"):
        replace(good, differing=1).check()
    for slower, place in ((answering.Measured(answering.SHARED, 79, 1.0, 10.0), 2),
                          (answering.Measured(answering.BATCHED, 22, 1.0, 10.0), 1)):  # fmt: skip
        with pytest.raises(GateError, match="times as fast"):
            replace(good, ways=(*ways[:place], slower, *ways[place + 1 :])).check()


def test_the_page_is_written(
    found: answering.Comparison, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{answering.SECTION.start}\n{answering.SECTION.end}\nafter\n")
    monkeypatch.setattr(answering, "compare", lambda *_, **__: found)
    monkeypatch.setattr(answering.Comparison, "check", lambda _: None)
    answering.main(films=1, tokens=[2], threads=1, as_json=True, write=page, quiet=True)
    assert json.loads(capsys.readouterr().out)["comparisons"][0]["differing"] == 0
    text = page.read_text("utf-8")
    assert text.startswith("before\n") and text.endswith("\nafter\n") and f"| 2 | {answering.SHARED} |" in text

"""The broken-scorer table, row by row: what is right, and which published rule says otherwise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from chartsight.evaluation import scorers
from chartsight.evaluation.metrics import accuracy
from chartsight.evaluation.published import PUBLISHED
from chartsight.evaluation.scorers import score_prediction, score_text, score_value, scorer_sha256, scorer_stamp
from chartsight.schema import AnswerType
from tests.evaluation.asked import question

NINE = "effusion, a1, b1, c1, d1, e1, f1, g1, h1"
RIGHT, WRONG, UNPARSED, REFUSED = "right", "wrong", "unparsed", "refused"


@pytest.mark.parametrize(
    ("answer_type", "gold", "said", "verdict", "credit"),
    [
        ("boolean", True, "no", WRONG, 0.0),
        ("boolean", False, "The lungs are normal", UNPARSED, 0.0),
        ("boolean", False, "yes, there is a nodule", WRONG, 0.0),
        ("boolean", False, "I cannot determine", REFUSED, 0.0),
        ("boolean", False, "Unknown", REFUSED, 0.0),
        ("boolean", False, "Not applicable", REFUSED, 0.0),
        ("boolean", True, "Yes, there is a nodule in the left lung.", RIGHT, 1.0),
        ("boolean", True, "(garbage)", UNPARSED, 0.0),
        ("boolean", True, "Yes and no", UNPARSED, 0.0),
        ("boolean", True, "", UNPARSED, 0.0),
        ("choice", "left", "", UNPARSED, 0.0),
        ("set", ["a"], "", UNPARSED, 0.0),
        ("set", [], "", UNPARSED, 0.0),
        ("set", [], "none", RIGHT, 1.0),
        ("count", 1, "", UNPARSED, 0.0),
        ("number", 1.5, "", UNPARSED, 0.0),
        ("date", "2105-12-01", "", UNPARSED, 0.0),
        ("text", "left lung", "", UNPARSED, 0.0),
        ("choice", "left", "left", RIGHT, 1.0),
        ("text", "left lung", "left", WRONG, 2 / 3),
        ("text", "left lung", "the left lung shows a mass", WRONG, 2 / 3),
        ("set", ["effusion"], NINE, WRONG, 0.2),
        ("set", ["p"], "p, q, r, s", WRONG, 0.4),
        ("set", ["p", "q"], "q, p", RIGHT, 1.0),
        ("count", 1, "yes", UNPARSED, 0.0),
        ("count", 1, "True", UNPARSED, 0.0),
        ("count", 2, "2.0", RIGHT, 1.0),
        ("date", "2105-12-01", "Dec 1, 2105", RIGHT, 1.0),
    ],
)
def test_the_right_verdict(answer_type: AnswerType, gold: object, said: str, verdict: str, credit: float) -> None:
    score = score_text(question(answer_type, gold, ("left", "right") if answer_type == "choice" else ()), said)
    assert score.is_correct is (verdict == RIGHT)
    assert score.outcome == (verdict if verdict in (UNPARSED, REFUSED) else "answered")
    assert (score.value is None) is (score.outcome != "answered")
    assert score.credit == pytest.approx(credit)


@pytest.mark.parametrize(
    ("rule", "answer_type", "gold", "said", "published"),
    [
        ("llava-med-closed", "boolean", True, "no", None),  # not counted at all
        ("llava-med-closed-corrected", "boolean", True, "no", 0.0),
        ("llava-med-closed", "boolean", False, "The lungs are normal", 1.0),  # "no" in "normal"
        ("llava-med-closed", "boolean", False, "yes, there is a nodule", 1.0),  # "no" in "nodule"
        ("llava-med-closed", "boolean", False, "I cannot determine", 1.0),  # "no" in "cannot"
        ("llava-med-closed", "boolean", True, "yes", 1.0),
        ("llava-med-closed", "boolean", True, "(garbage)", 0.0),
        ("llava-med-closed", "choice", "left", "left", 0.0),  # neither "yes" nor "no": a miss
        ("llava-med-exact", "text", "left lung", "left", 1.0),
        ("llava-med-exact", "text", "left lung", "the left lung shows a mass", 0.5),
        ("llava-med-exact", "text", "left lung", "", 0.0),
        ("llava-med-recall", "set", ["effusion"], NINE, 1.0),
        ("llava-med-recall", "text", "left lung", "left", 0.5),
        ("llava-med-recall", "text", "two", "2 / 3", 1.0),
        ("llava-med-recall", "text", "left lung", "right", 0.0),
        ("ehrxqa-exact", "set", ["p", "q"], "q, p", 0.0),  # order counts
        ("ehrxqa-exact", "set", ["p", "q"], "p, q", 1.0),
        ("ehrxqa-exact", "set", [], "none", 1.0),
        ("ehrxqa-exact", "boolean", True, "yes", 1.0),
        ("ehrxqa-exact", "boolean", True, "Yes, there is a nodule.", 0.0),
        ("ehrxqa-exact", "count", 2, "2.0", 1.0),
        ("ehrxqa-exact", "count", 2, "two", 0.0),
        ("ehrxqa-exact", "number", 1.5, "1.5000001", 1.0),
        ("ehrxqa-exact", "date", "2105-12-01", "Dec 1, 2105", 0.0),
    ],
)
def test_what_a_published_rule_says(
    rule: str, answer_type: AnswerType, gold: object, said: str, published: float | None
) -> None:
    score = PUBLISHED[rule].score(question(answer_type, gold), said, None)
    assert score == (published if published is None else pytest.approx(published))


def test_ten_perfect_answers_are_exactly_one() -> None:
    asked = [question("text", f"finding {number}") for number in range(10)]
    scores = [score_text(each, f"Finding {number}.") for number, each in enumerate(asked)]
    assert accuracy(np.array([score.is_correct for score in scores])) == 1.0


@pytest.mark.parametrize(
    ("said", "is_correct", "outcome"),
    [
        ("98.6 °F", True, "answered"), ("37.0 C", True, "answered"), ("37", True, "answered"),
        ("It is 98.6 degrees Fahrenheit.", True, "answered"), ("98.6", False, "answered"),
        ("98.6 °C", False, "answered"), ("37 mmHg", False, "unparsed"), ("36 or 37", False, "unparsed"),
    ],
)  # fmt: skip
def test_a_number_is_read_in_the_unit_that_was_asked_for(said: str, is_correct: bool, outcome: str) -> None:
    score = score_text(question("number", 37.0, unit="°C"), said)
    assert (score.is_correct, score.outcome) == (is_correct, outcome)


def test_a_unit_may_be_a_slot_of_the_wording() -> None:
    asked = question("number", 72.0, slots={"unit": "hours", "patient": "1"})
    assert score_text(asked, "3 days").is_correct and score_text(asked, "72").is_correct
    assert not score_text(asked, "72 days").is_correct
    assert score_text(question("number", 72.0, unit=3), "72 hours").is_correct  # what is no unit is none


def test_a_tolerance_is_as_wide_as_it_says() -> None:
    asked = question("number", 37.1, tolerance=0.05)
    assert score_text(asked, "37.15").is_correct and score_text(asked, "37.05").is_correct
    assert not score_text(asked, "37.2").is_correct
    assert not score_text(question("number", 37.1), "37.15").is_correct
    assert not score_value(asked, True).is_correct


def test_a_row_of_predictions_is_read_by_the_rules_of_this_version() -> None:
    asked = question("boolean", True)
    assert score_prediction(asked, "no", "answered", "true").value is False  # the text counts, whatever was read then
    assert score_prediction(asked, "", "answered", "true").is_correct
    assert score_prediction(asked, None, "answered", "null").outcome == "unparsed"
    assert score_prediction(asked, "", "refused", None).outcome == "refused"
    for outcome in ("abstained", "failed"):
        score = score_prediction(asked, "yes", outcome, "true")  # type: ignore[arg-type]
        assert (score.outcome, score.value, score.is_correct) == (outcome, None, False)


def test_parameters_that_are_no_object_are_no_options() -> None:
    for text in ("", "[]", "no json"):
        asked = question("number", 37.0)
        object.__setattr__(asked, "parameters", text)
        assert score_text(asked, "37").is_correct


def test_another_rule_is_another_stamp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert scorer_stamp().startswith(f"chartsight strict v{scorers.SCORER_VERSION} ")
    before = scorer_sha256()
    for name in ("normaliser.py", "metrics.py", "units.py", "scorers.py"):
        (tmp_path / name).write_bytes(Path(scorers.__file__).with_name(name).read_bytes())
    monkeypatch.setattr(scorers, "__file__", str(tmp_path / "scorers.py"))
    scorer_sha256.cache_clear()
    assert scorer_sha256() == before
    (tmp_path / "units.py").write_bytes(b"changed")
    scorer_sha256.cache_clear()
    assert scorer_sha256() != before
    scorer_sha256.cache_clear()

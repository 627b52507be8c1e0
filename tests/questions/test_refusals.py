"""Every silent failure that made earlier fine-tuning blind has a check, and every check can fail."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chartsight.errors import GateError
from chartsight.questions import refusals
from chartsight.questions.refusals import METRICS, REFUSALS, Turn
from chartsight.schema import ANSWER_TYPES, Question

FILM, STUDY, PATIENT = "a7f3-front", 50000123, 10000001


def question(**more: Any) -> Question:
    base = Question(
        question_id="q1", split="test", template_id="t", phrasing_id="t/1", kind="image/one", modality="image",
        scope="single", subject_id=PATIENT, study_ids=(STUDY,), image_ids=(FILM,), question="In 50000123, a picc?",
        visual_question="is there a picc?", program="", parameters="{}", now=None, answer_type="boolean", answer="true",
        allowed_answers=(), answerable=True, tied=False, label_source="ehrxqa", pairing="ehrxqa-shuffled",
        terms="credentialed", source="import:ehrxqa",
    )  # fmt: skip
    return replace(base, **more)


def turn(words: str = "yes", prompt: str = "<image>\nis there a picc?", **more: Any) -> Turn:
    return Turn(question(**more), prompt, words)


GOOD: dict[str, Callable[[], None]] = {
    "no-image-token": lambda: refusals.check_image_token(turn()),
    "answer-cut-off": lambda: refusals.check_room(2048, 576),
    "wrong-film": lambda: refusals.check_film(question(), {FILM: STUDY, "aside": STUDY}, {STUDY: FILM}),
    "true-for-one": lambda: refusals.check_true_false(turn("1", answer_type="count", answer="1")),
    "silent-answer": lambda: refusals.check_silence(turn("none", answer_type="set", answer="[]")),
    "identifier-in-prompt": lambda: refusals.check_identifiers(turn(), {str(STUDY), FILM}),
    "set-as-text": lambda: refusals.check_set(question(answer_type="set", answer='["a", "b"]')),
    "merged-options": lambda: refusals.check_read_back(turn("a, b", answer_type="set", answer='["a", "b"]')),
    "unreported-drop": lambda: refusals.check_accounted(100, 9, {"about no film": 91}),
    "leakage": lambda: refusals.check_leakage(refusals.find_leakage([question()], {}), allowed=False),
    "no-blind-baseline": lambda: refusals.check_blind_baseline({"test"}, {"test": 0.5}),
    "no-metric": lambda: refusals.check_metrics(ANSWER_TYPES, METRICS),
    "another-set-s-log": lambda: refusals.check_manifest(
        {"outputs": [{"path": "a/q.parquet", "rows": 4}]}, "q.parquet", 4
    ),
    "deep-film": lambda: refusals.check_depth(Path("a.png"), "L"),
}

BAD: list[tuple[str, Callable[[], None]]] = [
    ("no-image-token", lambda: refusals.check_image_token(turn(prompt="is there a picc?"))),
    ("no-image-token", lambda: refusals.check_image_token(turn(prompt="<image>\n<image>\nis there a picc?"))),
    ("answer-cut-off", lambda: refusals.check_room(512, 576)),
    ("answer-cut-off", lambda: refusals.check_room(576 + 64, 576)),
    ("wrong-film", lambda: refusals.check_film(question(image_ids=("aside",)), {"aside": STUDY}, {STUDY: FILM})),
    ("wrong-film", lambda: refusals.check_film(question(), {FILM: 50000999}, {})),
    ("wrong-film", lambda: refusals.check_film(question(), {}, {})),
    ("true-for-one", lambda: refusals.check_true_false(turn("True", answer_type="count", answer="1"))),
    ("true-for-one", lambda: refusals.check_true_false(turn("1"))),
    ("true-for-one", lambda: refusals.check_true_false(turn("False"))),
    ("silent-answer", lambda: refusals.check_silence(turn(" ", answer_type="set", answer="[]"))),
    ("identifier-in-prompt", lambda: refusals.check_identifiers(turn(prompt="<image>\nin 50000123, a picc?"), ())),
    ("identifier-in-prompt", lambda: refusals.check_identifiers(turn(prompt=f"<image>\nis it {FILM}?"), {FILM})),
    ("set-as-text", lambda: refusals.check_set(question(answer_type="set", answer=json.dumps("['a', 'b']")))),
    ("set-as-text", lambda: refusals.check_set(question(answer_type="set", answer='["b", "a"]'))),
    ("set-as-text", lambda: refusals.check_set(question(answer_type="set", answer='["a", "a"]'))),
    ("merged-options", lambda: refusals.check_read_back(turn("a b", answer_type="set", answer='["a", "b"]'))),
    ("merged-options", lambda: refusals.check_read_back(turn("a,b", answer_type="set", answer='["a", "b"]'))),
    ("merged-options", lambda: refusals.check_read_back(turn("no"))),
    ("unreported-drop", lambda: refusals.check_accounted(100, 9, {"about no film": 90})),
    ("no-blind-baseline", lambda: refusals.check_blind_baseline({"train", "test"}, {"test": None})),
    ("no-blind-baseline", lambda: refusals.check_blind_baseline({"valid"}, {"test": 0.5})),
    ("no-metric", lambda: refusals.check_metrics({"set"}, {"boolean": "accuracy"})),
    ("another-set-s-log", lambda: refusals.check_manifest({"outputs": [{"path": "other", "rows": 4}]}, "q", 4)),
    ("another-set-s-log", lambda: refusals.check_manifest({"outputs": [{"path": "q", "rows": 3}]}, "q", 4)),
    ("deep-film", lambda: refusals.check_depth(Path("a.png"), "I;16")),
]  # fmt: skip


@pytest.mark.parametrize(("name", "check"), BAD)
def test_a_silent_failure_stops_by_name(name: str, check: Callable[[], None]) -> None:
    with pytest.raises(GateError) as caught:
        check()
    assert caught.value.code == name and caught.value.exit_code == 3
    assert str(STUDY) not in str(caught.value) and str(PATIENT) not in str(caught.value)


@pytest.mark.parametrize("name", REFUSALS)
def test_what_is_right_passes(name: str) -> None:
    GOOD[name]()


@pytest.mark.parametrize("kind", ["patient", "study", "image"])
def test_leakage_stops_unless_it_is_allowed(kind: str) -> None:
    other = question(question_id="q2", split="train", subject_id=1, study_ids=(2,), image_ids=("x",))
    same = {"patient": {"subject_id": PATIENT}, "study": {"study_ids": (STUDY,)}, "image": {}}[kind]
    leaks = refusals.find_leakage(
        [question(), replace(other, **same)], {FILM: "bytes", "x": "bytes"} if not same else {}
    )
    with pytest.raises(GateError, match=f"1 {kind}") as caught:
        refusals.check_leakage(leaks, allowed=False)
    assert caught.value.code == "leakage"
    refusals.check_leakage(leaks, allowed=True)


def test_every_check_has_a_test_of_its_failure() -> None:
    assert {name for name, _ in BAD} | {"leakage"} == set(REFUSALS) == set(GOOD)


def test_a_turn_that_may_not_fit_is_seen() -> None:
    assert refusals.fits(turn(), 2048, 576)
    assert not refusals.fits(turn("a" * 1400, answer_type="text", answer=json.dumps("a" * 1400)), 2048, 576)

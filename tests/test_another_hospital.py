"""The other hospital's figures, from answers whose figures are known."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from benchmarks import another_hospital
from numpy.typing import NDArray

from chartsight.comparison.predictions import Answers
from chartsight.hospital.recipe import read_hospital_recipe
from chartsight.schema import AnswerType, Condition, Outcome, Question

KINDS: tuple[AnswerType, ...] = ("boolean", "set")


def ask(number: int) -> Question:
    """Two yes/no questions and two lists a patient; half of the yes/no questions are answered yes."""
    kind = KINDS[number % 4 // 2]
    answer = ("true" if number % 2 else "false") if kind == "boolean" else '["left lung"]'
    return Question(
        question_id=str(number), split="test", template_id=kind, phrasing_id="p1", kind="image/one", modality="image",
        scope="single", subject_id=number // 4, study_ids=(number,), image_ids=(str(number),), question="?",
        visual_question="?", program="", parameters="{}", now=None, answer_type=kind, answer=answer,
        allowed_answers=(), answerable=True, tied=False, label_source="imagenome", pairing="synthetic",
        terms="synthetic", source="test",
    )  # fmt: skip


def answers(is_correct: NDArray[np.bool_]) -> Answers:
    n = len(is_correct)
    answered: Outcome = "answered"
    return Answers(
        "f", (answered,) * n, ("",) * n, (None,) * n, is_correct, is_correct.astype(np.float64), (),
        is_asked=np.ones(n, dtype=bool), donors=((),) * n, chance_yes=np.full(n, np.nan),
    )  # fmt: skip


def test_figures_of_known_answers() -> None:
    asked = [ask(number) for number in range(400)]
    is_boolean = np.array([question.answer_type == "boolean" for question in asked])
    is_yes = np.array([question.answer == "true" for question in asked])
    everything, nothing = np.ones(400, dtype=bool), np.zeros(400, dtype=bool)
    given: dict[tuple[str, Condition], Answers] = {
        ("baseline", "full"): answers(nothing),
        ("medical", "full"): answers(is_boolean),
        ("tuned", "full"): answers(everything),
        ("tuned", "shuffled"): answers(is_boolean),
        ("twin", "full"): answers(is_boolean & is_yes),  # says yes to all, and lists nothing
        ("tuned, writing", "full"): answers(is_boolean),
        ("twin, writing", "full"): answers(~is_boolean & (np.arange(400) % 4 == 3)),  # half of the lists
    }
    shift = another_hospital.measure("here", asked, given, {"boolean": "true", "set": "[]"})
    assert (shift.questions, shift.patients) == (400, 100)
    assert shift.verify["twin"].estimate == pytest.approx(0.5)
    assert shift.over_twin["verify"].estimate == pytest.approx(0.5)
    assert shift.over_twin["query"].estimate == shift.over_twin["query_f1"].estimate == pytest.approx(0.5)
    assert shift.over_medical.estimate == pytest.approx(0.5) == shift.over_shuffled.estimate
    assert shift.prior.estimate == pytest.approx(0.25) and shift.twin_over_prior.estimate == pytest.approx(0.0)
    assert "| lists, exact: tuned | 100.0 [" in another_hospital.page([shift], "command")


def test_its_hospitals_have_recipes_and_seeds_of_their_own() -> None:
    for recipe in another_hospital.HOSPITALS.values():
        config = read_hospital_recipe(another_hospital.RECIPES / f"{recipe}.yaml")
        assert config.seed not in another_hospital.SEEDS
    assert set(another_hospital.CONDITIONS) <= set(another_hospital.MODELS)
    assert all(set(each) <= set(get_args(Condition)) for each in another_hospital.CONDITIONS.values())

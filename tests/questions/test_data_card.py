from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from chartsight.questions.data_card import build_data_card, describe_questions, measure_entropy, measure_priors
from chartsight.schema import Question

METADATA = {"terms": "synthetic", "pairing": "real"}


def test_entropy_is_in_bits() -> None:
    assert measure_entropy(["a", "b", "c", "d"]) == 2
    assert measure_entropy(["a", "a"]) == 0


def test_priors_are_trains_majorities_scored_on_test(questions: list[Question]) -> None:
    base = replace(questions[0], parameters='{"attribute": "x"}')

    def rows(split: str, template: str, answers: list[str]) -> list[Question]:
        return [replace(base, split=split, template_id=template, answer=answer) for answer in answers]  # type: ignore[arg-type]

    made = [
        *rows("train", "a", ["true", "true", "true", "false"]), *rows("train", "b", ["false", "false"]),
        *rows("test", "a", ["true", "false"]), *rows("test", "b", ["false", "true"]), *rows("test", "c", ["true"]),
    ]  # fmt: skip
    priors = measure_priors(made)
    assert priors["overall_majority"] == {"answer": "false", "accuracy": 2 / 5}
    assert priors["per_template"]["a"] == {"majority": "true", "accuracy": 1 / 2}
    assert priors["per_template"]["c"] == {"majority": None, "accuracy": 0}
    assert priors["per_template_majority"]["accuracy"] == 2 / 5


def test_a_planted_leak_is_seen(questions: list[Question]) -> None:
    assert describe_questions(questions, METADATA, {})["leakage"]["is_clean"]
    train = next(question for question in questions if question.split == "train")
    leaked = describe_questions([*questions, replace(train, split="test")], METADATA, {})["leakage"]
    assert not leaked["is_clean"]
    assert leaked["patient"]["train-test"] == leaked["study"]["train-test"] == leaked["image"]["train-test"] == 1


def test_the_same_picture_under_two_names_is_a_leak(questions: list[Question]) -> None:
    train = next(question for question in questions if question.split == "train")
    test = next(question for question in questions if question.split == "test")
    digests = {train.image_ids[0]: "same", test.image_ids[0]: "same"}
    assert describe_questions(questions, METADATA, digests)["leakage"]["image"]["train-test"] == 1


def test_the_page_is_self_contained_and_says_what_the_json_says(built: Path, questions: list[Question]) -> None:
    page, card = built.with_name("questions.card.html").read_text(), json.loads(
        built.with_name("questions.card.json").read_text()
    )  # fmt: skip
    assert not re.search(r"(src|href)\s*=|https?://|@import|url\(", page)
    assert card["total"]["questions"] == len(questions)
    assert sum(split["questions"] for split in card["splits"].values()) == len(questions)
    assert f"{len(questions):,}" in page
    assert "Research use only" in page
    assert "no clinical association" not in page
    assert not any(str(question.subject_id) in page or str(question.study_ids[0]) in page for question in questions)
    assert all(row["template_id"] in page for row in card["templates"])
    assert len(page) < 40_000


@pytest.mark.parametrize("pairing", ["synthetic", "ehrxqa-shuffled"])
def test_a_pairing_that_is_not_real_is_said(pairing: str, questions: list[Question], tmp_path: Path) -> None:
    from chartsight.questions.files import write_questions

    write_questions(tmp_path / "q.parquet", [replace(q, pairing=pairing) for q in questions[:50]], {})  # type: ignore[arg-type]
    build_data_card(tmp_path / "q.parquet", tmp_path / "q.card.html")
    assert "no clinical association" in (tmp_path / "q.card.html").read_text()

"""Curation: each rule finds what was planted and nothing else, and pairs leave a guesser at half at most."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from chartsight.errors import OutputError, QuestionError
from chartsight.questions import film_index_of, read_questions
from chartsight.questions.build import regold
from chartsight.questions.curate import (
    RULES,
    CurationConfig,
    curate_questions,
    find_above_prior,
    find_leaking,
    match_pairs,
    person,
    question_key,
    render_table,
)
from chartsight.questions.data_card import measure_priors
from chartsight.questions.files import write_questions
from chartsight.questions.importers import ImportConfig, import_questions
from chartsight.questions.labels import read_film_labels
from chartsight.questions.templates import read_templates
from chartsight.records import open_record
from chartsight.runs import read_manifest
from chartsight.schema import Question

BASE = Question(
    question_id="q", split="train", template_id="t", phrasing_id="t/1", kind="image/one", modality="image",
    scope="single", subject_id=1, study_ids=(1,), image_ids=("a",), question="q", visual_question="is there a picc?",
    program="", parameters="{}", now=None, answer_type="boolean", answer="true", allowed_answers=(), answerable=True,
    tied=False, label_source="x", pairing="real", terms="open", source="import:x",
)  # fmt: skip


def ask(n: int, **more: Any) -> Question:
    """A question about the film of a patient of its own."""
    return replace(BASE, question_id=f"q{n:03d}", subject_id=n, study_ids=(n,), image_ids=(f"film{n}",), **more)


def curated(
    folder: Path, questions: list[Question], **choices: Any
) -> tuple[list[Question], dict[str, dict[str, Any]]]:
    write_questions(folder / "in.parquet", questions, {})
    config = CurationConfig(**{"max_prior": 1.0, **choices})
    run, table = curate_questions(folder / "in.parquet", folder / "out.parquet", config, quiet=True, force=True)
    kept = read_questions(folder / "out.parquet")
    assert len(questions) + run.kept["added"] == len(kept) + sum(run.dropped.values())
    return kept, {row["rule"]: row for row in table}


@pytest.fixture
def planted() -> dict[str, list[Question]]:
    """Questions that one rule each must find, beside sound ones."""
    return {
        "sound": [
            ask(n, split=split, visual_question=f"is it {n}?") for n, split in enumerate(["train", "valid", "test"] * 4)
        ],
        "repeated": [replace(ask(20, split="train"), question_id="zz")],
        "contradicted": [ask(30, split="test"), replace(ask(30, split="test", answer="false"), question_id="c")],
        "tied": [ask(40, split="train", tied=True)],
        "leakage": [replace(ask(50, split="train", visual_question="other"), subject_id=2)],
    }


def test_each_rule_finds_what_was_planted(tmp_path: Path, planted: dict[str, list[Question]]) -> None:
    everything = [*(question for several in planted.values() for question in several), ask(20, split="train")]
    kept, table = curated(tmp_path, everything)
    assert {rule: table[rule]["train"] + table[rule]["test"] for rule in table} == {
        "repeated": 1, "contradicted": 2, "tied": 1, "leakage": 1,
    }  # fmt: skip
    assert {q.question_id for q in kept} == {q.question_id for q in planted["sound"]} | {"q020"}
    manifest = read_manifest(tmp_path / "out.parquet")
    assert manifest is not None and manifest["faults"]["contradicted"]["ids"] == ["c", "q030"]
    assert manifest["counts"]["dropped"][RULES["tied"]] == 1
    assert "hangs on a tie" in (tmp_path / "out.card.html").read_text()
    assert f"{'tied':<14}drop" in render_table(list(table.values()))


def test_marked_instead_of_dropped(tmp_path: Path, planted: dict[str, list[Question]]) -> None:
    everything = [*(question for several in planted.values() for question in several), ask(20, split="train")]
    kept, _ = curated(tmp_path, everything, action="mark")
    marks = {q.question_id: json.loads(q.parameters).get("marks", []) for q in kept}
    assert len(kept) == len(everything)
    assert {name: found for name, found in marks.items() if found} == {
        "zz": ["repeated"], "q030": ["contradicted"], "c": ["contradicted"], "q040": ["tied"], "q050": ["leakage"],
    }  # fmt: skip


def test_ties_may_stay(tmp_path: Path, planted: dict[str, list[Question]]) -> None:
    kept, table = curated(tmp_path, planted["sound"] + planted["tied"], ties=False)
    assert "tied" not in table and any(question.tied for question in kept)


@pytest.mark.parametrize(("priority", "lost"), [("test", {"a", "b"}), ("train", {"c", "b"})])
def test_leakage_is_taken_from_the_other_split(priority: Any, lost: set[str]) -> None:
    shared = [
        replace(ask(1, split="train"), question_id="a"), replace(ask(1, split="valid"), question_id="b"),
        replace(ask(1, split="test"), question_id="c"), ask(2, split="train"), ask(3, split="test"),
    ]  # fmt: skip
    assert {q.question_id for q in find_leaking(shared, {}, priority)} == lost
    same_picture = [ask(1, split="train"), ask(2, split="test")]
    assert find_leaking(same_picture, {}, "test") == []
    assert [q.question_id for q in find_leaking(same_picture, {"film1": "d", "film2": "d"}, "test")] == ["q001"]


def test_a_prior_is_brought_below_its_limit() -> None:
    skewed = [ask(n, answer="false" if n < 90 else "true") for n in range(100)]
    constant = [ask(n, template_id="constant") for n in range(200, 210)]
    fine = [ask(n, template_id="fine", answer=["true", "false"][n % 2]) for n in range(300, 310)]
    found = {q.question_id for q in find_above_prior([*skewed, *constant, *fine], 0.8, seed=1)}
    left = [q for q in skewed if q.question_id not in found]
    assert [q.answer for q in left].count("false") == 40 and len(left) == 50
    assert {q.question_id for q in constant} <= found and not {q.question_id for q in fine} & found
    assert found == {q.question_id for q in find_above_prior([*skewed[::-1], *constant, *fine], 0.8, seed=1)}
    assert found != {q.question_id for q in find_above_prior([*skewed, *constant, *fine], 0.8, seed=2)}


def test_pairs_are_one_question_two_patients_two_answers() -> None:
    asked = [
        *(ask(n, answer="true") for n in range(5)), *(ask(n, answer="false") for n in range(10, 13)),
        replace(ask(50, answer="false"), subject_id=0), ask(60, answer="false", visual_question="is it a tube?"),
    ]  # fmt: skip
    pairs = match_pairs(asked)
    assert len(pairs) == 4
    for one, other in pairs:
        assert question_key(one) == question_key(other) and person(one) != person(other) and one.answer != other.answer
    ids = [each.question_id for pair in pairs for each in pair]
    assert len(set(ids)) == len(ids)


def test_sets_pair_too(tmp_path: Path) -> None:
    asked = [ask(n, split="test", answer_type="set", answer=json.dumps([f"a{n % 3}"])) for n in range(7)]
    kept, table = curated(tmp_path, [*asked, ask(100)], pairs=True)
    assert sum(q.split == "test" for q in kept) == 6 and table["unpaired"]["test"] == 1


def test_a_built_set_gets_counterfactuals_from_the_record(record: Path, built: Path, tmp_path: Path) -> None:
    run, table = curate_questions(built, tmp_path / "out.parquet", CurationConfig(pairs=True), quiet=True)
    kept = read_questions(tmp_path / "out.parquet")
    pairs: dict[str, list[Question]] = defaultdict(list)
    for question in kept:
        if question.split == "test":
            pairs[json.loads(question.parameters)["pair"]].append(question)
    assert run.kept["added"] > 50 and run.kept["test"] == 2 * len(pairs) > 400
    before = {question.question_id: question for question in read_questions(built)}
    test_patients = {q.subject_id for q in before.values() if q.split == "test"}
    with open_record(record) as opened:
        labels = read_film_labels(opened.connection, label_sources=("imagenome",))
    templates = read_templates()
    made = 0
    for one, other in pairs.values():
        assert question_key(one) == question_key(other)
        assert one.subject_id != other.subject_id and one.image_ids != other.image_ids and one.answer != other.answer
        for each in (one, other):
            assert each.subject_id in test_patients
            if each.question_id not in before:
                made += 1
                origin = json.dumps({k: v for k, v in json.loads(each.parameters).items() if k != "pair"})
                again = regold(replace(each, parameters=origin), each.image_ids[0], labels, templates)
                assert again == each.answer
                assert str(each.study_ids[0]) in each.question and str(each.study_ids[0]) in each.program
    assert made == run.kept["added"]
    booleans = [q.answer for q in kept if q.split == "test" and q.answer_type == "boolean"]
    assert booleans.count("true") == booleans.count("false")
    # Whoever gives one answer to one question is right in at most one of two.
    pair_priors = measure_priors(
        [replace(q, split=split) for q in kept if q.split == "test" for split in ("train", "test")]
    )  # type: ignore[arg-type]
    assert pair_priors["per_slots_majority"]["accuracy"] <= 0.5
    assert run.config["blind_after"]["per_slots_majority"] <= run.config["blind_before"]["per_slots_majority"] + 0.02
    assert film_index_of(tmp_path / "out.parquet") == record
    assert {row["rule"] for row in table} == {"repeated", "contradicted", "tied", "leakage", "prior", "unpaired"}


def test_the_same_set_gives_the_same_bytes(built: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        curate_questions(built, tmp_path / f"{name}.parquet", CurationConfig(pairs=True), quiet=True)
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_near_duplicates_are_one_image(tmp_path: Path) -> None:
    for n in range(3):
        noise = (np.random.default_rng(n).random((12, 12)) * 255).astype(np.uint8)
        picture = Image.fromarray(noise).resize((200, 240), Image.Resampling.BICUBIC)
        picture.save(tmp_path / f"{n}.png")
        picture.resize((150, 180)).save(tmp_path / f"{n}-small.png")
    rows = [("0.png", "train"), ("0-small.png", "test"), ("1.png", "train"), ("2.png", "test")]
    lines = [json.dumps({"image": i, "question": f"Is it {i}?", "answer": "yes", "split": s}) for i, s in rows]
    (tmp_path / "q.jsonl").write_text("\n".join(lines))
    import_questions(tmp_path / "q.jsonl", tmp_path / "q.parquet", ImportConfig(), quiet=True)
    for flag, found in ((False, 0), (True, 1)):
        config = CurationConfig(max_prior=1.0, near_duplicates=flag)
        _, table = curate_questions(tmp_path / "q.parquet", tmp_path / f"{flag}.parquet", config, quiet=True)
        assert {row["rule"]: row["train"] for row in table}["leakage"] == found
        card = (tmp_path / f"{flag}.card.html").read_text("utf-8")
        assert ("One picture under two files was not looked for" in card) != flag
        leakage = json.loads((tmp_path / f"{flag}.card.json").read_text("utf-8"))["leakage"]
        assert (leakage["near_duplicates"] is not None) == flag


def test_mistakes_are_one_clear_line(built: Path, tmp_path: Path) -> None:
    for choices in ({"max_prior": 0}, {"max_prior": 1.5}, {"action": "hide"}, {"leakage": "valid"}, {"seed": -1}):
        with pytest.raises(QuestionError):
            CurationConfig(**choices)  # type: ignore[arg-type]
    with pytest.raises(OutputError, match="input"):
        curate_questions(built, built, quiet=True, force=True)
    write_questions(tmp_path / "q.parquet", [ask(1, tied=True)], {})
    with pytest.raises(QuestionError, match="no question passes"):
        curate_questions(tmp_path / "q.parquet", tmp_path / "out.parquet", quiet=True)
    assert not (tmp_path / "out.parquet").exists()

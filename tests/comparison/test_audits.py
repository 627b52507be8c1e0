"""A comparison that runs the audits: the conditions that are asked, the verdict, gates, leaks and exposure."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from chartsight.comparison import ComparedModel, CompareRecipe, ComparisonResult, compare
from chartsight.comparison.audits import count_leaks, find_exposure, seen_size_px, twin_of
from chartsight.comparison.items import read_items
from chartsight.comparison.provenance import code_sha256
from chartsight.prediction.cards import Ancestor, ModelFacts, read_model_facts
from chartsight.questions.files import read_questions, write_questions
from chartsight.runs import sha256_file
from tests.comparison.made_up import always_the_same, guesses, make_questions, sees, stand_in

HABITS = {"sees": sees, "guess": guesses, "twin": always_the_same}


def recipe_of(questions: Path, **changes: object) -> CompareRecipe:
    models = (
        ComparedModel(name="baseline", path="guess", role="baseline"),
        ComparedModel(name="tuned", path="sees", role="tuned"),
        ComparedModel(name="twin", path="twin", role="twin"),
    )
    return CompareRecipe.model_validate({"questions": questions, "models": models, "bootstrap": 200, **changes})


@pytest.fixture(scope="module")
def audited(questions: Path, tmp_path_factory: pytest.TempPathFactory) -> ComparisonResult:
    return compare(recipe_of(questions), tmp_path_factory.mktemp("audited") / "out", predict=stand_in(HABITS))


def test_the_audits_verdict_stands_first_with_that_of_every_model(audited: ComparisonResult) -> None:
    report = json.loads(audited.report_json.read_text("utf-8"))
    found = {each["name"]: each for each in report["audit"]["models"]}
    assert list(found) == ["baseline", "tuned", "twin"]
    assert report["verdict"]["sentence"] == found["tuned"]["verdict"]["sentence"] == audited.sentence
    assert found["baseline"]["verdict"]["kind"] != "sees the finding"
    assert found["tuned"]["question_only"]["image_part"]["low"] > 0
    html = audited.report.read_text("utf-8")
    assert html.count('<article class="verdict') == 3 and "What fine-tuning bought" in html
    gain = report["audit"]["decompositions"][0]
    parts = gain["text_part"]["estimate"] + gain["image_part"]["estimate"]
    assert parts == pytest.approx(gain["gain"]["estimate"])


def test_conditions_that_the_set_does_not_allow_are_absent(audited: ComparisonResult) -> None:
    columns = read_items(audited.items_parquet).column_names
    assert {"tuned.blank.answer", "tuned.question_only.answer", "tuned.noise.answer"} <= set(columns)
    assert not {"tuned.swap.answer", "tuned.occluded.answer"} & set(columns)  # no record, no labels
    assert "twin.blank.answer" not in columns
    report = json.loads(audited.report_json.read_text("utf-8"))
    assert report["audit"]["models"][1]["swap"] is None and report["audit"]["models"][1]["mirrored"] is None


def test_named_conditions_only(questions: Path, tmp_path: Path) -> None:
    asked: list[tuple[str, str]] = []
    recipe = recipe_of(questions, audits=("question_only",), conditions=("full",))
    compare(recipe, tmp_path / "out", predict=stand_in(HABITS, asked))
    assert {condition for model, condition in asked if model == "sees"} == {"full", "question_only"}
    assert [condition for model, condition in asked if model == "twin"] == ["full"]


def test_one_patient_and_nothing_measured(tmp_path: Path) -> None:
    alone = make_questions(tmp_path / "alone", patients=1)
    recipe = recipe_of(alone, conditions=("full",), audits=("question_only",))
    result = compare(recipe, tmp_path / "out", predict=stand_in(HABITS))
    assert result.analysis.verdict.kind == "cannot be told"
    html = result.report.read_text("utf-8")
    body = html[html.index("<header>") : html.index('<script type="application/json"')]
    assert "n=0" in body and ">nan" not in body and "nan%" not in body


def test_what_two_splits_share_is_counted(questions: Path) -> None:
    counts = count_leaks(read_questions(questions)).counts
    assert counts["patient"] == counts["image"] == counts["study"] == {"train, test": 0}
    assert counts["text"]["train, test"] > 0


def test_exposure_is_what_cards_and_manifests_declare(questions: Path) -> None:
    own = sha256_file(questions)
    base = Ancestor("starter", "A small stand-in.", "f", (), "", "synthetic")
    taught = Ancestor("tuned", "Fine-tuned.", "f", (own,), "run.json", "open")
    facts = {
        "baseline": ModelFacts((base,), "starter", "p", 160, True),
        "tuned": ModelFacts((taught, base), "starter", "p", 224, True),
        "twin": None,
    }
    recipe = recipe_of(questions)
    open_questions = list(read_questions(questions))
    said = [(each.model, each.seen) for each in find_exposure(recipe, open_questions, facts, own)]
    assert said == [
        ("baseline", "not declared"), ("tuned", "yes"), ("tuned, base starter", "not declared"),
        ("twin", "not declared"),
    ]  # fmt: skip
    real = [replace(each, terms="open") for each in open_questions]
    assert find_exposure(recipe, real, facts, own)[0].seen == "no"
    assert seen_size_px(facts) == 160
    assert (twin_of(recipe, "tuned"), twin_of(recipe, "twin")) == ("twin", None)


def test_a_shipped_model_says_what_it_is() -> None:
    facts = read_model_facts("starter-med")
    assert facts is not None and facts.reads_film and facts.size_px == 160
    assert "Stand-in" in facts.ancestry[0].description and facts.ancestry[0].terms == "synthetic"
    assert read_model_facts("no-such-model") is None


def test_a_page_to_share_names_no_place_patient_or_film(questions: Path, tmp_path: Path) -> None:
    open_set = [replace(each, terms="open") for each in read_questions(questions)]
    write_questions(tmp_path / "set.parquet", open_set, {"film_index": str(questions.with_name("films.parquet"))})
    recipe = recipe_of(tmp_path / "set.parquet", audits=("question_only",))
    result = compare(recipe, tmp_path / "out", predict=stand_in(HABITS), shareable=True)
    shared = (tmp_path / "out/shareable.html").read_text("utf-8")
    own = result.report.read_text("utf-8")
    for private in ("data:image/jpeg", "q000-1", str(tmp_path)):
        assert private in own and private not in shared
    assert "Made to be shared" in shared and "film left out" in shared and "set.parquet" in shared
    outputs = json.loads((tmp_path / "out/run.json").read_text("utf-8"))["outputs"]
    assert "shareable.html" in {each["path"] for each in outputs}


def test_provenance_changes_with_what_can_move_a_number(audited: ComparisonResult) -> None:
    report = json.loads(audited.report_json.read_text("utf-8"))
    told = report["provenance"]
    assert told["code"].startswith(code_sha256()[:12]) and told["decoding"] and told["scorer"] == report["scorer"]
    assert [each["title"] for each in told["models"]] == ["baseline", "tuned", "twin"]
    html = audited.report.read_text("utf-8")
    assert told["code"] in html and "Who saw these data before?" in html and "not declared" in html

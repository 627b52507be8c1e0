"""The items behind the numbers, and predictions that are not answers to these questions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from chartsight.comparison import ComparedModel, CompareRecipe, ComparisonResult, compare
from chartsight.comparison.items import build_facets, find_quadrants, read_items
from chartsight.comparison.predictions import score_answers
from chartsight.errors import OutputError, QuestionError
from chartsight.evaluation import scorer_stamp
from chartsight.questions.files import read_questions, write_questions
from chartsight.runs import sha256_file
from chartsight.schema import FilmFacts, Variant
from tests.comparison.made_up import always_the_same, guesses, make_questions, sees, stand_in

HABITS = {"sees": sees, "guess": guesses, "twin": always_the_same}


def recipe_of(questions: Path) -> CompareRecipe:
    models = (
        ComparedModel(name="baseline", path="guess", role="baseline"),
        ComparedModel(name="tuned", path="sees", role="tuned"),
    )
    return CompareRecipe(questions=questions, models=models, bootstrap=100, audits=False)


@pytest.fixture(scope="module")
def compared(questions: Path, tmp_path_factory: pytest.TempPathFactory) -> ComparisonResult:
    return compare(recipe_of(questions), tmp_path_factory.mktemp("items") / "out", predict=stand_in(HABITS))


def test_the_parquet_holds_every_number(compared: ComparisonResult) -> None:
    table = read_items(compared.items_parquet)
    report = json.loads(compared.report_json.read_text("utf-8"))
    tuned = report["models"][1]
    assert table.num_rows == report["n"]
    assert np.mean(table["tuned.full.correct"].to_pylist()) == pytest.approx(tuned["accuracy"]["estimate"])
    full, blank = table["tuned.full.answer"].to_pylist(), table["tuned.blank.answer"].to_pylist()
    said = ["reliant" if one != other else "unreliant" for one, other in zip(full, blank, strict=True)]
    assert table["tuned.quadrant"].to_pylist() == said
    prior = [
        gold == said for gold, said in zip(*(table[x].to_pylist() for x in ("gold", "template_prior")), strict=True)
    ]
    assert [each == "is right" for each in table["facet.prior"].to_pylist()] == prior


def test_same_predictions_same_parquet(questions: Path, compared: ComparisonResult, tmp_path: Path) -> None:
    again = compare(recipe_of(questions), tmp_path / "out", predict=stand_in(HABITS))
    assert again.items_parquet.read_bytes() == compared.items_parquet.read_bytes()


def test_items_scored_by_another_version_are_not_read(compared: ComparisonResult, tmp_path: Path) -> None:
    table = pq.read_table(compared.items_parquet)
    changed = {**table.schema.metadata, b"chartsight.scorer": b"chartsight strict v1 000000000000"}
    pq.write_table(table.replace_schema_metadata(changed), tmp_path / "items.parquet")
    with pytest.raises(OutputError, match=r"was scored by chartsight strict v1 .*--force"):
        read_items(tmp_path / "items.parquet")
    with pytest.raises(OutputError, match="no table of items"):
        read_items(tmp_path / "none.parquet")


def spoilt(change: Any) -> Any:
    """A predictor whose file of the tuned model is changed before it is read."""

    def predict(*given: Any, **options: Any) -> Any:
        outs = stand_in(HABITS)(*given, **options)
        if options["name"] == "tuned":
            change(outs["full"])
        return outs

    return predict


def rename_question(out: Path) -> None:
    rows = pq.read_table(out).to_pylist()
    rows.append({**rows[0], "question_id": "q-of-another-set"})
    pq.write_table(pa.Table.from_pylist(rows, pq.read_schema(out)), out)


def repeat_question(out: Path) -> None:
    table = pq.read_table(out)
    pq.write_table(pa.concat_tables([table, table.slice(0, 3)]), out)


def claim_another_condition(out: Path) -> None:
    rows = [{**row, "condition": "question_only"} for row in pq.read_table(out).to_pylist()]
    pq.write_table(pa.Table.from_pylist(rows, pq.read_schema(out)), out)


def claim_another_set(out: Path) -> None:
    out.with_name(out.name + ".run.json").write_text(
        json.dumps({"schema_version": 1, "run_id": "x", "config": {"questions": "0" * 64}})
    )


def claim_another_scorer(out: Path) -> None:
    table = pq.read_table(out)
    pq.write_table(table.replace_schema_metadata({b"chartsight.scorer": b"chartsight strict v1 0123"}), out)


def break_file(out: Path) -> None:
    out.write_bytes(b"PAR1")


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        (rename_question, "foreign-predictions", "1 of its questions are not in"),
        (repeat_question, "repeated-predictions", "3 questions are answered twice"),
        (claim_another_condition, "other-condition", "was asked under question_only"),
        (claim_another_set, "other-questions", "answers the question set 000000000000"),
        (claim_another_scorer, "other-scorer", "holds scores of chartsight strict v1"),
        (break_file, "no-predictions", "is no file of predictions"),
    ],
)
def test_predictions_that_do_not_match_the_questions(
    questions: Path, tmp_path: Path, change: Any, code: str, words: str
) -> None:
    with pytest.raises(QuestionError, match=words) as caught:
        compare(recipe_of(questions), tmp_path / "out", predict=spoilt(change))
    assert caught.value.code == code and "\n" not in str(caught.value)
    assert not (tmp_path / "out/report.html").exists()


def test_predictions_of_this_question_set_are_taken(questions: Path, tmp_path: Path) -> None:
    def sign(out: Path) -> None:
        manifest = {"schema_version": 1, "run_id": "x", "config": {"questions": sha256_file(questions)}}
        out.with_name(out.name + ".run.json").write_text(json.dumps(manifest))
        table = pq.read_table(out)
        pq.write_table(table.replace_schema_metadata({b"chartsight.scorer": scorer_stamp().encode()}), out)

    assert compare(recipe_of(questions), tmp_path / "out", predict=spoilt(sign)).analysis.n == 360


def test_a_question_set_without_a_training_split_shows_no_prior(questions: Path, tmp_path: Path) -> None:
    only = [each for each in read_questions(questions) if each.split == "test"]
    write_questions(tmp_path / "q.parquet", only, {"film_index": str(questions.with_name("films.parquet"))})
    result = compare(recipe_of(tmp_path / "q.parquet"), tmp_path / "out", predict=stand_in(HABITS))
    table = read_items(result.items_parquet)
    assert "facet.prior" not in table.column_names and set(table["template_prior"].to_pylist()) == {None}
    html = result.report.read_text("utf-8")
    assert ">nan" not in html and "nan%" not in html


def test_quadrants_follow_from_three_answers(tmp_path: Path) -> None:
    questions = read_questions(make_questions(tmp_path, patients=2, films=False))[:4]
    questions = [each for each in questions if each.answer_type == "boolean"][:3]

    def answers(*texts: str | None) -> Any:
        rows = {
            each.question_id: {"raw_text": text, "outcome": "answered", "value": None, "model_fingerprint": "m"}
            for each, text in zip(questions, texts, strict=True)
            if text is not None
        }
        variants = {
            each.question_id: Variant(
                each.question_id, "paraphrase", each.asked, each.image_ids, (), None, "boolean", ("yes", "no"), None
            )
            for each, text in zip(questions, texts, strict=True)
            if text is not None
        }
        return score_answers(questions, rows, variants)

    given = {("m", "full"): answers("yes", "yes", "no"), ("m", "blank"): answers("no", "yes", "no")}
    assert find_quadrants("m", given, 3) == ("reliant", "unreliant", "unreliant")  # type: ignore[arg-type]
    given["m", "paraphrase"] = answers("yes", "yes", None)
    assert find_quadrants("m", given, 3) == ("ideal", "dangerous", "not known")  # type: ignore[arg-type]
    given["m", "paraphrase"] = answers("no", "no", "yes")
    assert find_quadrants("m", given, 3) == ("fragile", "worst", "worst")  # type: ignore[arg-type]
    assert find_quadrants("m", {("m", "full"): given["m", "full"]}, 3) is None  # type: ignore[dict-item]
    assert given["m", "paraphrase"].is_asked.all() and not answers("no", None, None).is_asked[1:].any()


def test_facets_name_what_is_known_and_nothing_else(questions: Path) -> None:
    asked = read_questions(questions)[:3]
    facts = {
        asked[0].question_id: FilmFacts("female", "60-69", "PA", ("picc",), "mentioned", 12.0, (), {}),
        asked[1].question_id: FilmFacts("male", None, "AP", (), "unmentioned", 40.0, (), {}),
    }
    facets = build_facets(asked, [asked[0].answer, "not it", None], facts)
    assert facets["prior"] == ("is right", "is wrong", "not known")
    assert facets["sex"] == ("female", "male", "not known")
    assert facets["devices"] == ("some", "none", "not known")
    assert facets["lesion_px"] == ("8 to 16", "32 and more", "not known")
    assert set(build_facets(asked, [None] * 3, {})) == set()

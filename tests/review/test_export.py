"""From a comparison to sheets: blind, complete, the same bytes, and clear about what cannot be reviewed."""

from __future__ import annotations

import base64
import json
import re
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chartsight.cli import run_command
from chartsight.comparison import ComparedModel, CompareRecipe, compare
from chartsight.errors import ChartsightError, OutputError, ReviewError
from chartsight.questions.files import read_questions, write_questions
from chartsight.review import ReviewConfig, export_review
from chartsight.review.compared import outcome_strata, quadrants, read_comparison
from chartsight.review.ratings import read_key
from chartsight.review.sheet import asks_about_view, shown_question
from chartsight.runs import read_manifest, sha256_file
from chartsight.schema import Condition, Question
from tests.comparison.made_up import make_questions, sees, stand_in
from tests.review.made_up import sheet_content


def test_a_sheet_names_no_model_no_patient_and_fetches_nothing(review: Path, compared: Path) -> None:
    questions = read_questions(compared.parent / "questions" / "questions.parquet")
    for sheet in sorted(review.glob("sheet-*.html")):
        html = sheet.read_text("utf-8")
        page = re.sub(r'(id="films">).*?(</script>)', r"\1\2", html, flags=re.S)
        for name in ("plain", "taught", "filmless", "taught-here", "tuned", "baseline", "twin"):
            assert f'"{name}"' not in page, name
        assert not [question for question in questions if str(question.subject_id) in page.split()]
        assert not re.search(r"film-\d{3}|q\d{3}-\d", page)
        assert not re.search(r"https?://|src=|@import|url\(", page)
        assert "default-src 'none'" in page
        assert "Research use only. Not a medical device. Not for clinical use." in page
        assert "no clinical association may be read from this" in page
        keys = {key for item in sheet_content(sheet)["items"] for key in item}
        assert keys == {"n", "again", "question", "answers", "film", "view", "sealed"}


def test_every_film_of_a_sheet_is_there_once_and_is_a_picture(review: Path) -> None:
    html = (review / "sheet-r1.html").read_text("utf-8")
    found = re.search(r'id="films">(.*?)</script>', html, re.S)
    assert found is not None
    films = json.loads(found[1])
    assert {item["film"] for item in sheet_content(review / "sheet-r1.html")["items"]} == set(films)
    assert all(base64.b64decode(film).startswith(b"\xff\xd8\xff") for film in films.values())
    assert len(set(films.values())) == len(films)


def test_the_key_puts_models_back(review: Path, compared: Path) -> None:
    rows, study = read_key(review)
    found, chosen = read_comparison(compared)
    assert [model.name for model in chosen] == ["taught", "plain"] == [model["name"] for model in study["models"]]
    index = {question.question_id: place for place, question in enumerate(found.questions)}
    contents = {rater: sheet_content(review / f"sheet-{rater}.html")["items"] for rater in ("r1", "r2")}
    for row in rows:
        item = contents[row["rater"]][row["position"] - 1]
        shown = next(answer["text"] for answer in item["answers"] if answer["letter"] == row["letter"])
        place = index[row["question_id"]]
        assert shown == found.said[row["model"], "full"].shown(place)
        assert row["is_correct"] == found.said[row["model"], "full"].is_correct[place]
        assert item["question"] == found.questions[place].visual_question
        sealed = json.loads(base64.b64decode(item["sealed"]))
        if found.questions[place].answer_type == "boolean":
            assert sealed["gold"] == ("yes" if json.loads(found.questions[place].answer) else "no")
        assert [other["words"] for other in sealed["others"]] == ["With another patient's film", "With a blank film"]


def test_sample_weights_and_double_ratings_are_what_was_asked_for(review: Path, compared: Path) -> None:
    rows, study = read_key(review)
    items = {row["item"]: row for row in rows}
    assert len(items) == 60
    assert sum(row["weight"] for row in items.values()) == pytest.approx(240) == study["population"]
    assert sum(row["is_double"] for row in items.values()) == 30
    places = Counter((row["item"], row["rater"], row["is_repeat"]) for row in rows if row["model"] == "taught")
    assert set(places.values()) == {1}
    raters_of = Counter(item for item, _, is_repeat in places if not is_repeat)
    assert all(raters_of[item] == 1 + row["is_double"] for item, row in items.items())
    found, chosen = read_comparison(compared)
    strata = Counter(
        f"{outcome}, {quadrant}"
        for outcome, quadrant in zip(outcome_strata(found, chosen), quadrants(found, chosen[0])[0], strict=True)
    )
    assert {name: each["size"] for name, each in study["strata"].items()} == dict(strata)
    assert set(study["strata"]) >= {"both right, reliant", "only taught right, reliant", "both wrong, unreliant"}


def test_the_same_seed_gives_the_same_bytes_and_another_another_sample(
    review: Path, compared: Path, tmp_path: Path
) -> None:
    config = ReviewConfig(items=60, double=0.5, film_pixels=128)
    export_review(compared, tmp_path / "again", config)
    for path in sorted(review.iterdir()):
        if path.name != "run.json":
            assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes(), path.name
    export_review(compared, tmp_path / "other", replace(config, seed=8))
    assert (tmp_path / "other" / "key.parquet").read_bytes() != (review / "key.parquet").read_bytes()


def test_a_manifest_says_from_what(review: Path, compared: Path) -> None:
    manifest = read_manifest(review)
    assert manifest is not None
    parent = read_manifest(compared)
    assert parent is not None and manifest["parent_runs"] == [parent["run_id"]]
    assert (manifest["terms"], manifest["pairing"]) == ("synthetic", "synthetic")
    assert {each["path"]: each["sha256"] for each in manifest["outputs"]} == {
        path.name: sha256_file(path) for path in review.iterdir() if path.name != "run.json"
    }


def test_the_same_words_are_read_once(compared: Path, tmp_path: Path) -> None:
    export_review(compared, tmp_path / "out", ReviewConfig(items=240, raters=("r1",), film_pixels=64, repeats=0))
    rows, _ = read_key(tmp_path / "out")
    items = sheet_content(tmp_path / "out" / "sheet-r1.html")["items"]
    assert {len(item["answers"]) for item in items} == {1, 2}
    for item in items:
        own = [row for row in rows if row["position"] == item["n"]]
        assert len(own) == 2
        assert len({row["letter"] for row in own}) == len(item["answers"]) == len({a["text"] for a in item["answers"]})


def test_what_three_models_said_hides_which_was_never_shown_another_film(compared: Path, tmp_path: Path) -> None:
    """The twin was asked under one condition only; a reveal without its line would name it."""
    config = ReviewConfig(items=30, models=("taught", "plain", "filmless"), film_pixels=64)
    export_review(compared, tmp_path / "out", config)
    for item in sheet_content(tmp_path / "out" / "sheet-r1.html")["items"]:
        assert json.loads(base64.b64decode(item["sealed"]))["others"] == []


def closed_comparison(folder: Path, terms: str, parameters: str = "{}") -> Path:
    """A small comparison of credentialed or private questions, some of them open."""
    path = make_questions(folder / "made", patients=12)
    changed = [
        replace(
            question, terms=terms, parameters=parameters,  # type: ignore[arg-type]
            question=f"Does patient {question.subject_id} have a secret-word?", visual_question="A secret-word?",
        )
        for question in read_questions(path)
    ]  # fmt: skip
    is_open = {"answer_type": "text", "answer": '"secret-answer"'}
    changed = [
        replace(question, **(is_open if question.template_id == "choose-side" else {}))  # type: ignore[arg-type]
        for question in changed
    ]
    write_questions(folder / "questions.parquet", changed, {"film_index": str(folder / "made" / "films.parquet")})

    def talks(question: Question, condition: Condition, generator: Any) -> str:
        return sees(question, condition, generator) + ". secret-remark"

    models = (ComparedModel(name="a", path="a", role="tuned"), ComparedModel(name="b", path="b", role="baseline"))
    recipe = CompareRecipe(questions=folder / "questions.parquet", models=models, bootstrap=100, audits=False)
    compare(recipe, folder / "report", predict=stand_in({"a": talks, "b": sees}), quiet=True)
    return folder / "report"


@pytest.mark.parametrize(("terms", "words"), [("credentialed", "data use agreement"), ("private", "private films")])
def test_closed_terms_are_said_on_the_sheet(tmp_path: Path, terms: str, words: str) -> None:
    folder = closed_comparison(tmp_path, terms)
    run = export_review(folder, tmp_path / "out", ReviewConfig(items=12, film_pixels=64))
    assert run.terms == terms
    html = (tmp_path / "out" / "sheet-r1.html").read_text("utf-8")
    assert '<span id="terms" class="closed">' in html and words in html


def test_a_sheet_to_share_has_no_film_no_free_text_and_no_identifier(tmp_path: Path) -> None:
    slots = json.dumps({"attribute": "pneumothorax", "study": "50000042", "name": "Jane Doe"})
    folder = closed_comparison(tmp_path, "credentialed", slots)
    run = export_review(folder, tmp_path / "out", ReviewConfig(items=24, shareable=True))
    assert run.dropped == {"answer in free text": 12}
    for sheet in (tmp_path / "out").glob("*.html"):
        html = sheet.read_text("utf-8")
        content = sheet_content(sheet)
        unsealed = [base64.b64decode(item["sealed"]).decode() for item in content["items"]]
        for hidden in ("secret", "Jane", "50000042", "/9j/"):
            assert hidden not in html and hidden not in "".join(unsealed)
        assert "Made to be shared" in html and 'class="closed"' not in html
        assert {item["question"].partition(" · ")[2] for item in content["items"]} == {"attribute: pneumothorax"}
    rows, study = read_key(tmp_path / "out")
    assert {row["question_id"] for row in rows} == {None}
    assert (study["is_shareable"], study["population"]) == (True, 60)


def test_a_question_without_words_for_the_film_loses_its_identifiers(compared: Path) -> None:
    found, _ = read_comparison(compared)
    question = replace(
        found.questions[0], question="Did patient 1000 show an effusion in study 5000 (film-000), 10 000 or 10005?",
        visual_question=None, subject_id=1000, study_ids=(5000,), image_ids=("film-000",),
    )  # fmt: skip
    assert (
        shown_question(question, is_shared=False) == "Did patient … show an effusion in study … (…), 10 000 or 10005?"
    )


@pytest.mark.parametrize(
    ("words", "is_about_view"),
    [
        ("Is this a PA view?", True),
        ("In which projection was it taken?", True),
        ("Anteroposterior or lateral?", True),
        ("Is there a pleural effusion on the left?", False),
        ("Is there an apical opacity?", False),
        ("List the findings & signs <in view>.", False),
    ],
)
def test_the_view_is_not_told_where_it_is_asked(compared: Path, words: str, is_about_view: bool) -> None:
    found, _ = read_comparison(compared)
    assert asks_about_view(replace(found.questions[0], visual_question=words)) is is_about_view


# ------------------------------------------------------------------------------------------------------- quadrants


@pytest.mark.parametrize(
    ("conditions", "words"),
    [
        (("full",), {"unknown"}),
        (("full", "shuffled"), {"reliant", "unreliant"}),
        (("full", "question_only", "paraphrase"), {"ideal", "fragile", "dangerous", "worst"}),
    ],
)
def test_quadrants_follow_what_was_asked(tmp_path: Path, conditions: tuple[Condition, ...], words: set[str]) -> None:
    def answers(question: Question, condition: Condition, generator: Any) -> str:
        if question.answer_type != "boolean":
            return "none"
        number = int(question.question_id[1:4]) + int(question.question_id[-1])
        flips = {"paraphrase": number % 2 == 0, "question_only": number % 3 == 0, "shuffled": number % 3 == 0}
        return "no" if flips.get(condition, False) else "yes"

    questions = make_questions(tmp_path / "made", patients=12)
    models = (ComparedModel(name="one", path="a", role="tuned"),)
    recipe = CompareRecipe(questions=questions, models=models, bootstrap=100, conditions=conditions, audits=False)
    compare(recipe, tmp_path / "report", predict=stand_in({"a": answers}), quiet=True)
    found, chosen = read_comparison(tmp_path / "report")
    where, _ = quadrants(found, chosen[0])
    assert set(where) == words
    for question, quadrant in zip(found.questions, where, strict=True):
        if question.answer_type == "boolean" and len(words) == 4:
            number = int(question.question_id[1:4]) + int(question.question_id[-1])
            assert quadrant == {
                (False, True): "ideal", (True, True): "fragile", (False, False): "dangerous", (True, False): "worst",
            }[number % 2 == 0, number % 3 == 0]  # fmt: skip
    export_review(tmp_path / "report", tmp_path / "out", ReviewConfig(items=8, raters=("r1",), film_pixels=64))
    assert all(len(item["answers"]) == 1 for item in sheet_content(tmp_path / "out" / "sheet-r1.html")["items"])


# -------------------------------------------------------------------------------------------------------- bad input


def copied(compared: Path, tmp_path: Path) -> Path:
    shutil.copytree(compared, tmp_path / "copy")
    return tmp_path / "copy"


def test_what_is_no_comparison_is_refused(compared: Path, tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nothing", compared / "items.csv", compared / "predictions"):
        with pytest.raises(ReviewError) as caught:
            export_review(folder, tmp_path / "out")
        assert caught.value.code == "no-comparison"
    assert not (tmp_path / "out").exists()


def test_items_that_were_edited_are_refused(compared: Path, tmp_path: Path) -> None:
    folder = copied(compared, tmp_path)
    text = (folder / "items.csv").read_text("utf-8")
    (folder / "items.csv").write_text(text.replace("answered,1", "answered,0", 1), "utf-8")
    with pytest.raises(ReviewError) as caught:
        export_review(folder, tmp_path / "out")
    assert caught.value.code == "changed-file"


def rewritten(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """The manifest changed, and its digest of items.csv made true again."""
    manifest = json.loads((folder / "run.json").read_text("utf-8"))
    for output in manifest["outputs"]:
        output["sha256"] = sha256_file(folder / output["path"])
    change(manifest)
    (folder / "run.json").write_text(json.dumps(manifest), "utf-8")


def test_a_comparison_of_another_make_is_refused(compared: Path, tmp_path: Path) -> None:
    folder = copied(compared, tmp_path)
    text = (folder / "items.csv").read_text("utf-8")
    for change, header, code in (
        (lambda manifest: manifest["config"].pop("models"), None, "no-comparison"),
        (lambda manifest: manifest.update(config=None), None, "no-comparison"),
        (lambda manifest: None, ("taught.full.outcome", "taught.full.ending"), "missing-column"),
        (lambda manifest: None, ("taught.full.correct", "taught.full.right"), "missing-column"),
        (lambda manifest: None, (text, ""), "no-items"),
    ):
        shutil.copy(compared / "run.json", folder)
        (folder / "items.csv").write_text(text.replace(*header) if header else text, "utf-8")
        rewritten(folder, change)
        with pytest.raises(ReviewError) as caught:
            export_review(folder, tmp_path / "out")
        assert caught.value.code == code


def test_other_questions_are_refused(compared: Path, tmp_path: Path) -> None:
    other = make_questions(tmp_path / "other", patients=9)
    with pytest.raises(ReviewError) as caught:
        export_review(compared, tmp_path / "out", questions=other)
    assert caught.value.code == "other-questions"


def test_lost_predictions_and_films_are_refused(compared: Path, tmp_path: Path) -> None:
    folder = copied(compared, tmp_path)
    (folder / "predictions" / "taught.full.parquet").write_bytes(b"PAR1 no more")
    with pytest.raises(ReviewError) as caught:
        export_review(folder, tmp_path / "out")
    assert caught.value.code == "no-predictions"
    questions = make_questions(tmp_path / "made", patients=12, films=False)
    recipe = CompareRecipe(
        questions=questions, models=(ComparedModel(name="a", path="a", role="tuned"),), bootstrap=100, audits=False
    )
    compare(recipe, tmp_path / "report", predict=stand_in({"a": sees}), quiet=True)
    with pytest.raises(ChartsightError) as lost:
        export_review(tmp_path / "report", tmp_path / "out", ReviewConfig(items=12))
    assert lost.value.code == "missing-film"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"raters": ()}, "no-raters"),
        ({"raters": ("../r1",)}, "bad-rater"),
        ({"raters": ("r1", "R1")}, "repeated-rater"),
        ({"items": 0}, "bad-number"),
        ({"film_pixels": 10}, "bad-number"),
        ({"seed": -1}, "bad-seed"),
        ({"models": ("nobody",)}, "unknown-model"),
        ({"models": ("taught", "taught")}, "bad-models"),
        ({"items": 3}, "few-items"),
        ({"repeats": 0.9}, "bad-share"),
        ({"raters": ("r1",), "double": 0.5}, "one-rater"),
    ],
)
def test_bad_options_are_one_clear_line(compared: Path, tmp_path: Path, options: dict[str, Any], code: str) -> None:
    with pytest.raises(ReviewError) as caught:
        export_review(compared, tmp_path / "out", ReviewConfig(**options))
    assert caught.value.code == code
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_an_output_is_not_replaced_unasked(review: Path, compared: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError):
        export_review(compared, review, ReviewConfig(items=60, film_pixels=64))
    with pytest.raises(OutputError):
        export_review(compared, compared, ReviewConfig(items=60, film_pixels=64), force=True)
    assert (compared / "items.csv").is_file()


def test_the_command_line_says_what_was_made(
    compared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_command(
        [
            "review",
            "export",
            str(compared),
            str(tmp_path / "out"),
            "--items",
            "12",
            "--rater",
            "anna",
            "--film-pixels",
            "64",
        ]
    )
    said = capsys.readouterr().out
    assert "1 sheets, 12 items of 240, 0 of them for two raters" in said
    assert (tmp_path / "out" / "sheet-anna.html").is_file()

"""The whole comparison on made-up questions, with stand-in models whose habits are known."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from chartsight.comparison import ComparedModel, CompareRecipe, ComparisonResult, compare
from chartsight.errors import GateError, OutputError, QuestionError, RecipeError
from chartsight.evaluation import benjamini_hochberg, holm, in_words, scorer_stamp
from chartsight.questions.files import read_questions, write_questions
from chartsight.schema import Condition
from tests.comparison.made_up import Habit, always_the_same, declines, guesses, make_questions, sees, stand_in

HABITS: dict[str, Habit] = {"blind": always_the_same, "sees": sees, "guess": guesses, "twin": always_the_same}


def recipe(questions: Path, tuned: str, **changes: object) -> CompareRecipe:
    models = (
        ComparedModel(name="baseline", path="guess", role="baseline", note="a small stand-in <for LLaVA>"),
        ComparedModel(name="tuned", path=tuned, role="tuned", label="fine-tuned"),
        ComparedModel(name="twin", path="twin", role="twin"),
    )
    fields: dict[str, object] = {"questions": questions, "models": models, "bootstrap": 400, "audits": False, **changes}
    return CompareRecipe.model_validate(fields)


@pytest.fixture(scope="module")
def seeing(questions: Path, tmp_path_factory: pytest.TempPathFactory) -> ComparisonResult:
    return compare(recipe(questions, "sees"), tmp_path_factory.mktemp("out") / "compared", predict=stand_in(HABITS))


def test_a_model_that_sees_is_said_to_look(seeing: ComparisonResult) -> None:
    verdict = seeing.analysis.verdict
    assert verdict.kind == "looks"
    assert re.fullmatch(
        r"The fine-tuned model looks at the film: \+\d+\.\d points \[.*\] against its text-only twin, "
        r"−\d+\.\d points \[.*\] when films are shuffled and \+\d+\.\d points \[.*\] against the baseline\.",
        verdict.sentence,
    )
    baseline, twin = seeing.analysis.differences
    assert baseline.interval.low > 0 and twin.interval.low > 0
    assert (baseline.interval.clusters, baseline.interval.n) == (60, 360)
    assert baseline.wins > baseline.losses


def test_a_model_that_does_not_look_is_said_to_guess(questions: Path, tmp_path: Path) -> None:
    result = compare(recipe(questions, "blind"), tmp_path / "out", predict=stand_in(HABITS))
    assert result.analysis.verdict.kind == "guesses"
    tuned = result.analysis.models[1].under("shuffled")
    assert tuned is not None and tuned.drop.estimate == tuned.changed.estimate == 0
    assert "It guesses" in result.report.read_text("utf-8")


def test_better_than_its_twin_without_needing_the_film_is_no_looking(questions: Path, tmp_path: Path) -> None:
    """A leak: right whatever film it gets. The twin alone would be fooled; the shuffled films are not."""
    habits = {**HABITS, "leaks": lambda question, condition, generator: sees(question, "full", generator)}
    result = compare(recipe(questions, "leaks"), tmp_path / "out", predict=stand_in(habits))
    assert result.analysis.differences[1].interval.low > 0
    assert result.analysis.verdict.kind != "looks"


def test_few_patients_or_no_checks_give_no_verdict(questions: Path, tmp_path: Path) -> None:
    few = make_questions(tmp_path / "few", patients=6)
    result = compare(recipe(few, "sees"), tmp_path / "a", predict=stand_in(HABITS))
    assert result.analysis.verdict.kind == "cannot be told"
    assert "6 patients" in result.sentence
    assert result.analysis.warning is not None
    models = recipe(questions, "sees").models[:2]
    result = compare(
        recipe(questions, "sees", models=models, conditions=("full",)), tmp_path / "b", predict=stand_in(HABITS)
    )
    assert result.analysis.verdict.kind == "cannot be told"
    alone = recipe(questions, "sees", models=models[1:], conditions=("full",))
    result = compare(alone, tmp_path / "c", predict=stand_in(HABITS))
    assert "neither a text-only twin nor shuffled films" in result.sentence


def test_the_page_stands_alone_and_says_what_it_must(seeing: ComparisonResult) -> None:
    html = seeing.report.read_text("utf-8")
    markup = re.sub(r"<script>.*?</script>", "", html, flags=re.DOTALL)
    targets = re.findall(r"""(?:src|href|srcset|action|data)\s*=\s*["']?([^"'\s>]*)|url\(["']?([^)"']*)""", markup)
    assert targets
    assert all(target.startswith(("#", "data:")) for pair in targets for target in pair if target)
    assert "http://" not in html and "https://" not in html and "@import" not in html
    assert "Research use only. Not a medical device. Not for clinical use." in html
    assert html.count("<article") == 12
    assert html.count("data:image/jpeg;base64,") == 60  # each film once, though 240 items are drawn
    assert "default-src 'none'" in html
    assert "a small stand-in &lt;for LLaVA&gt;" in html
    assert "findings &amp; signs &lt;in view&gt;" in html
    for caption in re.findall(r"<figcaption>(.*?)</figcaption>", html, re.DOTALL):
        assert "no clinical association may be read from this" in caption
    assert "#0a000" not in html  # every stand-in colour of the figures became a variable of the page


def test_every_difference_says_what_it_could_have_seen(seeing: ComparisonResult) -> None:
    html = seeing.report.read_text("utf-8")
    report = json.loads(seeing.report_json.read_text("utf-8"))
    pairs = seeing.analysis.pairs
    assert [(each.first, each.second) for each in pairs] == [
        ("tuned", "baseline"), ("tuned", "twin"), ("baseline", "twin"),
    ]  # fmt: skip
    assert [each.interval.p_adjusted for each in pairs] == holm([each.interval.p for each in pairs])
    assert seeing.analysis.differences == pairs[:2]
    first = pairs[0]
    assert 0 < first.interval.mde < 0.2 and first.interval.deff >= 1
    assert first.wins == first.interval.wins and report["differences"][0]["interval"]["words"] == "larger than chance"
    groups = seeing.analysis.groups
    for other in ("baseline", "twin"):
        family = [group.differences[other] for group in groups]
        assert [each.p_adjusted for each in family] == benjamini_hochberg([each.p for each in family])
        tuned, theirs = groups[0].accuracy["tuned"].estimate, groups[0].accuracy[other].estimate
        assert family[0].estimate == pytest.approx(tuned - theirs)
    model = report["models"][1]
    assert model["wilson"]["low"] < model["accuracy"]["estimate"] < model["wilson"]["high"]
    assert model["accuracy"]["detectable"] > 0 and model["design"]["deff"] >= 1
    for caption in re.findall(r"<figcaption>(.*?)</figcaption>", html, re.DOTALL):
        assert scorer_stamp() in caption
    assert "larger than chance" in html and "naive exact" in html


def test_two_models_alike_are_not_called_equal(questions: Path, tmp_path: Path) -> None:
    habits = {**HABITS, "second guess": guesses}
    models = [ComparedModel(name=name, path=path, role=role) for name, path, role in
              (("baseline", "guess", "baseline"), ("tuned", "second guess", "tuned"))]  # fmt: skip
    result = compare(recipe(questions, "x", models=tuple(models)), tmp_path / "out", predict=stand_in(habits))
    (difference,) = result.analysis.differences
    assert difference.interval.low < 0 < difference.interval.high
    words = "difference smaller than what this test could see"
    assert words in in_words(difference.interval) and words in result.report.read_text("utf-8")


def test_the_strip_shows_one_file_of_answers_by_every_rule(seeing: ComparisonResult) -> None:
    lines = {line.label: line for line in seeing.analysis.strip}
    strict = lines["chartsight: strict"]
    for model in seeing.analysis.models:
        assert strict.figures[model.model.name].score == pytest.approx(model.accuracy.estimate)
    released = lines["LLaVA-Med: closed accuracy, as released"].figures["tuned"]
    corrected = lines["LLaVA-Med: closed accuracy, corrected"].figures["tuned"]
    assert released.applicable == corrected.n == 240 and released.n < corrected.n
    assert released.score > corrected.score  # what it gets wrong is not counted
    assert lines["EHRSQL: RS(0)"].figures["tuned"].score == pytest.approx(strict.figures["tuned"].score)
    assert lines["EHRSQL: RS(10)"].figures["tuned"].score < 0
    assert lines["LLaVA-Med: open recall"].figures["tuned"].applicable == 120
    assert "EHRXQA: exact match" in lines and "EHRSQL: RS(N)" in lines
    html = seeing.report.read_text("utf-8")
    assert all(line.label in html and line.stamp in html for line in seeing.analysis.strip)


def test_one_patient_and_nothing_readable_give_no_number_that_is_wrong(tmp_path: Path) -> None:
    alone = make_questions(tmp_path / "alone", patients=1)
    result = compare(recipe(alone, "declines"), tmp_path / "out", predict=stand_in({**HABITS, "declines": declines}))
    tuned = result.analysis.models[1]
    assert (tuned.accuracy.estimate, tuned.accuracy.n, tuned.accuracy.clusters) == (0.0, 6, 1)
    difference = result.analysis.differences[0].interval
    assert all(np.isnan(each) for each in (difference.low, difference.p, difference.mde, difference.deff))
    assert result.analysis.verdict.kind == "cannot be told"
    html = result.report.read_text("utf-8")
    assert "one patient only: nothing can be said" in html and ">nan" not in html and "nan%" not in html
    parsed_only = next(line for line in result.analysis.strip if line.label == "chartsight: parsed only")
    assert parsed_only.figures["tuned"].n == 0 and np.isnan(parsed_only.figures["tuned"].score)
    assert "n=0" in html
    report = json.loads(result.report_json.read_text("utf-8"))
    assert report["differences"][0]["interval"]["p"] is None


def test_real_pairing_has_no_line_about_associations(tmp_path: Path) -> None:
    real = make_questions(tmp_path / "real", patients=12, pairing="real")
    result = compare(recipe(real, "sees"), tmp_path / "out", predict=stand_in(HABITS))
    assert "no clinical association" not in result.report.read_text("utf-8")


def test_every_number_leads_to_its_items(seeing: ComparisonResult) -> None:
    with seeing.items.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    report = json.loads(seeing.report_json.read_text("utf-8"))
    assert len(rows) == report["n"] == 360
    tuned = next(model for model in report["models"] if model["model"]["name"] == "tuned")
    assert np.mean([int(row["tuned.full.correct"]) for row in rows]) == pytest.approx(tuned["accuracy"]["estimate"])
    assert np.mean([int(row["tuned.shuffled.correct"]) for row in rows]) == pytest.approx(
        tuned["conditions"][0]["accuracy"]["estimate"]
    )
    priors = [row["template_prior"] == row["gold"] for row in rows]
    assert np.mean(priors) == pytest.approx(report["prior_accuracy"]["estimate"])
    group = next(group for group in report["groups"] if group["name"] == "choose-side")
    chosen = [row for row in rows if row["template_id"] == "choose-side"]
    assert group["n"] == len(chosen)
    assert np.mean([int(row["twin.full.correct"]) for row in chosen]) == pytest.approx(
        group["accuracy"]["twin"]["estimate"]
    )


def test_the_prior_is_the_majority_of_training_alone(questions: Path, seeing: ComparisonResult) -> None:
    train = [question for question in read_questions(questions) if question.split == "train"]
    answers = [question.answer for question in train if question.template_id == "verify-attribute"]
    majority = max(("true", "false"), key=answers.count)
    with seeing.items.open(encoding="utf-8") as file:
        said = {row["template_prior"] for row in csv.DictReader(file) if row["template_id"] == "verify-attribute"}
    assert said == {majority}


def test_films_are_drawn_from_all_four_groups_one_a_patient(seeing: ComparisonResult) -> None:
    with seeing.items.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    shown = [rows[index] for index in seeing.analysis.shown]
    assert len({row["subject_id"] for row in shown}) == 12
    patterns = [(row["tuned.full.correct"], row["baseline.full.correct"]) for row in shown]
    assert {patterns.count(pattern) for pattern in set(patterns)} == {3}


def test_declined_and_unreadable_answers_are_wrong_and_counted(questions: Path, tmp_path: Path) -> None:
    result = compare(
        recipe(questions, "declines"), tmp_path / "out", predict=stand_in({**HABITS, "declines": declines})
    )
    tuned = result.analysis.models[1]
    assert tuned.accuracy.estimate == 0
    assert tuned.outcomes == {"refused": 180, "unparsed": 180}
    assert tuned.accuracy.high > 0  # none of 360 is not surely none at all


def test_predictions_outlive_a_failed_report_and_another_model_is_asked_again(
    questions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, asked = tmp_path / "out", []

    def breaks(*_: object) -> str:
        raise RuntimeError("the page failed")

    with monkeypatch.context() as patched:
        patched.setattr("chartsight.comparison.run.render_report", breaks)
        with pytest.raises(RuntimeError):
            compare(recipe(questions, "sees"), out, predict=stand_in(HABITS, asked))
    assert len(asked) == 7  # two models under three conditions and the twin under one
    assert not (out / "report.html").exists() and not (out / "run.json").exists()
    first = compare(recipe(questions, "sees"), out, predict=stand_in(HABITS, asked))
    assert len(asked) == 7
    with pytest.raises(OutputError, match="finished comparison"):
        compare(recipe(questions, "sees"), out, predict=stand_in(HABITS, asked))
    again = compare(recipe(questions, "sees"), out, predict=stand_in(HABITS, asked), force=True)
    assert again.analysis == first.analysis
    compare(recipe(questions, "blind"), out, predict=stand_in(HABITS, asked), force=True)
    assert asked[7:] == [("blind", "full"), ("blind", "shuffled"), ("blind", "blank")]
    manifest = json.loads((out / "run.json").read_text("utf-8"))
    assert (manifest["verb"], manifest["pairing"], manifest["counts"]["kept"]) == (
        "compare", "synthetic", {"questions": 360},
    )  # fmt: skip


def test_same_predictions_same_files(questions: Path, tmp_path: Path) -> None:
    texts = []
    for name in ("a", "b"):
        result = compare(recipe(questions, "sees"), tmp_path / name, predict=stand_in(HABITS))
        html = result.report.read_text("utf-8")
        run_id = json.loads(result.report_json.read_text("utf-8"))["provenance"]["run_id"]
        texts.append((re.sub(rf"{run_id}</code>, [^<]*<", "<", html), result.items.read_bytes()))
    assert texts[0] == texts[1]


def test_a_limit_compares_the_same_questions(questions: Path, tmp_path: Path) -> None:
    result = compare(recipe(questions, "sees", limit=50), tmp_path / "out", predict=stand_in(HABITS))
    assert result.analysis.n == 50


def test_missing_and_foreign_files_are_one_line(questions: Path, tmp_path: Path) -> None:
    def forgets(*given: Any, **options: Any) -> Mapping[Condition, Path]:
        outs = stand_in(HABITS)(*given, **options)
        if options["name"] == "twin":
            pq.write_table(pq.read_table(outs["full"]).slice(5), outs["full"])
        return outs

    with pytest.raises(QuestionError, match="5 questions have no prediction"):
        compare(recipe(questions, "sees"), tmp_path / "out", predict=forgets)
    (tmp_path / "other").mkdir()
    (tmp_path / "other/notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="something else"):
        compare(recipe(questions, "sees"), tmp_path / "other", predict=stand_in(HABITS))
    with pytest.raises(OutputError, match="is a file"):
        compare(recipe(questions, "sees"), questions, predict=stand_in(HABITS))
    with pytest.raises(QuestionError, match="no answerable question on a film"):
        compare(recipe(questions, "sees", split="valid"), tmp_path / "none", predict=stand_in(HABITS))
    with pytest.raises(RecipeError, match="no such file"):
        compare(recipe(tmp_path / "no.parquet", "sees"), tmp_path / "none", predict=stand_in(HABITS))


def test_a_film_that_is_gone_leaves_its_place_empty(tmp_path: Path) -> None:
    filmless = make_questions(tmp_path / "made", patients=12, films=False)
    result = compare(recipe(filmless, "sees"), tmp_path / "out", predict=stand_in(HABITS))
    assert result.report.read_text("utf-8").count("film not readable") == 12


def test_training_curves_are_read_and_a_cut_off_line_is_left_out(questions: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    lines = [json.dumps({"step": step, "loss": 2.0 / (step + 1)}) for step in range(500)]
    lines.insert(250, json.dumps({"step": 250, "valid_loss": 0.4, "valid_accuracy": 0.6, "seconds": 12.5}))
    (run / "metrics.jsonl").write_text("\n".join([*lines, '{"step": 500, "lo']))
    models = list(recipe(questions, "sees").models)
    models[1] = models[1].model_copy(update={"training": run})
    result = compare(recipe(questions, "sees", models=tuple(models)), tmp_path / "out", predict=stand_in(HABITS))
    (curve,) = result.analysis.curves
    assert len(curve.loss) == 500
    assert (curve.valid_loss, curve.valid_accuracy, curve.seconds) == (((250.0, 0.4),), ((250.0, 0.6),), 12.5)
    assert 'aria-label="Training curves"' in result.report.read_text("utf-8")
    (run / "metrics.jsonl").write_text("no json\n" + lines[0])
    with pytest.raises(RecipeError, match=r"metrics\.jsonl:1"):
        compare(recipe(questions, "sees", models=tuple(models)), tmp_path / "b", predict=stand_in(HABITS))


def test_a_patient_in_two_splits_stops_it_before_it_begins(questions: Path, tmp_path: Path) -> None:
    asked = read_questions(questions)
    train = next(question.subject_id for question in asked if question.split == "train")
    leaked = [replace(each, subject_id=train) if each.question_id == "q000-0" else each for each in asked]
    write_questions(tmp_path / "q.parquet", leaked, {"film_index": str(questions.with_name("films.parquet"))})
    with pytest.raises(GateError, match=r"1 patient\(s\) in both train and test") as caught:
        compare(recipe(tmp_path / "q.parquet", "sees"), tmp_path / "out", predict=stand_in(HABITS))
    assert caught.value.exit_code == 3
    assert not (tmp_path / "out").exists()


def test_questions_without_films_or_answers_are_left_out_and_counted(questions: Path, tmp_path: Path) -> None:
    mixed = [
        replace(question, image_ids=()) if question.question_id in ("q000-0", "q000-1")
        else replace(question, answerable=False) if question.question_id == "q001-0"
        else replace(question, image_ids=("film-002", "film-003")) if question.question_id == "q002-0"
        else replace(question, subject_id=None)
        for question in read_questions(questions)
    ]  # fmt: skip
    write_questions(tmp_path / "q.parquet", mixed, {"film_index": str(questions.with_name("films.parquet"))})
    result = compare(recipe(tmp_path / "q.parquet", "sees"), tmp_path / "out", predict=stand_in(HABITS))
    counts = json.loads((tmp_path / "out/run.json").read_text("utf-8"))["counts"]
    dropped = {"no-film": 2, "several-films": 1, "unanswerable": 1}
    assert counts == {"kept": {"questions": 356}, "dropped": dropped}
    assert (result.analysis.without_patient, result.analysis.clusters) == (356, 60)
    assert "356 questions name no patient" in result.report.read_text("utf-8")

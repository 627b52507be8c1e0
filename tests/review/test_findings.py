"""Two synthetic raters of known agreement, and models of known accuracy: the findings say just that."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from chartsight.cli import run_command
from chartsight.errors import ReviewError
from chartsight.review import agree, export_review, find_agreement, findings_text, import_ratings, read_ratings
from chartsight.review.export import ReviewConfig
from tests.review.made_up import Habit, believes_the_scorer, fill


def rated(review: Path, folder: Path, habits: Mapping[str, Habit], **changes: Any) -> Path:
    files = [fill(review, rater, folder / f"{rater}.json", habit, **changes) for rater, habit in habits.items()]
    import_ratings(review, folder / "ratings.parquet", files)
    return folder / "ratings.parquet"


@pytest.fixture(scope="module")
def whole(compared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All 240 items of the comparison, each rated by both."""
    out = tmp_path_factory.mktemp("whole") / "review"
    export_review(compared, out, ReviewConfig(items=240, double=1, film_pixels=64))
    return out


def turns_every_fifth(row: dict[str, Any]) -> str:
    """As the scorer, but of every fifth item the opposite."""
    verdict = believes_the_scorer(row)
    return verdict if row["item"] % 5 else {"correct": "wrong", "wrong": "correct"}[verdict]


def test_raters_who_believe_the_scorer_agree_with_all(review: Path, tmp_path: Path) -> None:
    path = rated(review, tmp_path, {"r1": believes_the_scorer, "r2": believes_the_scorer})
    findings = find_agreement(*read_ratings(path), resamples=200)
    correctness = next(each for each in findings.between_raters if each.field == "correctness")
    assert correctness.percent.estimate == correctness.alpha.estimate == correctness.pairs[0].kappa.estimate == 1
    assert correctness.ac1.estimate == pytest.approx(1)
    assert correctness.reading == "firm"
    assert 0.8 < correctness.percent.low < 1 == correctness.percent.high  # 30 patients may agree by luck
    assert np.isnan(correctness.pairs[0].kappa.low)  # no draw can say how sure a kappa of 1 is
    film = next(each for each in findings.between_raters if each.field == "film")
    assert np.isnan(film.pairs[0].kappa.estimate) and film.reading == "cannot be told"  # always "adequate"
    assert all(each.percent.estimate == 1 for each in findings.within_raters)
    for judged in findings.against_scorer:
        assert judged.percent.estimate == pytest.approx(1)
        assert judged.accepted.estimate == judged.rejected.estimate == 0 < judged.accepted.high
    assert findings.items_rated_twice == 30


def test_weighted_to_all_items_people_find_what_the_scorer_found_on_all(review: Path, tmp_path: Path) -> None:
    """The sample is a quarter and far from random; weighted, it is exact where people and scorer agree."""
    path = rated(review, tmp_path, {"r1": believes_the_scorer, "r2": believes_the_scorer})
    rows, study = read_ratings(path)
    findings = find_agreement(rows, study, resamples=200)
    for model in findings.models:
        truth = study["accuracy_by_scorer"][model.model]
        assert model.accuracy.estimate == pytest.approx(truth) == model.scorer_sample.estimate
        plain = np.mean([row["is_correct"] for row in rows if row["model"] == model.model and not row["is_repeat"]])
        assert abs(plain - truth) > 0.02
        assert sum(each.estimate for each in model.correctness.values()) == pytest.approx(1)
    after, before = findings.models
    assert findings.difference is not None
    assert findings.difference.estimate == pytest.approx(after.accuracy.estimate - before.accuracy.estimate)
    assert findings.difference.low > 0  # the one that sees is better, and so say people
    assert findings.coverage == 1
    assert sum(each.estimate for each in findings.preference.values()) == pytest.approx(1)


def test_known_disagreement_gives_the_known_kappa(whole: Path, tmp_path: Path) -> None:
    path = rated(whole, tmp_path, {"r1": believes_the_scorer, "r2": turns_every_fifth})
    rows, study = read_ratings(path)
    findings = find_agreement(rows, study, resamples=200)
    correctness = next(each for each in findings.between_raters if each.field == "correctness")
    assert correctness.percent.estimate == pytest.approx(0.8)
    units: dict[tuple[int, str], dict[str, str]] = defaultdict(dict)
    for row in rows:  # what both read as one answer is one unit
        if not row["is_repeat"]:
            twin = next(
                each["model"]
                for each in sorted(rows, key=lambda each: each["model"])
                if (each["rater"], each["position"], each["letter"]) == (row["rater"], row["position"], row["letter"])
            )
            units[row["item"], twin][row["rater"]] = row["correctness"]
    first, second = zip(*((each["r1"], each["r2"]) for each in units.values()), strict=True)
    expected = cohen_kappa_score(first, second)
    assert correctness.pairs[0].kappa.estimate == pytest.approx(expected)
    assert correctness.pairs[0].kappa.n == len(units)
    assert correctness.pairs[0].kappa.low < expected < correctness.pairs[0].kappa.high
    by_scorer = findings.against_scorer[0]
    assert by_scorer.percent.estimate == pytest.approx(0.9)  # of two raters one is wrong on a fifth
    assert by_scorer.accepted.estimate == pytest.approx(by_scorer.rejected.estimate, abs=0.05)


def test_a_rater_who_changes_their_mind_is_found_at_the_repeats(review: Path, tmp_path: Path) -> None:
    def forgets(row: dict[str, Any]) -> str:
        return "wrong" if row["is_repeat"] else "correct"

    path = rated(review, tmp_path, {"r1": forgets, "r2": believes_the_scorer})
    rows, study = read_ratings(path)
    findings = find_agreement(rows, study, resamples=200)
    within = next(each for each in findings.within_raters if each.field == "correctness")
    repeated: dict[tuple[str, int], set[str]] = defaultdict(set)
    for row in rows:
        if row["is_repeat"]:
            repeated[row["rater"], row["position"]].add(row["letter"])
    units = {
        rater: sum(len(letters) for (who, _), letters in repeated.items() if who == rater) for rater in ("r1", "r2")
    }
    assert within.percent.n == sum(units.values())
    assert within.percent.estimate == pytest.approx(units["r2"] / sum(units.values()))


def test_weights_count_in_what_people_say_of_gold_and_preference(review: Path, tmp_path: Path) -> None:
    path = rated(review, tmp_path, {"r1": believes_the_scorer, "r2": believes_the_scorer}, gold="wrong")
    rows, study = read_ratings(path)
    for row in rows:
        if row["stratum_size"] > row["stratum_drawn"]:
            row["gold"] = None if row["is_repeat"] else "ambiguous"
    findings = find_agreement(rows, study, resamples=200)
    sizes = {each["size"] for each in study["strata"].values() if each["size"] == each["drawn"]}
    whole_strata = sum(each["size"] for each in study["strata"].values() if each["size"] == each["drawn"])
    assert sizes or whole_strata == 0
    assert findings.gold["wrong"].estimate == pytest.approx(whole_strata / study["population"])
    assert findings.gold["ambiguous"].estimate == pytest.approx(1 - whole_strata / study["population"])


def test_one_rater_and_half_a_sheet_are_said_not_hidden(review: Path, tmp_path: Path) -> None:
    path = fill(review, "r1", tmp_path / "r1.json")
    saved = json.loads(path.read_text("utf-8"))
    saved["items"] = {number: item for number, item in saved["items"].items() if int(number) <= 5}
    path.write_text(json.dumps(saved), "utf-8")
    import_ratings(review, tmp_path / "ratings.parquet", [path])
    findings = find_agreement(*read_ratings(tmp_path / "ratings.parquet"), resamples=200)
    assert findings.between_raters == () == findings.within_raters
    assert 0 < findings.coverage < 1
    assert "no item was rated by two raters" in " ".join(findings.warnings)
    assert "strata without a rated one" in " ".join(findings.warnings)
    assert "nan" not in findings_text(findings).splitlines()[0]


def test_nobody_could_tell_is_nan_with_none(review: Path, tmp_path: Path) -> None:
    path = rated(review, tmp_path, {"r1": lambda row: "cannot_tell", "r2": lambda row: "cannot_tell"})
    findings = find_agreement(*read_ratings(path), resamples=200)
    assert all(np.isnan(model.accuracy.estimate) and model.accuracy.n == 0 for model in findings.models)
    assert all(np.isnan(each.kappa.estimate) for each in findings.against_scorer)
    assert findings.difference is not None and findings.difference.n == 0
    assert "nan, n=0" in findings_text(findings)


def test_three_raters_make_three_pairs(compared: Path, tmp_path: Path) -> None:
    review = tmp_path / "three"
    export_review(compared, review, ReviewConfig(items=60, double=1, raters=("a", "b", "c"), film_pixels=64))
    path = rated(review, tmp_path, {"a": believes_the_scorer, "b": believes_the_scorer, "c": turns_every_fifth})
    findings = find_agreement(*read_ratings(path), resamples=200)
    correctness = next(each for each in findings.between_raters if each.field == "correctness")
    assert [pair.between for pair in correctness.pairs] == [("a", "b"), ("a", "c"), ("b", "c")]
    assert correctness.pairs[0].kappa.estimate == 1 > correctness.pairs[1].kappa.estimate
    assert sum(pair.kappa.n for pair in correctness.pairs) == correctness.percent.n


def test_files_and_command_line(review: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = rated(review, tmp_path, {"r1": believes_the_scorer, "r2": turns_every_fifth})
    run_command(["review", "agree", str(path), str(tmp_path / "out"), "--bootstrap", "200"])
    said = capsys.readouterr().out
    assert "between raters" in said and "taught minus plain by people" in said
    found = json.loads((tmp_path / "out" / "agreement.json").read_text("utf-8"))
    assert found["terms"] == "synthetic" and len(found["between_raters"]) == 7
    with (tmp_path / "out" / "disagreements.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert rows and all(row["r1"] != row["r2"] for row in rows)
    assert {int(row["item"]) % 5 for row in rows if row["field"] == "correctness"} == {0}
    agree(path, tmp_path / "again", resamples=200)
    for name in ("agreement.json", "disagreements.csv"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()
    with pytest.raises(ReviewError):
        agree(path, tmp_path / "few", resamples=10)
    with pytest.raises(ReviewError):
        agree(review / "run.json", tmp_path / "few")

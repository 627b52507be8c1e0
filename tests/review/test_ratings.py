"""What raters saved, read back: complete, checked, and with models for letters."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from chartsight.errors import OutputError, ReviewError
from chartsight.review import import_ratings, read_ratings
from chartsight.review.ratings import RATINGS_SCHEMA
from chartsight.runs import read_manifest
from tests.review.made_up import fill


def test_ratings_come_back_with_their_models(review: Path, tmp_path: Path) -> None:
    files = [fill(review, rater, tmp_path / f"{rater}.json") for rater in ("r1", "r2")]
    run = import_ratings(review, tmp_path / "ratings.parquet", files)
    rows, study = read_ratings(tmp_path / "ratings.parquet")
    assert pq.read_schema(tmp_path / "ratings.parquet").names == RATINGS_SCHEMA.names
    assert {row["model"] for row in rows} == {"taught", "plain"}
    assert all((row["correctness"] == "correct") == row["is_correct"] for row in rows)
    right = {(row["rater"], row["position"], row["model"]): row["is_correct"] for row in rows}
    for row in rows:
        if row["preference"] in ("taught", "plain"):
            assert right[row["rater"], row["position"], row["preference"]]
    assert run.dropped == {} and run.kept["raters"] == 2
    manifest = read_manifest(tmp_path / "ratings.parquet")
    assert manifest is not None and len(manifest["inputs"]) == 3
    assert (study["terms"], study["pairing"]) == ("synthetic", "synthetic")


def test_the_same_files_give_the_same_bytes_in_any_order(review: Path, tmp_path: Path) -> None:
    files = [fill(review, rater, tmp_path / f"{rater}.json") for rater in ("r1", "r2")]
    import_ratings(review, tmp_path / "a.parquet", files)
    import_ratings(review, tmp_path / "b.parquet", files[::-1])
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_what_is_not_finished_is_left_out_and_counted(review: Path, tmp_path: Path) -> None:
    path = fill(review, "r1", tmp_path / "r1.json")
    saved = json.loads(path.read_text("utf-8"))
    del saved["items"]["1"]
    del saved["items"]["2"]["confidence"]
    del saved["items"]["3"]["answers"]["A"]["support"]
    path.write_text(json.dumps(saved), "utf-8")
    run = import_ratings(review, tmp_path / "out.parquet", [path])
    rows, _ = read_ratings(tmp_path / "out.parquet")
    assert run.dropped == {"not rated": 1, "not finished": 2}
    assert {1, 2, 3}.isdisjoint(row["position"] for row in rows)
    assert run.kept["places"] == len(saved["items"]) - 2


def test_remarks_and_ids_stay_at_home_when_it_is_to_be_shared(review: Path, tmp_path: Path) -> None:
    path = fill(review, "r1", tmp_path / "r1.json", comment="Mrs Doe, as last week")
    import_ratings(review, tmp_path / "own.parquet", [path])
    import_ratings(review, tmp_path / "shared.parquet", [path], shareable=True)
    own, _ = read_ratings(tmp_path / "own.parquet")
    shared, study = read_ratings(tmp_path / "shared.parquet")
    assert {row["comment"] for row in own} == {"Mrs Doe, as last week"}
    assert {(row["comment"], row["question_id"]) for row in shared} == {(None, None)}
    assert study["is_shareable"]
    assert b"Doe" not in (tmp_path / "shared.parquet").read_bytes()
    assert max(row["cluster"] for row in shared) <= 40  # patients are numbers of the review


Spoil = Callable[[dict[str, Any]], Any]


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda saved: saved.update(sheet_id="another"), "other-sheet"),
        (lambda saved: saved.pop("kind"), "no-ratings"),
        (lambda saved: saved.update(schema_version=99), "newer-schema"),
        (lambda saved: saved.update(items=[]), "no-ratings"),
        (lambda saved: saved["items"].update({"999": {}}), "unknown-item"),
        (lambda saved: saved["items"].update({"one": {}}), "unknown-item"),
        (lambda saved: saved["items"].update({"1": []}), "bad-rating"),
        (lambda saved: saved["items"]["1"].update(answers=[1]), "bad-rating"),
        (lambda saved: saved["items"]["1"]["answers"].update(Q={}), "unknown-answer"),
        (lambda saved: saved["items"]["1"]["answers"].update(A="fine"), "bad-rating"),
        (lambda saved: saved["items"]["1"]["answers"]["A"].update(correctness="great"), "unknown-code"),
        (lambda saved: saved["items"]["1"]["answers"]["A"].update(correctness=["correct"]), "unknown-code"),
        (lambda saved: saved["items"]["1"]["answers"]["A"].update(tags=["ugly"]), "unknown-code"),
        (lambda saved: saved["items"]["1"].update(confidence=4), "unknown-code"),
        (lambda saved: saved["items"]["1"].update(preference="Z"), "unknown-code"),
        (lambda saved: saved["items"]["1"].update(seconds="long"), "bad-rating"),
        (lambda saved: saved["items"]["1"].update(comment="x" * 5000), "bad-rating"),
        (lambda saved: saved.update(items={}), "no-ratings"),
    ],
)
def test_a_file_that_cannot_be_right_is_refused(review: Path, tmp_path: Path, spoil: Spoil, code: str) -> None:
    path = fill(review, "r1", tmp_path / "r1.json")
    saved = json.loads(path.read_text("utf-8"))
    spoil(saved)
    path.write_text(json.dumps(saved), "utf-8")
    with pytest.raises(ReviewError) as caught:
        import_ratings(review, tmp_path / "out.parquet", [path])
    assert caught.value.code == code
    assert not (tmp_path / "out.parquet").exists()


def test_no_files_no_json_and_one_rater_twice_are_refused(review: Path, tmp_path: Path) -> None:
    path = fill(review, "r1", tmp_path / "r1.json")
    bad = tmp_path / "bad.json"
    bad.write_text("{", "utf-8")
    for files, code in (
        ([], "no-ratings"), ([tmp_path / "gone.json"], "missing-file"), ([bad], "no-ratings"),
        ([path, path], "repeated-rater"),
    ):  # fmt: skip
        with pytest.raises(ReviewError) as caught:
            import_ratings(review, tmp_path / "out.parquet", files)
        assert caught.value.code == code
    with pytest.raises(ReviewError) as caught:
        import_ratings(tmp_path, tmp_path / "out.parquet", [path])
    assert caught.value.code == "no-review"
    with pytest.raises(ReviewError) as caught:
        read_ratings(review / "key.parquet")
    assert caught.value.code == "missing-column"
    with pytest.raises(OutputError):
        import_ratings(review, path, [path], force=True)

"""`chartsight review import`: the files that raters saved, checked against the key → `ratings.parquet`.

One row for every model at every place of a sheet that its rater finished: the key's columns beside the ratings. Here
the letters become models again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from chartsight.errors import ReviewError
from chartsight.review.export import KEY_SCHEMA, METADATA
from chartsight.review.form import (
    CONFIDENCE,
    FILM,
    GOLD,
    LONGEST_COMMENT,
    OF_ANSWERS,
    PREFERENCE,
    TAGS,
    Field,
)
from chartsight.runs import Run, check_apart, new_output, read_manifest
from chartsight.schema import SCHEMA_VERSION

KIND = "chartsight-review"
TOGETHER = " + "  # between models that gave the same answer, where it is the one preferred
LARGEST_FILE = 50_000_000  # bytes; a file of ratings has some hundred an item
RATING_COLUMNS = (
    ("film", pa.string()), ("correctness", pa.string()), ("support", pa.string()), ("harm", pa.string()),
    ("tags", pa.list_(pa.string())), ("preference", pa.string()), ("preferred_letter", pa.string()),
    ("confidence", pa.string()), ("gold", pa.string()), ("comment", pa.string()), ("seconds", pa.float64()),
)  # fmt: skip
RATINGS_SCHEMA = pa.schema([*KEY_SCHEMA, *RATING_COLUMNS])

Row = dict[str, Any]


def import_ratings(
    review: Path, out: Path, files: Sequence[Path], *, shareable: bool = False, force: bool = False
) -> Run:
    """Saved ratings as `ratings.parquet`.

    Args:
        review: The folder that `review export` made, for its key.
        out: The Parquet file to appear.
        files: What the raters saved, one file a rater.
        shareable: Without remarks and question ids; patients are numbers of this review alone in any case.
        force: Replace `out`.

    Raises:
        ReviewError: No review; a file that is no ratings, of another sheet, of a rater who is there already, with a
            code that the form does not have; no finished item at all.
        OutputError: `out` exists, or cannot be written.
    """
    review, out = Path(review), Path(out)
    key, study = read_key(review)
    if not files:
        raise ReviewError("no-ratings", "ratings", "no file is named", "the files that raters saved")
    check_apart(out, review / "key.parquet", *map(Path, files))
    run = Run("review import", {"files": [str(file) for file in files], "shareable": shareable}, study["seed"])
    run.terms, run.pairing = study["terms"], study["pairing"]
    manifest = read_manifest(review)
    if manifest is not None:
        run.parent_runs.append(manifest["run_id"])
    run.read(review / "key.parquet", rows=len(key))
    by_sheet: dict[str, list[Row]] = {}
    for row in key:
        by_sheet.setdefault(row["sheet_id"], []).append(row)
    seen: dict[str, Path] = {}
    rows: list[Row] = []
    for file in map(Path, files):
        saved = read_saved(file)
        places = by_sheet.get(str(saved.get("sheet_id")))
        if places is None:
            raise ReviewError("other-sheet", file, "holds ratings of another sheet", f"one of {review}")
        rater = places[0]["rater"]
        if rater in seen:
            raise ReviewError("repeated-rater", file, f"is of rater {rater}, as {seen[rater]} is", "one file a rater")
        seen[rater] = file
        run.read(file)
        rows += rate_places(places, saved["items"], file, run, asks_film=not study["is_shareable"])
    if not rows:
        raise ReviewError("no-ratings", files[0], "no item is finished", "at least one")
    if shareable:
        _make_shareable(rows)
    run.kept = {
        "raters": len(seen), "places": len({(row["rater"], row["position"]) for row in rows}), "rows": len(rows),
        "gold judged": len({(row["rater"], row["position"]) for row in rows if row["gold"]}),
    }  # fmt: skip
    study = {**study, "is_shareable": study["is_shareable"] or shareable}
    rows.sort(key=lambda row: (row["rater"], row["position"], row["letter"], row["model"]))
    schema = RATINGS_SCHEMA.with_metadata({METADATA: json.dumps(study, sort_keys=True).encode()})
    with new_output(out, replace=force) as partial:
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), partial, compression="zstd")
    run.write(out)
    return run


def read_key(review: Path) -> tuple[list[Row], dict[str, Any]]:
    """The key of a review and what it says of the review as a whole.

    Raises:
        ReviewError: `review` is no folder of a review, or of a newer chartsight.
    """
    path = Path(review) / "key.parquet"
    return _read_table(path, KEY_SCHEMA, review, "a folder of `chartsight review export`")


def read_ratings(path: Path) -> tuple[list[Row], dict[str, Any]]:
    """Imported ratings and what is known of their review.

    Raises:
        ReviewError: `path` is no file of ratings, or of a newer chartsight.
    """
    return _read_table(Path(path), RATINGS_SCHEMA, path, "a file of `chartsight review import`")


def read_saved(file: Path) -> dict[str, Any]:
    """What a rater saved, its outer shape checked.

    Raises:
        ReviewError: It is missing, no JSON, no ratings, or of a newer chartsight.
    """
    expected = "what the sheet saved"
    if not file.is_file():
        raise ReviewError("missing-file", file, "no such file", expected)
    if file.stat().st_size > LARGEST_FILE:
        raise ReviewError("no-ratings", file, "is too large for ratings", expected)
    try:
        saved = json.loads(file.read_text("utf-8"))
    except (ValueError, RecursionError):
        raise ReviewError("no-ratings", file, "is no JSON", expected) from None
    if not isinstance(saved, dict) or saved.get("kind") != KIND or not isinstance(saved.get("items"), dict):
        raise ReviewError("no-ratings", file, "holds no ratings", expected)
    version = saved.get("schema_version")
    if not isinstance(version, int) or version > SCHEMA_VERSION:
        raise ReviewError(
            "newer-schema", file, "schema_version is newer or none", f"at most {SCHEMA_VERSION}", "upgrade chartsight"
        )
    return saved


def rate_places(places: Sequence[Row], items: Mapping[str, Any], file: Path, run: Run, *, asks_film: bool) -> list[Row]:
    """The key's rows of one sheet with their ratings; what the rater did not finish is left out and counted.

    Raises:
        ReviewError: An item that the sheet does not have, or a code that the form does not have.
    """
    by_position: dict[int, list[Row]] = {}
    for row in places:
        by_position.setdefault(row["position"], []).append(row)
    for name in items:
        if not name.isdecimal() or int(name) not in by_position:
            raise ReviewError("unknown-item", file, f"rates an item {name[:12]!r}", f"1 to {len(by_position)}")
    rated = []
    for position, rows in sorted(by_position.items()):
        own = items.get(str(position))
        where = f"{file}: item {position}"
        if own is None:
            run.drop("not rated", file, position)
            continue
        if not isinstance(own, dict) or not isinstance(own.get("answers", {}), dict):
            raise ReviewError("bad-rating", where, "is no rating", "an object with answers")
        letters = sorted({row["letter"] for row in rows})
        by_item = _item_ratings(own, letters, where)
        if unknown := sorted(set(own.get("answers", {})) - set(letters)):
            raise ReviewError("unknown-answer", where, f"rates an answer {unknown[0][:12]!r}", " or ".join(letters))
        by_letter = {letter: _answer_ratings(own.get("answers", {}).get(letter, {}), where) for letter in letters}
        needed = [by_item[field.name] for field in (FILM, CONFIDENCE) if asks_film or not field.about_film]
        needed += [
            by_letter[letter][field.name]
            for letter in letters
            for field in OF_ANSWERS
            if not field.many and (asks_film or not field.about_film)
        ]
        if len(letters) > 1:
            needed.append(by_item[PREFERENCE.name])
        if not all(needed):
            run.drop("not finished", file, position)
            continue
        models_of = {
            letter: TOGETHER.join(row["model"] for row in rows if row["letter"] == letter) for letter in letters
        }
        preferred = by_item[PREFERENCE.name]
        for row in rows:
            rated.append(
                {
                    **row, **by_item, **by_letter[row["letter"]],
                    "preference": models_of.get(preferred or "", preferred),
                    "preferred_letter": preferred if preferred in letters else None,
                }
            )  # fmt: skip
    return rated


def _item_ratings(own: Mapping[str, Any], letters: Sequence[str], where: str) -> Row:
    comment = own.get("comment")
    if comment is not None and (not isinstance(comment, str) or len(comment) > LONGEST_COMMENT):
        raise ReviewError(
            "bad-rating", where, "a remark that is no text of the sheet", f"at most {LONGEST_COMMENT} letters"
        )
    seconds = own.get("seconds", 0)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < float("inf"):
        raise ReviewError("bad-rating", where, "seconds is no number", "0 or more")
    return {
        "film": _code(own, FILM, where), "confidence": _code(own, CONFIDENCE, where), "gold": _code(own, GOLD, where),
        "preference": _code(own, PREFERENCE, where, letters), "comment": comment or None, "seconds": float(seconds),
    }  # fmt: skip


def _answer_ratings(own: Any, where: str) -> Row:
    if not isinstance(own, dict):
        raise ReviewError("bad-rating", where, "an answer's rating is no object")
    ratings: Row = {field.name: _code(own, field, where) for field in OF_ANSWERS if not field.many}
    tags = own.get(TAGS.name, [])
    if not isinstance(tags, list) or not all(isinstance(tag, str) and tag in TAGS.options for tag in tags):
        raise ReviewError("unknown-code", f"{where}: tags", "holds a code that the form does not have")
    ratings[TAGS.name] = [code for code in TAGS.options if code in tags]
    return ratings


def _code(own: Mapping[str, Any], field: Field, where: str, more: Sequence[str] = ()) -> str | None:
    value = own.get(field.name)
    known = (*more, *field.options)
    if value is not None and value not in known:
        raise ReviewError(
            "unknown-code", f"{where}: {field.name}", "holds a code that the form does not have", " or ".join(known)
        )
    return value


def _make_shareable(rows: Sequence[Row]) -> None:
    for row in rows:
        row["comment"] = row["question_id"] = None


def _read_table(path: Path, schema: pa.Schema, where: Path, expected: str) -> tuple[list[Row], dict[str, Any]]:
    try:
        table = pq.read_table(path)
        study = json.loads((table.schema.metadata or {})[METADATA])
    except (pa.ArrowInvalid, OSError, KeyError, ValueError):
        raise ReviewError("no-review", where, f"is not {expected}") from None
    version = study.get("schema_version", 0)
    if version > SCHEMA_VERSION:
        raise ReviewError(
            "newer-schema", path, f"schema_version {version}", f"at most {SCHEMA_VERSION}", "upgrade chartsight"
        )
    if missing := [name for name in schema.names if name not in table.column_names]:
        raise ReviewError("missing-column", path, f"no column {missing[0]}", expected)
    rows: list[Row] = table.select(schema.names).to_pylist()
    return rows, study

"""What becomes of a question set under each condition, and the file that keeps it.

known = read_known_films(questions_path)
variants = build_variants(questions, ("full", "swap", "mirrored"), known, seed=7)
variants["swap"][question_id].gold
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from chartsight.errors import QuestionError
from chartsight.questions.variants.donors import shuffle_films, swap_films
from chartsight.questions.variants.known_films import KnownFilms
from chartsight.questions.variants.mirrored import mirror_films
from chartsight.questions.variants.occlusion import occlude_films
from chartsight.questions.variants.regold import GoldMaker
from chartsight.questions.variants.wordings import negate_questions, paraphrase_questions, scramble_questions
from chartsight.runs import new_output
from chartsight.schema import CONDITIONS, SCHEMA_VERSION, Condition, FilmChange, Question, Variant, variant_schema

LISTS = ("image_ids", "donor_image_ids", "allowed_answers", "stratum")


def build_variants(
    questions: Sequence[Question], conditions: Iterable[Condition], known: KnownFilms, seed: int
) -> dict[Condition, dict[str, Variant]]:
    """condition → question_id → variant; a question that has none under a condition is not there.

    Args:
        questions: About one film each.
        conditions: Of `schema.CONDITIONS`.
        known: Their films.
        seed: Of donors, wordings, identifiers, noise and other places.

    Raises:
        QuestionError: A question about several films; under `shuffled`, films of one patient only.
    """
    if several := next((each for each in questions if not each.looks_at_one_film), None):
        raise QuestionError(
            "many-films", several.question_id, f"{len(several.image_ids)} films", "questions about one film"
        )
    gold = GoldMaker(known)
    wanted = list(conditions)
    built: dict[Condition, dict[str, Variant]] = {}
    if {"occluded", "occluded_elsewhere"} & set(wanted):
        there, elsewhere = occlude_films(questions, gold, seed)
        built["occluded"], built["occluded_elsewhere"] = _by_question(there), _by_question(elsewhere)
    for condition in wanted:
        if condition == "shuffled":
            built[condition] = _by_question(shuffle_films(questions, gold, seed))
        elif condition == "swap":
            built[condition] = _by_question(swap_films(questions, gold, seed))
        elif condition == "mirrored":
            built[condition] = _by_question(mirror_films(questions, gold))
        elif condition == "paraphrase":
            built[condition] = _by_question(paraphrase_questions(questions, gold, seed))
        elif condition == "negated":
            built[condition] = _by_question(negate_questions(questions, gold))
        elif condition == "scrambled":
            built[condition] = _by_question(scramble_questions(questions, seed))
        elif condition not in built:
            built[condition] = _by_question(_as_it_is(question, condition, seed) for question in questions)
    return {condition: built[condition] for condition in wanted}


def _as_it_is(question: Question, condition: Condition, seed: int) -> Variant:
    """A question in its own words about its own film, about none, or about one on which nothing is to be seen.

    The gold answer stays the own one: where nothing can be seen, it is what a guess is measured by.
    """
    changes: dict[Condition, FilmChange] = {"blank": FilmChange("blank"), "noise": FilmChange("noise", seed)}
    shown = () if condition == "question_only" else question.image_ids
    return Variant(
        question.question_id, condition, question.asked, shown, (), changes.get(condition), question.answer_type,
        question.allowed_answers, question.answer,
    )  # fmt: skip


def _by_question(variants: Iterable[Variant]) -> dict[str, Variant]:
    return {each.question_id: each for each in sorted(variants, key=lambda each: each.question_id)}


def write_variants(
    path: Path, variants: Mapping[Condition, Mapping[str, Variant]], *, seed: int, replace: bool = False
) -> None:
    """`variants.parquet`, sorted by condition and question: the same variants give the same bytes.

    Raises:
        OutputError: `path` exists already, or the disk is full.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    metadata = {"chartsight.schema_version": str(SCHEMA_VERSION), "chartsight.seed": str(seed)}
    schema = variant_schema().with_metadata(metadata)
    rows = [
        _row(variants[condition][question_id])
        for condition in sorted(variants, key=CONDITIONS.index)
        for question_id in sorted(variants[condition])
    ]
    with new_output(path, replace=replace) as partial:
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), partial, compression="zstd")


def read_variants(path: Path) -> dict[Condition, dict[str, Variant]]:
    """condition → question_id → variant.

    Raises:
        QuestionError: There is no such file, it holds no variants, or a newer chartsight wrote it.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.is_file():
        raise QuestionError("missing-file", path, "no such file", "a variants.parquet")
    try:
        table = pq.read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise QuestionError("no-variants", path, "is no Parquet file", "a variants.parquet") from error
    version = int((table.schema.metadata or {}).get(b"chartsight.schema_version", b"0"))
    if version > SCHEMA_VERSION:
        raise QuestionError(
            "newer-schema", path, f"schema_version {version}", f"at most {SCHEMA_VERSION}", "upgrade chartsight"
        )
    if missing := [name for name in variant_schema().names if name not in table.column_names]:
        raise QuestionError("no-variants", path, f"no column {missing[0]}", "every column of a variants.parquet")
    found: dict[Condition, dict[str, Variant]] = {}
    for row in table.select(variant_schema().names).to_pylist():
        found.setdefault(row["condition"], {})[row["question_id"]] = _variant(row)
    return found


def _row(variant: Variant) -> dict[str, Any]:
    row = asdict(variant)
    change = variant.change
    row["change"] = None if change is None else change.kind
    row["change_seed"] = None if change is None else change.seed
    row["change_boxes"] = None if change is None else [side for box in change.boxes for side in box]
    return row


def _variant(row: dict[str, Any]) -> Variant:
    kind, seed, sides = row.pop("change"), row.pop("change_seed"), row.pop("change_boxes")
    boxes = tuple(tuple(sides[n : n + 4]) for n in range(0, len(sides or ()), 4))
    for name in LISTS:
        row[name] = tuple(row[name] or ())
    return Variant(**row, change=None if kind is None else FilmChange(kind, seed, boxes))

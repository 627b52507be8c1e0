"""Whose films the questions are about: sex, age and view, as far as the record or the film index knows them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chartsight.errors import ChartsightError
from chartsight.questions.files import film_index_of
from chartsight.questions.splits import scored_split
from chartsight.schema import SPLITS, Question

AGE_GROUPS = (
    (0, 17, "under 18"),
    (18, 39, "18 to 39"),
    (40, 59, "40 to 59"),
    (60, 79, "60 to 79"),
    (80, 200, "80 or older"),
)
UNKNOWN = "not known"


@dataclass(frozen=True)
class Films:
    """What is known of the films and their patients.

    Args:
        digests: image_id → digest of the file.
        views: image_id → view position.
        sexes: subject_id → F or M.
        ages: subject_id → age in years (MIMIC's anchor_age).
    """

    digests: Mapping[str, str] = field(default_factory=dict)
    views: Mapping[str, str | None] = field(default_factory=dict)
    sexes: Mapping[int, str] = field(default_factory=dict)
    ages: Mapping[int, int] = field(default_factory=dict)


def read_films(questions_path: Path) -> Films:
    """What the film index beside a question set knows; nothing when it is elsewhere."""
    from chartsight.imaging.film_index import read_film_index

    try:
        source = film_index_of(questions_path)
        index = read_film_index(source)
    except ChartsightError:
        return Films()
    digests = {image_id: film.digest for image_id, film in index.items()}
    views = {image_id: film.view_position for image_id, film in index.items()}
    if source.suffix == ".parquet":
        return Films(digests, views)
    import duckdb

    from chartsight.records import open_record

    with open_record(source) as record:
        try:
            rows = record.connection.execute("SELECT subject_id, gender, anchor_age FROM patients").fetchall()
        except duckdb.Error:  # a record of films alone
            rows = []
    return Films(
        digests, views, {subject: sex for subject, sex, _ in rows if sex},
        {subject: age for subject, _, age in rows if age is not None},
    )  # fmt: skip


def describe_subgroups(
    questions: Sequence[Question], films: Films, guess: Callable[[Question], str | None]
) -> list[dict[str, Any]]:
    """One row a group: feature, value, questions of each split, patients, share of yes, and what the prior scores.

    Args:
        questions: In any order.
        films: What is known of them.
        guess: The commonest answer to a question, learned on train.
    """
    features: list[tuple[str, Callable[[Question], str]]] = [
        ("sex", lambda question: films.sexes.get(question.subject_id or 0, UNKNOWN)),
        ("age", lambda question: age_group(films.ages.get(question.subject_id or 0))),
        ("view", lambda question: _view(question, films)),
    ]
    rows, scored = [], scored_split(questions)
    for feature, value_of in features:
        groups: dict[str, list[Question]] = defaultdict(list)
        for question in questions:
            if question.image_ids:
                groups[value_of(question)].append(question)
        if set(groups) <= {UNKNOWN}:
            continue
        order = [name for _, _, name in AGE_GROUPS] if feature == "age" else sorted(groups)
        for value in [each for each in order if each in groups and each != UNKNOWN] + [UNKNOWN] * (UNKNOWN in groups):
            members = groups[value]
            booleans = [question.answer for question in members if question.answer_type == "boolean"]
            test = [question for question in members if question.split == scored]
            row: dict[str, Any] = {
                "feature": feature, "value": value,
                **{split: sum(question.split == split for question in members) for split in SPLITS},
                "subjects": len({question.subject_id for question in members if question.subject_id is not None}),
                "yes_share": booleans.count("true") / len(booleans) if booleans else None,
                "prior_accuracy": sum(guess(question) == question.answer for question in test) / len(test)
                if test else None,
            }  # fmt: skip
            rows.append(row)
    return rows


def age_group(age: int | None) -> str:
    """`60 to 79`; the group of an age in years."""
    return next((name for low, high, name in AGE_GROUPS if age is not None and low <= age <= high), UNKNOWN)


def _view(question: Question, films: Films) -> str:
    views = {films.views.get(image_id) or UNKNOWN for image_id in question.image_ids}
    return views.pop() if len(views) == 1 else "several"

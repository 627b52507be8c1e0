"""Every question with every model's answer: the items behind each number, as Parquet, as CSV, and on the page.

One row a question. Beside the question stand its facets (what the page filters and groups by), and for each model its
quadrant and, for each condition it was asked under, answer, text, outcome and verdict:

| question_id | template_id | facet.view | tuned.quadrant | tuned.full.answer | tuned.full.outcome | ...correct |
|-------------|-------------|------------|----------------|-------------------|--------------------|------------|
| 3f9c...     | verify-attr | PA         | ideal          | yes               | answered           | true       |
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from chartsight.comparison.predictions import Answers
from chartsight.comparison.recipe import CompareRecipe
from chartsight.errors import OutputError
from chartsight.evaluation import Answer, scorer_stamp
from chartsight.schema import SCHEMA_VERSION, Condition, FilmFacts, Question, Variant

NO_FILM: tuple[Condition, ...] = ("question_only", "blank", "shuffled")  # what shows that the film matters, best first
UNKNOWN = "not known"
LESION_BANDS_PX = (8.0, 16.0, 32.0)


@dataclass(frozen=True)
class ItemTable:
    """All items of a comparison.

    Args:
        questions: In the order of every column [N].
        prior_answers: The template's commonest training answer (JSON) [N]; None where the template was not trained on.
        facets: Name → value of each question [N]; what no question has is left out.
        quadrants: Model → ideal, fragile, dangerous, worst, or `not known`; without paraphrases `reliant` or
            `unreliant` [N].
        answers: Model and condition → answers [N].
        gold: Condition → right answer under it (JSON) [N], where it may be another one than the question's own; None
            where the record cannot tell.
    """

    questions: tuple[Question, ...]
    prior_answers: tuple[str | None, ...]
    facets: Mapping[str, tuple[str, ...]]
    quadrants: Mapping[str, tuple[str, ...]]
    answers: Mapping[tuple[str, Condition], Answers]
    gold: Mapping[Condition, tuple[str | None, ...]]


def build_items(
    recipe: CompareRecipe,
    asked: Sequence[Question],
    prior_answers: Sequence[str | None],
    answers: Mapping[tuple[str, Condition], Answers],
    variants: Mapping[Condition, Mapping[str, Variant]] | None = None,
    facts: Mapping[str, FilmFacts] | None = None,
) -> ItemTable:
    """The table.

    Args:
        recipe: Whose models.
        asked: Questions [N].
        prior_answers: See `ItemTable`.
        answers: Model and condition → answers [N].
        variants: What each question became, where that was said.
        facts: Of the films, by question_id.
    """
    gold = {
        condition: tuple(
            of_condition[each.question_id].gold if each.question_id in of_condition else None for each in asked
        )
        for condition, of_condition in (variants or {}).items()
    }
    return ItemTable(
        questions=tuple(asked),
        prior_answers=tuple(prior_answers),
        facets=build_facets(asked, prior_answers, facts or {}),
        quadrants={
            model.name: found
            for model in recipe.models
            if (found := find_quadrants(model.name, answers, len(asked))) is not None
        },
        answers=answers,
        gold=gold,
    )


def build_facets(
    asked: Sequence[Question], prior_answers: Sequence[str | None], facts: Mapping[str, FilmFacts]
) -> dict[str, tuple[str, ...]]:
    """What the items are grouped by; a facet that says nothing of any item is left out."""
    known = [facts.get(question.question_id) for question in asked]
    prior = [
        UNKNOWN if said is None else "is right" if said == question.answer else "is wrong"
        for said, question in zip(prior_answers, asked, strict=True)
    ]
    facets = {
        "prior": prior,
        "sex": [UNKNOWN if each is None or each.sex is None else each.sex for each in known],
        "age": [UNKNOWN if each is None or each.age_band is None else each.age_band for each in known],
        "view": [UNKNOWN if each is None or each.view is None else each.view for each in known],
        "devices": [
            UNKNOWN if each is None or each.devices is None else "some" if each.devices else "none" for each in known
        ],
        "mention": [UNKNOWN if each is None or each.mention is None else each.mention for each in known],
        "lesion_px": [UNKNOWN if each is None else _lesion_band(each.lesion_px) for each in known],
    }
    return {name: tuple(values) for name, values in facets.items() if set(values) != {UNKNOWN}}


def find_quadrants(model: str, answers: Mapping[tuple[str, Condition], Answers], n: int) -> tuple[str, ...] | None:
    """Where each item stands for a model [N]; None where it was asked with its film only.

    Reliant is an answer that changes without the film; where that was not asked, with a blank one, else with another
    patient's. Consistent is one that another wording does not change.
    """
    full = answers[model, "full"]
    without = next((answers[model, each] for each in NO_FILM if (model, each) in answers), None)
    if without is None:
        return None
    other = answers.get((model, "paraphrase"))
    found = []
    for place in range(n):
        if not without.is_asked[place] or (other is not None and not other.is_asked[place]):
            found.append(UNKNOWN)
            continue
        is_reliant = full.values[place] != without.values[place]
        if other is None:
            found.append("reliant" if is_reliant else "unreliant")
        elif full.values[place] == other.values[place]:
            found.append("ideal" if is_reliant else "dangerous")
        else:
            found.append("fragile" if is_reliant else "worst")
    return tuple(found)


def write_items_parquet(path: Path, items: ItemTable, metadata: Mapping[str, str]) -> None:
    """The table as Parquet; its metadata hold the scorer's stamp, which `read_items` looks at."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    questions = items.questions
    columns: dict[str, Any] = {
        "question_id": pa.array([each.question_id for each in questions], pa.string()),
        "subject_id": pa.array([each.subject_id for each in questions], pa.int64()),
        "image_ids": pa.array([list(each.image_ids) for each in questions], pa.list_(pa.string())),
        **{
            name: pa.array([getattr(each, name) for each in questions], pa.string())
            for name in ("split", "template_id", "kind", "answer_type")
        },
        "question": pa.array([each.asked for each in questions], pa.string()),
        "gold": pa.array([each.answer for each in questions], pa.string()),
        "template_prior": pa.array(items.prior_answers, pa.string()),
        **{f"facet.{name}": pa.array(values, pa.string()) for name, values in items.facets.items()},
        **{f"gold.{condition}": pa.array(values, pa.string()) for condition, values in items.gold.items()},
        **{f"{model}.quadrant": pa.array(values, pa.string()) for model, values in items.quadrants.items()},
    }
    for (model, condition), each in items.answers.items():
        is_blank = ~each.is_asked
        name = f"{model}.{condition}"
        columns |= {
            f"{name}.answer": pa.array([plain(value) for value in each.values], pa.string(), mask=is_blank),
            f"{name}.text": pa.array(each.texts, pa.string(), mask=is_blank),
            f"{name}.outcome": pa.array(each.outcomes, pa.string(), mask=is_blank),
            f"{name}.correct": pa.array(each.is_correct, pa.bool_(), mask=is_blank),
            f"{name}.chance_yes": pa.array(each.chance_yes, pa.float64(), mask=np.isnan(each.chance_yes)),
            f"{name}.donor_image_ids": pa.array([list(ids) for ids in each.donors], pa.list_(pa.string())),
        }
    kept = {"schema_version": str(SCHEMA_VERSION), "scorer": scorer_stamp(), **metadata}
    table = pa.table(columns).replace_schema_metadata({f"chartsight.{key}": kept[key] for key in sorted(kept)})
    pq.write_table(table, path, compression="zstd")


def read_items(path: Path) -> Any:
    """The Arrow table of an items.parquet.

    Raises:
        OutputError: There is none, or its answers were scored by other rules than those of this version: figures of
            two scorers are not compared.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise OutputError("no-items", path, "is no table of items", "the items.parquet of a comparison") from error
    stored = (table.schema.metadata or {}).get(b"chartsight.scorer", b"").decode()
    if stored != scorer_stamp():
        raise OutputError(
            "other-scorer", path, f"was scored by {stored or 'an unnamed scorer'}", scorer_stamp(),
            "compare again with --force: the answers stay, the scores are made anew",
        )  # fmt: skip
    return table


def write_items_csv(path: Path, items: ItemTable) -> None:
    """The same for spreadsheets, without texts; three empty cells where a condition does not apply."""
    header = ["question_id", "subject_id", "image_ids", "split", "template_id", "kind", "answer_type", "question"]
    header += ["gold", "template_prior"]
    for model, condition in items.answers:
        header += [f"{model}.{condition}.{column}" for column in ("answer", "outcome", "correct")]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        for index, question in enumerate(items.questions):
            row: list[object] = [
                question.question_id, question.subject_id, " ".join(question.image_ids), question.split,
                question.template_id, question.kind, question.answer_type,
                question.asked, question.answer, items.prior_answers[index],
            ]  # fmt: skip
            for each in items.answers.values():
                answered = [plain(each.values[index]), each.outcomes[index], int(each.is_correct[index])]
                row += answered if each.is_asked[index] else ["", "", ""]
            writer.writerow(row)


def plain(value: Answer | None) -> str:
    """A typed answer as a table cell."""
    if value is None:
        return ""
    if isinstance(value, tuple):
        return "; ".join(value) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def plain_json(text: str | None) -> str:
    """A stored answer (JSON) as a table cell."""
    value = json.loads(text) if text is not None else None
    return plain(tuple(map(str, value)) if isinstance(value, list) else value)


def _lesion_band(side: float | None) -> str:
    if side is None:
        return UNKNOWN
    below = [0.0, *(edge for edge in LESION_BANDS_PX if edge <= side)][-1]
    above = next((edge for edge in LESION_BANDS_PX if edge > side), None)
    return f"{below:.0f} and more" if above is None else f"{below:.0f} to {above:.0f}"

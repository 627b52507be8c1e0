"""EHRXQA's labels from the statements of Chest ImaGenome.

    statements ─▶ last sentence wins ─▶ parents of attributes ─▶ parents of objects ─▶ possible pairs ─▶ rare ones out
        ─▶ filled: every possible pair that nobody mentioned is absent

At every step a film keeps one statement an (object, attribute): that of the latest sentence; of one sentence, the one
that came last into the table (its own before its children's, these in the ontology's order). So an absent child takes
away a present parent that an earlier sentence spoke of; presence has no priority.

The films of the test split go through it twice when they were labelled by hand: the second pass starts from the filled
table, whose absent pairs count as said after every sentence, so that a parent is absent unless all of its children are
present. That is how the published labels are.
Source: EHRXQA, `preprocess_label.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import duckdb
import numpy as np
import pyarrow as pa

from chartsight.errors import RecordError
from chartsight.records.ehrxqa.films import FilmRow
from chartsight.records.ehrxqa.ontology import Ontology
from chartsight.records.ehrxqa.published_csv import parse_decimal
from chartsight.records.ehrxqa.staging import ROW, parquet_rows
from chartsight.records.sql import literal, quoted

RARE_OBJECTS = ("left arm", "right arm")
RARE_ATTRIBUTES = (
    "artifact", "bronchiectasis", "pigtail catheter", "skin fold", "aortic graft/repair",
    "diaphragmatic eventration (benign)", "sternotomy wires",
)  # fmt: skip
NO_PAIRS_NEEDED = ("abnormal", "normal", "artifact")
VALID_SEED = 103
KEY = "subject_id, study_id, image_id, object, attribute"


class Label(NamedTuple):
    """What a film shows, says the label pipeline.

    Args:
        relation: 1 present, 0 absent or not mentioned.
    """

    object: str
    attribute: str
    category: str
    relation: int


def read_statements(
    connection: duckdb.DuckDBPyConnection, table: str, folder: Path, films: Iterable[FilmRow], where: object
) -> None:
    """Make `table`: the statements about these films, with the sentence and the place in the file that they stand at.

    Raises:
        RecordError: A statement's place in the report is no number.
    """
    register_films(connection, "films_of_statements", films)
    rows = parquet_rows(folder)
    bad = connection.execute(
        f"""SELECT min({ROW}) FROM {rows} WHERE row_id IS NULL OR bbox IS NULL OR label_name IS NULL OR relation IS NULL
                OR TRY_CAST(split_part(row_id, '|', -1) AS DOUBLE) IS NULL"""
    ).fetchall()[0][0]
    if bad is not None:
        raise RecordError(
            "malformed-row",
            where,
            f"row {bad + 1:,}: bbox, label_name, relation or row_id",
            "study|sentence and no gap",
        )
    connection.execute(
        f"""CREATE OR REPLACE TABLE {quoted(table)} AS
            SELECT films.subject_id, CAST(study_id AS BIGINT) AS study_id, films.image_id, bbox AS object,
                label_name AS attribute, categoryID AS category, CAST(CAST(relation AS DOUBLE) AS INTEGER) AS relation,
                CAST(split_part(row_id, '|', -1) AS DOUBLE) AS sentence, {ROW} AS place
            FROM {rows} AS said JOIN films_of_statements AS films ON replace(said.image_id, '.dcm', '') = films.image_id
            WHERE categoryID IS DISTINCT FROM 'nlp' AND bbox <> 'unknown'"""
    )
    connection.unregister("films_of_statements")


def register_films(connection: duckdb.DuckDBPyConnection, name: str, films: Iterable[FilmRow]) -> None:
    """A view of image_id and subject_id."""
    films = list(films)
    columns = {
        "image_id": pa.array([film.image_id for film in films], pa.string()),
        "subject_id": pa.array([film.subject_id for film in films], pa.int64()),
    }
    connection.register(name, pa.table(columns))


def apply_rules(connection: duckdb.DuckDBPyConnection, table: str, ontology: Ontology) -> None:
    """Run the statements of `table` through every step but the filling; `sentence` may be null: after all sentences.

    Raises:
        RecordError: An attribute is not in the ontology.
    """
    name = quoted(table)
    keep_last(connection, table, "place")
    for column, parents in (("attribute", ontology.attribute_parents), ("object", ontology.object_parents)):
        register_parents(connection, parents, ontology.categories)
        child = (
            "said.object, parents.parent, parents.category"
            if column == "attribute"
            else ("parents.parent, said.attribute, said.category")
        )
        connection.execute(
            f"""CREATE OR REPLACE TABLE {name} AS
                SELECT subject_id, study_id, image_id, object, attribute, category, relation, sentence, 0 AS place
                FROM {name}
                UNION ALL
                SELECT subject_id, study_id, image_id, {child}, relation, sentence, parents.place
                FROM {name} AS said JOIN parents ON said.{column} = parents.child"""
        )
        connection.unregister("parents")
        keep_last(connection, table, "place")
    check_attributes(connection, table, ontology)
    possible = [(place, attribute) for attribute, places in ontology.possible.items() for place in sorted(places)]
    columns = [pa.array([pair[nth] for pair in possible], pa.string()) for nth in (0, 1)]
    connection.register("possible", pa.table(columns, names=["object", "attribute"]))
    free = ", ".join(map(literal, NO_PAIRS_NEEDED))
    rare = ", ".join(map(literal, RARE_ATTRIBUTES))
    arms = ", ".join(map(literal, RARE_OBJECTS))
    connection.execute(
        f"""DELETE FROM {name} AS said WHERE (attribute NOT IN ({free})
                AND NOT EXISTS (SELECT 1 FROM possible
                    WHERE possible.object = said.object AND possible.attribute = said.attribute))
                OR object IN ({arms}) OR attribute IN ({rare})"""
    )
    connection.unregister("possible")


def register_parents(
    connection: duckdb.DuckDBPyConnection, parents: Sequence[tuple[str, str]], categories: Mapping[str, str]
) -> None:
    """A view of child, parent, the parent's category, and the place in which the copy is made."""
    columns = {
        "child": pa.array([child for child, _ in parents], pa.string()),
        "parent": pa.array([parent for _, parent in parents], pa.string()),
        "category": pa.array([categories.get(parent) for _, parent in parents], pa.string()),
        "place": pa.array(range(1, len(parents) + 1), pa.int64()),
    }
    connection.register("parents", pa.table(columns))


def keep_last(connection: duckdb.DuckDBPyConnection, table: str, place: str) -> None:
    """One statement an (object, attribute) of a film: of the latest sentence, and of one sentence the last in place."""
    connection.execute(
        f"""CREATE OR REPLACE TABLE {quoted(table)} AS
            SELECT {KEY}, last.category AS category, last.relation AS relation, last.sentence AS sentence FROM (
                SELECT {KEY}, max_by({{'category': category, 'relation': relation, 'sentence': sentence}},
                    (coalesce(sentence, 'infinity'::DOUBLE), {place})) AS last
                FROM {quoted(table)} GROUP BY {KEY})"""
    )


def check_attributes(connection: duckdb.DuckDBPyConnection, table: str, ontology: Ontology) -> None:
    """Nothing, when the ontology knows every attribute of the statements.

    Raises:
        RecordError: It lacks some; they are named.
    """
    found = connection.execute(f"SELECT DISTINCT attribute FROM {quoted(table)} ORDER BY 1").fetchall()
    unknown = [name for (name,) in found if name not in ontology.possible and name not in NO_PAIRS_NEEDED]
    if unknown:
        raise RecordError(
            "contradictory-sources", "chest-imagenome", f"statements about {', '.join(unknown[:5])}",
            "attributes of semantics/label_to_UMLS_mapping.json",
        )  # fmt: skip


def fill(connection: duckdb.DuckDBPyConnection, table: str, ontology: Ontology, studies: Iterable[int]) -> None:
    """Give these studies of `table` every possible pair: absent where nobody said it is present; drop other studies."""
    name = quoted(table)
    register_pairs(connection, ontology)
    connection.register("wanted", pa.table({"study_id": pa.array(sorted(studies), pa.int64())}))
    connection.execute(
        f"""CREATE OR REPLACE TABLE {name} AS
            WITH said AS (SELECT * FROM {name} WHERE study_id IN (SELECT study_id FROM wanted)),
            films AS (SELECT DISTINCT subject_id, study_id, image_id FROM said),
            pairs AS (SELECT films.*, filled.object, filled.attribute, filled.category FROM films, filled)
            SELECT {KEY},
                CASE WHEN said.relation = 1 THEN said.category ELSE coalesce(pairs.category, said.category) END
                    AS category,
                coalesce(said.relation, 0) AS relation,
                CASE WHEN said.relation = 1 OR pairs.category IS NULL THEN said.sentence END AS sentence
            FROM said FULL JOIN pairs USING ({KEY})"""
    )
    connection.unregister("filled")
    connection.unregister("wanted")


def register_pairs(connection: duckdb.DuckDBPyConnection, ontology: Ontology) -> None:
    """A view of the pairs that every study gets."""
    names = ("object", "attribute", "category")
    columns = [pa.array([pair[nth] for pair in ontology.pairs], pa.string()) for nth in range(3)]
    connection.register("filled", pa.table(columns, names=list(names)))


def valid_studies(connection: duckdb.DuckDBPyConnection, table: str, valid_share: float) -> set[int]:
    """Studies of the silver patients that are held out of training; their films make the database of the train split.

    Patients with a finding on some film and patients with a film without any finding are drawn apart, and a patient may
    be both: of those drawn as one kind only, the films of that kind are taken.
    Source: EHRXQA, `preprocess_label.py`, `split_and_save_dataset` (scikit-learn's `train_test_split`).

    Raises:
        RecordError: There is no patient of a kind.
    """
    rows = connection.execute(
        f"SELECT subject_id, study_id, max(relation) FROM {quoted(table)} GROUP BY 1, 2 ORDER BY 1, 2"
    ).fetchall()
    chosen: set[int] = set()
    for shows, what in ((1, "with a finding"), (0, "without any finding")):
        subjects = list(dict.fromkeys(subject for subject, _, relation in rows if (relation == 1) == bool(shows)))
        if len(subjects) < 2:
            raise RecordError("too-few-patients", "valid_share", f"{len(subjects)} silver patients {what}", "2 or more")
        drawn = held_out(len(subjects), valid_share)
        mine = {subjects[place] for place in drawn}
        chosen.update(study for subject, study, relation in rows if (relation == 1) == bool(shows) and subject in mine)
    return chosen


def held_out(count: int, share: float) -> list[int]:
    """Places of those held out, of `count`: the first of a shuffle by the published seed, rounded up."""
    number = int(np.ceil(share * count))
    # The legacy generator is the one that scikit-learn shuffles by.
    return [int(place) for place in np.random.RandomState(VALID_SEED).permutation(count)[:number]]


def labels_by_study(connection: duckdb.DuckDBPyConnection, table: str) -> Iterator[tuple[int, int, str, list[Label]]]:
    """subject_id, study_id, image_id and labels, in the published order."""
    # A table in its final order, so that a part of it is in memory at a time.
    result = connection.execute(
        f"""SELECT subject_id, study_id, image_id, object, attribute, category, relation FROM {quoted(table)}
            ORDER BY {KEY}"""
    )
    key: tuple[int, int, str] | None = None
    labels: list[Label] = []
    while batch := result.fetchmany(10_000):
        for subject, study, image, place, attribute, category, relation in batch:
            if (subject, study, image) != key:
                if key is not None:
                    yield (*key, labels)
                key, labels = (subject, study, image), []
            labels.append(Label(place, attribute, category, relation))
    if key is not None:
        yield (*key, labels)


def thorax_ratios(
    connection: duckdb.DuckDBPyConnection, boxes: Path, gold_boxes: Path | None, images: Iterable[str]
) -> dict[str, tuple[float, float]]:
    """image_id → widths of heart and of upper mediastinum over that of the thorax, where all four boxes are known.

    Args:
        connection: Any.
        boxes: The staged boxes of all films.
        gold_boxes: Those drawn by hand, which go first where there are any; None to leave them out.
        images: The films.

    Raises:
        RecordError: A film has a box twice, or a thorax without width.
    """
    connection.register("wanted", pa.table({"image_id": pa.array(sorted(set(images)), pa.string())}))
    corners: dict[str, dict[str, tuple[float, float]]] = {}
    names = ", ".join(map(literal, FOUR))
    if gold_boxes is not None:
        rows = connection.execute(
            f"""SELECT replace(image_id, '.dcm', '') AS image, bbox_name, coord224 FROM {parquet_rows(gold_boxes)}"""
        ).fetchall()
        hand = {image for image, _, _ in rows}
        for image, name, text in rows:
            if name in FOUR:
                add_corners(corners, image, name, [float(side) for side in text.strip("[]() ").split(",")])
    else:
        hand = set()
    silver = connection.execute(
        f"""SELECT split_part(object_id, '_', 1) AS image, bbox_name, x1, x2 FROM {parquet_rows(boxes)}
            WHERE bbox_name IN ({names}) AND image IN (SELECT image_id FROM wanted) ORDER BY {ROW}"""
    ).fetchall()
    for image, name, left, right in silver:
        if image not in hand:
            sides = [float(int(parse_decimal(side.strip()))) for side in (left, right)]
            add_corners(corners, image, name, [sides[0], 0.0, sides[1], 0.0])
    connection.unregister("wanted")
    return {image: ratios_of(image, sides) for image, sides in corners.items() if len(sides) == len(FOUR)}


FOUR = ("left lung", "right lung", "cardiac silhouette", "upper mediastinum")


def add_corners(corners: dict[str, dict[str, tuple[float, float]]], image: str, name: str, box: list[float]) -> None:
    """Note the left and right side of a box.

    Raises:
        RecordError: The film has it already.
    """
    sides = corners.setdefault(image, {})
    if name in sides:
        raise RecordError("malformed-table", "boxes", f"film {image} has two boxes of the {name}", "one")
    sides[name] = (box[0], box[2])


def ratios_of(image: str, sides: dict[str, tuple[float, float]]) -> tuple[float, float]:
    """Heart and upper mediastinum over the thorax, from the sides of the four boxes."""
    thorax = int(max(sides["left lung"]) - min(sides["right lung"]))
    if thorax == 0:
        raise RecordError("malformed-table", "boxes", f"film {image} has a thorax without width", "some width")
    heart, mediastinum = (
        int(abs(sides[name][1] - sides[name][0])) for name in ("cardiac silhouette", "upper mediastinum")
    )
    return heart / thorax, mediastinum / thorax

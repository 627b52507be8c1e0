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

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from chartsight.errors import RecordError
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
KEY = "film, study_id, object, attribute"
PLACE_BITS, SENTENCE_BITS = 11, 42  # in a statement as a number, from below: relation, category, place, sentence
NO_NAME, NO_SENTENCE = 1023, 2**20


def name_labels(connection: duckdb.DuckDBPyConnection, folders: Iterable[Path], ontology: Ontology) -> None:
    """Make the type `said_name`: objects, attributes and categories as small numbers, in alphabetical order.

    Args:
        connection: Any.
        folders: Of staged statements.
        ontology: Whose names may come in besides.

    Raises:
        RecordError: There are more than fit into a statement.
    """
    names = {*ontology.categories, *ontology.categories.values(), *ontology.possible, *NO_PAIRS_NEEDED}
    names |= {
        name for parents in (ontology.attribute_parents, ontology.object_parents) for pair in parents for name in pair
    }
    names |= {name for places in ontology.possible.values() for name in places}
    names |= {name for pair in ontology.pairs for name in pair}
    for folder in folders:
        for column in ("bbox", "label_name", "categoryID"):
            found = connection.execute(f"SELECT DISTINCT {column} FROM {parquet_rows(folder)}").fetchall()
            names |= {name for (name,) in found if name is not None}
    create_names(connection, names)


def create_names(connection: duckdb.DuckDBPyConnection, names: Collection[str]) -> None:
    """Make the type `said_name` of these names.

    Raises:
        RecordError: There are more than fit into a statement.
    """
    if len(names) >= NO_NAME:
        raise RecordError("malformed-table", "chest-imagenome", f"{len(names):,} names of labels", f"under {NO_NAME}")
    connection.execute("DROP TABLE IF EXISTS names_of_codes; DROP TYPE IF EXISTS said_name")
    connection.execute(f"CREATE TYPE said_name AS ENUM ({', '.join(map(literal, sorted(names)))})")
    connection.execute(
        "CREATE TABLE names_of_codes AS SELECT CAST(unnest(enum_range(NULL::said_name)) AS VARCHAR) AS name"
    )
    connection.execute("ALTER TABLE names_of_codes ADD COLUMN code INTEGER")
    connection.execute("UPDATE names_of_codes SET code = enum_code(CAST(name AS said_name))")


def packed(sentence: str, place: str, category: str, relation: str) -> str:
    """SQL of one statement as a number, of which the largest wins: sentence, place, category, relation.

    Args:
        sentence: SQL of its number in the report; null stands after all sentences.
        place: SQL of where it came into the table.
        category: SQL of a said_name.
        relation: SQL of 0 or 1.
    """
    named = f"coalesce(enum_code({category})::BIGINT, {NO_NAME})"
    return (
        f"((coalesce(CAST({sentence} AS BIGINT), {NO_SENTENCE}) << {SENTENCE_BITS}) |"
        f" (CAST({place} AS BIGINT) << {PLACE_BITS}) | ({named} << 1) | CAST({relation} AS BIGINT))"
    )


def create_statements(
    connection: duckdb.DuckDBPyConnection, folder: Path, films: str, where: object, out: Path
) -> None:
    """Write the statements about some films as numbers: film, study_id, object, attribute, said.

    Args:
        connection: With the type `said_name`.
        folder: Of staged statements.
        films: View of film (a number), image_id, subject_id.
        where: The file, for messages.
        out: Parquet, to be written.

    Raises:
        RecordError: A statement is not whole, or its place in the report is no number.
    """
    connection.execute(
        f"""COPY (SELECT film, CAST(study_id AS BIGINT) AS study_id, object, attribute,
                CASE WHEN sentence BETWEEN 0 AND {NO_SENTENCE - 1} AND relation IN (0, 1)
                    THEN {packed("sentence", "place", "category", "relation")} END AS said, place
            FROM (SELECT film, said.study_id,
                    CAST(bbox AS said_name) AS object, CAST(label_name AS said_name) AS attribute,
                    CAST(categoryID AS said_name) AS category, TRY_CAST(relation AS DOUBLE) AS relation,
                    TRY_CAST(split_part(row_id, '|', -1) AS INTEGER) AS sentence, {ROW} + 1 AS place
                FROM {parquet_rows(folder)} AS said JOIN {quoted(films)} AS films
                    ON replace(said.image_id, '.dcm', '') = films.image_id
                WHERE categoryID IS DISTINCT FROM 'nlp' AND bbox IS DISTINCT FROM 'unknown'))
            TO {literal(out)} (FORMAT parquet, COMPRESSION zstd)"""
    )
    bad = connection.execute(
        f"""SELECT min(place) FROM read_parquet({literal(out)})
            WHERE study_id IS NULL OR object IS NULL OR attribute IS NULL OR said IS NULL"""
    ).fetchall()[0][0]
    if bad is not None:
        raise RecordError(
            "malformed-row",
            where,
            f"row {bad:,}: bbox, label_name, relation or row_id",
            "study|sentence and no gap",
        )


def apply_rules(
    connection: duckdb.DuckDBPyConnection, table: str, statements: str, ontology: Ontology, where: object
) -> None:
    """Make `table`: statements after every step but the filling.

    Args:
        connection: With the type `said_name`.
        table: To be made: film, study_id, object, attribute, said.
        statements: SQL of them, with the same columns.
        ontology: The parents.
        where: The file of the statements, for messages.

    Raises:
        RecordError: An attribute is not in the ontology.
    """
    name, stage = quoted(table), quoted(f"{table} on its way")
    place = ((1 << SENTENCE_BITS - PLACE_BITS) - 1) << PLACE_BITS
    latest = f"SELECT {KEY}, max(said) & ~{place}::BIGINT AS said FROM"
    connection.execute(f"CREATE OR REPLACE TABLE {name} AS {latest} ({statements}) GROUP BY {KEY}")
    for column, parents in (("attribute", ontology.attribute_parents), ("object", ontology.object_parents)):
        create_parents(connection, parents, ontology.categories)
        if column == "attribute":
            child = "said.object, parents.parent, (said.said & ~(1023::BIGINT << 1)) | (parents.code << 1)"
        else:
            child = "parents.parent, said.attribute, said.said"
        connection.execute(f"ALTER TABLE {name} RENAME TO {stage}")
        connection.execute(
            f"""CREATE TABLE {name} AS {latest} (
                SELECT {KEY}, said FROM {stage} UNION ALL
                SELECT film, study_id, {child} | (parents.place << {PLACE_BITS})
                FROM {stage} AS said JOIN parents ON said.{column} = parents.child) GROUP BY {KEY}"""
        )
        connection.execute(f"DROP TABLE {stage}; DROP TABLE parents")
        if column == "attribute":
            check_attributes(connection, table, ontology, where)
    free = {(None, attribute) for attribute in NO_PAIRS_NEEDED}
    possible = {(place, attribute) for attribute, places in ontology.possible.items() for place in places} | free
    usable = sorted(
        (place or "", attribute) for place, attribute in possible
        if place not in RARE_OBJECTS and attribute not in RARE_ATTRIBUTES
    )  # fmt: skip
    columns = [pa.array([pair[nth] or None for pair in usable], pa.string()) for nth in (0, 1)]
    connection.register("usable", pa.table(columns, names=["object", "attribute"]))
    arms = ", ".join(map(literal, RARE_OBJECTS))
    connection.execute(
        f"""CREATE OR REPLACE TABLE usable_pairs AS
            SELECT CAST(objects.name AS said_name) AS object, CAST(usable.attribute AS said_name) AS attribute
            FROM usable JOIN names_of_codes AS objects ON coalesce(usable.object, objects.name) = objects.name
            WHERE objects.name NOT IN ({arms}) GROUP BY ALL"""
    )
    connection.execute(
        f"CREATE OR REPLACE TABLE {name} AS SELECT * FROM {name} SEMI JOIN usable_pairs USING (object, attribute)"
    )
    connection.execute("DROP TABLE usable_pairs")
    connection.unregister("usable")


def create_parents(
    connection: duckdb.DuckDBPyConnection, parents: Sequence[tuple[str, str]], categories: Mapping[str, str]
) -> None:
    """A table of child, parent, the code of the parent's category, and the place in which the copy is made."""
    columns = {
        "child": pa.array([child for child, _ in parents], pa.string()),
        "parent": pa.array([parent for _, parent in parents], pa.string()),
        "category": pa.array([categories.get(parent) for _, parent in parents], pa.string()),
        "place": pa.array(range(1, len(parents) + 1), pa.int64()),
    }
    connection.register("parents_as_text", pa.table(columns))
    connection.execute(
        f"""CREATE OR REPLACE TABLE parents AS SELECT CAST(child AS said_name) AS child,
            CAST(parent AS said_name) AS parent, place,
            coalesce(enum_code(CAST(category AS said_name))::BIGINT, {NO_NAME}) AS code FROM parents_as_text"""
    )
    connection.unregister("parents_as_text")


def check_attributes(connection: duckdb.DuckDBPyConnection, table: str, ontology: Ontology, where: object) -> None:
    """Nothing, when the ontology knows every attribute of the statements.

    Raises:
        RecordError: It lacks some; they are named.
    """
    found = connection.execute(f"SELECT DISTINCT attribute FROM {quoted(table)} ORDER BY 1").fetchall()
    unknown = [name for (name,) in found if name not in ontology.possible and name not in NO_PAIRS_NEEDED]
    if unknown:
        raise RecordError(
            "contradictory-sources", where, f"statements about {', '.join(unknown[:5])}",
            "attributes of semantics/label_to_UMLS_mapping.json",
        )  # fmt: skip


def fill(connection: duckdb.DuckDBPyConnection, table: str, ontology: Ontology, studies: Iterable[int]) -> None:
    """Give these studies of `table` every possible pair: absent where nobody said it is present; drop other studies."""
    name = quoted(table)
    names = ("object", "attribute", "category")
    columns = [pa.array([pair[nth] for pair in ontology.pairs], pa.string()) for nth in range(3)]
    connection.register("filled", pa.table(columns, names=list(names)))
    connection.register("wanted", pa.table({"study_id": pa.array(sorted(studies), pa.int64())}))
    absent = packed("NULL", "0", "CAST(category AS said_name)", "0")
    connection.execute(
        f"""CREATE OR REPLACE TABLE {name} AS
            WITH said AS (SELECT * FROM {name} WHERE study_id IN (SELECT study_id FROM wanted)),
            films AS (SELECT DISTINCT film, study_id FROM said),
            pairs AS (SELECT films.*, CAST(object AS said_name) AS object, CAST(attribute AS said_name) AS attribute,
                {absent} AS absent FROM films, filled)
            SELECT {KEY}, CASE WHEN absent IS NULL OR said & 1 = 1 THEN said ELSE absent END AS said
            FROM said FULL JOIN pairs USING ({KEY})"""
    )
    connection.unregister("filled")
    connection.unregister("wanted")


def labels_sql(table: str, films: str) -> str:
    """SQL of the labels of a table in words.

    Args:
        table: As `apply_rules` or `fill` leave it.
        films: View of film, image_id, subject_id.
    """
    return f"""SELECT films.subject_id, labels.study_id, films.image_id, CAST(object AS VARCHAR) AS object,
            CAST(attribute AS VARCHAR) AS attribute, names_of_codes.name AS category,
            CAST(said & 1 AS INTEGER) AS relation
        FROM {quoted(table)} AS labels JOIN {quoted(films)} AS films USING (film)
        LEFT JOIN names_of_codes ON (said >> 1) & 1023 = names_of_codes.code"""


def valid_studies(connection: duckdb.DuckDBPyConnection, table: str, valid_share: float) -> set[int]:
    """Studies of the silver patients that are held out of training; their films make the database of the train split.

    Patients with a finding on some film and patients with a film without any finding are drawn apart, and a patient may
    be both: of those drawn as one kind only, the films of that kind are taken.
    Source: EHRXQA, `preprocess_label.py`, `split_and_save_dataset` (scikit-learn's `train_test_split`).

    Raises:
        RecordError: There is no patient of a kind.
    """
    rows = connection.execute(
        f"SELECT subject_id, study_id, max(relation) AS shows FROM {quoted(table)} GROUP BY 1, 2 ORDER BY 1, 2"
    ).fetchnumpy()
    chosen: set[int] = set()
    for shows, what in ((True, "with a finding"), (False, "without any finding")):
        is_such = (rows["shows"] == 1) == shows
        subjects = np.unique(rows["subject_id"][is_such])
        if len(subjects) < 2:
            raise RecordError("too-few-patients", "valid_share", f"{len(subjects)} silver patients {what}", "2 or more")
        mine = subjects[held_out(len(subjects), valid_share)]
        chosen.update(rows["study_id"][is_such & np.isin(rows["subject_id"], mine)].tolist())
    return chosen


def held_out(count: int, share: float) -> list[int]:
    """Places of those held out, of `count`: the first of a shuffle by the published seed, rounded up."""
    number = int(np.ceil(share * count))
    # The legacy generator is the one that scikit-learn shuffles by.
    return [int(place) for place in np.random.RandomState(VALID_SEED).permutation(count)[:number]]


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

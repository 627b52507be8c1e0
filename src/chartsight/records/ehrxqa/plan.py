"""What each step of the build does; each reads what those before it left in the work folder, and nothing else."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from chartsight.errors import RecordError
from chartsight.records.ehrxqa.cleaning import (
    CHARTED_ITEMS,
    EVENTS,
    read_dictionary,
    row_by_row,
)
from chartsight.records.ehrxqa.cohort import Hospital, Rows, choose_cohort, like_pandas
from chartsight.records.ehrxqa.config import CHARGED, EhrxqaConfig
from chartsight.records.ehrxqa.costs import build_costs
from chartsight.records.ehrxqa.database import EHRXQA_TABLES, insert_table, table_digest
from chartsight.records.ehrxqa.events import TABLE, as_numbers, build_events
from chartsight.records.ehrxqa.files import SOURCES, Found, check_release
from chartsight.records.ehrxqa.films import (
    FILM_COLUMNS,
    FilmRow,
    choose_frontal,
    film_rows,
    gold_cohort,
    gold_films,
    implausible_films,
    order_films,
    silver_cohort,
    write_taken,
)
from chartsight.records.ehrxqa.labels import (
    apply_rules,
    create_statements,
    fill,
    labels_sql,
    name_labels,
    thorax_ratios,
    valid_studies,
)
from chartsight.records.ehrxqa.ontology import read_ontology
from chartsight.records.ehrxqa.published_csv import NOTHING, parse_decimal, read_back
from chartsight.records.ehrxqa.scene_graphs import stage_graphs
from chartsight.records.ehrxqa.staging import ROW, ROWS, Wanted, parquet_rows, read_parquet, stage, text_column
from chartsight.records.ehrxqa.steps import DATABASE, Facts, Steps, Work
from chartsight.records.sql import count_rows, literal, quoted
from chartsight.runs import remove

COHORT, FILMS, LABELS = "cohort.json", "films.parquet", "labels.parquet"
STATEMENTS = "statements.parquet"
FILM_LABELS_TABLE = "tb_cxr_plus"
FILM_LABELS = (
    "row_id", "subject_id", "hadm_id", "study_id", "image_id", "viewposition", "studydatetime", "studyorder", "object",
    "relation", "attribute", "category", "ct_ratio", "mt_ratio",
)  # fmt: skip
FILMS_AT_A_TIME = 16_384  # whose statements go through the rules together
DATABASE_SHARE = 0.5  # of the memory limit, DuckDB's; the rest is Python's


@contextmanager
def engine(spill: Path, memory_limit_gib: float) -> Iterator[duckdb.DuckDBPyConnection]:
    """DuckDB within its share of the limit, spilling into a folder that goes again.

    Raises:
        RecordError: The limit is too low.
    """
    remove(spill)
    try:
        with duckdb.connect(":memory:") as connection:
            connection.execute(f"SET memory_limit = '{memory_limit_gib * DATABASE_SHARE * 1024:.0f}MiB'")
            connection.execute(f"SET temp_directory = {literal(spill)}")
            connection.execute("SET enable_progress_bar = false")
            connection.execute("SET python_enable_replacements = false")
            yield connection
    except duckdb.OutOfMemoryException as error:
        raise RecordError(
            "out-of-memory", "memory_limit", f"{memory_limit_gib:g} GiB a worker are too few",
            hint="raise --memory-limit, or lower --workers",
        ) from error  # fmt: skip
    finally:
        remove(spill)


def work_of(step: str, connection: duckdb.DuckDBPyConnection, steps: Steps, found: Found, config: EhrxqaConfig) -> Work:
    """What fills the folder of a step."""
    if step in EVENTS:
        return lambda folder: stage_events(connection, steps, found, step, folder)
    if step in SOURCES:
        return lambda folder: stage_source(connection, found, step, folder, config)
    if step == "chosen_films":
        return lambda folder: choose_films(connection, steps, found, config, folder)
    if step == "labels":
        return lambda folder: label_films(connection, steps, found, config, folder)
    if step == "cohort":
        return lambda folder: draw_cohort(connection, steps, found, config, folder)
    if step == "cost_table":
        return lambda folder: write_costs(steps, folder)
    if step == "film_labels":
        return lambda folder: write_film_labels(connection, steps, config, folder)
    if step == "database":
        return lambda folder: write_database(steps, folder)
    name = step.removesuffix("_table")
    if name in EVENTS:
        return lambda folder: write_events(connection, steps, EVENTS[name], config, folder)
    return lambda folder: write_dictionary(connection, steps, name, folder)


def stage_source(
    connection: duckdb.DuckDBPyConnection, found: Found, name: str, folder: Path, config: EhrxqaConfig
) -> Facts:
    """One source file, or one table of the scene graphs, as Parquet."""
    if name not in found.tables:
        assert found.scene_graphs is not None
        return stage_graphs(found.scene_graphs, name, folder / ROWS)
    facts = stage(connection, SOURCES[name], found.tables[name], folder)
    if name == "patients":
        check_release(found.tables[name], facts["rows"], any_version=config.any_version)
    return facts


def stage_events(connection: duckdb.DuckDBPyConnection, steps: Steps, found: Found, name: str, folder: Path) -> Facts:
    """One table of events as Parquet: of charted rows only those of the cohort, of others the cohort's whole."""
    cohort, event = read_cohort(steps), EVENTS[name]
    if event.shifts_first:
        wanted = Wanted(subjects=cohort["subjects"], items=CHARTED_ITEMS)
    else:
        dictionary = "d_labitems" if name == "labevents" else "d_items"
        items = read_parquet(steps.path(f"{dictionary}_table", TABLE), ["itemid"])["itemid"].to_pylist()
        cleaning = row_by_row(name, items)
        columns = event.shuffled if cleaning else (*event.looked_at, *event.shuffled)
        wanted = Wanted(admissions=cohort["admissions"], columns=columns, cleaning=cleaning)
    return stage(connection, SOURCES[name], found.tables[name], folder, wanted)


def choose_films(
    connection: duckdb.DuckDBPyConnection, steps: Steps, found: Found, config: EhrxqaConfig, folder: Path
) -> Facts:
    """The silver and the gold cohort of films."""
    taken = folder / "taken.parquet"
    write_taken(steps.folder / "films", found.tables["films"], taken)
    order_films(connection, taken, found.tables["films"])
    remove(taken)
    choose_frontal(connection)
    implausible_films(connection, steps.folder / "boxes", steps.facts("boxes")["path"])
    gold = gold_films(steps.folder / "gold_statements", found.tables["gold_statements"])
    connection.register("by_hand", pa.table({"image_id": list(gold), "subject_id": list(gold.values())}))
    hand = gold_cohort(
        film_rows(connection, "films WHERE image_id IN (SELECT image_id FROM by_hand) ORDER BY place"),
        film_rows(connection, "frontal WHERE subject_id IN (SELECT subject_id FROM by_hand) ORDER BY study_id"),
        gold, config.max_study_order, found.tables["gold_statements"],
    )  # fmt: skip
    write_films(folder / f"gold-{FILMS}", hand)
    for kind, query in (
        ("all", "SELECT * EXCLUDE (place) FROM films ORDER BY place"),
        ("silver", silver_cohort(gold, config.max_study_order)),
    ):
        connection.execute(f"COPY ({query}) TO {literal(folder / f'{kind}-{FILMS}')} (FORMAT parquet)")
    counts = {name: count_rows(connection, name) for name in ("films", "frontal")}
    connection.unregister("by_hand")
    connection.execute("DROP TABLE films; DROP TABLE frontal; DROP TABLE implausible")
    with pq.ParquetFile(folder / f"silver-{FILMS}") as silver:
        return {**counts, "silver": silver.metadata.num_rows, "gold": len(hand)}


def write_films(path: Path, films: Sequence[FilmRow]) -> None:
    """Films as Parquet."""
    columns = list(zip(*films, strict=True)) or [()] * len(FILM_COLUMNS)
    arrays = [pa.array(column, kind) for column, kind in zip(columns, FILM_COLUMNS.values(), strict=True)]
    pq.write_table(pa.table(arrays, names=list(FILM_COLUMNS)), path)


def read_written_films(path: Path, images: Collection[str] | None = None) -> list[FilmRow]:
    """Films that `write_films` wrote; some of them, or all."""
    table = read_parquet(path)
    if images is not None:
        table = table.filter(pc.is_in(table["image_id"], value_set=pa.array(images, pa.string())))
    return [FilmRow(*film) for film in zip(*(column.to_pylist() for column in table.columns), strict=True)]


def view_chosen_films(connection: duckdb.DuckDBPyConnection, steps: Steps, kind: str) -> int:
    """Make the view `films_of_labels` of the silver or gold cohort: numbered from 0; how many."""
    path = steps.path("chosen_films", f"{kind}-{FILMS}")
    connection.execute(
        f"""CREATE OR REPLACE VIEW films_of_labels AS
            SELECT CAST({ROW} AS INTEGER) AS film, image_id, subject_id, study_id
            FROM read_parquet({literal(path)}, file_row_number=true)"""
    )
    return count_rows(connection, "films_of_labels")


def label_films(
    connection: duckdb.DuckDBPyConnection, steps: Steps, found: Found, config: EhrxqaConfig, folder: Path
) -> Facts:
    """The labels of the split's films, and which films the database has."""
    attributes, ontology_file, objects = found.semantics
    ontology = read_ontology(attributes, ontology_file, objects)
    silver_file, gold_file = steps.facts("statements")["path"], found.tables["gold_statements"]
    by_report, by_hand = steps.folder / "statements", steps.folder / "gold_statements"
    name_labels(connection, (by_report, by_hand), ontology)
    statements, gold_statements = folder / STATEMENTS, folder / f"gold-{STATEMENTS}"
    if config.split == "train":
        count = view_chosen_films(connection, steps, "silver")
        create_statements(connection, by_report, "films_of_labels", silver_file, statements)
        connection.execute("CREATE OR REPLACE TABLE said (subject_id BIGINT, study_id BIGINT, relation BIGINT)")
        for start in range(0, count, FILMS_AT_A_TIME):
            some = f"film BETWEEN {start} AND {start + FILMS_AT_A_TIME - 1}"
            apply_rules(connection, "labels", statements_sql(statements, some), ontology, silver_file)
            connection.execute(
                """INSERT INTO said SELECT films.subject_id, labels.study_id, max(said & 1)
                    FROM labels JOIN films_of_labels AS films USING (film) GROUP BY ALL"""
            )
        chosen = valid_studies(connection, "said", config.valid_share)
        connection.execute("DROP TABLE said")
        connection.register("chosen", pa.table({"study_id": pa.array(sorted(chosen), pa.int64())}))
        valid = "film IN (SELECT film FROM films_of_labels SEMI JOIN chosen USING (study_id))"
        apply_rules(connection, "labels", statements_sql(statements, valid), ontology, silver_file)
        connection.unregister("chosen")
        fill(connection, "labels", ontology, chosen)
        images = "SELECT image_id FROM films_of_labels SEMI JOIN labels USING (film)"
    else:
        view_chosen_films(connection, steps, "gold")
        create_statements(connection, by_hand, "films_of_labels", gold_file, gold_statements)
        apply_rules(connection, "labels", statements_sql(gold_statements), ontology, gold_file)
        hand = connection.execute("SELECT DISTINCT film, study_id FROM labels").fetchall()
        gold = gold_films(by_hand, gold_file)
        if len(hand) != len(gold):
            raise RecordError(
                "contradictory-sources", gold_file, f"{len(gold) - len(hand)} films without a usable statement", "none"
            )
        fill(connection, "labels", ontology, [study for _, study in hand])
        create_statements(connection, by_report, "films_of_labels", silver_file, statements)
        others = ", ".join(str(film) for film in sorted({film for film, _ in hand})) or "NULL"
        connection.execute("ALTER TABLE labels RENAME TO labels_by_hand")
        both = f"{statements_sql(statements, f'film NOT IN ({others})')} UNION ALL SELECT * FROM labels_by_hand"
        apply_rules(connection, "labels", both, ontology, silver_file)
        connection.execute("DROP TABLE labels_by_hand")
        studies = [study for (study,) in connection.execute("SELECT DISTINCT study_id FROM labels").fetchall()]
        fill(connection, "labels", ontology, studies)
        images = "SELECT image_id FROM films_of_labels"
    wanted = {image for (image,) in connection.execute(images).fetchall()}
    connection.execute(
        f"""COPY ({labels_sql("labels", "films_of_labels")})
            TO {literal(folder / LABELS)} (FORMAT parquet, COMPRESSION zstd)"""
    )
    connection.execute("DROP TABLE labels; DROP VIEW films_of_labels")
    for each in (statements, gold_statements):
        remove(each)
    films = read_written_films(steps.path("chosen_films", f"all-{FILMS}"), wanted)
    write_films(folder / FILMS, films)
    return {"films": len(films), "pairs": len(ontology.pairs)}


def statements_sql(path: Path, where: str = "true") -> str:
    """SQL of statements as numbers."""
    names = ", ".join(f"CAST({name} AS said_name) AS {name}" for name in ("object", "attribute"))
    return f"""SELECT film, study_id, {names}, said
        FROM read_parquet({literal(path)}) WHERE {where}"""


def labelled_films(steps: Steps) -> list[FilmRow]:
    """The films of the split, in the order of the metadata."""
    return read_written_films(steps.path("labels", FILMS))


def draw_cohort(
    connection: duckdb.DuckDBPyConnection, steps: Steps, found: Found, config: EhrxqaConfig, folder: Path
) -> Facts:
    """Patients, admissions, stays, transfers and films of the database."""
    films = labelled_films(steps)
    imaged = {film.subject_id for film in films}
    patients = read_rows(connection, steps, "patients")
    patients["dod"] = [None if day is None else f"{day} 00:00:00" for day in patients["dod"]]
    hospital = Hospital(
        patients=patients,
        admissions=read_rows(connection, steps, "admissions"),
        icustays=read_rows(connection, steps, "icustays", imaged),
        transfers=read_rows(connection, steps, "transfers", imaged),
        files=found.tables,
    )
    cohort = choose_cohort(hospital, films, config)
    generator = cohort.generator
    (folder / COHORT).write_text(
        json.dumps(
            {
                "subjects": cohort.subjects,
                "admissions": sorted(int(hadm) for hadm in cohort.admissions),
                "offsets": {int(subject): minutes for subject, minutes in cohort.offsets.items()},
                "stays": {int(h): stay for h, stay in cohort.stays.items() if h in cohort.admissions},
                "studies": cohort.studies,
                "study_admissions": cohort.study_admissions,
                "tables": cohort.tables,
                "generator": generator,
            }
        ),
        "utf-8",
    )
    return {"notes": {"kept": cohort.kept, "dropped": cohort.dropped}}


def read_cohort(steps: Steps) -> dict[str, Any]:
    """What `draw_cohort` wrote."""
    cohort: dict[str, Any] = json.loads(steps.path("cohort", COHORT).read_text("utf-8"))
    return cohort


def read_rows(connection: duckdb.DuckDBPyConnection, steps: Steps, name: str, subjects: set[int] | None = None) -> Rows:
    """A staged table with numbers as numbers and small letters, in the order of its file; of some patients, or all."""
    facts, rows = steps.facts(name), parquet_rows(steps.folder / name)
    chosen = ", ".join(
        quoted(column) if column in facts["kinds"] else text_column(connection, rows, column, facts)
        for column in facts["columns"]
    )
    where = ""
    if subjects is not None:
        connection.register("imaged", pa.table({"subject_id": pa.array(sorted(subjects), pa.int64())}))
        where = "WHERE CAST(subject_id AS DOUBLE) IN (SELECT subject_id FROM imaged)"
    table = connection.sql(f"SELECT {chosen} FROM {rows} {where} ORDER BY {ROW}").to_arrow_table()
    if subjects is not None:
        connection.unregister("imaged")
    kinds = facts["kinds"]
    return {
        column: (as_numbers(table[column], kinds[column]) if column in kinds else table[column]).to_pylist()
        for column in facts["columns"]
    }


def write_dictionary(connection: duckdb.DuckDBPyConnection, steps: Steps, name: str, folder: Path) -> Facts:
    """One of the tables that explain codes."""
    table = read_dictionary(connection, steps, name)
    pq.write_table(table, folder / TABLE)
    return {"rows": table.num_rows}


def write_events(
    connection: duckdb.DuckDBPyConnection, steps: Steps, event: Any, config: EhrxqaConfig, folder: Path
) -> Facts:
    """One table of events."""
    for view, dictionary in (
        ("known_diagnoses", "d_icd_diagnoses"), ("known_procedures", "d_icd_procedures"), ("known_labs", "d_labitems"),
        ("known_items", "d_items"),
    ):  # fmt: skip
        path = steps.path(f"{dictionary}_table", TABLE)
        connection.execute(f"CREATE OR REPLACE VIEW {view} AS SELECT * FROM read_parquet({literal(path)})")
    return build_events(connection, steps, event, read_cohort(steps), config, folder)


def write_costs(steps: Steps, folder: Path) -> Facts:
    """The table of costs."""
    tables = {name: read_parquet(steps.path(f"{name}_table", TABLE)) for name in CHARGED}
    table = build_costs(tables, read_cohort(steps)["generator"])
    pq.write_table(table, folder / TABLE)
    return {"rows": table.num_rows}


def write_film_labels(connection: duckdb.DuckDBPyConnection, steps: Steps, config: EhrxqaConfig, folder: Path) -> Facts:
    """The database with its largest table alone, which needs none of the events."""
    tables = {FILM_LABELS_TABLE: film_labels(connection, steps, read_cohort(steps), config)}
    return add_tables(folder / DATABASE, tables.items())


def write_database(steps: Steps, folder: Path) -> Facts:
    """All 19 tables in SQLite; how many rows each has, and the digest of their content."""
    shutil.copyfile(steps.path("film_labels", DATABASE), folder / DATABASE)
    first, others = steps.facts("film_labels"), add_tables(folder / DATABASE, other_tables(steps))
    facts = {name: first[name] | others[name] for name in ("tables", "digest")}
    return {"tables": facts["tables"], "digest": dict(sorted(facts["digest"].items()))}


def other_tables(steps: Steps) -> Iterator[tuple[str, pa.Table]]:
    """Every table but that of the films' labels, as its step left it."""
    cohort = read_cohort(steps)
    for name in EHRXQA_TABLES:
        if name == FILM_LABELS_TABLE:
            continue
        if name in cohort["tables"]:
            table = pa.table({column: typed(values) for column, values in cohort["tables"][name].items()})
        else:
            table = read_parquet(steps.path(f"{name}_table", TABLE))
        yield name, read_back(table, as_text=("icd_code",) if "icd_code" in table.column_names else ())


def add_tables(path: Path, tables: Iterable[tuple[str, pa.Table]]) -> Facts:
    """Add tables to a database; how many rows each has, and the digest of its content."""
    counts, digests = {}, {}
    database = sqlite3.connect(path)
    try:
        for setting in ("journal_mode = OFF", "synchronous = OFF", "locking_mode = EXCLUSIVE"):
            database.execute(f"PRAGMA {setting}")
        for name, table in tables:
            counts[name], digests[name] = insert_table(database, name, table), table_digest(table)
        database.commit()
    finally:
        database.close()
    return {"tables": counts, "digest": digests}


def typed(values: list[Any]) -> pa.Array:
    """A column of the cohort's tables."""
    known = [value for value in values if value is not None]
    if not known:
        return pa.nulls(len(values), pa.float64())
    kind = {int: pa.int64(), float: pa.float64(), str: pa.string()}[type(known[0])]
    return pa.array(values, kind)


def film_labels(
    connection: duckdb.DuckDBPyConnection, steps: Steps, cohort: Mapping[str, Any], config: EhrxqaConfig
) -> pa.Table:
    """tb_cxr_plus: the labels of the cohort's films, in the order of patient and study time."""
    times = {int(study): time for study, time in cohort["studies"].items()}
    admissions = {int(study): hadm for study, hadm in cohort["study_admissions"].items()}
    films = {film.study_id: film for film in labelled_films(steps) if film.study_id in times}
    by_hand = steps.folder / "gold_boxes" if config.split == "test" else None
    images = [film.image_id for film in films.values()]
    ratios = thorax_ratios(connection, steps.folder / "boxes", by_hand, images)
    labels = f"read_parquet({literal(steps.path('labels', LABELS))})"
    found = connection.execute(f"SELECT DISTINCT study_id FROM {labels}").fetchall()
    studies = sorted({study for (study,) in found} & films.keys())
    if not studies:
        return pa.table({name: pa.array([], pa.string()) for name in FILM_LABELS})
    placed = like_pandas([admissions[study] for study in studies])
    of_studies = {
        "study_id": pa.array(studies, pa.int64()),
        "hadm_id": pa.array(placed, pa.int64() if all(isinstance(hadm, int) for hadm in placed) else pa.float64()),
        "viewposition": pa.array([text_or_none(films[study].view) for study in studies], pa.string()),
        "studydatetime": pa.array([times[study] for study in studies], pa.string()),
        "studyorder": pa.array([float(films[study].order) for study in studies], pa.float64()),
    }
    of_images = {
        "image_id": pa.array(list(ratios), pa.string()),
        "ct_ratio": pa.array([twice_read(ratio) for ratio, _ in ratios.values()], pa.float64()),
        "mt_ratio": pa.array([twice_read(ratio) for _, ratio in ratios.values()], pa.float64()),
    }
    words = connection.execute(
        f"""SELECT DISTINCT unnest([object, attribute, category]) FROM {labels}
            UNION SELECT DISTINCT image_id FROM {labels}"""
    ).fetchall()
    texts = {word: text_or_none(word) for (word,) in words if word is not None}
    changed = {word: text for word, text in texts.items() if text != word}
    connection.register("of_studies", pa.table(of_studies))
    connection.register("of_images", pa.table(of_images))
    # Studies of one moment stand by their number; a patient's films together.
    table = connection.sql(
        f"""SELECT subject_id, hadm_id, study_id, labels.image_id, viewposition, studydatetime, studyorder, object,
                CAST(relation AS BIGINT) AS relation, attribute, category, ct_ratio, mt_ratio
            FROM {labels} AS labels JOIN of_studies USING (study_id)
                LEFT JOIN of_images ON labels.image_id = of_images.image_id
            ORDER BY subject_id, studydatetime, study_id, labels.image_id, object, attribute"""
    ).to_arrow_table()
    for view in ("of_studies", "of_images"):
        connection.unregister(view)
    columns: dict[str, Any] = {"row_id": pa.array(np.arange(table.num_rows))}
    for name in table.column_names:
        column = table[name].combine_chunks()
        if name in ("object", "attribute", "category", "image_id"):
            column = with_words(column, changed)
        columns[name] = column
    return pa.table({name: columns[name] for name in FILM_LABELS})


def with_words(column: pa.Array, changed: Mapping[str, str | None]) -> pa.Array:
    """A column of texts with others in the place of some: few of them are different."""
    encoded = column.dictionary_encode()
    texts = [changed.get(text, text) for text in encoded.dictionary.to_pylist()]
    return pa.array(texts, pa.string()).take(encoded.indices)


def text_or_none(text: str | None) -> str | None:
    """A text as it is read back."""
    return None if text is None or text in NOTHING else text.lower().strip()


def twice_read(value: float) -> float:
    """A double after it was written and read twice, as the published builder does with this table."""
    return parse_decimal(repr(parse_decimal(repr(value))))

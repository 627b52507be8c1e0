"""Source files to EHRXQA's database: steps that stay when a run is ended, then one file that appears at once.

    chartsight records build-ehrxqa train.sqlite --split train --mimiciv DIR --mimic-cxr-jpg DIR --chest-imagenome DIR

The values of the tables are permuted (pairing `ehrxqa-shuffled`): they belong to no patient, and nothing clinical can
be read from them.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from chartsight import __version__
from chartsight.errors import OutputError, RecordError
from chartsight.progress import track
from chartsight.records.ehrxqa.cleaning import (
    CHARTED_ITEMS,
    DICTIONARIES,
    EVENT_TABLES,
    EVENTS,
    read_dictionary,
)
from chartsight.records.ehrxqa.cohort import Hospital, Rows, choose_cohort, like_pandas
from chartsight.records.ehrxqa.config import EhrxqaConfig, EhrxqaSources
from chartsight.records.ehrxqa.costs import CHARGED, build_costs
from chartsight.records.ehrxqa.database import (
    EHRXQA_TABLES,
    create_table,
    database_digest,
    insert_rows,
    insert_table,
)
from chartsight.records.ehrxqa.events import TABLE, as_numbers, build_events
from chartsight.records.ehrxqa.files import SOURCES, Found, check_release, find_files
from chartsight.records.ehrxqa.films import (
    FilmRow,
    gold_cohort,
    gold_films,
    implausible_films,
    one_frontal_a_study,
    read_films,
    silver_cohort,
)
from chartsight.records.ehrxqa.labels import (
    Label,
    apply_rules,
    fill,
    labels_by_study,
    read_statements,
    thorax_ratios,
    valid_studies,
)
from chartsight.records.ehrxqa.ontology import read_ontology
from chartsight.records.ehrxqa.published_csv import NOTHING, parse_decimal, read_back
from chartsight.records.ehrxqa.scene_graphs import stage_graphs
from chartsight.records.ehrxqa.staging import ROW, ROWS, Wanted, parquet_rows, stage, text_column
from chartsight.records.ehrxqa.steps import Facts, Steps, open_steps, work_folder
from chartsight.records.sources import detect_terms
from chartsight.records.sql import literal, quoted
from chartsight.runs import (
    Run,
    check_apart,
    check_place,
    check_replaceable,
    make_folder,
    remove,
    removed_on_failure,
)
from chartsight.schema import strictest_terms

DATABASE, COHORT, FILMS, LABELS = "ehrxqa.sqlite", "cohort.json", "films.json", "labels.parquet"
LEAST_MEMORY_GIB = 0.5
FILMS_AT_A_TIME = 16_384  # whose statements go through the rules together
DATABASE_SHARE = 0.5  # of the memory limit, DuckDB's; the rest is Python's
LATER = tuple(each.name for each in EVENT_TABLES)  # staged when the cohort is known: its rows are kept apart


def build_ehrxqa(
    out: Path,
    sources: EhrxqaSources,
    config: EhrxqaConfig,
    *,
    memory_limit_gib: float = 4.0,
    force: bool = False,
    quiet: bool = False,
) -> Run:
    """Build EHRXQA's database at `out` and return its run (also written as `out` + `.run.json`).

    A run that is ended leaves `out` as it was and its finished steps in a hidden folder beside it; the same call goes
    on from there. The steps go when the database is there.

    Args:
        out: The SQLite file to appear.
        sources: The three folders.
        config: The split and the published constants.
        memory_limit_gib: For everything; half of it is DuckDB's, which spills into the folder of steps beyond it.
        force: Replace an existing database.
        quiet: Draw no progress.

    Raises:
        RecordError: A source is missing, of another release, or malformed; or the memory limit is too low.
        OutputError: `out` exists, another run is at work on it, or the disk is full.
    """
    out = Path(out)
    config.check()
    if memory_limit_gib < LEAST_MEMORY_GIB:
        raise RecordError("bad-memory", "memory_limit", f"{memory_limit_gib:g} GiB", f"{LEAST_MEMORY_GIB} or more")
    check_replaceable(out)
    if out.is_dir():
        raise OutputError("output-exists", out, "is a folder", "a file, or nothing", "choose another name")
    check_apart(out, *sources.folders().values())
    finished = work_folder(out) / "database"
    if os.path.lexists(out) and not force and not finished.is_dir():
        raise OutputError("output-exists", out, "exists already", hint="choose another name or pass --force")
    found = find_files(sources)
    make_folder(out.parent)
    check_place(out)
    made_from = {"version": __version__, "config": asdict(config), "files": found.describe()}
    terms = strictest_terms([detect_terms(folder) for folder in sources.folders().values()])
    run = Run(
        "records build-ehrxqa", {**asdict(config), **asdict(sources)}, seed=0, terms=terms, pairing="ehrxqa-shuffled"
    )
    with open_steps(out, made_from) as steps:
        with engine(steps, memory_limit_gib, out) as connection:
            for name, work in track(list(plan(connection, steps, found, config)), "steps", quiet=quiet):
                steps.run(name, work)
        describe(run, steps)
        database = steps.path("database", DATABASE)
        published = steps.folder / "published"
        remove(published)
        # A second name for the finished file: the step stays whole until the manifest is written.
        os.link(database, published)
        published.replace(out)
        run.outputs.append(
            {"path": str(out), "tables": steps.facts("database")["tables"], "digest": database_digest(out)}
        )
        with removed_on_failure(out):  # a database without its manifest is half an output
            run.write(out)
        remove(steps.folder)
    return run


@contextmanager
def engine(steps: Steps, memory_limit_gib: float, out: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """DuckDB within the limit, spilling into the folder of steps.

    Raises:
        RecordError: The limit is too low.
    """
    spill = steps.folder / "spill"
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
            "out-of-memory", out, f"{memory_limit_gib:g} GiB are too few", hint="raise --memory-limit"
        ) from error
    finally:
        remove(spill)


Work = Callable[[Path], Facts | None]


def plan(
    connection: duckdb.DuckDBPyConnection, steps: Steps, found: Found, config: EhrxqaConfig
) -> Iterator[tuple[str, Work]]:
    """The steps in their order; each reads what those before it left."""
    for name in SOURCES:
        if name not in LATER:
            yield name, lambda folder, name=name: stage_source(connection, found, name, folder, config)  # type: ignore[misc]
    yield "chosen_films", lambda folder: choose_films(connection, steps, found, config, folder)
    yield "labels", lambda folder: label_films(connection, steps, found, config, folder)
    yield "cohort", lambda folder: draw_cohort(connection, steps, found, config, folder)
    for name in LATER:
        yield name, lambda folder, name=name: stage_events(connection, steps, found, name, folder)  # type: ignore[misc]
    for name in DICTIONARIES:
        yield f"{name}_table", lambda folder, name=name: write_dictionary(connection, steps, name, folder)  # type: ignore[misc]
    for event in EVENT_TABLES:
        yield (
            f"{event.name}_table",
            lambda folder, event=event: write_events(connection, steps, event, config, folder),  # type: ignore[misc]
        )
    yield "cost_table", lambda folder: write_costs(steps, folder)
    yield "database", lambda folder: write_database(connection, steps, config, folder)


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


def stage_events(
    connection: duckdb.DuckDBPyConnection, steps: Steps, found: Found, name: str, folder: Path
) -> Facts:
    """One table of events as Parquet: of charted rows only those of the cohort, of others the cohort's whole."""
    cohort, event = read_cohort(steps), EVENTS[name]
    if event.shifts_first:
        wanted = Wanted(subjects=cohort["subjects"], items=CHARTED_ITEMS)
    else:
        wanted = Wanted(admissions=cohort["admissions"], columns=(*event.looked_at, *event.shuffled))
    return stage(connection, SOURCES[name], found.tables[name], folder, wanted)


def choose_films(
    connection: duckdb.DuckDBPyConnection, steps: Steps, found: Found, config: EhrxqaConfig, folder: Path
) -> Facts:
    """The silver and the gold cohort of films."""
    metadata = found.tables["films"]
    films = read_films(steps.folder / "films", metadata)
    frontal = one_frontal_a_study(films)
    gold = gold_films(steps.folder / "gold_statements")
    boxes = steps.facts("boxes")["path"]
    implausible = implausible_films(connection, steps.folder / "boxes", [film.image_id for film in frontal], boxes)
    silver = silver_cohort(frontal, implausible, gold, config.max_study_order)
    hand = gold_cohort(films, frontal, gold, config.max_study_order, found.tables["gold_statements"])
    cohorts = {
        "silver": [list(asdict(film).values()) for film in silver],
        "gold": [list(asdict(film).values()) for film in hand],
    }
    (folder / FILMS).write_text(json.dumps(cohorts), "utf-8")
    return {"films": len(films), "frontal": len(frontal), "silver": len(silver), "gold": len(hand)}


def read_chosen_films(steps: Steps, kind: str) -> list[FilmRow]:
    """The silver or gold cohort."""
    cohorts = json.loads(steps.path("chosen_films", FILMS).read_text("utf-8"))
    return [FilmRow(*film) for film in cohorts[kind]]


def label_films(
    connection: duckdb.DuckDBPyConnection, steps: Steps, found: Found, config: EhrxqaConfig, folder: Path
) -> Facts:
    """The labels of the split's films, and which films the database has."""
    attributes, ontology_file, objects = found.semantics
    ontology = read_ontology(attributes, ontology_file, objects)
    silver_file, gold_file = steps.facts("statements")["path"], found.tables["gold_statements"]
    if config.split == "train":
        silver = read_chosen_films(steps, "silver")
        connection.execute("CREATE OR REPLACE TABLE said (subject_id BIGINT, study_id BIGINT, relation INTEGER)")
        for start in range(0, len(silver), FILMS_AT_A_TIME):
            some = silver[start : start + FILMS_AT_A_TIME]
            read_statements(connection, "labels", steps.folder / "statements", some, silver_file)
            apply_rules(connection, "labels", ontology)
            connection.execute("INSERT INTO said SELECT subject_id, study_id, max(relation) FROM labels GROUP BY ALL")
        chosen = valid_studies(connection, "said", config.valid_share)
        connection.execute("DROP TABLE said")
        valid = [film for film in silver if film.study_id in chosen]
        read_statements(connection, "labels", steps.folder / "statements", valid, silver_file)
        apply_rules(connection, "labels", ontology)
        fill(connection, "labels", ontology, chosen)
        images = [
            image for (image,) in connection.execute("SELECT DISTINCT image_id FROM labels ORDER BY 1").fetchall()
        ]
    else:
        films = read_chosen_films(steps, "gold")
        read_statements(connection, "labels", steps.folder / "gold_statements", films, gold_file)
        apply_rules(connection, "labels", ontology)
        by_hand = connection.execute("SELECT DISTINCT study_id, image_id FROM labels ORDER BY 1").fetchall()
        gold = gold_films(steps.folder / "gold_statements")
        if len(by_hand) != len(gold):
            raise RecordError(
                "contradictory-sources",
                gold_file,
                f"{len(gold) - len(by_hand)} films without a usable statement",
                "none",
            )
        fill(connection, "labels", ontology, [study for study, _ in by_hand])
        hand = {image for _, image in by_hand}
        others = [film for film in films if film.image_id not in hand]
        read_statements(connection, "later", steps.folder / "statements", others, silver_file)
        connection.execute(
            """CREATE OR REPLACE TABLE labels AS SELECT * EXCLUDE (place), place + 1 AS place FROM later
               UNION ALL BY NAME SELECT *, 0 AS place FROM labels"""
        )
        connection.execute("DROP TABLE later")
        apply_rules(connection, "labels", ontology)
        studies = [study for (study,) in connection.execute("SELECT DISTINCT study_id FROM labels").fetchall()]
        fill(connection, "labels", ontology, studies)
        images = [film.image_id for film in films]
    connection.execute(
        f"""COPY (SELECT * FROM labels ORDER BY subject_id, study_id, image_id, object, attribute)
            TO {literal(folder / LABELS)} (FORMAT parquet, COMPRESSION zstd)"""
    )
    connection.execute("DROP TABLE labels")
    wanted = set(images)
    films = [film for film in read_films(steps.folder / "films", found.tables["films"]) if film.image_id in wanted]
    (folder / FILMS).write_text(json.dumps([list(asdict(film).values()) for film in films]), "utf-8")
    return {"films": len(films), "pairs": len(ontology.pairs)}


def labelled_films(steps: Steps) -> list[FilmRow]:
    """The films of the split, in the order of the metadata."""
    return [FilmRow(*film) for film in json.loads(steps.path("labels", FILMS).read_text("utf-8"))]


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
    tables = {name: pq.read_table(steps.path(f"{name}_table", TABLE)) for name in CHARGED}
    table = build_costs(tables, read_cohort(steps)["generator"])
    pq.write_table(table, folder / TABLE)
    return {"rows": table.num_rows}


def write_database(connection: duckdb.DuckDBPyConnection, steps: Steps, config: EhrxqaConfig, folder: Path) -> Facts:
    """All 19 tables in SQLite; how many rows each has."""
    cohort = read_cohort(steps)
    counts = {}
    database = sqlite3.connect(folder / DATABASE)
    try:
        database.execute("PRAGMA journal_mode = OFF")
        database.execute("PRAGMA synchronous = OFF")
        for name in EHRXQA_TABLES:
            if name == "tb_cxr_plus":
                counts[name] = write_film_labels(connection, database, steps, cohort, config)
                continue
            if name in cohort["tables"]:
                table = pa.table({column: typed(values) for column, values in cohort["tables"][name].items()})
            else:
                table = pq.read_table(steps.path(f"{name}_table", TABLE))
            codes = ("icd_code",) if "icd_code" in table.column_names else ()
            counts[name] = insert_table(database, name, read_back(table, as_text=codes))
        database.commit()
    finally:
        database.close()
    return {"tables": counts}


def typed(values: list[Any]) -> pa.Array:
    """A column of the cohort's tables."""
    known = [value for value in values if value is not None]
    if not known:
        return pa.nulls(len(values), pa.float64())
    kind = {int: pa.int64(), float: pa.float64(), str: pa.string()}[type(known[0])]
    return pa.array(values, kind)


def write_film_labels(
    connection: duckdb.DuckDBPyConnection,
    database: sqlite3.Connection,
    steps: Steps,
    cohort: Mapping[str, Any],
    config: EhrxqaConfig,
) -> int:
    """tb_cxr_plus: the labels of the cohort's films, in the order of patient and study time; how many rows."""
    times = {int(study): time for study, time in cohort["studies"].items()}
    admissions = {int(study): hadm for study, hadm in cohort["study_admissions"].items()}
    films = {film.study_id: film for film in labelled_films(steps) if film.study_id in times}
    by_hand = steps.folder / "gold_boxes" if config.split == "test" else None
    images = [film.image_id for film in films.values()]
    ratios = {
        image: tuple(twice_read(ratio) for ratio in pair)
        for image, pair in thorax_ratios(connection, steps.folder / "boxes", by_hand, images).items()
    }
    labels = f"read_parquet({literal(steps.path('labels', LABELS))})"
    connection.execute(f"CREATE OR REPLACE VIEW labels_of_films AS SELECT * FROM {labels}")
    labelled = {
        s for (s,) in connection.execute("SELECT DISTINCT study_id FROM labels_of_films").fetchall()
    } & films.keys()
    in_order = sorted(labelled)
    placed = dict(zip(in_order, like_pandas([admissions[study] for study in in_order]), strict=True))
    kind = "INTEGER" if placed and all(isinstance(hadm, int) for hadm in placed.values()) else "REAL"
    columns = [
        ("row_id", "INTEGER"), ("subject_id", "INTEGER"), ("hadm_id", kind), ("study_id", "INTEGER"),
        ("image_id", "TEXT"), ("viewposition", "TEXT"), ("studydatetime", "TEXT"), ("studyorder", "REAL"),
        ("object", "TEXT"), ("relation", "INTEGER"), ("attribute", "TEXT"), ("category", "TEXT"), ("ct_ratio", "REAL"),
        ("mt_ratio", "REAL"),
    ]  # fmt: skip
    if not labelled:
        columns = [(name, "TEXT") for name, _ in columns]
    create_table(database, "tb_cxr_plus", columns)

    def rows() -> Iterator[tuple[Any, ...]]:
        number = 0
        studies = (each for each in labels_by_study(connection, "labels_of_films") if each[1] in labelled)
        for _, of_patient in groupby(studies, key=lambda each: each[0]):
            for subject, study, image, said in sorted(of_patient, key=lambda each: times[each[1]]):
                film = films[study]
                seen = (
                    subject, placed[study], study, text_or_none(image), text_or_none(film.view), times[study],
                    float(film.order),
                )  # fmt: skip
                measured = ratios.get(image, (None, None))
                for label in said:
                    yield (number, *seen, *label_cells(label), *measured)
                    number += 1

    return insert_rows(database, "tb_cxr_plus", rows(), len(columns))


@lru_cache(maxsize=8192)  # so few are different
def label_cells(label: Label) -> tuple[str | None, int, str | None, str | None]:
    """object, relation, attribute, category as they are read back."""
    return text_or_none(label.object), label.relation, text_or_none(label.attribute), text_or_none(label.category)


def text_or_none(text: str | None) -> str | None:
    """A text as it is read back."""
    return None if text is None or text in NOTHING else text.lower().strip()


def twice_read(value: float) -> float:
    """A double after it was written and read twice, as the published builder does with this table."""
    return parse_decimal(repr(parse_decimal(repr(value))))


def describe(run: Run, steps: Steps) -> None:
    """Fill the manifest from the facts of the steps."""
    for name in SOURCES:
        facts = steps.facts(name)
        run.inputs.append({"path": facts["path"], "sha256": facts["sha256"], "rows": facts["rows"]})
    run.kept = dict(steps.facts("database")["tables"])
    notes = steps.facts("cohort")["notes"]
    run.dropped = {reason: count for reason, count in notes["dropped"].items() if count}
    run.kept |= notes["kept"]

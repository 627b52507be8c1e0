"""Sources to a record: one DuckDB file that appears whole or not at all, with its manifest beside it.

chartsight records build record.duckdb --mimiciv DIR --mimic-cxr-jpg DIR --chest-imagenome DIR
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import duckdb

from chartsight.errors import RecordError
from chartsight.progress import track
from chartsight.records import mimic_cxr
from chartsight.records.film_folder import add_film_folders
from chartsight.records.film_rows import build_tb_cxr
from chartsight.records.imagenome import read_scene_graphs
from chartsight.records.meds import read_chartevents
from chartsight.records.mimiciv import read_mimiciv, read_notes
from chartsight.records.sources import MOST_MEMORY_GIB, RecordSources, detect_pairing, detect_terms
from chartsight.records.sql import count_rows, create_table, insert_rows, literal
from chartsight.runs import Run, check_apart, new_output, remove, removed_on_failure
from chartsight.schema import (
    HOSP_TABLES,
    ICU_TABLES,
    NOTE_TABLES,
    RECORD_TABLES,
    SCHEMA_VERSION,
    Pairing,
    Terms,
    strictest_pairing,
    strictest_terms,
)  # fmt: skip


def build_record(
    out: Path, sources: RecordSources, *, quiet: bool = False, force: bool = False, memory_limit_gib: float = 2.0
) -> Run:
    """Build the record at `out` and return its run (also written as `out` + `.run.json`).

    Rows that do not fit are dropped, counted by reason and listed; everything else stays unharmed.

    Args:
        out: The file to appear, usually `*.duckdb`.
        sources: What to build from.
        quiet: Draw no progress.
        force: Replace an existing record.
        memory_limit_gib: Of DuckDB; beyond it, it spills beside `out`.

    Raises:
        RecordError: A source is missing, damaged or contradictory.
        OutputError: `out` exists, or the disk is full.
    """
    out = Path(out)
    sources.check()
    if not 0 < memory_limit_gib <= MOST_MEMORY_GIB:
        raise RecordError("bad-memory", "memory_limit", f"{memory_limit_gib:g} GiB", f"at most {MOST_MEMORY_GIB:,}")
    check_apart(out, *sources.folders().values())
    for folder in sources.film_folders:
        check_apart(out, folder.folder, folder.labels)
    terms, pairing = inherited_terms(sources), inherited_pairing(sources)
    config = asdict(sources)
    config["film_folders"] = [{**asdict(folder), "columns": dict(folder.columns)} for folder in sources.film_folders]
    run = Run("records build", config, seed=sources.seed, terms=terms, pairing=pairing)
    with new_output(out, replace=force) as partial:
        spill = partial.with_name(partial.name + ".tmp")
        try:
            with duckdb.connect(str(partial)) as connection:
                connection.execute(f"SET memory_limit = '{memory_limit_gib * 1024:.0f}MiB'")
                connection.execute(f"SET temp_directory = {literal(spill)}")
                connection.execute("SET enable_progress_bar = false")
                _fill(connection, sources, run, quiet=quiet)
                connection.execute("CHECKPOINT")
        except duckdb.Error as error:
            if isinstance(error, duckdb.OutOfMemoryException):
                raise RecordError(
                    "out-of-memory", out, f"{memory_limit_gib:g} GiB are too few", hint="raise --memory-limit"
                ) from error
            raise
        finally:
            remove(partial.with_name(partial.name + ".wal"))
            remove(spill)
    run.outputs.append({"path": str(out), "tables": {k: v for k, v in run.kept.items() if v}})
    with removed_on_failure(out):  # a record without its manifest is half an output
        run.write(out)
    return run


def inherited_terms(sources: RecordSources) -> Terms:
    """The strictest terms of all sources."""
    mimic = [detect_terms(path, sources.terms) for path in sources.folders().values()]
    return strictest_terms([*mimic, *(folder.terms for folder in sources.film_folders)])


def inherited_pairing(sources: RecordSources) -> Pairing:
    """The least clinical pairing of all sources; film folders beside anybody's tables are `synthetic`."""
    folders = sources.folders()
    mimic = [detect_pairing(path) for path in folders.values()]
    beside = [_folder_pairing(sources)] if sources.film_folders else []
    return strictest_pairing([*mimic, *beside])


def _folder_pairing(sources: RecordSources) -> Pairing:
    return "synthetic" if sources.folders() else "real"


def _fill(connection: duckdb.DuckDBPyConnection, sources: RecordSources, run: Run, *, quiet: bool) -> None:
    for table in RECORD_TABLES:
        create_table(connection, table)
    if sources.mimiciv is not None:
        _follow(read_mimiciv(connection, sources.mimiciv, run), quiet=quiet)
        if count_rows(connection, "patients") == 0:
            raise RecordError("no-patients", sources.mimiciv, "patients has no row that fits")
    else:
        for table in (*HOSP_TABLES, *ICU_TABLES):
            create_table(connection, table)
    for table in NOTE_TABLES:
        create_table(connection, table)
    if sources.mimic_iv_note is not None:
        _follow(read_notes(connection, sources.mimic_iv_note, run), quiet=quiet)
    if sources.meds is not None:
        events = read_chartevents(connection, sources.meds, run)
        run.kept |= {
            "charted numbers in one ICU stay": events.in_one_stay,
            "charted numbers in several ICU stays": events.in_several_stays,
            "charted numbers in no ICU stay, given to the nearest": events.in_no_stay,
        }
    if sources.mimic_cxr_jpg is not None:
        terms = detect_terms(sources.mimic_cxr_jpg, sources.terms)
        pairing = detect_pairing(sources.mimic_cxr_jpg)
        mimic_cxr.read_mimic_cxr(connection, sources.mimic_cxr_jpg, run, terms=terms, pairing=pairing, quiet=quiet)
    if sources.chest_imagenome is not None:
        read_scene_graphs(connection, sources.chest_imagenome, run, quiet=quiet)
    if sources.mimic_cxr_reports is not None:
        mimic_cxr.read_reports(connection, sources.mimic_cxr_reports, run)
    if sources.film_folders:
        add_film_folders(
            connection, sources.film_folders, run,
            pairing=_folder_pairing(sources), pair_films=sources.pair_films, seed=sources.seed, quiet=quiet,
        )  # fmt: skip
    build_tb_cxr(connection)
    run.kept["tb_cxr"] = count_rows(connection, "tb_cxr")
    _describe(connection, sources, run)


def _follow(tables: Iterable[str], *, quiet: bool) -> None:
    for _ in track(tables, "tables", quiet=quiet):
        pass


def _describe(connection: duckdb.DuckDBPyConnection, sources: RecordSources, run: Run) -> None:
    """Fill record_info. Nothing of it depends on the clock or the machine."""
    names = [*sources.folders(), *(folder.source for folder in sources.film_folders)]
    info = {
        "schema_version": str(SCHEMA_VERSION),
        "terms": str(run.terms),
        "pairing": str(run.pairing),
        "sources": ", ".join(sorted(names)),
        "seed": str(sources.seed),
    }
    if run.terms == "share-alike":
        info["notice"] = (
            "Made from the MIMIC-IV demo, under the Open Database License 1.0: share alike, keep this notice."
        )
    insert_rows(connection, "record_info", sorted(info.items()))

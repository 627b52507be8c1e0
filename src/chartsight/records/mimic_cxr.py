"""MIMIC-CXR-JPG: films, views, times, the released split, CheXpert and NegBio labels; and the reports of MIMIC-CXR.

    mimic-cxr-2.0.0-metadata.csv.gz     dicom_id,subject_id,study_id,...,ViewPosition,...,StudyDate,StudyTime,...
                                        02aa...,10000032,50414267,...,PA,...,21800506,213014.531,...
    files/p10/p10000032/s50414267/02aa....jpg

Labels speak of a study, not of a film or a place: 1 present, 0 absent, -1 uncertain, blank not mentioned (no row).
Source: MIMIC-CXR-JPG 2.0.0.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import duckdb

from chartsight.errors import FilmError, RecordError
from chartsight.records.film_rows import STATE_STRENGTH, add_root, is_frontal, probe_films
from chartsight.records.mimiciv import drop_rows, fill_table
from chartsight.records.sql import count_rows, create_table, insert_rows, quoted, scalar
from chartsight.runs import Run
from chartsight.schema import (
    ATTRIBUTES,
    CHEXPERT_LABELS,
    CXR_FILES,
    CXR_LABEL_HEADER,
    CXR_METADATA_HEADER,
    CXR_SPLIT_HEADER,
    FINDING_SYNONYMS,
    WHOLE_FILM,
    Column,
    Pairing,
    Table,
    Terms,
)  # fmt: skip

SOURCE = "mimic-cxr-jpg"

_IDS = {"dicom_id": Column("dicom_id", "text", True), "subject_id": Column("subject_id", "int", True),
        "study_id": Column("study_id", "bigint", True)}  # fmt: skip
_METADATA = Table(
    "cxr_metadata", "cxr", tuple(_IDS.get(name, Column(name, "text")) for name in CXR_METADATA_HEADER), ("dicom_id",)
)
_SPLIT = Table(
    "cxr_split", "cxr", tuple(_IDS.get(name, Column(name, "text")) for name in CXR_SPLIT_HEADER), ("dicom_id",)
)
_LABELS = Table(
    "cxr_labels", "cxr", tuple(_IDS.get(name, Column(name, "float")) for name in CXR_LABEL_HEADER), ("study_id",)
)


def find_file(folder: Path, kind: str, *, required: bool = False) -> Path | None:
    """The metadata, split, chexpert or negbio file, gzipped or not."""
    path = folder / CXR_FILES[kind]
    for candidate in (path, path.with_suffix("")):
        if candidate.is_file():
            return candidate
    if required:
        raise RecordError("missing-file", path, "no such file", "MIMIC-CXR-JPG's own layout")
    return None


def read_mimic_cxr(
    connection: duckdb.DuckDBPyConnection, folder: Path, run: Run, *, terms: Terms, pairing: Pairing, quiet: bool
) -> None:
    """Fill films and labels. Without MIMIC-IV's patients, the films' subjects become patients of unknown sex and age.

    A film that the metadata names and the folder lacks, or that is no film, is dropped with its reason.

    Raises:
        RecordError: The metadata is missing or damaged, or no film at all could be taken.
    """
    metadata = find_file(folder, "metadata", required=True)
    assert metadata is not None
    _fill(connection, _METADATA, metadata, run)
    split = find_file(folder, "split")
    if split is not None:
        _fill(connection, _SPLIT, split, run)
    else:
        create_table(connection, _SPLIT)
    listed = connection.execute(
        """SELECT dicom_id, subject_id, study_id, ViewPosition, StudyDate, StudyTime, split
           FROM cxr_metadata LEFT JOIN (SELECT dicom_id, split FROM cxr_split) USING (dicom_id) ORDER BY dicom_id"""
    ).fetchall()
    connection.execute("DROP TABLE cxr_metadata; DROP TABLE cxr_split")
    for name in (_METADATA.name, _SPLIT.name):
        run.kept.pop(name, None)
    root = add_root(connection, folder)
    relative = [film_path(subject, study, dicom) for dicom, subject, study, *_ in listed]
    headers = probe_films((folder / path for path in relative), len(listed), quiet=quiet)
    rows = []
    for (dicom, subject, study, view, date, time, released), path, header in zip(
        listed, relative, headers, strict=True
    ):
        if isinstance(header, FilmError):
            run.drop(f"film: {header.code}", folder / path)
            continue
        try:
            taken = study_time(date, time)
        except (ValueError, OverflowError):
            run.drop("unparsable StudyDate or StudyTime", metadata, dicom)
            continue
        rows.append((
            dicom, study, subject, view, taken, header.rows, header.columns, header.bits, header.digest, path, root,
            is_frontal(view or ""), released, SOURCE, terms, pairing,
        ))  # fmt: skip
    if not rows:
        reasons = ", ".join(sorted(run.dropped)) or "the metadata is empty"
        raise RecordError("no-films", folder, f"no film can be taken ({reasons})", "films of the record's patients")
    insert_rows(connection, "films", rows)
    run.kept["films"] = run.kept.get("films", 0) + len(rows)
    if count_rows(connection, "patients") == 0:
        connection.execute("INSERT INTO patients (subject_id) SELECT DISTINCT subject_id FROM films ORDER BY 1")
    for kind in ("chexpert", "negbio"):
        labels = find_file(folder, kind)
        if labels is not None:
            _fill(connection, _LABELS, labels, run)
            _add_study_labels(connection, kind)
            connection.execute("DROP TABLE cxr_labels")
            run.kept[f"labels: {kind}"] = _count_labels(connection, kind)
            run.kept.pop(_LABELS.name, None)


def read_reports(connection: duckdb.DuckDBPyConnection, folder: Path, run: Run) -> None:
    """Fill reports with the text of every study of the record's films that has one.

    Raises:
        RecordError: No report was found at all.
    """
    studies = connection.execute(
        "SELECT DISTINCT study_id, subject_id FROM films WHERE source = ? ORDER BY 1", [SOURCE]
    ).fetchall()
    rows, missing = [], []
    base = folder / "files" if (folder / "files").is_dir() else folder  # either is called the reports' folder
    for study, subject in studies:
        path = base / f"p{str(subject)[:2]}" / f"p{subject}" / f"s{study}.txt"
        if path.is_file():
            rows.append((study, subject, path.read_text("utf-8", errors="replace")))
        else:
            missing.append(study)
    if studies and not rows:
        raise RecordError("missing-file", folder, "has no report of any study", "files/p10/p10000032/s50414267.txt")
    drop_rows(run, "study without a report", folder, missing[: Run.LISTED], len(missing))
    insert_rows(connection, "reports", rows)
    run.kept["reports"] = len(rows)


def film_path(subject_id: int, study_id: int, dicom_id: str) -> str:
    """Where MIMIC-CXR-JPG keeps a film, below its folder."""
    return f"files/p{str(subject_id)[:2]}/p{subject_id}/s{study_id}/{dicom_id}.jpg"


def study_time(date: str | None, time: str | None) -> datetime | None:
    """When a study was taken, to the second; None without a date.

        21800506, 213014.531 -> 2180-05-06 21:30:14
        21800506, 4530.0     -> 2180-05-06 00:45:30      (leading zeros are lost in the released file)

    Raises:
        ValueError, OverflowError: Neither is what DICOM writes.
    """
    if not date:
        return None
    day = datetime.strptime(date.split(".")[0], "%Y%m%d")
    clock = int(float(time or 0))
    hours, minutes, seconds = clock // 10_000, clock // 100 % 100, clock % 100
    if not (0 <= hours < 24 and minutes < 60 and seconds < 60):
        raise ValueError("no time of day")
    return day + timedelta(hours=hours, minutes=minutes, seconds=seconds)


def _fill(connection: duckdb.DuckDBPyConnection, table: Table, path: Path, run: Run) -> None:
    create_table(connection, table)
    fill_table(connection, table, path, run)


def _count_labels(connection: duckdb.DuckDBPyConnection, source: str) -> int:
    return int(scalar(connection, "SELECT count(*) FROM labels WHERE source = ?", [source]))


def _add_study_labels(connection: duckdb.DuckDBPyConnection, source: str) -> None:
    """Rows of `labels` from the fourteen columns; findings outside the vocabulary (support devices) make none."""
    attributes = {name: FINDING_SYNONYMS.get(name.lower(), name.lower()) for name in CHEXPERT_LABELS}
    known = [(name, attribute) for name, attribute in attributes.items() if attribute in ATTRIBUTES]
    names = ", ".join(quoted(name) for name, _ in known)
    strength = " ".join(f"WHEN {value} THEN {STATE_STRENGTH[state]}" for value, state in _STATES.items())
    state = " ".join(f"WHEN {strength} THEN '{state}'" for state, strength in STATE_STRENGTH.items())
    connection.execute("CREATE TEMP TABLE cxr_attributes (finding VARCHAR, attribute VARCHAR, category VARCHAR)")
    connection.executemany(
        "INSERT INTO cxr_attributes VALUES (?, ?, ?)", [(name, each, ATTRIBUTES[str(each)]) for name, each in known]
    )
    connection.execute(
        f"""INSERT INTO labels
            SELECT study_id, NULL, '{WHOLE_FILM}', attribute, category,
                CASE max(CASE value {strength} END) {state} END, '{source}'
            FROM (UNPIVOT cxr_labels ON {names} INTO NAME finding VALUE value)
            JOIN cxr_attributes USING (finding) SEMI JOIN films USING (study_id)
            WHERE value IN (1, 0, -1) GROUP BY ALL ORDER BY study_id, attribute"""
    )
    connection.execute("DROP TABLE cxr_attributes")


_STATES = {1: "present", 0: "absent", -1: "uncertain"}

"""Who is in EHRXQA's database: films with their admissions, offsets, and the patients that are drawn.

Random numbers are drawn in the order of the published builder; a draw whose result is thrown away is drawn all the
same, because the next one depends on it.
Source: EHRXQA, `preprocess_db_mimic_iv_cxr.py`, `build_tb_cxr_table` and `build_admission_table`.
"""

from __future__ import annotations

import calendar
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import MAXYEAR, MINYEAR, date, timedelta
from typing import Any

import numpy as np

from chartsight.errors import RecordError
from chartsight.records.ehrxqa.config import EhrxqaConfig
from chartsight.records.ehrxqa.films import FilmRow
from chartsight.records.ehrxqa.permutation import unit_mapping
from chartsight.records.ehrxqa.times import Times, draw_offset, parse_times, rotate, shift, staying_offsets, time_texts

Rows = dict[str, list[Any]]
YOUNGEST, OLDEST = 10, 90  # both excluded
LONGEST_STAY = 99  # percentile of the days of all stays, excluded
SEED = 0


@dataclass(frozen=True)
class Hospital:
    """The staged tables that the cohort is drawn from, whole, in the order of their files.

    Args:
        patients: subject_id, gender, anchor_age, anchor_year, dod.
        admissions: Every column that is read.
        icustays: Every column that is read.
        transfers: Every column that is read.
        files: Table → its file, for messages.
    """

    patients: Rows
    admissions: Rows
    icustays: Rows
    transfers: Rows
    files: Mapping[str, object]


@dataclass(frozen=True)
class Cohort:
    """The cohort and its four tables.

    Args:
        subjects: Patients of the database.
        admissions: hadm_id of the database.
        offsets: subject_id → minutes.
        stays: hadm_id → original admittime and dischtime, of every admission that is not an outlier.
        studies: study_id → its study time in the database.
        study_admissions: study_id → hadm_id or None.
        tables: patients, admissions, icustays, transfers, tb_cxr.
        generator: State of the random numbers after the cohort; the costs go on from there.
        kept: Counts for the manifest.
        dropped: What was left out, and why.
    """

    subjects: list[int]
    admissions: set[int]
    offsets: dict[int, int]
    stays: dict[int, tuple[str, str]]
    studies: dict[int, str]
    study_admissions: dict[int, int | float | None]
    tables: dict[str, Rows]
    generator: dict[str, Any]
    kept: dict[str, int]
    dropped: dict[str, int]


def choose_cohort(hospital: Hospital, films: Sequence[FilmRow], config: EhrxqaConfig) -> Cohort:
    """Draw the cohort.

    Args:
        hospital: The tables.
        films: One film a study, in the order of the metadata.
        config: Sizes and the window.

    Raises:
        RecordError: A row is malformed or names an unknown patient, or patients are too few.
    """
    rng = np.random.default_rng(SEED)
    kept: dict[str, int] = {}
    dropped: dict[str, int] = {}
    studydatetimes = [film.taken[:19] for film in films]
    film_admissions = place_films(hospital.transfers, films, studydatetimes, hospital.files["transfers"], dropped)
    imaged = {film.subject_id for film in films}
    births = draw_births(hospital.patients, hospital.files["patients"])
    rows, ages = usable_admissions(hospital, dropped)
    admissions = take(hospital.admissions, rows) | {"age": [ages[row] for row in rows]}
    stays = {
        hadm: (admitted, discharged)
        for hadm, admitted, discharged in zip(
            admissions["hadm_id"], admissions["admittime"], admissions["dischtime"], strict=True
        )
    }
    admissions = take(admissions, [n for n, subject in enumerate(admissions["subject_id"]) if subject in imaged])
    offsets = draw_offsets(rng, admissions, films, studydatetimes, config)

    now = np.datetime64(config.current_time, "s")
    begin = np.datetime64(f"{config.start_year}-01-01", "s")
    patients = take(hospital.patients, [n for n, s in enumerate(hospital.patients["subject_id"]) if s in imaged])
    patients["dob"] = [births[subject] for subject in patients["subject_id"]]
    patients = {name: patients[name] for name in ("subject_id", "gender", "dob", "dod")}
    moved(patients, ("dob", "dod"), offsets, now, None, hospital.files["patients"])
    patients = take(patients, present(patients["dob"]))
    moved(admissions, ("admittime", "dischtime"), offsets, now, begin, hospital.files["admissions"])
    admissions = take(admissions, present(admissions["admittime"]))
    icustays = {name: list(values) for name, values in hospital.icustays.items()}
    transfers = take(hospital.transfers, present(hospital.transfers["intime"]))
    for table, name in ((icustays, "icustays"), (transfers, "transfers")):
        known = [n for n, subject in enumerate(table["subject_id"]) if subject in offsets]
        table.update(take(table, known))
        moved(table, ("intime", "outtime"), offsets, now, None, hospital.files[name])
        table.update(take(table, present(table["intime"])))
    tb_cxr: Rows = {
        "subject_id": [film.subject_id for film in films],
        "hadm_id": film_admissions,
        "study_id": [film.study_id for film in films],
        "image_id": [film.image_id for film in films],
        "viewposition": [film.view for film in films],
        "studydatetime": list(studydatetimes),
    }
    moved(tb_cxr, ("studydatetime",), offsets, now, begin, hospital.files["films"])
    tb_cxr = take(tb_cxr, present(tb_cxr["studydatetime"]))

    subjects = draw_patients(rng, admissions, config, kept)
    chosen = set(subjects)
    patients, admissions, tb_cxr = (
        take(table, [n for n, subject in enumerate(table["subject_id"]) if subject in chosen])
        for table in (patients, admissions, tb_cxr)
    )
    hadm_ids = set(admissions["hadm_id"])
    icustays, transfers = (
        take(table, [n for n, hadm in enumerate(table["hadm_id"]) if hadm in hadm_ids])
        for table in (icustays, transfers)
    )
    units = unit_mapping(icustays["first_careunit"], icustays["last_careunit"])
    for column in ("first_careunit", "last_careunit"):
        icustays[column] = [units[unit] for unit in icustays[column]]
    transfers["careunit"] = [units.get(unit, unit) for unit in transfers["careunit"]]
    order, passed = rotate(tb_cxr["subject_id"], tb_cxr["studydatetime"])
    tb_cxr = take(tb_cxr, order)
    tb_cxr["studydatetime"] = passed
    tb_cxr["hadm_id"] = like_pandas([hadm if hadm in hadm_ids else None for hadm in tb_cxr["hadm_id"]])
    tables = {
        "patients": patients, "admissions": admissions, "icustays": icustays, "transfers": transfers, "tb_cxr": tb_cxr,
    }  # fmt: skip
    return Cohort(
        subjects=subjects,
        admissions=hadm_ids,
        offsets=offsets,
        stays=stays,
        studies=dict(zip(tb_cxr["study_id"], tb_cxr["studydatetime"], strict=True)),
        study_admissions=dict(zip(tb_cxr["study_id"], tb_cxr["hadm_id"], strict=True)),
        tables={name: numbered(table) for name, table in tables.items()},
        generator=dict(rng.bit_generator.state),
        kept=kept,
        dropped=dropped,
    )


def take(table: Rows, rows: Iterable[int]) -> Rows:
    """The rows of a table, in this order."""
    rows = list(rows)
    return {name: [values[row] for row in rows] for name, values in table.items()}


def present(values: Sequence[Any]) -> list[int]:
    """The rows that have a value."""
    return [row for row, value in enumerate(values) if value is not None]


def numbered(table: Rows) -> Rows:
    """The table with row_id from 0 in front."""
    return {"row_id": list(range(len(next(iter(table.values()))))), **table}


def like_pandas(values: list[Any]) -> list[Any]:
    """Whole numbers as decimals when any is missing, as pandas holds them."""
    return [None if value is None else float(value) for value in values] if None in values else values


def moved(
    table: Rows,
    columns: Sequence[str],
    offsets: Mapping[int, int],
    until: np.datetime64,
    since: np.datetime64 | None,
    where: object,
) -> None:
    """Shift columns of times of a table in place."""
    for name in columns:
        times = parse_times(table[name], where, name)
        table[name] = time_texts(shift(times, table["subject_id"], offsets, until=until, since=since))


def place_films(
    transfers: Rows, films: Sequence[FilmRow], taken: Sequence[str], where: object, dropped: dict[str, int]
) -> list[Any]:
    """The admission of each film: of the one transfer that holds its time; None without, or with several.

    The published builder stops at a film with several, but for one patient, whose film it leaves without admission;
    here all such films are, and they are counted.
    """
    wanted = {film.subject_id for film in films}
    by_subject: dict[int, list[int]] = {}
    for row, subject in enumerate(transfers["subject_id"]):
        if subject in wanted:
            by_subject.setdefault(subject, []).append(row)
    needed = [row for rows in by_subject.values() for row in rows]
    part = take(transfers, needed)
    begins, ends = (parse_times(part[name], where, name) for name in ("intime", "outtime"))
    position = {row: n for n, row in enumerate(needed)}
    times: Times = np.array(taken, "datetime64[s]")
    found: list[Any] = []
    several = 0
    for film, time in zip(films, times, strict=True):
        rows = [
            row for row in by_subject.get(film.subject_id, []) if begins[position[row]] <= time <= ends[position[row]]
        ]
        several += len(rows) > 1
        found.append(transfers["hadm_id"][rows[0]] if len(rows) == 1 else None)
    dropped["admission of a study in several transfers"] = several
    return like_pandas(found)


def draw_births(patients: Rows, where: object) -> dict[int, str]:
    """subject_id → a birth date of the right year: a random day, which may be the first of the next year."""
    draws = random.Random(SEED)
    births = {}
    rows = zip(patients["subject_id"], patients["anchor_year"], patients["anchor_age"], strict=True)
    for number, (subject, year, age) in enumerate(rows, start=1):
        if subject is None or year is None or age is None:
            raise RecordError(
                "malformed-row", where, f"row {number:,}: subject_id, anchor_year or anchor_age is missing"
            )
        born = int(year) - int(age)
        if not MINYEAR <= born < MAXYEAR:
            raise RecordError(
                "malformed-row", where, f"row {number:,}: anchor_year less anchor_age is no year", "such as 2128"
            )
        days = 366 if calendar.isleap(born) else 365
        day = date(born, 1, 1) + timedelta(days=draws.randint(0, days))
        births[subject] = f"{day:%Y-%m-%d} 00:00:00"
    return births


def usable_admissions(hospital: Hospital, dropped: dict[str, int]) -> tuple[list[int], dict[int, int]]:
    """Rows of admissions that are no outliers in age or length, and the age of every row.

    Raises:
        RecordError: A time is missing or none, the patient is unknown, or an admission stands twice.
    """
    table, where = hospital.admissions, hospital.files["admissions"]
    anchors = {
        subject: int(age) - int(year)
        for subject, year, age in zip(
            hospital.patients["subject_id"], hospital.patients["anchor_year"], hospital.patients["anchor_age"],
            strict=True,
        )
    }  # fmt: skip
    for number, row in enumerate(
        zip(*(table[n] for n in ("subject_id", "hadm_id", "admittime", "dischtime")), strict=True), 1
    ):
        if None in row:
            raise RecordError("malformed-row", where, f"row {number:,}: an identifier or a time is missing")
        if row[0] not in anchors:
            raise RecordError("malformed-row", where, f"row {number:,}: its subject_id is not in patients")
    if len(set(table["hadm_id"])) < len(table["hadm_id"]):
        raise RecordError("malformed-table", where, "a hadm_id stands twice", "one row an admission")
    admitted, discharged = (parse_times(table[name], where, name) for name in ("admittime", "dischtime"))
    years = admitted.astype("datetime64[Y]").astype(int) + 1970
    ages = {
        row: int(year) + anchors[subject]
        for row, (year, subject) in enumerate(zip(years, table["subject_id"], strict=True))
    }
    rows = [row for row, age in ages.items() if YOUNGEST < age < OLDEST]
    days = (discharged - admitted).astype("timedelta64[s]").astype(np.int64) // 86_400
    if not rows:
        raise RecordError("too-few-patients", where, "no admission of an age between 10 and 90")
    longest = np.percentile([int(days[row]) for row in rows], q=LONGEST_STAY)
    kept = [row for row in rows if days[row] < longest]
    dropped["admission: age"] = len(ages) - len(rows)
    dropped["admission: length of stay"] = len(rows) - len(kept)
    return kept, ages


def draw_offsets(
    rng: np.random.Generator, admissions: Rows, films: Sequence[FilmRow], taken: Sequence[str], config: EhrxqaConfig
) -> dict[int, int]:
    """subject_id → minutes, for every patient with a film; those that stay in hospital get theirs last."""
    subjects = list(dict.fromkeys(admissions["subject_id"]))
    for _ in subjects:  # by the first admission; replaced below, but drawn
        draw_offset(rng, config.start_year, config.time_span, config.start_year)
    earliest: dict[int, str] = {}
    for film, time in zip(films, taken, strict=True):
        earliest[film.subject_id] = min(earliest.get(film.subject_id, time), time)
    offsets = {
        subject: draw_offset(rng, config.start_year, config.time_span, int(time[:4]))
        for subject, time in earliest.items()
    }
    last: dict[int, tuple[str, str]] = {}
    for subject, admitted, discharged in zip(
        admissions["subject_id"], admissions["admittime"], admissions["dischtime"], strict=True
    ):
        if subject not in last or admitted > last[subject][0]:
            last[subject] = (admitted, discharged)
    return offsets | staying_offsets(last, config.staying, config.current_time, subjects)


def draw_patients(
    rng: np.random.Generator, admissions: Rows, config: EhrxqaConfig, counts: dict[str, int]
) -> list[int]:
    """Patients of the database: some of those in hospital at the end, then some of the others; all where too few."""
    staying = int(config.patients * config.current_share)
    pairs = list(zip(admissions["subject_id"], admissions["dischtime"], strict=True))
    current = choose(rng, [subject for subject, discharged in pairs if discharged is None], staying)
    taken = set(current)
    others = [subject for subject, discharged in pairs if discharged is not None and subject not in taken]
    rest = choose(rng, others, config.patients - staying)
    counts["patients in hospital at the end"] = len(current)
    counts["other patients"] = len(rest)
    return current + rest


def choose(rng: np.random.Generator, subjects: Sequence[int], count: int) -> list[int]:
    """So many different patients, or all of them (and no draw) when they are fewer."""
    distinct = list(dict.fromkeys(subjects))
    if count > len(distinct):
        return distinct
    return [int(subject) for subject in rng.choice(np.array(distinct, np.int64), count, replace=False)]

"""The hospital's tables against MIMIC-IV's contract, against the real demo, and against medicine."""

from __future__ import annotations

import csv
import gzip
import os
from collections.abc import Iterator
from datetime import date, datetime
from itertools import pairwise
from pathlib import Path
from statistics import median

import pytest

from chartsight.hospital.codes import AS_NEEDED, FILTRATION
from chartsight.hospital.config import HospitalConfig
from chartsight.hospital.labs import filtration_result
from chartsight.hospital.patients import iterate_patients, plan_patients
from chartsight.hospital.rows import HOSPITAL_TABLES, Rows
from chartsight.hospital.tables import build_tables, write_tables
from chartsight.schema import HOSP_TABLES, ICU_TABLES, Table

ROOT = Path(__file__).parents[2]
DEMO = Path(os.environ.get("CHARTSIGHT_OPEN_DATA", ROOT / ".." / "shared" / "open-data")) / "mimic-iv-demo"
MIMIC_TABLES = (*HOSP_TABLES, *ICU_TABLES)
PARSERS = {
    "int": int,
    "bigint": int,
    "float": float,
    "text": str,
    "date": date.fromisoformat,
    "time": datetime.fromisoformat,
}
VITALS = {220045, 220050, 220051, 220052, 220210, 220277, 223762, 226512, 226730, 224639}


@pytest.fixture(scope="module")
def rows() -> Rows:
    return build_tables(plan_patients(HospitalConfig(patients=60, seed=3)), seed=3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tables") / "mimic-iv"
    write_tables(folder, iterate_patients(HospitalConfig(patients=60, seed=3)), seed=3)
    return folder


def read(folder: Path, table: Table) -> Iterator[list[str]]:
    path = folder / table.module / f"{table.name}.csv.gz"
    if not path.is_file():
        path = folder / "extra" / f"{table.name}.csv.gz"
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        yield from csv.reader(file)


def null_counts(folder: Path, table: Table) -> tuple[int, list[int]]:
    lines = read(folder, table)
    counts = [0] * len(next(lines))
    total = 0
    for line in lines:
        total += 1
        for place, field in enumerate(line):
            counts[place] += field == ""
    return total, counts


@pytest.mark.parametrize("table", HOSPITAL_TABLES, ids=lambda table: table.name)
def test_a_table_has_the_contracts_header_types_required_values_and_keys(folder: Path, table: Table) -> None:
    lines = read(folder, table)
    assert tuple(next(lines)) == table.header
    keys = set()
    count = 0
    for line in lines:
        count += 1
        for column, field in zip(table.columns, line, strict=True):
            if field:
                PARSERS[column.type](field)
            else:
                assert not column.required, column.name
        keys.add(tuple(line[table.header.index(name)] for name in table.key))
    assert count > 0, "a table without rows tests nothing"
    if table.key:
        assert len(keys) == count


@pytest.mark.opendata
@pytest.mark.parametrize("table", MIMIC_TABLES, ids=lambda table: table.name)
def test_a_table_reads_like_the_real_demos(folder: Path, table: Table) -> None:
    if not (DEMO / table.module / f"{table.name}.csv.gz").is_file():
        pytest.skip(f"the MIMIC-IV demo's {table.name} is not beside the project")
    header = next(read(DEMO, table))
    assert next(read(folder, table)) == header
    lines = read(DEMO, table)
    next(lines)
    for _, line in zip(range(2000), lines, strict=False):
        for column, field in zip(table.columns, line, strict=True):
            if field:
                PARSERS[column.type](field)  # the demo parses in the type that ours is written in
    real_count, real_nulls = null_counts(DEMO, table)
    our_count, our_nulls = null_counts(folder, table)
    for name, real, ours in zip(header, real_nulls, our_nulls, strict=True):
        if real == 0:
            assert ours == 0, f"{name} is never null in the demo"
        if real == real_count:
            assert ours == our_count, f"{name} is always null in the demo"


def test_rows_refuse_a_column_that_mimic_does_not_have() -> None:
    with pytest.raises(KeyError):
        Rows().add("patients", subject_id=1, name="nobody")


def test_times_are_of_whole_seconds(rows: Rows) -> None:
    for table in HOSPITAL_TABLES:
        for row in rows.tables[table.name]:
            assert not any(value.microsecond for value in row if type(value) is datetime), table.name


def test_every_code_stands_in_its_dictionary(rows: Rows) -> None:
    for table, column, dictionary in (
        ("labevents", "itemid", "d_labitems"),
        ("chartevents", "itemid", "d_items"),
        ("procedureevents", "itemid", "d_items"),
        ("inputevents", "itemid", "d_items"),
    ):
        used, known = set(rows.columns(table, column)), set(rows.columns(dictionary, "itemid"))
        assert used <= known
    coded = set(rows.columns("diagnoses_icd", "icd_code", "icd_version"))
    assert coded == set(rows.columns("d_icd_diagnoses", "icd_code", "icd_version"))
    assert {item for (item,) in rows.columns("chartevents", "itemid")} == VITALS


def test_events_lie_within_their_stay_and_stays_within_their_admission(rows: Rows) -> None:
    admissions = {
        hadm: (start, end) for hadm, start, end in rows.columns("admissions", "hadm_id", "admittime", "dischtime")
    }
    stays = {stay: (start, end) for stay, start, end in rows.columns("icustays", "stay_id", "intime", "outtime")}
    for hadm, start, end in rows.columns("icustays", "hadm_id", "intime", "outtime"):
        assert admissions[hadm][0] <= start < end <= admissions[hadm][1]
    for stay, time in rows.columns("chartevents", "stay_id", "charttime"):
        assert stays[stay][0] <= time <= stays[stay][1]
    for hadm, time in rows.columns("labevents", "hadm_id", "charttime"):
        assert hadm is None or admissions[hadm][0] <= time <= admissions[hadm][1]
    for hadm, start, end in rows.columns("transfers", "hadm_id", "intime", "outtime"):
        assert end is None or start < end <= admissions[hadm][1]
    years = {start.year for start, _ in admissions.values()}
    assert min(years) >= 2110 and max(years) <= 2200


def test_laboratory_results_follow_the_disease(rows: Rows) -> None:
    patients = plan_patients(HospitalConfig(patients=60, seed=3))
    ill = {patient.subject_id for patient in patients if patient.course_name == "heart failure"}
    well = {patient.subject_id for patient in patients if patient.course_name == "chest pain"}
    peptides: dict[int, list[float]] = {}
    for subject, item, value in rows.columns("labevents", "subject_id", "itemid", "valuenum"):
        if item == 50963 and value is not None:
            peptides.setdefault(subject, []).append(value)
    failing, other = ([value for each in group & set(peptides) for value in peptides[each]] for group in (ill, well))
    assert not other or median(failing) > 5 * median(other)
    assert len(failing) >= 3


def test_a_result_is_near_the_one_before_it(rows: Rows) -> None:
    """In the MIMIC-IV demo half of the steps are below 0.4 g/dl of haemoglobin and 0.1 mg/dl of creatinine."""
    results: dict[tuple[int, int], list[tuple[datetime, float]]] = {}
    for hadm, item, time, value in rows.columns("labevents", "hadm_id", "itemid", "charttime", "valuenum"):
        if hadm is not None and value is not None:
            results.setdefault((hadm, item), []).append((time, value))
    steps: dict[int, list[float]] = {}
    for (_, item), stay in results.items():
        values = [value for _, value in sorted(stay)]
        steps.setdefault(item, []).extend(abs(b - a) for a, b in pairwise(values))
    haemoglobin, creatinine = 51222, 50912
    assert 0.2 < median(steps[haemoglobin]) < 0.7 and median(steps[creatinine]) < 0.25
    assert max(steps[haemoglobin]) < 6
    lowest = min(value for (_, item), stay in results.items() for _, value in stay if item == haemoglobin)
    assert lowest > 4.5


def test_no_share_of_cells_is_more_than_all_of_them(rows: Rows) -> None:
    percent = {value for unit, value in rows.columns("labevents", "valueuom", "valuenum") if unit == "%" and value}
    assert percent and max(percent) <= 100


def test_nobody_is_vaccinated_twice_in_one_stay(rows: Rows) -> None:
    given = [hadm for hadm, drug in rows.columns("prescriptions", "hadm_id", "drug") if drug.startswith("Influenza")]
    assert given and len(given) == len(set(given))


def test_patients_with_heart_failure_lose_their_water() -> None:
    patients = [
        each for each in plan_patients(HospitalConfig(patients=250, seed=3)) if each.course_name == "heart failure"
    ]
    rows = build_tables(patients, seed=3)
    weights: dict[int, list[float]] = {}
    for stay, item, value in rows.columns("chartevents", "stay_id", "itemid", "valuenum"):
        if item in (224639, 226512):
            weights.setdefault(stay, []).append(value)
    long = [each for each in weights.values() if len(each) >= 3]
    assert long and sum(each[-1] < each[0] for each in long) / len(long) > 0.6


def test_a_result_is_flagged_against_the_range_of_its_sex(rows: Rows) -> None:
    women = {subject for subject, gender in rows.columns("patients", "subject_id", "gender") if gender == "F"}
    seen = set()
    names = ("subject_id", "itemid", "valuenum", "ref_range_lower", "ref_range_upper", "flag")
    for subject, item, value, low, high, flag in rows.columns("labevents", *names):
        if item == 51222:
            assert (low, high) == ((11.2, 15.7) if subject in women else (13.7, 17.5))
        if value is not None and low is not None:
            assert flag == (None if low <= value <= high else "abnormal")
            seen.add(flag)
    assert seen == {None, "abnormal"}


def test_written_in_one_go_and_patient_by_patient_are_the_same_rows(rows: Rows, folder: Path) -> None:
    for table in HOSPITAL_TABLES:
        assert sum(1 for _ in read(folder, table)) - 1 == len(rows.tables[table.name])
    (labevents,) = (table for table in HOSPITAL_TABLES if table.name == "labevents")
    keys = [int(line[0]) for line in list(read(folder, labevents))[1:]]
    assert keys == list(range(1, len(keys) + 1))


def test_every_charge_points_to_its_row(rows: Rows) -> None:
    tables = {name: rows.columns(name, "subject_id", "hadm_id") for name in ("labevents", "diagnoses_icd")}
    charges = rows.columns("cost", "event_type", "event_id", "subject_id", "hadm_id", "cost")
    assert [row_id for (row_id,) in rows.columns("cost", "row_id")] == list(range(len(charges)))
    for table, event, subject, hadm, cost in charges:
        assert cost > 0
        if table in tables:
            assert tables[table][event] == (subject, hadm)


def test_what_is_given_when_asked_for_has_no_schedule(rows: Rows) -> None:
    names = ("medication", "frequency", "disp_sched", "doses_per_24_hrs")
    seen = set()
    for drug, frequency, schedule, doses in rows.columns("pharmacy", *names):
        assert ("PRN" in frequency) == (drug in AS_NEEDED)
        if drug in AS_NEEDED:
            assert schedule is None and doses is None
        seen.add(drug in AS_NEEDED)
    assert seen == {True, False}
    doses = [each for (each,) in rows.columns("prescriptions", "doses_per_24_hrs")]
    assert 0.2 < sum(each is None for each in doses) / len(doses) < 0.6  # 0.41 in the MIMIC-IV demo


def test_a_course_is_cultured_and_treated_as_such() -> None:
    """Pneumonia grows germs and is given antibiotics, heart failure a diuretic; outpatients have no admission."""
    patients = plan_patients(HospitalConfig(patients=250, seed=3))
    rows = build_tables(patients, seed=3)
    of_course = {patient.subject_id: patient.course_name for patient in patients}
    admitted: dict[str, int] = {}
    for (subject,) in rows.columns("admissions", "subject_id"):
        admitted[of_course[subject]] = admitted.get(of_course[subject], 0) + 1

    def share(course: str, hits: set[tuple[int, int]]) -> float:
        """Of the course's admissions, those among (subject_id, hadm_id)."""
        return sum(of_course[subject] == course for subject, _ in hits) / admitted[course]

    drugs = list(rows.columns("prescriptions", "subject_id", "hadm_id", "drug"))
    antibiotic = {(subject, hadm) for subject, hadm, drug in drugs if drug in {"CefTRIAXone", "Azithromycin"}}
    diuretic = {(subject, hadm) for subject, hadm, drug in drugs if drug == "Furosemide"}
    cultures = list(rows.columns("microbiologyevents", "subject_id", "hadm_id", "org_name"))
    grown = {(subject, hadm) for subject, hadm, organism in cultures if organism and hadm is not None}
    assert share("pneumonia", antibiotic) > 0.8 > 0.5 > share("heart failure", antibiotic)
    assert share("heart failure", diuretic) > 0.8 > 0.5 > share("pneumonia", diuretic)
    assert share("pneumonia", grown) > 0.4 and share("heart failure", grown) == 0
    outpatients = sum(hadm is None for _, hadm, _ in cultures) / len(cultures)
    assert 0.1 < outpatients < 0.5  # 0.33 in the MIMIC-IV demo


def test_words_of_the_laboratory_stand_in_the_comments(rows: Rows) -> None:
    """In the MIMIC-IV demo nine results in a hundred have neither value nor number, and say what they are beside it."""
    names = ("itemid", "value", "valuenum", "comments", "subject_id")
    worded = [each for each in rows.columns("labevents", *names) if each[1] is None]
    results = len(rows.tables["labevents"])
    assert 0.05 < len(worded) / results < 0.13
    assert all(number is None and comment for _, _, number, comment, _ in worded)
    sentences = [comment for item, _, _, comment, _ in worded if item == FILTRATION]
    creatinines = sum(item == 50912 for (item,) in rows.columns("labevents", "itemid"))
    assert 0.15 < len(sentences) / creatinines < 0.35
    assert all("Estimated GFR = " in sentence for sentence in sentences)
    assert any(">75" in sentence for sentence in sentences) and not all(">75" in sentence for sentence in sentences)


def test_filtration_by_hand() -> None:
    """A man of 50 with 1.2 mg/dl: 175 * 1.2^-1.154 * 50^-0.203 = 64; a woman 0.742 times that, 48."""
    patients = plan_patients(HospitalConfig(patients=40, seed=3))
    for sex, said in (("M", "64"), ("F", "48")):
        patient = next(each for each in patients if each.body.sex == sex)
        moment = datetime(patient.anchor_year + 50 - patient.body.age, 6, 1)
        comment = filtration_result(patient, 1.2, moment).comment
        assert comment is not None and f"Estimated GFR = {said} " in comment

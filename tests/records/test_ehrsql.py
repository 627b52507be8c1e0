"""EHRSQL-2024's database: every rule on invented patients (tests/fixtures/tiny-ehrsql says what each row is for)."""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chartsight.cli import main, run_command
from chartsight.errors import OutputError, RecordError
from chartsight.records import build_ehrsql
from chartsight.records.ehrsql import _draw, birthday, find_files
from chartsight.records.ehrsql_schema import KEPT_IN, PUBLISHED_TABLES, TITLES_OF_PROCEDURES
from chartsight.records.sources import RecordSources
from chartsight.runs import is_disk_full
from tests.records.test_meds import write_events

pytest_plugins = ["tests.fixtures_ehrsql"]


def rows(database: Path, sql: str) -> list[tuple[Any, ...]]:
    with sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True) as connection:
        return connection.execute(sql).fetchall()


# ------------------------------------------------------------------------------------------------------ time and people


def test_a_patient_moves_by_whole_years_of_365_days(ehrsql_database: Path) -> None:
    moved = datetime(2150, 3, 10, 8) + timedelta(days=365 * (2100 - 2150))
    assert (moved.month, moved.day) == (3, 22), "twelve leap days fall away"
    found = rows(ehrsql_database, "SELECT admittime, dischtime FROM admissions WHERE hadm_id = 20000001")
    assert found == [(str(moved), str(moved + timedelta(days=4, hours=4)))]


def test_who_comes_after_now_is_not_there_yet(ehrsql_database: Path) -> None:
    assert rows(ehrsql_database, "SELECT hadm_id FROM admissions") == [
        (20000001,),
        (20000003,),
        (20000004,),
        (20000005,),
    ]
    # the second was admitted too late in the year, the fourth never
    assert rows(ehrsql_database, "SELECT subject_id FROM patients") == [(10000001,), (10000003,), (10000005,)]


def test_what_ends_after_now_has_not_ended(ehrsql_database: Path) -> None:
    sql = "SELECT dischtime, discharge_location FROM admissions WHERE hadm_id = 20000004"
    assert rows(ehrsql_database, sql) == [(None, None)]
    assert rows(ehrsql_database, "SELECT outtime FROM icustays WHERE stay_id = 39000003") == [(None,)]
    assert rows(ehrsql_database, "SELECT outtime FROM transfers WHERE transfer_id = 31000004") == [(None,)]
    assert rows(ehrsql_database, "SELECT stoptime FROM prescriptions WHERE row_id = 2") == [(None,)]
    dod = "SELECT dod FROM patients ORDER BY subject_id"
    assert rows(ehrsql_database, dod) == [(None,), (None,), ("2100-03-01 00:00:00",)]


def test_the_year_ends_a_minute_before_midnight_and_begins_at_new_year(ehrsql_database: Path) -> None:
    sql = "SELECT charttime, valuenum FROM labevents WHERE itemid = 50931 ORDER BY charttime"
    assert rows(ehrsql_database, sql) == [("2100-03-22 10:00:00", 101.5), ("2100-12-31 23:59:00", 97.0)]
    assert rows(ehrsql_database, "SELECT count(*) FROM transfers WHERE transfer_id = 31000005") == [(0,)]


def test_age_counts_from_the_anchor_and_has_no_bounds(ehrsql_database: Path) -> None:
    found = rows(ehrsql_database, "SELECT hadm_id, age FROM admissions")
    assert found == [(20000001, 40), (20000003, 60), (20000004, 60), (20000005, 92)]


def test_everybody_has_the_same_birthday(ehrsql_database: Path) -> None:
    random.seed(0)
    born = datetime(2150 - 40, 1, 1) + timedelta(days=random.randint(0, 365), hours=-24 * 365 * 50)
    assert birthday(365) == birthday(366) == random.Random(0).randint(0, 365)
    assert rows(ehrsql_database, "SELECT dob FROM patients WHERE subject_id = 10000001") == [(str(born),)]


# ------------------------------------------------------------------------------------------------------ texts and codes


def test_texts_are_lower_case_stripped_and_absent_where_a_file_says_so(ehrsql_database: Path) -> None:
    sql = "SELECT admission_location, language, marital_status FROM admissions"
    assert rows(ehrsql_database, sql) == [
        ("emergency room", "english", None),
        ("physician referral", "?", "widowed"),
        ("emergency room", "english", None),  # the file says NA
        ("emergency room", "english", "married"),
    ]


def test_codes_carry_their_version_and_every_zero(ehrsql_database: Path) -> None:
    assert rows(ehrsql_database, "SELECT row_id, icd_code, long_title FROM d_icd_diagnoses") == [
        (0, "icd9|0010", "cholera due to vibrio cholerae"),  # its title again, under icd10|a000, is left out
        (1, "icd10|i10", "essential (primary) hypertension"),
        (2, "icd9|4019", "unspecified essential hypertension"),
    ]
    assert rows(ehrsql_database, "SELECT icd_code FROM d_icd_procedures ORDER BY row_id") == [
        ("icd9|3961",), ("icd10|5a1221z",), ("icd9|8931",),
    ]  # fmt: skip


def test_a_title_of_a_procedure_is_no_diagnosis(ehrsql_database: Path) -> None:
    assert "dental examination" in TITLES_OF_PROCEDURES
    assert rows(ehrsql_database, "SELECT count(*) FROM d_icd_procedures WHERE long_title = 'dental examination'") == [
        (1,)
    ]
    assert rows(ehrsql_database, "SELECT count(*) FROM d_icd_diagnoses WHERE long_title = 'dental examination'") == [
        (0,)
    ]


def test_diagnoses_are_made_at_admission(ehrsql_database: Path) -> None:
    assert rows(ehrsql_database, "SELECT * FROM diagnoses_icd") == [
        (0, 10000001, 20000001, "icd9|0010", "2100-03-22 08:00:00"),
        (1, 10000003, 20000004, "icd10|i10", "2100-12-22 10:00:00"),
    ]


def test_procedures_are_done_as_charted_or_when_the_stay_ends(ehrsql_database: Path) -> None:
    assert rows(ehrsql_database, "SELECT icd_code, charttime FROM procedures_icd") == [
        ("icd9|3961", "2100-03-24 00:00:00"),
        ("icd10|5a1221z", "2100-03-26 12:00:00"),  # charted at midnight, before the admission at eight
        ("icd9|8931", "2100-03-26 12:00:00"),  # charted the day after
        ("icd9|3961", "2100-12-25 00:00:00"),  # the stay has an end in the file, not by now
    ]


def test_a_name_belongs_to_one_table(ehrsql_database: Path) -> None:
    assert (KEPT_IN["heparin"], KEPT_IN["sodium"], KEPT_IN["norepinephrine"]) == (
        "prescriptions", "labevents", "inputevents",
    )  # fmt: skip
    assert len(KEPT_IN) == 140 and KEPT_IN["factor viii"] != KEPT_IN["factor xiii"]
    assert rows(ehrsql_database, "SELECT label FROM d_labitems") == [("glucose",), ("sodium",)]
    labels = [label for (label,) in rows(ehrsql_database, "SELECT label FROM d_items")]
    assert labels == ["heart rate", "daily weight", "norepinephrine", "nacl 0.9%", "foley"]
    drugs = rows(ehrsql_database, "SELECT DISTINCT drug FROM prescriptions ORDER BY 1")
    assert drugs == [("aspirin",), ("heparin",)]


# --------------------------------------------------------------------------------------------------------------- events


def test_laboratory_values_have_a_number_a_unit_and_an_admission(ehrsql_database: Path) -> None:
    assert rows(ehrsql_database, "SELECT row_id, hadm_id, itemid, valuenum, valueuom FROM labevents") == [
        (0, 20000001, 50931, 101.5, "mg/dl"),
        (1, 20000001, 50983, 140.0, None),  # its unit is one blank: there when rows are chosen, absent when stored
        (2, 20000004, 50931, 97.0, "mg/dl"),
    ]


def test_prescriptions_have_whole_doses_in_the_commonest_unit(ehrsql_database: Path) -> None:
    sql = "SELECT drug, dose_val_rx, typeof(dose_val_rx), dose_unit_rx, route FROM prescriptions"
    assert rows(ehrsql_database, sql) == [
        ("aspirin", "20.0", "text", "mg", "po"),
        ("heparin", "5000.0", "text", "unit", "sc"),  # as common as ml, and first in the file
        ("aspirin", "325.0", "text", "mg", "po"),
    ]


def test_inputs_and_outputs_are_volumes(ehrsql_database: Path) -> None:
    assert rows(ehrsql_database, "SELECT itemid, totalamount, totalamountuom FROM inputevents") == [
        (225158, 500.0, "ml")
    ]
    assert rows(ehrsql_database, "SELECT itemid, value, valueuom FROM outputevents") == [(226559, 120.5, "ml")]


def test_charted_events_are_vital_signs_with_number_and_unit(ehrsql_database: Path) -> None:
    assert rows(ehrsql_database, "SELECT * FROM chartevents") == [
        (0, 10000001, 20000001, 39000001, 220045, "2100-03-22 10:00:00", 88.0, "bpm"),
        (1, 10000001, 20000001, 39000002, 220045, "2100-03-23 09:04:00", 91.0, "bpm"),
    ]


def test_charted_events_from_meds_go_to_their_stay_or_the_nearest(
    write_ehrsql_files: Callable[..., Path], tmp_path: Path
) -> None:
    files = write_ehrsql_files(tmp_path / "mimic-iv-demo", without=("chartevents",))
    meds = write_events(
        tmp_path / "events.parquet",
        (10000001, "2150-03-10 10:00:00", "LAB//220045//bpm", 88.0),
        (10000001, "2150-03-11 09:04:00", "LAB//220045//bpm", 91.0),  # a stray: a minute before the second stay
        (10000001, "2150-03-10 12:00:00", "LAB//224639//UNK", 70.0),  # without a unit
        (10000001, "2150-03-10 12:30:00", "LAB//224639//kg", 70.1),
        (10000003, "2130-12-29 10:00:00", "LAB//220045//bpm", 70.0),  # after now
    )
    run = build_ehrsql(tmp_path / "e.sqlite", files, meds, quiet=True)
    assert rows(tmp_path / "e.sqlite", "SELECT stay_id, charttime, valuenum, valueuom FROM chartevents") == [
        (39000001, "2100-03-22 10:00:00", 88.0, "bpm"),
        (39000002, "2100-03-23 09:04:00", 91.0, "bpm"),
        (39000001, "2100-03-22 12:30:00", 70.1, "kg"),
    ]
    assert run.kept["charted numbers in no ICU stay, given to the nearest"] == 1


def test_a_culture_without_a_time_has_its_date(ehrsql_database: Path) -> None:
    assert rows(ehrsql_database, "SELECT charttime, spec_type_desc, org_name FROM microbiologyevents") == [
        ("2100-03-22 09:30:00", "blood culture", "escherichia coli"),
        ("2100-03-23 00:00:00", "urine", None),
    ]


def test_transfers_belong_to_an_admission(ehrsql_database: Path) -> None:
    sql = "SELECT row_id, transfer_id, careunit, typeof(hadm_id) FROM transfers"
    assert rows(ehrsql_database, sql) == [
        (0, 31000001, "emergency department", "integer"),
        (1, 31000002, None, "integer"),
        (2, 31000004, "medicine", "integer"),
    ]


# ------------------------------------------------------------------------------------------------------ draws and costs


def test_costs_come_last_of_one_generator(ehrsql_database: Path) -> None:
    """The same draws by hand: a year for each of four admitted patients, four means, then the sorted codes of each."""
    numbers = np.random.default_rng(0)
    for _ in range(4):
        numbers.random()
    means = numbers.poisson(10, 4)
    names = [
        ["icd10|i10", "icd9|0010"],
        [50931, 50983],
        ["icd10|5a1221z", "icd9|3961", "icd9|8931"],
        ["aspirin", "heparin"],
    ]
    prices = {
        name: round(numbers.normal(mean, 1), 2) for mean, group in zip(means, names, strict=True) for name in group
    }
    events = ["icd9|0010", "icd10|i10", 50931, 50983, 50931, "icd9|3961", "icd10|5a1221z", "icd9|8931", "icd9|3961",
              "aspirin", "heparin", "aspirin"]  # fmt: skip
    kinds = ["diagnoses_icd"] * 2 + ["labevents"] * 3 + ["procedures_icd"] * 4 + ["prescriptions"] * 3
    found = rows(ehrsql_database, "SELECT row_id, event_type, cost FROM cost")
    assert found == [(n, kind, prices[name]) for n, (kind, name) in enumerate(zip(kinds, events, strict=True))]
    timed = "SELECT event_id, chargetime FROM cost WHERE event_type = 'prescriptions'"
    assert rows(ehrsql_database, timed) == rows(ehrsql_database, "SELECT row_id, starttime FROM prescriptions")


def test_patients_are_drawn_only_where_there_are_enough() -> None:
    numbers, same = np.random.default_rng(0), np.random.default_rng(0)
    assert _draw(numbers, [3, 1, 2], 10) == [3, 1, 2]
    assert numbers.random() == same.random(), "nothing was drawn"
    drawn = _draw(np.random.default_rng(5), list(range(20)), 10)
    assert drawn == np.random.default_rng(5).choice(20, 10, replace=False).tolist()
    full = _draw(np.random.default_rng(5), list(range(10)), 10)
    assert sorted(full) == list(range(10)) and full != list(range(10)), "all are drawn, and the generator has moved on"


# --------------------------------------------------------------------------------------------- the file, and its errors


def test_the_same_files_give_the_same_bytes(ehrsql_database: Path, ehrsql_files: Path, tmp_path: Path) -> None:
    build_ehrsql(tmp_path / "again.sqlite", ehrsql_files, quiet=True)
    assert (tmp_path / "again.sqlite").read_bytes() == ehrsql_database.read_bytes()


def test_the_manifest_names_what_was_read_and_made(ehrsql_database: Path) -> None:
    manifest = json.loads(ehrsql_database.with_name("ehrsql.sqlite.run.json").read_text())
    assert manifest["verb"] == "records build-ehrsql" and manifest["seed"] == 0
    assert (manifest["terms"], manifest["pairing"]) == ("credentialed", "real"), "no licence lies beside these files"
    assert len(manifest["inputs"]) == 16 and all(len(each["sha256"]) == 64 for each in manifest["inputs"])
    assert manifest["outputs"][0]["tables"]["labevents"] == 3
    assert set(manifest["outputs"][0]["tables"]) == {table.name for table in PUBLISHED_TABLES}


def test_the_demo_s_terms_are_its_licence(ehrsql_files: Path, tmp_path: Path) -> None:
    (ehrsql_files / "demo_subject_id.csv").write_text("subject_id\n10000001\n")
    assert build_ehrsql(tmp_path / "e.sqlite", ehrsql_files, quiet=True).terms == "share-alike"


def test_all_missing_files_are_named_with_where_they_come_from(ehrsql_files: Path, tmp_path: Path) -> None:
    (ehrsql_files / "hosp" / "patients.csv").unlink()
    (ehrsql_files / "hosp" / "prescriptions.csv").unlink()
    (ehrsql_files / "icu" / "chartevents.csv").unlink()
    with pytest.raises(RecordError) as caught:
        build_ehrsql(tmp_path / "e.sqlite", ehrsql_files, quiet=True)
    assert caught.value.code == "missing-file"
    assert caught.value.found.startswith(
        "has no hosp/patients.csv.gz, hosp/prescriptions.csv.gz, icu/chartevents.csv.gz (or its MEDS events as --meds"
    )
    assert "physionet.org/content/mimic-iv-demo/2.2/" in caught.value.expected
    assert "physionet.org/content/mimic-iv-demo-meds/" in caught.value.found


def test_events_stand_for_the_charted_file_only(
    write_ehrsql_files: Callable[..., Path], ehrsql_files: Path, tmp_path: Path
) -> None:
    (ehrsql_files / "icu" / "chartevents.csv").unlink()
    (tmp_path / "events.parquet").write_bytes(b"")
    assert "chartevents" not in find_files(RecordSources(mimiciv=ehrsql_files, meds=tmp_path / "events.parquet"))
    meds = write_events(tmp_path / "m.parquet", (10000001, "2150-03-10 10:00:00", "LAB//220045//bpm", 88.0))
    with pytest.raises(RecordError, match="chartevents is there already"):
        build_ehrsql(tmp_path / "e.sqlite", write_ehrsql_files(tmp_path / "whole"), meds, quiet=True)


@pytest.mark.parametrize(
    ("name", "line", "reason"),
    [
        ("hosp/labevents", "7,10000001,20000001,7,seven,,2150-03-10 10:00:00,,,1,mg/dL,,,,,", "unparsable itemid"),
        ("hosp/diagnoses_icd", "10000001,20000001,9,0010", "missing columns"),
        (
            "icu/outputevents",
            "10000001,29999999,39000001,,2150-03-10 11:00:00,2150-01-01,226559,1,mL",
            "unknown hadm_id",
        ),
    ],
)
def test_a_row_that_does_not_fit_is_named_and_nothing_is_made(
    ehrsql_files: Path, tmp_path: Path, name: str, line: str, reason: str
) -> None:
    path = ehrsql_files / f"{name}.csv"
    text = path.read_text()
    path.write_text(f"{text}{line}\n")
    with pytest.raises(RecordError) as caught:
        build_ehrsql(tmp_path / "e.sqlite", ehrsql_files, quiet=True)
    assert caught.value.code == "malformed-row" and caught.value.where == str(path)
    assert f"row {len(text.splitlines())} (" in caught.value.found and reason in caught.value.found
    assert [each.name for each in tmp_path.iterdir()] == ["mimic-iv-demo"]


def test_another_version_s_header_is_named(ehrsql_files: Path, tmp_path: Path) -> None:
    path = ehrsql_files / "hosp" / "labevents.csv"
    path.write_text(path.read_text().replace("order_provider_id,", "", 1))
    with pytest.raises(RecordError, match=r"labevents\.csv: wrong header: missing order_provider_id"):
        build_ehrsql(tmp_path / "e.sqlite", ehrsql_files, quiet=True)


@pytest.mark.parametrize(
    ("name", "before", "after", "column"),
    [
        ("hosp/admissions", "PHYSICIAN REFERRAL", "", "admissions.admission_location"),
        ("hosp/patients", "10000001,F,40", "10000001,F,", "patients.dob"),
        ("hosp/prescriptions", "Aspirin ,", "None,", "prescriptions.drug"),
    ],
)
def test_what_the_published_tables_do_not_allow_is_refused(
    ehrsql_files: Path, tmp_path: Path, name: str, before: str, after: str, column: str
) -> None:
    path = ehrsql_files / f"{name}.csv"
    assert path.read_text().count(before) == 1
    path.write_text(path.read_text().replace(before, after))
    with pytest.raises(RecordError, match=rf"constraint failed: {column}; expected MIMIC-IV demo") as caught:
        build_ehrsql(tmp_path / "e.sqlite", ehrsql_files, quiet=True)
    assert caught.value.code == "does-not-fit"
    assert not (tmp_path / "e.sqlite").exists()


def test_an_existing_file_is_replaced_by_force_only(ehrsql_files: Path, tmp_path: Path) -> None:
    (tmp_path / "e.sqlite").write_text("mine")
    with pytest.raises(OutputError, match="exists already"):
        build_ehrsql(tmp_path / "e.sqlite", ehrsql_files, quiet=True)
    build_ehrsql(tmp_path / "e.sqlite", ehrsql_files, quiet=True, force=True)
    assert rows(tmp_path / "e.sqlite", "SELECT count(*) FROM patients") == [(3,)]


def test_no_input_is_overwritten(ehrsql_files: Path) -> None:
    with pytest.raises(OutputError, match="is or holds the input"):
        build_ehrsql(ehrsql_files, ehrsql_files, quiet=True, force=True)


def test_gzipped_files_give_the_same_rows(ehrsql_files: Path, tmp_path: Path, ehrsql_database: Path) -> None:
    import gzip

    for path in list(ehrsql_files.glob("*/*.csv")):
        with gzip.open(f"{path}.gz", "wb") as packed:
            packed.write(path.read_bytes())
        path.unlink()
    build_ehrsql(tmp_path / "e.sqlite", ehrsql_files, quiet=True)
    assert (tmp_path / "e.sqlite").read_bytes() == ehrsql_database.read_bytes()
    shutil.rmtree(ehrsql_files)


def test_sqlite_s_word_for_a_full_disk_is_known() -> None:
    with sqlite3.connect(":memory:") as connection:
        connection.execute("PRAGMA max_page_count = 2")
        connection.execute("CREATE TABLE a (b)")
        with pytest.raises(sqlite3.OperationalError) as caught:
            connection.executemany("INSERT INTO a VALUES (?)", [("x" * 4000,)] * 9)
    assert is_disk_full(caught.value)


def test_the_command_line_builds_it(
    ehrsql_files: Path, tmp_path: Path, ehrsql_database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "e.sqlite"
    run_command(["records", "build-ehrsql", str(out), "--mimiciv", str(ehrsql_files), "--json"])
    result = json.loads(capsys.readouterr().out)
    assert (result["database"], result["kept"]["cost"], result["terms"]) == (str(out), 12, "credentialed")
    assert out.read_bytes() == ehrsql_database.read_bytes()
    run_command(["records", "build-ehrsql", str(out), "--mimiciv", str(ehrsql_files), "--force"])
    assert capsys.readouterr().out.splitlines() == [
        f"{out}: 3 patients, 4 admissions, 3 icustays, 3 labevents, 2 chartevents, 41 rows in 12 other tables",
        "terms credentialed",
    ]
    with pytest.raises(SystemExit) as ended:
        main(["records", "build-ehrsql", str(tmp_path / "no.sqlite"), "--mimiciv", str(tmp_path / "nowhere")])
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith(f"error: {tmp_path / 'nowhere'}: no such file or folder")


@pytest.mark.opendata
def test_the_tables_are_declared_as_published(open_data: Path, ehrsql_database: Path) -> None:
    """Names, types' affinities, keys and what may be null, against the published declaration."""
    published = open_data / "ehrsql-2024" / "data" / "mimic_iv" / "mimic_iv.sql"
    if not published.is_file():
        pytest.skip(f"no {published}")

    def describe(connection: sqlite3.Connection) -> dict[str, Any]:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        described = {}
        for name in names:
            columns = [
                (column, "TIME" if "TIME" in kind else kind.split("(")[0], required, key)
                for _, column, kind, required, _, key in connection.execute(f"PRAGMA table_info({name})")
            ]
            indexes = sorted(
                tuple(column for _, _, column in connection.execute(f"PRAGMA index_info({index})"))
                for _, index, *_ in connection.execute(f"PRAGMA index_list({name})")
            )
            described[name] = (columns, indexes)
        return described

    with (
        sqlite3.connect(":memory:") as theirs,
        sqlite3.connect(f"{ehrsql_database.as_uri()}?mode=ro", uri=True) as ours,
    ):
        theirs.executescript(published.read_text("utf-8"))
        assert describe(ours) == describe(theirs)

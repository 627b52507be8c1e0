from __future__ import annotations

import gzip
from datetime import date, datetime
from pathlib import Path

import pytest

from chartsight.errors import ChartsightError, RecordError
from chartsight.records import RecordSources, build_record, open_record
from chartsight.runs import Run, read_manifest
from chartsight.schema import TABLES


def build(mimic: Path, out: Path) -> Run:
    return build_record(out, RecordSources(mimiciv=mimic), quiet=True)


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    with open_record(path) as record:
        return record.connection.execute(query).fetchall()


def append(path: Path, *lines: str) -> None:
    with path.open("a") as file:
        file.writelines(line + "\n" for line in lines)


def test_values_types_and_nulls(mimic: Path, tmp_path: Path) -> None:
    run = build(mimic, tmp_path / "r.duckdb")
    assert run.dropped == {}
    record = tmp_path / "r.duckdb"
    assert rows(record, "SELECT dod FROM patients ORDER BY subject_id") == [(None,), (date(2151, 3, 2),), (None,)]
    assert rows(record, "SELECT dischtime FROM admissions WHERE hadm_id = 20000003") == [(None,)]
    assert rows(record, "SELECT charttime, value, valuenum, comments FROM labevents WHERE labevent_id = 2") == [
        (datetime(2180, 5, 7, 6), "___", None, "___\nSECOND LINE, WITH A COMMA.")
    ]
    assert rows(record, "SELECT icd_code FROM diagnoses_icd WHERE icd_version = 9") == [("0389",)]  # zero kept
    assert rows(record, "SELECT count(*) FROM chartevents") == [(0,)]  # absent in the source, there and empty


def test_gzip_case_and_order_of_the_header_do_not_matter(mimic: Path, tmp_path: Path) -> None:
    plain = build(mimic, tmp_path / "plain.duckdb")
    path = mimic / "hosp" / "diagnoses_icd.csv"
    lines = [line.split(",") for line in path.read_text().splitlines()]
    turned = "\n".join(",".join(line[::-1]) for line in [[name.upper() for name in lines[0]], *lines[1:]]) + "\n"
    path.unlink()
    path.with_name("diagnoses_icd.csv.gz").write_bytes(gzip.compress(turned.encode()))
    turned_run = build(mimic, tmp_path / "turned.duckdb")
    query = "SELECT * FROM diagnoses_icd ORDER BY ALL"
    assert rows(tmp_path / "turned.duckdb", query) == rows(tmp_path / "plain.duckdb", query)
    assert turned_run.kept == plain.kept


def test_bad_rows_are_dropped_with_reason_and_row_and_the_rest_is_unharmed(mimic: Path, tmp_path: Path) -> None:
    path = mimic / "hosp" / "diagnoses_icd.csv"
    append(
        path,
        "10000001,20000001,2,J189,10",  # row 4: the key of row 2 again
        "10000001,20000001,x,J189,10",  # 5: no number
        "10000001,20000001",  # 6: cut
        "10000001,20000001,1.5,J189,10",  # 7: no whole number
        "19999999,20000001,7,J189,10",  # 8: nobody
        "10000001,29999999,8,J189,10",  # 9: no such admission
        "10000001,20000003,9,J189,10",  # 10: somebody else's admission
        "10000001,,9,J189,10",  # 11: no admission
        "10000002,20000003,2,J189,10",  # 12: good
        "10000002,20000003,2,,",  # 13: another code of the same number is another row
        "10000002,20000003,2,,",  # 14: row 13 again
    )
    run = build(mimic, tmp_path / "r.duckdb")
    assert run.dropped == {
        "malformed line (missing columns)": 1,
        "unparsable seq_num": 2,
        "missing hadm_id": 1,
        "repeated hadm_id seq_num icd_code icd_version": 2,
        "unknown subject_id": 1,
        "unknown hadm_id": 1,
        "hadm_id of another patient": 1,
    }
    assert run.kept["diagnoses_icd"] == 5
    manifest = read_manifest(tmp_path / "r.duckdb")
    assert manifest is not None
    listed = {(each["reason"], each["row"]) for each in manifest["dropped_rows"]}
    assert listed == {
        ("malformed line (missing columns)", 6),
        ("unparsable seq_num", 5),
        ("unparsable seq_num", 7),
        ("missing hadm_id", 11),
        ("repeated hadm_id seq_num icd_code icd_version", 4),
        ("repeated hadm_id seq_num icd_code icd_version", 14),
        ("unknown subject_id", 8),
        ("unknown hadm_id", 9),
        ("hadm_id of another patient", 10),
    }
    assert {each["where"] for each in manifest["dropped_rows"]} == {str(path)}
    assert manifest["counts"]["kept"]["labevents"] == 3


def test_a_quoted_line_break_is_no_row_of_its_own(mimic: Path, tmp_path: Path) -> None:
    append(mimic / "hosp" / "labevents.csv", "4,10000001,20000001,900,fifty,,,,,,,,,,,")
    run = build(mimic, tmp_path / "r.duckdb")
    assert [(each["reason"], each["row"]) for each in run.dropped_rows] == [("unparsable itemid", 4)]


@pytest.mark.parametrize("packed", [False, True])
def test_a_quote_left_open_costs_its_own_line_alone(mimic: Path, tmp_path: Path, packed: bool) -> None:
    path = mimic / "hosp" / "labevents.csv"
    bad = '100,10000001,,1,50912,,,,"never closed,,,,,,,'
    good = [f"{number},10000001,,1,50912,,,,7,,,,,,," for number in range(101, 150)]
    good[10] = '111,10000001,,1,50912,,,,7,7,",starts with a comma",,,,,'
    good[20] = '121,10000001,,1,50912,,,,,,,,,,,"two\nlines, ""quoted"""'
    append(path, bad, *good, bad.replace("100", "200"), "300,10000001,,1,fifty,,,,,,,,,,,")
    if packed:
        path.with_name("labevents.csv.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    run = build(mimic, tmp_path / "r.duckdb")
    assert run.kept["labevents"] == 3 + 49
    assert [(each["reason"], each["row"]) for each in run.dropped_rows] == [
        ("malformed line (quote left open)", 4),
        ("malformed line (quote left open)", 54),
        ("unparsable itemid", 55),
    ]
    query = "SELECT comments FROM labevents WHERE labevent_id = 121"
    assert rows(tmp_path / "r.duckdb", query) == [('two\nlines, "quoted"',)]
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("beside", ["", '100,10000001,,1,50912,,,,"never closed,,,,,,,'])
def test_a_row_that_is_no_utf_8_costs_itself_alone(mimic: Path, tmp_path: Path, beside: str) -> None:
    path = mimic / "hosp" / "labevents.csv"
    append(path, *[beside] * bool(beside), "102,10000001,,1,50912,,,,7,,,,,,,", "101,10000001,,1,50912,,,,7,7,?,,,,,")
    path.write_bytes(path.read_bytes().replace(b"?", b"M\xfcller"))
    run = build(mimic, tmp_path / "r.duckdb")
    assert run.kept["labevents"] == 4
    reasons = ["malformed line (quote left open)"] * bool(beside) + ["malformed line (invalid encoding)"]
    assert [each["reason"] for each in run.dropped_rows] == reasons


@pytest.mark.parametrize("name", ["patients", "admissions"])
def test_without_patients_or_admissions_there_is_no_record(mimic: Path, tmp_path: Path, name: str) -> None:
    (mimic / "hosp" / f"{name}.csv").unlink()
    with pytest.raises(RecordError, match=rf"{name}\.csv\.gz: no such file") as caught:
        build(mimic, tmp_path / "r.duckdb")
    assert caught.value.code == "missing-file"
    assert sorted(tmp_path.iterdir()) == [mimic]  # nothing half-written


def test_a_wrong_header_names_what_is_missing_and_unexpected(mimic: Path, tmp_path: Path) -> None:
    path = mimic / "hosp" / "patients.csv"
    path.write_text(path.read_text().replace("anchor_age", "age"))
    with pytest.raises(RecordError, match="missing anchor_age; unexpected age") as caught:
        build(mimic, tmp_path / "r.duckdb")
    assert caught.value.code == "wrong-header"
    assert sorted(tmp_path.iterdir()) == [mimic]


@pytest.mark.parametrize(
    "spoil",
    ["cut in the data", "cut in the header", "another checksum", "a byte turned", "no gzip", "no text", "empty"],
)
def test_a_damaged_file_is_one_clear_error(mimic: Path, tmp_path: Path, spoil: str) -> None:
    plain = mimic / "hosp" / "labevents.csv"
    noise = "".join(f"{n},10000001,,1,50912,,,,{n * 7919 % 10007},,,,,,,\n" for n in range(10, 20_000))
    packed = gzip.compress((plain.read_text() + noise).encode())
    half = len(packed) // 2
    plain.unlink()
    spoilt = {
        "cut in the data": packed[:half],
        "cut in the header": packed[:15],
        "another checksum": packed[:-8] + bytes(4) + packed[-4:],  # all rows are there: the fast reader is content
        "a byte turned": b"".join([packed[:half], bytes([packed[half] ^ 255]), packed[half + 1 :]]),
        "no gzip": b"labevent_id,subject_id\n",
        "no text": gzip.compress(bytes(range(128, 256))),
        "empty": b"",
    }
    plain.with_name("labevents.csv.gz").write_bytes(spoilt[spoil])
    with pytest.raises(RecordError) as caught:
        build(mimic, tmp_path / "r.duckdb")
    assert caught.value.code == ("wrong-header" if spoil == "empty" else "truncated-file")
    assert "\n" not in str(caught.value)
    assert sorted(tmp_path.iterdir()) == [mimic]


@pytest.mark.parametrize("module", ["hosp", "icu"])
def test_one_module_alone_is_no_record_without_a_word(mimic: Path, tmp_path: Path, module: str) -> None:
    with pytest.raises(RecordError, match=r"the folder that holds hosp/ and icu/ \(name .*mimic-iv\)"):
        build(mimic / module, tmp_path / "r.duckdb")
    flat = tmp_path / "flat"
    flat.mkdir()
    for path in mimic.rglob("*.csv"):
        path.rename(flat / path.name)
    assert build(flat, tmp_path / "r.duckdb").kept["icustays"] > 0


def test_version_3_1_is_read_like_2_2(mimic: Path, tmp_path: Path) -> None:
    """mimic-code builds both from one create.sql; v3.0 released diagnoses of a patient whom its patients.csv lacks."""
    before = build(mimic, tmp_path / "v2.duckdb")
    for name in ("CHANGELOG.txt", "LICENSE.txt", "SHA256SUMS.txt", "index.html", "hosp/index.html"):
        (mimic / name).write_text("<html></html>")
    (mimic / "hosp/provider.csv").write_text("provider_id\nP0035A\n")
    (mimic / "icu/caregiver.csv").write_text("caregiver_id\n47\n")
    header = TABLES["procedureevents"].header
    cells = dict.fromkeys(header, "") | {
        "subject_id": "10000001", "hadm_id": "20000002", "stay_id": "39000001", "caregiver_id": "47",
        "itemid": "225401", "starttime": "2180-08-01 12:00:00", "endtime": "2180-08-01 12:01:00",
        "storetime": "2180-08-01 13:00:00",
        "ORIGINALAMOUNT": "1", "ORIGINALRATE": "0",
    }  # fmt: skip
    lower = ",".join(header).lower()  # as create.sql writes them
    (mimic / "icu/procedureevents.csv").write_text(f"{lower}\n{','.join(cells.values())}\n")
    append(mimic / "hosp" / "diagnoses_icd.csv", "11404231,20000001,1,J189,10")
    run = build(mimic, tmp_path / "v3.duckdb")
    assert run.dropped == {"unknown subject_id": 1}
    assert run.kept == before.kept | {"provider": 1, "caregiver": 1, "procedureevents": 1}
    assert rows(tmp_path / "v3.duckdb", "SELECT caregiver_id, originalamount FROM procedureevents") == [(47, 1.0)]


@pytest.mark.parametrize(("table", "empty"), [("microbiologyevents", "spec_type_desc"), ("prescriptions", "drug")])
def test_what_is_blank_in_the_release_is_kept(mimic: Path, tmp_path: Path, table: str, empty: str) -> None:
    """MIMIC's declarations demand a value here, and its files hold zero-length ones (mimic-code, import_duckdb.sh)."""
    samples = {"int": "1", "float": "1", "text": "x", "date": "2180-05-07", "time": "2180-05-07 06:00:00"}
    cells = {column.name: samples[column.type] for column in TABLES[table].columns}
    cells |= {"subject_id": "10000001", "hadm_id": "20000001", empty: '""'}
    (mimic / "hosp" / f"{table}.csv").write_text(f"{','.join(cells)}\n{','.join(cells.values())}\n")
    run = build(mimic, tmp_path / "r.duckdb")
    assert run.dropped == {}
    assert rows(tmp_path / "r.duckdb", f"SELECT {empty} FROM {table}") == [(None,)]


def test_no_message_tells_a_patients_value(mimic: Path, tmp_path: Path) -> None:
    secret = "hunter2"
    append(mimic / "hosp" / "patients.csv", f"{secret},F,52,2180,2014 - 2016,")
    append(mimic / "hosp" / "labevents.csv", f"4,10000001,20000001,900,{secret},,,,,,,,,,,")
    build(mimic, tmp_path / "r.duckdb")
    assert secret not in (tmp_path / "r.duckdb.run.json").read_text()


def test_notes_are_read_and_charges_of_the_synthetic_hospital(mimic: Path, tmp_path: Path) -> None:
    note = tmp_path / "mimic-iv-note" / "note" / "radiology.csv"
    note.parent.mkdir(parents=True)
    note.write_text(
        "note_id,subject_id,hadm_id,note_type,note_seq,charttime,storetime,text\n"
        '10000001-RR-1,10000001,,RR,1,2180-05-07 01:00:00,,"CHEST\nNo effusion."\n'
    )
    charges = mimic / "extra" / "cost.csv"
    charges.parent.mkdir()
    charges.write_text(
        "row_id,subject_id,hadm_id,event_type,event_id,chargetime,cost\n"
        "1,10000001,20000001,labevents,1,2180-05-07 06:00:00,7.5\n"
    )
    sources = RecordSources(mimiciv=mimic, mimic_iv_note=tmp_path / "mimic-iv-note")
    run = build_record(tmp_path / "r.duckdb", sources, quiet=True)
    assert (run.kept["radiology"], run.kept["cost"]) == (1, 1)
    assert rows(tmp_path / "r.duckdb", "SELECT text FROM radiology") == [("CHEST\nNo effusion.",)]


def test_sources_that_cannot_make_a_record_are_refused(tmp_path: Path, mimic: Path) -> None:
    for sources, code in [
        (RecordSources(), "no-source"),
        (RecordSources(mimiciv=tmp_path / "absent"), "missing-source"),
        (RecordSources(meds=mimic), "missing-source"),
        (RecordSources(mimiciv=mimic, pair_films=True), "nothing-to-pair"),
    ]:
        with pytest.raises(ChartsightError) as caught:
            build_record(tmp_path / "r.duckdb", sources, quiet=True)
        assert caught.value.code == code

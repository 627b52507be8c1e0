"""Lines of some patients: the same that a reader of every line keeps, or none where a file is not plain."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from chartsight.records.ehrxqa import patient_lines
from chartsight.records.ehrxqa.csv_batches import HashedFile
from chartsight.records.ehrxqa.patient_lines import copy_patient_lines

HEADER = "subject_id,charttime,value"


def lines(*subjects: int) -> list[str]:
    return [f"{subject},2180-01-01 00:00:{n % 60:02d},{n}" for n, subject in enumerate(subjects)]


def copy(path: Path, out: Path, subjects: list[int], items: list[int] | None = None) -> bool:
    with HashedFile(path) as file:
        columns = path.read_text("utf-8").splitlines()[0].split(",") if items else HEADER.split(",")
        return copy_patient_lines(file.unpacked(), out, columns, subjects, items or [])


def copied(tmp_path: Path, text: str, subjects: list[int], packed: bool = False) -> list[str] | None:
    path = tmp_path / ("chartevents.csv.gz" if packed else "chartevents.csv")
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    out = tmp_path / "kept.csv"
    if not copy(path, out, subjects):
        assert not out.exists()
        return None
    return out.read_text("utf-8").splitlines()


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("block", [50, 64, 10_000])
def test_lines_of_the_patients_are_kept_in_order(
    tmp_path: Path, block: int, packed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patient_lines, "BLOCK_BYTES", block)
    held = lines(*[10_000_001] * 5, 10_000_002, *[10_000_003] * 4, 10_000_002, 10_000_009)
    text = "\n".join([HEADER, *held, ""])
    wanted = [10_000_002, 10_000_009, 10_000_777]
    expected = [line for line in held if int(line.split(",")[0]) in wanted]
    assert copied(tmp_path, text, wanted, packed) == [HEADER, *expected]
    assert copied(tmp_path, text, [], packed) == [HEADER]


def test_quoted_commas_do_not_count(tmp_path: Path) -> None:
    held = ['10000001,2180-01-01 00:00:00,"1:1, then ""2"""', *lines(10_000_001, 10_000_002)]
    assert copied(tmp_path, "\n".join([HEADER, *held, ""]), [10_000_001]) == [HEADER, *held[:2]]


@pytest.mark.parametrize(
    "line",
    [
        "10000002,2180-01-01 00:00:00",  # a column is missing, in a row that nobody asked for
        "10000002,2180-01-01 00:00:00,1,2",
        '10000002,2180-01-01 00:00:00,"1',  # goes on in the next line
        '10000002,"2180-01-01,00:00:00",1,2',
        "10000002,2180-01-01 00:00:00,1\r",
        "100000010,2180-01-01 00:00:00,1",  # begins like one that is asked for
        "",
    ],
)
def test_what_is_not_plain_is_left_to_the_ordinary_reader(tmp_path: Path, line: str) -> None:
    text = "\n".join([HEADER, *lines(10_000_001), line, *lines(10_000_001), ""])
    assert copied(tmp_path, text, [10_000_001]) is None


def test_another_identifier_is_another_patient(tmp_path: Path) -> None:
    held = [*lines(10_000_001), "1000001,2,3", "100,2180-01-01 00:00:00,1", *lines(10_000_001), "7,888888,9"]
    assert copied(tmp_path, "\n".join([HEADER, *held, ""]), [10_000_001]) == [
        HEADER,
        *lines(10_000_001),
        lines(10_000_001)[0],
    ]


def test_so_are_cut_files_other_texts_and_other_identifiers(tmp_path: Path) -> None:
    text = "\n".join([HEADER, *lines(10_000_001, 10_000_002), ""])
    assert copied(tmp_path, text[:-1], [10_000_001]) is None
    assert copied(tmp_path, text, [10_000_001, 77]) is None
    path = tmp_path / "cut.csv.gz"
    path.write_bytes(gzip.compress(text.encode())[:-12])
    assert not copy(path, tmp_path / "kept.csv", [10_000_001])
    path = tmp_path / "latin.csv"
    path.write_bytes(text.replace("00:00:01,1", "00:00:01,é").encode("latin-1"))
    assert not copy(path, tmp_path / "kept.csv", [10_000_001])


CHARTED = "subject_id,charttime,itemid,value"
ITEMS = [220_045, 223_762]


@pytest.mark.parametrize("block", [60, 100, 10_000])
def test_of_some_items_only(tmp_path: Path, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patient_lines, "BLOCK_BYTES", block)
    items = ["220045", "220046", "223762", "223762", "220050", "1220045", "220045.0", " 220045", "22004:", "", "220045"]
    people = [10_000_001] * 6 + [10_000_002] * 4 + [10_000_001]
    held = [
        f"{subject},2180-01-01 00:00:{n:02d},{item},{n}"
        for n, (subject, item) in enumerate(zip(people, items, strict=True))
    ]
    path, out = tmp_path / "chartevents.csv", tmp_path / "kept.csv"
    path.write_text("\n".join([CHARTED, *held, ""]))
    assert copy(path, out, [10_000_001, 10_000_002], ITEMS)
    left_out = {"220046", "220050"}  # six digits that are not wanted: all else is the reader's to judge
    assert out.read_text().splitlines() == [
        CHARTED,
        *(line for line, item in zip(held, items, strict=True) if item not in left_out),
    ]
    assert copy(path, out, [10_000_002], ITEMS)
    assert out.read_text().splitlines() == [CHARTED, *held[6:10]]


def test_a_quote_keeps_every_item(tmp_path: Path) -> None:
    held = ['10000001,"2180,1",220046,1', "10000001,2180,220046,2", "10000002,2180,220045,3"]
    path, out = tmp_path / "chartevents.csv", tmp_path / "kept.csv"
    path.write_text("\n".join([CHARTED, *held, ""]))
    assert copy(path, out, [10_000_001], ITEMS)
    assert out.read_text().splitlines() == [CHARTED, *held[:2]]


def test_a_column_too_many_and_one_too_few(tmp_path: Path) -> None:
    held = ["10000001,2180,220045,1,2", "10000001,2180,220045"]
    path, out = tmp_path / "chartevents.csv", tmp_path / "kept.csv"
    path.write_text("\n".join([CHARTED, *held, ""]))
    assert not copy(path, out, [10_000_001], ITEMS)

"""What the published reader makes of text. The expected values are pandas 1.1.3's own, read once and written down."""

from __future__ import annotations

import pyarrow as pa
import pytest

from chartsight.records.ehrxqa.published_csv import (
    decimals_read_back,
    parse_decimal,
    piece_kind,
    piece_rows,
    read_back,
)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("7.35", "7.35"), ("100", "100.0"), ("-0.5", "-0.5"), ("+2.", "2.0"), (".25", "0.25"), ("1e3", "1000.0"),
        ("0.123", "0.12300000000000001"), ("5.0049", "5.0049"), ("83.33333333333333", "83.33333333333333"),
        ("667.6082903346564", "667.6082903346563"), ("848.2052553993453", "848.2052553993452"),
        ("26.104705455253264", "26.104705455253267"), ("419.06038894029484", "419.0603889402949"),
        ("6.823", "6.8229999999999995"), ("6.418", "6.417999999999999"),
        ("0.926", "0.9259999999999999"), ("3.629", "3.6289999999999996"),
    ],
)  # fmt: skip
def test_decimals_are_read_as_published(text: str, read: str) -> None:
    assert repr(parse_decimal(text)) == read


def test_most_decimals_are_not_the_nearest_double() -> None:
    texts = [repr(1 / n) for n in range(3, 300)]
    off = [text for text in texts if parse_decimal(text) != float(text)]
    assert 20 < len(off) < len(texts)
    assert all(parse_decimal(text) == pytest.approx(float(text), rel=1e-14) for text in off)


def test_what_is_no_number_is_refused() -> None:
    for text in ("", "x", ".", "1-2", "1,000"):
        with pytest.raises(ValueError, match=r".*"):
            parse_decimal(text)


@pytest.mark.parametrize(("columns", "rows"), [(3, 262_144), (5, 131_072), (16, 32_768), (21, 32_768), (25, 32_768)])
def test_a_file_is_typed_in_pieces(columns: int, rows: int) -> None:
    assert piece_rows(columns) == rows


def test_the_kind_of_a_piece() -> None:
    assert piece_kind(["0389", "4019"]) == "whole"
    assert piece_kind(["0389", None]) == "decimal"
    assert piece_kind(["1.5", "2"]) == "decimal"
    assert piece_kind([None, None]) == "decimal"
    assert piece_kind(["0389", "v10"]) == "text"


def test_a_table_is_read_back() -> None:
    table = pa.table(
        {
            "row_id": pa.array([0, 1, 2], pa.int64()),
            "hadm_id": pa.array([7.0, 8.0, 9.0], pa.float64()),
            "icd_code": pa.array(["0389", "4019", "0010"], pa.string()),
            "drug": pa.array(["null", " Aspirin ", "NaCl"], pa.string()),
            "dod": pa.array([None, None, None], pa.string()),
            "value": pa.array([1 / 3, None, 2.0], pa.float64()),
        }
    )
    read = read_back(table, as_text=("icd_code",))
    assert [str(field.type) for field in read.schema] == ["int64", "double", "string", "string", "double", "double"]
    assert read["icd_code"].to_pylist() == ["389", "4019", "10"]  # leading zeros are lost
    assert read["drug"].to_pylist() == [None, "aspirin", "nacl"]
    assert read["dod"].to_pylist() == [None] * 3
    assert read["value"].to_pylist() == [parse_decimal(repr(1 / 3)), None, 2.0]


def test_a_table_without_rows_is_text() -> None:
    read = read_back(pa.table({"row_id": pa.array([], pa.int64()), "cost": pa.array([], pa.float64())}))
    assert [str(field.type) for field in read.schema] == ["string", "string"]


def test_one_text_keeps_the_zeros_of_its_piece() -> None:
    rows = piece_rows(1)
    codes = ["0389"] * rows + ["0389", "V10"]
    read = read_back(pa.table({"icd_code": pa.array(codes, pa.string())}))["icd_code"].to_pylist()
    assert set(read[:rows]) == {"389"} and read[rows:] == ["0389", "v10"]


def test_gaps_stay_gaps() -> None:
    column = pa.chunked_array([pa.array([0.1, None]), pa.array([0.123])])
    assert decimals_read_back(column).to_pylist() == [0.1, None, parse_decimal("0.123")]

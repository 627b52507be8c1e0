from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from chartsight.errors import RecordError
from chartsight.records import RecordSources, build_record, open_record


def write_events(path: Path, *events: tuple[int, str, str, float | None]) -> Path:
    columns = list(zip(*events, strict=True))
    times = [datetime.fromisoformat(text) for text in columns[1]]
    table = pa.table(
        {
            "subject_id": pa.array(columns[0], pa.int64()),
            "time": pa.array(times, pa.timestamp("us")),
            "code": columns[2],
            "table": ["condition"] * len(events),
            "value": pa.array(columns[3], pa.float32()),
        }
    )
    pq.write_table(table, path)
    return path


def test_events_go_to_the_stay_that_holds_them_else_to_the_nearest(mimic: Path, tmp_path: Path) -> None:
    meds = write_events(
        tmp_path / "events.parquet",
        (10000001, "2180-08-01 12:00:00", "LAB//220045//bpm", 88.0),  # in the first stay
        (
            10000001,
            "2180-08-04 00:00:00",
            "LAB//223762//°C",
            36.6,
        ),  # between: 14 h after the first
        (10000001, "2180-08-05 23:00:00", "LAB//220045//bpm", 91.5),  # between: an hour before the second
        (10000001, "2180-08-06 01:00:00", "LAB//223900//UNK", None),  # text was lost, no unit
        (10000001, "2180-08-01 12:00:00", "LAB//50912//mg/dL", 1.2),  # a laboratory value, not charted
        (10000001, "2180-08-01 12:00:00", "MEDICATION//220045//x", 1.0),
        (10000002, "2150-02-01 12:30:00", "LAB//220210//insp/min", 0.1),  # float32 of 0.1 is 0.10000000149
        (10000003, "2166-01-01 12:00:00", "LAB//220045//bpm", 70.0),  # a patient without any stay
    )
    run = build_record(tmp_path / "r.duckdb", RecordSources(mimiciv=mimic, meds=meds), quiet=True)
    with open_record(tmp_path / "r.duckdb") as record:
        found = record.connection.execute(
            """SELECT subject_id, hadm_id, stay_id, itemid, valuenum, valueuom, value, storetime FROM chartevents
               ORDER BY subject_id, charttime"""
        ).fetchall()
    assert found == [
        (10000001, 20000002, 39000001, 220045, 88.0, "bpm", None, None),
        (10000001, 20000002, 39000001, 223762, 36.6, "°C", None, None),
        (10000001, 20000002, 39000002, 220045, 91.5, "bpm", None, None),
        (10000001, 20000002, 39000002, 223900, None, None, None, None),
        (10000002, 20000003, 39000003, 220210, 0.1, "insp/min", None, None),
    ]
    assert run.dropped == {"charted event without an ICU stay": 1}
    assert run.kept["charted numbers in one ICU stay"] == 2
    assert run.kept["charted numbers in no ICU stay, given to the nearest"] == 2


def test_a_data_set_of_shards_under_its_present_names(mimic: Path, tmp_path: Path) -> None:
    data = tmp_path / "meds" / "data" / "train"
    data.mkdir(parents=True)
    events = [(10000001, "2180-08-01 12:00:00", "LAB//220045//bpm", 88.0),
              (10000002, "2150-02-01 12:30:00", "LAB//220210//insp/min", 0.1)]  # fmt: skip
    for number, event in enumerate(events):
        shard = write_events(data / f"{number}.parquet", event)
        pq.write_table(pq.read_table(shard).rename_columns({"value": "numeric_value"}), shard)
    (tmp_path / "meds" / "metadata").mkdir()
    pq.write_table(pa.table({"code": ["LAB//220045//bpm"]}), tmp_path / "meds" / "metadata" / "codes.parquet")
    run = build_record(tmp_path / "r.duckdb", RecordSources(mimiciv=mimic, meds=tmp_path / "meds"), quiet=True)
    with open_record(tmp_path / "r.duckdb") as record:
        found = record.connection.execute("SELECT itemid, valuenum FROM chartevents ORDER BY 1").fetchall()
    assert found == [(220045, 88.0), (220210, 0.1)]
    read = [Path(each["path"]) for each in run.inputs if "meds" in each["path"]]
    assert read == [data / "0.parquet", data / "1.parquet"]
    with pytest.raises(RecordError, match="holds no Parquet file"):
        build_record(tmp_path / "n.duckdb", RecordSources(mimiciv=mimic, meds=mimic), quiet=True)


def test_charted_events_are_never_counted_twice(mimic: Path, tmp_path: Path) -> None:
    (mimic / "icu" / "chartevents.csv").write_text(
        "subject_id,hadm_id,stay_id,caregiver_id,charttime,storetime,itemid,value,valuenum,valueuom,warning\n"
        "10000001,20000002,39000001,,2180-08-01 12:00:00,,220045,88,88,bpm,0\n"
    )
    meds = write_events(tmp_path / "events.parquet", (10000001, "2180-08-01 12:00:00", "LAB//220045//bpm", 88.0))
    with pytest.raises(RecordError, match="chartevents is there already"):
        build_record(tmp_path / "r.duckdb", RecordSources(mimiciv=mimic, meds=meds), quiet=True)


def test_what_are_no_meds_events_is_refused(mimic: Path, tmp_path: Path) -> None:
    (tmp_path / "text.parquet").write_text("no")
    pq.write_table(pa.table({"subject_id": [1]}), tmp_path / "other.parquet")
    for name, code in [("text.parquet", "no-meds-file"), ("other.parquet", "wrong-header")]:
        with pytest.raises(RecordError) as caught:
            build_record(tmp_path / "r.duckdb", RecordSources(mimiciv=mimic, meds=tmp_path / name), quiet=True)
        assert caught.value.code == code


@pytest.mark.parametrize("column", ["subject_id", "time", "code", "value"])
def test_events_of_other_types_are_one_line_without_their_values(mimic: Path, tmp_path: Path, column: str) -> None:
    meds = write_events(tmp_path / "events.parquet", (10000001, "2180-08-01 12:00:00", "LAB//220045//bpm", 88.0))
    events = pq.read_table(meds)
    other = pa.array([{"name": "hunter2"}] if column == "code" else ["hunter2"])
    pq.write_table(events.set_column(events.schema.get_field_index(column), column, other), meds)
    with pytest.raises(RecordError, match="its columns are of other types") as caught:
        build_record(tmp_path / "r.duckdb", RecordSources(mimiciv=mimic, meds=meds), quiet=True)
    assert "hunter2" not in str(caught.value) and caught.value.__cause__ is None
    assert not (tmp_path / "r.duckdb").exists()


def test_events_that_are_damaged(mimic: Path, tmp_path: Path) -> None:
    event = (10000001, "2180-08-01 12:00:00", "LAB//220045//bpm", 88.0)
    meds = write_events(tmp_path / "events.parquet", *[event] * 1000)
    stored = bytearray(meds.read_bytes())
    stored[8:400] = b"\xff" * 392
    meds.write_bytes(stored)
    with pytest.raises(RecordError, match="is damaged"):
        build_record(tmp_path / "r.duckdb", RecordSources(mimiciv=mimic, meds=meds), quiet=True)

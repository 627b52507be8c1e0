from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from chartsight.errors import OutputError, RecordError
from chartsight.records import FilmFolder, RecordSources, build_record, content_digest, open_record
from chartsight.records.sources import detect_terms
from chartsight.schema import ATTRIBUTES, SCHEMA_VERSION, TABLES


def test_every_table_of_the_contract_is_there_column_for_column(mimic: Path, tmp_path: Path) -> None:
    build_record(tmp_path / "r.duckdb", RecordSources(mimiciv=mimic), quiet=True)
    with open_record(tmp_path / "r.duckdb") as record:
        found = record.connection.execute(
            """SELECT table_name, list(column_name ORDER BY column_index) FROM duckdb_columns()
               WHERE NOT internal GROUP BY 1"""
        ).fetchall()
        assert record.info["schema_version"] == str(SCHEMA_VERSION)
        assert (record.terms, record.pairing) == ("credentialed", "real")
        assert record.vocabulary() == dict(ATTRIBUTES)
    assert {name: tuple(columns) for name, columns in found} == {name: each.header for name, each in TABLES.items()}


def test_two_builds_have_equal_content_wherever_they_stand(
    mimic: Path, cxr: Path, imagenome: Path, tmp_path: Path
) -> None:
    sources = RecordSources(mimiciv=mimic, mimic_cxr_jpg=cxr, chest_imagenome=imagenome)
    build_record(tmp_path / "one.duckdb", sources, quiet=True)
    moved = tmp_path / "elsewhere"
    cxr.rename(moved)
    again = RecordSources(mimiciv=mimic, mimic_cxr_jpg=moved, chest_imagenome=imagenome)
    build_record(tmp_path / "deep" / "two.duckdb", again, quiet=True)
    one, two = content_digest(tmp_path / "one.duckdb"), content_digest(tmp_path / "deep" / "two.duckdb")
    assert one == two
    assert one.keys() == TABLES.keys() - {"film_roots"}


def test_one_changed_value_changes_the_digest_of_its_table_alone(mimic: Path, tmp_path: Path) -> None:
    build_record(tmp_path / "one.duckdb", RecordSources(mimiciv=mimic), quiet=True)
    path = mimic / "icu" / "outputevents.csv"
    path.write_text(path.read_text().replace("87.5", "87.25"))
    build_record(tmp_path / "two.duckdb", RecordSources(mimiciv=mimic), quiet=True)
    one, two = content_digest(tmp_path / "one.duckdb"), content_digest(tmp_path / "two.duckdb")
    assert {table for table in one if one[table] != two[table]} == {"outputevents"}


def test_an_existing_record_is_refused_and_replaced_only_by_force(mimic: Path, tmp_path: Path) -> None:
    out = tmp_path / "r.duckdb"
    out.write_text("precious")
    with pytest.raises(OutputError, match="exists already"):
        build_record(out, RecordSources(mimiciv=mimic), quiet=True)
    assert out.read_text() == "precious"
    build_record(out, RecordSources(mimiciv=mimic), quiet=True, force=True)
    with open_record(out) as record:
        assert record.path == out


def test_what_is_no_record_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.duckdb").write_text("no record")
    duckdb.connect(str(tmp_path / "other.duckdb")).close()
    with duckdb.connect(str(tmp_path / "newer.duckdb")) as connection:
        connection.execute("CREATE TABLE record_info AS SELECT 'schema_version' AS key, '999' AS value")
    for name, code in [
        ("absent.duckdb", "missing-record"),
        ("text.duckdb", "no-record"),
        ("other.duckdb", "no-record"),
        ("newer.duckdb", "newer-schema"),
    ]:
        with pytest.raises(RecordError) as caught, open_record(tmp_path / name):
            pass
        assert caught.value.code == code


def test_terms_come_from_the_folder(tmp_path: Path) -> None:
    for name in ("full", "demo", "licensed", "made/mimic-iv"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "demo" / "demo_subject_id.csv").write_text("subject_id\n")
    (tmp_path / "licensed" / "LICENSE.txt").write_text("## ODC Open Database License (ODbL)")
    (tmp_path / "made" / "run.json").write_text(json.dumps({"verb": "hospital"}))
    assert detect_terms(tmp_path / "full") == "credentialed"
    assert detect_terms(tmp_path / "full", "private") == "private"
    assert detect_terms(tmp_path / "demo") == "share-alike"
    assert detect_terms(tmp_path / "licensed", "open") == "share-alike"  # a licence is not talked away
    assert detect_terms(tmp_path / "made" / "mimic-iv") == "synthetic"


FULL_DISK = """
import resource, sys
from pathlib import Path
from chartsight.errors import OutputError
from chartsight.records import FilmFolder, RecordSources, build_record
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), int(sys.argv[3])))
try:
    build_record(Path(sys.argv[2]), RecordSources(mimiciv=Path(sys.argv[1])), quiet=True)
except OutputError as error:
    sys.exit(f"{error.code} {error}")
"""


@pytest.mark.parametrize("limit", [4_000, 300_000])
def test_a_full_disk_is_one_line_and_leaves_nothing(mimic: Path, tmp_path: Path, limit: int) -> None:
    out = tmp_path / "out" / "r.duckdb"
    ran = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(mimic), str(out), str(limit)], capture_output=True, text=True, timeout=60
    )
    assert ran.stderr.startswith("disk-full"), ran.stderr
    assert ran.stderr.count("\n") == 1
    assert list(out.parent.iterdir()) == []


def test_an_impossible_seed_or_memory_and_an_output_over_its_source(mimic: Path, tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="seed: -1"):
        build_record(tmp_path / "r.duckdb", RecordSources(mimiciv=mimic, seed=-1), quiet=True)
    for gib in (0, float("inf"), float("nan"), 1e308):
        with pytest.raises(RecordError, match="memory_limit: "):
            build_record(tmp_path / "r.duckdb", RecordSources(mimiciv=mimic), quiet=True, memory_limit_gib=gib)
    for out in (mimic, mimic.parent):
        with pytest.raises(OutputError, match="is or holds the input"):
            build_record(out, RecordSources(mimiciv=mimic), quiet=True, force=True)
    assert (mimic / "hosp").is_dir() and not (tmp_path / "r.duckdb").exists()


def test_texts_are_taken_for_paths_and_unknown_terms_for_none(mimic: Path, tmp_path: Path) -> None:
    build_record(tmp_path / "r.duckdb", RecordSources(mimiciv=str(mimic)), quiet=True)  # type: ignore[arg-type]
    folder = FilmFolder(str(tmp_path), "films.csv", terms="mine")  # type: ignore[arg-type]
    for sources in (RecordSources(mimiciv=mimic, terms="mine"), RecordSources(film_folders=(folder,))):  # type: ignore[arg-type]
        with pytest.raises(RecordError, match="'mine'; expected synthetic or open"):
            build_record(tmp_path / "other.duckdb", sources, quiet=True)

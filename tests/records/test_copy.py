"""A record copied to SQLite, PostgreSQL and DuckDB: the same content, whole or not at all."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chartsight.cli import main
from chartsight.errors import ChartsightError, GateError, OutputError, RecordError
from chartsight.records import content_digest
from chartsight.records import copy as copying
from chartsight.records.copy import copy_record
from chartsight.records.digest import store_digest
from chartsight.records.stores import open_store
from chartsight.runs import read_manifest
from chartsight.schema import TABLES

pytest_plugins = ["tests.fixtures_hospital", "tests.fixtures_postgres"]

NewDatabase = Callable[[], str]
SECRET = "Zebediah Quux"


@pytest.fixture(params=["sqlite", "duckdb", "postgres"])
def target(request: pytest.FixtureRequest, tmp_path: Path, new_database: NewDatabase) -> str:
    return new_database() if request.param == "postgres" else str(tmp_path / f"copy.{request.param}")


def test_a_copy_has_the_content_of_the_record(tiny_record: Path, target: str) -> None:
    run = copy_record(tiny_record, target, quiet=True)
    digest = content_digest(tiny_record)
    assert content_digest(target) == digest == run.outputs[0]["digest"]
    assert digest.keys() == TABLES.keys() - {"film_roots"}
    assert (run.terms, run.pairing) == ("synthetic", "synthetic")
    assert run.kept["patients"] == 4


def test_one_changed_value_in_a_copy_changes_the_digest_of_its_table(tiny_record: Path, tmp_path: Path) -> None:
    copy_record(tiny_record, tmp_path / "copy.sqlite", quiet=True)
    connection = sqlite3.connect(tmp_path / "copy.sqlite")
    with connection:
        connection.execute("UPDATE patients SET gender = gender || ' ' WHERE rowid = 1")
    connection.close()
    one, two = content_digest(tiny_record), content_digest(tmp_path / "copy.sqlite")
    assert {table for table in one if one[table] != two[table]} == {"patients"}


def test_two_copies_have_equal_bytes(tiny_record: Path, tmp_path: Path) -> None:
    for name in ("one.sqlite", "two.sqlite"):
        copy_record(tiny_record, tmp_path / name, quiet=True)
    assert (tmp_path / "one.sqlite").read_bytes() == (tmp_path / "two.sqlite").read_bytes()


def test_a_copy_has_a_manifest_with_its_parent(tiny_record: Path, tmp_path: Path, new_database: NewDatabase) -> None:
    copy_record(tiny_record, tmp_path / "copy.sqlite", quiet=True)
    beside = read_manifest(tmp_path / "copy.sqlite")
    url = new_database()
    copy_record(tiny_record, url, quiet=True)
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT manifest FROM chartsight.record_manifest").fetchall()
    inside = json.loads(rows[0][0])
    parent = read_manifest(tiny_record)
    assert beside is not None and parent is not None
    for manifest in (beside, inside):
        assert manifest["verb"] == "records copy" and manifest["parent_runs"] == [parent["run_id"]]
        assert manifest["inputs"][0]["sha256"] and manifest["outputs"][0]["digest"] == content_digest(tiny_record)


def test_an_existing_copy_is_refused_and_replaced_only_by_force(tiny_record: Path, target: str) -> None:
    copy_record(tiny_record, target, quiet=True)
    with pytest.raises(OutputError) as caught:
        copy_record(tiny_record, target, quiet=True)
    assert caught.value.code == "output-exists"
    copy_record(tiny_record, target, quiet=True, force=True)
    assert content_digest(target) == content_digest(tiny_record)


def test_a_schema_of_somebody_else_stays(tiny_record: Path, new_database: NewDatabase) -> None:
    url = new_database()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA chartsight")
        connection.execute("CREATE TABLE chartsight.precious (a int)")
    for force in (False, True):
        with pytest.raises(OutputError):
            copy_record(tiny_record, url, quiet=True, force=force)
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT count(*) FROM chartsight.precious").fetchall() == [(0,)]


def test_a_copy_that_fails_on_the_way_leaves_nothing(
    tiny_record: Path, target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The planted fault: the last batch is lost."""
    read = copying._batches

    def lose_one(*arguments: Any, **named: Any) -> Any:
        batches = list(read(*arguments, **named))
        yield from batches[:-1]

    monkeypatch.setattr(copying, "_batches", lose_one)
    with pytest.raises(GateError, match="is not what was copied"):
        copy_record(tiny_record, target, quiet=True)
    assert list(tmp_path.iterdir()) == []
    if target.startswith("postgresql"):
        with psycopg.connect(target) as connection:
            assert connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = 'chartsight'").fetchall() == []


def test_the_old_copy_stays_when_a_forced_one_fails(
    tiny_record: Path, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy_record(tiny_record, target, quiet=True)

    def fail(*_: Any, **__: Any) -> Any:
        raise RecordError("bad-value", "here", "on the way")

    monkeypatch.setattr(copying, "_batches", fail)
    with pytest.raises(RecordError):
        copy_record(tiny_record, target, quiet=True, force=True)
    assert content_digest(target) == content_digest(tiny_record)


def test_the_reader_may_read_and_nothing_else(tiny_record: Path, new_database: NewDatabase) -> None:
    url = new_database()
    copy_record(tiny_record, url, quiet=True)
    for statement in (
        "INSERT INTO chartsight.patients (subject_id) VALUES (1)", "DELETE FROM chartsight.patients",
        "SELECT path FROM chartsight.films", "SELECT * FROM chartsight.record_info",
        "SELECT * FROM chartsight.film_roots", "SELECT manifest FROM chartsight.record_manifest",
        "CREATE TABLE chartsight.stolen (a int)", "SELECT pg_read_file('/etc/passwd')",
    ):  # fmt: skip
        with psycopg.connect(url) as connection:
            connection.execute("SET ROLE chartsight_reader")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)  # type: ignore[call-overload]
    with psycopg.connect(url) as connection:
        connection.execute("SET ROLE chartsight_reader")
        assert connection.execute("SELECT count(*) FROM chartsight.patients").fetchall() == [(4,)]


def test_what_is_no_record_or_no_target_is_refused(tiny_record: Path, tmp_path: Path) -> None:
    (tmp_path / "text.duckdb").write_text("no record")
    duckdb.connect(str(tmp_path / "other.duckdb")).close()
    for source, out, code in [
        ("absent.duckdb", "a.sqlite", "missing-record"), ("text.duckdb", "a.sqlite", "no-record"),
        ("other.duckdb", "a.sqlite", "no-record"), (str(tiny_record), "a.csv", "bad-target"),
        (str(tiny_record), "a", "bad-target"), (str(tiny_record), str(tiny_record), "output-is-input"),
        (str(tiny_record), "postgresql://nobody@/none?host=/nowhere", "no-connection"),
        (str(tiny_record), f"postgresql://nobody:{SECRET.split()[1]}@localhost/none", "password-in-url"),
    ]:  # fmt: skip
        place = out if out.startswith("postgres") else tmp_path / out
        with pytest.raises(ChartsightError) as caught:
            copy_record(tmp_path / source, place, quiet=True, force=True)
        assert caught.value.code == code, (source, out)
        assert "Quux" not in str(caught.value) and "\n" not in str(caught.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other.duckdb", "text.duckdb"]


def test_a_value_of_another_type_is_named_by_its_place_and_never_shown(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "theirs.sqlite")
    with connection:
        connection.execute("CREATE TABLE patients (subject_id INT, dob TIMESTAMP, weight DOUBLE)")
        connection.execute("INSERT INTO patients VALUES (1, '2100-01-01 00:00:00', 1.5)")
        connection.execute("INSERT INTO patients VALUES (2, ?, 1.5)", [SECRET])
    connection.close()
    with pytest.raises(RecordError) as caught:
        copy_record(tmp_path / "theirs.sqlite", tmp_path / "ours.duckdb", quiet=True)
    assert caught.value.where == "patients.dob, row 2" and "Zebediah" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["theirs.sqlite"]


def test_a_damaged_source_is_one_line(tiny_record: Path, tmp_path: Path) -> None:
    copy_record(tiny_record, tmp_path / "whole.sqlite", quiet=True)
    data = (tmp_path / "whole.sqlite").read_bytes()
    (tmp_path / "cut.sqlite").write_bytes(data[: len(data) // 3])
    with pytest.raises(RecordError) as caught:
        copy_record(tmp_path / "cut.sqlite", tmp_path / "again.duckdb", quiet=True)
    assert caught.value.code in ("damaged", "no-record") and "\n" not in str(caught.value)
    assert not (tmp_path / "again.duckdb").exists()


FULL_DISK = """
import resource, sys
from pathlib import Path
from chartsight.errors import OutputError
from chartsight.records.copy import copy_record
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), int(sys.argv[3])))
try:
    copy_record(Path(sys.argv[1]), sys.argv[2], quiet=True)
except OutputError as error:
    sys.exit(f"{error.code} {error}")
"""


@pytest.mark.parametrize("kind", ["sqlite", "duckdb"])
def test_a_full_disk_is_one_line_and_leaves_nothing(tiny_record: Path, tmp_path: Path, kind: str) -> None:
    out = tmp_path / "out" / f"copy.{kind}"
    ran = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tiny_record), str(out), "300000"], capture_output=True, text=True,
        timeout=120,
    )  # fmt: skip
    assert ran.stderr.startswith("disk-full") and ran.stderr.count("\n") == 1, ran.stderr
    assert list(out.parent.iterdir()) == []


def test_the_command_line_copies_and_says_what(
    tiny_record: Path, tmp_path: Path, new_database: NewDatabase, capsys: pytest.CaptureFixture[str]
) -> None:
    for target in (str(tmp_path / "copy.sqlite"), new_database()):
        with pytest.raises(SystemExit) as end:
            main(["records", "copy", str(tiny_record), target, "--json", "--quiet"])
        printed = json.loads(capsys.readouterr().out)
        assert end.value.code in (0, None)
        assert printed["kept"]["patients"] == 4 and printed["digest"] == content_digest(tiny_record)
        assert "?" not in printed["copy"]
    assert printed["reader"] == "chartsight_reader"


def test_a_password_comes_from_a_file_or_the_environment(
    tiny_record: Path, new_database: NewDatabase, postgres_socket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server lets everybody in, so that what libpq would send is read from its own settings."""
    passwords = tmp_path / "passwords"
    passwords.write_text(f"*:*:*:postgres:{SECRET}\n")
    passwords.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(passwords))
    url = new_database()
    run = copy_record(tiny_record, url, quiet=True)
    assert SECRET not in json.dumps(run.config) + json.dumps(run.outputs)
    with psycopg.connect(url) as connection:
        assert connection.info.password == SECRET


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.one_of(st.none(), st.integers(-(2**31), 2**31 - 1)),
            st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False)),
            st.one_of(st.none(), st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))),
            st.one_of(st.none(), st.datetimes(datetime(1000, 1, 1), datetime(9999, 1, 1))),
            st.one_of(st.none(), st.dates(datetime(1000, 1, 1).date())),
            st.one_of(st.none(), st.booleans()),
        ),
        max_size=6,
    )
)
def test_any_values_survive_the_copies(
    tmp_path_factory: pytest.TempPathFactory, any_values_database: str, rows: list[tuple[Any, ...]]
) -> None:
    folder = tmp_path_factory.mktemp("values")
    with duckdb.connect(str(folder / "source.duckdb")) as connection:
        connection.execute("CREATE TABLE patients (n INTEGER, x DOUBLE, s VARCHAR, t TIMESTAMP, d DATE, b BOOLEAN)")
        if rows:
            connection.executemany("INSERT INTO patients VALUES (?, ?, ?, ?, ?, ?)", rows)
    with open_store(folder / "source.duckdb") as store:
        digest = store_digest(store)
    for target in (str(folder / "copy.sqlite"), any_values_database):
        copy_record(folder / "source.duckdb", target, quiet=True, force=True)
        assert content_digest(target) == digest


@pytest.fixture(scope="module")
def any_values_database(new_database: NewDatabase) -> str:
    return new_database()

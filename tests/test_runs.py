"""Outputs appear whole or not at all, and the manifest says what happened, without a patient's value."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chartsight import __version__
from chartsight.errors import ChartsightError, OutputError
from chartsight.runs import (
    Run,
    check_apart,
    disk_full,
    machine,
    make_folder,
    manifest_path,
    new_output,
    package_versions,
    read_manifest,
    remove,
    removed_on_failure,
    sha256_file,
    write_json,
)
from chartsight.schema import SCHEMA_VERSION


def everything(folder: Path) -> list[str]:
    """Names of all that stands below, hidden ones too."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


# ------------------------------------------------------------------------------------------------------------- outputs


def test_a_file_appears_when_the_block_ends(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out.txt"
    with new_output(out) as partial:
        partial.write_text("whole")
        assert not out.exists() and partial.parent == out.parent and partial.name.startswith(".")
    assert everything(tmp_path) == ["deep", "deep/out.txt"]


@pytest.mark.parametrize("raised", [ValueError("no"), KeyboardInterrupt(), SystemExit(3)])
def test_nothing_is_left_of_a_block_that_fails(tmp_path: Path, raised: BaseException) -> None:
    with pytest.raises(type(raised)), new_output(tmp_path / "out") as partial:
        (partial / "sub").mkdir(parents=True)
        (partial / "sub" / "half").write_text("half")
        raise raised
    assert everything(tmp_path) == []


def test_an_existing_output_is_refused_before_any_work(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.write_text("mine")
    with pytest.raises(OutputError) as caught, new_output(out):
        pytest.fail("the block ran")
    assert (caught.value.code, caught.value.where) == ("output-exists", str(out))
    assert "--force" in caught.value.hint and out.read_text() == "mine"


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_replacing_keeps_the_old_output_until_the_new_one_is_whole(tmp_path: Path, kind: str) -> None:
    out = tmp_path / "out"
    if kind == "file":
        out.write_text("old")
    else:
        out.mkdir()
        (out / "run.json").write_text("old")
    before = everything(tmp_path)
    with pytest.raises(ValueError), new_output(out, replace=True) as partial:
        partial.write_text("half")
        raise ValueError
    assert everything(tmp_path) == before
    with new_output(out, replace=True) as partial:
        if kind == "folder":
            partial.mkdir()
        (partial / "new" if kind == "folder" else partial).write_text("new")
    assert everything(tmp_path) == (["out"] if kind == "file" else ["out", "out/new"])


def test_replacing_never_removes_a_folder_of_something_else(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.txt").write_text("mine")
    with pytest.raises(OutputError, match="a folder of something else"), new_output(out, replace=True):
        pytest.fail("the block ran")
    (out / "run.json").write_text("{}")
    with pytest.raises(OutputError, match="is a folder; expected a file"), new_output(out, replace=True) as partial:
        partial.write_text("a file over a folder")
    assert everything(tmp_path) == ["out", "out/run.json", "out/thesis.txt"]


@pytest.mark.parametrize("name", [".", "/", "..", "x" * 250])
def test_an_output_that_cannot_be_named(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OutputError) as caught, new_output(Path(name), replace=True) as partial:
        partial.mkdir()
    assert caught.value.code in {"no-name", "not-writable"}


@pytest.mark.parametrize(
    ("name", "code"), [("file/sub", "no-folder"), ("file", "no-folder"), ("x" * 300, "not-writable")]
)
def test_a_folder_that_cannot_be_made(tmp_path: Path, name: str, code: str) -> None:
    (tmp_path / "file").write_text("mine")
    make_folder(tmp_path / "deep" / "folder")
    make_folder(tmp_path / "deep" / "folder")
    with pytest.raises(OutputError) as caught:
        make_folder(tmp_path / name)
    assert caught.value.code == code
    assert everything(tmp_path) == ["deep", "deep/folder", "file"]


def test_an_output_is_never_its_own_input(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    check_apart(tmp_path / "out", tmp_path / "in")
    check_apart(tmp_path / "in" / "out", tmp_path / "in")
    for out in (tmp_path, tmp_path / "in"):
        with pytest.raises(OutputError, match="is or holds the input"):
            check_apart(out, tmp_path / "in")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_is_the_users_to_mend(tmp_path: Path, number: int) -> None:
    with pytest.raises(OutputError) as caught, new_output(tmp_path / "out") as partial:
        partial.write_text("half")
        raise OSError(number, os.strerror(number))
    assert caught.value.code == "disk-full" and str(caught.value) == str(disk_full(tmp_path / "out"))
    assert everything(tmp_path) == []


def test_another_os_error_stays_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="Input/output"), new_output(tmp_path / "out"):
        raise OSError(errno.EIO, "Input/output error")


@pytest.mark.parametrize("below", ["file/out", "file/sub/out"])
def test_an_output_in_a_file(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(OutputError) as caught, new_output(tmp_path / below):
        pytest.fail("the block ran")
    assert caught.value.code == "no-folder"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    for out in (tmp_path / "out", tmp_path / "sub" / "out"):
        with pytest.raises(OutputError) as caught, new_output(out):
            pytest.fail("the block ran")
        assert caught.value.code == "not-writable"
    tmp_path.chmod(0o700)


@pytest.mark.parametrize("raised", [ValueError("no"), KeyboardInterrupt()])
def test_outputs_of_one_run_go_together(tmp_path: Path, raised: BaseException) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    (tmp_path / "beside").touch()
    with pytest.raises(type(raised)), removed_on_failure(one, other, tmp_path / "never there"):
        one.touch()
        other.mkdir()
        raise raised
    assert everything(tmp_path) == ["beside"]
    with removed_on_failure(one):
        one.touch()
    assert everything(tmp_path) == ["beside", "one"]


def test_a_disk_that_fills_up_late_names_the_first_output(tmp_path: Path) -> None:
    with pytest.raises(OutputError) as caught, removed_on_failure(tmp_path / "one", tmp_path / "other"):
        (tmp_path / "one").touch()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert (caught.value.code, caught.value.where) == ("disk-full", str(tmp_path / "one"))
    assert everything(tmp_path) == []


def test_remove_takes_a_link_not_what_it_points_to(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "kept")
    remove(tmp_path / "link")
    remove(tmp_path / "never there")
    assert everything(tmp_path) == ["kept"]


# ---------------------------------------------------------------------------------------------------------------- JSON


def test_json_is_replaced_in_one_step(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"b": 1, "a": Path("x")})
    assert path.read_text() == '{\n  "a": "x",\n  "b": 1\n}\n'
    with pytest.raises(TypeError):
        write_json(path, {("no", "key"): 1})
    assert json.loads(path.read_text())["b"] == 1 and everything(tmp_path) == ["a.json"]


@given(st.dictionaries(st.text(max_size=5), st.one_of(st.integers(), st.text(max_size=5), st.none(), st.booleans())))
def test_json_does_not_depend_on_the_order_of_keys(tmp_path_factory: pytest.TempPathFactory, value: object) -> None:
    assert isinstance(value, dict)
    folder = tmp_path_factory.getbasetemp()
    write_json(folder / "one.json", value)
    write_json(folder / "two.json", dict(reversed(value.items())))
    assert (folder / "one.json").read_bytes() == (folder / "two.json").read_bytes()
    assert json.loads((folder / "one.json").read_text("utf-8")) == value


# ----------------------------------------------------------------------------------------------------------- manifests


def test_a_manifest_says_what_happened(tmp_path: Path) -> None:
    source, out = tmp_path / "source.csv", tmp_path / "out.parquet"
    source.write_text("a,b\n1,2\n")
    out.write_text("whole")
    run = Run("questions build", {"seed": 3, "path": tmp_path}, seed=3, terms="open", pairing="synthetic")
    run.read(source, rows=1)
    run.read(tmp_path)
    run.drop("unparsable dod", source, row=7)
    run.drop("unparsable dod", source, row=9)
    run.kept["questions"] = 5
    run.parent_runs.append("abc")
    assert run.write(out) == tmp_path / "out.parquet.run.json"
    manifest = read_manifest(out)
    assert manifest is not None
    assert manifest.keys() == {
        "schema_version", "run_id", "verb", "argv", "config", "inputs", "outputs", "versions", "git", "machine", "seed",
        "started", "finished", "status", "terms", "pairing", "counts", "dropped_rows", "faults", "parent_runs",
    }  # fmt: skip
    assert manifest["schema_version"] == SCHEMA_VERSION
    assert (manifest["verb"], manifest["seed"], manifest["status"]) == ("questions build", 3, "done")
    assert (manifest["terms"], manifest["pairing"], manifest["parent_runs"]) == ("open", "synthetic", ["abc"])
    assert manifest["counts"] == {"kept": {"questions": 5}, "dropped": {"unparsable dod": 2}}
    assert manifest["dropped_rows"] == [
        {"reason": "unparsable dod", "where": str(source), "row": 7},
        {"reason": "unparsable dod", "where": str(source), "row": 9},
    ]
    assert manifest["inputs"] == [
        {"path": str(source), "sha256": sha256_file(source), "rows": 1},
        {"path": str(tmp_path), "sha256": None, "rows": None},
    ]
    assert manifest["versions"]["chartsight"] == __version__
    assert manifest["started"] <= manifest["finished"]


def test_a_manifest_of_a_folder_stands_inside(tmp_path: Path) -> None:
    assert manifest_path(tmp_path) == tmp_path / "run.json"
    assert read_manifest(tmp_path) is None
    Run("hospital", {}).write(tmp_path, status="running")
    manifest = read_manifest(tmp_path)
    assert manifest is not None and manifest["status"] == "running"


def test_dropped_rows_are_all_counted_and_a_thousand_of_a_reason_listed() -> None:
    run = Run("records build", {})
    for row in range(1500):
        run.drop("many", "labs.csv", row)
    run.drop("few", "labs.csv", 3)
    run.drop("in one go", "labs.csv", count=5000)
    assert run.dropped == {"many": 1500, "few": 1, "in one go": 5000}
    listed = [each["reason"] for each in run.dropped_rows]
    assert (listed.count("many"), listed.count("few"), len(listed)) == (Run.LISTED, 1, Run.LISTED + 1)
    assert [each["row"] for each in run.dropped_rows[:3]] == [0, 1, 2]


def test_a_newer_manifest_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(json.dumps({"schema_version": SCHEMA_VERSION + 1}))
    with pytest.raises(OutputError) as caught:
        read_manifest(tmp_path)
    assert caught.value.code == "newer-schema" and "upgrade" in caught.value.hint


@pytest.mark.parametrize("text", ["garbage", "", "[1]"])
def test_a_manifest_that_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(OutputError, match="is no manifest"):
        read_manifest(tmp_path)


def test_run_ids_are_unique() -> None:
    one, other = Run("train", {}), Run("train", {})
    assert one.run_id != other.run_id
    assert all(len(each.run_id) == 12 and set(each.run_id) <= set("0123456789abcdef") for each in (one, other))


def test_machine_and_versions_are_described() -> None:
    described = machine()
    assert described["cores"] >= 1 and described["processor"]
    assert {"python", "chartsight", "numpy", "duckdb"} <= package_versions().keys()


# -------------------------------------------------------------------------------------------------------------- errors


def test_an_error_is_one_line_with_what_where_and_what_to_do() -> None:
    error = ChartsightError("wrong-header", Path("a/b.csv"), "has no\n column x", "a,b,x", "fetch it again")
    assert str(error) == "a/b.csv: has no column x; expected a,b,x (fetch it again)"
    assert str(ChartsightError("gone", "b.csv", "is gone")) == "b.csv: is gone"
    assert error.as_dict()["where"] == "a/b.csv" and error.exit_code == 2

"""What a user can get wrong, through the command line: exit 2, one line that says what, where and what to do, no trace.

`refused` checks all of that for every case: nothing on standard output, no traceback, no output and no partial file.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from chartsight.cli import main
from chartsight.runs import read_manifest
from chartsight.schema import SCHEMA_VERSION

pytest_plugins = ["tests.fixtures_hospital"]

SECRET = "Zebediah Quux"  # a value of a patient; it may stand in no message and no manifest

Refused = Callable[..., str]


@pytest.fixture
def refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Refused:
    """The line that a wrong call ends with. Everything below tmp_path is as it was before the call."""

    def call(*arguments: object) -> str:
        before = contents(tmp_path)
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main([str(each) for each in arguments])
        printed = capsys.readouterr()
        assert end.value.code == 2, printed.err
        assert printed.out == ""
        assert printed.err.startswith("error: ") and printed.err.count("\n") == 1, printed.err
        assert SECRET not in printed.err and "Traceback" not in printed.err
        assert contents(tmp_path) == before, "something was left behind"
        return printed.err.strip()

    return call


def contents(folder: Path) -> dict[str, tuple[int, int]]:
    """Everything below a folder, hidden files too, with size and time of the last change."""
    found = {}
    for path in folder.rglob("*"):
        if path.is_file():
            found[path.relative_to(folder).as_posix()] = (path.stat().st_size, path.stat().st_mtime_ns)
        else:
            found[path.relative_to(folder).as_posix()] = (0, 0)
    return found


@pytest.fixture
def spoiled(tiny_hospital: Path, tmp_path: Path) -> Path:
    """A copy of the tiny hospital that a test may spoil."""
    return Path(shutil.copytree(tiny_hospital, tmp_path / "hospital"))


def read_lines(path: Path) -> list[str]:
    return gzip.decompress(path.read_bytes()).decode().splitlines()


def write_lines(path: Path, lines: list[str]) -> None:
    path.write_bytes(gzip.compress("".join(f"{line}\n" for line in lines).encode(), mtime=0))


def draw(path: Path, side_px: int = 32, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 255, (side_px, side_px)).astype(np.uint8)
    Image.fromarray(noise).save(path)
    return path


# ------------------------------------------------------------------------------------------------------ tables of MIMIC


def test_a_missing_table(spoiled: Path, tmp_path: Path, refused: Refused) -> None:
    (spoiled / "mimic-iv/hosp/patients.csv.gz").unlink()
    line = refused("records", "build", tmp_path / "r.duckdb", "--mimiciv", spoiled / "mimic-iv")
    assert "hosp/patients.csv.gz: no such file" in line and "hosp/ and icu/" in line


@pytest.mark.parametrize("table", ["hosp/patients", "hosp/labevents", "icu/chartevents"])
def test_a_truncated_table(spoiled: Path, tmp_path: Path, refused: Refused, table: str) -> None:
    path = spoiled / "mimic-iv" / f"{table}.csv.gz"
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    line = refused("records", "build", tmp_path / "r.duckdb", "--mimiciv", spoiled / "mimic-iv")
    assert f"{table}.csv.gz: is cut short or damaged" in line and "fetch it again" in line


@pytest.mark.parametrize("content", [b"", b"<html>404</html>", b"\x1f\x8b"])
def test_a_table_that_is_no_gzip(spoiled: Path, tmp_path: Path, refused: Refused, content: bytes) -> None:
    (spoiled / "mimic-iv/hosp/labevents.csv.gz").write_bytes(content)
    assert "labevents.csv.gz: " in refused("records", "build", tmp_path / "r.duckdb", "--mimiciv", spoiled / "mimic-iv")


def test_a_wrong_header_names_every_column_that_is_off(spoiled: Path, tmp_path: Path, refused: Refused) -> None:
    path = spoiled / "mimic-iv/hosp/admissions.csv.gz"
    header, *rows = read_lines(path)
    write_lines(path, [header.replace("admittime", "admitted_at").replace("race", "ethnicity"), *rows])
    line = refused("records", "build", tmp_path / "r.duckdb", "--mimiciv", spoiled / "mimic-iv")
    assert "admissions.csv.gz: wrong header: missing admittime, race; unexpected admitted_at, ethnicity" in line


def test_a_table_without_a_header_does_not_show_its_first_patient(
    spoiled: Path, tmp_path: Path, refused: Refused
) -> None:
    path = spoiled / "mimic-iv/hosp/patients.csv.gz"
    write_lines(path, [f"10000032,F,52,{SECRET},2014 - 2016,2180-09-09", *read_lines(path)[1:]])
    line = refused("records", "build", tmp_path / "r.duckdb", "--mimiciv", spoiled / "mimic-iv")
    assert "patients.csv.gz" in line and "header" in line
    assert "10000032" not in line and "2180" not in line


def test_bad_rows_cost_themselves_only_and_are_listed(
    spoiled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tables = spoiled / "mimic-iv/hosp"
    patients = read_lines(tables / "patients.csv.gz")
    write_lines(tables / "patients.csv.gz", [*patients, f"19999999,F,{SECRET},2180,2014 - 2016,", "19999998,M,50"])
    labs = read_lines(tables / "labevents.csv.gz")
    cells = labs[5].split(",")
    column = labs[0].split(",").index("charttime")
    broken = ",".join([*cells[:column], SECRET, *cells[column + 1 :]])
    write_lines(tables / "labevents.csv.gz", [*labs[:5], broken, *labs[6:]])
    film, small = sorted((spoiled / "mimic-cxr-jpg/files").rglob("*.jpg"))[:2]
    film.write_text(f"the film of {SECRET}")
    draw(small, side_px=1)
    report = ["records", "build", str(tmp_path / "r.duckdb"), "--mimiciv", str(spoiled / "mimic-iv")]
    with pytest.raises(SystemExit) as end:
        main([*report, "--mimic-cxr-jpg", str(spoiled / "mimic-cxr-jpg")])
    printed = capsys.readouterr()
    assert end.value.code == 0 and printed.err == ""
    manifest = read_manifest(tmp_path / "r.duckdb")
    assert manifest is not None
    kept, dropped = manifest["counts"]["kept"], manifest["counts"]["dropped"]
    assert kept["patients"] == len(patients) - 1 and kept["labevents"] == len(labs) - 2
    assert kept["admissions"] == len(read_lines(tables / "admissions.csv.gz")) - 1
    assert dropped["unparsable anchor_age"] == dropped["unparsable charttime"] == 1
    assert dropped["film: no-image"] == dropped["film: film-too-small"] == 1
    assert sum(count for reason, count in dropped.items() if reason.startswith("malformed line")) == 1
    listed = {(each["reason"], Path(each["where"]).name, each["row"]) for each in manifest["dropped_rows"]}
    assert ("unparsable anchor_age", "patients.csv.gz", len(patients)) in listed
    assert ("unparsable charttime", "labevents.csv.gz", 5) in listed
    assert {film.name, small.name} <= {where for _, where, _ in listed}
    for text in (printed.out, (tmp_path / "r.duckdb.run.json").read_text("utf-8")):
        assert "Zebediah" not in text and "Quux" not in text


# ---------------------------------------------------------------------------------------------------- folders of images


def folder_of_films(folder: Path, table: str, films: int = 2) -> list[object]:
    """The flags of a folder of drawn films with its CSV."""
    for number in range(films):
        draw(folder / f"{number}.png", seed=number)
    (folder / "labels.csv").write_text(table)
    return ["--films", folder, "--labels", folder / "labels.csv"]


def test_unknown_findings_are_named_with_the_flag_that_declares_them(tmp_path: Path, refused: Refused) -> None:
    table = f"image,patient,findings\n0.png,{SECRET},bent rib|edema\n1.png,p2,blue lung\n"
    line = refused("records", "build", tmp_path / "r.duckdb", *folder_of_films(tmp_path / "scans", table))
    assert "labels.csv: 2 finding(s)" in line and "bent rib, blue lung" in line
    assert "--findings bent_rib,blue_lung" in line


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("picture_of,patient\n0.png,a\n", "no column for the image"),
        ("image,case\n0.png,a\n", "no column for the patient"),
        (f"0.png,{SECRET}\n1.png,b\n", "no column for the image in the first line"),
        ("", "is empty"),
        ("image,patient\nnone.png,a\n", "no film is left (1 image not found, 2 image without a row in the CSV)"),
    ],
)
def test_a_csv_without_its_columns(tmp_path: Path, refused: Refused, table: str, words: str) -> None:
    line = refused("records", "build", tmp_path / "r.duckdb", *folder_of_films(tmp_path / "scans", table))
    assert "labels.csv: " in line and words in line


@pytest.mark.parametrize(("content", "code"), [("no image", "no-image"), ("1x1", "film-too-small")])
def test_a_folder_whose_only_image_is_none(tmp_path: Path, refused: Refused, content: str, code: str) -> None:
    flags = folder_of_films(tmp_path / "scans", f"image,patient,edema\n0.png,{SECRET},1\n", films=1)
    path = tmp_path / "scans" / "0.png"
    if content == "1x1":
        draw(path, side_px=1)
    else:
        path.write_text(content)
    line = refused("records", "build", tmp_path / "r.duckdb", *flags)
    assert "no film is left" in line and code in line


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ([], "no source is given"),
        (["--mimiciv", "nowhere"], "nowhere: no such file or folder"),
        (["--films", "nowhere"], "1 folders, 0 CSVs"),
        (["--films", "nowhere", "--labels", "none.csv"], "nowhere: no such folder"),
        (["--films", ".", "--labels", "none.csv", "--terms", "mine"], "--terms: 'mine'; expected"),
        (["--films", ".", "--labels", "none.csv", "--columns", "image"], "image: has no key=value form"),
        (["--mimiciv", ".", "--memory-limit", "-1"], "--memory-limit"),
        (["--chest-imagenome", "."], "--chest-imagenome: is given alone"),
        (["--mimiciv", ".", "--pair-films"], "--pair-films: needs films and patients"),
    ],
)
def test_sources_that_make_no_record(
    tmp_path: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch, flags: list[str], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert words in refused("records", "build", "r.duckdb", *flags)


# ---------------------------------------------------------------------------------------------- hospitals and questions


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--patients", "-3"], "patients: -3; expected 1 to 100000"),
        (["--patients", "0"], "patients: 0; expected 1 to"),
        (["--patients", "many"], "Invalid value for '--patients'"),
        (["--style", "gothic"], "style: 'gothic'; expected one of harbour, hillside"),
        (["--film-size", "1"], "film_size_px: 1; expected 64 to 2048"),
        (["--seed", "-1"], "seed: -1"),
        (["--label-noise", "2"], "label_noise: 2; expected 0 to 1"),
        (["--workers", "0"], "workers: 0; expected 1 or more"),
        (["--patient", "3"], "No such option: --patient"),
    ],
)
def test_an_impossible_hospital(tmp_path: Path, refused: Refused, flags: list[str], words: str) -> None:
    assert words in refused("hospital", tmp_path / "h", *flags)


@pytest.mark.parametrize("verb", ["hospital", "questions build", "predict", "records build"])
def test_a_name_that_no_file_can_have(
    verb: str, tiny_record: Path, tiny_questions: Path, tmp_path: Path, refused: Refused
) -> None:
    sources = {
        "hospital": [], "questions build": [tiny_record], "predict": ["starter", tiny_questions],
        "records build": [],
    }[verb]  # fmt: skip
    flags = ["--mimiciv", tmp_path] if verb == "records build" else []
    assert "File name too long" in refused(*verb.split(), *sources, tmp_path / ("x" * 255), *flags)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--yes-share", "1.5"], "yes_share: 1.5; expected a share from 0 to 1"),
        (["--unmentioned", "maybe"], "unmentioned: maybe; expected absent or unknown"),
        (["--min-support", "0"], "min_support: 0; expected a whole number of at least 1"),
        (["--templates", "none.yaml"], "none.yaml"),
    ],
)
def test_impossible_questions(
    tiny_record: Path, tmp_path: Path, refused: Refused, flags: list[str], words: str
) -> None:
    assert words in refused("questions", "build", tiny_record, tmp_path / "q.parquet", *flags)


def test_a_record_that_is_no_record(tmp_path: Path, refused: Refused) -> None:
    (tmp_path / "text.duckdb").write_text("no database")
    with duckdb.connect(str(tmp_path / "other.duckdb")) as connection:
        connection.execute("CREATE TABLE patients AS SELECT 1 AS subject_id")
    for name, words in (("text", "is no record"), ("other", "is no record"), ("none", "no such file")):
        line = refused("questions", "build", tmp_path / f"{name}.duckdb", tmp_path / "q.parquet")
        assert f"{name}.duckdb: {words}" in line


def test_a_record_of_a_newer_version(tiny_record: Path, tmp_path: Path, refused: Refused) -> None:
    newer = Path(shutil.copy(tiny_record, tmp_path / "newer.duckdb"))
    with duckdb.connect(str(newer)) as connection:
        connection.execute("UPDATE record_info SET value = ? WHERE key = 'schema_version'", [str(SCHEMA_VERSION + 1)])
    line = refused("questions", "build", newer, tmp_path / "q.parquet")
    assert f"schema_version {SCHEMA_VERSION + 1}; expected at most {SCHEMA_VERSION} (upgrade chartsight)" in line


def test_an_import_without_a_usable_line(tmp_path: Path, refused: Refused) -> None:
    lines = tmp_path / "lines.jsonl"
    for text, words in (
        ("no JSON\n", "not JSON (1)"),
        (json.dumps({"image": "none.png", "question": SECRET, "answer": "yes"}) + "\n", "missing-film (1)"),
        ("", "it is empty"),
    ):
        lines.write_text(text)
        assert words in refused("questions", "import", lines, tmp_path / "q.parquet")
    assert "csv" in refused("questions", "import", lines, tmp_path / "q.parquet", "--format", "csv")
    assert "'mine'" in refused("questions", "import", lines, tmp_path / "q.parquet", "--terms", "mine")


def test_bad_lines_of_an_import_are_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"image": "a.png", "question": "Is there edema?", "answer": "yes", "patient_id": SECRET},
            {"image": "a.png", "question": f"Is {SECRET} ill?", "answer": "yes", "patient_id": SECRET},
            {"image": "small.png", "question": "Is there edema?", "answer": "no"}]  # fmt: skip
    draw(tmp_path / "a.png")
    draw(tmp_path / "small.png", side_px=1)
    (tmp_path / "lines.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(SystemExit) as end:
        main(["questions", "import", str(tmp_path / "lines.jsonl"), str(tmp_path / "q.parquet")])
    printed = capsys.readouterr()
    manifest = (tmp_path / "q.parquet.run.json").read_text("utf-8")
    assert end.value.code == 0 and SECRET not in printed.out + printed.err + manifest
    assert json.loads(manifest)["counts"]["kept"]["questions"] == 1
    assert [each["row"] for each in json.loads(manifest)["dropped_rows"]] == [2, 3]


# ------------------------------------------------------------------------------------------------------ recipes, models


@pytest.fixture
def recipe(tiny_questions: Path, tmp_path: Path) -> Callable[[str], Path]:
    """Writes a training recipe with more keys."""

    def write(more: str = "", questions: Path = tiny_questions, base: str = "no-such-model") -> Path:
        path = tmp_path / "recipe.yaml"
        path.write_text(f"name: tuned\nbase: {base}\nquestions: {questions}\n{more}")
        return path

    return write


def test_a_recipe_with_an_unknown_key(recipe: Callable[..., Path], tmp_path: Path, refused: Refused) -> None:
    line = refused("train", recipe("stepss: 3\n"), tmp_path / "run")
    assert "recipe.yaml: unknown key stepss" in line and "did you mean steps?" in line
    line = refused("train", recipe("train: {towr: full}\n"), tmp_path / "run")
    assert "unknown key train.towr" in line and "did you mean tower?" in line
    assert "did you mean steps?" in refused("train", recipe(), tmp_path / "run", "--set", "stepz=3")


@pytest.mark.parametrize(
    ("more", "flags", "words"),
    [
        ("steps: 0\n", [], "steps is 0; expected greater than or equal to 1"),
        ("train: {language_model: frozen, projector: frozen}\n", [], "everything is frozen"),
        ("steps: [1\n", [], "is no YAML"),
        ("kind: towel\n", [], "kind is 'towel'"),
        ("", ["--set", "steps"], "steps: has no key=value form"),
        ("", ["--set", "steps=[1"], "has a value that is no YAML"),
        ("", ["--set", "name.x=1"], "name has no keys below it"),
        ("", [], "no-such-model: no model folder"),
    ],
)
def test_an_impossible_recipe(
    recipe: Callable[..., Path], tmp_path: Path, refused: Refused, more: str, flags: list[str], words: str
) -> None:
    assert words in refused("train", recipe(more), tmp_path / "run", *flags)


def test_a_comparison_with_mistakes(tiny_questions: Path, tmp_path: Path, refused: Refused) -> None:
    path = tmp_path / "compare.yaml"
    model = "{name: a, path: no-such-model, role: baseline}"
    for text, words in (
        (f"questions: {tiny_questions}\nmodels: []\n", "models is empty"),
        (f"questions: {tiny_questions}\nmodels: [{model}]\nconditons: [full]\n", "did you mean conditions?"),
        (f"questions: {tiny_questions}\nmodels: [{model}]\nconditions: [full, upside_down]\n", "conditions.1"),
        (f"questions: {tmp_path}/none.parquet\nmodels: [{model}]\n", "none.parquet: no such file"),
        (f"questions: {tiny_questions}\nmodels: [{model}, {model}]\n", "two models are called a"),
    ):
        path.write_text(text)
        assert words in refused("compare", path, tmp_path / "report")


def test_questions_that_are_no_question_set(
    recipe: Callable[..., Path], tiny_questions: Path, tmp_path: Path, refused: Refused
) -> None:
    (tmp_path / "text.parquet").write_text("no Parquet")
    pq.write_table(pa.table({"a": [1]}), tmp_path / "other.parquet")
    table = pq.read_table(tiny_questions)
    newer = {**table.schema.metadata, b"chartsight.schema_version": str(SCHEMA_VERSION + 1).encode()}
    pq.write_table(table.replace_schema_metadata(newer), tmp_path / "newer.parquet")
    pq.write_table(table.drop_columns(["answer"]), tmp_path / "fewer.parquet")
    for name, words in (
        ("text", "is no Parquet file"), ("other", "is no question set"), ("none", "no such file"),
        ("newer", "upgrade chartsight"), ("fewer", "no column answer"),
    ):  # fmt: skip
        line = refused("train", recipe(questions=tmp_path / f"{name}.parquet"), tmp_path / "run")
        assert f"{name}.parquet: " in line and words in line


def test_predictions_that_cannot_be_made(
    starter_folder: Path, tiny_questions: Path, tmp_path: Path, refused: Refused
) -> None:
    out = tmp_path / "p.parquet"
    assert "no-such-model: no model folder" in refused("predict", "no-such-model", tiny_questions, out)
    for wish, words in (
        (("--scoring", "best"), "free or allowed"), (("--shots", "-1"), "0 or more"),
        (("--engine", "spark"), "local or ray"), (("--endpoint", "nowhere"), "127.0.0.1"),
        (("--endpoint", "http://localhost:1/v1", "--engine", "ray"), "one of"),
        (("--endpoint", "http://localhost:1/v1", "--concurrency", "0"), "1 request"),
        (("--shots", "9999"), "--shots"),
    ):  # fmt: skip
        assert words in refused("predict", starter_folder, tiny_questions, out, *wish)
    line = refused("predict", starter_folder, tiny_questions, out, "--condition", "upside_down")
    assert "condition: 'upside_down'; expected full or " in line
    assert "split training" in refused("predict", starter_folder, tiny_questions, out, "--split", "training")
    assert "none.parquet: no such file" in refused("predict", starter_folder, tmp_path / "none.parquet", out)
    (tmp_path / "text.parquet").write_text("no Parquet")
    assert "is no Parquet file" in refused("predict", starter_folder, tmp_path / "text.parquet", out)


def test_a_model_folder_that_cannot_be_loaded(
    starter_folder: Path, tiny_questions: Path, tmp_path: Path, refused: Refused
) -> None:
    model = Path(shutil.copytree(starter_folder, tmp_path / "model"))
    card = json.loads((model / "chartsight.json").read_text("utf-8"))
    for change, words in (
        ({"schema_version": SCHEMA_VERSION + 1}, f"schema_version {SCHEMA_VERSION + 1}; expected at most"),
        ({"colour": "blue"}, "keys do not fit"),
    ):
        (model / "chartsight.json").write_text(json.dumps({**card, **change}))
        assert words in refused("predict", model, tiny_questions, tmp_path / "p.parquet")
    (model / "chartsight.json").write_text("no JSON")
    assert "is no JSON" in refused("predict", model, tiny_questions, tmp_path / "p.parquet")


# -------------------------------------------------------------------------------------- outputs that exist, a full disk


def test_an_output_that_exists_is_not_touched(
    tiny_hospital: Path, tiny_record: Path, recipe: Callable[..., Path], tmp_path: Path, refused: Refused
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "mine").write_text("mine")
    (tmp_path / "file").write_text("mine")
    draw(tmp_path / "a.png")
    (tmp_path / "lines.jsonl").write_text('{"image": "a.png", "question": "Well?", "answer": "yes"}\n')
    for arguments in (
        ["hospital", tmp_path / "folder", "--patients", "3"],
        ["records", "build", tmp_path / "file", "--mimiciv", tiny_hospital / "mimic-iv"],
        ["questions", "build", tiny_record, tmp_path / "file", "--min-support", "1"],
        ["questions", "import", tmp_path / "lines.jsonl", tmp_path / "file"],
    ):
        line = refused(*arguments)
        assert "exists already" in line and "--force" in line
    assert "is or lies in a file" in refused("hospital", tmp_path / "file" / "h", "--patients", "3")


LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), int(sys.argv[1])))
from chartsight.cli import main
main(sys.argv[2:])
"""


def work_on(verb: str, out: Path, hospital: Path, record: Path) -> list[str]:
    """The arguments of a verb that writes into `out`."""
    if verb == "hospital":
        return ["hospital", str(out / "h"), "--patients", "4", "--film-size", "64", "--workers", "1"]
    if verb == "records":
        sources = ["--mimiciv", str(hospital / "mimic-iv"), "--mimic-cxr-jpg", str(hospital / "mimic-cxr-jpg")]
        return ["records", "build", str(out / "r.duckdb"), *sources]
    return ["questions", "build", str(record), str(out / "q.parquet"), "--min-support", "1"]


def assert_disk_full(done: subprocess.CompletedProcess[str], out: Path) -> None:
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith(f"error: {out}") and "the disk is full" in done.stderr, done.stderr
    assert done.stderr.count("\n") == 1
    assert list(out.iterdir()) == []


@pytest.mark.parametrize(("verb", "most_bytes"), [("hospital", 8_000), ("records", 1_000_000), ("questions", 6_000)])
def test_a_file_that_may_not_grow(
    verb: str, most_bytes: int, tiny_hospital: Path, tiny_record: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    arguments = work_on(verb, out, tiny_hospital, tiny_record)
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(most_bytes), *arguments], capture_output=True, text=True, timeout=60
    )
    assert_disk_full(done, out)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """Mounts a disk of so many kB; skips where that is not allowed."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = []

    def mount(size_kb: int) -> Path:
        if shutil.which("mount") is None or os.geteuid() != 0:
            pytest.skip("only root can mount a small disk")
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size_kb}k", "none", str(disk)], capture_output=True, text=True
        )
        if done.returncode != 0:
            pytest.skip(f"no small disk can be mounted: {done.stderr.strip()}")
        mounted.append(disk)
        return disk

    yield mount
    for each in mounted:
        subprocess.run(["umount", str(each)], check=True)


@pytest.mark.parametrize(
    ("verb", "size_kb"), [("hospital", 64), ("records", 4_000), ("questions", 8), ("questions", 24), ("questions", 40)]
)
def test_a_full_disk(
    verb: str, size_kb: int, small_disk: Callable[[int], Path], tiny_hospital: Path, tiny_record: Path
) -> None:
    """24 and 40 kB hold the questions, but not their data card or its JSON."""
    out = small_disk(size_kb)
    arguments = work_on(verb, out, tiny_hospital, tiny_record)
    done = subprocess.run([sys.executable, "-m", "chartsight", *arguments], capture_output=True, text=True, timeout=60)
    assert_disk_full(done, out)


def test_a_disk_that_fills_up_while_learning(
    small_disk: Callable[[int], Path], tmp_path: Path, starter_folder: Path, lesson: Path
) -> None:
    """safetensors says so in words only; what is whole of the run stays, and goes on when there is space again."""
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        f"name: tiny\nbase: {starter_folder}\nquestions: {lesson / 'questions.parquet'}\nsteps: 2\n"
        "train: {language_model: full}\nevaluate: {every_steps: 1, questions: 4}\n"
    )
    arguments = ["train", str(recipe), str(small_disk(60) / "run"), "-q"]
    done = subprocess.run([sys.executable, "-m", "chartsight", *arguments], capture_output=True, text=True, timeout=120)
    assert done.returncode == 2, done.stderr
    assert "the disk is full" in done.stderr
    assert "Traceback" not in done.stderr

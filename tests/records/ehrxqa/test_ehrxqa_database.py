"""The database as a whole: its layout, what the cleaning promises, the manifest, and one line on bad input."""

from __future__ import annotations

import csv
import gzip
import json
import shutil
import sqlite3
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from chartsight.errors import OutputError, RecordError
from chartsight.records.ehrxqa import EhrxqaSources, build_ehrxqa, database_digest, plan
from chartsight.records.ehrxqa.config import EhrxqaSplit
from chartsight.records.ehrxqa.database import EHRXQA_TABLES
from chartsight.records.ehrxqa.files import check_release
from chartsight.records.ehrxqa.films import order_films
from chartsight.records.ehrxqa.scene_graphs import stage_graphs
from chartsight.records.ehrxqa.steps import work_folder
from tests.records.ehrxqa.conftest import small, sources_of

Database = Callable[[str, EhrxqaSplit], Path]
BOTH: tuple[EhrxqaSplit, ...] = ("train", "test")


def rows_of(database: Path, query: str) -> list[tuple[object, ...]]:
    with sqlite3.connect(database) as connection:
        return connection.execute(query).fetchall()


@pytest.mark.parametrize("split", BOTH)
def test_the_layout_is_the_published_one(databases: Database, split: EhrxqaSplit) -> None:
    path = databases("rough", split)
    named = [name for (name,) in rows_of(path, "SELECT name FROM sqlite_master")]
    assert named == [name.upper() for name in EHRXQA_TABLES]  # 19 tables; no index, no key
    columns = [name for _, name, *_ in rows_of(path, "PRAGMA table_info(tb_cxr_plus)")]
    assert columns == [
        "row_id", "subject_id", "hadm_id", "study_id", "image_id", "viewposition", "studydatetime", "studyorder",
        "object", "relation", "attribute", "category", "ct_ratio", "mt_ratio",
    ]  # fmt: skip
    for name in EHRXQA_TABLES:
        rows = [row for (row,) in rows_of(path, f"SELECT row_id FROM {name} ORDER BY rowid")]
        assert rows == list(range(len(rows))), name


@pytest.mark.parametrize("split", BOTH)
def test_nothing_leaves_the_window_or_the_cohort(databases: Database, split: EhrxqaSplit) -> None:
    path = databases("rough", split)
    subjects = {row[0] for row in rows_of(path, "SELECT subject_id FROM patients")}
    admissions = {row[0] for row in rows_of(path, "SELECT hadm_id FROM admissions")}
    assert 0 < len(subjects) <= 6
    for name in ("diagnoses_icd", "procedures_icd", "labevents", "prescriptions", "microbiologyevents", "cost"):
        time = {"prescriptions": "starttime", "cost": "chargetime"}.get(name, "charttime")
        found = rows_of(path, f"SELECT subject_id, hadm_id, {time} FROM {name}")
        assert found or name != "labevents"
        for subject, hadm, when in found:
            assert subject in subjects and hadm in admissions
            assert "2100-01-01 00:00:00" <= str(when) <= "2105-12-31 23:59:00"
    assert rows_of(path, "SELECT count(*) FROM admissions WHERE age <= 10 OR age >= 90") == [(0,)]
    texts = rows_of(path, "SELECT DISTINCT valueuom FROM labevents WHERE valueuom IS NOT NULL")
    assert all(str(text) == str(text).lower().strip() for (text,) in texts)


def test_every_event_has_a_cost(databases: Database) -> None:
    path = databases("rough", "train")
    for name in ("diagnoses_icd", "labevents", "procedures_icd", "prescriptions"):
        events = rows_of(path, f"SELECT row_id, subject_id FROM {name}")
        costs = rows_of(path, f"SELECT event_id, subject_id FROM cost WHERE event_type = '{name}'")
        assert sorted(events) == sorted(costs)
    one = "SELECT count(DISTINCT cost.cost) FROM cost JOIN labevents ON cost.event_id = labevents.row_id "
    assert all(n == (1,) for n in rows_of(path, one + "WHERE event_type = 'labevents' GROUP BY itemid"))


def test_values_are_permuted_over_the_whole_table(drawn: Path, databases: Database) -> None:
    with gzip.open(drawn / "mimic-iv/hosp/diagnoses_icd.csv.gz", "rt", newline="") as file:
        source = [(int(row["hadm_id"]), row["icd_code"].lower()) for row in csv.DictReader(file)]
    rows = rows_of(databases("drawn", "train"), "SELECT hadm_id, icd_code FROM diagnoses_icd")
    own = {hadm for hadm, _ in rows}
    assert {code for _, code in rows} <= {code for _, code in source}
    per_stay = {hadm: sum(each == hadm for each, _ in rows) for hadm in own}
    assert all(sum(each == hadm for each, _ in source) >= count for hadm, count in per_stay.items())
    assert sum(row in set(source) for row in rows) < len(rows) / 2  # codes belong to no patient


def test_films_in_pieces_give_the_same_database(
    rough: Path, databases: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "FILMS_AT_A_TIME", 4)
    build_ehrxqa(tmp_path / "again.sqlite", sources_of(rough), small("train"), quiet=True)
    assert database_digest(tmp_path / "again.sqlite") == database_digest(databases("rough", "train"))


def test_same_input_same_digest(drawn: Path, databases: Database, tmp_path: Path) -> None:
    run = build_ehrxqa(tmp_path / "again.sqlite", sources_of(drawn), small("test"), quiet=True, memory_limit_gib=1)
    digest = database_digest(tmp_path / "again.sqlite")
    assert digest == database_digest(databases("drawn", "test")) and len(digest) == 19
    assert digest != database_digest(databases("rough", "test"))
    assert run.pairing == "ehrxqa-shuffled" and run.terms == "synthetic"
    manifest = json.loads((tmp_path / "again.sqlite.run.json").read_text("utf-8"))
    assert manifest["verb"] == "records build-ehrxqa" and manifest["pairing"] == "ehrxqa-shuffled"
    assert manifest["outputs"][0]["digest"] == digest
    assert all(each["sha256"] for each in manifest["inputs"]) and len(manifest["inputs"]) == 21
    assert not work_folder(tmp_path / "again.sqlite").exists()


def test_scene_graphs_serve_for_their_tables(drawn: Path, sources: Path, databases: Database, tmp_path: Path) -> None:
    silver = sources / "chest-imagenome" / "silver_dataset"
    shutil.rmtree(silver / "scene_tabular")
    shutil.copytree(drawn / "chest-imagenome/silver_dataset/scene_graph", silver / "scene_graph")
    build_ehrxqa(tmp_path / "graphs.sqlite", sources_of(sources), small("train"), quiet=True)
    assert database_digest(tmp_path / "graphs.sqlite") == database_digest(databases("drawn", "train"))
    shutil.make_archive(str(silver / "scene_graph"), "zip", silver, "scene_graph")
    shutil.rmtree(silver / "scene_graph")
    build_ehrxqa(tmp_path / "zip.sqlite", sources_of(sources), small("train"), quiet=True)
    assert database_digest(tmp_path / "zip.sqlite") == database_digest(databases("drawn", "train"))


def test_files_may_be_unpacked(sources: Path, databases: Database, tmp_path: Path) -> None:
    for packed in sorted(sources.rglob("*.csv.gz")):
        packed.with_suffix("").write_bytes(gzip.decompress(packed.read_bytes()))
        packed.unlink()
    build_ehrxqa(tmp_path / "plain.sqlite", sources_of(sources), small("test"), quiet=True)
    assert database_digest(tmp_path / "plain.sqlite") == database_digest(databases("drawn", "test"))


def test_studies_of_one_millisecond_stand_by_six_digits(tmp_path: Path) -> None:
    when, later = "2180-05-06 21:30:14.531", "2180-05-06 21:30:14.532"
    films = [(7, 50414267, later), (7, 50414268, when), (7, 50414299, when), (7, 50499999, when), (8, 50000001, when)]
    expected = {50414268: 1, 50414299: 1, 50499999: 2, 50414267: 3, 50000001: 1}
    columns = dict(zip(("subject_id", "study_id", "taken"), map(list, zip(*films, strict=True)), strict=True))
    taken = pa.table({"image_id": list("abcde"), "view": ["AP"] * 5, **columns})
    pq.write_table(taken, tmp_path / "taken.parquet")
    with duckdb.connect() as connection:
        order_films(connection, tmp_path / "taken.parquet", "file")
        assert dict(connection.execute('SELECT study_id, "order" FROM films').fetchall()) == expected
    taken = pa.concat_tables([taken, taken.set_column(2, "subject_id", pa.array([9] * 5))])
    pq.write_table(taken, tmp_path / "taken.parquet")
    with duckdb.connect() as connection, pytest.raises(RecordError, match="study 50414267 belongs to two patients"):
        order_films(connection, tmp_path / "taken.parquet", "file")


# ---------------------------------------------------------------------------------------------------------- bad input


def refuse(sources: EhrxqaSources, out: Path, **changes: object) -> str:
    with pytest.raises((RecordError, OutputError)) as error:
        build_ehrxqa(out, sources, small("test", **changes), quiet=True)
    assert not out.exists() and "\n" not in str(error.value)
    return str(error.value)


def spoil(path: Path, change: Callable[[list[str]], list[str]]) -> None:
    lines = gzip.decompress(path.read_bytes()).decode().splitlines(keepends=True)
    path.write_bytes(gzip.compress("".join(change(lines)).encode()))


def test_all_missing_files_are_named_with_their_origin(sources: Path, tmp_path: Path) -> None:
    (sources / "mimic-iv/hosp/labevents.csv.gz").unlink()
    (sources / "mimic-iv/icu/d_items.csv.gz").unlink()
    (sources / "chest-imagenome/semantics/label_to_UMLS_mapping.json").unlink()
    line = refuse(sources_of(sources), tmp_path / "out.sqlite")
    for part in ("3 files are missing", "hosp/labevents.csv.gz", "icu/d_items.csv.gz", "label_to_UMLS_mapping.json",
                 "physionet.org/content/mimiciv/2.2", "physionet.org/content/chest-imagenome/1.0.0"):  # fmt: skip
        assert part in line


def test_a_missing_folder_is_named(sources: Path, tmp_path: Path) -> None:
    line = refuse(replace(sources_of(sources), mimic_cxr_jpg=tmp_path / "none"), tmp_path / "out.sqlite")
    assert "no such folder" in line and "mimic-cxr-jpg/2.0.0" in line


def test_a_missing_column_is_named(sources: Path, tmp_path: Path) -> None:
    spoil(sources / "mimic-iv/hosp/transfers.csv.gz", lambda lines: [lines[0].replace("intime", "in"), *lines[1:]])
    assert "transfers.csv.gz: has no column intime" in refuse(sources_of(sources), tmp_path / "out.sqlite")


def test_a_row_of_too_few_values_is_named_without_them(sources: Path, tmp_path: Path) -> None:
    spoil(sources / "mimic-iv/hosp/labevents.csv.gz", lambda lines: [*lines[:5], "17,secret\n", *lines[5:]])
    line = refuse(sources_of(sources), tmp_path / "out.sqlite")
    assert "labevents.csv.gz: line 6 is no row" in line and "secret" not in line


def test_a_word_for_a_number_is_named_without_it(sources: Path, tmp_path: Path) -> None:
    def change(lines: list[str]) -> list[str]:
        cells = lines[3].split(",")
        cells[1] = "secret"  # subject_id
        return [*lines[:3], ",".join(cells), *lines[4:]]

    spoil(sources / "mimic-iv/hosp/labevents.csv.gz", change)
    line = refuse(sources_of(sources), tmp_path / "out.sqlite")
    assert "labevents.csv.gz: row 3: subject_id is no number" in line and "secret" not in line


def test_a_file_that_is_cut_short_is_named(sources: Path, tmp_path: Path) -> None:
    path = sources / "mimic-iv/icu/chartevents.csv.gz"
    path.write_bytes(path.read_bytes()[:-2000])
    assert "chartevents.csv.gz: is cut short or damaged" in refuse(sources_of(sources), tmp_path / "out.sqlite")


def test_a_time_that_is_none_is_refused(sources: Path, tmp_path: Path) -> None:
    path = sources / "mimic-iv/hosp/admissions.csv.gz"
    spoil(
        path,
        lambda lines: [lines[0], *(line.replace("2", "x", 5) if n == 2 else line for n, line in enumerate(lines[1:]))],
    )
    assert "admissions.csv.gz: row 3" in refuse(sources_of(sources), tmp_path / "out.sqlite")


def set_cell(path: Path, row: int, column: str, value: str) -> None:
    """Write another value into a table, gzipped or not."""
    packed, separator = path.suffix == ".gz", "\t" if path.suffix == ".txt" else ","
    text = gzip.decompress(path.read_bytes()).decode() if packed else path.read_text("utf-8")
    lines = text.splitlines()
    cells = lines[row].split(separator)
    cells[lines[0].split(separator).index(column)] = value
    lines[row] = separator.join(cells)
    text = "\n".join(lines) + "\n"
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())


def test_the_time_of_an_event_that_is_none_is_named_by_its_row(sources: Path, tmp_path: Path) -> None:
    path = sources / "mimic-iv/hosp/labevents.csv.gz"
    header, *rows = list(csv.reader(gzip.decompress(path.read_bytes()).decode().splitlines()))
    time = header.index("charttime")
    right = [row[time] for row in rows]
    named: list[int] = []
    for _ in range(2):  # once it is mended, the next one that is needed is named
        for number, row in enumerate(rows, start=1):
            row[time] = right[number - 1] if number in named or not right[number - 1] else "x"
        path.write_bytes(gzip.compress("\n".join(map(",".join, map(quoted_cells, [header, *rows]))).encode() + b"\n"))
        said = refuse(sources_of(sources), tmp_path / "out.sqlite")
        assert "charttime is no time" in said
        named.append(int(said.split("labevents.csv.gz: row ")[1].split(":")[0].replace(",", "")))
    assert named[0] < named[1]


def quoted_cells(row: list[str]) -> list[str]:
    return [f'"{cell}"' if "," in cell else cell for cell in row]


GOLD_STATEMENTS = "chest-imagenome/gold_dataset/gold_attributes_relations_500pts_500studies1st.txt"
SILVER = "chest-imagenome/silver_dataset/scene_tabular"


@pytest.mark.parametrize(
    ("file", "column", "value", "words"),
    [
        ("mimic-iv/hosp/patients.csv.gz", "subject_id", "9" * 23, "row 3: subject_id is no number"),
        ("mimic-iv/hosp/patients.csv.gz", "anchor_year", "-77", "row 3: anchor_year less anchor_age is no year"),
        ("mimic-iv/icu/icustays.csv.gz", "stay_id", "9" * 23, "row 3: stay_id is no number"),
        ("mimic-iv/icu/inputevents.csv.gz", "itemid", "9" * 23, "row 3: itemid is no number"),
        ("mimic-iv/hosp/labevents.csv.gz", "valuenum", "1e999", "row 3: valuenum is no number"),
        (f"{SILVER}/bbox_objects_tabular.txt", "width", "1e999", "row 3: width is no number"),
        (f"{SILVER}/attribute_relations_tabular.txt", "relation", "9" * 12, "row 3: bbox, label_name, relation or"),
        (GOLD_STATEMENTS, "patient_id", "", "row 3: image_id or patient_id is missing"),
    ],
)
def test_a_number_that_cannot_be_is_named_with_its_row(
    sources: Path, tmp_path: Path, file: str, column: str, value: str, words: str
) -> None:
    set_cell(sources / file, 3, column, value)
    with pytest.raises(RecordError) as error:
        build_ehrxqa(tmp_path / "out.sqlite", sources_of(sources), small("train"), quiet=True)
    line = str(error.value)
    assert words in line and Path(file).name in line and not (tmp_path / "out.sqlite").exists()
    assert not value or value not in line


def test_an_unknown_patient_is_not_named(sources: Path, tmp_path: Path) -> None:
    set_cell(sources / "mimic-iv/hosp/admissions.csv.gz", 3, "subject_id", "19999999")
    line = refuse(sources_of(sources), tmp_path / "out.sqlite")
    assert "admissions.csv.gz: row 3: its subject_id is not in patients" in line and "19999999" not in line


@pytest.mark.parametrize("name", ["hosp/d_labitems", "hosp/labevents", "icu/chartevents"])
def test_another_checksum_is_seen(sources: Path, tmp_path: Path, name: str) -> None:
    path = sources / f"mimic-iv/{name}.csv.gz"
    packed = path.read_bytes()
    path.write_bytes(packed[:-8] + bytes(byte ^ 255 for byte in packed[-8:-4]) + packed[-4:])  # CRC32
    assert f"{path.name}: is cut short or damaged" in refuse(sources_of(sources), tmp_path / "out.sqlite")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("attribute_relations_v1.txt", b"\xff\xfe\x00", "is no text in UTF-8"),
        ("objects_extracted_from_reports_v1.txt", b"\xff\xfe\x00", "is no text in UTF-8"),
        ("label_to_UMLS_mapping.json", b"\xff\xfe\x00", "is no JSON"),
        ("label_to_UMLS_mapping.json", b"[" * 100_000, "is no JSON"),
        ("label_to_UMLS_mapping.json", b'{"all_children": {"lungs": [[1]]}}', "no lists under 'all_children'"),
    ],
)
def test_vocabularies_that_are_none(sources: Path, tmp_path: Path, name: str, content: bytes, words: str) -> None:
    (sources / "chest-imagenome/semantics" / name).write_bytes(content)
    line = refuse(sources_of(sources), tmp_path / "out.sqlite")
    assert name in line and words in line


@pytest.mark.parametrize(
    "graph",
    [
        {"study_id": 1, "image_id": "a", "attributes": [{"phrase_IDs": ["1"], "attributes": [[5]], "bbox_name": "b"}]},
        {"study_id": 1, "image_id": "a", "attributes": [
            {"phrase_IDs": [7], "attributes": [["disease|yes|goiter"]], "bbox_name": "neck"}]},
        {"study_id": 1, "image_id": "a", "attributes": [
            {"phrase_IDs": ["\ud800"], "attributes": [["disease|yes|goiter"]], "bbox_name": "neck"}]},
    ],
)  # fmt: skip
def test_a_scene_graph_of_another_form(tmp_path: Path, graph: object) -> None:
    (tmp_path / "a_SceneGraph.json").write_text(json.dumps(graph), "utf-8")
    with pytest.raises(RecordError, match=r"a_SceneGraph\.json is no scene graph"):
        stage_graphs(tmp_path, "statements", tmp_path / "rows.parquet")


def test_a_damaged_zip_of_scene_graphs(tmp_path: Path) -> None:
    path = tmp_path / "scene_graph.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("a_SceneGraph.json", json.dumps({"attributes": [], "objects": [], "text": "x" * 999}))
    whole = path.read_bytes()
    path.write_bytes(whole[:60] + b"\xff\xff\xff" + whole[63:])
    with pytest.raises(RecordError, match=r"a_SceneGraph\.json cannot be unpacked"):
        stage_graphs(path, "statements", tmp_path / "rows.parquet")


def test_another_release_is_refused(sources: Path, tmp_path: Path) -> None:
    (sources / "run.json").unlink()  # no longer synthetic
    assert "20 patients" in refuse(sources_of(sources), tmp_path / "out.sqlite")
    with pytest.raises(RecordError, match=r"364,627 patients, as MIMIC-IV 3\.0 or 3\.1"):
        check_release(sources / "mimic-iv/hosp/patients.csv.gz", 364_627, any_version=False)
    check_release(sources / "mimic-iv/hosp/patients.csv.gz", 299_712, any_version=False)
    run = build_ehrxqa(tmp_path / "any.sqlite", sources_of(sources), small("test", any_version=True), quiet=True)
    assert run.terms == "credentialed"


def test_too_few_patients_to_stay(sources: Path, tmp_path: Path) -> None:
    assert "pass a smaller --staying" in refuse(sources_of(sources), tmp_path / "out.sqlite", staying=100)


def test_an_older_database_stays(drawn: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.sqlite"
    out.write_text("older")
    with pytest.raises(OutputError, match="exists already"):
        build_ehrxqa(out, sources_of(drawn), small("test"), quiet=True)
    assert out.read_text() == "older"


def test_bad_sizes_are_refused(drawn: Path, tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="patients: 0; expected 1 or more"):
        small("test", patients=0)
    with pytest.raises(RecordError, match="valid_share: 1; expected between 0 and 1"):
        small("train", valid_share=1.0)
    for limit in (0.1, float("nan"), float("inf"), 1e30):
        with pytest.raises(RecordError, match=r"memory_limit: .* GiB; expected 0\.5 to 1,000,000"):
            build_ehrxqa(tmp_path / "out.sqlite", sources_of(drawn), small("test"), quiet=True, memory_limit_gib=limit)
    assert not any(tmp_path.iterdir())

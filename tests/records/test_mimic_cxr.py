from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from chartsight.errors import RecordError
from chartsight.records import RecordSources, build_record, open_record
from chartsight.records.mimic_cxr import study_time


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    with open_record(path) as record:
        return record.connection.execute(query).fetchall()


@pytest.fixture
def record(mimic: Path, cxr: Path, reports: Path, imagenome: Path, tmp_path: Path) -> Path:
    sources = RecordSources(mimiciv=mimic, mimic_cxr_jpg=cxr, mimic_cxr_reports=reports, chest_imagenome=imagenome)
    build_record(tmp_path / "r.duckdb", sources, quiet=True)
    return tmp_path / "r.duckdb"


def test_films_have_view_time_split_and_true_size(record: Path) -> None:
    query = """SELECT image_id, view_position, studydatetime, rows, columns, is_frontal, split_released
               FROM films WHERE study_id = 50000001 ORDER BY 1"""
    assert rows(record, query) == [
        ("aa-early", "AP", datetime(2180, 5, 7, 0, 45, 30), 32, 24, True, "test"),
        ("cc-lateral", "LATERAL", datetime(2180, 5, 7, 0, 45, 30), 32, 24, False, None),
        ("dd-late", "PA", datetime(2180, 5, 7, 10, 15), 32, 24, True, None),
    ]
    with open_record(record) as opened:
        index = opened.film_index()
        assert index.films(["aa-early"])[0].path.is_file()


def test_tb_cxr_has_one_frontal_film_a_study_and_its_admission(record: Path) -> None:
    assert rows(record, "SELECT row_id, subject_id, hadm_id, study_id, image_id FROM tb_cxr ORDER BY row_id") == [
        (1, 10000001, 20000001, 50000001, "aa-early"),  # the earlier of two frontal films; never the lateral
        (2, 10000001, None, 50000002, "bb-outside"),  # between two stays
        (3, 10000002, 20000003, 50000003, "ee-open-stay"),  # an admission that has not ended
    ]


def test_study_labels_keep_their_states_and_sources(record: Path) -> None:
    query = """SELECT study_id, image_id, object, attribute, category, state, source FROM labels
               WHERE source <> 'imagenome' ORDER BY ALL"""
    assert rows(record, query) == [
        (50000001, None, "whole film", "pleural effusion", "anatomicalfinding", "absent", "negbio"),
        (50000001, None, "whole film", "pleural effusion", "anatomicalfinding", "present", "chexpert"),
        (50000001, None, "whole film", "pulmonary edema/hazy opacity", "anatomicalfinding", "uncertain", "chexpert"),
        (50000003, None, "whole film", "pneumonia", "disease", "absent", "chexpert"),
    ]


def test_scene_graphs_give_regions_and_the_last_sentence_wins(record: Path) -> None:
    query = "SELECT image_id, object, attribute, state FROM labels WHERE source = 'imagenome' ORDER BY ALL"
    assert rows(record, query) == [
        ("aa-early", "left lung", "lung opacity", "present"),
        ("aa-early", "left lung", "pleural effusion", "absent"),
        ("aa-early", "right lung", "lung opacity", "absent"),
    ]
    assert rows(record, "SELECT object, x1, y1, x2, y2 FROM boxes ORDER BY 1") == [  # svc has no width
        ("left lung", 10.0, 2.0, 18.0, 18.0),
        ("right lung", 2.0, 2.0, 8.0, 18.0),
    ]


def test_labels_are_unique(record: Path) -> None:
    query = """SELECT study_id, image_id, object, attribute, source FROM labels GROUP BY ALL HAVING count(*) > 1"""
    assert rows(record, query) == []


def test_films_that_cannot_be_taken_have_a_reason(
    mimic: Path, cxr: Path, reports: Path, imagenome: Path, tmp_path: Path
) -> None:
    (cxr / "files/p10/p10000001/s50000002/bb-outside.jpg").write_text("not a film")
    graph = imagenome / "silver_dataset/scene_graph/aa-early_SceneGraph.json"
    graph.with_name("dd-late_SceneGraph.json").write_text(graph.read_text())  # the graph of another film
    graph.with_name("ee-open-stay_SceneGraph.json").write_text(graph.read_text()[:200])
    sources = RecordSources(mimiciv=mimic, mimic_cxr_jpg=cxr, mimic_cxr_reports=reports, chest_imagenome=imagenome)
    run = build_record(tmp_path / "r.duckdb", sources, quiet=True)
    assert run.dropped == {
        "unknown subject_id": 1,
        "film: missing-film": 1,
        "film: no-image": 1,
        "unparsable StudyDate or StudyTime": 1,
        "study without a report": 2,
        "damaged scene graph": 2,
    }
    assert run.kept["films"] == 5
    assert run.kept["reports"] == 1


def test_the_folder_of_the_reports_or_the_files_in_it(mimic: Path, cxr: Path, reports: Path, tmp_path: Path) -> None:
    for number, folder in enumerate((reports, reports / "files")):
        sources = RecordSources(mimiciv=mimic, mimic_cxr_jpg=cxr, mimic_cxr_reports=folder)
        assert build_record(tmp_path / f"{number}.duckdb", sources, quiet=True).kept["reports"] == 1


def test_films_without_mimiciv_bring_their_patients(cxr: Path, tmp_path: Path) -> None:
    build_record(tmp_path / "r.duckdb", RecordSources(mimic_cxr_jpg=cxr), quiet=True)
    assert rows(tmp_path / "r.duckdb", "SELECT subject_id, gender FROM patients ORDER BY 1") == [
        (10000001, None),
        (10000002, None),
        (19999999, None),
    ]


def test_no_film_at_all_stops_the_build(mimic: Path, cxr: Path, tmp_path: Path) -> None:
    (cxr / "files").rename(tmp_path / "away")
    with pytest.raises(RecordError, match="no film can be taken") as caught:
        build_record(tmp_path / "r.duckdb", RecordSources(mimiciv=mimic, mimic_cxr_jpg=cxr), quiet=True)
    assert caught.value.code == "no-films"
    assert not (tmp_path / "r.duckdb").exists()


@pytest.mark.parametrize(
    ("date", "time", "expected"),
    [
        ("21800506", "213014.531000000", datetime(2180, 5, 6, 21, 30, 14)),
        ("21800506", "4530.0", datetime(2180, 5, 6, 0, 45, 30)),
        ("21800506", None, datetime(2180, 5, 6)),
        (None, "120000", None),
    ],
)
def test_study_time(date: str | None, time: str | None, expected: datetime | None) -> None:
    assert study_time(date, time) == expected


@pytest.mark.parametrize(
    ("date", "time"), [("21801301", "0"), ("2180", "0"), ("21800506", "250000"), ("21800506", "x"), ("21800506", "inf")]
)
def test_no_study_time(date: str, time: str) -> None:
    with pytest.raises((ValueError, OverflowError)):
        study_time(date, time)

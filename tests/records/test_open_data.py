"""The real, openly licensed sets: nothing may be dropped, and the measured figures must come back."""

from __future__ import annotations

from pathlib import Path

import pytest

from chartsight.records import FilmFolder, RecordSources, build_record, open_record

pytestmark = pytest.mark.opendata


def test_the_demo_with_its_charted_events(open_data: Path, tmp_path: Path) -> None:
    meds = open_data / "mimic-iv-demo-meds" / "mimic_iv_demo_meds_events.parquet"
    run = build_record(
        tmp_path / "demo.duckdb", RecordSources(mimiciv=open_data / "mimic-iv-demo", meds=meds), quiet=True
    )
    assert run.dropped == {}
    assert run.terms == "share-alike"
    assert (run.kept["patients"], run.kept["admissions"], run.kept["icustays"]) == (100, 275, 140)
    assert run.kept["labevents"] == 107_727
    assert run.kept["chartevents"] == 668_862
    assert run.kept["charted numbers in one ICU stay"] == 255_596
    assert run.kept["charted numbers in no ICU stay, given to the nearest"] == 1_878
    with open_record(tmp_path / "demo.duckdb") as record:
        query = """SELECT count(*), count(hadm_id), count(stay_id), count(valuenum), count(*) FILTER (valueuom = 'UNK')
                   FROM chartevents"""
        assert record.connection.execute(query).fetchall() == [(668_862, 668_862, 668_862, 257_474, 0)]
        rates = "SELECT quantile_cont(valuenum, 0.5) FROM chartevents WHERE itemid = 220045"
        assert 60 < record.connection.execute(rates).fetchall()[0][0] < 110  # heart rate
        assert "Open Database License" in record.info["notice"]


def test_three_film_folders_paired_with_the_demo(open_data: Path, tmp_path: Path) -> None:
    nih, hannover = open_data / "nih-cxr14-sample", open_data / "hannover-covid-cxr"
    kermany = open_data / "kermany-pneumonia-subset"
    folders = (
        FilmFolder(nih, nih / "labels.csv", terms="open"),
        FilmFolder(hannover / "png", hannover / "data.csv", name="hannover", terms="open"),
        FilmFolder(
            kermany, kermany / "labels.csv", findings=("bacterial_pneumonia", "viral_pneumonia"), terms="open"
        ),
    )  # fmt: skip
    sources = RecordSources(mimiciv=open_data / "mimic-iv-demo", film_folders=folders, pair_films=True, seed=7)
    run = build_record(tmp_path / "films.duckdb", sources, quiet=True)
    assert run.dropped == {}
    assert (run.terms, run.pairing) == ("share-alike", "synthetic")
    with open_record(tmp_path / "films.duckdb") as record:
        query = "SELECT source, count(*), count(DISTINCT subject_id) FROM films GROUP BY 1 ORDER BY 1"
        assert record.connection.execute(query).fetchall() == [
            ("hannover", 170, 46),
            ("kermany-pneumonia-subset", 719, 546),
            ("nih-cxr14-sample", 746, 263),
        ]
        repeated = """SELECT 1 FROM labels GROUP BY study_id, image_id, object, attribute, source HAVING count(*) > 1"""
        assert record.connection.execute(repeated).fetchall() == []
        present = """SELECT attribute, count(*) FROM labels WHERE state = 'present' AND attribute IN
                     ('pleural effusion', 'bacterial pneumonia', 'viral pneumonia') GROUP BY 1 ORDER BY 1"""
        assert record.connection.execute(present).fetchall() == [
            ("bacterial pneumonia", 243),
            ("pleural effusion", 117),
            ("viral pneumonia", 233),
        ]
        sexes = """SELECT count(*) FROM patients JOIN subject_keys USING (subject_id) WHERE subject_id < 90000000"""
        assert record.connection.execute(sexes).fetchall() == [(100,)]
        assert len(record.film_index()) == 1635

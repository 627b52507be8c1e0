"""The synthetic hospital's folders go through the readers of the real thing, and nothing is lost on the way."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from chartsight.hospital import HospitalConfig, build_hospital
from chartsight.records import RecordSources, build_record, open_record


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("made") / "hospital"
    build_hospital(out, HospitalConfig(patients=4, seed=7), workers=1, quiet=True)
    return out


def test_every_row_and_film_arrives(hospital: Path, tmp_path: Path) -> None:
    sources = RecordSources(
        mimiciv=hospital / "mimic-iv",
        mimic_cxr_jpg=hospital / "mimic-cxr-jpg",
        mimic_cxr_reports=hospital / "mimic-cxr-reports",
        chest_imagenome=hospital / "chest-imagenome",
    )
    run = build_record(tmp_path / "r.duckdb", sources, quiet=True)
    truth = pq.read_table(hospital / "truth.parquet").to_pylist()
    films = {row["image_id"] for row in truth}
    assert run.dropped == {}
    assert run.terms == "synthetic"
    with open_record(tmp_path / "r.duckdb") as record:
        index = record.film_index()
        assert set(index) == films
        assert all(film.path.is_file() for film in index.values())
        said = set(
            record.connection.execute(
                "SELECT image_id, object, attribute FROM labels WHERE source = 'imagenome' AND state = 'present'"
            ).fetchall()
        )
        boxes = record.connection.execute("SELECT count(DISTINCT object), count(*) FROM boxes").fetchall()
    frontal = {row["image_id"] for row in truth if row["view_position"] != "LATERAL"}
    assert frontal < films
    planted = {
        (row["image_id"], row["object"], row["attribute"])
        for row in truth
        if row["attribute"] and row["image_id"] in frontal  # ImaGenome has scene graphs of frontal films only
    }
    assert planted
    assert planted <= said  # with the noise dials at zero, ImaGenome says all that is there
    assert boxes == [(36, 36 * len(frontal))]

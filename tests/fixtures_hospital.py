"""The smallest hospital that goes through every reader, its record and its questions, built once a session.

A test module that wants them says `pytest_plugins = ["tests.fixtures_hospital"]`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from chartsight.hospital import HospitalConfig, build_hospital
from chartsight.questions import QuestionConfig, build_questions
from chartsight.records import RecordSources, build_record

TINY = HospitalConfig(patients=4, seed=3, film_size_px=64)


def sources(hospital: Path) -> RecordSources:
    """Everything that the synthetic hospital writes."""
    return RecordSources(
        mimiciv=hospital / "mimic-iv",
        mimic_cxr_jpg=hospital / "mimic-cxr-jpg",
        mimic_cxr_reports=hospital / "mimic-cxr-reports",
        chest_imagenome=hospital / "chest-imagenome",
    )


@pytest.fixture(scope="session")
def tiny_hospital(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four patients, films of 64 px. Tests that spoil it copy it first."""
    out = tmp_path_factory.mktemp("tiny") / "hospital"
    build_hospital(out, TINY, workers=1, quiet=True)
    return out


@pytest.fixture(scope="session")
def tiny_record(tiny_hospital: Path) -> Path:
    """Its record."""
    out = tiny_hospital.with_name("record.duckdb")
    build_record(out, sources(tiny_hospital), quiet=True)
    return out


@pytest.fixture(scope="session")
def tiny_questions(tiny_record: Path) -> Path:
    """Its questions; one film an answer is enough here."""
    out = tiny_record.with_name("questions.parquet")
    build_questions(tiny_record, out, QuestionConfig(min_support=1, test_share=0.25, valid_share=0.25), quiet=True)
    return out

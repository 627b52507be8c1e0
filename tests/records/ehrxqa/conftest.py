"""A small synthetic hospital, as it is and roughened, and the database of each split from it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from benchmarks.ehrxqa_sources import make_variant

from chartsight.hospital import HospitalConfig, build_hospital
from chartsight.records.ehrxqa import EhrxqaConfig, EhrxqaSources, build_ehrxqa
from chartsight.records.ehrxqa.config import EhrxqaSplit, published_config


def sources_of(folder: Path) -> EhrxqaSources:
    return EhrxqaSources(folder / "mimic-iv", folder / "mimic-cxr-jpg", folder / "chest-imagenome")


def small(split: EhrxqaSplit, **changes: object) -> EhrxqaConfig:
    """The published constants, for a hospital of twenty patients."""
    return published_config(split, **({"patients": 6, "staying": 1, "valid_share": 0.5} | changes))


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty patients, two of them labelled by hand, films of 64 px. Tests that spoil it copy it first."""
    out = tmp_path_factory.mktemp("ehrxqa") / "hospital"
    build_hospital(out, HospitalConfig(patients=20, seed=7, film_size_px=64), workers=1, quiet=True)
    return out


@pytest.fixture(scope="session")
def rough(drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with gaps, capitals, contradictions and the rest that real sources hold."""
    out = tmp_path_factory.mktemp("ehrxqa") / "rough"
    out.mkdir()
    make_variant(drawn, out, "rough", seed=7)
    return out


@pytest.fixture
def sources(drawn: Path, tmp_path: Path) -> Path:
    """A copy of the folders as drawn that a test may spoil."""
    out = tmp_path / "sources"
    out.mkdir()
    make_variant(drawn, out, "as drawn", seed=7)
    return out


@pytest.fixture(scope="session")
def databases(drawn: Path, rough: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, EhrxqaSplit], Path]:
    """Makes the database of a hospital (`drawn`, `rough`) and split, once."""
    folder = tmp_path_factory.mktemp("ehrxqa")

    def database(hospital: str, split: EhrxqaSplit) -> Path:
        out = folder / f"{hospital}-{split}.sqlite"
        if not out.is_file():
            build_ehrxqa(out, sources_of({"drawn": drawn, "rough": rough}[hospital]), small(split), quiet=True)
        return out

    return database

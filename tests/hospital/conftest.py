"""One small hospital, built once for all tests that look at its files."""

from __future__ import annotations

from pathlib import Path

import pytest

from chartsight.hospital import HospitalConfig, build_hospital

SMALL = HospitalConfig(patients=12, seed=5, film_size_px=64)


@pytest.fixture(scope="session")
def small_hospital(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve patients with films of 64 px."""
    out = tmp_path_factory.mktemp("hospital") / "small"
    build_hospital(out, SMALL, workers=1, quiet=True)
    return out

"""The report's benchmark, small: a whole made-up comparison with every audit, and gates that can fail."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from benchmarks import report

from chartsight.comparison.items import read_items
from chartsight.errors import GateError
from tests.comparison.test_gallery import browser, follow_links, opened

__all__ = ["browser"]  # the fixture


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, float]]:
    folder = tmp_path_factory.mktemp("bench")
    made = report.make_comparison(folder, 200)
    return folder / "out", report.run_report(made, folder / "out")


def test_every_audit_has_its_figures(run: tuple[Path, dict[str, float]]) -> None:
    out, found = run
    audit = json.loads((out / "report.json").read_text("utf-8"))["audit"]
    tuned = next(each for each in audit["models"] if each["name"] == "tuned")
    assert not [name for name, value in tuned.items() if value is None]
    assert len(tuned["other_films"]) == 4 and tuned["swap"]["groups"][0]["follow"]["estimate"] > 0.5
    assert tuned["mirrored"]["group"]["follow"]["n"] > 0 and tuned["occlusion"]["target"]["n"] == 50
    assert tuned["contradictions"]["contradicted"]["n"] > 0 and tuned["paraphrase"]["negated_accuracy"]["n"] > 0
    assert found["items"] == 200


def test_models_see_as_often_as_was_said(run: tuple[Path, dict[str, float]]) -> None:
    table = read_items(run[0] / "items.parquet")
    gold, said = table["gold.swap"].to_pylist(), table["tuned.swap.correct"].to_pylist()
    other = [
        right for right, own, answered in zip(said, table["gold"].to_pylist(), gold, strict=True) if own != answered
    ]
    assert 0.6 < np.mean(other) < 0.95
    assert not any(pq.read_table(run[0] / "items.parquet")["twin.full.answer"].is_null().to_pylist())


def test_too_slow_or_too_large_is_a_failed_gate(run: tuple[Path, dict[str, float]]) -> None:
    # The peak is the process's own, which has run other tests before; a benchmark runs in one of its own.
    found = {**run[1], "gb": 0.5}
    report.check(found)
    assert [figure.unit for figure in report.figures_of(found)] == ["s", "s", "GB", "MB"]
    with pytest.raises(GateError, match="at most 60 s"):
        report.check({**found, "cpu": 61.0})
    with pytest.raises(GateError, match="at most 2 GB"):
        report.check({**found, "gb": 2.1})


@pytest.mark.browser
def test_links_of_every_audit_lead_to_its_items(browser: Any, run: tuple[Path, dict[str, float]]) -> None:
    page, faults = opened(browser, run[0] / "report.html")
    links, wrong = follow_links(page, run[0] / "report.html", read_items(run[0] / "items.parquet").to_pylist())
    assert {"follow", "stick", "alike"} <= {value for link in links for value in re.findall(r"swap=(\w+)", link)}
    assert wrong == [] and faults == []

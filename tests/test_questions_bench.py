"""The benchmark of sampled questions, tiny: every figure is there and lands between the markers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from benchmarks import questions

pytest_plugins = ["tests.fixtures_hospital"]


@pytest.mark.slow
def test_sampling_is_measured_and_written(
    tiny_record: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{questions.SECTION.start}\n{questions.SECTION.end}\nafter\n")
    questions.run(tiny_record, 1, 0, as_json=True, write=page)
    shown = json.loads(capsys.readouterr().out)
    assert [each["unit"] for each in shown["figures"]] == ["questions/s"] * 4
    assert all(each["value"] > 0 for each in shown["figures"])
    assert "| sample questions, tables |" in page.read_text()

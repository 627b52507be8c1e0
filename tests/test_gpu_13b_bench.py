"""The benchmark of one GPU, tiny and on the processor: every way learns and answers, and nothing is made up."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from benchmarks import gpu_13b

from chartsight.errors import ChartsightError


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_every_way_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_13b, "STEPS", 4)
    monkeypatch.setattr(gpu_13b, "QUESTIONS_A_STEP", 16)
    monkeypatch.setattr(gpu_13b, "USUAL_BATCHES", (8, 16))
    measured = list(gpu_13b.measure_all(gpu_13b.TINY, "cpu", peak=1.0))
    assert [each.what.split(",")[0] for each in measured] == ["learning"] * 4 + ["answering"] * 2
    assert all(each.per_s > 0 for each in measured)
    assert all(each.tflops and each.share == pytest.approx(each.tflops) for each in measured[:4])
    assert measured[2].per_s > measured[0].per_s, "eight questions in a row against one"


def test_rows_are_as_long_as_they_are_said_to_be() -> None:
    vlm = gpu_13b.build_model(gpu_13b.TINY, "cpu")
    (row,) = gpu_13b.make_rows(vlm, 1, 1)
    length = gpu_13b.AROUND + gpu_13b.TINY.image_tokens + gpu_13b.WORDS - 1  # EOS is predicted and never read
    assert len(row.input_ids) == length and len(row.targets) == gpu_13b.ANSWER
    eight = gpu_13b.make_rows(vlm, 8, 2)
    assert [each.n_questions for each in eight] == [8, 8]
    assert eight[0].input_ids.count(vlm.prompts.image_token_id) == gpu_13b.TINY.image_tokens


def test_without_a_card_nothing_is_written(tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a card")
    page = tmp_path / "page.md"
    page.write_text(f"{gpu_13b.SECTION.start}\nnot yet measured\n{gpu_13b.SECTION.end}\n", "utf-8")
    for tiny in (False, True):
        with pytest.raises(ChartsightError):
            gpu_13b.bench(tiny=tiny, write=page)
    assert "not yet measured" in page.read_text("utf-8")

"""From questions to rows, and what fills their image positions."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from chartsight.errors import FilmError, QuestionError
from chartsight.imaging.film_cache import FilmCache, build_film_cache
from chartsight.imaging.film_index import read_film_index
from chartsight.schema import Question
from chartsight.training.examples import build_example, build_rows
from chartsight.training.film_inputs import FilmPixels, KeptFeatures, keep_tower_features
from chartsight.training.precision import multiplies_bfloat16, use_bfloat16
from chartsight.training.rows import FilmRow
from chartsight.vlm.checkpoint import Vlm


def rows_of(
    vlm: Vlm, questions: list[Question], *, film: bool = True, branches: int = 5, seed: int = 0
) -> list[FilmRow]:
    examples = [build_example(question) for question in questions]
    return build_rows(examples, vlm.prompts, film=film, branches_per_row=branches, seed=seed)


def texts(vlm: Vlm, row: FilmRow) -> list[str]:
    """Each question of a row with its answer."""
    image_id = vlm.prompts.image_token_id
    return [
        vlm.tokenizer.decode(
            [token for token, owner in zip(row.input_ids, row.branch, strict=True) if owner in (0, nth + 1)
             and token != image_id]
        )
        for nth in range(row.n_questions)
    ]  # fmt: skip


def test_every_question_once_and_no_row_too_long(starter: Vlm, scene_questions: list[Question]) -> None:
    rows = rows_of(starter, scene_questions)
    assert sum(row.n_questions for row in rows) == len(scene_questions)
    assert max(row.n_questions for row in rows) == 5
    assert all(len(row.image_ids) == 1 for row in rows)
    said = Counter(text for row in rows for text in texts(starter, row))
    expected = Counter(
        f"<s>USER: \n{example.prompt} ASSISTANT: {example.answer}" for example in map(build_example, scene_questions)
    )
    assert said == expected


def test_rows_depend_on_the_seed_and_not_on_the_order_of_the_file(
    starter: Vlm, scene_questions: list[Question]
) -> None:
    rows = rows_of(starter, scene_questions)
    assert rows == rows_of(starter, scene_questions[::-1])
    assert rows != rows_of(starter, scene_questions, seed=1)


def test_without_the_film_the_rows_are_the_same_but_for_it(starter: Vlm, scene_questions: list[Question]) -> None:
    seeing, blind = rows_of(starter, scene_questions), rows_of(starter, scene_questions, film=False)
    image_id = starter.prompts.image_token_id
    assert [row.targets for row in blind] == [row.targets for row in seeing]
    for row, twin in zip(seeing, blind, strict=True):
        assert twin.image_ids == () and image_id not in twin.input_ids
        assert row.input_ids.count(image_id) == starter.card.image_tokens
        assert [text.replace("USER: \n", "USER: ") for text in texts(starter, row)] == texts(starter, twin)


def test_a_question_without_a_film_is_refused(scene_questions: list[Question]) -> None:
    with pytest.raises(QuestionError) as caught:
        build_example(replace(scene_questions[0], image_ids=()))
    assert caught.value.code == "no-film" and scene_questions[0].question_id in str(caught.value)


def test_the_visual_question_is_read_not_the_other(scene_questions: list[Question]) -> None:
    question = replace(scene_questions[0], question="did patient 10000032 ...?", visual_question="is there a ring?")
    assert build_example(question).prompt == "is there a ring?"


# ---------------------------------------------------------------------------------------------------------------- films


@pytest.fixture
def cache(lesson: Path, starter: Vlm, film_caches: Path) -> FilmCache:
    index = read_film_index(lesson / "films.parquet")
    return build_film_cache(list(index.values())[:70], starter.card.preprocessing.size_px, film_caches, quiet=True)


def test_pixels_come_in_the_order_asked_for(starter: Vlm, cache: FilmCache) -> None:
    pixels = FilmPixels(cache, starter.card.preprocessing)
    pair = pixels.gather(["scene-000007", "scene-000002"])
    assert pair.shape == (2, 1, 64, 64) and pair.dtype == torch.float32
    assert torch.equal(pair[0], pixels.gather(["scene-000007"])[0])
    assert torch.equal(pair[1], pixels.gather(["scene-000002"])[0])
    assert not torch.equal(pair[0], pair[1])
    expected = (cache["scene-000007"].astype(np.float32) / 255 - 0.45) / 0.25
    assert np.allclose(pair[0, 0].numpy(), expected, atol=1e-6)
    with pytest.raises(FilmError):
        pixels.gather(["scene-000079"])


def test_kept_features_stand_in_for_the_tower(starter: Vlm, cache: FilmCache) -> None:
    """Up to bfloat16: 8 bits of each feature, 0.4 per cent."""
    wanted = [f"scene-{nth:06d}" for nth in range(70)]  # more than one step of 64
    pixels = FilmPixels(cache, starter.card.preprocessing).gather(wanted)
    with torch.no_grad():
        expected = torch.stack(list(starter.model.get_image_features(pixels).pooler_output))
    kept = keep_tower_features(starter, cache, wanted, quiet=True)
    swapped = wanted[::-1]
    features = kept.gather(swapped)
    assert features.dtype == torch.float32 and features.shape[:2] == (70, starter.card.image_tokens)
    starter.model.model.vision_tower = KeptFeatures(n_layers=2)
    with torch.no_grad():
        found = torch.stack(list(starter.model.get_image_features(features).pooler_output))
    scale = expected.abs().max().item()
    assert torch.allclose(found.flip(0), expected, atol=0.01 * scale)
    assert not torch.allclose(found, expected, atol=0.1 * scale), "the order matters"


def test_precision_is_chosen_or_found_out() -> None:
    assert use_bfloat16("bfloat16") and not use_bfloat16("float32")
    if not torch.cuda.is_available() and Path("/proc/cpuinfo").is_file():
        assert use_bfloat16("auto") == multiplies_bfloat16(Path("/proc/cpuinfo").read_text())


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("flags\t\t: fpu avx512f avx512_bf16 amx_tile", True),
        ("flags\t\t: fpu amx_bf16", True),
        ("Features\t: fp asimd bf16 i8mm", True),
        ("flags\t\t: fpu avx2 avx512f", False),
        ("model name\t: a bf16 machine", False),
    ],
)
def test_which_processors_multiply_bfloat16(line: str, expected: bool) -> None:
    assert multiplies_bfloat16(f"processor\t: 0\n{line}\nbugs\t\t: none\n") is expected

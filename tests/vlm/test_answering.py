"""Many questions of one film at once: token for token what transformers' own generate says to one at a time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from chartsight.vlm.answering import FilmQuestions, RawAnswer, answer_films, common_prefix_length
from chartsight.vlm.checkpoint import Vlm, load_vlm

ASKED = (
    ("is there a ring?", "is there a ring in the upper left?", "how many circles are there?"),
    ("which shapes are there?",),
    ("is there a ring?", "where is the star, and is it small or large?"),
    ("what is in the centre?", "any bar here?", "is there a ring?", "is the cross dark or bright?"),
)
LIMIT = 12


@pytest.fixture(scope="module", params=["starter_folder", "speaker"])
def vlm(request: pytest.FixtureRequest) -> Vlm:
    """In float64: one that never learned to stop, and one whose answers end at different lengths."""
    loaded = load_vlm(request.getfixturevalue(request.param))
    loaded.model.double()
    return loaded


def film(nth: int) -> NDArray[np.uint8]:
    return np.random.default_rng([6, nth]).integers(0, 256, size=(64, 64), dtype=np.uint8)


ITEMS = tuple(FilmQuestions(film(nth), asked) for nth, asked in enumerate(ASKED))


def generate(vlm: Vlm, film: NDArray[np.uint8] | None, question: str) -> tuple[str, int]:
    """What transformers alone answers: one prompt, no shared prefix, no padding."""
    ids = torch.tensor([vlm.prompts.prompt_ids(question, int(film is not None))])
    pixels: dict[str, Any] = {}
    if film is not None:
        pixels["pixel_values"] = vlm.card.preprocessing.pixel_values(film[None]).to(vlm.model.dtype)
    written = vlm.model.generate(
        input_ids=ids, attention_mask=torch.ones_like(ids), **pixels, do_sample=False, max_new_tokens=LIMIT,
        suppress_tokens=[vlm.prompts.image_token_id], eos_token_id=vlm.tokenizer.eos_token_id,
        pad_token_id=vlm.tokenizer.pad_token_id,
    )[0, ids.shape[1] :].tolist()  # fmt: skip
    return vlm.prompts.decode(written), len(written)


def said(answers: Sequence[RawAnswer]) -> list[tuple[str, int]]:
    return [(answer.text, answer.n_tokens) for answer in answers]


def test_a_batch_says_what_generate_says(vlm: Vlm) -> None:
    answers = list(answer_films(vlm, ITEMS, max_new_tokens=LIMIT))
    for item, each in zip(ITEMS, answers, strict=True):
        assert said(each) == [generate(vlm, item.film, question) for question in item.questions]
    lengths = {n_tokens for each in answers for _, n_tokens in said(each)}
    assert len({text for each in answers for text, _ in said(each)}) > 1, "otherwise nothing is compared"
    assert max(lengths) <= LIMIT


def test_without_a_film_too(vlm: Vlm) -> None:
    items = [FilmQuestions(None, asked) for asked in ASKED]
    for item, each in zip(items, answer_films(vlm, items, max_new_tokens=LIMIT), strict=True):
        assert said(each) == [generate(vlm, None, question) for question in item.questions]


@pytest.mark.parametrize("max_branches", [1, 3, 4, 100])
def test_batch_size_moves_no_answer(vlm: Vlm, max_branches: int) -> None:
    alone = [next(answer_films(vlm, [item], max_new_tokens=LIMIT)) for item in ITEMS]
    together = list(answer_films(vlm, ITEMS, max_new_tokens=LIMIT, max_branches=max_branches))
    assert together == alone


def test_neighbours_and_padding_move_no_answer(vlm: Vlm) -> None:
    question = "is there a ring?"
    [[alone]] = answer_films(vlm, [FilmQuestions(film(0), (question,))], max_new_tokens=LIMIT)
    long = "is there a ring in the upper left, a bar in the centre or a star in the lower right of this picture?"
    beside = FilmQuestions(film(0), (long, question, question, "why?"))
    [answers] = answer_films(vlm, [beside], max_new_tokens=LIMIT)
    assert answers[1] == answers[2] == alone
    [_, [behind]] = answer_films(vlm, [beside, FilmQuestions(film(0), (question,))], max_new_tokens=LIMIT)
    assert behind == alone


def test_another_film_is_another_answer(vlm: Vlm) -> None:
    def chances(nth: int) -> dict[str, float]:
        [[answer]] = answer_films(vlm, [FilmQuestions(film(nth), ("is there a ring?",))], max_new_tokens=1)
        return answer.first_token

    assert chances(0) != chances(1)


def test_chances_of_the_first_word(vlm: Vlm) -> None:
    [[answer]] = answer_films(vlm, [FilmQuestions(film(0), ("is there a ring?",))], max_new_tokens=3)
    assert set(answer.first_token) == {"yes", "no"}
    assert all(0 <= chance <= 1 for chance in answer.first_token.values())
    assert sum(answer.first_token.values()) <= 1 + 1e-6
    pixels = vlm.card.preprocessing.pixel_values(film(0)[None]).to(vlm.model.dtype)
    ids = torch.tensor([vlm.prompts.prompt_ids("is there a ring?", 1)])
    with torch.no_grad():
        logits = vlm.model(input_ids=ids, pixel_values=pixels).logits[0, -1]
    logits[vlm.prompts.image_token_id] = -torch.inf
    expected = logits.softmax(0)[vlm.prompts.answer_ids("yes")[0]].item()
    assert answer.first_token["yes"] == pytest.approx(expected, abs=1e-5)


def test_words_that_begin_alike_have_no_chances(vlm: Vlm) -> None:
    """Their first tokens are one token: its probability is neither's."""
    begin_alike = ("qqx", "qqz")
    first = {vlm.prompts.answer_ids(word)[0] for word in begin_alike}
    assert len(first) == 1
    item = FilmQuestions(film(0), ("is there a ring?",))
    [[answer]] = answer_films(vlm, [item], max_new_tokens=1, candidates=(*begin_alike, "no"))
    assert set(answer.first_token) == {"no"}


def test_the_shared_beginning_leaves_each_its_own_token() -> None:
    assert common_prefix_length([[1, 2, 3], [1, 2, 3]]) == 2
    assert common_prefix_length([[1, 2, 3], [1, 2]]) == 1
    assert common_prefix_length([[1, 2, 3, 4], [1, 2, 5, 4]]) == 2
    assert common_prefix_length([[7], [7, 8]]) == 0


def test_nothing_asked_nothing_said(vlm: Vlm) -> None:
    assert list(answer_films(vlm, [])) == []


def test_answers_are_in_inference_mode_only(starter_folder: Path) -> None:
    """The weights still take gradients afterwards: training evaluates in between."""
    loaded = load_vlm(starter_folder)
    list(answer_films(loaded, ITEMS[:1], max_new_tokens=2))
    loss = loaded.model(input_ids=torch.tensor([[1, 5, 6]])).logits.sum()
    loss.backward()
    assert any(weight.grad is not None for weight in loaded.model.parameters())

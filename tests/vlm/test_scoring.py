"""Allowed answers: every probability is that of one plain forward over prompt and answer, whatever stands beside."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from chartsight.vlm import scoring
from chartsight.vlm.answering import Example, FilmQuestions, answer_films
from chartsight.vlm.checkpoint import Vlm, load_vlm
from chartsight.vlm.grammars import Scored, Written
from chartsight.vlm.prompts import Turn
from chartsight.vlm.tries import AnswerTrie, build_trie

YES_NO = Scored(("yes", "no"))
# One begins another, several begin alike, one stands apart.
PLACES = Scored(("upper left", "upper", "upper left corner", "lower left", "lower right", "centre"))
ITEMS = (
    ("is there a ring?", "where is the star, and is it small or large?", "any bar?"),
    ("where is the ring?",),
    ("is there a ring in the upper left of this picture?", "where?"),
)
RULES = ((YES_NO, PLACES, YES_NO), (PLACES,), (YES_NO, PLACES))


@pytest.fixture(scope="module", params=["starter_folder", "speaker"])
def vlm(request: pytest.FixtureRequest) -> Vlm:
    loaded = load_vlm(request.getfixturevalue(request.param))
    loaded.model.double()
    return loaded


def film(nth: int) -> NDArray[np.uint8]:
    return np.random.default_rng([8, nth]).integers(0, 256, size=(64, 64), dtype=np.uint8)


def items(*, films: bool = True, scored: bool = True) -> list[FilmQuestions]:
    return [
        FilmQuestions(film(nth) if films else None, asked, rules if scored else ())
        for nth, (asked, rules) in enumerate(zip(ITEMS, RULES, strict=True))
    ]


@torch.inference_mode()
def alone(
    vlm: Vlm, films: Sequence[NDArray[np.uint8]], question: str, answer: str, turns: Sequence[Turn] = ()
) -> float:
    """Log-probability of an answer by transformers alone: no cache, no tree, no neighbours."""
    prompt = vlm.prompts.prompt_ids(question, 1 if films else 0, turns)
    ids = torch.tensor([[*prompt, *vlm.prompts.answer_ids(answer)]])
    pixels: dict[str, Any] = {}
    if films:
        pixels["pixel_values"] = vlm.card.preprocessing.pixel_values(np.stack(films)).to(vlm.model.dtype)
    logits = vlm.model(input_ids=ids, **pixels).logits[0]
    logits[:, vlm.prompts.image_token_id] = -torch.inf
    chances = logits.log_softmax(-1)
    return float(sum(chances[at - 1, ids[0, at]] for at in range(len(prompt), ids.shape[1])))


@pytest.mark.parametrize("films", [True, False])
def test_each_probability_is_that_of_a_forward_of_its_own(vlm: Vlm, films: bool) -> None:
    for item, answers in zip(items(films=films), answer_films(vlm, items(films=films)), strict=True):
        for (question, rule), answer in zip(item.asked, answers, strict=True):
            assert isinstance(rule, Scored)
            shown = [] if item.film is None else [item.film]
            expected = {text: alone(vlm, shown, question, text) for text in rule.answers}
            assert answer.log_probabilities == pytest.approx(expected, abs=1e-9)
            assert answer.text == max(expected, key=expected.__getitem__)
            assert answer.n_tokens == len(vlm.prompts.answer_ids(answer.text))
            # Whole answers with their ends exclude each other.
            assert sum(map(math.exp, expected.values())) <= 1 + 1e-9


@pytest.mark.parametrize("max_branches", [1, 2, 100])
def test_batch_size_moves_no_probability(vlm: Vlm, max_branches: int) -> None:
    for one, other in zip(
        answer_films(vlm, items(), max_branches=max_branches), answer_films(vlm, items()), strict=True
    ):
        for each, same in zip(one, other, strict=True):
            assert each.log_probabilities == pytest.approx(same.log_probabilities, abs=1e-9)


def test_logits_in_pieces(vlm: Vlm, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = list(answer_films(vlm, items()))
    monkeypatch.setattr(scoring, "LOGITS_AT_ONCE", 3 * vlm.model.config.get_text_config().vocab_size)
    for one, other in zip(answer_films(vlm, items()), whole, strict=True):
        for each, same in zip(one, other, strict=True):
            assert each.log_probabilities == pytest.approx(same.log_probabilities, abs=1e-12)


def test_a_tree_that_sees_its_neighbours_is_found(vlm: Vlm, monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted fault: nodes that look at every node before them."""
    monkeypatch.setattr(AnswerTrie, "ways", property(lambda tree: np.tri(len(tree.tokens), dtype=bool)))
    [answers] = answer_films(vlm, items()[1:2])
    right = {text: alone(vlm, [film(1)], "where is the ring?", text) for text in PLACES.answers}
    assert answers[0].log_probabilities != pytest.approx(right, abs=1e-6)


def test_scored_and_written_questions_of_one_film_stand_in_one_batch(vlm: Vlm) -> None:
    mixed = [FilmQuestions(each.film, each.questions, (None, *each.rules[1:])) for each in items()]
    free = list(answer_films(vlm, items(scored=False), max_new_tokens=8))
    scored = list(answer_films(vlm, items()))
    for answers, written, judged in zip(answer_films(vlm, mixed, max_new_tokens=8), free, scored, strict=True):
        assert answers[0] == written[0]
        assert [each.text for each in answers[1:]] == [each.text for each in judged[1:]]
        for each, same in zip(answers[1:], judged[1:], strict=True):
            assert each.log_probabilities == pytest.approx(same.log_probabilities, abs=1e-9)


# --------------------------------------------------------------------------------------------------------------- forms


def test_a_list_is_written_in_its_form(vlm: Vlm) -> None:
    names = ("bar", "circle", "cross", "large star", "ring", "square")
    rule = Written(names, empty="none", many=True)
    asked = ("which shapes are there?", "what is in the upper left?", "which shapes are dark?", "what?")
    mixed = [FilmQuestions(film(nth), asked, (rule, rule, None, rule)) for nth in range(3)]
    free = answer_films(vlm, [FilmQuestions(film(nth), asked) for nth in range(3)], max_new_tokens=6)
    for answers, plain in zip(answer_films(vlm, mixed, max_new_tokens=6), free, strict=True):
        assert answers[2] == plain[2], "its neighbours are written freely"
        for place in (0, 1, 3):
            text = answers[place].text
            members = [] if text == "none" else text.split(", ")
            assert members == sorted(set(members)) and set(members) <= set(names)
            assert answers[place].n_tokens == len(vlm.prompts.answer_ids(text)), "as a model is taught to write it"


def test_every_list_can_be_written_and_nothing_else(vlm: Vlm) -> None:
    from itertools import combinations

    from chartsight.vlm.grammars import State, build_grammar

    names = ("bar", "bar code", "ring")
    grammar = build_grammar(vlm.prompts, Written(names, empty="none", many=True))

    def walk(state: State, ids: tuple[int, ...]) -> list[tuple[int, ...]]:
        ways = grammar.next(state)
        return [end for token, after in ways.items() for end in walk(after, (*ids, token))] if ways else [ids]

    lists = ["none", *(", ".join(chosen) for n in (1, 2, 3) for chosen in combinations(names, n))]
    assert sorted(walk(grammar.start, ())) == sorted(tuple(vlm.prompts.answer_ids(text)) for text in lists)


def test_one_of_some_names_is_what_the_greedy_walk_gives(vlm: Vlm) -> None:
    rule = Written(tuple(map(str, range(12))))
    [answers] = answer_films(vlm, [FilmQuestions(film(0), ("how many rings are there?", "how many?"), (rule, rule))])
    assert all(answer.text in rule.names for answer in answers)


# ------------------------------------------------------------------------------------------------------------ examples


def examples(*, films: bool) -> list[Example]:
    asked = (("is there a star?", "yes"), ("where is the star?", "upper left"))
    return [Example(film(20 + nth) if films else None, *each) for nth, each in enumerate(asked)]


@pytest.mark.parametrize("films", [True, False])
def test_examples_are_read_once_and_seen_by_every_question(vlm: Vlm, films: bool) -> None:
    shown = examples(films=films)
    turns = [example.turn for example in shown]
    batch = items(films=films)
    answers = list(answer_films(vlm, batch, examples=shown))
    for item, each in zip(batch, answers, strict=True):
        pictures = [*(example.film for example in shown), item.film] if films else []
        for (question, rule), answer in zip(item.asked, each, strict=True):
            assert isinstance(rule, Scored)
            expected = {text: alone(vlm, pictures, question, text, turns) for text in rule.answers}
            assert answer.log_probabilities == pytest.approx(expected, abs=1e-9)
    without = list(answer_films(vlm, batch))
    assert [each.log_probabilities for row in answers for each in row] != [
        each.log_probabilities for row in without for each in row
    ]


def test_examples_and_free_answers_are_those_of_generate(vlm: Vlm) -> None:
    shown, question = examples(films=True), "is there a ring?"
    ids = torch.tensor([vlm.prompts.prompt_ids(question, 1, [example.turn for example in shown])])
    pictures = np.stack([*(example.film for example in shown), film(0)])
    written = vlm.model.generate(
        input_ids=ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=8,
        pixel_values=vlm.card.preprocessing.pixel_values(pictures).to(vlm.model.dtype),
        suppress_tokens=[vlm.prompts.image_token_id], eos_token_id=vlm.tokenizer.eos_token_id,
        pad_token_id=vlm.tokenizer.pad_token_id,
    )[0, ids.shape[1] :].tolist()  # fmt: skip
    asked = [
        FilmQuestions(film(0), (question, "where is the ring, and is it large?")),
        FilmQuestions(film(1), ("why?",)),
    ]
    [[answer, _], _] = answer_films(vlm, asked, max_new_tokens=8, examples=shown)
    assert (answer.text, answer.n_tokens) == (vlm.prompts.decode(written), len(written))


def test_too_many_examples_are_refused_before_the_work(starter_folder: Path) -> None:
    loaded = load_vlm(starter_folder)
    with pytest.raises(Exception, match="fewer than 1024"):
        list(answer_films(loaded, items(), examples=examples(films=True) * 40))


def test_a_tree_shares_what_begins_alike() -> None:
    tree = build_trie([[1, 2, 9], [1, 3, 9], [1, 9], [4, 9]])
    assert (tree.tokens, tree.parents, tree.depths) == ((1, 2, 3, 4), (-1, 0, 0, -1), (0, 1, 1, 0))
    assert tree.paths == (((-1, 1), (0, 2), (1, 9)), ((-1, 1), (0, 3), (2, 9)), ((-1, 1), (0, 9)), ((-1, 4), (3, 9)))
    assert tree.ways.astype(int).tolist() == [[1, 0, 0, 0], [1, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 1]]
    assert build_trie([[9]]).tokens == ()

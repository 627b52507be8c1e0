"""The answer store survives a kill, and its key is another for everything that can move an answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chartsight.answers import AnswerStore, answer_key

INGREDIENTS: dict[str, Any] = {
    "image_digests": ["d1", "d2"],
    "preprocessing_digest": "p",
    "prompt": "USER: <image>\nis there a ring? ASSISTANT:",
    "model_fingerprint": "m",
    "decoding": "greedy/48",
    "dtype": "float32",
    "back_end": "transformers",
}
TEXT = st.text(max_size=6)
ANY = st.fixed_dictionaries(
    {name: st.lists(TEXT, max_size=3) if name == "image_digests" else TEXT for name in INGREDIENTS}
)


def test_what_was_appended_is_there_when_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "answers.jsonl"
    store = AnswerStore(path)
    assert len(store) == 0 and not path.exists()
    store.append([("a", {"text": "yes"}), ("b", {"text": "Größe, \u2028 naïve\nand on"})])
    store.append([("c", {"text": "no", "first": {"yes": 0.25}})])
    again = AnswerStore(path)
    assert len(again) == 3
    assert again.get("b") == {"text": "Größe, \u2028 naïve\nand on"}
    assert again.get("c") == {"text": "no", "first": {"yes": 0.25}}
    assert "a" in again and "d" not in again and again.get("d") is None


def test_a_known_key_is_left_as_it_is(tmp_path: Path) -> None:
    store = AnswerStore(tmp_path / "answers.jsonl")
    store.append([("a", {"text": "first"})])
    before = store.path.read_bytes()
    store.append([("a", {"text": "second"})])
    assert store.get("a") == {"text": "first"}
    assert store.path.read_bytes() == before


@pytest.mark.parametrize("cut", [1, 5, 20])
def test_a_last_line_that_was_cut_off_is_dropped_and_written_anew(tmp_path: Path, cut: int) -> None:
    store = AnswerStore(tmp_path / "answers.jsonl")
    store.append([("a", {"text": "yes"}), ("b", {"text": "no"})])
    whole = store.path.read_bytes()
    store.path.write_bytes(whole[:-cut])
    after = AnswerStore(store.path)
    assert "a" in after and "b" not in after
    after.append([("b", {"text": "no"})])
    assert store.path.read_bytes() == whole
    assert [json.loads(line)["key"] for line in store.path.read_text("utf-8").splitlines()] == ["a", "b"]


@pytest.mark.parametrize("name", INGREDIENTS)
def test_the_key_moves_with_every_ingredient(name: str) -> None:
    other = ["d1", "d3"] if name == "image_digests" else INGREDIENTS[name] + " "
    assert answer_key(**{**INGREDIENTS, name: other}) != answer_key(**INGREDIENTS)


def test_the_key_moves_with_number_and_order_of_films() -> None:
    keys = {
        answer_key(**{**INGREDIENTS, "image_digests": each}) for each in (["d1", "d2"], ["d2", "d1"], ["d1"], [], [""])
    }
    assert len(keys) == 5


def test_the_key_is_the_same_tomorrow() -> None:
    """Stored answers outlive a release: another key for the same answer would throw them away."""
    assert answer_key(**INGREDIENTS) == "ba29d887894a382e311fbee24bea95e85066932a5552eb75fe37afc58dc2b7a0"


@given(ANY, ANY)
def test_other_ingredients_never_share_a_key(left: dict[str, Any], right: dict[str, Any]) -> None:
    assert (answer_key(**left) == answer_key(**right)) == (left == right)

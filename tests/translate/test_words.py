from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chartsight.translate.words import spell, split_words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Was 10000032's Hgb (g/dL) < 7.5?", "was 10000032 hgb g dl < 7.5"),
        ("Pleural effusions and opacities", "pleural effusion and opacity"),
        ("Atelectasis, masses, pus", "atelectasis mass pus"),
        ("on 2103-05-12 at 10:30", "on 2103-05-12 at 10:30"),
        ("Küntscher nail", "kuntscher nail"),
        ("", ""),
    ],
)
def test_a_text_as_words(text: str, words: str) -> None:
    assert spell(text) == words


@given(st.text(max_size=60))
def test_words_stand_where_they_say(text: str) -> None:
    places = [(word.start, word.end) for word in split_words(text)]
    assert all(0 <= start < end <= len(text) for start, end in places)
    assert all(end <= start for (_, end), (start, _) in pairwise(places))


@given(st.text(max_size=60))
def test_case_and_blanks_do_not_matter(text: str) -> None:
    assert spell(f"  {text}\t") == spell(text)

"""The sheet of one rater: a single HTML file with films, questions and answers inside, for a browser without a network.

It holds no model's name, no score and no patient's. Which letter is which model stands in the key alone, and the gold
answer is stored in another spelling, so that a glance at the page's source does not show it; who wants to read it there
can, and is asked not to.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2

from chartsight.imaging.film_index import IndexedFilm
from chartsight.imaging.pixels import encode_jpeg, read_film
from chartsight.questions.answer_text import render_answer
from chartsight.review.compared import Compared, ReviewedModel
from chartsight.review.form import LETTERS, form_json
from chartsight.review.sampling import Drawn, Entry, shuffle_answers
from chartsight.schema import ATTRIBUTES, CATEGORIES, OBJECTS, SCHEMA_VERSION, Condition, Pairing, Question, Terms

JPEG_QUALITY = 88
USE_LINE = "Research use only. Not a medical device. Not for clinical use."
TERMS_LINES: Mapping[Terms, str] = {
    "synthetic": "Synthetic films: free to share.",
    "open": "Openly licensed films: share with their attribution.",
    "share-alike": "Share-alike films: pass on under the same licence.",
    "credentialed": "Holds films under a data use agreement. Only people whom it covers may open this file; "
    "keep it where those data may lie, and do not mail or upload it.",
    "private": "Holds private films. Keep this file where those data may lie; do not mail, upload or share it.",
}
SHAREABLE_LINE = "Made to be shared: no films, no free text, no identifiers."
PAIRING_LINES: Mapping[Pairing, str] = {
    "real": "",
    "ehrxqa-shuffled": "Films and records were paired at random (EHRXQA): "
    "no clinical association may be read from this.",
    "synthetic": "Films and records are synthetic or were paired by construction: "
    "no clinical association may be read from this.",
}
SHARED_WORDS = frozenset({*ATTRIBUTES, *CATEGORIES, *OBJECTS, "yes", "no", "none", "left", "right", "male", "female"})
ABOUT_VIEW = re.compile(
    r"(?<![a-z])(?:(?<!in )views?|projections?|pa|ap|(?:antero|postero)\w*|lateral|frontal|portable)(?![a-z])", re.I
)
SHARED_TYPES = ("boolean", "choice", "set", "count")  # an open answer is free text, a date may identify
OTHER_FILM: Mapping[Condition, str] = {"shuffled": "With another patient's film", "blank": "With a blank film"}


@dataclass(frozen=True)
class Place:
    """One place on a sheet, as the key keeps it: which models stand behind each letter."""

    position: int
    entry: Entry
    models: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Sheet:
    """A rater's sheet."""

    rater: str
    sheet_id: str
    html: str
    places: tuple[Place, ...]


def render_sheet(
    compared: Compared,
    chosen: Sequence[ReviewedModel],
    sample: Sequence[Drawn],
    entries: Sequence[Entry],
    *,
    rater: str,
    number: int,
    seed: int,
    title: str,
    films: Mapping[str, tuple[IndexedFilm, str]] | None,
) -> Sheet:
    """The sheet of one rater.

    Args:
        compared: The comparison.
        chosen: The models whose answers are shown.
        sample: All items of the review.
        entries: This rater's, in their order.
        rater: The name on the sheet.
        number: Of the rater; the order of the answers hangs on it.
        seed: The same seed gives the same bytes.
        title: On top.
        films: By image_id, with the JPEG as base64 (`encode_films`); None for a sheet to share.
    """
    names: dict[str, str] = {}  # of films on this sheet, in the order of their first place
    stored: dict[str, str] = {}
    items, places = [], []
    for position, entry in enumerate(entries, 1):
        index = sample[entry.item].index
        question = compared.questions[index]
        answers = _answers(compared, chosen, index, is_shared=films is None)
        order = shuffle_answers(len(answers), seed=seed, rater=number, position=position)
        texts = [list(answers)[each] for each in order]
        letters = LETTERS[: len(texts)]
        by_letter = {letter: answers[text] for letter, text in zip(letters, texts, strict=True)}
        item: dict[str, Any] = {
            "n": position, "again": entry.is_repeat, "question": shown_question(question, is_shared=films is None),
            "answers": [{"letter": letter, "text": text} for letter, text in zip(letters, texts, strict=True)],
            "film": None, "view": None,
            "sealed": _sealed(compared, chosen, index, by_letter, is_shared=films is None),
        }  # fmt: skip
        if films is not None:
            film, jpeg = films[question.image_ids[0]]
            name = names.setdefault(film.image_id, f"film-{len(names) + 1}")
            stored[name] = jpeg
            item |= {"film": name, "view": None if asks_about_view(question) else film.view_position}
        items.append(item)
        places.append(Place(position, entry, by_letter))
    content: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION, "title": title, "rater": rater, "items": items,
        "form": form_json(with_film=films is not None), "terms": compared.terms, "is_shareable": films is None,
    }  # fmt: skip
    digest = hashlib.sha256(json.dumps([content, stored], sort_keys=True).encode()).hexdigest()
    content["sheet_id"] = digest[:16]
    return Sheet(rater, digest[:16], _html(content, stored, compared.pairing), tuple(places))


def encode_films(films: Sequence[IndexedFilm], longest_px: int) -> dict[str, tuple[IndexedFilm, str]]:
    """Each film with its JPEG as base64, by image_id.

    Raises:
        FilmError: A film cannot be read. A rater who is shown nothing must not be asked about it.
    """
    return {
        film.image_id: (
            film, base64.b64encode(encode_jpeg(read_film(film.path), longest_px, JPEG_QUALITY)).decode("ascii")
        )
        for film in films
    }  # fmt: skip


def shown_question(question: Question, *, is_shared: bool) -> str:
    """The question's words, naming nobody; to be shared, its template and the findings and places it is about."""
    if is_shared:
        slots = json.loads(question.parameters or "{}")
        named = [
            f"{slot}: {value}"
            for slot, value in sorted(_leaves(slots.get("slots", slots)))
            if value.lower() in SHARED_WORDS
        ]
        return " · ".join([question.template_id, *named])
    if question.visual_question:
        return question.visual_question
    text = question.question
    for identifier in (question.subject_id, *question.study_ids, *question.image_ids):
        if identifier is not None:
            text = re.sub(rf"(?<!\w){re.escape(str(identifier))}(?!\w)", "…", text)
    return text


def asks_about_view(question: Question) -> bool:
    """Whether naming the film's view could answer it."""
    return bool(ABOUT_VIEW.search(f"{question.template_id} {question.asked}"))


def can_be_shared(question: Question) -> bool:
    """Whether it has a form without free text."""
    return question.answer_type in SHARED_TYPES


def _answers(
    compared: Compared, chosen: Sequence[ReviewedModel], index: int, *, is_shared: bool
) -> dict[str, tuple[str, ...]]:
    """The different answers to an item, each with the models that gave it: the same words are read and rated once."""
    answers: dict[str, tuple[str, ...]] = {}
    for model in chosen:
        said = compared.said[model.name, "full"]
        text = _shared_answer(said.typed(index)) if is_shared else said.shown(index)
        answers[text] = (*answers.get(text, ()), model.name)
    return answers


def _shared_answer(text: str) -> str:
    """A typed answer of which only numbers, the words of the vocabulary and how it ended are kept."""
    if text.startswith("("):
        return text
    parts = [part.strip() for part in text.split(";")]
    kept = [part if part.lower() in SHARED_WORDS or part.isdecimal() else "(another word)" for part in parts]
    return "; ".join(dict.fromkeys(kept))


def _sealed(
    compared: Compared,
    chosen: Sequence[ReviewedModel],
    index: int,
    by_letter: Mapping[str, Sequence[str]],
    *,
    is_shared: bool,
) -> str:
    """What the reveal phase shows, as base64 JSON: the gold answer, and what the same models said to other films.

    A condition that one of the models was not asked under is left out: its absence would name that model.
    """
    question = compared.questions[index]
    value = json.loads(question.answer)
    gold = (
        ("; ".join(value) or "none")
        if isinstance(value, list)
        else render_answer(question.answer, question.answer_type)
    )
    others = []
    for condition, words in OTHER_FILM.items():
        if all((model.name, condition) in compared.said for model in chosen):
            said = {}
            for letter, names in by_letter.items():
                texts = [compared.said[name, condition].typed(index) for name in names]
                said[letter] = " / ".join(dict.fromkeys(_shared_answer(text) if is_shared else text for text in texts))
            others.append({"words": words, "said": said})
    shown = {"gold": _shared_answer(gold) if is_shared else gold, "others": others}
    return base64.b64encode(json.dumps(shown).encode()).decode("ascii")


def _leaves(value: Any, name: str = "") -> list[tuple[str, str]]:
    if isinstance(value, Mapping):
        return [leaf for key, each in value.items() for leaf in _leaves(each, str(key))]
    if isinstance(value, list):
        return [leaf for each in value for leaf in _leaves(each, name)]
    return [(name, value)] if isinstance(value, str) else []


def _html(content: Mapping[str, Any], films: Mapping[str, str], pairing: Pairing) -> str:
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    here = Path(__file__).parent
    template = environment.from_string((here / "sheet.html.j2").read_text("utf-8"))
    terms: Terms = content["terms"]
    return template.render(
        content=content,
        films=films,
        style=(here / "sheet.css").read_text("utf-8"),
        program=(here / "sheet.js").read_text("utf-8"),
        use_line=USE_LINE,
        terms_line=SHAREABLE_LINE if content["is_shareable"] else TERMS_LINES[terms],
        is_closed=terms in ("credentialed", "private") and not content["is_shareable"],
        pairing_line=PAIRING_LINES[pairing],
    )

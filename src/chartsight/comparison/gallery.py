"""The items on the page: every question as a row that can be filtered, and the films of some, each once.

The page holds the rows as columns of numbers into one list of texts, so that thousands of items stay small. A number of
the page leads to its items by a link such as `#items?tuned.full=right&template=verify-attribute`:

| key | values |
|---|---|
| `MODEL.CONDITION` | `right`, `wrong`, `unread` (unparsed, refused, ...), `asked` |
| | `changed`, `same`: than with the film |
| | of a film with a right answer of its own: `other` (than the own film's), `alike`, `follow`, `stick` |
| a facet: `kind`, `template`, `type`, `view`, `MODEL.quadrant`, ... | its values |
| `differ` | `A,B`: of these two models one is right and the other is not; `any`: of all models |
| `film` | `shown` |
| `ids` | question_ids, separated by commas |
| `q` | words that the question holds |
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import unescape
from typing import Any
from urllib.parse import parse_qsl

from chartsight.comparison.groups import ANSWER_TYPE_WORDS
from chartsight.comparison.items import UNKNOWN, ItemTable, plain, plain_json
from chartsight.comparison.predictions import Answers
from chartsight.comparison.recipe import CompareRecipe
from chartsight.errors import ChartsightError
from chartsight.imaging.pixels import encode_jpeg
from chartsight.schema import ATTRIBUTES, CATEGORIES, OBJECTS, Question, Terms

FILM_PIXELS = 256  # longest side of a film on the page
JPEG_QUALITY = 72
LONGEST_TEXT = 300  # characters of an answer; the whole stands in items.parquet
CODES = {"unparsed": "u", "refused": "r", "abstained": "a", "failed": "f"}
FACET_WORDS = {
    "type": "answer type", "prior": "template's prior", "age": "age", "mention": "the report on it",
    "lesion_px": "lesion, px",
}  # fmt: skip
SHARED_WORDS = frozenset(
    {*ATTRIBUTES, *OBJECTS, *CATEGORIES, "yes", "no", "none", "female", "male", "f", "m", "ap", "pa"}
)


@dataclass(frozen=True)
class Film:
    """A film of the page: number, size as shown, base64 JPEG."""

    number: int
    width: int
    height: int
    jpeg: str


@dataclass(frozen=True)
class Gallery:
    """What the page holds of the items.

    Args:
        payload: For the page's program, as compact JSON that may stand in a script element.
        films: Each once.
        film_of: Number of each item's film [N]; None where it is not shown.
        asked_films: How many films were to be shown; fewer are there when files are gone.
    """

    payload: str
    films: tuple[Film, ...]
    film_of: tuple[int | None, ...]
    asked_films: int


def build_gallery(
    recipe: CompareRecipe, items: ItemTable, picked: Sequence[int], terms: Terms, *, shareable: bool = False
) -> Gallery:
    """The gallery of a comparison.

    Args:
        recipe: Models, in order.
        items: All of them.
        picked: Items whose films are shown; other items about the same films show them too.
        terms: The strictest of the questions.
        shareable: No film unless it is synthetic, no identifier, of answers only numbers and words of the vocabulary.

    Raises:
        FilmError: The film index of the questions cannot be read. A single film that is gone or broken only leaves
            its place empty.
    """
    own = [question.image_ids[0] if question.image_ids else None for question in items.questions]
    wanted = list(dict.fromkeys(film for index in picked if (film := own[index]) is not None))
    films = {} if shareable and terms != "synthetic" else _encode_films(recipe, wanted)
    film_of = tuple(films[film].number if film is not None and film in films else None for film in own)
    return Gallery(_payload(recipe, items, film_of, shareable=shareable), tuple(films.values()), film_of, len(wanted))


def _encode_films(recipe: CompareRecipe, image_ids: Sequence[str]) -> dict[str, Film]:
    from chartsight.imaging.film_index import read_film_index
    from chartsight.imaging.pixels import read_film
    from chartsight.questions.files import film_index_of

    if not image_ids:
        return {}
    index = read_film_index(film_index_of(recipe.questions))
    films: dict[str, Film] = {}
    for image_id in image_ids:
        film = index.get(image_id)
        try:
            pixels = None if film is None else read_film(film.path)
        except ChartsightError:
            pixels = None
        if pixels is not None:
            scale = FILM_PIXELS / max(pixels.shape)
            height, width = (max(1, round(side * min(1.0, scale))) for side in pixels.shape)
            jpeg = base64.b64encode(encode_jpeg(pixels, FILM_PIXELS, JPEG_QUALITY)).decode("ascii")
            films[image_id] = Film(len(films), width, height, jpeg)
    return films


class _Texts:
    """One list of texts, each once, and their places."""

    def __init__(self) -> None:
        self.places: dict[str, int] = {}

    def place(self, text: str) -> int:
        return self.places.setdefault(text, len(self.places))


def _payload(recipe: CompareRecipe, items: ItemTable, film_of: Sequence[int | None], *, shareable: bool) -> str:
    texts = _Texts()
    questions = items.questions

    def told(text: str) -> int:
        return texts.place(shared_answer(text) if shareable else text)

    own_gold = [told(plain_json(each.answer)) for each in questions]
    facets = {
        "kind": [each.kind for each in questions],
        "template": [each.template_id for each in questions],
        "type": [ANSWER_TYPE_WORDS[each.answer_type] for each in questions],
        **items.facets,
        **{f"{model}.quadrant": values for model, values in items.quadrants.items()},
    }
    models = []
    for model in recipe.models:
        full = items.answers[model.name, "full"]
        conditions: list[dict[str, Any]] = []
        for (name, condition), each in items.answers.items():
            if name != model.name:
                continue
            shown: dict[str, Any] = {
                "name": condition,
                "said": [told(_said(each, place, shareable)) for place in range(len(questions))],
                "verdict": "".join(_code(each, place) for place in range(len(questions))),
            }
            if condition != "full":
                shown["changed"] = "".join(
                    "-" if not is_asked else "1" if one != other else "0"
                    for is_asked, one, other in zip(each.is_asked, full.values, each.values, strict=True)
                )
            if condition in items.gold:
                gold = items.gold[condition]
                shown["gold"] = [-1 if right is None else told(plain_json(right)) for right in gold]
            conditions.append(shown)
        models.append({"name": model.name, "title": model.title, "role": model.role, "conditions": conditions})
    payload = {
        "n": len(questions),
        "ids": None if shareable else [each.question_id for each in questions],
        "question": [texts.place(question_text(each, shareable=shareable)) for each in questions],
        "gold": own_gold,
        "film": [-1 if number is None else number for number in film_of],
        "facets": [_facet(name, values, recipe) for name, values in facets.items()],
        "models": models,
    }
    payload["texts"] = list(texts.places)
    return json.dumps(payload, separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c")


def _facet(name: str, values: Sequence[str], recipe: CompareRecipe) -> dict[str, Any]:
    ordered = sorted(set(values), key=lambda value: (value == UNKNOWN, value))
    place = {value: number for number, value in enumerate(ordered)}
    model, _, part = name.rpartition(".")
    title = next((each.title for each in recipe.models if each.name == model), model)
    words = f"{title}: {part}" if model else FACET_WORDS.get(name, name)
    return {"name": name, "words": words, "values": ordered, "of": [place[value] for value in values]}


def _code(answers: Answers, place: int) -> str:
    """How an answer ended, in one character: 1 right, 0 wrong, the rest not read; `-` not asked."""
    if not answers.is_asked[place]:
        return "-"
    return CODES.get(answers.outcomes[place], "1" if answers.is_correct[place] else "0")


def _said(answers: Answers, place: int, shareable: bool) -> str:
    typed = plain(answers.values[place])
    text = typed if shareable else answers.texts[place].strip() or typed
    if not text:
        return f"({answers.outcomes[place]})" if answers.is_asked[place] else ""
    return text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1] + "…"


def mend_links(html: str, items: ItemTable, *, shareable: bool = False) -> str:
    """The page, where a link by what these items were not asked, or by a facet that they lack, is none.

    Where it is to be shared, links name items by their number.
    """
    number = {question.question_id: str(place) for place, question in enumerate(items.questions, 1)}
    known = {"differ", "film", "ids", "q", "at", "kind", "template", "type", *items.facets}
    known |= {f"{model}.{condition}" for model, condition in items.answers}
    known |= {f"{model}.quadrant" for model in items.quadrants}

    def kept(match: re.Match[str]) -> str:
        keys = {key for key, _ in parse_qsl(unescape(match[1]), keep_blank_values=True)}
        if not keys <= known:
            return ""
        if not shareable:
            return match[0]
        return re.sub(
            r"ids=([^&\"]*)", lambda ids: "ids=" + ",".join(number[each] for each in ids[1].split(",")), match[0]
        )

    return re.sub(r' href="#items\?([^"]*)"', kept, html)


def question_text(question: Question, *, shareable: bool) -> str:
    """What the model read; of a set made by people, its template when the page is to be shared."""
    is_ours = question.visual_question is not None and question.label_source != "import"
    return question.asked if not shareable or is_ours else question.template_id


def shared_answer(text: str) -> str:
    """A typed answer of which only numbers and words of the vocabulary are kept, and how it ended."""
    if text.startswith("("):
        return text
    parts = [part.strip() for part in text.split(";")]
    kept = [part if part.lower() in SHARED_WORDS or part.isdecimal() else "(another word)" for part in parts]
    return "; ".join(dict.fromkeys(kept))

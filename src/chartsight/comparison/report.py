"""The page: one self-contained HTML file that can be mailed, printed and read on a phone.

Nothing in it is fetched: styles, figures and films stand inside. Numbers are those of `analysis.py`.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2
import numpy as np
from numpy.typing import NDArray

from chartsight.comparison import plots
from chartsight.comparison.analysis import Analysis
from chartsight.comparison.groups import MIN_GROUP
from chartsight.comparison.predictions import Answers
from chartsight.comparison.recipe import ROLE_WORDS, CompareRecipe, subject_and_reference
from chartsight.comparison.verdict import NO_LOSS_POINTS
from chartsight.comparison.wording import bounds, count, interval_text, is_number, p_value, percent, points
from chartsight.errors import ChartsightError
from chartsight.evaluation import answer_from_json
from chartsight.evaluation.differences import in_words
from chartsight.evaluation.published import answer_in_words
from chartsight.imaging.pixels import encode_jpeg
from chartsight.runs import package_versions
from chartsight.schema import Condition, Pairing, Question, Terms

FILM_PIXELS = 300  # longest side of a film on the page
JPEG_QUALITY = 80
USE_LINE = "Research use only. Not a medical device. Not for clinical use."

PAIRING_LINES: Mapping[Pairing, str] = {
    "real": "Films and records belong to the same patients.",
    "ehrxqa-shuffled": "Films and records were paired at random (EHRXQA): "
    "no clinical association may be read from this.",
    "synthetic": "Films and records are synthetic or were paired by construction: "
    "no clinical association may be read from this.",
}
TERMS_LINES: Mapping[Terms, str] = {
    "synthetic": "Made by chartsight's own generator: free to share.",
    "open": "Openly licensed films: share with their attribution.",
    "share-alike": "Share-alike films: pass on under the same licence.",
    "credentialed": "Holds films under a data use agreement: do not share this page.",
    "private": "Holds private films: do not share this page.",
}


@dataclass(frozen=True)
class Provenance:
    """What the numbers were made from."""

    questions: str
    questions_sha256: str
    scorer: str
    run_id: str
    started: str


@dataclass(frozen=True)
class ShownAnswer:
    """One model's answer on a card."""

    title: str
    role: str
    text: str
    is_correct: bool


@dataclass(frozen=True)
class Card:
    """One film with its question, the right answer, and what every model said. `film` is base64 JPEG, or None."""

    question_id: str
    question: str
    gold: str
    film: str | None
    answers: tuple[ShownAnswer, ...]


def render_report(
    recipe: CompareRecipe,
    asked: Sequence[Question],
    answers: Mapping[tuple[str, Condition], Answers],
    analysis: Analysis,
    provenance: Provenance,
) -> str:
    """The whole page as HTML.

    Raises:
        FilmError: The film index of the questions cannot be read. A single film that is gone or broken only leaves
            its place empty.
    """
    subject, reference = subject_and_reference(recipe.models)
    sections = {
        section: [group for group in analysis.groups if group.section == section]
        for section in ("kind", "answer type", "template")
    }
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters.update(
        percent=percent,
        interval=interval_text,
        points=points,
        bounds=bounds,
        count=count,
        is_number=is_number,
        p_value=p_value,
        in_words=in_words,
    )
    template = environment.from_string(Path(__file__).with_name("report.html.j2").read_text("utf-8"))
    return template.render(
        recipe=recipe,
        analysis=analysis,
        provenance=provenance,
        role_words=ROLE_WORDS,
        subject=subject,
        reference=reference,
        use_line=USE_LINE,
        pairing_line=PAIRING_LINES[analysis.pairing],
        terms_line=TERMS_LINES[analysis.terms],
        other_conditions=[
            condition for condition in recipe.conditions if condition not in ("full", "shuffled", "blank")
        ],
        overview=plots.plot_overview(analysis),
        differences=plots.plot_differences(analysis) if analysis.differences else None,
        broad_groups=[*(sections["kind"] if len(sections["kind"]) > 1 else []), *sections["answer type"]],
        templates=sections["template"],
        broad_plot=plots.plot_groups(
            analysis, [*(sections["kind"] if len(sections["kind"]) > 1 else []), *sections["answer type"]]
        ),
        template_plot=plots.plot_groups(analysis, sections["template"]),
        curves=plots.plot_curves(analysis, analysis.curves) if analysis.curves else None,
        cards=build_cards(recipe, asked, answers, analysis),
        min_group=MIN_GROUP,
        no_loss_points=NO_LOSS_POINTS,
        versions=package_versions(),
    )


def build_cards(
    recipe: CompareRecipe,
    asked: Sequence[Question],
    answers: Mapping[tuple[str, Condition], Answers],
    analysis: Analysis,
) -> list[Card]:
    """The films that `pick_films` chose, with what each model said."""
    from chartsight.imaging.film_index import read_film_index
    from chartsight.questions.files import film_index_of

    if not analysis.shown:
        return []
    films = read_film_index(film_index_of(recipe.questions))
    cards = []
    for index in analysis.shown:
        question = asked[index]
        film = films.get(question.image_ids[0])
        said = []
        for model in recipe.models:
            theirs = answers[model.name, "full"]
            said.append(
                ShownAnswer(
                    title=model.title,
                    role=model.role,
                    text=theirs.texts[index].strip()
                    or answer_in_words(theirs.values[index])
                    or f"({theirs.outcomes[index]})",
                    is_correct=bool(theirs.is_correct[index]),
                )
            )
        cards.append(
            Card(
                question_id=question.question_id,
                question=question.asked,
                gold=answer_in_words(answer_from_json(question.answer)),
                film=None if film is None else _film_jpeg(film.path),
                answers=tuple(said),
            )
        )
    return cards


def encode_film(film: NDArray[np.uint8]) -> str:
    """A film (uint8 [H, W]) as base64 JPEG, its longest side at most `FILM_PIXELS`."""
    return base64.b64encode(encode_jpeg(film, FILM_PIXELS, JPEG_QUALITY)).decode("ascii")


def _film_jpeg(path: Path) -> str | None:
    from chartsight.imaging.pixels import read_film

    try:
        return encode_film(read_film(path))
    except ChartsightError:
        return None

"""The page: one self-contained HTML file that can be mailed, printed and read on a phone.

Nothing in it is fetched: styles, figures, films and the program of the gallery stand inside. Numbers are those of
`analysis.py` and of the audits; most lead to their items (`gallery.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote_plus

import jinja2

from chartsight.audit import AuditReport
from chartsight.comparison import plots
from chartsight.comparison.analysis import Analysis
from chartsight.comparison.audit_page import view_audits
from chartsight.comparison.audit_plots import Shown
from chartsight.comparison.films import GALLERY_ITEMS, pick_films
from chartsight.comparison.gallery import Gallery, build_gallery, mend_links, question_text, shared_answer
from chartsight.comparison.groups import ANSWER_TYPE_WORDS, MIN_GROUP
from chartsight.comparison.items import ItemTable, plain, plain_json
from chartsight.comparison.provenance import Provenance
from chartsight.comparison.recipe import ROLE_WORDS, CompareRecipe, subject_and_reference
from chartsight.comparison.verdict import NO_LOSS_POINTS
from chartsight.comparison.wording import bounds, count, film_words, interval_text, is_number, p_value, percent, points
from chartsight.evaluation.differences import in_words
from chartsight.runs import package_versions
from chartsight.schema import Pairing, Terms

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


SHAREABLE_LINE = "Made to be shared: without films of people, identifiers and free text."


@dataclass(frozen=True)
class ShownAnswer:
    """One model's answer on a card."""

    title: str
    role: str
    text: str
    is_correct: bool


@dataclass(frozen=True)
class Card:
    """One film with its question, the right answer, and what every model said.

    `film` is its number on the page, None when it is not there; `at` is how a link names the item.
    """

    question_id: str
    at: str
    question: str
    gold: str
    film: int | None
    answers: tuple[ShownAnswer, ...]


def render_report(
    recipe: CompareRecipe,
    items: ItemTable,
    analysis: Analysis,
    provenance: Provenance,
    audit: AuditReport | None = None,
    *,
    shareable: bool = False,
) -> str:
    """The whole page as HTML.

    Args:
        recipe: The comparison.
        items: All questions with all answers.
        analysis: The findings.
        provenance: What they were made from.
        audit: Findings of the audits; None when they were not asked for.
        shareable: Leave films that are not synthetic, identifiers, free text and places on this machine out.

    Raises:
        FilmError: The film index of the questions cannot be read. A single film that is gone or broken only leaves
            its place empty.
    """
    subject, reference = subject_and_reference(recipe.models)
    sections = {
        section: [group for group in analysis.groups if group.section == section]
        for section in ("kind", "answer type", "template")
    }
    here = Path(__file__).parent
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(here), autoescape=True, trim_blocks=True, lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )  # fmt: skip
    environment.filters.update(
        percent=percent,
        interval=interval_text,
        points=points,
        bounds=bounds,
        count=count,
        is_number=is_number,
        p_value=p_value,
        in_words=in_words,
        film_words=film_words,
    )
    shown = [Shown(model.name, model.title, model.role) for model in recipe.models]
    picked = pick_films(recipe, items.questions, items.answers, GALLERY_ITEMS)
    gallery = build_gallery(recipe, items, picked, analysis.terms, shareable=shareable)
    broad_groups = [*(sections["kind"] if len(sections["kind"]) > 1 else []), *sections["answer type"]]
    template = environment.get_template("report.html.j2")
    html = template.render(
        recipe=recipe,
        analysis=analysis,
        provenance=provenance.without_places() if shareable else provenance,
        exposure=() if audit is None else audit.exposure,
        audit=None if audit is None else view_audits(audit, shown, subject.name),
        role_words=ROLE_WORDS,
        subject=subject,
        reference=reference,
        pages=pages_of(audit is not None, bool(analysis.differences), bool(analysis.curves)),
        is_shareable=shareable,
        use_line=USE_LINE,
        pairing_line=PAIRING_LINES[analysis.pairing],
        terms_line=SHAREABLE_LINE if shareable else TERMS_LINES[analysis.terms],
        type_query={answer_type: quote_plus(words) for answer_type, words in ANSWER_TYPE_WORDS.items()},
        other_conditions=[
            condition for condition in recipe.conditions if condition not in ("full", "shuffled", "blank")
        ],
        overview=plots.plot_overview(analysis),
        differences=plots.plot_differences(analysis) if analysis.differences else None,
        templates=sections["template"],
        broad_plot=plots.plot_groups(analysis, broad_groups),
        template_plot=plots.plot_groups(analysis, sections["template"]),
        curves=plots.plot_curves(analysis, analysis.curves) if analysis.curves else None,
        cards=build_cards(recipe, items, analysis.shown, gallery, shareable=shareable),
        films=gallery.films,
        gallery=gallery.payload,
        gallery_items=len(picked),
        style=(here / "report.css").read_text("utf-8"),
        program=(here / "gallery.js").read_text("utf-8"),
        min_group=MIN_GROUP,
        no_loss_points=NO_LOSS_POINTS,
        versions=package_versions(),
    )
    return mend_links(html, items, shareable=shareable)


def pages_of(has_audit: bool, has_differences: bool, has_curves: bool) -> list[tuple[str, str]]:
    """The parts of the page that there are: anchor and words."""
    parts = [
        ("models", "models", True), ("differences", "differences", has_differences),
        ("audit-controls", "sight or prior", has_audit), ("kinds", "kinds of question", True),
        ("regimes", "regimes", True), ("scorers", "other scorers", True),
        ("training", "training", has_curves), ("films", "films", True),
        ("items", "items", True), ("limits", "limits", True), ("provenance", "provenance", True),
    ]  # fmt: skip
    return [(key, words) for key, words, is_there in parts if is_there]


def build_cards(
    recipe: CompareRecipe, items: ItemTable, shown: Sequence[int], gallery: Gallery, *, shareable: bool = False
) -> list[Card]:
    """The films that `pick_films` chose, with what each model said."""
    cards = []
    for index in shown:
        question = items.questions[index]
        said = []
        for model in recipe.models:
            theirs = items.answers[model.name, "full"]
            typed = plain(theirs.values[index])
            text = shared_answer(typed) if shareable else theirs.texts[index].strip() or typed
            said.append(
                ShownAnswer(
                    title=model.title,
                    role=model.role,
                    text=text or f"({theirs.outcomes[index]})",
                    is_correct=bool(theirs.is_correct[index]),
                )
            )
        gold = plain_json(question.answer)
        cards.append(
            Card(
                question_id="" if shareable else question.question_id,
                at=str(index + 1) if shareable else question.question_id,
                question=question_text(question, shareable=shareable),
                gold=shared_answer(gold) if shareable else gold,
                film=gallery.film_of[index],
                answers=tuple(said),
            )
        )
    return cards

"""The audits as tables of the page: one line a figure, one column a model, each figure with the link to its items.

A table says what it measures and what it does not show; a figure that there is none of is a dash with `n=0`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal
from urllib.parse import quote_plus

from chartsight.audit import AuditReport, ModelAudit
from chartsight.audit.blind import CONTROL_WORDS
from chartsight.comparison.groups import ANSWER_TYPE_WORDS
from chartsight.comparison.wording import FILM_WORDS, bounds, interval_text, percent, points
from chartsight.evaluation import Interval, PairedDifference

VERIFY = "type=" + quote_plus(ANSWER_TYPE_WORDS["boolean"])
CONDITION_WORDS = {**FILM_WORDS, "scrambled": "other identifiers"}
QUADRANT_WORDS = {
    "ideal": "consistent, and the film matters", "fragile": "the film matters, but so does the wording",
    "dangerous": "consistent without needing the film", "worst": "neither",
}  # fmt: skip
FEATURE_KEYS = ("sex", "age", "view", "devices")
Tone = Literal["", "yes", "against", "muted"]


@dataclass(frozen=True)
class Cell:
    """One figure: in words, what stands small below it, the link to its items, and whether it is good news."""

    text: str
    small: str = ""
    query: str = ""
    tone: Tone = ""


@dataclass(frozen=True)
class Row:
    """One line: what, a hint below it, a cell for each model."""

    label: str
    hint: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class AuditTable:
    """One audit.

    Args:
        key: Of its figure among `audit_plots.plots_of`, and of its place on the page.
        title: As a heading.
        intro: What it measures.
        rows: Its figures.
        note: What it does not show.
    """

    key: str
    title: str
    intro: str
    rows: tuple[Row, ...]
    note: str


NONE = Cell("–", "n=0", tone="muted")


def share(interval: Interval | None, query: str = "", total: int | None = None) -> Cell:
    """A share of questions with its interval; how many questions, where they are not all."""
    if interval is None or not interval.n or math.isnan(interval.estimate):
        return NONE
    small = interval_text(interval)
    if total is not None and interval.n != total:
        small = f"{small} · n={interval.n:,}" if small else f"n={interval.n:,}"
    return Cell(percent(interval.estimate), small, query)


def gap(
    interval: Interval | PairedDifference | None, query: str = "", total: int | None = None, *, judged: bool = True
) -> Cell:
    """A difference in points with its interval; above 0 is good news when `judged`."""
    if interval is None or not interval.n or math.isnan(interval.estimate):
        return NONE
    is_known = not math.isnan(interval.low)
    small = bounds(interval) if isinstance(interval, Interval) and is_known else ""
    if isinstance(interval, PairedDifference) and is_known:
        small = f"[{points(interval.low)}, {points(interval.high)}]"
    if total is not None and interval.n != total:
        small = f"{small} · n={interval.n:,}" if small else f"n={interval.n:,}"
    tone: Tone = ""
    if judged and is_known:
        tone = "yes" if interval.low > 0 else "against" if interval.high < 0 else ""
    return Cell(points(interval.estimate), small, query, tone)


def figure(interval: Interval | None, digits: int = 3) -> Cell:
    """A plain number with its interval."""
    if interval is None or not interval.n or math.isnan(interval.estimate):
        return NONE
    small = "" if math.isnan(interval.low) else f"{interval.low:.{digits}f} to {interval.high:.{digits}f}"
    return Cell(f"{interval.estimate:.{digits}f}", small)


def audit_tables(report: AuditReport) -> tuple[AuditTable, ...]:
    """All tables that have a line."""
    tables = (
        _blind(report),
        _other_film(report),
        _swap(report),
        _occlusion(report),
        _quadrants(report),
        _consistency(report),
        _prior(report),
        _yes_bias(report),
        _subgroups(report),
        _slices(report),
        _calibration(report),
        _selective(report),
        _clean(report),
        _label_errors(report),
    )
    return tuple(table for table in tables if table.rows)


def _rows(report: AuditReport, lines: Sequence[tuple[str, str, Callable[[ModelAudit], Cell]]]) -> tuple[Row, ...]:
    rows = [Row(label, hint, tuple(cell(model) for model in report.models)) for label, hint, cell in lines]
    return tuple(row for row in rows if any(cell != NONE for cell in row.cells))


def _blind(report: AuditReport) -> AuditTable:
    n = report.n

    def control(kind: str, part: str) -> Callable[[ModelAudit], Cell]:
        def cell(model: ModelAudit) -> Cell:
            found = next((each for each in model.question_only.controls if each.kind == kind), None)
            if found is None:
                return NONE
            asked = f"{model.name}.question_only" if kind == "no film" else ""
            if part == "accuracy":
                return share(found.accuracy, f"{asked}=right" if asked else "", n)
            query = f"{model.name}.full=right&{asked}=wrong" if asked else ""
            return gap(found.gap, query, n)

        return cell

    lines: list[tuple[str, str, Callable[[ModelAudit], Cell]]] = [
        ("image part", "accuracy less that of the best control", lambda m: gap(m.question_only.image_part, "", n)),
        ("accuracy with the film", "", lambda m: share(m.accuracy, f"{m.name}.full=right", n)),
    ]
    for kind, words in CONTROL_WORDS.items():
        lines += [(words, "accuracy", control(kind, "accuracy")), ("", "the model less this", control(kind, "gap"))]
    return AuditTable(
        "controls", "Sight or prior",
        "What is left when nothing can be seen. The image part is accuracy beyond the best way to answer without "
        "looking, the best one chosen anew in every draw of patients, so that it flatters nobody.",
        _rows(report, lines),
        "Without its film a model is asked what it was never taught; the twin that was trained without films is the "
        "fair control. An image part above 0 says that the film matters, not that the finding is what is looked at.",
    )  # fmt: skip


def _other_film(report: AuditReport) -> AuditTable:
    lines: list[tuple[str, str, Callable[[ModelAudit], Cell]]] = []
    conditions = list(dict.fromkeys(each.condition for model in report.models for each in model.other_films))
    for condition in conditions:
        words = CONDITION_WORDS.get(condition, condition.replace("_", " "))

        def cell(model: ModelAudit, part: str, condition: Any = condition) -> Cell:
            found = model.under(condition)
            if found is None:
                return NONE
            asked = f"{model.name}.{condition}"
            if part == "drop":
                return gap(
                    found.drop, f"{model.name}.full=right&{asked}=wrong", report.n, judged=condition != "scrambled"
                )
            return share(getattr(found, part), f"{asked}={'changed' if part == 'changed' else 'right'}", report.n)

        lines += [
            (words, "accuracy", partial(cell, part="accuracy")),
            ("", "loss", partial(cell, part="drop")),
            ("", "answers that change", partial(cell, part="changed")),
        ]
    return AuditTable(
        "other", "A film that says nothing, or another one",
        "The same questions with a blank film, noise, another patient's film; or with new identifiers and shifted "
        "dates, which should change nothing.",
        _rows(report, lines),
        "That a blank film changes an answer shows that pixels matter, not that they are understood.",
    )  # fmt: skip


def _swap(report: AuditReport) -> AuditTable:
    lines: list[tuple[str, str, Callable[[ModelAudit], Cell]]] = []
    names = list(dict.fromkeys(group.name for model in report.models if model.swap for group in model.swap.groups))
    parts = (
        ("follow", "answers the other film's right answer", "follow"),
        ("grounding", "right with both films; a coin has 25%, who does not look 0", "follow"),
        ("gain", "follow beyond chance", ""),
        ("stick", "does not change its answer", "stick"),
        ("stability", "other film, same right answer: still right", "alike"),
    )
    for name in names:
        shown = {"all": parts, "matched": parts[:3]}.get(name, parts[2:3])
        for place, (part, words, filtered) in enumerate(shown):

            def cell(model: ModelAudit, name: str = name, part: str = part, filtered: str = filtered) -> Cell:
                group = model.swap.group(name) if model.swap is not None else None
                if group is None:
                    return NONE
                if part == "gain":
                    return gap(group.gain, "", report.n)
                query = f"{model.name}.swap={filtered}" if name == "all" else ""
                if part == "grounding" and query:
                    query += f"&{model.name}.full=right"
                return share(getattr(group, part), query, report.n)

            title = {"all": "all donors", "matched": "donors with the same confounders"}.get(name, name)
            lines.append((f"{title}: {part}" if place == 0 else part, words, cell))
    mirrored = [
        ("mirrored film: right", "left and right exchanged in film and answer",
         lambda m: share(m.mirrored.accuracy, f"{m.name}.mirrored=right", report.n) if m.mirrored else NONE),
        ("mirrored film: follow", "the answer changes sides with the film",
         lambda m: share(m.mirrored.group.follow, f"{m.name}.mirrored=follow", report.n) if m.mirrored else NONE),
    ]  # fmt: skip
    return AuditTable(
        "swap", "Another film whose right answer is known",
        "Another patient's film of the same view stands in, and the labels of that film say what is right for it. "
        "Who looks follows; who guesses sticks. Donors with the same view, devices, marker and padding leave a "
        "reader of shortcuts nothing to follow.",
        _rows(report, [*lines, *mirrored]),
        "The donor's labels err as often as any. Confounders that nobody recorded are not matched.",
    )  # fmt: skip


def _occlusion(report: AuditReport) -> AuditTable:
    n = report.n
    lines: list[tuple[str, str, Callable[[ModelAudit], Cell]]] = [
        ("answers that change, place hidden", "",
         lambda m: share(m.occlusion.target, f"{m.name}.occluded=changed", n) if m.occlusion else NONE),
        ("as much hidden elsewhere", "",
         lambda m: share(m.occlusion.elsewhere, f"{m.name}.occluded_elsewhere=changed", n) if m.occlusion else NONE),
        ("the place matters more by", "", lambda m: gap(m.occlusion.excess, "", n) if m.occlusion else NONE),
    ]  # fmt: skip
    return AuditTable(
        "occlusion", "Hiding the place that is asked about", "On questions whose place is known: a grey box over "
        "it, or over "
        "as large a place elsewhere.", _rows(report, lines), "A grey box is a thing never seen in training.",
    )  # fmt: skip


def _quadrants(report: AuditReport) -> AuditTable:
    lines: list[tuple[str, str, Callable[[ModelAudit], Cell]]] = []
    for quadrant, words in QUADRANT_WORDS.items():

        def cell(model: ModelAudit, part: str, quadrant: str = quadrant) -> Cell:
            shares = model.quadrants.shares if model.quadrants is not None else ()
            found = next((each for each in shares if each.quadrant == quadrant), None)
            if found is None:
                return NONE
            query = f"{model.name}.quadrant={quadrant}"
            if part == "share":
                return share(found.share, query, report.n)
            return share(found.accuracy, f"{query}&{model.name}.full=right", report.n)

        lines += [
            (quadrant, words, partial(cell, part="share")),
            ("", "accuracy in it", partial(cell, part="accuracy")),
        ]
    return AuditTable(
        "quadrants", "Four quadrants",
        "Whether an answer survives another wording, and whether it needs the film. Dangerous looks best to who "
        "only measures consistency.",
        _rows(report, lines),
        "An answer that is the prior and right counts as dangerous though the model may have looked: read it beside "
        "the swap.",
    )  # fmt: skip


def _consistency(report: AuditReport) -> AuditTable:
    n = report.n
    lines: list[tuple[str, str, Callable[[ModelAudit], Cell]]] = [
        ("another wording changes the answer", "",
         lambda m: share(m.paraphrase.flipped, f"{m.name}.paraphrase=changed", n) if m.paraphrase else NONE),
        ("accuracy lost by it", "",
         lambda m: gap(m.paraphrase.drop, f"{m.name}.full=right&{m.name}.paraphrase=wrong", n, judged=False)
         if m.paraphrase else NONE),
        ("negated question: right", "",
         lambda m: share(m.paraphrase.negated_accuracy, f"{m.name}.negated=right", n) if m.paraphrase else NONE),
        ("same answer to a question and its negation", "one of the two is wrong",
         lambda m: share(m.paraphrase.both_same, f"{m.name}.negated=same", n) if m.paraphrase else NONE),
        ("answers what its right answers entail", "",
         lambda m: share(m.contradictions.entailed, "", n) if m.contradictions else NONE),
        ("contradicts itself", "of all pairs of answers that belong together",
         lambda m: share(m.contradictions.contradicted, "", n) if m.contradictions else NONE),
        ("readable, and an allowed answer", "",
         lambda m: share(m.distribution.valid, f"{m.name}.full=unread", n)),
        ("its commonest answer a template", "the right answers' own share stands below",
         lambda m: share(m.distribution.top_share, "", n)),
        ("", "the commonest right answer", lambda m: share(m.distribution.top_share_gold, "", n)),
        ("spread of answers against the truth", "Jensen-Shannon divergence, bits; 0: alike",
         lambda m: figure(m.distribution.divergence)),
    ]  # fmt: skip
    return AuditTable(
        "consistency", "Do its answers hang together?", "Under other words, under negation, and among each other: "
        "what a right "
        "answer entails is derived from the programs behind the questions.", _rows(report, lines),
        "Consistency is no accuracy: who always says yes is consistent.",
    )  # fmt: skip


def _prior(report: AuditReport) -> AuditTable:
    n = report.n
    lines: list[tuple[str, str, Callable[[ModelAudit], Cell]]] = [
        ("gain over the template's prior", "0: the prior; 100%: always right", lambda m: share(m.gain.pooled, "", n)),
        ("skill", "bits a yes/no question", lambda m: figure(m.gain.skill_bits)),
        ("right where the prior is right", "",
         lambda m: share(m.alignment.aligned, f"prior=is+right&{m.name}.full=right", n)),
        ("right where it is wrong", "",
         lambda m: share(m.alignment.opposed, f"prior=is+wrong&{m.name}.full=right", n)),
        ("the gap", "100 points for who answers the prior", lambda m: gap(m.alignment.gap, "", n, judged=False)),
    ]  # fmt: skip
    return AuditTable(
        "prior", "With the prior and against it", "The prior is a template's commonest answer in training; it "
        "alone is right in "
        f"{percent(report.prior.accuracy.estimate)} of the questions, and no constant can be right in more than "
        f"{percent(report.prior.oracle.estimate)}.", _rows(report, lines),
        "Questions against the prior are also rarer, and may be harder to see.",
    )  # fmt: skip


def _yes_bias(report: AuditReport) -> AuditTable:
    n = report.n
    lines: list[tuple[str, str, Callable[[ModelAudit], Cell]]] = [
        ("says yes oftener than it is", "points", lambda m: gap(m.yes_bias.bias, VERIFY, n, judged=False)),
        ("sensitivity", "", lambda m: share(m.yes_bias.sensitivity, VERIFY, n)),
        ("specificity", "", lambda m: share(m.yes_bias.specificity, VERIFY, n)),
        ("criterion", "below 0: says yes readily", lambda m: figure(m.yes_bias.criterion, 2)),
        ("right as asked and negated", "",
         lambda m: share(m.yes_bias.pair_accuracy, f"{m.name}.full=right&{m.name}.negated=right", n)),
    ]  # fmt: skip
    return AuditTable(
        "yes", "Does it say yes too readily?", "On yes/no questions that were answered.", _rows(report, lines),
        "A bias of 0 may be two errors that cancel out.",
    )  # fmt: skip


def _subgroups(report: AuditReport) -> AuditTable:
    lines: list[tuple[str, str, Callable[[ModelAudit], Cell]]] = []
    features = list(dict.fromkeys(each.feature for model in report.models for each in model.subgroups))
    for feature in features:

        def cell(model: ModelAudit, part: str, feature: str = feature) -> Cell:
            found = next((each for each in model.subgroups if each.feature == feature), None)
            if found is None:
                return NONE
            if part == "worst":
                if found.worst is None:
                    return NONE
                group = next(each for each in found.groups if each.value == found.worst)
                small = percent(group.raw.estimate) if group.raw is not None else ""
                query = f"{feature}={quote_plus(found.worst)}" if feature in FEATURE_KEYS else ""
                return Cell(found.worst, small, query)
            return gap(getattr(found, part), "", report.n, judged=False)

        lines += [
            (feature, "worst group", partial(cell, part="worst")),
            ("", "gap, raw", partial(cell, part="gap")),
            ("", "gap at the same mix of questions", partial(cell, part="standardised_gap")),
            ("", "equalised odds", partial(cell, part="equalised_odds")),
        ]
    return AuditTable(
        "subgroups", "For whom it works",
        "Accuracy by sex, age, view and devices. A raw gap may only say that one group was asked harder questions; "
        "at the same mix of templates and right answers, what is left is the model's. Groups below 50 questions or "
        "20 patients are not shown.",
        _rows(report, lines),
        "The largest of several gaps is above 0 by chance alone. Groups that the record does not name are not here.",
    )  # fmt: skip


def _slices(report: AuditReport) -> AuditTable:
    lines: list[tuple[str, str, Callable[[ModelAudit], Cell]]] = []
    for section, words, key in (("mention", "the report on the finding", "mention"), ("lesion_px", "lesion, px", "")):
        values = list(dict.fromkeys(each.value for model in report.models for each in getattr(model.slices, section)))
        for value in values:

            def cell(model: ModelAudit, part: str, section: str = section, value: str = value, key: str = key) -> Cell:
                found = next((each for each in getattr(model.slices, section) if each.value == value), None)
                if found is None:
                    return NONE
                if part == "image_part":
                    return gap(found.image_part, "", report.n)
                query = f"{key}={quote_plus(value)}&{model.name}.full=right" if key else ""
                return share(found.accuracy, query, report.n)

            lines += [
                (f"{words}: {value}", "accuracy", partial(cell, part="accuracy")),
                ("", "image part", partial(cell, part="image_part")),
            ]
    return AuditTable(
        "slices", "What was written, and how large it is",
        "A finding that a report denies is another thing than one that it never mentions, though both count as "
        "absent; and what is smaller than a few pixels of the model's own picture cannot be seen.",
        _rows(report, lines), "Parts of the questions are small; their intervals are wide.",
    )  # fmt: skip


def _calibration(report: AuditReport) -> AuditTable:
    lines: list[tuple[str, str, Callable[[ModelAudit], Cell]]] = [
        ("calibration error", "ten bins of equal mass; 300 questions or more", lambda m: figure(m.calibration.ece)),
        ("after Platt scaling", "learned on validation answers", lambda m: figure(m.calibration.ece_platt)),
        ("Brier score", "", lambda m: figure(m.calibration.brier)),
        ("AUROC", "of the chance of yes", lambda m: figure(m.calibration.auroc)),
    ]
    return AuditTable(
        "reliability", "Does a chance of 80% mean right four times of five?", "On yes/no questions, by the chance "
        "of yes "
        "before the answer was written.", _rows(report, lines), "",
    )  # fmt: skip


def _selective(report: AuditReport) -> AuditTable:
    lines: list[tuple[str, str, Callable[[ModelAudit], Cell]]] = [
        ("accuracy on the surest 80%", "", lambda m: share(m.selective.accuracy_at_80, "", report.n)),
        ("area under risk and coverage", "lower is better", lambda m: figure(m.selective.aurc)),
    ]
    penalties = list(dict.fromkeys(key for model in report.models for key in model.selective.reliability))
    for penalty in penalties:
        lines.append(
            (f"RS({penalty})", "a wrong answer costs so much",
             lambda m, penalty=penalty: share(m.selective.reliability.get(penalty), "", report.n))  # type: ignore[misc]
        )  # fmt: skip
    lines.append(("break-even penalty", "above it silence is worth more", lambda m: figure(m.selective.break_even, 1)))
    return AuditTable(
        "risk", "What it is worth to answer only when sure", "The surest questions first.", _rows(report, lines), ""
    )


def _clean(report: AuditReport) -> AuditTable:
    n = report.n
    pool = next((model.clean_subset.pool for model in report.models if model.clean_subset is not None), ())
    lines: list[tuple[str, str, Callable[[ModelAudit], Cell]]] = [
        ("share kept", "", lambda m: share(m.clean_subset.kept, "", n) if m.clean_subset else NONE),
        ("accuracy on it", "", lambda m: share(m.clean_subset.accuracy, "", n) if m.clean_subset else NONE),
        ("accuracy in training less here", "",
         lambda m: gap(m.memorisation.train_gap, "", n, judged=False) if m.memorisation else NONE),
    ]  # fmt: skip
    found = next((model.memorisation for model in report.models if model.memorisation is not None), None)
    for place, part in enumerate(found.by_similarity if found is not None else ()):

        def cell(model: ModelAudit, place: int = place) -> Cell:
            parts = model.memorisation.by_similarity if model.memorisation is not None else ()
            return share(parts[place].accuracy, "", n) if place < len(parts) else NONE

        label = "like a training question" if place == 0 else ""
        lines.append((label, f"nearest one {part.low:.2f} to {part.high:.2f} alike: accuracy", cell))
    return AuditTable(
        "clean", "Questions that need the film", "What none of these models answers without it: " + ", "
        "".join(pool) + "."
        if pool else "What no model answers without it.",
        _rows(report, lines), "Who is in the pool decides what is kept.",
    )  # fmt: skip


def _label_errors(report: AuditReport) -> AuditTable:
    def cell(model: ModelAudit) -> Cell:
        bound = next((each for each in report.label_errors.bounds if each.model == model.name), None)
        return NONE if bound is None else Cell(f"{percent(bound.low)} to {percent(bound.high)}")

    found = report.label_errors
    count = len(found.candidates)
    query = "ids=" + ",".join(found.candidates) if 0 < count <= 200 else ""
    lines: list[tuple[str, str, Callable[[ModelAudit], Cell]]] = [
        ("questions to look at again", "", lambda m: Cell(f"{count:,}", percent(found.share.estimate), query)),
        ("accuracy lies between", "all of them against the model, or for it", cell),
        ("wrong right answers", "of those that people checked", lambda m: share(found.checked)),
    ]
    return AuditTable(
        "labels", "Right answers that may be wrong", "Where two or more models, and one without the film, agree "
        "on another "
        "answer than the labels'.", _rows(report, lines) if count or found.checked.n else (),
        "Agreement of models is a hint for people (`chartsight review`), not a correction.",
    )  # fmt: skip

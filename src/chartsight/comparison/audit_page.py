"""The audits for a page: verdict cards, one table for page one, all tables and figures, in words and links.

`audits.html.j2` shows an `AuditView`; the report of a comparison and the page of `chartsight audit` both use it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from chartsight.audit import AuditReport, ModelAudit, VerdictKind
from chartsight.audit.decomposition import Decomposition
from chartsight.audit.gates import Gate
from chartsight.comparison.audit_plots import Shown, plots_of
from chartsight.comparison.audit_tables import NONE, AuditTable, Cell, Row, audit_tables, gap, share
from chartsight.comparison.wording import bounds, percent, points

TONES: Mapping[VerdictKind, str] = {
    "sees the finding": "good", "guesses": "bad", "reads a shortcut": "bad", "cannot be told": "",
}  # fmt: skip
SHARES = ("unparsed", "batch flips", "question only", "yes-bias")  # gates whose values are shares
FIGURES = (
    "decomposition", "controls", "other", "swap", "occlusion", "quadrants", "consistency", "prior", "yes", "subgroups",
    "slices", "reliability", "risk", "clean", "labels",
)  # fmt: skip


@dataclass(frozen=True)
class VerdictCard:
    """A model's verdict on page one; `tone` is good, bad or empty."""

    title: str
    role: str
    badge: str
    tone: str
    sentence: str
    reasons: tuple[str, ...]
    is_subject: bool


@dataclass(frozen=True)
class GateMark:
    """A gate in words."""

    words: str
    level: str
    passed: bool


@dataclass(frozen=True)
class AuditView:
    """Everything that the template shows.

    Args:
        models: In the order of the columns.
        cards: The model that the comparison is about first.
        gates: In words; those that hold are one mark.
        front: The table of page one.
        tables: All audits.
        plots: By table, None where there is none.
        decompositions: Each in one sentence.
        leaks: Kind → pair of splits → how many; empty when they were not looked for.
        leak_pairs: Of splits, in order.
        rule: Stamp of the verdict's rule.
    """

    models: tuple[Shown, ...]
    cards: tuple[VerdictCard, ...]
    gates: tuple[GateMark, ...]
    front: AuditTable
    tables: tuple[AuditTable, ...]
    plots: Mapping[str, str | None]
    decompositions: tuple[str, ...]
    leaks: Mapping[str, Mapping[str, int]]
    leak_pairs: tuple[str, ...]
    rule: str


def view_audits(report: AuditReport, models: Sequence[Shown], subject: str) -> AuditView:
    """What the page shows of the findings.

    Args:
        report: Of all audits.
        models: How each of its models is called, in the order of the report.
        subject: The one that the page is about.
    """
    ordered = sorted(report.models, key=lambda each: each.name != subject)
    title = {model.name: model for model in models}
    figures = plots_of(report, models, subject)
    leaks = {} if report.leaks is None else report.leaks.counts
    pairs = tuple(dict.fromkeys(pair for counts in leaks.values() for pair in counts))
    return AuditView(
        models=tuple(title[each.name] for each in report.models),
        cards=tuple(
            VerdictCard(
                title=title[each.name].title,
                role=title[each.name].role,
                badge=each.verdict.kind,
                tone=TONES[each.verdict.kind],
                sentence=titled(each.verdict.sentence, title[each.name]),
                reasons=each.verdict.reasons,
                is_subject=each.name == subject,
            )
            for each in ordered
        ),
        gates=gate_marks(report.gates, title),
        front=front_table(report),
        tables=audit_tables(report),
        plots={key: figures.get(key) for key in FIGURES},
        decompositions=tuple(decomposition_in_words(each, title) for each in report.decompositions),
        leaks=leaks,
        leak_pairs=pairs,
        rule=report.rule,
    )


def titled(sentence: str, model: Shown) -> str:
    """The verdict with the model called as on the page."""
    return sentence.replace(model.name, model.title, 1) if sentence.startswith(f"{model.name} ") else sentence


def front_table(report: AuditReport) -> AuditTable:
    """Page one in a table: the figures by which a model is judged; what could not be measured stands there as `n=0`."""
    n = report.n

    def dangerous(model: ModelAudit) -> Cell:
        shares = model.quadrants.shares if model.quadrants is not None else ()
        found = next((each for each in shares if each.quadrant == "dangerous"), None)
        return NONE if found is None else share(found.share, f"{model.name}.quadrant=dangerous", n)

    def grounding(model: ModelAudit) -> Cell:
        group = model.swap.group("all") if model.swap is not None else None
        query = f"{model.name}.swap=follow&{model.name}.full=right"
        return NONE if group is None else share(group.grounding, query, n)

    def worst(model: ModelAudit) -> Cell:
        shown = [each for each in model.subgroups if not math.isnan(each.standardised_gap.estimate)]
        if not shown:
            return NONE
        widest = max(shown, key=lambda each: each.standardised_gap.estimate)
        return Cell(points(widest.standardised_gap.estimate), f"{widest.feature}, worst: {widest.worst}")

    lines: tuple[tuple[str, str, Callable[[ModelAudit], Cell]], ...] = (
        ("accuracy", "what cannot be read is wrong", lambda m: share(m.accuracy, f"{m.name}.full=right", n)),
        ("gain over the prior", "0: the template's commonest answer", lambda m: share(m.gain.pooled, "", n)),
        ("image part", "points beyond the best answer without looking",
         lambda m: gap(m.question_only.image_part, "", n)),
        ("grounding", "right with its film and with another one; a coin: 25%", grounding),
        ("dangerous", "consistent without needing the film", dangerous),
        ("contradicts itself", "", lambda m: share(m.contradictions.contradicted, "", n) if m.contradictions else NONE),
        ("widest subgroup gap", "points, at the same mix of questions", worst),
    )  # fmt: skip
    rows = [Row(label, hint, tuple(cell(model) for model in report.models)) for label, hint, cell in lines]
    return AuditTable("front", "In one table", "", tuple(rows), "")


def gate_marks(gates: Sequence[Gate], models: Mapping[str, Shown]) -> tuple[GateMark, ...]:
    """Every gate that does not hold, and one mark for those that do."""
    marks = []
    for gate in gates:
        if not gate.passed:
            whose = f"{models[gate.model].title}: " if gate.model in models else ""
            found, allowed = (
                percent(value) if gate.name in SHARES else f"{value:,.0f}" for value in (gate.value, gate.limit)
            )
            marks.append(GateMark(f"{whose}{gate.name} {found}, allowed {allowed}", gate.level, False))
    held = sum(gate.passed for gate in gates)
    if held:
        marks.append(GateMark(f"{held} of {len(gates)} gates hold", "", True))
    return tuple(marks)


def decomposition_in_words(found: Decomposition, models: Mapping[str, Shown]) -> str:
    """`fine-tuned gained +21.0 points [...]: +15.0 [...] by the film, +6.0 [...] by the words.`"""
    share_words = ""
    if found.aligned_share is not None:
        share_words = f" {percent(found.aligned_share.estimate)} of it is where the prior is right."
    grounding = ""
    if found.grounding.n:
        grounding = f" Grounding changed by {points(found.grounding.estimate)} points {bounds(found.grounding)}."
    return (
        f"{models[found.tuned].title} against {models[found.base].title}: {points(found.gain.estimate)} points, "
        f"of which "
        f"{points(found.image_part.estimate)} {bounds(found.image_part)} are the image part and "
        f"{points(found.text_part.estimate)} {bounds(found.text_part)} the text part.{share_words}{grounding}"
    )

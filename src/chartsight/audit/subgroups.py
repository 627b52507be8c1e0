"""A16: for whom it works: accuracy by sex, age, view and devices, raw and at the same mix of questions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from chartsight.audit.blind import blind_controls, image_part, shared_items
from chartsight.audit.columns import Bools, Codes, Columns, Floats, share
from chartsight.audit.inputs import AuditedModel
from chartsight.evaluation import Interval
from chartsight.evaluation.intervals import EMPTY
from chartsight.schema import MENTIONS, FilmFacts

FEWEST_ITEMS = 50  # below either a group is named and its figure is not shown
FEWEST_PATIENTS = 20
LESION_EDGES_PX = (0.0, 4.0, 8.0, 16.0, 32.0, 64.0, np.inf)  # sides in model pixels; a patch of most towers is 14 or 16


@dataclass(frozen=True)
class Group:
    """One group.

    Args:
        value: Such as `female`.
        n: Questions.
        clusters: Patients.
        raw: Accuracy; None where the group is too small to show.
        standardised: Accuracy at the mix of template and right answer of all shown groups together; None likewise.
    """

    value: str
    n: int
    clusters: int
    raw: Interval | None
    standardised: Interval | None


@dataclass(frozen=True)
class SubgroupGaps:
    """One feature.

    Args:
        feature: sex, age, view or devices.
        groups: All that there are, sorted.
        worst: The shown group of the lowest accuracy; None with fewer than two shown groups.
        gap: Largest less smallest raw accuracy of the shown groups, the groups chosen once, on all items.
        standardised_gap: The same at one mix of questions: what is left when no group has the harder questions.
        equalised_odds: The larger of the largest differences in sensitivity and in 1 - specificity.
        shared_mix: Share of the shown groups' questions whose template and right answer stand in all of them; only
            these are standardised.
    """

    feature: str
    groups: tuple[Group, ...]
    worst: str | None
    gap: Interval
    standardised_gap: Interval
    equalised_odds: Interval
    shared_mix: float


@dataclass(frozen=True)
class Slice:
    """Accuracy on a part of the questions, such as lesions of 8 to 16 pixels or findings never mentioned."""

    value: str
    accuracy: Interval
    image_part: Interval


@dataclass(frozen=True)
class Slices:
    """Accuracy by what the report says of the finding (`mention`) and by the lesion's side in model pixels."""

    mention: tuple[Slice, ...]
    lesion_px: tuple[Slice, ...]


FEATURES: dict[str, Callable[[FilmFacts], str | None]] = {
    "sex": lambda facts: facts.sex,
    "age": lambda facts: facts.age_band,
    "view": lambda facts: facts.view,
    "devices": lambda facts: None if facts.devices is None else ("with" if facts.devices else "without"),
}


def measure_subgroups(columns: Columns, model: AuditedModel) -> tuple[SubgroupGaps, ...]:
    """A16: one row a feature that at least two films differ in."""
    found, right = [], columns.full(model).is_correct
    for feature, value_of in FEATURES.items():
        values = [
            None if (facts := columns.given.facts.get(question.question_id)) is None else value_of(facts)
            for question in columns.questions
        ]
        names = sorted({value for value in values if value is not None})
        if len(names) > 1:
            column = np.array(["" if value is None else value for value in values], dtype=object)
            found.append(_gaps(columns, right, feature, names, np.stack([column == name for name in names])))
    return tuple(found)


def _gaps(columns: Columns, right: Bools, feature: str, names: Sequence[str], members: Bools) -> SubgroupGaps:
    """One feature; `members` bool [G, N]."""
    sizes = [(int(member.sum()), columns.clusters(member)) for member in members]
    is_shown = np.array([n >= FEWEST_ITEMS and patients >= FEWEST_PATIENTS for n, patients in sizes], bool)
    shown = np.flatnonzero(is_shown)
    raw = {int(place): share(columns, right, members[place]) for place in shown}
    standardised, gap_at_one_mix, shared = _standardised(columns, right, members[is_shown])
    worst, gap, odds = None, EMPTY, EMPTY
    if len(shown) > 1:
        low = min(raw, key=lambda place: raw[place].estimate)
        high = max(raw, key=lambda place: raw[place].estimate)
        worst, gap = names[low], _difference(columns, right, members[high], members[low])
        odds = _equalised_odds(columns, right, members[is_shown])
    place_of = {int(place): number for number, place in enumerate(shown)}
    groups = tuple(
        Group(
            name, n, patients, raw.get(place), standardised[place_of[place]] if place in place_of else None
        )
        for place, (name, (n, patients)) in enumerate(zip(names, sizes, strict=True))
    )  # fmt: skip
    return SubgroupGaps(feature, groups, worst, gap, gap_at_one_mix, odds, shared)


def _difference(columns: Columns, right: Bools, one: Bools, other: Bools) -> Interval:
    """Accuracy in one group less that in the other."""
    summed = np.column_stack([right & one, one, right & other, other])

    def difference(sums: Floats) -> Floats:
        value: Floats = sums[..., 0] / sums[..., 1] - sums[..., 2] / sums[..., 3]
        return value

    return columns.bootstrap.interval(summed, difference, one | other)


def _standardised(columns: Columns, right: Bools, members: Bools) -> tuple[list[Interval], Interval, float]:
    """Each group's accuracy at the mix of all, the gap between the extremes, and the share of items in shared cells."""
    groups, inside = len(members), members.any(axis=0)
    if groups < 2 or not inside.any():
        return [EMPTY] * groups, EMPTY, float("nan")
    cell_of = _cells(columns)
    width = int(cell_of.max()) + 1
    counts = np.stack([np.bincount(cell_of[member], minlength=width) for member in members])
    common = np.flatnonzero((counts > 0).all(axis=0))
    in_common = np.isin(cell_of, common) & inside
    shared = float(in_common.sum() / inside.sum())
    if not len(common):
        return [EMPTY] * groups, EMPTY, shared
    number = np.full(width, -1, np.int64)
    number[common] = np.arange(len(common))
    summed = np.zeros((columns.n, 2 * groups * len(common)))
    for group, member in enumerate(members):
        rows = np.flatnonzero(member & in_common)
        at = 2 * (group * len(common) + number[cell_of[rows]])
        summed[rows, at] = 1.0
        summed[rows, at + 1] = right[rows]
    estimates = _at_one_mix(summed.sum(axis=0)[None], groups)[0]
    sums = columns.bootstrap.draw_sums(summed)
    draws = np.concatenate([_at_one_mix(part, groups) for part in np.array_split(sums, 10)])
    intervals = []
    for group, member in enumerate(members):
        item = member & in_common
        intervals.append(
            columns.bootstrap.percentile(
                float(estimates[group]), draws[:, group], int(item.sum()), columns.clusters(item)
            )
        )
    high, low = int(estimates.argmax()), int(estimates.argmin())
    gap = columns.bootstrap.percentile(
        float(estimates[high] - estimates[low]), draws[:, high] - draws[:, low], int(in_common.sum()),
        columns.clusters(in_common),
    )  # fmt: skip
    return intervals, gap, shared


def _cells(columns: Columns) -> Codes:
    """int [N]: template and right answer; of a list the template alone, as hardly two have the same."""
    cells: dict[tuple[str, int], int] = {}
    return np.array(
        [
            cells.setdefault((template, -1 if kind == "set" else code), len(cells))
            for template, kind, code in zip(
                columns.templates, columns.types, columns.gold_codes.tolist(), strict=True
            )
        ],
        np.int64,
    )  # fmt: skip


def _at_one_mix(sums: Floats, groups: int) -> Floats:
    """float [B, G] from counts and right answers of every group's cells, float [B, G x cells x 2].

    A cell that a draw leaves empty in one group is left out of that draw in all.
    """
    cells = sums.reshape(len(sums), groups, -1, 2)
    counts, right = cells[..., 0], cells[..., 1]
    weight = np.where((counts > 0).all(axis=1), counts.sum(axis=1), 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        accuracy = np.where(counts > 0, right / counts, 0.0)
        standardised: Floats = (accuracy * weight[:, None]).sum(axis=2) / weight.sum(axis=1)[:, None]
    return standardised


def _equalised_odds(columns: Columns, right: Bools, members: Bools) -> Interval:
    """The larger of the largest differences in sensitivity and in false alarms, of yes/no questions.

    Largest differences are too large in small samples; the interval is moved as for any such figure.
    """
    sides = (columns.is_boolean & columns.is_yes, columns.is_boolean & ~columns.is_yes)
    parts = [part for member in members for side in sides for part in (right & member & side, member & side)]
    summed, inside = np.column_stack(parts).astype(np.float64), members.any(axis=0) & columns.is_boolean
    if any(not (member & side).any() for member in members for side in sides):
        return EMPTY

    def largest(sums: Floats) -> Floats:
        shaped = sums.reshape(*sums.shape[:-1], len(members), 2, 2)
        rates = shaped[..., 0] / shaped[..., 1]
        gap: Floats = (rates.max(axis=-2) - rates.min(axis=-2)).max(axis=-1)
        return gap

    with np.errstate(divide="ignore", invalid="ignore"):
        draws = largest(columns.bootstrap.draw_sums(summed))
    estimate = float(largest(summed.sum(axis=0)))
    return columns.recentred(estimate, draws, int(inside.sum()), columns.clusters(inside))


def measure_slices(columns: Columns, model: AuditedModel) -> Slices:
    """Accuracy by mention and lesion size; parts without a question are left out."""
    found = [columns.given.facts.get(question.question_id) for question in columns.questions]
    mentions = np.array(["" if each is None else each.mention or "" for each in found], dtype=object)
    sizes = np.array([np.nan if each is None or each.lesion_px is None else each.lesion_px for each in found], float)
    parts: dict[str, list[tuple[str, Bools]]] = defaultdict(list)
    parts["mention"] = [(name, mentions == name) for name in MENTIONS]
    for low, high in pairwise(LESION_EDGES_PX):
        name = f"{low:g} or more" if np.isinf(high) else f"{low:g} to {high:g}"
        parts["lesion_px"].append((name, (sizes >= low) & (sizes < high)))
    right, controls = columns.full(model).is_correct, list(blind_controls(columns, model).values())
    asked = shared_items(controls, columns.everything)

    def measured(name: str, member: Bools) -> Slice:
        beyond = image_part(columns, right, controls, member & asked) if controls else EMPTY
        return Slice(name, share(columns, right, member), beyond)

    mention, lesion = (
        tuple(measured(name, member) for name, member in parts[kind] if member.any())
        for kind in ("mention", "lesion_px")
    )
    return Slices(mention, lesion)

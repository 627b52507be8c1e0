"""A16: for whom it works: accuracy by sex, age, view and devices, raw and at the same mix of questions."""

from __future__ import annotations

from dataclasses import dataclass

from chartsight.evaluation import Interval

FEWEST_ITEMS = 50  # below either a group is named and its figure is not shown
FEWEST_PATIENTS = 20


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

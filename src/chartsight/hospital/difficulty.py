"""Named difficulties: how faint findings are, and how often something only looks like one.

A level is about what the films show. Faults of reports and labels are dials of their own (`HospitalConfig`), so that
one can be turned without the other. What a level means in figures is frozen by the committed reference classifier.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from chartsight.errors import RecipeError
from chartsight.hospital.film_request import PlantedFinding

FAINT = 0.5  # of `grade`; below it a reader may only suspect a finding, or miss it
FAINTEST_DRAWN = 0.04  # of severity; not visible even to an expert


@dataclass(frozen=True)
class Visibility:
    """How much of its range a finding uses: what is small must be drawn plainly to be seen at all.

    Args:
        low: Severity that is drawn for a course's 0.
        high: Severity that is drawn for a course's 1.
        bend: Above 1 most are faint.
    """

    low: float = 0.0
    high: float = 1.0
    bend: float = 1.0

    def of(self, severity: float) -> float:
        """The drawn severity; rises with the course's."""
        share: float = severity**self.bend
        return self.low + (self.high - self.low) * share

    def undone(self, drawn: float) -> float:
        """The severity, 0 to 1, that `of` turns into `drawn`."""
        share = min(max((drawn - self.low) / (self.high - self.low), 0.0), 1.0)
        severity: float = share ** (1 / self.bend)
        return severity


SMALL, MODEST = Visibility(low=0.6), Visibility(low=0.4)
LARGE, HUGE = Visibility(0.02, 0.9, 2.0), Visibility(0.02, 0.8, 2.5)
# Attribute → how it uses its range; the whole range evenly when not named. Chosen by the reference classifier, so that
# all findings are about as hard at the standard level.
VISIBILITY: Mapping[str, Visibility] = {
    **dict.fromkeys(
        (
            "breast/nipple shadows", "calcified nodule", "chest tube", "clavicle fracture", "ij line",
            "intra-aortic balloon pump", "linear/patchy atelectasis", "mediastinal drain", "picc", "prosthetic valve",
            "rib fracture", "shoulder osteoarthritis", "spinal degenerative changes", "subclavian line",
            "swan-ganz catheter", "vascular calcification",
        ),
        SMALL,
    ),
    **dict.fromkeys(("atelectasis", "mass/nodule (not otherwise specified)", "subcutaneous air"), MODEST),
    **dict.fromkeys(
        ("hernia", "hyperaeration", "pleural/parenchymal scarring", "pneumothorax", "tortuous aorta"), LARGE
    ),
    **dict.fromkeys(
        (
            "cardiac pacer and wires", "elevated hemidiaphragm", "enlarged cardiac silhouette", "hydropneumothorax",
            "low lung volumes", "mediastinal widening", "pulmonary edema/hazy opacity", "rotated", "scoliosis",
            "sub-diaphragmatic air", "tracheostomy tube",
        ),
        HUGE,
    ),
}  # fmt: skip


def grade(finding: PlantedFinding) -> float:
    """How severe a drawn finding is among findings of its kind, 0 to 1: what a reader calls mild or severe."""
    return VISIBILITY.get(finding.attribute, Visibility()).undone(finding.severity)


@dataclass(frozen=True)
class Difficulty:
    """How a course's severity, 0 to 1, becomes the drawn one, and what else lies on the film.

        drawn = visibility of (floor + (1 - floor) * severity ** bend)

    Args:
        floor: The faintest of a finding's range that is used.
        bend: Above 1 most findings are faint, below 1 most are plain.
        distraction: `FilmRequest.distraction`: factor on how often look-alikes and artefacts are on a film.
    """

    floor: float
    bend: float
    distraction: float

    def drawn_severity(self, attribute: str, severity: float) -> float:
        """What is drawn for a course's severity; rises with it."""
        of_level: float = self.floor + (1 - self.floor) * min(max(severity, 0.0), 1.0) ** self.bend
        return round(max(VISIBILITY.get(attribute, Visibility()).of(of_level), FAINTEST_DRAWN), 3)

    def as_drawn(self, findings: Sequence[PlantedFinding]) -> tuple[PlantedFinding, ...]:
        """The findings of a film as they are drawn."""
        return tuple(replace(each, severity=self.drawn_severity(each.attribute, each.severity)) for each in findings)


DIFFICULTIES: Mapping[str, Difficulty] = {
    "easy": Difficulty(floor=0.45, bend=0.8, distraction=0.3),
    "standard": Difficulty(floor=0.0, bend=1.0, distraction=1.0),
    "hard": Difficulty(floor=0.0, bend=1.7, distraction=1.7),
}


def find_difficulty(name: str) -> Difficulty:
    """The difficulty called `name`.

    Raises:
        RecipeError: There is none.
    """
    if name not in DIFFICULTIES:
        raise RecipeError("unknown-difficulty", "difficulty", repr(name), "one of " + ", ".join(DIFFICULTIES))
    return DIFFICULTIES[name]

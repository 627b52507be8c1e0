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
FAINTEST_DRAWN = 0.01  # of severity; not visible even to an expert


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


# Attribute → how it uses its range, from a course's 0 to its 1. Chosen by the reference classifier, so that all
# findings are about as hard at the standard level: what is a few pixels wide must be drawn plainly to be seen at all,
# what fills half a chest is seen when it is nearly absent.
VISIBILITY: Mapping[str, Visibility] = {
    "atelectasis": Visibility(0.05, 0.85),
    "breast/nipple shadows": Visibility(0.9, 1.0),
    "cabg grafts": Visibility(0.05, 0.7),
    "calcified nodule": Visibility(0.85, 1.0),
    "cardiac pacer and wires": Visibility(0.0, 0.15),
    "chest port": Visibility(0.05, 0.6),
    "chest tube": Visibility(0.15, 1.0),
    "clavicle fracture": Visibility(0.4, 0.85),
    "consolidation": Visibility(0.0, 0.75),
    "cyst/bullae": Visibility(0.1, 0.85),
    "elevated hemidiaphragm": Visibility(0.0, 0.09),
    "endotracheal tube": Visibility(0.0, 0.5),
    "enlarged cardiac silhouette": Visibility(0.0, 0.1),
    "enlarged hilum": Visibility(0.05, 0.75),
    "enteric tube": Visibility(0.0, 0.4),
    "hernia": Visibility(0.0, 0.65),
    "hydropneumothorax": Visibility(0.0, 0.16),
    "hyperaeration": Visibility(0.0, 0.37),
    "ij line": Visibility(0.15, 1.0),
    "increased reticular markings/ild pattern": Visibility(0.0, 0.65),
    "intra-aortic balloon pump": Visibility(0.65, 1.0),
    "linear/patchy atelectasis": Visibility(0.55, 1.0),
    "lobar/segmental collapse": Visibility(0.0, 0.75),
    "low lung volumes": Visibility(0.0, 0.11),
    "mass/nodule (not otherwise specified)": Visibility(0.35, 0.85),
    "mediastinal drain": Visibility(0.45, 0.9),
    "mediastinal widening": Visibility(0.0, 0.12),
    "multiple masses/nodules": Visibility(0.0, 0.8),
    "picc": Visibility(0.8, 1.0),
    "pleural effusion": Visibility(0.0, 0.55),
    "pleural/parenchymal scarring": Visibility(0.0, 0.5),
    "pneumothorax": Visibility(0.0, 0.35),
    "prosthetic valve": Visibility(0.25, 1.0),
    "pulmonary edema/hazy opacity": Visibility(0.0, 0.3),
    "rib fracture": Visibility(0.9, 1.0),
    "rotated": Visibility(0.0, 0.13),
    "scoliosis": Visibility(0.0, 0.25),
    "shoulder osteoarthritis": Visibility(0.25, 0.75),
    "spinal degenerative changes": Visibility(0.8, 1.0),
    "sub-diaphragmatic air": Visibility(0.05, 0.6),
    "subclavian line": Visibility(0.2, 1.0),
    "subcutaneous air": Visibility(0.15, 0.95),
    "swan-ganz catheter": Visibility(0.05, 0.7),
    "tortuous aorta": Visibility(0.0, 0.25),
    "tracheostomy tube": Visibility(0.0, 0.2),
    "vascular calcification": Visibility(0.35, 1.0),
    "vascular congestion": Visibility(0.0, 0.6),
}


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

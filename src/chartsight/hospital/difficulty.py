"""Named difficulties: how faint findings are, and how often something only looks like one.

A level is about what the films show. Faults of reports and labels are dials of their own (`HospitalConfig`), so that
one can be turned without the other. What a level means in figures is frozen by the committed reference classifier.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from chartsight.errors import RecipeError
from chartsight.hospital.film_request import PlantedFinding

FAINT = 0.5  # below it a reader may only suspect a finding, or miss it
FAINTEST_DRAWN = 0.1  # of severity; hardly visible even to an expert


@dataclass(frozen=True)
class Difficulty:
    """How a course's severity, 0 to 1, becomes the drawn one, and what else lies on the film.

        drawn = floor + (1 - floor) * severity ** bend

    Args:
        floor: The faintest that is drawn.
        bend: Above 1 most findings are faint, below 1 most are plain.
        distraction: `FilmRequest.distraction`: factor on how often look-alikes and artefacts are on a film.
    """

    floor: float
    bend: float
    distraction: float

    def drawn_severity(self, severity: float) -> float:
        """What is drawn for a course's severity; rises with it, 1 stays 1."""
        drawn: float = self.floor + (1 - self.floor) * min(max(severity, 0.0), 1.0) ** self.bend
        return round(max(drawn, FAINTEST_DRAWN), 3)

    def as_drawn(self, findings: Sequence[PlantedFinding]) -> tuple[PlantedFinding, ...]:
        """The findings of a film as they are drawn."""
        return tuple(replace(each, severity=self.drawn_severity(each.severity)) for each in findings)


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

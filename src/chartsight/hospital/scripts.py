"""How findings come and go: what a course, an age or a film may bring, when, where, and what never stands together."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from chartsight.hospital import sites

# The stretch of time that a finding's onset and length are measured in. `intubation` and `tracheostomy` divide the
# ventilation; `life` is from before the first film to after the last.
Window = Literal["life", "stay", "icu", "intubation", "tracheostomy"]
Shape = Literal["wave", "steady", "growth"]


@dataclass(frozen=True)
class FindingScript:
    """A finding that a course may bring.

    Args:
        attribute: Of `sites.SITES`.
        probability: That an episode brings it (a patient, when its window is `life`).
        window: What `onset` and `lasts` are fractions of; without that window (nobody is ventilated) it does not come.
        onset: When it appears; a negative onset stands there on arrival.
        lasts: How long; more than 1 goes beyond the window's end.
        days: How long in days, instead of `lasts`: an infiltrate takes its weeks wherever the patient is.
        sites: 1, or 2 for sometimes both sides.
        severity: Range of its peak.
        shape: `wave` rises fast and fades slowly, `growth` rises to its peak at the end.
        beside: It comes only with one of these, and on the same side: a chest tube where the air is.
        places: First object → weight, where the course departs from `sites.SITE_WEIGHTS`.
    """

    attribute: str
    probability: float
    window: Window = "stay"
    onset: tuple[float, float] = (-0.1, 0.25)
    lasts: tuple[float, float] = (0.6, 1.6)
    days: tuple[float, float] | None = None
    sites: int = 1
    severity: tuple[float, float] = (0.35, 1.0)
    shape: Shape = "wave"
    beside: tuple[str, ...] = ()
    places: Mapping[str, float] | None = None


def chronic(
    attribute: str,
    probability: float,
    severity: tuple[float, float] = (0.35, 1.0),
    *,
    sites: int = 1,
    onset: tuple[float, float] = (0.0, 0.0),
    shape: Shape = "steady",
    beside: tuple[str, ...] = (),
) -> FindingScript:
    """On every film of the patient, before and after the episodes too; from the `onset` on where that is not 0."""
    return FindingScript(
        attribute, probability, "life", onset, (1.1, 1.1), None, sites, severity, shape, beside
    )  # fmt: skip


def device(
    attribute: str,
    probability: float,
    window: Window = "icu",
    onset: tuple[float, float] = (0.0, 0.06),
    lasts: tuple[float, float] = (0.7, 1.0),
    *,
    beside: tuple[str, ...] = (),
    places: Mapping[str, float] | None = None,
) -> FindingScript:
    """A tube or line: placed and removed within its window, equally visible all the time."""
    return FindingScript(
        attribute, probability, window, onset, lasts, None, 1, (0.4, 1.0), "steady", beside, places
    )  # fmt: skip


@dataclass(frozen=True)
class IncidentalScript:
    """A chronic finding that comes with age in any course.

    Args:
        highest: Probability in the very old.
        middle_age: Where the probability is half of `highest`.
        spread: Years over which it rises; the smaller, the steeper.
    """

    attribute: str
    highest: float
    middle_age: float
    spread: float
    severity: tuple[float, float] = (0.3, 0.9)
    women: float = 1.0

    def probability(self, age: int, sex: Literal["M", "F"]) -> float:
        """For a patient of this age and sex; `women` is a factor on women's."""
        factor = self.women if sex == "F" else 1.0
        return factor * self.highest / (1 + math.exp(-(age - self.middle_age) / self.spread))


INCIDENTALS: tuple[IncidentalScript, ...] = (
    IncidentalScript(sites.TORTUOUS_AORTA, 0.30, 70, 6, women=0.9),
    IncidentalScript(sites.VASCULAR_CALCIFICATION, 0.34, 70, 6),
    IncidentalScript(sites.DEGENERATIVE_SPINE, 0.34, 70, 8),
    IncidentalScript(sites.SHOULDER_OSTEOARTHRITIS, 0.16, 68, 7),
    IncidentalScript(sites.SCOLIOSIS, 0.08, 40, 20, women=1.6),
    IncidentalScript(sites.HERNIA, 0.11, 66, 7, women=1.4),
    IncidentalScript(sites.ELEVATED_HEMIDIAPHRAGM, 0.06, 45, 20),
    IncidentalScript(sites.CALCIFIED_NODULE, 0.045, 50, 12),
    IncidentalScript(sites.SCARRING, 0.055, 58, 10),
    IncidentalScript(sites.PACER, 0.10, 72, 6, women=0.8),
    IncidentalScript(sites.CARDIOMEGALY, 0.03, 70, 8),
    IncidentalScript(sites.LINEAR_ATELECTASIS, 0.05, 60, 12),
)
INCIDENTAL_ATTRIBUTES = frozenset(each.attribute for each in INCIDENTALS) - {
    sites.PACER, sites.CARDIOMEGALY, sites.LINEAR_ATELECTASIS,
}  # fmt: skip


@dataclass(frozen=True)
class FilmScript:
    """What is true of one film only, from how it was taken: probability standing, and portable."""

    attribute: str
    standing: float
    portable: float
    women: float = 1.0


FILM_SCRIPTS: tuple[FilmScript, ...] = (
    FilmScript(sites.LOW_VOLUMES, 0.04, 0.13),
    FilmScript(sites.ROTATED, 0.025, 0.13),
    FilmScript(sites.BREAST_SHADOWS, 0.05, 0.02, women=1.5),
)
FILM_ATTRIBUTES = frozenset(each.attribute for each in FILM_SCRIPTS)

# Pairs that never stand on one film, wherever they are.
NEVER_TOGETHER = (
    {sites.HYPERAERATION, sites.LOW_VOLUMES},
    {sites.TUBE, sites.TRACHEOSTOMY},
    {sites.NODULE, sites.NODULES},
)
# Groups of which one stands on a side: air and fluid in one pleural space are a hydropneumothorax.
ONE_A_SIDE = (
    {sites.PNEUMOTHORAX, sites.HYDROPNEUMOTHORAX, sites.EFFUSION},
    {sites.PACER, sites.CHEST_PORT},
    {sites.COLLAPSE, sites.HYPERAERATION},
    {sites.ELEVATED_HEMIDIAPHRAGM, sites.HYDROPNEUMOTHORAX},
)
# Groups of which one stands in a zone: the others could not be told from it.
ONE_A_ZONE = (
    {
        sites.CONSOLIDATION, sites.ATELECTASIS, sites.COLLAPSE, sites.LINEAR_ATELECTASIS, sites.BULLAE,
        sites.NODULE, sites.CALCIFIED_NODULE,
    },
)  # fmt: skip


def clash(first: tuple[str, tuple[str, ...]], second: tuple[str, tuple[str, ...]]) -> bool:
    """Whether two findings, each an attribute and its objects, contradict or hide each other on one film."""
    (attribute, site), (other, other_site) = first, second
    pair = {attribute, other}
    if any(pair <= group for group in NEVER_TOGETHER) and len(pair) == 2:
        return True
    if attribute == other:
        return site[0] == other_site[0] or bool(set(site) == set(other_site)) or attribute in SINGLE
    same_side = bool({side_of(each) for each in site} & {side_of(each) for each in other_site} - {None})
    if same_side and any(pair <= group for group in ONE_A_SIDE):
        return True
    return site[0] == other_site[0] and any(pair <= group for group in ONE_A_ZONE)


def side_of(name: str) -> str | None:
    """`left` or `right`; None for an object in the middle. The right atrium is in the middle."""
    word = name.split(" ", 1)[0]
    return word if word in {"left", "right"} and name != "right atrium" else None


# One of each is all that a chest has or that a nurse would leave in place.
SINGLE = frozenset(
    {
        sites.PACER, sites.CHEST_PORT, sites.ENTERIC_TUBE, sites.IJ_LINE, sites.SUBCLAVIAN_LINE, sites.PICC,
        sites.SWAN_GANZ, sites.RIB_FRACTURE, sites.CLAVICLE_FRACTURE, sites.BREAST_SHADOWS,
        sites.ELEVATED_HEMIDIAPHRAGM, sites.BULLAE, sites.CALCIFIED_NODULE, sites.COLLAPSE,
    }
)  # fmt: skip

"""The life of a finding: when it appears on a patient's films, how it rises and fades, and when it is gone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from chartsight.hospital.film_request import PlantedFinding
from chartsight.hospital.scripts import FindingScript, Shape, Window, clash, side_of
from chartsight.hospital.sites import SITE_WEIGHTS, SITES, Site, opposite

FAINTEST = 0.25  # a finding below it has resolved
BOTH_SIDES = 0.6  # probability of the other side where a script allows two
CREST, FADING, GROWN_FROM = 0.3, 0.65, 0.55  # see `FindingLife.severity_at`

Span = tuple[datetime, datetime]
Windows = Mapping[Window, Span]


@dataclass(frozen=True)
class FindingLife:
    """One finding of one patient, from when it appears to when it is gone."""

    attribute: str
    site: Site
    peak: float
    shape: Shape
    start: datetime
    end: datetime

    def severity_at(self, time: datetime) -> float:
        """0 before and after. A wave rises to its peak in the first third and fades; growth ends at the peak."""
        if not self.start <= time <= self.end:
            return 0.0
        passed = (time - self.start) / (self.end - self.start)
        if self.shape == "steady":
            return self.peak
        if self.shape == "growth":
            return self.peak * (GROWN_FROM + (1 - GROWN_FROM) * passed)
        if passed < CREST:
            return self.peak * (0.6 + 0.4 * passed / CREST)
        return self.peak * (1 - FADING * (passed - CREST) / (1 - CREST))

    def overlaps(self, other: FindingLife) -> bool:
        """Whether there is a time at which both are there."""
        return self.start <= other.end and other.start <= self.end

    def contradicts(self, other: FindingLife) -> bool:
        """Whether both would stand on one film that cannot show both."""
        return self.overlaps(other) and clash((self.attribute, self.site), (other.attribute, other.site))


def draw_lives(
    rng: np.random.Generator,
    scripts: Iterable[FindingScript],
    windows: Windows,
    prevalence: Mapping[str, float],
    known: tuple[FindingLife, ...] = (),
) -> tuple[FindingLife, ...]:
    """What these scripts bring, in their order; what contradicts `known` or an earlier one does not come.

    Args:
        scripts: Of one course. Those whose window is not in `windows` are left out.
        windows: The stretches of time that there are.
        prevalence: Attribute → factor on its probability.
        known: What the patient has already.
    """
    lives: list[FindingLife] = []
    for script in scripts:
        if script.window not in windows or script.attribute not in SITES:
            continue
        opens = windows[script.window][0]
        companions = [life for life in (*known, *lives) if life.attribute in script.beside and life.end >= opens]
        happens = rng.random() < script.probability * prevalence.get(script.attribute, 1.0)
        if not happens or (script.beside and not companions):
            continue
        side = next((side for life in companions if (side := side_of(life.site[0])) is not None), None)
        start, end = draw_span(rng, script, windows[script.window])
        for site in draw_sites(rng, script, side):
            peak = round(float(rng.uniform(*script.severity)), 3)
            life = FindingLife(script.attribute, site, peak, script.shape, start, end)
            if not any(life.contradicts(other) for other in (*known, *lives)):
                lives.append(life)
    return tuple(lives)


def draw_span(rng: np.random.Generator, script: FindingScript, window: Span) -> Span:
    """When the finding is there."""
    length = window[1] - window[0]
    start = window[0] + length * float(rng.uniform(*script.onset))
    stays = (
        timedelta(days=float(rng.uniform(*script.days))) if script.days else length * float(rng.uniform(*script.lasts))
    )
    return start, start + stays


def draw_sites(rng: np.random.Generator, script: FindingScript, side: str | None) -> list[Site]:
    """One site, or sometimes both sides where the script allows it; on `side` where that is given."""
    sites = [site for site in SITES[script.attribute] if side is None or side_of(site[0]) in (side, None)]
    preferred = script.places if script.places is not None else SITE_WEIGHTS.get(script.attribute, {})
    weights = np.array([preferred.get(site[0], 1.0) for site in sites])
    site = sites[int(rng.choice(len(sites), p=weights / weights.sum()))]
    both = script.sites == 2 and bool(rng.random() < BOTH_SIDES)
    return [site, opposite(site)] if both else [site]


def findings_at(lives: Iterable[FindingLife], time: datetime) -> tuple[PlantedFinding, ...]:
    """What a film at `time` shows."""
    active = ((life, life.severity_at(time)) for life in lives)
    return tuple(
        PlantedFinding(life.attribute, life.site, round(severity, 3))
        for life, severity in active
        if severity >= FAINTEST
    )

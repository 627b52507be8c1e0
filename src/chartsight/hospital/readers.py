"""Who reads a film and what he makes of it: findings reported, suspected, missed, left out, or merely imagined.

Every decision draws its own number from the study's seed, and a dial is the threshold of that number: turning a dial
up only adds to what it does, and leaves every other decision as it was.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from chartsight.hospital.config import HospitalConfig
from chartsight.hospital.difficulty import FAINT, grade
from chartsight.hospital.film_request import PlantedFinding
from chartsight.hospital.patients import Study
from chartsight.hospital.sites import (
    ATELECTASIS,
    BREAST_SHADOWS,
    CARDIOMEGALY,
    CONGESTION,
    CONSOLIDATION,
    DEVICES,
    EDEMA,
    EFFUSION,
    ELEVATED_HEMIDIAPHRAGM,
    HYPERAERATION,
    LOW_VOLUMES,
    NODULE,
    PNEUMOTHORAX,
    ROTATED,
    SCARRING,
    SITES,
    WIDE_MEDIASTINUM,
)

READER_STREAM = 4
Outcome = Literal["reported", "suspected", "missed", "omitted", "overcalled"]


@dataclass(frozen=True)
class Reader:
    """One radiologist.

    Args:
        threshold: Severity that he misses every second time when readers differ most.
        overcalls: Probability of each overcall when readers differ most.
    """

    name: str
    threshold: float
    overcalls: float


READERS = (
    Reader("careful", 0.15, 0.03),
    Reader("average", 0.30, 0.05),
    Reader("hasty", 0.50, 0.04),
    Reader("anxious", 0.10, 0.15),
    Reader("trainee", 0.45, 0.12),
)
SHARPNESS = 0.1  # of `grade`, over which a reader passes from missing to seeing
LOOK_ALIKE_FACTOR = 4.0  # on the probability of an overcall when its look-alike is on the film

# What is overcalled → the true findings that are taken for it.
OVERCALLED: Mapping[str, tuple[str, ...]] = {
    ATELECTASIS: (LOW_VOLUMES, ELEVATED_HEMIDIAPHRAGM),
    CARDIOMEGALY: (LOW_VOLUMES, ROTATED),
    CONGESTION: (LOW_VOLUMES, EDEMA),
    CONSOLIDATION: (ATELECTASIS, BREAST_SHADOWS),
    EDEMA: (LOW_VOLUMES, CONGESTION),
    EFFUSION: (ATELECTASIS, ELEVATED_HEMIDIAPHRAGM),
    NODULE: (BREAST_SHADOWS, SCARRING),
    PNEUMOTHORAX: (HYPERAERATION,),
    WIDE_MEDIASTINUM: (ROTATED, LOW_VOLUMES),
}


@dataclass(frozen=True)
class SeenFinding:
    """A finding of the film, or one that is not there (`overcalled`), and what became of it in the report."""

    finding: PlantedFinding
    outcome: Outcome


def reader_of(study_id: int, seed: int) -> Reader:
    """Who reads the study."""
    return READERS[int(np.random.default_rng([seed, study_id, READER_STREAM]).integers(len(READERS)))]


def read_film(study: Study, config: HospitalConfig) -> tuple[SeenFinding, ...]:
    """What the study's reader makes of its findings, in their order, then what he sees beyond them."""
    reader = reader_of(study.study_id, config.seed)
    seen = [SeenFinding(each, outcome_of(each, study, reader, config)) for each in study.findings]
    present = {each.attribute for each in study.findings}
    for attribute, look_alikes in OVERCALLED.items():
        if attribute in present or attribute not in SITES:
            continue
        rng = own_generator(study, config, f"overcalled|{attribute}")
        likelier = LOOK_ALIKE_FACTOR if present.intersection(look_alikes) else 1.0
        if rng.random() < config.reader_disagreement * min(reader.overcalls * likelier, 1.0):
            site = SITES[attribute][int(rng.integers(len(SITES[attribute])))]
            imagined = PlantedFinding(attribute, site, round(float(rng.uniform(0.2, FAINT)), 3))
            seen.append(SeenFinding(imagined, "overcalled"))
    return tuple(seen)


def outcome_of(finding: PlantedFinding, study: Study, reader: Reader, config: HospitalConfig) -> Outcome:
    """What becomes of a finding that is there."""
    rng = own_generator(study, config, f"{finding.attribute}|{finding.objects[0]}")
    overlooked, omitted, doubted = (float(draw) for draw in rng.random(3))
    misses = 1 / (1 + math.exp((grade(finding) - reader.threshold) / SHARPNESS))
    if overlooked < config.reader_disagreement * misses:
        return "missed"
    if omitted < config.report_omission:
        return "omitted"
    is_faint = grade(finding) < FAINT and finding.attribute not in DEVICES
    return "suspected" if is_faint and doubted < config.report_uncertainty else "reported"


def own_generator(study: Study, config: HospitalConfig, name: str) -> np.random.Generator:
    """Of one decision about one study."""
    return np.random.default_rng([config.seed, study.study_id, READER_STREAM, zlib.crc32(name.encode())])

"""What kind of hospital to build: every dial of the generator, with its default."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from chartsight.errors import RecipeError
from chartsight.hospital.difficulty import find_difficulty
from chartsight.hospital.sites import SITES

LARGEST_HOSPITAL = 100_000  # so that identifiers scattered by `identifiers.scatter` stay unique
SMALLEST_FILM_PX, LARGEST_FILM_PX = 64, 2048


@dataclass(frozen=True)
class HospitalConfig:
    """One synthetic hospital.

    Args:
        patients: How many.
        seed: The same seed gives the same bytes in every file but `run.json`, which says when it was built.
        style: How films look: one of `styles.STYLE_NAMES`.
        difficulty: How faint findings are, and how many look-alikes there are: a key of `difficulty.DIFFICULTIES`.
        confounding: How strongly portable AP views, monitoring, markers, padding and exposure go with sickness: 1 more
            than in life, 0 not at all, -1 the other way round (`confounding.py`).
        film_size_px: Width and height of a film.
        bits: 8 for JPEG alone; 16 writes PNGs of 16 bits beside them.
        first_subject_id: Patients are numbered upwards from here; give two hospitals ranges that do not meet.
        prevalence: Factor on the probability of a finding wherever a course may cause it; 1 for those not named.
        label_noise: Probability that a statement of the labels (not of the report, never of the truth) is inverted.
        report_omission: Probability that a finding is not mentioned; the labels, read from the report, miss it too.
        report_uncertainty: Probability that a faint finding is only called possible.
        reader_disagreement: How far readers differ: 0 all see everything, 1 each misses what is fainter than his own
            threshold and calls look-alikes findings (`readers.py`).
        jpeg_quality: Of the films; MIMIC-CXR-JPG uses 95.

    Raises:
        RecipeError: A value is out of its range or a finding is unknown.
    """

    patients: int = 200
    seed: int = 7
    style: str = "harbour"
    difficulty: str = "standard"
    confounding: float = 0.5
    film_size_px: int = 256
    bits: Literal[8, 16] = 8
    first_subject_id: int = 10_000_032
    prevalence: Mapping[str, float] = field(default_factory=dict)
    label_noise: float = 0.0
    report_omission: float = 0.0
    report_uncertainty: float = 0.0
    reader_disagreement: float = 0.0
    jpeg_quality: int = 95

    def __post_init__(self) -> None:
        check_range("patients", self.patients, 1, LARGEST_HOSPITAL)
        check_range("seed", self.seed, 0, 2**32 - 1)
        check_range("film_size_px", self.film_size_px, SMALLEST_FILM_PX, LARGEST_FILM_PX)
        check_range("first_subject_id", self.first_subject_id, 10_000_000, 19_999_999 - self.patients)
        find_difficulty(self.difficulty)
        check_range("confounding", self.confounding, -1, 1)
        if self.bits not in (8, 16):
            raise RecipeError("bad-value", "bits", str(self.bits), "8 or 16")
        for dial in ("label_noise", "report_omission", "report_uncertainty", "reader_disagreement"):
            check_range(dial, getattr(self, dial), 0, 1)
        check_range("jpeg_quality", self.jpeg_quality, 1, 100)
        for attribute, factor in self.prevalence.items():
            if attribute not in SITES:
                near = difflib.get_close_matches(attribute, SITES, n=1)
                hint = f"did you mean {near[0]}?" if near else ""
                known = "one of " + ", ".join(sorted(SITES))
                raise RecipeError("unknown-finding", "prevalence", repr(attribute), known, hint)
            check_range(f"prevalence[{attribute}]", factor, 0, 100)

    def as_dict(self) -> dict[str, Any]:
        """The resolved config for the manifest."""
        return {**asdict(self), "prevalence": dict(self.prevalence)}


def check_range(where: str, value: float, low: float, high: float) -> None:
    """Raise RecipeError unless `low` <= `value` <= `high`."""
    if not low <= value <= high:
        raise RecipeError("out-of-range", where, f"{value:.12g}", f"{low:.12g} to {high:.12g}")

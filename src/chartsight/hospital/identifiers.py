"""Identifiers that look like MIMIC's: scattered over their range, unique, the same for the same patient and seed."""

from __future__ import annotations

import numpy as np

PER_PATIENT = 96  # at most so many admissions, stays, studies or transfers a patient
PRIME = 9_999_991
SPREAD = 7_340_033


def scatter(base: int, subject_id: int, nth: int) -> int:
    """The `nth` identifier of its kind of a patient, between `base` and `base` + 9,999,990.

    One-to-one, as the multiplication modulo a prime is: patients whose ids lie within 100,000 never share one.
    """
    assert 0 <= nth < PER_PATIENT
    return base + (subject_id * PER_PATIENT + nth) * SPREAD % PRIME


def hadm_id(subject_id: int, nth: int) -> int:
    """2xxxxxxx."""
    return scatter(20_000_000, subject_id, nth)


def stay_id(subject_id: int, nth: int) -> int:
    """3xxxxxxx, shared with the transfer into the unit, as in MIMIC-IV."""
    return scatter(30_000_000, subject_id, nth)


def study_id(subject_id: int, nth: int) -> int:
    """5xxxxxxx."""
    return scatter(50_000_000, subject_id, nth)


def dicom_id(seed: int, study: int, nth: int = 0) -> str:
    """Five groups of eight hexadecimal digits, as MIMIC-CXR has them; for the `nth` film of a study."""
    groups = np.random.default_rng([seed, study, 0xD1C0 + nth]).integers(0, 2**32, 5)
    return "-".join(f"{group:08x}" for group in groups)


def provider_ids(rng: np.random.Generator, count: int) -> list[str]:
    """`count` different ids such as P41R5N, sorted."""
    symbols = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    ids: set[str] = set()
    while len(ids) < count:
        digits = rng.integers(0, len(symbols), 3)
        ids.add(f"P{rng.integers(10, 100)}" + "".join(symbols[digit] for digit in digits))
    return sorted(ids)

"""Laboratory results that follow the course of the disease, and cultures."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta

import numpy as np

from chartsight.hospital import codes
from chartsight.hospital.admissions import after
from chartsight.hospital.patients import Episode, Patient
from chartsight.hospital.rows import Rows

FEMALE_HAEMOGLOBIN = 0.9  # of the male mean
HAEMATOCRIT, HAEMOGLOBIN = 51221, 51222
BASE_EXCESS = 50802
SPOILT = 0.015  # share of results that the laboratory cannot give: text instead of a number, and a comment


@dataclass(frozen=True)
class Draw:
    """One blood specimen. `hadm_id` is None for an outpatient; `illness` 0 to 1 moves the results."""

    moment: datetime
    items: tuple[int, ...]
    priority: str | None
    provider: str
    hadm_id: int | None
    illness: float


def add_admission_labs(rows: Rows, rng: np.random.Generator, patient: Patient, episode: Episode, provider: str) -> None:
    """Bloods on arrival and every morning; blood gases in intensive care twice a day."""
    draws: list[tuple[datetime, tuple[int, ...], str]] = [
        (
            after(episode.admittime, rng, (5, 50)),
            codes.DAILY_LABS
            + codes.DIFFERENTIAL
            + codes.COAGULATION
            + codes.LIVER
            + codes.ADMISSION_LABS
            + (50889, 50963, 51003),
            "STAT",
        )
    ]
    day = episode.admittime.date() + timedelta(days=1)
    while (morning := datetime.combine(day, time(5, int(rng.integers(0, 60))))) < episode.dischtime:
        draws.append((morning, codes.DAILY_LABS, "ROUTINE"))
        day += timedelta(days=1)
    if episode.icu is not None:
        moment = after(episode.icu[0], rng, (20, 90))
        while moment < episode.icu[1]:
            draws.append((moment, (*codes.BLOOD_GAS_LABS, 50813), "STAT"))
            moment += timedelta(hours=12)
    for moment, items, priority in sorted(draws, key=lambda draw: draw[0]):
        draw = Draw(moment, items, priority, provider, episode.hadm_id, episode.illness_at(moment))
        add_draw(rows, rng, patient, draw)


def add_draw(rows: Rows, rng: np.random.Generator, patient: Patient, draw: Draw) -> None:
    """The results of one specimen."""
    specimen = int(rng.integers(0, 10**8))
    stored = after(draw.moment, rng, (25, 160))
    noise = rng.normal(0, 1, len(draw.items))
    haemoglobin: float | None = None
    for item, deviation in sorted(zip(draw.items, noise, strict=True), key=lambda pair: -pair[0]):
        test = codes.LAB_ITEMS[item]
        mean = test.mean * (FEMALE_HAEMOGLOBIN if item == HAEMOGLOBIN and patient.body.sex == "F" else 1)
        target = patient.course.labs.get(item, mean)
        value = mean + (target - mean) * draw.illness + float(deviation) * test.spread
        if item == HAEMOGLOBIN:
            haemoglobin = value
        elif item == HAEMATOCRIT and haemoglobin is not None:
            value = 3 * haemoglobin + 0.3 * float(deviation)  # the rule of three
        if item != BASE_EXCESS:  # it alone may be negative
            value = max(value, 10.0**-test.decimals)
        is_spoilt = bool(rng.random() < SPOILT)
        number = None if is_spoilt else round(value, test.decimals)
        rows.add(
            "labevents",
            labevent_id=rows.next_number("labevents"),
            subject_id=patient.subject_id,
            hadm_id=draw.hadm_id,
            specimen_id=specimen,
            itemid=item,
            order_provider_id=draw.provider if draw.hadm_id is None else None,
            charttime=draw.moment,
            storetime=stored,
            value="___" if number is None else f"{number:.{test.decimals}f}",
            valuenum=number,
            valueuom=test.unit,
            ref_range_lower=None if test.low is None else float(test.low),
            ref_range_upper=None if test.high is None else float(test.high),
            flag=flag(test, number),
            priority=draw.priority,
            comments="HEMOLYZED, RESULT NOT AVAILABLE." if is_spoilt else None,
        )


def flag(test: codes.LabItem, number: float | None) -> str | None:
    """`abnormal` outside the reference range, null otherwise."""
    if number is None or test.low is None or test.high is None:
        return None
    return None if test.low <= number <= test.high else "abnormal"


def add_cultures(rows: Rows, rng: np.random.Generator, patient: Patient, episode: Episode) -> None:
    """Cultures: positive sputum where the course has organisms, with sensitivities; screening in intensive care."""
    course = patient.course
    taken: list[tuple[str, str | None]] = []
    if episode.icu is not None:
        taken.append(("MRSA SCREEN", None))
    if course.organisms:
        grows = rng.random() < 0.6
        taken.append(("SPUTUM", str(rng.choice(course.organisms)) if grows else None))
        taken.append(("BLOOD CULTURE", str(rng.choice(course.organisms)) if rng.random() < 0.15 else None))
        taken.append(("URINE", None))
    for specimen, organism in taken:
        moment = after(episode.admittime, rng, (15, 240))
        specimen_id = int(rng.integers(10**6, 10**7))
        tests = list(codes.ANTIBIOTIC_ITEMS) if organism else [None]
        for antibiotic in tests:
            add_culture_row(rows, rng, patient, episode, specimen, specimen_id, moment, organism, antibiotic)


def add_culture_row(
    rows: Rows,
    rng: np.random.Generator,
    patient: Patient,
    episode: Episode,
    specimen: str,
    specimen_id: int,
    moment: datetime,
    organism: str | None,
    antibiotic: str | None,
) -> None:
    """One row of `microbiologyevents`: a culture without growth, or an organism against one antibiotic."""
    specimen_item, test_item, test_name = codes.CULTURES[specimen]
    stored = moment + timedelta(hours=52)
    timeless = specimen == "MRSA SCREEN" and specimen_id % 3 == 0  # some have a date only
    found: dict[str, object] = {}
    if organism is not None and antibiotic is not None:
        is_resistant = bool(rng.random() < 0.2)
        found = {
            "org_itemid": codes.ORGANISM_ITEMS[organism],
            "org_name": organism,
            "isolate_num": 1,
            "ab_itemid": codes.ANTIBIOTIC_ITEMS[antibiotic],
            "ab_name": antibiotic,
            "dilution_text": "=>16" if is_resistant else "<=1",
            "dilution_comparison": "=>        " if is_resistant else "<=        ",  # padded so in MIMIC-IV
            "dilution_value": 16.0 if is_resistant else 1.0,
            "interpretation": "R" if is_resistant else "S",
        }
    rows.add(
        "microbiologyevents",
        microevent_id=rows.next_number("microbiologyevents"),
        subject_id=patient.subject_id,
        hadm_id=episode.hadm_id,
        micro_specimen_id=specimen_id,
        chartdate=datetime.combine(moment.date(), time()),
        charttime=None if timeless else moment,
        spec_itemid=specimen_item,
        spec_type_desc=specimen,
        test_seq=1,
        storedate=datetime.combine(stored.date(), time()),
        storetime=stored,
        test_itemid=test_item,
        test_name=test_name,
        comments=None if found else "No MRSA isolated.  " if specimen == "MRSA SCREEN" else "NO GROWTH.  ",
        **found,
    )

"""Laboratory results that follow the course of the disease, and cultures."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from functools import lru_cache

import numpy as np

from chartsight.hospital import codes
from chartsight.hospital.admissions import after
from chartsight.hospital.courses import BNP, CRP, LACTATE, TROPONIN
from chartsight.hospital.patients import Episode, Patient, holds, whole_second
from chartsight.hospital.rows import Rows

FEMALE_HAEMOGLOBIN = 0.9  # of the male mean
HAEMATOCRIT, HAEMOGLOBIN, RED_CELLS, MCH, MCHC = 51221, 51222, 51279, 51248, 51249
BASE_EXCESS, GLUCOSE, BILIRUBIN = 50802, 50931, 50885
KIDNEY = (50912, 51006)  # creatinine and urea go together
SPOILT = 0.012  # share of results that the laboratory cannot give: text instead of a number, and a comment
SMALLEST = {TROPONIN: "<0.01", BILIRUBIN: "<0.2", CRP: "<0.3"}  # what is written below what can be measured
STORED_AFTER_MINUTES, GAS_STORED_AFTER_MINUTES, STORED_SPREAD = 62.0, 6.0, 0.66  # median of the demo; log-normal
WEEKEND_DELAY, WEEKEND_LABS = 1.35, 0.8  # factors
LABS_STREAM = 25  # of the generators: a patient's own baseline
MEMORY, SHORT_MEMORY = timedelta(days=5), timedelta(hours=10)  # over which a result forgets the one before it
FLEETING = (*codes.BLOOD_GAS_LABS, GLUCOSE, LACTATE, 50971, 50960, 50970, 51275, 50808)  # what is corrected at once
TRANSFUSED_BELOW, LEFT_OF_THE_REST = 7.0, 0.4  # g/dl; what is below is mostly made up for
MOST_PERCENT = 99.0
GROWS_IN_OUTPATIENTS = 0.4

# Item -> log standard deviation between patients and from day to day, where results are skewed; the others are normal
# with the item's spread. Chosen so that the quartiles are near the MIMIC-IV demo's.
SKEWED: Mapping[int, float] = {
    50861: 0.7, 50863: 0.40, 50878: 0.65, 50885: 0.65, 50889: 0.6, 50912: 0.55, 50931: 0.32, 50934: 0.9, 50947: 0.4,
    50954: 0.35, 50963: 0.8, 51003: 0.5, 51006: 0.58, 51237: 0.2, 51265: 0.52, 51275: 0.16, 51301: 0.46, 50813: 0.45,
    51274: 0.2, 50821: 0.35, 51200: 0.7, 51244: 0.45,
}  # fmt: skip
# Item -> mean at full severity of whatever brings people into hospital, where the course says nothing of its own.
GENERAL_ILLNESS: Mapping[int, float] = {
    50808: 1.10, 50813: 2.2, 50821: 95, 50861: 62, 50862: 2.9, 50863: 115, 50868: 15, 50878: 78, 50882: 24, 50885: 0.9,
    50889: 60, 50893: 7.9, 50912: 1.4, 50931: 152, 50934: 9, 50954: 380, 50963: 1500, 50970: 3.6, 50983: 137,
    51003: 0.03, 51006: 27, 51222: 7.0, 51237: 1.55, 51244: 11, 51256: 78, 51265: 185, 51274: 17, 51275: 46, 51277: 17,
    51301: 12.5,
    51200: 0.9, 52172: 57,
}  # fmt: skip
# Urine item -> text results from common to rare. MIMIC-IV writes most into `comments` and leaves `value` empty.
URINE_WORDS: Mapping[int, tuple[str, ...]] = {
    51464: ("NEG", "NEG", "NEG", "NEG", "SM", "MOD"),
    51466: ("NEG", "NEG", "SM", "TR", "MOD", "LG"),
    51486: ("NEG", "NEG", "NEG", "TR", "SM", "LG"),
    51487: ("NEG", "NEG", "NEG", "NEG", "NEG", "POS"),
    51506: ("Clear", "Clear", "Clear", "Hazy", "Cloudy"),
    51508: ("Yellow", "Yellow", "Yellow", "Straw", "AMBER"),
}
URINE_NUMBERS: Mapping[int, tuple[str, ...]] = {
    51478: ("NEG", "NEG", "NEG", "NEG", "NEG", "100", "1000"),
    51484: ("NEG", "NEG", "NEG", "NEG", "NEG", "10", "40"),
    51491: ("5.0", "5.5", "6.0", "6.0", "6.5", "7.0"),
    51492: ("NEG", "NEG", "TR", "30", "30", "100"),
    51498: ("1.008", "1.012", "1.017", "1.020", "1.026"),
    51514: ("NEG", "NEG", "NEG", "NEG", "2", "4"),
}
URINE = {**URINE_WORDS, **URINE_NUMBERS}
SMEAR_WORDS = ("NORMAL", "NORMAL", "OCCASIONAL", "1+", "1+", "2+")  # from common to rare
TEXT_IN_VALUE = 0.06  # share of texts that stand in `value` after all
SMEARS, FILTRATIONS = 0.46, 0.25  # shares of differentials and of creatinines, as in the demo
HIGHEST_FILTRATION = 75  # ml/min/1.73 m2; what is above is written so


class Drift:
    """How the results of one stay wander: near to the last value of the same item, the nearer the sooner after it.

    Without it a patient's haemoglobin would be 10 in the morning, 3 at noon and 9 in the evening.
    """

    def __init__(self) -> None:
        self.last: dict[int, tuple[datetime, float]] = {}

    def step(self, rng: np.random.Generator, item: int, moment: datetime) -> float:
        """Where the item is now: standard normal over many stays."""
        now = float(rng.standard_normal())
        if item in self.last:
            before, value = self.last[item]
            kept = math.exp(-((moment - before) / (SHORT_MEMORY if item in FLEETING else MEMORY)))
            now = kept * value + math.sqrt(1 - kept**2) * now
        self.last[item] = (moment, now)
        return now


@dataclass(frozen=True)
class Draw:
    """One specimen. `hadm_id` is None for an outpatient; `illness` 0 to 1 moves the results."""

    moment: datetime
    items: tuple[int, ...]
    priority: str | None
    provider: str
    hadm_id: int | None
    illness: float


def add_visit_labs(rows: Rows, rng: np.random.Generator, patient: Patient, visit: datetime, provider: str) -> None:
    """Bloods of an outpatient: not at every visit, and seldom all of them."""
    drift = Drift()
    for items, share in (
        (codes.ELECTROLYTES, 0.75), (codes.BLOOD_COUNT, 0.7), (codes.LIVER, 0.45), (codes.MINERALS, 0.25),
        (codes.DIFFERENTIAL, 0.3), (tuple(URINE), 0.2),
    ):  # fmt: skip
        if rng.random() < share:
            add_draw(rows, rng, patient, Draw(visit, items, None, provider, None, illness=0.0), drift)


def add_admission_labs(rows: Rows, rng: np.random.Generator, patient: Patient, episode: Episode, provider: str) -> None:
    """Bloods on arrival and in the morning, more often when ill; gases in intensive care; some ordered twice."""
    drift = Drift()
    draws = sorted(plan_draws(rng, patient, episode), key=lambda draw: draw[0])
    for moment, items, priority in draws:
        if moment >= episode.dischtime:
            continue
        draw = Draw(moment, items, priority, provider, episode.hadm_id, episode.illness_at(moment))
        add_draw(rows, rng, patient, draw, drift)
        again = moment + timedelta(minutes=4)
        if rng.random() < 0.015 and again < episode.dischtime:  # two teams order the same
            add_draw(rows, rng, patient, replace(draw, moment=again), drift)


def plan_draws(
    rng: np.random.Generator, patient: Patient, episode: Episode
) -> Iterator[tuple[datetime, tuple[int, ...], str | None]]:
    """When which items are asked for, and how urgently."""
    arrival = after(episode.admittime, rng, (5, 50))
    for items, share in indications(patient, episode):
        if rng.random() < share:
            yield arrival, items, "STAT"
    day = episode.admittime.date() + timedelta(days=1)
    while day <= episode.dischtime.date():
        factor = WEEKEND_LABS if day.weekday() >= 5 else 1.0
        morning = datetime.combine(day, time(4 + int(rng.integers(0, 3)), int(rng.integers(0, 60))))
        illness = episode.illness_at(morning)
        for items, share in (
            (codes.ELECTROLYTES, 0.95), (codes.MINERALS, 0.85), (codes.BLOOD_COUNT, 0.92), (codes.SERUM_INDICES, 0.4),
            (codes.COAGULATION, 0.25 + 0.5 * illness), (codes.LIVER, 0.12 + 0.4 * illness),
            (codes.DIFFERENTIAL, 0.1 + 0.3 * illness), ((CRP,), 0.15 if CRP in patient.course.labs else 0.0),
        ):  # fmt: skip
            if rng.random() < share * factor:
                yield morning, items, None if rng.random() < 0.06 else "ROUTINE"
        for hour in (13, 20):
            if rng.random() < 0.75 * illness * (1.0 if holds(episode.icu, morning) else 0.55):
                later = datetime.combine(day, time(hour, int(rng.integers(0, 60))))
                yield later, codes.ELECTROLYTES, "STAT"
                yield later, codes.BLOOD_COUNT if rng.random() < 0.6 else codes.MINERALS, "STAT"
        day += timedelta(days=1)
    if episode.icu is not None:
        moment = after(episode.icu[0], rng, (20, 90))
        while moment < episode.icu[1]:
            yield moment, codes.BLOOD_GAS_LABS, "STAT"
            if rng.random() < 0.6:
                yield moment, (LACTATE, 50808), "STAT"
            hours = float(rng.uniform(4, 9)) if holds(episode.ventilation, moment) else 18.0
            moment = whole_second(moment + timedelta(hours=hours))


def indications(patient: Patient, episode: Episode) -> Iterator[tuple[tuple[int, ...], float]]:
    """What is asked for on arrival, and how likely: what the course moves is asked for, the rest now and then."""
    moved = patient.course.labs
    yield codes.ELECTROLYTES, 0.98
    yield (*codes.BLOOD_COUNT, 52172), 0.97
    yield codes.DIFFERENTIAL, 0.75
    yield codes.COAGULATION, 0.75
    yield codes.MINERALS, 0.7
    yield codes.LIVER, 0.6
    yield codes.SERUM_INDICES, 0.5
    yield (50862,), 0.7 if 50862 in moved else 0.35
    yield (50954,), 0.7 if 50954 in moved else 0.25
    yield (CRP,), 0.75 if CRP in moved else 0.06
    yield (BNP,), 0.9 if BNP in moved else 0.12
    yield (TROPONIN,), 0.85 if TROPONIN in moved else 0.25
    yield (LACTATE,), 0.8 if LACTATE in moved else 0.2
    if 50818 in moved:
        yield codes.BLOOD_GAS_LABS, 0.8
    yield tuple(URINE), 0.45


def add_draw(rows: Rows, rng: np.random.Generator, patient: Patient, draw: Draw, drift: Drift) -> None:
    """The results of one specimen."""
    specimen = int(rng.integers(0, 10**8))
    is_gas = draw.items[0] in codes.BLOOD_GAS_LABS or LACTATE in draw.items
    delay = (GAS_STORED_AFTER_MINUTES if is_gas else STORED_AFTER_MINUTES) * np.exp(rng.normal(0, STORED_SPREAD))
    delay *= WEEKEND_DELAY if draw.moment.weekday() >= 5 else 1.0
    stored = whole_second(draw.moment + timedelta(minutes=max(1, round(float(delay)))))
    known: dict[int, float] = {}
    asked = (*draw.items, *asked_beside(rng, draw.items))
    for item in sorted(asked, key=lambda item: (item != HAEMOGLOBIN, item)):
        if item in URINE or item in codes.SMEAR:
            result = worded_result(rng, URINE.get(item, SMEAR_WORDS), draw.illness)
        elif item == codes.FILTRATION:
            result = filtration_result(patient, known[KIDNEY[0]], draw.moment)
        else:
            known[item] = draw_value(patient, item, draw.illness, known, drift.step(rng, item, draw.moment))
            result = blood_result(rng, item, known[item])
        low, high = reference_range(item, patient)
        test = codes.LAB_ITEMS[item]
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
            value=result.text,
            valuenum=result.number,
            valueuom=test.unit,
            ref_range_lower=low,
            ref_range_upper=high,
            flag=flag(result.number, low, high),
            priority=draw.priority,
            comments=result.comment,
        )


@dataclass(frozen=True)
class Result:
    """What the laboratory writes: text, the number in it if it is one, and a comment."""

    text: str | None
    number: float | None
    comment: str | None = None


def draw_value(patient: Patient, item: int, illness: float, known: Mapping[int, float], day: float) -> float:
    """One result before rounding: the patient's own baseline, moved by the illness and by `day`, where it drifted."""
    test = codes.LAB_ITEMS[item]
    if item == HAEMATOCRIT and HAEMOGLOBIN in known:
        return 3 * known[HAEMOGLOBIN] + 0.4 * day
    if item == RED_CELLS and MCH in known and HAEMOGLOBIN in known:
        return 10 * known[HAEMOGLOBIN] / known[MCH]
    mean = test.mean * (FEMALE_HAEMOGLOBIN if item == HAEMOGLOBIN and patient.body.sex == "F" else 1)
    target = patient.course.labs.get(item, GENERAL_ILLNESS.get(item, mean))
    value = mean + (target - mean) * illness
    own = baselines(patient.body.seed)[KIDNEY[0] if item in KIDNEY else item]
    if item in SKEWED:
        return max(float(value * np.exp(SKEWED[item] * (0.8 * own + 0.5 * day))), 10.0**-test.decimals)
    value += test.spread * (0.75 * own + 0.75 * day) * (1 + 0.4 * illness)
    if item == HAEMOGLOBIN and value < TRANSFUSED_BELOW:
        value = TRANSFUSED_BELOW - LEFT_OF_THE_REST * (TRANSFUSED_BELOW - value)
    if test.unit == "%":
        value = min(value, MOST_PERCENT)
    return value if item == BASE_EXCESS else max(value, 10.0**-test.decimals)


@lru_cache(maxsize=16)
def baselines(body_seed: int) -> Mapping[int, float]:
    """Item → how a patient departs from its mean at all times, standard normal."""
    rng = np.random.default_rng([body_seed, LABS_STREAM])
    return dict(zip(codes.LAB_ITEMS, rng.standard_normal(len(codes.LAB_ITEMS)).tolist(), strict=True))


def blood_result(rng: np.random.Generator, item: int, value: float) -> Result:
    """A number, seldom a text: spoilt specimens, and what is too little to be measured."""
    decimals, chance = codes.LAB_ITEMS[item].decimals, float(rng.random())
    if chance < SPOILT / 2:
        return Result("___", None, "HEMOLYZED, RESULT NOT AVAILABLE.")
    if chance < SPOILT:
        return Result(None, None, "UNABLE TO REPORT.")
    if item in SMALLEST and value < float(SMALLEST[item][1:]):
        return Result(SMALLEST[item], None, f"{SMALLEST[item]}.")
    number = round(value, decimals)
    comment = None
    if item == GLUCOSE:
        comment = "IF FASTING, 70-100 NORMAL, >125 PROVISIONAL DIABETES."
    elif chance > 0.985:
        comment = "___" if chance > 0.99 else "VERIFIED."
    return Result(f"{number:.{decimals}f}", number, comment)


def asked_beside(rng: np.random.Generator, items: tuple[int, ...]) -> tuple[int, ...]:
    """What the laboratory adds of itself: a look at the smear, the filtration that goes with a creatinine."""
    smear = rng.random() < SMEARS if set(codes.DIFFERENTIAL) <= set(items) else False
    filtration = rng.random() < FILTRATIONS if KIDNEY[0] in items else False
    return (*(codes.SMEAR if smear else ()), *((codes.FILTRATION,) if filtration else ()))


def worded_result(rng: np.random.Generator, words: tuple[str, ...], illness: float) -> Result:
    """One of the texts that urine and smears have; the ill have the rarer ones more often."""
    text = words[min(int(len(words) * float(rng.random()) ** (1.3 - 0.6 * illness)), len(words) - 1)]
    if text.replace(".", "").isdigit():
        return Result(text, float(text))
    return Result(text, None) if rng.random() < TEXT_IN_VALUE else Result(None, None, f"{text}.")


def filtration_result(patient: Patient, creatinine: float, moment: datetime) -> Result:
    """A sentence and no number, as MIMIC-IV has it.

    Source: Levey 2006, the re-expressed MDRD equation without its factor of race.
    """
    measured = max(round(creatinine, 1), 0.1)
    rate = 175 * measured**-1.154 * max(patient.age_at(moment), 18) ** -0.203
    rate *= 0.742 if patient.body.sex == "F" else 1.0
    said = f">{HIGHEST_FILTRATION}" if rate > HIGHEST_FILTRATION else f"{rate:.0f}"
    comment = (
        f"Using this patient's age, gender, and serum creatinine value of {measured},.  "
        f"Estimated GFR = {said} (mL/min/1.73 m2)."
    )
    return Result(None, None, comment)


def reference_range(item: int, patient: Patient) -> tuple[float | None, float | None]:
    """The reference range of the patient's sex; None where MIMIC-IV has none."""
    test = codes.LAB_ITEMS[item]
    low, high = (
        codes.FEMALE_RANGES.get(item, (test.low, test.high)) if patient.body.sex == "F" else (test.low, test.high)
    )
    return None if low is None else float(low), None if high is None else float(high)


def flag(number: float | None, low: float | None, high: float | None) -> str | None:
    """`abnormal` outside the reference range, null otherwise."""
    if number is None or low is None or high is None:
        return None
    return None if low <= number <= high else "abnormal"


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
            add_culture_row(rows, rng, patient, episode.hadm_id, specimen, specimen_id, moment, organism, antibiotic)


def add_visit_cultures(rows: Rows, rng: np.random.Generator, patient: Patient, visit: datetime) -> None:
    """Cultures of an outpatient, who has no admission: two in five grow something."""
    for specimen, (share, organisms) in codes.OUTPATIENT_CULTURES.items():
        taken, grows, which = (float(draw) for draw in rng.random(3))
        specimen_id = int(rng.integers(10**6, 10**7))
        if taken < share:
            organism = organisms[int(which * len(organisms))] if grows < GROWS_IN_OUTPATIENTS else None
            for antibiotic in codes.ANTIBIOTIC_ITEMS if organism else (None,):
                add_culture_row(rows, rng, patient, None, specimen, specimen_id, visit, organism, antibiotic)


def add_culture_row(
    rows: Rows,
    rng: np.random.Generator,
    patient: Patient,
    hadm_id: int | None,
    specimen: str,
    specimen_id: int,
    moment: datetime,
    organism: str | None,
    antibiotic: str | None,
) -> None:
    """One row of `microbiologyevents`: a culture without growth, or an organism against one antibiotic."""
    specimen_item, test_item, test_name = codes.CULTURES[specimen]
    stored = moment + timedelta(hours=52)
    timeless = (specimen == "MRSA SCREEN" or hadm_id is None) and specimen_id % 3 == 0  # some have a date only
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
        hadm_id=hadm_id,
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

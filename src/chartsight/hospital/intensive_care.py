"""Events of intensive care: vital signs, fluids in and out, procedures, dates of lines."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, time, timedelta
from typing import Any

import numpy as np

from chartsight.hospital import codes
from chartsight.hospital.admissions import after
from chartsight.hospital.labs import illness_at
from chartsight.hospital.patients import Episode, Patient
from chartsight.hospital.rows import Rows

SYSTOLIC, DIASTOLIC, MEAN = 220050, 220051, 220052
SATURATION = 220277
NORMAL_PRESSURES = {SYSTOLIC: (60, 240), DIASTOLIC: (30, 130), MEAN: (40, 160)}
HOUR = timedelta(hours=1)


def add_stay(
    rows: Rows, rng: np.random.Generator, patient: Patient, episode: Episode, stay_id: int, caregivers: list[int]
) -> None:
    """Everything charted during one stay in intensive care."""
    assert episode.icu is not None
    ids = {"subject_id": patient.subject_id, "hadm_id": episode.hadm_id, "stay_id": stay_id}
    add_vital_signs(rows, rng, patient, episode, ids, caregivers)
    add_fluids(rows, rng, patient, episode, ids, caregivers)
    add_outputs(rows, rng, episode, ids, caregivers)
    add_procedures(rows, rng, patient, episode, ids, caregivers)


def add_vital_signs(
    rows: Rows,
    rng: np.random.Generator,
    patient: Patient,
    episode: Episode,
    ids: Mapping[str, int],
    caregivers: list[int],
) -> None:
    """`chartevents`: weight and height once, the rest by the hour."""
    assert episode.icu is not None
    moment = (episode.icu[0] + HOUR).replace(minute=0, second=0)
    chart(rows, rng, ids, caregivers, moment, 226512, round(patient.weight_kg, 1))
    chart(rows, rng, ids, caregivers, moment, 226730, float(round(patient.height_cm)))
    hour = 0
    while moment < episode.icu[1]:
        illness = illness_at(episode, moment)
        for item, (healthy, spread, decimals, every) in codes.VITAL_SIGNS.items():
            if hour % every:
                continue
            target = patient.course.vitals.get(item, healthy)
            value = healthy + (target - healthy) * illness + float(rng.normal(0, spread))
            if item == SATURATION:
                value = min(value, 100.0)
            chart(rows, rng, ids, caregivers, moment, item, round(value, decimals))
            if item == SYSTOLIC:
                diastolic = round(0.58 * value + float(rng.normal(0, 4)))
                chart(rows, rng, ids, caregivers, moment, DIASTOLIC, float(diastolic))
                chart(rows, rng, ids, caregivers, moment, MEAN, float(round((value + 2 * diastolic) / 3)))
        moment += HOUR
        hour += 1


def chart(
    rows: Rows,
    rng: np.random.Generator,
    ids: Mapping[str, int],
    caregivers: list[int],
    moment: datetime,
    item: int,
    value: float,
) -> None:
    """One row of `chartevents`."""
    low, high = NORMAL_PRESSURES.get(item, (float("-inf"), float("inf")))
    rows.add(
        "chartevents", **ids, caregiver_id=caregivers[int(rng.integers(len(caregivers)))], charttime=moment,
        storetime=after(moment, rng, (1, 40)), itemid=item, value=format(value, ".12g"), valuenum=float(value),
        valueuom=codes.CHARTED_ITEMS[item].unit, warning=int(not low <= value <= high),
    )  # fmt: skip


def add_fluids(
    rows: Rows,
    rng: np.random.Generator,
    patient: Patient,
    episode: Episode,
    ids: Mapping[str, int],
    caregivers: list[int],
) -> None:
    """`inputevents` and, for the water in them, `ingredientevents`."""
    assert episode.icu is not None
    start, end = episode.icu
    moment = start.replace(minute=0, second=0) + HOUR
    while moment + 6 * HOUR <= end:
        rate = float(rng.integers(5, 15) * 10)
        add_input(
            rows, rng, patient, ids, caregivers, 225158, moment, moment + 6 * HOUR, 6 * rate, "ml", rate, "mL/hour",
            "02-Fluids (Crystalloids)", "Additive (Crystalloid)", "Continuous IV", 1000.0,
        )  # fmt: skip
        moment += 6 * HOUR
    if episode.ventilation is not None:
        first, last = (each.replace(second=0) for each in episode.ventilation)
        dose = float(rng.integers(10, 50))
        amount = round(dose * patient.weight_kg * ((last - first) / timedelta(minutes=1)) / 1000, 2)
        add_input(
            rows, rng, patient, ids, caregivers, 222168, first, last, amount, "mg", dose, "mcg/kg/min",
            "01-Drips", "02-Fluids (Crystalloids)", "Continuous Med", 100.0,
        )  # fmt: skip
    if "NORepinephrine" in patient.course.drugs:
        first, last = start.replace(second=0) + HOUR, start.replace(second=0) + 7 * HOUR
        dose = round(float(rng.uniform(0.03, 0.3)), 3)
        amount = round(dose * patient.weight_kg * 360 / 1000, 3)
        add_input(
            rows, rng, patient, ids, caregivers, 221906, first, last, amount, "mg", dose, "mcg/kg/min",
            "01-Drips", "02-Fluids (Crystalloids)", "Continuous Med", 250.0,
        )  # fmt: skip
    if "Furosemide" in patient.course.drugs:
        moment = start.replace(second=0) + 2 * HOUR
        add_input(
            rows, rng, patient, ids, caregivers, 221794, moment, moment + timedelta(minutes=1), 20.0, "mg", None, None,
            "05-Med Bolus", None, "Drug Push", None,
        )  # fmt: skip
    if episode.ventilation is None:
        moment = datetime.combine(start.date() + timedelta(days=1), time(8))
        while moment < end:
            drunk = float(rng.integers(4, 25) * 20)
            add_input(
                rows, rng, patient, ids, caregivers, 226452, moment, moment + timedelta(minutes=1), drunk, "ml", None,
                None, "14-Oral/Gastric Intake", None, "Bolus", drunk,
            )  # fmt: skip
            moment += 8 * HOUR


def add_input(
    rows: Rows,
    rng: np.random.Generator,
    patient: Patient,
    ids: Mapping[str, int],
    caregivers: list[int],
    item: int,
    start: datetime,
    end: datetime,
    amount: float,
    unit: str,
    rate: float | None,
    rate_unit: str | None,
    category: str,
    second_category: str | None,
    description: str,
    bag_ml: float | None,
) -> None:
    """One infusion, bolus or drink. In millilitres it is water too."""
    order = int(rng.integers(1, 10**7))
    common: dict[str, Any] = {
        **ids, "caregiver_id": caregivers[int(rng.integers(len(caregivers)))], "starttime": start, "endtime": end,
        "storetime": after(end, rng, (1, 30)), "orderid": order, "linkorderid": order,
        "statusdescription": "FinishedRunning", "rate": rate, "rateuom": rate_unit,
        "originalrate": rate if rate is not None else amount,
    }  # fmt: skip
    rows.add(
        "inputevents", **common, itemid=item, amount=amount, amountuom=unit, ordercategoryname=category,
        secondaryordercategoryname=second_category, ordercomponenttypedescription="Main order parameter",
        ordercategorydescription=description, patientweight=patient.weight_kg, totalamount=bag_ml,
        totalamountuom="ml" if bag_ml is not None else None, isopenbag=0, continueinnextdept=0, originalamount=amount,
    )  # fmt: skip
    if unit == "ml":
        rows.add("ingredientevents", **common, itemid=220490, amount=amount, amountuom="ml", originalamount=0.0)


def add_outputs(
    rows: Rows, rng: np.random.Generator, episode: Episode, ids: Mapping[str, int], caregivers: list[int]
) -> None:
    """`outputevents`: urine every two hours, a chest tube every six."""
    assert episode.icu is not None
    urine = 226559 if episode.ventilation is not None else 226560
    moment, hour = episode.icu[0].replace(minute=0, second=0) + HOUR, 0
    while moment < episode.icu[1]:
        items = [(urine, float(rng.integers(4, 36) * 5))]
        if episode.has_chest_tube and hour % 6 == 0:
            items.append((226588, float(rng.integers(1, 20) * 10)))
        for item, value in items:
            rows.add(
                "outputevents", **ids, caregiver_id=caregivers[int(rng.integers(len(caregivers)))], charttime=moment,
                storetime=after(moment, rng, (1, 30)), itemid=item, value=value, valueuom="ml",
            )  # fmt: skip
        moment += 2 * HOUR
        hour += 2


def add_procedures(
    rows: Rows,
    rng: np.random.Generator,
    patient: Patient,
    episode: Episode,
    ids: Mapping[str, int],
    caregivers: list[int],
) -> None:
    """`procedureevents` (lines, ventilation, films) and `datetimeevents` (when the lines were placed)."""
    assert episode.icu is not None
    start, end = (moment.replace(second=0) for moment in episode.icu)
    lines: list[tuple[int, int, str, str, str]] = [
        (224275, 225754, "Peripheral Lines", "Right Antecubital", "Peripheral"),
        (225752, 224288, "Invasive Lines", "Left Radial", "Invasive Arterial"),
    ]
    for item, date_item, category, place, kind in lines:
        placed = after(start, rng, (10, 90))
        add_procedure(rows, rng, patient, ids, caregivers, item, placed, end, category, place, kind)
        rows.add(
            "datetimeevents", **ids, caregiver_id=caregivers[int(rng.integers(len(caregivers)))],
            charttime=placed + HOUR, storetime=after(placed + HOUR, rng, (1, 30)), itemid=date_item,
            value=datetime.combine(placed.date(), time()), valueuom="Date", warning=0,
        )  # fmt: skip
    if episode.ventilation is not None:
        first, last = (moment.replace(second=0) for moment in episode.ventilation)
        add_procedure(rows, rng, patient, ids, caregivers, 225792, first, last, "Ventilation", None, None)
        if not episode.dies:
            add_procedure(
                rows, rng, patient, ids, caregivers, 227194, last, last + timedelta(minutes=1),
                "Intubation/Extubation", None, None,
            )  # fmt: skip
    for study in patient.studies:
        if study.hadm_id == episode.hadm_id and start <= study.time < end:
            moment = study.time.replace(second=0)
            add_procedure(
                rows, rng, patient, ids, caregivers, 225459, moment, moment + timedelta(minutes=1), "Imaging", None,
                None,
            )  # fmt: skip


def add_procedure(
    rows: Rows,
    rng: np.random.Generator,
    patient: Patient,
    ids: Mapping[str, int],
    caregivers: list[int],
    item: int,
    start: datetime,
    end: datetime,
    category: str,
    place: str | None,
    place_kind: str | None,
) -> None:
    """One procedure; those of a minute are tasks, the others processes with a length in minutes."""
    minutes = (end - start) / timedelta(minutes=1)
    is_task = minutes <= 1
    order = int(rng.integers(1, 10**7))
    value = 1.0 if is_task else minutes
    caregiver = None if category == "Imaging" else caregivers[int(rng.integers(len(caregivers)))]
    rows.add(
        "procedureevents", **ids, caregiver_id=caregiver, starttime=start, endtime=end, storetime=end, itemid=item,
        value=value, valueuom="None" if is_task else "min", location=place, locationcategory=place_kind,
        orderid=order, linkorderid=order, ordercategoryname=category,
        ordercategorydescription="Task" if is_task else "ContinuousProcess", patientweight=patient.weight_kg,
        isopenbag=0 if is_task else 1, continueinnextdept=0, statusdescription="FinishedRunning",
        ORIGINALAMOUNT=value, ORIGINALRATE=0.0 if is_task else 1.0,
    )  # fmt: skip

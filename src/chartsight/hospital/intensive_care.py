"""Events of intensive care: vital signs, fluids in and out, procedures, dates of lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any

import numpy as np

from chartsight.hospital import codes
from chartsight.hospital.admissions import after
from chartsight.hospital.patients import Episode, Patient
from chartsight.hospital.rows import Rows

SYSTOLIC, DIASTOLIC, MEAN, SATURATION = 220050, 220051, 220052, 220277
WEIGHT, HEIGHT, DAILY_WEIGHT = 226512, 226730, 224639
WATER, SALINE, NOREPINEPHRINE, FUROSEMIDE, PROPOFOL, DRINK = 220490, 225158, 221906, 221794, 222168, 226452
FOLEY, VOID, CHEST_TUBE = 226559, 226560, 226588
VENTILATION, EXTUBATION, CHEST_FILM = 225792, 227194, 225459
LINES = (  # item, item of its date, category, place, kind of place
    (224275, 225754, "Peripheral Lines", "Right Antecubital", "Peripheral"),
    (225752, 224288, "Invasive Lines", "Left Radial", "Invasive Arterial"),
)
PLAUSIBLE = {SYSTOLIC: (60, 240), DIASTOLIC: (30, 130), MEAN: (40, 160)}  # outside: `warning` is 1
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


@dataclass(frozen=True)
class Stay:
    """One stay in intensive care, with what is needed to write about it."""

    rows: Rows
    rng: np.random.Generator
    patient: Patient
    episode: Episode
    stay_id: int
    caregivers: list[int]

    @property
    def ids(self) -> Mapping[str, int]:
        """The columns that every event of the stay begins with."""
        return {
            "subject_id": self.patient.subject_id, "hadm_id": self.episode.hadm_id, "stay_id": self.stay_id,
        }  # fmt: skip

    @property
    def intime(self) -> datetime:
        """Arrival in the unit."""
        assert self.episode.icu is not None
        return self.episode.icu[0]

    @property
    def outtime(self) -> datetime:
        """Departure from the unit."""
        assert self.episode.icu is not None
        return self.episode.icu[1]

    @property
    def ventilation(self) -> tuple[datetime, datetime] | None:
        """Start and end of ventilation, to the minute."""
        if self.episode.ventilation is None:
            return None
        first, last = self.episode.ventilation
        return first.replace(second=0), last.replace(second=0)

    def hours(self) -> Iterator[datetime]:
        """Every full hour of the stay."""
        moment = self.intime.replace(minute=0, second=0) + HOUR
        while moment < self.outtime:
            yield moment
            moment += HOUR

    def draw_caregiver(self) -> int:
        """Whoever is on duty."""
        return self.caregivers[int(self.rng.integers(len(self.caregivers)))]


@dataclass(frozen=True)
class Infusion:
    """Something given: `rate` is None for a bolus, `bag_ml` None when it comes from no bag.

    The order categories are MIMIC-IV's: `01-Drips`, `Continuous Med` and so on.
    """

    item: int
    start: datetime
    end: datetime
    amount: float
    unit: str
    category: str
    description: str
    second_category: str | None = None
    rate: float | None = None
    rate_unit: str | None = None
    bag_ml: float | None = None


def add_stay(stay: Stay) -> None:
    """Everything charted during one stay."""
    add_vital_signs(stay)
    for infusion in plan_infusions(stay):
        add_infusion(stay, infusion)
    add_outputs(stay)
    add_procedures(stay)


def add_vital_signs(stay: Stay) -> None:
    """`chartevents`: weight and height once, the rest by the hour, as ill as the episode is at that time."""
    rng = stay.rng
    for nth, moment in enumerate(stay.hours()):
        if nth == 0:
            chart(stay, moment, WEIGHT, weight_at(stay, moment))
            chart(stay, moment, HEIGHT, float(round(stay.patient.height_cm)))
        elif nth % 24 == 0:
            chart(stay, moment, DAILY_WEIGHT, weight_at(stay, moment))
        illness = stay.episode.illness_at(moment)
        for item, (healthy, spread, decimals, every) in codes.VITAL_SIGNS.items():
            if nth % every:
                continue
            target = stay.patient.course.vitals.get(item, healthy)
            value = healthy + (target - healthy) * illness + float(rng.normal(0, spread))
            if item == SATURATION:
                value = min(value, 100.0)
            chart(stay, moment, item, round(value, decimals))
            if item == SYSTOLIC:
                diastolic = round(0.58 * value + float(rng.normal(0, 4)))
                chart(stay, moment, DIASTOLIC, float(diastolic))
                chart(stay, moment, MEAN, float(round((value + 2 * diastolic) / 3)))


def weight_at(stay: Stay, moment: datetime) -> float:
    """Kilograms on the scales: what the patient weighs, the water that the illness holds, and the scales' error."""
    water = stay.patient.course.weight_gain_kg * stay.episode.illness_at(moment)
    return round(stay.patient.weight_kg + water + float(stay.rng.normal(0, 0.3)), 1)


def chart(stay: Stay, moment: datetime, item: int, value: float) -> None:
    """One row of `chartevents`."""
    low, high = PLAUSIBLE.get(item, (float("-inf"), float("inf")))
    stay.rows.add(
        "chartevents", **stay.ids, caregiver_id=stay.draw_caregiver(), charttime=moment,
        storetime=after(moment, stay.rng, (1, 40)), itemid=item, value=format(value, ".12g"), valuenum=float(value),
        valueuom=codes.CHARTED_ITEMS[item].unit, warning=int(not low <= value <= high),
    )  # fmt: skip


def plan_infusions(stay: Stay) -> Iterator[Infusion]:
    """Fluids for all, sedation with ventilation, what the course asks for, drinks for those who are awake."""
    rng, drugs = stay.rng, stay.patient.course.drugs
    moment = stay.intime.replace(minute=0, second=0) + HOUR
    while moment + 6 * HOUR <= stay.outtime:
        rate = float(rng.integers(5, 15) * 10)
        yield Infusion(
            SALINE, moment, moment + 6 * HOUR, 6 * rate, "ml", "02-Fluids (Crystalloids)", "Continuous IV",
            "Additive (Crystalloid)", rate, "mL/hour", 1000.0,
        )  # fmt: skip
        moment += 6 * HOUR
    if stay.ventilation is not None:
        yield drip(stay, PROPOFOL, *stay.ventilation, float(rng.integers(10, 50)), 100.0)
    start = stay.intime.replace(second=0)
    if "NORepinephrine" in drugs:
        yield drip(
            stay, NOREPINEPHRINE, start + HOUR, start + 7 * HOUR, round(float(rng.uniform(0.03, 0.3)), 3), 250.0
        )  # fmt: skip
    if "Furosemide" in drugs:
        given = start + 2 * HOUR
        yield Infusion(FUROSEMIDE, given, given + MINUTE, 20.0, "mg", "05-Med Bolus", "Drug Push")
    if stay.ventilation is None:
        moment = datetime.combine(start.date() + timedelta(days=1), time(8))
        while moment < stay.outtime:
            drunk = float(rng.integers(4, 25) * 20)
            yield Infusion(
                DRINK, moment, moment + MINUTE, drunk, "ml", "14-Oral/Gastric Intake", "Bolus", bag_ml=drunk
            )  # fmt: skip
            moment += 8 * HOUR


def drip(stay: Stay, item: int, start: datetime, end: datetime, dose: float, bag_ml: float) -> Infusion:
    """A continuous infusion of `dose` micrograms a kilogram and minute."""
    amount_mg = round(dose * stay.patient.weight_kg * ((end - start) / MINUTE) / 1000, 3)
    return Infusion(
        item, start, end, amount_mg, "mg", "01-Drips", "Continuous Med", "02-Fluids (Crystalloids)", dose,
        "mcg/kg/min", bag_ml,
    )  # fmt: skip


def add_infusion(stay: Stay, infusion: Infusion) -> None:
    """One row of `inputevents`; in millilitres it is water too, a row of `ingredientevents`."""
    order = int(stay.rng.integers(1, 10**7))
    common: dict[str, Any] = {
        **stay.ids, "caregiver_id": stay.draw_caregiver(), "starttime": infusion.start, "endtime": infusion.end,
        "storetime": after(infusion.end, stay.rng, (1, 30)), "orderid": order, "linkorderid": order,
        "statusdescription": "FinishedRunning", "amount": infusion.amount, "amountuom": infusion.unit,
        "rate": infusion.rate, "rateuom": infusion.rate_unit,
        "originalrate": infusion.rate if infusion.rate is not None else infusion.amount,
    }  # fmt: skip
    stay.rows.add(
        "inputevents", **common, itemid=infusion.item, ordercategoryname=infusion.category,
        secondaryordercategoryname=infusion.second_category, ordercomponenttypedescription="Main order parameter",
        ordercategorydescription=infusion.description, patientweight=stay.patient.weight_kg,
        totalamount=infusion.bag_ml, totalamountuom="ml" if infusion.bag_ml is not None else None, isopenbag=0,
        continueinnextdept=0, originalamount=infusion.amount,
    )  # fmt: skip
    if infusion.unit == "ml":
        stay.rows.add("ingredientevents", **common, itemid=WATER, originalamount=0.0)


def add_outputs(stay: Stay) -> None:
    """`outputevents`: urine every two hours, a chest tube every six."""
    for nth, moment in enumerate(stay.hours()):
        if nth % 2:
            continue
        items = [(VOID if stay.ventilation is None else FOLEY, float(stay.rng.integers(4, 36) * 5))]
        if stay.episode.has("chest tube") and nth % 6 == 0:
            items.append((CHEST_TUBE, float(stay.rng.integers(1, 20) * 10)))
        for item, value in items:
            stay.rows.add(
                "outputevents", **stay.ids, caregiver_id=stay.draw_caregiver(), charttime=moment,
                storetime=after(moment, stay.rng, (1, 30)), itemid=item, value=value, valueuom="ml",
            )  # fmt: skip


def add_procedures(stay: Stay) -> None:
    """`procedureevents` (lines, ventilation, films) and `datetimeevents` (when the lines were placed)."""
    start, end = stay.intime.replace(second=0), stay.outtime.replace(second=0)
    for item, date_item, category, place, kind in LINES:
        placed = after(start, stay.rng, (10, 90))
        add_procedure(stay, item, placed, end, category, (place, kind))
        stay.rows.add(
            "datetimeevents", **stay.ids, caregiver_id=stay.draw_caregiver(), charttime=placed + HOUR,
            storetime=after(placed + HOUR, stay.rng, (1, 30)), itemid=date_item,
            value=datetime.combine(placed.date(), time()), valueuom="Date", warning=0,
        )  # fmt: skip
    if stay.ventilation is not None:
        add_procedure(stay, VENTILATION, *stay.ventilation, "Ventilation")
        if not stay.episode.dies:
            extubated = stay.ventilation[1]
            add_procedure(stay, EXTUBATION, extubated, extubated + MINUTE, "Intubation/Extubation")
    for study in stay.patient.studies:
        if study.hadm_id == stay.episode.hadm_id and start <= study.time < end:
            taken = study.time.replace(second=0)
            add_procedure(stay, CHEST_FILM, taken, taken + MINUTE, "Imaging")


def add_procedure(
    stay: Stay,
    item: int,
    start: datetime,
    end: datetime,
    category: str,
    place: tuple[str | None, str | None] = (None, None),
) -> None:
    """One procedure; those of a minute are tasks, the others processes with a length in minutes."""
    minutes = (end - start) / MINUTE
    is_task = minutes <= 1
    value = 1.0 if is_task else minutes
    order = int(stay.rng.integers(1, 10**7))
    stay.rows.add(
        "procedureevents", **stay.ids, caregiver_id=None if category == "Imaging" else stay.draw_caregiver(),
        starttime=start, endtime=end, storetime=end, itemid=item, value=value, valueuom="None" if is_task else "min",
        location=place[0], locationcategory=place[1], orderid=order, linkorderid=order, ordercategoryname=category,
        ordercategorydescription="Task" if is_task else "ContinuousProcess", patientweight=stay.patient.weight_kg,
        isopenbag=0 if is_task else 1, continueinnextdept=0, statusdescription="FinishedRunning",
        ORIGINALAMOUNT=value, ORIGINALRATE=0.0 if is_task else 1.0,
    )  # fmt: skip

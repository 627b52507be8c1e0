"""Orders of an admission and what comes of them: poe, prescriptions, pharmacy, and each dose in emar."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta

import numpy as np

from chartsight.hospital import codes
from chartsight.hospital.admissions import after
from chartsight.hospital.patients import Episode, Patient
from chartsight.hospital.rows import Rows

DOSE_HOURS = {1: (8,), 2: (8, 20), 3: (8, 14, 20), 4: (4, 10, 16, 22)}
FREQUENCIES = {0: "INFUSION", 1: "DAILY", 2: "BID", 3: "TID", 4: "Q6H"}
FREQUENCIES_AS_NEEDED = {1: "PRN", 2: "BID:PRN", 3: "Q8H:PRN", 4: "Q6H:PRN"}
DOSES_WRITTEN = 3  # doses of one order that reach emar; longer courses only repeat them
ORDERED_AGAIN_A_DAY = 0.16  # how often a drug's order is renewed or changed
GIVEN_ONCE = ("Influenza Vaccine Quadrivalent",)
NEEDS_LEAST, NEEDS_MOST = 0.55, 2.6  # factor on the share of ward drugs
NEEDS_TREATMENT = 0.6  # the same for what treats another disease than the course's


@dataclass
class OrderBook:
    """Writes the orders and doses of one patient, and numbers them over all admissions, as MIMIC-IV does."""

    rows: Rows
    rng: np.random.Generator
    patient: Patient
    providers: list[str]
    orders: int = 0
    doses: int = 0

    def next_order(self) -> tuple[str, int]:
        """poe_id and poe_seq."""
        self.orders += 1
        return f"{self.patient.subject_id}-{self.orders}", self.orders

    def next_dose(self) -> tuple[str, int]:
        """emar_id and emar_seq."""
        self.doses += 1
        return f"{self.patient.subject_id}-{self.doses}", self.doses


def add_orders(book: OrderBook, episode: Episode) -> None:
    """Every order of one admission."""
    patient = book.patient
    start = after(episode.admittime, book.rng, (1, 20))
    add_order(
        book, episode, start, "ADT orders", "Admit",
        {"Admit category": "Place in observation" if episode.admission_type == "EU OBSERVATION"
         else "Admit to inpatient", "Admit to": "Surgery" if patient.course.service.endswith("SURG") else "Medicine"},
    )  # fmt: skip
    add_order(book, episode, start, "General Care", "Code status", {"Code status": "Resuscitate (Full code)"})
    add_order(book, episode, start, "Lab", None, {})
    for study in patient.studies:
        if study.hadm_id == episode.hadm_id:
            add_order(book, episode, study.time - timedelta(minutes=40), "Radiology", "General Xray", {})
    names = list(patient.course.drugs)
    if episode.ventilation is not None:
        names += [name for name in codes.VENTILATION_DRUGS if name not in names]
        add_order(book, episode, episode.ventilation[0], "Respiratory", "Mechanical Ventilation", {})
    else:
        names = [name for name in names if codes.DRUGS[name].doses_a_day > 0]
    length = (episode.dischtime - episode.admittime) / timedelta(days=1)
    wanted = [name for name in names if book.rng.random() < 0.9]
    share = NEEDS_LEAST + (NEEDS_MOST - NEEDS_LEAST) * float(book.rng.beta(1.6, 1.6)) * min(0.6 + length / 12, 1.3)
    wanted += [
        name
        for name, usual in codes.WARD_DRUGS.items()
        if book.rng.random() < usual * (NEEDS_TREATMENT if name in codes.TREATMENTS else share)
        and name not in names
        and codes.DRUGS[name].doses_a_day > 0
    ]
    for name in wanted:
        again = int(book.rng.poisson(min(ORDERED_AGAIN_A_DAY * length, 6.0)))
        for nth in range(1 if name in GIVEN_ONCE else 1 + again):
            add_drug(book, episode, name, delay=float(book.rng.uniform(0.05, 0.9)) if nth else 0.0)
    if not episode.dies:
        add_order(
            book, episode, episode.dischtime - timedelta(hours=3), "ADT orders", "Discharge",
            {"Discharge Planning": "Finalized"},
        )  # fmt: skip


def add_order(
    book: OrderBook,
    episode: Episode,
    moment: datetime,
    kind: str,
    subtype: str | None,
    details: dict[str, str],
) -> tuple[str, int, str]:
    """One row of `poe` and its details; its id, number and the provider who gave it."""
    poe_id, sequence = book.next_order()
    provider = str(book.rng.choice(book.providers))
    ids = {"poe_id": poe_id, "poe_seq": sequence, "subject_id": book.patient.subject_id}
    book.rows.add(
        "poe", **ids, hadm_id=episode.hadm_id, ordertime=moment, order_type=kind, order_subtype=subtype,
        transaction_type="New", order_provider_id=provider, order_status="Inactive",
    )  # fmt: skip
    for name, value in details.items():
        book.rows.add("poe_detail", **ids, field_name=name, field_value=value)
    return poe_id, sequence, provider


def add_drug(book: OrderBook, episode: Episode, name: str, delay: float) -> None:
    """A drug from its order to its last dose; ordered after `delay` of the stay has passed."""
    drug = codes.DRUGS[name]
    ids = {"subject_id": book.patient.subject_id, "hadm_id": episode.hadm_id}
    is_infusion, is_as_needed = drug.doses_a_day == 0, name in codes.AS_NEEDED
    doses_a_day = None if is_infusion or is_as_needed else float(drug.doses_a_day)
    ordered = after(episode.admittime + delay * (episode.dischtime - episode.admittime), book.rng, (20, 200))
    ordered = min(ordered, episode.dischtime - timedelta(minutes=30))
    start = ordered.replace(minute=0, second=0) + timedelta(hours=1)
    stop = max(start + timedelta(hours=2), episode.dischtime.replace(minute=0, second=0))
    if is_infusion and episode.ventilation is not None:
        start, stop = (moment.replace(minute=0, second=0) for moment in episode.ventilation)
        ordered = start - timedelta(minutes=20)
    poe_id, sequence, provider = add_order(book, episode, ordered, "Medications", None, {})
    pharmacy_id = int(book.rng.integers(10**7, 10**8))
    book.rows.add(
        "prescriptions", **ids, pharmacy_id=pharmacy_id, poe_id=poe_id, poe_seq=sequence, order_provider_id=provider,
        starttime=start, stoptime=stop, drug_type="MAIN", drug=name,
        formulary_drug_cd=drug.formulary, gsn=drug.gsn or None,
        ndc=drug.ndc, prod_strength=drug.strength, dose_val_rx=drug.dose, dose_unit_rx=drug.unit,
        form_val_disp=drug.amount, form_unit_disp=drug.form,
        doses_per_24_hrs=doses_a_day, route=drug.route,
    )  # fmt: skip
    if drug.route == "IV" and name not in codes.DILUENTS and book.rng.random() < 0.7:
        base_name = codes.DILUENTS[int(book.rng.random() < 0.4)]
        base = codes.DRUGS[base_name]
        book.rows.add(
            "prescriptions", **ids, pharmacy_id=pharmacy_id, poe_id=poe_id, poe_seq=sequence,
            order_provider_id=provider, starttime=start, stoptime=stop, drug_type="BASE", drug=base_name,
            formulary_drug_cd=base.formulary, gsn=base.gsn, ndc=base.ndc, prod_strength=base.strength,
            dose_val_rx=base.dose, dose_unit_rx=base.unit, form_val_disp=base.amount, form_unit_disp=base.form,
            doses_per_24_hrs=doses_a_day, route=drug.route,
        )  # fmt: skip
    hours = DOSE_HOURS.get(drug.doses_a_day, ())
    book.rows.add(
        "pharmacy", **ids, pharmacy_id=pharmacy_id, poe_id=poe_id, starttime=start, stoptime=stop, medication=name,
        proc_type="IV Large Volume" if is_infusion else "IV Piggyback" if drug.route == "IV" else "Unit Dose",
        status="Discontinued via patient discharge", entertime=ordered, verifiedtime=after(ordered, book.rng, (2, 30)),
        route=drug.route, frequency=(FREQUENCIES_AS_NEEDED if is_as_needed else FREQUENCIES)[drug.doses_a_day],
        disp_sched=None if is_as_needed else ", ".join(f"{hour:02d}" for hour in hours) or None,
        infusion_type="C" if is_infusion else None, doses_per_24_hrs=doses_a_day,
        duration_interval="Ongoing", expiration_value=36, expiration_unit="Hours", dispensation="Omnicell",
    )  # fmt: skip
    for scheduled in dose_times(start, stop, hours):
        add_dose(book, episode, name, drug, poe_id, pharmacy_id, scheduled)


def dose_times(start: datetime, stop: datetime, hours: tuple[int, ...]) -> Iterator[datetime]:
    """The first `DOSES_WRITTEN` times at these hours between start and stop; the start alone for an infusion."""
    if not hours:
        yield start
        return
    day, written = start.date(), 0
    while day <= stop.date():
        for hour in hours:
            moment = datetime.combine(day, time(hour))
            if start <= moment <= stop and written < DOSES_WRITTEN:
                written += 1
                yield moment
        day += timedelta(days=1)


def add_dose(
    book: OrderBook,
    episode: Episode,
    name: str,
    drug: codes.Drug,
    poe_id: str,
    pharmacy_id: int,
    scheduled: datetime,
) -> None:
    """One dose: its row of `emar`, and of `emar_detail` one for the whole and one for the product, as in MIMIC-IV."""
    emar_id, sequence = book.next_dose()
    given = min(after(scheduled, book.rng, (0, 45)), episode.dischtime)
    was_given = bool(book.rng.random() < 0.93)
    book.rows.add(
        "emar", subject_id=book.patient.subject_id, hadm_id=episode.hadm_id, emar_id=emar_id, emar_seq=sequence,
        poe_id=poe_id, pharmacy_id=pharmacy_id, charttime=given, medication=name,
        event_txt="Administered" if was_given else "Not Given", scheduletime=scheduled,
        storetime=after(given, book.rng, (0, 5)),
    )  # fmt: skip
    ids = {"subject_id": book.patient.subject_id, "emar_id": emar_id, "emar_seq": sequence}
    kind = "IV Infusion" if drug.doses_a_day == 0 else "Standard Maintenance Medication"
    book.rows.add(
        "emar_detail", **ids, administration_type=kind, dose_due=drug.dose, dose_due_unit=drug.unit,
        complete_dose_not_given=None if was_given else "Yes",
    )  # fmt: skip
    if was_given:
        book.rows.add(
            "emar_detail", **ids, parent_field_ordinal="1.1", pharmacy_id=pharmacy_id, barcode_type="if",
            dose_given=drug.dose, dose_given_unit=drug.unit, product_amount_given=drug.amount, product_unit=drug.form,
            product_code=drug.formulary, product_description=f"{name} {drug.strength}",
        )  # fmt: skip

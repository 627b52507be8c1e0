"""MIMIC-IV's folders for a list of patients: `mimic-iv/hosp`, `mimic-iv/icu`, and charges in `mimic-iv/extra`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from chartsight.hospital import codes, icd, identifiers
from chartsight.hospital.admissions import add_admission, add_patient, add_visit
from chartsight.hospital.charges import add_charges
from chartsight.hospital.csv_files import write_csv_gz
from chartsight.hospital.intensive_care import Stay, add_stay
from chartsight.hospital.labs import Draw, add_admission_labs, add_cultures, add_draw
from chartsight.hospital.orders import OrderBook, add_orders
from chartsight.hospital.patients import Patient
from chartsight.hospital.rows import HOSPITAL_TABLES, Rows

PROVIDERS, CAREGIVERS = 60, 40
TABLES_STREAM = 1  # of the generators: findings and bodies use none, tables this one


def build_tables(patients: Sequence[Patient], seed: int) -> Rows:
    """Every row of every table, patient by patient."""
    rng = np.random.default_rng([seed, 0x5AFF])
    providers = identifiers.provider_ids(rng, PROVIDERS)
    caregivers = sorted(int(each) for each in rng.choice(np.arange(400, 99_000), CAREGIVERS, replace=False))
    rows = Rows()
    for patient in patients:
        add_life(rows, patient, seed, providers, caregivers)
    add_charges(rows, seed)
    add_dictionaries(rows)
    for provider in providers:
        rows.add("provider", provider_id=provider)
    for caregiver in caregivers:
        rows.add("caregiver", caregiver_id=caregiver)
    return rows


def add_life(rows: Rows, patient: Patient, seed: int, providers: list[str], caregivers: list[int]) -> None:
    """All rows of one patient."""
    rng = np.random.default_rng([seed, patient.subject_id, TABLES_STREAM])
    add_patient(rows, patient)
    for visit in patient.visits:
        provider = str(rng.choice(providers))
        add_visit(rows, rng, patient, visit)
        add_draw(rows, rng, patient, Draw(visit, codes.DAILY_LABS, None, provider, hadm_id=None, illness=0.0))
    book = OrderBook(rows, rng, patient, providers)
    for episode in patient.episodes:
        provider = str(rng.choice(providers))
        stay_id = add_admission(rows, rng, patient, episode, provider)
        add_admission_labs(rows, rng, patient, episode, provider)
        add_cultures(rows, rng, patient, episode)
        add_orders(book, episode)
        if stay_id is not None:
            add_stay(Stay(rows, rng, patient, episode, stay_id, caregivers))


def add_dictionaries(rows: Rows) -> None:
    """The d_* tables, with the codes that the other tables use and no more."""
    for code, version in sorted(set(rows.columns("diagnoses_icd", "icd_code", "icd_version"))):
        title = icd.DIAGNOSIS_TITLES[code, version]
        rows.add("d_icd_diagnoses", icd_code=code, icd_version=version, long_title=title)
    for code, version in sorted(set(rows.columns("procedures_icd", "icd_code", "icd_version"))):
        title = icd.PROCEDURE_TITLES[code, version]
        rows.add("d_icd_procedures", icd_code=code, icd_version=version, long_title=title)
    for (item,) in sorted(set(rows.columns("labevents", "itemid"))):
        test = codes.LAB_ITEMS[item]
        rows.add("d_labitems", itemid=item, label=test.label, fluid="Blood", category=test.category)
    for (code,) in sorted(set(rows.columns("hcpcsevents", "hcpcs_cd"))):
        category, long_text, short_text = codes.HCPCS[code]
        rows.add("d_hcpcs", code=code, category=category, long_description=long_text, short_description=short_text)
    linked = ("chartevents", "datetimeevents", "inputevents", "ingredientevents", "outputevents", "procedureevents")
    for (charted,) in sorted({item for table in linked for item in rows.columns(table, "itemid")}):
        item = codes.CHARTED_ITEMS[charted]
        rows.add(
            "d_items", itemid=charted, label=item.label, abbreviation=item.abbreviation, linksto=item.linksto,
            category=item.category, unitname=item.unit, param_type=item.param_type,
        )  # fmt: skip


def write_tables(folder: Path, rows: Rows) -> None:
    """One `csv.gz` a table below `folder`, headers and column order exactly MIMIC-IV's."""
    for table in HOSPITAL_TABLES:
        place = table.module if table.module in {"hosp", "icu"} else "extra"
        write_csv_gz(folder / place / f"{table.name}.csv.gz", table.header, rows.tables[table.name])

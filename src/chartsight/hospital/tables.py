"""MIMIC-IV's folders for a list of patients: `mimic-iv/hosp`, `mimic-iv/icu`, and charges in `mimic-iv/extra`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import numpy as np

from chartsight.hospital import codes, icd, identifiers
from chartsight.hospital.admissions import add_admission, add_patient, add_visit
from chartsight.hospital.charges import add_charges
from chartsight.hospital.csv_files import CsvFile
from chartsight.hospital.intensive_care import Stay, add_stay
from chartsight.hospital.labs import add_admission_labs, add_cultures, add_visit_cultures, add_visit_labs
from chartsight.hospital.orders import OrderBook, add_orders
from chartsight.hospital.patients import Patient
from chartsight.hospital.rows import HOSPITAL_TABLES, Rows

PROVIDERS, CAREGIVERS = 60, 40
TABLES_STREAM = 1  # of the generators: findings and bodies use none, tables this one
VISIT_CULTURES_STREAM = 26  # of their own, so that they move nothing else
CHARTED_TABLES = ("chartevents", "datetimeevents", "inputevents", "ingredientevents", "outputevents", "procedureevents")


@dataclass(frozen=True)
class Staff:
    """Who writes orders and who charts in intensive care."""

    providers: list[str]
    caregivers: list[int]


@dataclass
class UsedCodes:
    """The codes that rows have used so far, for the dictionaries."""

    diagnoses: set[tuple[str, int]] = field(default_factory=set)
    procedures: set[tuple[str, int]] = field(default_factory=set)
    labs: set[int] = field(default_factory=set)
    services: set[str] = field(default_factory=set)
    charted: set[int] = field(default_factory=set)

    def note(self, rows: Rows) -> None:
        """Add the codes of these rows."""
        self.diagnoses.update(rows.columns("diagnoses_icd", "icd_code", "icd_version"))
        self.procedures.update(rows.columns("procedures_icd", "icd_code", "icd_version"))
        self.labs.update(item for (item,) in rows.columns("labevents", "itemid"))
        self.services.update(code for (code,) in rows.columns("hcpcsevents", "hcpcs_cd"))
        for table in CHARTED_TABLES:
            self.charted.update(item for (item,) in rows.columns(table, "itemid"))


def choose_staff(seed: int) -> Staff:
    """The hospital's own."""
    rng = np.random.default_rng([seed, 0x5AFF])
    providers = identifiers.provider_ids(rng, PROVIDERS)
    caregivers = sorted(int(each) for each in rng.choice(np.arange(400, 99_000), CAREGIVERS, replace=False))
    return Staff(providers, caregivers)


def build_life(patient: Patient, seed: int, staff: Staff, written: Mapping[str, int]) -> Rows:
    """All rows of one patient, charges included; keys that count go on after the rows already `written`."""
    rows = Rows(written)
    rng = np.random.default_rng([seed, patient.subject_id, TABLES_STREAM])
    cultures = np.random.default_rng([seed, patient.subject_id, VISIT_CULTURES_STREAM])
    add_patient(rows, patient)
    for visit in patient.visits:
        add_visit(rows, rng, patient, visit)
        add_visit_labs(rows, rng, patient, visit, str(rng.choice(staff.providers)))
        add_visit_cultures(rows, cultures, patient, visit)
    book = OrderBook(rows, rng, patient, staff.providers)
    for episode in patient.episodes:
        provider = str(rng.choice(staff.providers))
        stay_id = add_admission(rows, rng, patient, episode, provider)
        add_admission_labs(rows, rng, patient, episode, provider)
        add_cultures(rows, rng, patient, episode)
        add_orders(book, episode)
        if stay_id is not None:
            add_stay(Stay(rows, rng, patient, episode, stay_id, staff.caregivers))
    add_charges(rows, seed)
    return rows


def build_tables(patients: Iterable[Patient], seed: int) -> Rows:
    """Every row of every table in memory, patient by patient: for a small hospital."""
    staff, used, rows = choose_staff(seed), UsedCodes(), Rows()
    for patient in patients:
        life = build_life(patient, seed, staff, rows.counts())
        used.note(life)
        rows.extend(life)
    rows.extend(build_dictionaries(used, staff))
    return rows


class TableFiles:
    """MIMIC-IV's files while they grow, patient by patient; memory holds one patient's rows at a time.

    with TableFiles(folder / "mimic-iv", seed=7) as tables:
        for patient in iterate_patients(config):
            tables.add(patient)
    tables.counts  # rows by table

    The dictionaries are written on leaving, when it is known which codes were used.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.seed = folder, seed
        self.staff, self.used = choose_staff(seed), UsedCodes()
        self.stack = ExitStack()
        self.files: dict[str, CsvFile] = {}

    def __enter__(self) -> TableFiles:
        for table in HOSPITAL_TABLES:
            place = table.module if table.module in {"hosp", "icu"} else "extra"
            path = self.folder / place / f"{table.name}.csv.gz"
            self.files[table.name] = self.stack.enter_context(CsvFile(path, table.header))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None:
            self.write(build_dictionaries(self.used, self.staff))
        self.stack.__exit__(kind, error, traceback)

    @property
    def counts(self) -> Mapping[str, int]:
        """Rows written, by table."""
        return {name: file.count for name, file in self.files.items()}

    def add(self, patient: Patient) -> None:
        """Write every row of one patient."""
        life = build_life(patient, self.seed, self.staff, self.counts)
        self.used.note(life)
        self.write(life)

    def write(self, rows: Rows) -> None:
        """Append rows to their files."""
        for name, each in rows.tables.items():
            if each:
                self.files[name].add(each)


def write_tables(folder: Path, patients: Iterable[Patient], seed: int) -> Mapping[str, int]:
    """One `csv.gz` a table below `folder`, headers and column order exactly MIMIC-IV's; rows by table.

    Patients are consumed one by one, so that memory does not grow with the hospital.
    """
    with TableFiles(folder, seed) as tables:
        for patient in patients:
            tables.add(patient)
    return tables.counts


def build_dictionaries(used: UsedCodes, staff: Staff) -> Rows:
    """The d_* tables, with the codes that the other tables use and no more, and the staff."""
    rows = Rows()
    for code, version in sorted(used.diagnoses):
        rows.add("d_icd_diagnoses", icd_code=code, icd_version=version, long_title=icd.DIAGNOSIS_TITLES[code, version])
    for code, version in sorted(used.procedures):
        rows.add("d_icd_procedures", icd_code=code, icd_version=version, long_title=icd.PROCEDURE_TITLES[code, version])
    for number in sorted(used.labs):
        test = codes.LAB_ITEMS[number]
        rows.add("d_labitems", itemid=number, label=test.label, fluid=test.fluid, category=test.category)
    for code in sorted(used.services):
        category, long_text, short_text = codes.HCPCS[code]
        rows.add("d_hcpcs", code=code, category=category, long_description=long_text, short_description=short_text)
    for number in sorted(used.charted):
        item = codes.CHARTED_ITEMS[number]
        rows.add(
            "d_items", itemid=number, label=item.label, abbreviation=item.abbreviation, linksto=item.linksto,
            category=item.category, unitname=item.unit, param_type=item.param_type,
        )  # fmt: skip
    for provider in staff.providers:
        rows.add("provider", provider_id=provider)
    for caregiver in staff.caregivers:
        rows.add("caregiver", caregiver_id=caregiver)
    return rows

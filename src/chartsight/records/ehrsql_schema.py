"""The 17 tables of the EHRSQL-2024 database, and the choices of names that its authors made.

    admissions | row_id | subject_id | hadm_id  | admittime           | dischtime | ... | age
               | 0      | 10004235   | 24181354 | 2100-03-16 18:55:00 |           | ... | 47

All text is lower-cased and stripped; times are text; a table's `row_id` counts its rows from 0.

Source: github.com/glee4810/ehrsql-2024 (data version 1.1.1), the declared tables and the names kept in one table only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

NOW = "2100-12-31 23:59:00"  # the time at which every question is asked

SQLITE_TYPES: Mapping[str, str] = {"int": "INT", "text": "VARCHAR", "time": "TIMESTAMP", "float": "DOUBLE PRECISION"}


@dataclass(frozen=True)
class PublishedTable:
    """One table as SQLite declares it. Types and keys decide which index a query walks, and so the order of its rows.

    Args:
        name: Of the table.
        columns: (name, type, mark): `!` may not be null, `*` may not be null or stand twice.
        parents: Column → the table that it refers to, by a column of the same name.
    """

    name: str
    columns: tuple[tuple[str, str, str], ...]
    parents: Mapping[str, str]

    @property
    def header(self) -> tuple[str, ...]:
        """Column names in order."""
        return tuple(name for name, _, _ in self.columns)

    def render_sql(self) -> str:
        """Its CREATE TABLE statement."""
        marks = {"": "", "!": " NOT NULL", "*": " NOT NULL UNIQUE"}
        parts = ["row_id INT NOT NULL PRIMARY KEY"]
        parts += [f"{name} {SQLITE_TYPES[kind]}{marks[mark]}" for name, kind, mark in self.columns[1:]]
        parts += [f"FOREIGN KEY ({column}) REFERENCES {parent} ({column})" for column, parent in self.parents.items()]
        return f"CREATE TABLE {self.name} (\n    " + ",\n    ".join(parts) + "\n)"


def published_table(name: str, declared: str, **parents: str) -> PublishedTable:
    """A table from its declaration: `name type` with a mark, separated by commas; `row_id` is added in front."""
    columns = [("row_id", "int", "*")]
    for part in declared.split(","):
        column, kind = part.split()
        columns.append((column, kind.rstrip("!*"), kind[len(kind.rstrip("!*")) :]))
    return PublishedTable(name, tuple(columns), parents)


# In the order in which they are filled, so that a table's rows come after those they refer to. Only `cost.event_id` has
# no parent here: by `event_type` it is the row_id of one of four tables.
PUBLISHED_TABLES: tuple[PublishedTable, ...] = (
    published_table("patients", "subject_id int*, gender text!, dob time!, dod time"),
    published_table("admissions", """subject_id int!, hadm_id int*, admittime time!, dischtime time,
        admission_type text!, admission_location text!, discharge_location text, insurance text!, language text,
        marital_status text, age int!""", subject_id="patients"),
    published_table("d_icd_diagnoses", "icd_code text*, long_title text!"),
    published_table("d_icd_procedures", "icd_code text*, long_title text!"),
    published_table("d_labitems", "itemid int*, label text"),
    published_table("d_items", "itemid int*, label text!, abbreviation text!, linksto text!"),
    published_table("diagnoses_icd", "subject_id int!, hadm_id int!, icd_code text!, charttime time!",
        hadm_id="admissions", icd_code="d_icd_diagnoses"),
    published_table("procedures_icd", "subject_id int!, hadm_id int!, icd_code text!, charttime time!",
        hadm_id="admissions", icd_code="d_icd_procedures"),
    published_table("labevents", """subject_id int!, hadm_id int!, itemid int!, charttime time, valuenum float,
        valueuom text""", hadm_id="admissions", itemid="d_labitems"),
    published_table("prescriptions", """subject_id int!, hadm_id int!, starttime time!, stoptime time, drug text!,
        dose_val_rx text!, dose_unit_rx text!, route text!""", hadm_id="admissions"),
    published_table("cost", """subject_id int!, hadm_id int!, event_type text!, event_id int!, chargetime time!,
        cost float!""", hadm_id="admissions"),
    published_table("icustays", """subject_id int!, hadm_id int!, stay_id int*, first_careunit text!,
        last_careunit text!, intime time!, outtime time""", hadm_id="admissions"),
    published_table("chartevents", """subject_id int!, hadm_id int!, stay_id int!, itemid int!, charttime time!,
        valuenum float, valueuom text""", hadm_id="admissions", stay_id="icustays", itemid="d_items"),
    published_table("inputevents", """subject_id int!, hadm_id int!, stay_id int!, starttime time!, itemid int!,
        totalamount float, totalamountuom text""", hadm_id="admissions", stay_id="icustays", itemid="d_items"),
    published_table("outputevents", """subject_id int!, hadm_id int!, stay_id int!, charttime time!, itemid int!,
        value float, valueuom text""", hadm_id="admissions", stay_id="icustays", itemid="d_items"),
    published_table("microbiologyevents", """subject_id int!, hadm_id int!, charttime time!, spec_type_desc text,
        test_name text, org_name text""", hadm_id="admissions"),
    published_table("transfers", """subject_id int!, hadm_id int!, transfer_id int!, eventtype text!, careunit text,
        intime time!, outtime time""", hadm_id="admissions"),
)  # fmt: skip

# The vital signs that are kept of all charted events.
VITAL_ITEMS: Mapping[str, int] = {
    "body temperature": 223762, "oxygen saturation": 220277, "heart rate": 220045, "respiratory rate": 220210,
    "arterial blood pressure, systolic": 220050, "arterial blood pressure, diastolic": 220051,
    "arterial blood pressure, mean": 220052, "daily weight": 224639, "height": 226730,
}  # fmt: skip

# A question about "heparin" must mean one thing: a name that is a laboratory test, an ICU item and a drug at once stays
# in one place. The authors chose by frequency; counted in the demo it would be another choice, so theirs is listed.
_KEPT_IN: Mapping[str, str] = {
    "labevents": """albumin, carbamazepine, estradiol, factor xiii, iron, lithium, magnesium, oxycodone, phenytoin,
        sodium, testosterone, theophylline, thrombin, tobramycin, valproic acid""",
    "prescriptions": """acetaminophen, amikacin, d, digoxin, gentamicin, heparin, insulin, lidocaine, methotrexate,
        phenobarbital, potassium, primidone, procainamide, progesterone, quinidine, test, vancomycin, zinc""",
    "inputevents": """acetylcysteine, acyclovir, adenosine, albumin 25%, albumin 5%, ambisome, aminophylline,
        amiodarone, ampicillin, argatroban, atovaquone, atropine, azithromycin, aztreonam, calcium chloride,
        calcium gluconate, caspofungin, cefazolin, cefepime, ceftaroline, ceftazidime, ceftriaxone, chloroquine,
        ciprofloxacin, cisatracurium, citrate, clindamycin, colistin, cyclosporine, d5 1/2ns, d5 1/4ns, d5lr, d5ns,
        daptomycin, dextrose 5%, dextrose 50%, dilantin, diltiazem, dobutamine, dopamine, doxycycline, ensure,
        epinephrine, epoprostenol (veletri), erythromycin, esmolol, factor viii, fentanyl, fluconazole, folate,
        folic acid, fondaparinux, foscarnet, fosphenytoin, heparin sodium, hydralazine, hydrochloric acid,
        hydromorphone (dilaudid), isoniazid, keflex, ketamine, labetalol, lepirudin, levofloxacin, linezolid, lr,
        magnesium sulfate, mannitol, mannitol 20%, meropenem, metoprolol, metronidazole, micafungin, milrinone,
        morphine sulfate, moxifloxacin, multivitamins, nafcillin, nesiritide, nicardipine, nitroglycerin,
        norepinephrine, octreotide, oxacillin, pamidronate, penicillin g potassium, phenylephrine, potassium acetate,
        potassium chloride, potassium phosphate, propofol, protamine sulfate, pyrazinamide, ranitidine, ribavirin,
        rifampin, rocuronium, sodium acetate, sodium bicarbonate 8.4%, solution, sterile water, tamiflu, thiamine,
        tigecycline, vasopressin, verapamil, voriconazole""",
}
KEPT_IN: Mapping[str, str] = {
    name: table for table, names in _KEPT_IN.items() for name in " ".join(names.split()).split(", ")
}

# Titles of diagnoses that are titles of procedures as well; they stay among the procedures.
TITLES_OF_PROCEDURES = (
    "artificial insemination",
    "dental examination",
    "insertion of intrauterine contraceptive device",
)

# Texts that the authors' reader (pandas) takes for an absent value, as they stand in a file.
ABSENT_TEXTS = (
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>",
    "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null",
)  # fmt: skip

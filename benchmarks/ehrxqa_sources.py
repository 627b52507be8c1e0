"""Folders for the parity of EHRXQA's database: the synthetic hospital as drawn, and with what real sources hold.

as drawn   one release of the synthetic hospital
rough      gaps, blanks and capitals, several units a drug, doses with commas, codes with two titles, items that no
           dictionary knows, decimals of 16 digits, films without boxes, boxes too wide, two frontal films a study,
           contradicting sentences, places and findings that the benchmark leaves out, procedures outside the stay
numeric    procedures with codes of digits only: text that the published reader takes for numbers
pieces     files so long that they are read in several pieces, of which some hold only numbers: what stands in those
           loses its leading zeros, and codes that are then unknown are lost
"""

from __future__ import annotations

import csv
import gzip
import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path

Row = dict[str, str]
METADATA = "mimic-cxr-jpg/mimic-cxr-2.0.0-metadata.csv.gz"
TABULAR = "chest-imagenome/silver_dataset/scene_tabular"
STATEMENTS, BOXES = f"{TABULAR}/attribute_relations_tabular.txt", f"{TABULAR}/bbox_objects_tabular.txt"
GOLD = "chest-imagenome/gold_dataset/gold_attributes_relations_500pts_500studies1st.txt"
ONTOLOGY = "chest-imagenome/semantics/label_to_UMLS_mapping.json"
VARIANTS = ("as drawn", "rough", "numeric", "pieces")
PIECES = {"prescriptions": 32_768, "diagnoses_icd": 131_072}  # rows that the published reader types together


def copy_sources(hospital: Path, out: Path) -> None:
    """The folders that EHRXQA reads, without films and scene graphs."""
    shutil.copytree(hospital / "mimic-iv", out / "mimic-iv")
    shutil.copytree(
        hospital / "chest-imagenome", out / "chest-imagenome", ignore=shutil.ignore_patterns("scene_graph", "splits")
    )
    (out / "mimic-cxr-jpg").mkdir()
    shutil.copy(hospital / METADATA, out / METADATA)
    shutil.copy(hospital / "run.json", out / "run.json")  # says that it is synthetic


def make_variant(hospital: Path, out: Path, variant: str, seed: int) -> None:
    """A copy of the hospital's folders at `out`, changed as the variant says."""
    copy_sources(hospital, out)
    if variant == "rough":
        roughen(out, random.Random(seed))
    if variant == "numeric":
        only_digits(out)
    if variant == "pieces":
        in_pieces(out)


def edit(path: Path, change: Callable[[list[Row]], list[Row]], tabs: bool = False) -> None:
    """Rewrite a table."""
    packed = path.suffix == ".gz"
    with gzip.open(path, "rt", newline="") if packed else path.open(newline="") as file:
        reader = csv.DictReader(file, delimiter="\t" if tabs else ",")
        header, rows = list(reader.fieldnames or ()), list(reader)
    with gzip.open(path, "wt", newline="") if packed else path.open("w", newline="") as file:
        writer = csv.DictWriter(file, header, delimiter="\t" if tabs else ",", lineterminator="\n")
        writer.writeheader()
        writer.writerows(change(rows))


def roughen(out: Path, draws: random.Random) -> None:
    """What real sources hold besides, in every table."""
    hosp, icu = out / "mimic-iv" / "hosp", out / "mimic-iv" / "icu"

    def blank(row: Row, *columns: str, share: float = 0.05) -> Row:
        return row | {name: "" for name in columns if draws.random() < share}

    def sloppy(text: str) -> str:
        return draws.choice((text, text.upper(), f" {text}", f"{text}  ", text.title())) if text else text

    def labs(rows: list[Row]) -> list[Row]:
        return [
            blank(row, "valuenum", "valueuom", "hadm_id")
            | {"valuenum": draws.choice((row["valuenum"], repr(draws.uniform(0, 90)), f"{draws.expovariate(9):.4f}"))}
            | {"valueuom": sloppy(row["valueuom"]), "itemid": draws.choice([row["itemid"]] * 30 + ["59999"])}
            for row in rows
        ]

    def orders(rows: list[Row]) -> list[Row]:
        doses = ("1,000", "0.5", "1-2", "40", "2", "1,250", "NaN", "325")
        return [
            blank(row, "route", "stoptime", "dose_unit_rx")
            | {"dose_val_rx": draws.choice(doses), "drug": sloppy(row["drug"])}
            | {"dose_unit_rx": draws.choice((row["dose_unit_rx"], row["dose_unit_rx"], "mg", "TAB", ""))}
            for row in rows
        ]

    def charted(rows: list[Row]) -> list[Row]:
        return [
            blank(row, "valuenum", "valueuom") | {"valueuom": sloppy(row["valueuom"])}
            | ({"valuenum": repr(draws.uniform(30, 150))} if row["valuenum"] and draws.random() < 0.2 else {})
            for row in rows
        ]  # fmt: skip

    def fluids(amount: str, unit: str) -> Callable[[list[Row]], list[Row]]:
        def change(rows: list[Row]) -> list[Row]:
            return [
                blank(row, amount, unit, share=0.03)
                | {unit: draws.choice((row[unit], "mL", " ml", "mg")), amount: repr(draws.uniform(0, 900))}
                | {"itemid": draws.choice([row["itemid"]] * 20 + ["229999"])}
                for row in rows
            ]

        return change

    def cultures(rows: list[Row]) -> list[Row]:
        return [
            blank(row, "charttime", "hadm_id", "org_name", "test_name", share=0.15)
            | {"org_name": sloppy(row["org_name"])}
            for row in rows
        ]  # fmt: skip

    def procedures(rows: list[Row]) -> list[Row]:
        far = ("2100-01-01", "2199-12-31")
        return [row | ({"chartdate": draws.choice(far)} if draws.random() < 0.1 else {}) for row in rows]

    def codes(rows: list[Row]) -> list[Row]:
        changed = []
        for row in rows:
            changed.append(row | {"long_title": sloppy(row["long_title"])})
            if draws.random() < 0.2:  # the same code in the other version, or another code of the same title
                changed.append(row | {"icd_version": "9", "long_title": f"{row['long_title']}, unspecified"})
            if draws.random() < 0.2:
                changed.append(row | {"icd_code": f"{row['icd_code']}9"})
        changed.insert(3, changed[3] | {"icd_code": "XX", "long_title": ""})
        return [row for row in changed if draws.random() < 0.95]

    def stays(rows: list[Row]) -> list[Row]:
        return [blank(row, "outtime") for row in rows]

    def transfers(rows: list[Row]) -> list[Row]:
        return [blank(row, "hadm_id", "careunit", "intime", "outtime", share=0.04) for row in rows]

    def admissions(rows: list[Row]) -> list[Row]:
        return [
            blank(row, "language", "marital_status", "discharge_location")
            | {"admission_type": sloppy(row["admission_type"])}
            for row in rows
        ]

    def people(rows: list[Row]) -> list[Row]:
        ages = ("8", "95", "10", "90")  # some too young, some too old
        return [row | ({"anchor_age": draws.choice(ages)} if draws.random() < 0.05 else {}) for row in rows]

    def labels(rows: list[Row]) -> list[Row]:
        return [row | {"label": sloppy(row["label"])} for row in rows if draws.random() < 0.97]

    def films(rows: list[Row]) -> list[Row]:
        changed = []
        for row in rows:
            changed.append(row)
            if row["ViewPosition"] in ("AP", "PA") and draws.random() < 0.1:
                twin = row["dicom_id"][::-1]
                at, second = float(row["StudyTime"]), draws.choice((0, 0, 1))
                later = f"{at + second if at % 100 < 59 else at:.3f}"
                changed.append(row | {"dicom_id": twin, "StudyTime": later})
            if draws.random() < 0.03:
                changed.append(row | {"dicom_id": f"{row['dicom_id'][:-1]}x", "ViewPosition": ""})
        return changed

    def boxes(rows: list[Row]) -> list[Row]:
        without, changed = set(), []
        for row in rows:
            image = row["object_id"].split("_")[0]
            if row["bbox_name"] == "abdomen" and draws.random() < 0.04:
                without.add(image)
            if image in without or draws.random() < 0.001:
                continue
            if draws.random() < 0.002:
                row = row | {"x2": "223", "width": "219"}
            changed.append(row)
        return changed

    def statements(rows: list[Row]) -> list[Row]:
        changed = []
        spared = {study for study in sorted({row["study_id"] for row in rows}) if draws.random() < 0.8}
        for row in rows:
            changed.append(row)
            if row["study_id"] in spared:  # some films without any finding must be left
                continue
            study, sentence = row["row_id"].split("|")
            turned = {"relation": str(1 - int(row["relation"])), "context": "no" if row["relation"] == "1" else "yes"}
            if draws.random() < 0.05:  # the same sentence says both
                changed.append(row | turned)
            if draws.random() < 0.05:  # a later one says the contrary
                changed.append(row | turned | {"row_id": f"{study}|{int(sentence) + draws.randint(1, 9)}"})
            if draws.random() < 0.03:
                changed.append(row | {"bbox": draws.choice(("unknown", "left arm", "spine", "neck", "svc"))})
            if draws.random() < 0.03 and row["categoryID"] != "nlp":
                name = draws.choice(("bronchiectasis", "skin fold", "artifact", "sternotomy wires"))
                changed.append(row | {"label_name": name, "categoryID": "anatomicalfinding"})
        return changed

    for name, change in {
        "labevents": labs, "prescriptions": orders, "microbiologyevents": cultures, "procedures_icd": procedures,
        "d_icd_diagnoses": codes, "d_icd_procedures": codes, "transfers": transfers, "admissions": admissions,
        "patients": people, "d_labitems": labels,
    }.items():  # fmt: skip
        edit(hosp / f"{name}.csv.gz", change)
    for name, change in {
        "chartevents": charted, "inputevents": fluids("amount", "amountuom"),
        "outputevents": fluids("value", "valueuom"), "icustays": stays, "d_items": labels,
    }.items():  # fmt: skip
        edit(icu / f"{name}.csv.gz", change)
    edit(out / METADATA, films)
    edit(out / BOXES, boxes, tabs=True)
    edit(out / STATEMENTS, statements, tabs=True)
    edit(out / GOLD, statements, tabs=True)
    ontology = json.loads((out / ONTOLOGY).read_text("utf-8"))
    both_lungs = ["left lung", "right lung"]
    ontology["possible_attribute_of"] |= dict.fromkeys(("bronchiectasis", "skin fold", "sternotomy wires"), both_lungs)
    (out / ONTOLOGY).write_text(json.dumps(ontology), "utf-8")


def only_digits(out: Path) -> None:
    """Procedures by codes of digits, with leading zeros; the first results without decimals."""
    hosp = out / "mimic-iv" / "hosp"

    def digits(rows: list[Row]) -> list[Row]:
        return [row | {"icd_code": f"0{int(row['icd_code'], 36) % 1000:03d}"} for row in rows]

    for name in ("procedures_icd", "d_icd_procedures"):
        edit(hosp / f"{name}.csv.gz", digits)
    edit(
        hosp / "prescriptions.csv.gz",
        lambda rows: [row | {"dose_val_rx": str(10 + n % 7)} for n, row in enumerate(rows)],
    )


def in_pieces(out: Path) -> None:
    """Two files of more than one piece, the first piece of numbers only."""
    hosp = out / "mimic-iv" / "hosp"
    codes = ("0389", "4019", "0010", "99591")

    def repeated(rows: list[Row], count: int) -> list[Row]:
        return [rows[n % len(rows)] for n in range(count)]

    def orders(rows: list[Row]) -> list[Row]:
        piece = PIECES["prescriptions"]
        long = repeated(rows, piece + len(rows))
        return [
            row | {"dose_val_rx": str(n % 9) if n < piece else ("1-2", "010", "5")[n % 3]} for n, row in enumerate(long)
        ]

    def diagnoses(rows: list[Row]) -> list[Row]:
        piece = PIECES["diagnoses_icd"]
        long = repeated(rows, piece + len(rows))
        return [row | ({"icd_code": codes[n % len(codes)]} if n < piece else {}) for n, row in enumerate(long)]

    def titles(rows: list[Row]) -> list[Row]:
        known = {row["icd_code"] for row in rows}
        wanted = [code for code in (*codes, "10") if code not in known]
        return rows + [{"icd_code": code, "icd_version": "9", "long_title": f"title of {code}"} for code in wanted]

    edit(hosp / "prescriptions.csv.gz", orders)
    edit(hosp / "diagnoses_icd.csv.gz", diagnoses)
    edit(hosp / "d_icd_diagnoses.csv.gz", titles)

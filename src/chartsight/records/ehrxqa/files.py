"""The files that EHRXQA is made from: what each must hold, where it comes from, and whether it is the right release."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chartsight.errors import RecordError
from chartsight.records.ehrxqa.config import EhrxqaSources
from chartsight.records.mimiciv import read_header
from chartsight.records.sources import synthetic_manifest

ORIGINS: Mapping[str, str] = {
    "mimiciv": "MIMIC-IV 2.2, physionet.org/content/mimiciv/2.2",
    "mimic-cxr-jpg": "MIMIC-CXR-JPG 2.0.0, physionet.org/content/mimic-cxr-jpg/2.0.0",
    "chest-imagenome": "Chest ImaGenome 1.0.0, physionet.org/content/chest-imagenome/1.0.0",
}
PATIENTS_OF_RELEASE = {299_712: "2.2", 299_777: "2.0 or 2.1", 364_627: "3.0 or 3.1", 100: "the demo"}
RELEASE = "2.2"


@dataclass(frozen=True)
class Source:
    """One table that is read.

    Args:
        name: Of the step that reads it.
        folder: The data set, by the name of its flag.
        path: Inside the data set, without `.gz`.
        whole: Columns of whole numbers.
        numbers: Columns of numbers.
        text: All other columns that are read.
        tabs: Separated by tabs.
    """

    name: str
    folder: str
    path: str
    whole: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    text: tuple[str, ...] = ()
    tabs: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that is read."""
        return (*self.whole, *self.numbers, *self.text)


def source(folder: str, path: str, whole: str = "", numbers: str = "", text: str = "", name: str = "") -> Source:
    """A table from its declaration: names of columns, separated by blanks."""
    stem = name or path.rsplit("/", 1)[-1].rsplit(".", 1)[0]
    return Source(
        stem, folder, path, tuple(whole.split()), tuple(numbers.split()), tuple(text.split()), path.endswith(".txt")
    )


ATTRIBUTES = "silver_dataset/scene_tabular/attribute_relations_tabular.txt"
SCENE_GRAPHS = "silver_dataset/scene_graph"
SEMANTICS = (
    "semantics/attribute_relations_v1.txt",
    "semantics/label_to_UMLS_mapping.json",
    "semantics/objects_extracted_from_reports_v1.txt",
)
TABLES: tuple[Source, ...] = (
    source("mimic-cxr-jpg", "mimic-cxr-2.0.0-metadata.csv", "subject_id study_id", "StudyTime",
           "dicom_id ViewPosition StudyDate", name="films"),
    source("chest-imagenome", "silver_dataset/scene_tabular/bbox_objects_tabular.txt", "", "x1 x2 width",
           "object_id bbox_name", name="boxes"),
    source("chest-imagenome", ATTRIBUTES, "study_id relation", "",
           "image_id row_id bbox categoryID label_name", name="statements"),
    source("chest-imagenome", "gold_dataset/gold_attributes_relations_500pts_500studies1st.txt",
           "patient_id study_id relation", "", "image_id row_id bbox categoryID label_name", name="gold_statements"),
    source("chest-imagenome", "gold_dataset/gold_bbox_coordinate_annotations_1000images.csv", "", "",
           "image_id bbox_name coord224", name="gold_boxes"),
    source("mimiciv", "hosp/patients.csv", "subject_id anchor_age anchor_year", "", "gender dod"),
    source("mimiciv", "hosp/admissions.csv", "subject_id hadm_id", "", """admittime dischtime admission_type
           admission_location discharge_location insurance language marital_status"""),
    source("mimiciv", "hosp/transfers.csv", "subject_id hadm_id transfer_id", "", "eventtype careunit intime outtime"),
    source("mimiciv", "icu/icustays.csv", "subject_id hadm_id stay_id", "", """first_careunit last_careunit
           intime outtime"""),
    source("mimiciv", "hosp/d_icd_diagnoses.csv", "", "", "icd_code long_title"),
    source("mimiciv", "hosp/d_icd_procedures.csv", "", "", "icd_code long_title"),
    source("mimiciv", "hosp/d_labitems.csv", "itemid", "", "label"),
    source("mimiciv", "icu/d_items.csv", "itemid", "", "label abbreviation linksto"),
    source("mimiciv", "hosp/diagnoses_icd.csv", "subject_id hadm_id", "", "icd_code"),
    source("mimiciv", "hosp/procedures_icd.csv", "subject_id hadm_id", "", "chartdate icd_code"),
    source("mimiciv", "hosp/labevents.csv", "subject_id hadm_id itemid", "valuenum", "charttime valueuom"),
    source("mimiciv", "hosp/prescriptions.csv", "subject_id hadm_id", "", """starttime stoptime drug dose_val_rx
           dose_unit_rx route"""),
    source("mimiciv", "hosp/microbiologyevents.csv", "subject_id hadm_id", "", """chartdate charttime spec_type_desc
           test_name org_name"""),
    source("mimiciv", "icu/inputevents.csv", "subject_id hadm_id stay_id itemid", "amount", "starttime amountuom"),
    source("mimiciv", "icu/outputevents.csv", "subject_id hadm_id stay_id itemid", "value", "charttime valueuom"),
    source("mimiciv", "icu/chartevents.csv", "subject_id hadm_id stay_id itemid", "valuenum", "charttime valueuom"),
)  # fmt: skip
SOURCES: Mapping[str, Source] = {each.name: each for each in TABLES}
DICTIONARIES = ("d_icd_diagnoses", "d_icd_procedures", "d_labitems", "d_items")
EVENT_FILES = (  # read when the cohort is known, because its rows are kept apart; the longest first
    "chartevents", "labevents", "inputevents", "prescriptions", "microbiologyevents", "diagnoses_icd", "outputevents",
    "procedures_icd",
)  # fmt: skip


@dataclass(frozen=True)
class Found:
    """Where everything stands.

    Args:
        tables: Source → file.
        semantics: The vocabulary and ontology of Chest ImaGenome, in the order of `SEMANTICS`.
        scene_graphs: The folder or zip to read statements and boxes from; None when their tables are there.
    """

    tables: Mapping[str, Path]
    semantics: tuple[Path, ...]
    scene_graphs: Path | None

    def paths(self) -> list[Path]:
        """All files that are read, scene graphs counted as one."""
        graphs = [self.scene_graphs] if self.scene_graphs is not None else []
        return [*self.tables.values(), *self.semantics, *graphs]

    def describe(self) -> list[dict[str, Any]]:
        """Path, size and time of change of each: enough to see that a file was exchanged."""
        stats = [(path, path.stat()) for path in self.paths()]
        return [{"path": str(path.resolve()), "bytes": s.st_size, "changed": s.st_mtime_ns} for path, s in stats]


def find_files(sources: EhrxqaSources) -> Found:
    """Every file that is needed, its header checked.

    Raises:
        RecordError: A folder or files are missing (all are named, and where they come from), or columns are.
    """
    folders = sources.folders()
    for flag, folder in folders.items():
        if not folder.is_dir():
            raise RecordError("missing-source", folder, "no such folder", f"the folder of --{flag}", ORIGINS[flag])
    tables: dict[str, Path] = {}
    missing: dict[str, list[str]] = {}
    for each in TABLES:
        path = find_file(folders[each.folder], each.path)
        if path is not None:
            tables[each.name] = path
        else:
            missing.setdefault(each.folder, []).append(each.path + (".gz" if each.path.endswith(".csv") else ""))
    graphs = find_scene_graphs(folders["chest-imagenome"])
    if graphs is not None:
        from_graphs = {SOURCES["statements"].path, SOURCES["boxes"].path}
        missing["chest-imagenome"] = [each for each in missing.get("chest-imagenome", []) if each not in from_graphs]
    for name in SEMANTICS:
        if not (folders["chest-imagenome"] / name).is_file():
            missing.setdefault("chest-imagenome", []).append(name)
    missing = {flag: names for flag, names in missing.items() if names}
    if missing:
        count = sum(map(len, missing.values()))
        parts = [f"in {folders[flag]} {', '.join(names)} ({ORIGINS[flag]})" for flag, names in missing.items()]
        raise RecordError(
            "missing-file", "records build-ehrxqa", f"{count} files are missing: " + "; ".join(parts),
            hint="download them with your own PhysioNet account",
        )  # fmt: skip
    for name, path in tables.items():
        check_columns(SOURCES[name], path)
    needs_graphs = "statements" not in tables or "boxes" not in tables
    semantics = tuple(folders["chest-imagenome"] / name for name in SEMANTICS)
    return Found(tables, semantics, graphs if needs_graphs else None)


def find_file(folder: Path, name: str) -> Path | None:
    """The file, gzipped or not."""
    for path in (folder / f"{name}.gz", folder / name):
        if path.is_file():
            return path
    return None


def find_scene_graphs(folder: Path) -> Path | None:
    """Chest ImaGenome's scene graphs: the folder, or the zip as downloaded."""
    unpacked, packed = folder / SCENE_GRAPHS, folder / f"{SCENE_GRAPHS}.zip"
    if unpacked.is_dir():
        return unpacked
    if packed.is_file():
        if not zipfile.is_zipfile(packed):
            raise RecordError("truncated-file", packed, "is no zip", "scene_graph.zip as downloaded", "fetch it again")
        return packed
    return None


def file_columns(each: Source, path: Path) -> list[str]:
    """The header of a file."""
    header = read_header(path)
    return header if not each.tabs else header[0].split("\t") if len(header) == 1 else "\x00".join(header).split("\t")


def check_columns(each: Source, path: Path) -> None:
    """Nothing, when the file has every column that is read.

    Raises:
        RecordError: It lacks some; all are named.
    """
    header = file_columns(each, path)
    missing = [name for name in each.columns if name not in header]
    if missing:
        raise RecordError(
            "wrong-header", path, f"has no column {', '.join(missing)}", f"the layout of {ORIGINS[each.folder]}",
        )  # fmt: skip
    if len(set(header)) < len(header):
        raise RecordError("wrong-header", path, "a column stands twice", f"the layout of {ORIGINS[each.folder]}")


def check_release(patients: Path, count: int, *, any_version: bool) -> None:
    """Nothing, when MIMIC-IV is the release that the published questions were answered on, or a synthetic hospital.

    Raises:
        RecordError: It has another number of patients.
    """
    folder = patients.parent.parent
    if any_version or synthetic_manifest(folder) is not None or PATIENTS_OF_RELEASE.get(count) == RELEASE:
        return
    release = PATIENTS_OF_RELEASE.get(count)
    found = f"{count:,} patients" + (f", as MIMIC-IV {release}" if release else "")
    raise RecordError(
        "other-version", patients, found, f"the 299,712 of MIMIC-IV {RELEASE}",
        "the published answers hold for that release only; --any-version builds all the same",
    )  # fmt: skip


def read_json(path: Path) -> Any:
    """A JSON file.

    Raises:
        RecordError: It is none.
    """
    try:
        return json.loads(path.read_text("utf-8"))
    except (ValueError, RecursionError) as error:
        raise RecordError("truncated-file", path, "is no JSON", ORIGINS["chest-imagenome"], "fetch it again") from error

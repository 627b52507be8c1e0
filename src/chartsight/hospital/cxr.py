"""The files of MIMIC-CXR-JPG 2.0.0 (films, metadata, split, CheXpert and NegBio labels) and MIMIC-CXR's reports."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from chartsight.hospital.csv_files import write_csv_gz
from chartsight.hospital.patients import Patient, Study
from chartsight.hospital.reports import Assertion, Report
from chartsight.hospital.sites import (
    ATELECTASIS,
    CARDIOMEGALY,
    CONSOLIDATION,
    EDEMA,
    EFFUSION,
    NODULE,
    PACER,
    PNEUMOTHORAX,
    TUBE,
)
from chartsight.schema import (
    CHEXPERT_LABELS,
    CXR_FILES,
    CXR_LABEL_HEADER,
    CXR_METADATA_HEADER,
    CXR_SPLIT_HEADER,
)

CHEXPERT_OF: Mapping[str, str] = {
    ATELECTASIS: "Atelectasis",
    CARDIOMEGALY: "Cardiomegaly",
    CONSOLIDATION: "Consolidation",
    EDEMA: "Edema",
    EFFUSION: "Pleural Effusion",
    NODULE: "Lung Lesion",
    PACER: "Support Devices",
    PNEUMOTHORAX: "Pneumothorax",
    TUBE: "Support Devices",
    "lung opacity": "Lung Opacity",
    "pneumonia": "Pneumonia",
}
ALLOWED_BESIDE_NO_FINDING = {"Support Devices", "No Finding"}


@dataclass(frozen=True)
class Reading:
    """A study with its patient, its report, and the report as the labellers read it (the same without label noise)."""

    patient: Patient
    study: Study
    report: Report
    labelled: Report


def film_path(patient: Patient, study: Study) -> Path:
    """`files/p10/p10000032/s50000123/<dicom_id>.jpg`."""
    return study_folder(patient) / f"s{study.study_id}" / f"{study.dicom_id}.jpg"


def study_folder(patient: Patient) -> Path:
    """`files/p10/p10000032`."""
    return Path("files") / f"p{str(patient.subject_id)[:2]}" / f"p{patient.subject_id}"


def write_jpeg(path: Path, pixels: NDArray[np.uint8], quality: int) -> None:
    """A greyscale JPEG; encoded in memory first, so that a full disk is reported as one."""
    encoded = io.BytesIO()
    Image.fromarray(pixels).save(encoded, "JPEG", quality=quality)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encoded.getvalue())


def write_cxr_tables(folder: Path, readings: Sequence[Reading], film_size_px: int) -> None:
    """Metadata, split and both label files."""
    write_csv_gz(
        folder / CXR_FILES["metadata"], CXR_METADATA_HEADER, (metadata_row(each, film_size_px) for each in readings)
    )
    write_csv_gz(
        folder / CXR_FILES["split"],
        CXR_SPLIT_HEADER,
        ((r.study.dicom_id, r.study.study_id, r.patient.subject_id, r.patient.split) for r in readings),
    )
    for name in ("chexpert", "negbio"):
        write_csv_gz(folder / CXR_FILES[name], CXR_LABEL_HEADER, (label_row(each) for each in readings))


def metadata_row(reading: Reading, film_size_px: int) -> tuple[object, ...]:
    """One film: StudyDate as yyyymmdd, StudyTime as hhmmss.sss."""
    study = reading.study
    exam = "CHEST (PORTABLE AP)" if study.is_portable else "CHEST (PA)"
    view = "antero-posterior" if study.view == "AP" else "postero-anterior"
    return (
        study.dicom_id, reading.patient.subject_id, study.study_id, exam, study.view, film_size_px, film_size_px,
        f"{study.time:%Y%m%d}", f"{study.time:%H%M%S}.{study.seed % 1000:03d}", exam, view,
        "Recumbent" if study.is_portable else "Erect",
    )  # fmt: skip


def label_row(reading: Reading) -> tuple[object, ...]:
    """`subject_id, study_id` and the fourteen labels: 1.0 present, 0.0 absent, -1.0 uncertain, blank not mentioned."""
    labels = study_labels(a for sentence in reading.labelled.sentences for a in sentence.assertions)
    values = (None if labels.get(name) is None else f"{labels[name]:.1f}" for name in CHEXPERT_LABELS)
    return (reading.patient.subject_id, reading.study.study_id, *values)


def study_labels(assertions: Iterable[Assertion]) -> dict[str, float]:
    """CheXpert's study-level labels: present beats uncertain, uncertain beats absent."""
    strength = {1.0: 2, -1.0: 1, 0.0: 0}
    labels: dict[str, float] = {}
    for each in assertions:
        name = CHEXPERT_OF.get(each.attribute)
        if name is None:
            continue
        value = -1.0 if each.is_uncertain else float(each.is_present)
        if name not in labels or strength[value] > strength[labels[name]]:
            labels[name] = value
    if not any(value != 0 for name, value in labels.items() if name not in ALLOWED_BESIDE_NO_FINDING):
        labels["No Finding"] = 1.0
    return labels


def write_reports(folder: Path, readings: Sequence[Reading]) -> None:
    """`files/p10/p10000032/s50000123.txt` for every study."""
    for reading in readings:
        path = folder / study_folder(reading.patient) / f"s{reading.study.study_id}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(reading.report.text, "utf-8")

"""The files of MIMIC-CXR-JPG 2.0.0 (films, metadata, split, CheXpert and NegBio labels) and MIMIC-CXR's reports."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from chartsight.hospital.csv_files import CsvFile
from chartsight.hospital.film_request import View
from chartsight.hospital.open_files import OpenFiles
from chartsight.hospital.patients import Patient, Study
from chartsight.hospital.reports import Assertion, Report, exam_of
from chartsight.hospital.sites import (
    ATELECTASIS,
    CARDIOMEGALY,
    CLAVICLE_FRACTURE,
    CONGESTION,
    CONSOLIDATION,
    DEVICES,
    EDEMA,
    EFFUSION,
    PNEUMOTHORAX,
    RETICULATION,
    RIB_FRACTURE,
    SCARRING,
    WIDE_MEDIASTINUM,
)
from chartsight.schema import (
    CHEXPERT_LABELS,
    CXR_FILES,
    CXR_LABEL_HEADER,
    CXR_METADATA_HEADER,
    CXR_SPLIT_HEADER,
)

# What CheXpert's labeller makes of our sentences; broader attributes (`sites.BROADER_ATTRIBUTES`) are asserted beside
# them, so that a collapsed lobe is an atelectasis and a nodule a lung lesion.
# Source: CheXpert's mention lists ("vascular congestion" and "heart failure" are phrases of Edema).
CHEXPERT_OF: Mapping[str, str] = {
    ATELECTASIS: "Atelectasis",
    CARDIOMEGALY: "Cardiomegaly",
    CLAVICLE_FRACTURE: "Fracture",
    CONGESTION: "Edema",
    CONSOLIDATION: "Consolidation",
    EDEMA: "Edema",
    EFFUSION: "Pleural Effusion",
    "lung lesion": "Lung Lesion",
    "lung opacity": "Lung Opacity",
    PNEUMOTHORAX: "Pneumothorax",
    "pneumonia": "Pneumonia",
    RETICULATION: "Lung Opacity",
    RIB_FRACTURE: "Fracture",
    SCARRING: "Pleural Other",
    WIDE_MEDIASTINUM: "Enlarged Cardiomediastinum",
    **dict.fromkeys(DEVICES, "Support Devices"),
}
ALLOWED_BESIDE_NO_FINDING = {"Support Devices", "No Finding"}


@dataclass(frozen=True)
class Reading:
    """A study with its patient, its report, and the report as the labellers read it (the same without label noise)."""

    patient: Patient
    study: Study
    report: Report
    labelled: Report


def study_films(study: Study) -> tuple[tuple[str, View], ...]:
    """dicom_id and view of the study's films, the frontal one first."""
    frontal: tuple[str, View] = (study.dicom_id, study.view)
    return (frontal,) if study.lateral_dicom_id is None else (frontal, (study.lateral_dicom_id, "LATERAL"))


def film_path(patient: Patient, study: Study, dicom_id: str, suffix: str = ".jpg") -> Path:
    """`files/p10/p10000032/s50000123/<dicom_id>.jpg`."""
    return study_folder(patient) / f"s{study.study_id}" / f"{dicom_id}{suffix}"


def study_folder(patient: Patient) -> Path:
    """`files/p10/p10000032`."""
    return Path("files") / f"p{str(patient.subject_id)[:2]}" / f"p{patient.subject_id}"


def write_jpeg(path: Path, pixels: NDArray[np.uint8], quality: int) -> None:
    """A greyscale JPEG."""
    write_image(path, pixels, "JPEG", quality=quality)


def write_png(path: Path, pixels: NDArray[np.uint16]) -> None:
    """A greyscale PNG of 16 bits; packed lightly, noise does not shrink."""
    write_image(path, pixels, "PNG", compress_level=1)


def write_image(path: Path, pixels: NDArray[Any], format: str, **options: int) -> None:
    """An image file; encoded in memory first, so that a full disk is reported as one."""
    encoded = io.BytesIO()
    Image.fromarray(pixels).save(encoded, format, **options)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encoded.getvalue())


class CxrFiles(OpenFiles):
    """Metadata, split, both label files and the reports, growing study by study.

    Args:
        films: The folder of MIMIC-CXR-JPG.
        reports: That of the reports.
        film_size_px: Width and height of the films.
    """

    def __init__(self, films: Path, reports: Path, film_size_px: int) -> None:
        self.reports = reports
        self.film_size_px = film_size_px
        super().__init__()
        self.metadata = self.stack.enter_context(CsvFile(films / CXR_FILES["metadata"], CXR_METADATA_HEADER))
        self.split = self.stack.enter_context(CsvFile(films / CXR_FILES["split"], CXR_SPLIT_HEADER))
        self.labels = [
            self.stack.enter_context(CsvFile(films / CXR_FILES[name], CXR_LABEL_HEADER))
            for name in ("chexpert", "negbio")
        ]

    def add(self, readings: Sequence[Reading]) -> None:
        """Append studies."""
        for reading in readings:
            self.metadata.add(metadata_rows(reading, self.film_size_px))
            patient, study = reading.patient, reading.study
            self.split.add(
                (dicom_id, study.study_id, patient.subject_id, patient.split) for dicom_id, _ in study_films(study)
            )
            for file in self.labels:
                file.add([label_row(reading)])
            path = self.reports / study_folder(patient) / f"s{study.study_id}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(reading.report.text, "utf-8")


VIEW_CODES: Mapping[View, str] = {"AP": "antero-posterior", "PA": "postero-anterior", "LATERAL": "lateral"}


def metadata_rows(reading: Reading, film_size_px: int) -> Iterator[tuple[object, ...]]:
    """One row a film: StudyDate as yyyymmdd, StudyTime as hhmmss.sss."""
    study = reading.study
    exam = exam_of(study)
    for dicom_id, view in study_films(study):
        yield (
            dicom_id, reading.patient.subject_id, study.study_id, exam, view, film_size_px, film_size_px,
            f"{study.time:%Y%m%d}", f"{study.time:%H%M%S}.{study.seed % 1000:03d}", exam, VIEW_CODES[view],
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

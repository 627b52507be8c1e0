"""The folders of MIMIC-CXR-JPG 2.0.0 and the labels, which say what the reports say."""

from __future__ import annotations

import csv
import gzip
import re
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from PIL import Image

from chartsight.hospital.config import HospitalConfig
from chartsight.hospital.cxr import study_labels
from chartsight.hospital.patients import plan_patients
from chartsight.hospital.reports import Assertion, with_label_noise, write_report
from chartsight.schema import CXR_FILES, CXR_LABEL_HEADER, CXR_METADATA_HEADER, CXR_SPLIT_HEADER


def read(folder: Path, name: str) -> list[dict[str, str]]:
    with gzip.open(folder / "mimic-cxr-jpg" / CXR_FILES[name], "rt", newline="") as file:
        return list(csv.DictReader(file))


def header(folder: Path, name: str) -> tuple[str, ...]:
    with gzip.open(folder / "mimic-cxr-jpg" / CXR_FILES[name], "rt") as file:
        return tuple(file.readline().strip().split(","))


def test_headers_are_those_of_the_release(small_hospital: Path) -> None:
    assert header(small_hospital, "metadata") == CXR_METADATA_HEADER
    assert header(small_hospital, "split") == CXR_SPLIT_HEADER
    assert header(small_hospital, "chexpert") == header(small_hospital, "negbio") == CXR_LABEL_HEADER


def test_every_film_is_where_the_metadata_say(small_hospital: Path) -> None:
    rows = read(small_hospital, "metadata")
    paths = set()
    for row in rows:
        assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{8}){4}", row["dicom_id"])
        assert re.fullmatch(r"\d{8}", row["StudyDate"]) and re.fullmatch(r"\d{6}\.\d{3}", row["StudyTime"])
        subject, study = row["subject_id"], row["study_id"]
        path = small_hospital / "mimic-cxr-jpg" / f"files/p{subject[:2]}/p{subject}/s{study}/{row['dicom_id']}.jpg"
        with Image.open(path) as film:
            assert film.mode == "L" and film.size == (int(row["Columns"]), int(row["Rows"]))
            assert np.asarray(film).std() > 10
        report = small_hospital / "mimic-cxr-reports" / f"files/p{subject[:2]}/p{subject}/s{study}.txt"
        assert "FINDINGS:" in report.read_text() and "IMPRESSION:" in report.read_text()
        paths.add(path)
    assert paths == set((small_hospital / "mimic-cxr-jpg" / "files").rglob("*.jpg"))


def test_lateral_films_stand_beside_frontal_ones(small_hospital: Path) -> None:
    views: dict[str, list[str]] = {}
    for row in read(small_hospital, "metadata"):
        views.setdefault(row["study_id"], []).append(row["ViewPosition"])
        is_lateral = row["ViewCodeSequence_CodeMeaning"] == "lateral"
        assert is_lateral == (row["ViewPosition"] == "LATERAL")
        assert not is_lateral or row["PerformedProcedureStepDescription"] == "CHEST (PA AND LAT)"
    assert {tuple(each) for each in views.values()} == {("AP",), ("PA",), ("PA", "LATERAL")}


def test_no_patient_stands_in_two_splits(small_hospital: Path) -> None:
    splits: dict[str, set[str]] = {}
    for row in read(small_hospital, "split"):
        splits.setdefault(row["subject_id"], set()).add(row["split"])
    assert all(len(each) == 1 for each in splits.values())
    assert set().union(*splits.values()) == {"train", "validate", "test"}


def test_labels_agree_with_the_truth(small_hospital: Path) -> None:
    truth = pq.read_table(small_hospital / "truth.parquet").to_pylist()
    with_effusion = {row["study_id"] for row in truth if row["attribute"] == "pleural effusion"}
    with_finding = {row["study_id"] for row in truth if row["attribute"] is not None}
    labels = read(small_hospital, "chexpert")
    assert {int(row["study_id"]) for row in labels if row["Pleural Effusion"] == "1.0"} == with_effusion
    assert all(row["No Finding"] == "1.0" for row in labels if int(row["study_id"]) not in with_finding)
    assert {row[name] for row in labels for name in CXR_LABEL_HEADER[2:]} <= {"1.0", "0.0", "-1.0", ""}


def test_present_beats_uncertain_beats_absent() -> None:
    absent = Assertion("pneumonia", "left lung", is_present=False)
    unsure = Assertion("pneumonia", "left lung", is_present=False, is_uncertain=True)
    present = Assertion("pneumonia", "left lung", is_present=True)
    assert study_labels([absent, unsure])["Pneumonia"] == -1.0
    assert study_labels([unsure, present, absent])["Pneumonia"] == 1.0
    assert study_labels([absent]) == {"Pneumonia": 0.0, "No Finding": 1.0}
    assert "No Finding" not in study_labels([unsure])


def test_noise_and_omission_change_labels_and_reports_but_no_life() -> None:
    plain, noisy = HospitalConfig(patients=20), HospitalConfig(patients=20, label_noise=0.5, report_omission=1.0)
    assert plan_patients(plain) == plan_patients(noisy)
    patient = next(each for each in plan_patients(plain) if any(study.findings for study in each.studies))
    study = next(each for each in patient.studies if each.findings)
    written = write_report(patient, study, plain)
    assert with_label_noise(written, plain) == written
    assert with_label_noise(written, noisy) != written and with_label_noise(written, noisy).text == written.text
    assert not written.is_normal and write_report(patient, study, noisy).is_normal

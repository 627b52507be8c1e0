"""What is really there, whatever the reports and labels make of it, and beside it what the readers made of it.

truth.parquet        what every film shows: one row a (film, finding, object); no dial of reports or labels moves it
readings.parquet     what became of each finding in the report, and what was seen that is not there
techniques.parquet   how every film was taken, and how ill the patient was
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from chartsight.hospital.cxr import Reading, study_films
from chartsight.hospital.film_request import Film, FindingMark
from chartsight.hospital.findings import FINDINGS
from chartsight.hospital.readers import reader_of
from chartsight.hospital.sites import propagate
from chartsight.schema import ATTRIBUTES

TRUTH_SCHEMA = pa.schema(
    [
        ("subject_id", pa.int32()), ("hadm_id", pa.int32()), ("study_id", pa.int64()), ("image_id", pa.string()),
        ("studydatetime", pa.timestamp("s")), ("view_position", pa.string()), ("split", pa.string()),
        ("course", pa.string()), ("style", pa.string()), ("finding", pa.int32()), ("attribute", pa.string()),
        ("category", pa.string()), ("object", pa.string()), ("severity", pa.float64()), ("is_derived", pa.bool_()),
        ("is_implied", pa.bool_()), ("x1", pa.float64()), ("y1", pa.float64()), ("x2", pa.float64()),
        ("y2", pa.float64()), ("tip_x", pa.float64()), ("tip_y", pa.float64()), ("ct_ratio", pa.float64()),
        ("mt_ratio", pa.float64()),
    ]
)  # fmt: skip
READINGS_SCHEMA = pa.schema(
    [
        ("study_id", pa.int64()), ("image_id", pa.string()), ("reader", pa.string()), ("finding", pa.int32()),
        ("attribute", pa.string()), ("object", pa.string()), ("severity", pa.float64()), ("outcome", pa.string()),
    ]
)  # fmt: skip
TECHNIQUES_SCHEMA = pa.schema(
    [
        ("study_id", pa.int64()), ("image_id", pa.string()), ("view_position", pa.string()),
        ("is_portable", pa.bool_()), ("sickness", pa.float64()), ("marker", pa.string()), ("padding", pa.float64()),
        ("padding_grey", pa.float64()), ("exposure", pa.float64()), ("monitored", pa.bool_()),
        ("annotated", pa.string()),
    ]
)  # fmt: skip


def truth_rows(reading: Reading, films: Mapping[str, Film], style: str) -> Iterator[dict[str, Any]]:
    """The rows of a study's films: one a (film, finding, object), and one with null finding for a film without any.

    `finding` numbers the planted findings of a study from 0, the same on both of its films. Its box x1 to y2 and its
    tip are in pixels of the film, null where the view does not show it or the film's border hides most of it.
    `is_derived` marks what follows from it (a broader attribute, a larger object), `is_implied` what is true with it by
    definition (a large effusion blunts the angle); that has no box of its own. `ct_ratio` and `mt_ratio` are the widths
    of heart and upper mediastinum over that of the thorax, null on a lateral film.
    """
    patient, study = reading.patient, reading.study
    for dicom_id, view in study_films(study):
        film = films[dicom_id]
        is_frontal = view != "LATERAL"
        common: dict[str, Any] = {
            "subject_id": patient.subject_id, "hadm_id": study.hadm_id, "study_id": study.study_id,
            "image_id": dicom_id, "studydatetime": study.time, "view_position": view, "split": patient.split,
            "course": patient.course_name, "style": style, "ct_ratio": film.ct_ratio if is_frontal else None,
            "mt_ratio": film.mt_ratio if is_frontal else None,
        }  # fmt: skip
        if not study.findings:
            yield common
        for nth, (finding, mark) in enumerate(zip(study.findings, film.marks, strict=True)):
            stated = {"finding": nth, "severity": finding.severity, "is_implied": False, **place_of(mark)}
            diseases = patient.course.diseases_of(finding.attribute)
            said = set(propagate((finding.attribute, *diseases), finding.objects))
            for attribute, name in propagate((finding.attribute, *diseases), finding.objects):
                is_derived = attribute != finding.attribute or name not in finding.objects
                yield {**common, **stated, **named(attribute, name), "is_derived": is_derived}
            for implied, objects in FINDINGS[finding.attribute].implies(finding):
                for attribute, name in propagate((implied,), objects):
                    if (attribute, name) in said:
                        continue
                    said.add((attribute, name))
                    is_derived = attribute != implied or name not in objects
                    yield {
                        **common, **stated, **place_of(None), **named(attribute, name), "is_derived": is_derived,
                        "is_implied": True,
                    }  # fmt: skip


def named(attribute: str, name: str) -> dict[str, str]:
    """The columns that say what is where."""
    return {"attribute": attribute, "category": ATTRIBUTES[attribute], "object": name}


def place_of(mark: FindingMark | None) -> dict[str, float | None]:
    """The columns of box and tip."""
    box = (None,) * 4 if mark is None else tuple(float(side) for side in mark.box)
    tip = (None, None) if mark is None or mark.tip is None else (float(mark.tip[0]), float(mark.tip[1]))
    return dict(zip(("x1", "y1", "x2", "y2", "tip_x", "tip_y"), (*box, *tip), strict=True))


def reading_rows(reading: Reading, seed: int) -> Iterator[dict[str, Any]]:
    """What the reader made of a study: one row a finding, one with null attribute where there is nothing to see.

    `finding` is the number of the finding in `truth.parquet`, null when it is overcalled, that is, not there.
    """
    study = reading.study
    common = {
        "study_id": study.study_id, "image_id": study.dicom_id, "reader": reader_of(study.study_id, seed).name,
    }  # fmt: skip
    for nth, each in enumerate(reading.report.seen):
        yield {
            **common,
            "finding": nth if each.outcome != "overcalled" else None,
            "attribute": each.finding.attribute,
            "object": each.finding.objects[0],
            "severity": each.finding.severity,
            "outcome": each.outcome,
        }
    if not reading.report.seen:
        yield common


def technique_rows(reading: Reading) -> Iterator[dict[str, Any]]:
    """How each film of a study was taken."""
    study, technique = reading.study, reading.study.technique
    for dicom_id, view in study_films(study):
        yield {
            "study_id": study.study_id, "image_id": dicom_id, "view_position": view, "is_portable": study.is_portable,
            "sickness": study.sickness, "marker": technique.marker, "padding": technique.padding,
            "padding_grey": technique.padding_grey, "exposure": technique.exposure, "monitored": technique.monitored,
            "annotated": technique.annotated,
        }  # fmt: skip

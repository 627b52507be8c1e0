"""`truth.parquet`: what every film shows, whatever the reports and labels make of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from chartsight.hospital.cxr import Reading
from chartsight.hospital.film_request import Film
from chartsight.hospital.sites import propagate
from chartsight.schema import ATTRIBUTES

TRUTH_SCHEMA = pa.schema(
    [
        ("subject_id", pa.int32()), ("hadm_id", pa.int32()), ("study_id", pa.int64()), ("image_id", pa.string()),
        ("studydatetime", pa.timestamp("s")), ("view_position", pa.string()), ("split", pa.string()),
        ("course", pa.string()), ("style", pa.string()), ("finding", pa.int32()), ("attribute", pa.string()),
        ("category", pa.string()), ("object", pa.string()), ("severity", pa.float64()), ("is_derived", pa.bool_()),
        ("x1", pa.float64()), ("y1", pa.float64()), ("x2", pa.float64()), ("y2", pa.float64()),
        ("ct_ratio", pa.float64()), ("mt_ratio", pa.float64()),
    ]
)  # fmt: skip


def write_truth(path: Path, readings: Sequence[Reading], films: Mapping[str, Film], style: str) -> int:
    """Rows written: one a (study, finding, object), and one with null finding for a film without findings.

    `finding` numbers the planted findings of a film from 0; its box x1 to y2 is in pixels of the film. `is_derived`
    marks what follows from it (a broader attribute, a larger object). `ct_ratio` and `mt_ratio` are the widths of
    heart and upper mediastinum over that of the thorax.
    """
    rows = [row for reading in readings for row in truth_rows(reading, films[reading.study.dicom_id], style)]
    pq.write_table(pa.Table.from_pylist(rows, TRUTH_SCHEMA), path, compression="zstd")
    return len(rows)


def truth_rows(reading: Reading, film: Film, style: str) -> list[dict[str, Any]]:
    """The rows of one film."""
    patient, study = reading.patient, reading.study
    common: dict[str, Any] = {
        "subject_id": patient.subject_id, "hadm_id": study.hadm_id, "study_id": study.study_id,
        "image_id": study.dicom_id, "studydatetime": study.time, "view_position": study.view, "split": patient.split,
        "course": patient.course_name, "style": style, "ct_ratio": film.ct_ratio, "mt_ratio": film.mt_ratio,
    }  # fmt: skip
    if not study.findings:
        return [common]
    rows = []
    for nth, (finding, box) in enumerate(zip(study.findings, film.finding_boxes, strict=True)):
        diseases = tuple(d for d, explains in patient.course.diseases.items() if explains == finding.attribute)
        for attribute, name in propagate((finding.attribute, *diseases), finding.objects):
            x1, y1, x2, y2 = (None,) * 4 if box is None else (float(side) for side in box)
            rows.append(
                {
                    **common,
                    "finding": nth,
                    "attribute": attribute,
                    "category": ATTRIBUTES[attribute],
                    "object": name,
                    "severity": finding.severity,
                    "x1": x1,
                    "y1": y1,
                    "x2": x2,
                    "y2": y2,
                    "is_derived": attribute != finding.attribute or name not in finding.objects,
                }
            )
    return rows

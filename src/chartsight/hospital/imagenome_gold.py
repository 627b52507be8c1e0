"""Chest ImaGenome's hand-labelled part: what the first films of some patients show, and boxes of their first two.

    gold_attributes_relations_500pts_500studies1st.txt   patient_id, study_id, image_id (with .dcm), row_id, ...
    gold_bbox_coordinate_annotations_1000images.csv      image_id (with .dcm), bbox_name, coord224 "[13, 31, 90, 181]"

The release has 500 patients; here every patient of the test split is one. The reader of the gold films makes no label
noise. The file names keep the release's numbers, because readers go by name.
Source: the columns that EHRXQA reads (`dataset_builder/preprocess_cohort.py`, `preprocess_db_mimic_iv_cxr.py`).
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from chartsight.hospital.cxr import Reading
from chartsight.hospital.film_request import Box
from chartsight.hospital.imagenome import ATTRIBUTE_TABLE_HEADER, GRAPH_PX, attribute_rows, whole_box
from chartsight.hospital.open_files import OpenFiles
from chartsight.schema import OBJECTS

ATTRIBUTES_NAME = "gold_attributes_relations_500pts_500studies1st.txt"
BOXES_NAME = "gold_bbox_coordinate_annotations_1000images.csv"
BOXED_STUDIES = 2  # a patient


class GoldFiles(OpenFiles):
    """Everything under `gold_dataset`, growing patient by patient.

    Args:
        folder: Of the data set.
        film_size_px: Width and height of the films.
    """

    def __init__(self, folder: Path, film_size_px: int) -> None:
        super().__init__()
        self.film_size_px = film_size_px
        gold = folder / "gold_dataset"
        gold.mkdir(parents=True)
        self.attributes = self.stack.enter_context((gold / ATTRIBUTES_NAME).open("w", encoding="utf-8", newline="\n"))
        self.attributes.write("\t".join(("patient_id", *ATTRIBUTE_TABLE_HEADER)) + "\n")
        boxes = self.stack.enter_context((gold / BOXES_NAME).open("w", encoding="utf-8", newline=""))
        self.boxes = csv.writer(boxes, lineterminator="\n")
        self.boxes.writerow(("image_id", "bbox_name", "coord_original", "coord224"))

    def add(self, readings: Sequence[Reading], boxes: Mapping[str, Mapping[str, Box]]) -> None:
        """Append whole patients; `boxes` are dicom_id → object → box in pixels of the film."""
        for reading in readings:
            patient, study = reading.patient, reading.study
            order = sorted((each.time, each.study_id) for each in patient.studies).index((study.time, study.study_id))
            if patient.split != "test" or order >= BOXED_STUDIES:
                continue
            if order == 0:
                rows = attribute_rows(reading.study, reading.report)
                self.attributes.writelines("\t".join(map(str, (patient.subject_id, *row))) + "\n" for row in rows)
            for name in OBJECTS:
                original = whole_box(boxes[study.dicom_id][name], self.film_size_px)
                scaled = tuple(side * GRAPH_PX / self.film_size_px for side in original)
                small = whole_box(scaled, GRAPH_PX)  # type: ignore[arg-type]
                self.boxes.writerow((f"{study.dicom_id}.dcm", name, str(list(original)), str(list(small))))

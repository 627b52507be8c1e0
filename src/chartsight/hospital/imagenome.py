"""Chest ImaGenome 1.0.0, `silver_dataset`: a scene graph a film, the same as two tables, and the splits.

Sources: the keys of a scene graph follow Chest ImaGenome 1.0.0 as its public readers use them (granularity notes with
examples of `attributes`, `attributes_ids` and cues; change detection code for `relationships`). The columns of
`attribute_relations_tabular.txt` (tab-separated; `relation` 1 or 0, `row_id` study|sentence, `image_id` with `.dcm`)
and `bbox_objects_tabular.txt` are those that EHRXQA reads by name (`dataset_builder/preprocess_cohort.py`,
`preprocess_label.py`); their order, and columns that nobody reads, may differ from the release. Of the concept
identifiers (`synsets`, `attributes_ids`) only a few are the release's own; the others are UMLS concepts of the same
meaning. Readers go by name.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from chartsight.hospital.cxr import Reading, film_path
from chartsight.hospital.film_request import Box
from chartsight.hospital.open_files import OpenFiles
from chartsight.hospital.patients import Study
from chartsight.hospital.reports import Assertion, Report, Sentence, previous_study
from chartsight.schema import ATTRIBUTES, OBJECTS

GRAPH_PX = 224  # scene graphs give every box in the 224-px film and in the original one
CONCEPTS: Mapping[str, str] = {
    "abnormal": "C0205161",
    "atelectasis": "C0004144",
    "cardiac pacer and wires": "C0030163",
    "consolidation": "C0521530",
    "copd/emphysema": "C0024117",
    "endotracheal tube": "C0336630",
    "enlarged cardiac silhouette": "C0018800",
    "fluid overload/heart failure": "C0018802",
    "hyperaeration": "C0546312",
    "left lung": "C0225730",
    "lung cancer": "C0242379",
    "lung lesion": "C0577916",
    "lung opacity": "CL556823",
    "mass/nodule (not otherwise specified)": "C0034079",
    "normal": "C1550457",
    "pleural effusion": "C0032227",
    "pneumonia": "C0032285",
    "pneumothorax": "C1963215;;C0032326",
    "pulmonary edema/hazy opacity": "C0034063",
    "right lung": "C0225706",
}
COMPARISON_CONCEPTS = {  # cue → predicate, concept
    "no change": ("No status change", "C0442739"),
    "improved": ("Improved", "C0184511"),
    "worsened": ("Worsened", "C0332271"),
}
ATTRIBUTE_TABLE_HEADER = (
    "study_id", "image_id", "row_id", "sent_loc", "sentence", "section", "bbox", "relation", "context", "categoryID",
    "label_name",
)  # fmt: skip
OBJECT_TABLE_HEADER = (
    "object_id", "x1", "y1", "x2", "y2", "width", "height", "bbox_name", "synsets", "name", "original_x1",
    "original_y1", "original_x2", "original_y2", "original_width", "original_height",
)  # fmt: skip
SPLIT_HEADER = ("", "subject_id", "study_id", "dicom_id", "path", "ViewPosition")
SECTION = "finalreport"


class ImagenomeFiles(OpenFiles):
    """Everything under `silver_dataset`, growing study by study; frontal films only, as in the release.

    Args:
        folder: Of the data set.
        film_size_px: Width and height of the films.
    """

    def __init__(self, folder: Path, film_size_px: int) -> None:
        self.film_size_px = film_size_px
        self.graphs = folder / "silver_dataset" / "scene_graph"
        tables = folder / "silver_dataset" / "scene_tabular"
        splits = folder / "silver_dataset" / "splits"
        for each in (self.graphs, tables, splits):
            each.mkdir(parents=True, exist_ok=True)
        super().__init__()
        self.attributes = self.open(tables / "attribute_relations_tabular.txt", "\t".join(ATTRIBUTE_TABLE_HEADER))
        self.objects = self.open(tables / "bbox_objects_tabular.txt", "\t".join(OBJECT_TABLE_HEADER))
        names = {"train": "train", "validate": "valid", "test": "test"}
        self.splits = {
            split: self.open(splits / f"{name}.csv", ",".join(SPLIT_HEADER)) for split, name in names.items()
        }
        self.split_counts = dict.fromkeys(names, 0)

    def open(self, path: Path, header: str) -> TextIO:
        """A text file with its first line."""
        file = self.stack.enter_context(path.open("w", encoding="utf-8", newline="\n"))
        file.write(header + "\n")
        return file

    def add(self, readings: Sequence[Reading], boxes: Mapping[str, Mapping[str, Box]]) -> None:
        """Append studies; `boxes` are dicom_id → object → box in pixels of the film."""
        for reading in readings:
            patient, study = reading.patient, reading.study
            graph = scene_graph(reading, boxes[study.dicom_id], self.film_size_px)
            path = self.graphs / f"{study.dicom_id}_SceneGraph.json"
            path.write_text(json.dumps(graph) + "\n", "utf-8")  # without indent: five times as fast
            self.attributes.writelines(
                "\t".join(map(str, row)) + "\n" for row in attribute_rows(study, reading.labelled)
            )
            for each in graph["objects"]:
                self.objects.write("\t".join(str(each[name]) for name in OBJECT_TABLE_HEADER) + "\n")
            dicom = film_path(patient, study, study.dicom_id, ".dcm").as_posix()
            nth = self.split_counts[patient.split]
            self.splits[patient.split].write(
                f"{nth},{patient.subject_id},{study.study_id},{study.dicom_id},{dicom},{study.view}\n"
            )
            self.split_counts[patient.split] = nth + 1


def scene_graph(reading: Reading, boxes: Mapping[str, Box], film_size_px: int) -> dict[str, Any]:
    """One `<dicom_id>_SceneGraph.json`."""
    patient, study = reading.patient, reading.study
    decade = patient.age_at(study.time) // 10 * 10
    return {
        "image_id": study.dicom_id,
        "viewpoint": study.view,
        "patient_id": patient.subject_id,
        "study_id": study.study_id,
        "gender": patient.body.sex,
        "age_decile": f"{decade}-{decade + 10}",
        "reason_for_exam": study.reason,
        "StudyOrder": 1 + sum(each.time < study.time for each in patient.studies),
        "StudyDateTime": f"{study.time:%Y-%m-%d %H:%M:%S} UTC",
        "objects": [graph_object(study.dicom_id, name, boxes[name], film_size_px) for name in OBJECTS],
        "attributes": [graph_attributes(reading, name) for name in mentioned_objects(reading)],
        "relationships": list(graph_relationships(reading)),
    }


def graph_object(dicom_id: str, name: str, box: Box, film_size_px: int) -> dict[str, Any]:
    """An object with its box in the 224-px film (`x1` ...) and in the film itself (`original_x1` ...)."""
    x1, y1, x2, y2 = whole_box(box, film_size_px)
    small = whole_box(tuple(side * GRAPH_PX / film_size_px for side in (x1, y1, x2, y2)), GRAPH_PX)  # type: ignore[arg-type]
    return {
        "object_id": f"{dicom_id}_{name}",
        "x1": small[0],
        "y1": small[1],
        "x2": small[2],
        "y2": small[3],
        "width": small[2] - small[0],
        "height": small[3] - small[1],
        "bbox_name": name,
        "synsets": concepts(name),
        "name": name.capitalize(),
        "original_x1": x1,
        "original_y1": y1,
        "original_x2": x2,
        "original_y2": y2,
        "original_width": x2 - x1,
        "original_height": y2 - y1,
    }


def whole_box(box: Box, size_px: int) -> tuple[int, int, int, int]:
    """The box in whole pixels inside the film, at least one pixel wide and high."""
    x1, y1 = (min(max(round(side), 0), size_px - 1) for side in box[:2])
    x2, y2 = (min(max(round(side), 0), size_px) for side in box[2:])
    return x1, y1, max(x2, x1 + 1), max(y2, y1 + 1)


def mentioned_objects(reading: Reading) -> list[str]:
    """Objects that some sentence speaks of, in the order of `schema.OBJECTS`."""
    named = {a.object for sentence in reading.labelled.sentences for a in sentence.assertions if not a.is_uncertain}
    return [name for name in OBJECTS if name in named]


def graph_attributes(reading: Reading, name: str) -> dict[str, Any]:
    """What each sentence says of one object; all lists run over the same sentences."""
    said = [
        (nth, sentence, relations(sentence, name))
        for nth, sentence in enumerate(reading.labelled.sentences)
        if relations(sentence, name)
    ]
    return {
        name: True,
        "bbox_name": name,
        "synsets": concepts(name),
        "name": name.capitalize(),
        "attributes": [attributes for _, _, attributes in said],
        "attributes_ids": [[concept_of(a.rsplit("|", 1)[1]) for a in attributes] for _, _, attributes in said],
        "phrases": [sentence.text for _, sentence, _ in said],
        "phrase_IDs": [f"{reading.study.study_id}|{nth}" for nth, _, _ in said],
        "sections": [SECTION for _ in said],
        "comparison_cues": [cue("comparison", sentence.comparison) for _, sentence, _ in said],
        "temporal_cues": [[] for _ in said],
        "severity_cues": [cue("severity", sentence.severity) for _, sentence, _ in said],
        "texture_cues": [[] for _ in said],
        "object_id": f"{reading.study.dicom_id}_{name}",
    }


def relations(sentence: Sentence, name: str) -> list[str]:
    """`category|yes or no|attribute` for what a sentence says of an object, and whether that is abnormal."""
    said = [each for each in sentence.assertions if each.object == name and not each.is_uncertain]
    if not said:
        return []
    overall = "abnormal" if any(each.is_present for each in said) else "normal"
    return [*dict.fromkeys(relation(each) for each in said), f"nlp|yes|{overall}"]


def relation(assertion: Assertion) -> str:
    """`anatomicalfinding|yes|lung opacity`."""
    return f"{ATTRIBUTES[assertion.attribute]}|{'yes' if assertion.is_present else 'no'}|{assertion.attribute}"


def graph_relationships(reading: Reading) -> Iterator[dict[str, Any]]:
    """Comparisons of an object with itself on the patient's film before."""
    previous = previous_study(reading.patient, reading.study)
    if previous is None:
        return
    study = reading.study
    for nth, sentence in enumerate(reading.labelled.sentences):
        if sentence.comparison is None:
            continue
        predicate, concept = COMPARISON_CONCEPTS[sentence.comparison]
        for name in dict.fromkeys(each.object for each in sentence.assertions if not each.is_uncertain):
            yield {
                "relationship_id": f"{study.study_id}|{nth}_{previous.study_id}_{concept}_{study.dicom_id[:8]}_"
                f"{previous.dicom_id[:8]}",
                "predicate": f"['{predicate}']",
                "synsets": [concept],
                "relationship_names": [f"comparison|yes|{sentence.comparison}"],
                "relationship_contexts": [1.0],
                "phrase": sentence.text,
                "attributes": relations(sentence, name),
                "bbox_name": name,
                "subject_id": f"{study.dicom_id}_{name}",
                "object_id": f"{previous.dicom_id}_{name}",
            }


def attribute_rows(study: Study, report: Report) -> Iterator[tuple[object, ...]]:
    """Rows of `attribute_relations_tabular.txt`."""
    for nth, sentence in enumerate(report.sentences):
        for name in OBJECTS:
            for said in relations(sentence, name):
                category, context, label = said.split("|")
                yield (
                    study.study_id, f"{study.dicom_id}.dcm", f"{study.study_id}|{nth}", nth, sentence.text, SECTION,
                    name, int(context == "yes"), context, category, label,
                )  # fmt: skip


def concepts(name: str) -> list[str]:
    """The concepts of an object or attribute; empty where none is known."""
    return [CONCEPTS[name]] if name in CONCEPTS else []


def concept_of(name: str) -> str:
    """One concept, or the empty text."""
    return CONCEPTS.get(name, "")


def cue(category: str, value: str | None) -> list[str]:
    """`severity|yes|mild`, or nothing."""
    return [f"{category}|yes|{value}"] if value is not None else []

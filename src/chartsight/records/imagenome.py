"""Chest ImaGenome's scene graphs: what each sentence says of each region, and where the regions are.

    silver_dataset/scene_graph/<dicom_id>_SceneGraph.json
    {"image_id": ..., "objects": [{"bbox_name": "left lung", "original_x1": 1300, ...}, ...],
     "attributes": [{"bbox_name": "left lung", "phrase_IDs": ["50414267|6"],
                     "attributes": [["anatomicalfinding|yes|lung opacity", "nlp|yes|abnormal"]], ...}, ...]}

A phrase id ends with the number of the sentence in the report. When two sentences speak of the same attribute of the
same region, the later one stays, as in EHRXQA. Only `schema.OBJECTS` and `schema.ATTRIBUTES` are kept; nothing is
inferred.
Source: Chest ImaGenome 1.0.0.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from chartsight.errors import RecordError
from chartsight.progress import track
from chartsight.records.film_rows import label_rows
from chartsight.records.sql import insert_rows
from chartsight.runs import Run
from chartsight.schema import ATTRIBUTES, OBJECTS

SOURCE = "imagenome"
SUFFIX = "_SceneGraph.json"
_OBJECTS = frozenset(OBJECTS)
_CORNERS = ("original_x1", "original_y1", "original_x2", "original_y2")
_BATCH = 2000  # graphs an insert: some 100,000 rows


@dataclass(frozen=True)
class SceneGraph:
    """What one graph says of one film.

    Args:
        image_id: The film.
        states: (object, attribute) → present or absent.
        boxes: object → x1, y1, x2, y2 in pixels of the original film.
    """

    image_id: str
    states: Mapping[tuple[str, str], str]
    boxes: Mapping[str, tuple[float, float, float, float]]


def read_scene_graphs(connection: duckdb.DuckDBPyConnection, folder: Path, run: Run, *, quiet: bool) -> None:
    """Add labels and boxes of every film of the record that has a scene graph.

    A damaged graph is dropped with its reason; films without a graph are counted and keep their other labels.

    Raises:
        RecordError: The folder has no scene graphs, or none belongs to a film of the record.
    """
    graphs = find_scene_graphs(folder)
    films = dict(connection.execute("SELECT image_id, study_id FROM films ORDER BY image_id").fetchall())
    labels: list[tuple[Any, ...]] = []
    boxes: list[tuple[Any, ...]] = []
    read = found_labels = found_boxes = missing = 0
    for image_id in track(films, "scene graphs", total=len(films), quiet=quiet):
        path = graphs / (image_id + SUFFIX)
        if not path.is_file():
            missing += 1
            continue
        try:
            graph = parse_scene_graph(json.loads(path.read_bytes()), image_id)
        except (ValueError, KeyError, TypeError, AttributeError):
            run.drop("damaged scene graph", path)
            continue
        read += 1
        labels += label_rows(films[image_id], image_id, SOURCE, graph.states, ATTRIBUTES)
        boxes += [(image_id, name, *corners, SOURCE) for name, corners in sorted(graph.boxes.items())]
        found_labels, found_boxes = found_labels + len(graph.states), found_boxes + len(graph.boxes)
        if read % _BATCH == 0:
            insert_rows(connection, "labels", labels)
            insert_rows(connection, "boxes", boxes)
            labels, boxes = [], []
    insert_rows(connection, "labels", labels)
    insert_rows(connection, "boxes", boxes)
    if not read:
        raise RecordError("no-scene-graphs", graphs, "no scene graph belongs to a film of the record")
    run.kept |= {"scene graphs": read, f"labels: {SOURCE}": found_labels, "boxes": found_boxes}
    if missing:
        run.kept["films without a scene graph"] = missing


def find_scene_graphs(folder: Path) -> Path:
    """The folder of the JSON files; the released zip unpacks with or without a folder of its own.

    Raises:
        RecordError: There is none.
    """
    base = folder / "silver_dataset" / "scene_graph"
    for place in (base, base / "scene_graph", folder / "scene_graph", folder):
        if place.is_dir() and any(each.name.endswith(SUFFIX) for each in _some(place)):
            return place
    hint = "unpack scene_graph.zip" if (folder / "silver_dataset" / "scene_graph.zip").is_file() else ""
    raise RecordError("no-scene-graphs", base, "holds no scene graphs", f"<dicom_id>{SUFFIX}", hint)


def parse_scene_graph(graph: Mapping[str, Any], image_id: str) -> SceneGraph:
    """What a graph says; the last sentence wins.

    Raises:
        ValueError, KeyError, TypeError, AttributeError: The graph has not ImaGenome's form, or is another film's.
    """
    if graph["image_id"].removesuffix(".dcm") != image_id:
        raise ValueError("the graph of another film")
    latest: dict[tuple[str, str], tuple[int, str]] = {}
    for region in graph["attributes"]:
        where = region["bbox_name"]
        if where not in _OBJECTS:  # ImaGenome also binds sentences to "unknown" and to a few regions without a box
            continue
        phrases = region.get("phrase_IDs") or [""] * len(region["attributes"])
        for statements, phrase in zip(region["attributes"], phrases, strict=True):
            sentence = int(phrase.rpartition("|")[2] or 0)
            for statement in statements:
                _, polarity, attribute = statement.split("|", 2)
                if attribute not in ATTRIBUTES:
                    continue
                before = latest.get((where, attribute))
                if before is None or sentence >= before[0]:
                    latest[where, attribute] = (sentence, "present" if polarity == "yes" else "absent")
    boxes = {}
    for box in graph["objects"]:
        x1, y1, x2, y2 = (float(box[corner]) for corner in _CORNERS)
        if box["bbox_name"] in _OBJECTS and x1 < x2 and y1 < y2:
            boxes[box["bbox_name"]] = (x1, y1, x2, y2)
    return SceneGraph(image_id, {key: state for key, (_, state) in latest.items()}, boxes)


def _some(folder: Path) -> Iterable[Path]:
    """The first entries of a folder that may hold a quarter of a million."""
    for place, path in enumerate(folder.iterdir()):
        if place == 100:
            return
        yield path

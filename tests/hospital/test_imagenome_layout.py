"""Chest ImaGenome's scene graphs and tables, as its readers expect them."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from chartsight.schema import ATTRIBUTES, OBJECTS

CUES = ("comparison_cues", "temporal_cues", "severity_cues", "texture_cues")


@pytest.fixture(scope="module")
def graphs(small_hospital: Path) -> list[dict[str, Any]]:
    folder = small_hospital / "chest-imagenome" / "silver_dataset" / "scene_graph"
    return [json.loads(path.read_text()) for path in sorted(folder.glob("*_SceneGraph.json"))]


def table(small_hospital: Path, name: str) -> list[dict[str, str]]:
    path = small_hospital / "chest-imagenome" / "silver_dataset" / "scene_tabular" / name
    with path.open(newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def test_every_graph_has_36_boxes_in_both_scales(graphs: list[dict[str, Any]]) -> None:
    for graph in graphs:
        assert [each["bbox_name"] for each in graph["objects"]] == list(OBJECTS)
        for each in graph["objects"]:
            assert each["object_id"] == f"{graph['image_id']}_{each['bbox_name']}"
            assert 0 <= each["x1"] < each["x2"] <= 224 and 0 <= each["y1"] < each["y2"] <= 224
            assert 0 <= each["original_x1"] < each["original_x2"] <= 64
            assert each["original_width"] == each["original_x2"] - each["original_x1"]
            assert each["x1"] == pytest.approx(each["original_x1"] * 224 / 64, abs=1)


def test_the_patients_left_lung_is_on_the_right_of_the_film(graphs: list[dict[str, Any]]) -> None:
    for graph in graphs:
        boxes = {each["bbox_name"]: each for each in graph["objects"]}
        assert boxes["left lung"]["original_x1"] > boxes["right lung"]["original_x1"]


def test_statements_run_parallel_to_their_phrases(graphs: list[dict[str, Any]]) -> None:
    seen = set()
    for graph in graphs:
        for each in graph["attributes"]:
            assert each[each["bbox_name"]] is True
            lists = [
                each[name] for name in ("attributes", "attributes_ids", "phrases", "phrase_IDs", "sections", *CUES)
            ]
            assert {len(one) for one in lists} == {len(each["phrases"])}
            for said, ids in zip(each["attributes"], each["attributes_ids"], strict=True):
                assert len(said) == len(ids)
                for statement in said:
                    category, polarity, attribute = statement.split("|")
                    assert polarity in {"yes", "no"}
                    assert category == "nlp" or ATTRIBUTES[attribute] == category
                    seen.add((category, polarity))
    assert {("anatomicalfinding", "yes"), ("anatomicalfinding", "no"), ("nlp", "yes"), ("disease", "yes")} <= seen


def test_present_statements_are_the_truth_and_its_parents(small_hospital: Path, graphs: list[dict[str, Any]]) -> None:
    truth = pq.read_table(small_hospital / "truth.parquet").to_pylist()
    frontal = [row for row in truth if row["view_position"] != "LATERAL"]
    assert len(frontal) < len(truth) and len(graphs) == len({row["image_id"] for row in frontal})
    expected = {(row["image_id"], row["object"], row["attribute"]) for row in frontal if row["attribute"]}
    stated, denied = (
        {
            (graph["image_id"], each["bbox_name"], statement.split("|")[2])
            for graph in graphs
            for each in graph["attributes"]
            for said in each["attributes"]
            for statement in said
            if statement.split("|")[0] != "nlp" and statement.split("|")[1] == polarity
        }
        for polarity in ("yes", "no")
    )
    assert stated == expected
    assert not denied & expected
    assert any(attribute == "lung opacity" for _, _, attribute in stated)


def test_comparisons_point_to_the_film_before(graphs: list[dict[str, Any]]) -> None:
    films = {graph["image_id"]: graph for graph in graphs}
    relationships = [(graph, each) for graph in graphs for each in graph["relationships"]]
    assert relationships
    for graph, each in relationships:
        before = films[each["object_id"].split("_")[0]]
        assert before["patient_id"] == graph["patient_id"] and before["StudyOrder"] == graph["StudyOrder"] - 1
        assert each["subject_id"] == f"{graph['image_id']}_{each['bbox_name']}"
        assert each["relationship_names"][0].split("|")[2] in {"improved", "worsened", "no change"}


def test_the_tables_say_what_the_graphs_say(small_hospital: Path, graphs: list[dict[str, Any]]) -> None:
    rows = table(small_hospital, "attribute_relations_tabular.txt")
    from_table = {
        (row["image_id"][:-4], row["bbox"], row["categoryID"], row["context"], row["label_name"]) for row in rows
    }
    from_graphs = {
        (graph["image_id"], each["bbox_name"], *statement.split("|"))
        for graph in graphs
        for each in graph["attributes"]
        for said in each["attributes"]
        for statement in said
    }
    assert from_table == from_graphs
    assert all((row["relation"] == "1") == (row["context"] == "yes") for row in rows)
    assert all(row["row_id"] == f"{row['study_id']}|{row['sent_loc']}" for row in rows)
    boxes = table(small_hospital, "bbox_objects_tabular.txt")
    assert len(boxes) == 36 * len(graphs)

"""The label pipeline against the synthetic hospital's truth, and against a second one written as plain loops."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

from chartsight.errors import RecordError
from chartsight.records.ehrxqa.config import EhrxqaSplit
from chartsight.records.ehrxqa.labels import NO_PAIRS_NEEDED, apply_rules, create_names, fill, labels_sql, packed
from chartsight.records.ehrxqa.ontology import Ontology, read_ontology

Database = Callable[[str, EhrxqaSplit], Path]
Pair = tuple[str, str]
SILVER = Path("chest-imagenome/silver_dataset/scene_graph")
ADDED = {
    "lungs": ["hilar structures", "right hilar structures", "left hilar structures"],
    "left lung": ["left hilar structures"], "right lung": ["right hilar structures"],
    "mediastinum": ["aortic arch", "svc"], "hilar structures": ["right hilar structures", "left hilar structures"],
}  # fmt: skip


def labels_of(database: Path) -> dict[str, dict[Pair, int]]:
    """image_id → (object, attribute) → relation, as stored."""
    labels: dict[str, dict[Pair, int]] = defaultdict(dict)
    with sqlite3.connect(database) as connection:
        for image, place, attribute, relation in connection.execute(
            "SELECT image_id, object, attribute, relation FROM tb_cxr_plus"
        ):
            assert (place, attribute) not in labels[image]
            labels[image][place, attribute] = relation
    assert labels
    return labels


def graph_of(hospital: Path, image: str) -> dict[str, Any]:
    graph: dict[str, Any] = json.loads((hospital / SILVER / f"{image}_SceneGraph.json").read_text("utf-8"))
    return graph


def statements_of(graph: dict[str, Any]) -> list[tuple[int, str, str, int]]:
    """(sentence, object, attribute, relation), in the order of sentences."""
    said = []
    for region in graph["attributes"]:
        for phrase, attributes in zip(region["phrase_IDs"], region["attributes"], strict=True):
            for each in attributes:
                category, context, name = each.split("|")
                if category != "nlp":
                    said.append((int(phrase.split("|")[1]), region["bbox_name"], name, int(context == "yes")))
    return sorted(said, key=lambda each: each[0])


def children_of(hospital: Path) -> dict[str, list[str]]:
    path = hospital / "chest-imagenome/semantics/label_to_UMLS_mapping.json"
    children: dict[str, list[str]] = json.loads(path.read_text("utf-8"))["all_children"]
    for parent, names in ADDED.items():
        children[parent] = [*children.get(parent, []), *names]
    return children


def test_what_the_report_mentions_is_the_truth(drawn: Path, databases: Database) -> None:
    """Of places and findings without anything below them; what stands above depends on what is said below."""
    labels = labels_of(databases("drawn", "train"))
    parents = children_of(drawn).keys()
    truth = {
        (row["image_id"], row["object"], row["attribute"])
        for row in pq.read_table(drawn / "truth.parquet").to_pylist()
        if row["attribute"]
    }
    mentioned = present = 0
    for image, pairs in labels.items():
        for _, place, attribute, _ in statements_of(graph_of(drawn, image)):
            if place in parents or attribute in parents:
                continue
            mentioned += 1
            present += pairs[place, attribute]
            assert pairs[place, attribute] == int((image, place, attribute) in truth), (image, place, attribute)
    assert mentioned > 60 and 5 < present < mentioned


def loops(said: list[tuple[int, str, str, int]], children: dict[str, list[str]]) -> dict[Pair, int]:
    """The pipeline's presence by plain loops: later sentences overwrite, then children speak for their parents."""
    last: dict[Pair, tuple[int, int]] = {}
    for sentence, place, attribute, relation in said:
        last[place, attribute] = (sentence, relation)
    for nth in (1, 0):
        spoken = dict(last)
        seen: dict[str, list[str]] = {}
        for parent, names in children.items():
            for child in names:
                seen.setdefault(child, []).append(parent)
        for child, parents in seen.items():
            for parent in parents:
                for pair, (sentence, relation) in last.items():
                    if pair[nth] != child:
                        continue
                    above = (parent, pair[1]) if nth == 0 else (pair[0], parent)
                    if above not in spoken or sentence >= spoken[above][0]:
                        spoken[above] = (sentence, relation)
        last = spoken
    return {pair: relation for pair, (_, relation) in last.items()}


def test_every_label_agrees_with_plain_loops(drawn: Path, databases: Database) -> None:
    labels = labels_of(databases("drawn", "train"))
    children = children_of(drawn)
    contradicted = 0
    for image, pairs in labels.items():
        said = statements_of(graph_of(drawn, image))
        expected = loops(said, children)
        assert pairs == {pair: expected.get(pair, 0) for pair in pairs}
        contradicted += sum(expected.get((place, attribute)) == 0 for _, place, attribute, r in said if r == 1)
    assert contradicted > 0  # parents that an absent child took away: the quirk is there to be seen


def test_every_film_has_every_possible_pair(drawn: Path, databases: Database) -> None:
    semantics = drawn / "chest-imagenome" / "semantics"
    ontology = read_semantics(semantics)
    expected = {(place, attribute) for place, attribute, _ in ontology.pairs}
    for split in ("train", "test"):
        for pairs in labels_of(databases("drawn", split)).values():  # type: ignore[arg-type]
            assert pairs.keys() == expected


def read_semantics(folder: Path) -> Ontology:
    return read_ontology(
        folder / "attribute_relations_v1.txt", folder / "label_to_UMLS_mapping.json",
        folder / "objects_extracted_from_reports_v1.txt",
    )  # fmt: skip


def test_hand_labelled_films_lose_parents(drawn: Path, databases: Database) -> None:
    """The published second pass: a parent stays present only when all of its children are."""
    gold = drawn / "chest-imagenome/gold_dataset/gold_attributes_relations_500pts_500studies1st.txt"
    by_hand = {line.split("\t")[2].removesuffix(".dcm") for line in gold.read_text("utf-8").splitlines()[1:]}
    labels = labels_of(databases("drawn", "test"))
    assert by_hand & labels.keys()
    for image in by_hand & labels.keys():
        pairs = labels[image]
        assert not any(pairs.get((place, "lung opacity")) for place, _ in pairs)


ONTOLOGY = Ontology(
    categories={"atelectasis": "anatomicalfinding", "lung opacity": "anatomicalfinding", "pneumonia": "disease"},
    attribute_parents=[("atelectasis", "lung opacity")],
    object_parents=[("left lower lung zone", "left lung")],
    possible={
        "atelectasis": frozenset({"left lower lung zone", "left lung"}),
        "lung opacity": frozenset({"left lower lung zone", "left lung"}), "pneumonia": frozenset({"left lung"}),
    },
    pairs=[
        ("left lower lung zone", "atelectasis", "anatomicalfinding"),
        ("left lower lung zone", "lung opacity", "anatomicalfinding"),
        ("left lung", "atelectasis", "anatomicalfinding"), ("left lung", "lung opacity", "anatomicalfinding"),
        ("left lung", "pneumonia", "disease"),
    ],
)  # fmt: skip


def run_rules(*said: tuple[str, str, int, int | None]) -> dict[Pair, int]:
    """(object, attribute, relation, sentence) of one film through the rules and the filling."""
    with duckdb.connect() as connection:
        named = {*ONTOLOGY.categories, *ONTOLOGY.categories.values(), ZONE, LUNG, "stated", "gout"}
        create_names(connection, named | set(NO_PAIRS_NEEDED))
        connection.execute("CREATE TABLE films AS SELECT 0 AS film, 'a' AS image_id, 1 AS subject_id")
        connection.execute(
            """CREATE TABLE statements (film INTEGER, study_id BIGINT, object said_name, attribute said_name,
               said BIGINT)"""
        )
        for place, (where, attribute, relation, sentence) in enumerate(said):
            number = packed("?::INTEGER", "?", "CAST('stated' AS said_name)", "?")
            connection.execute(
                f"INSERT INTO statements SELECT 0, 2, ?, ?, {number}", [where, attribute, sentence, place, relation]
            )
        apply_rules(connection, "labels", "SELECT * FROM statements", ONTOLOGY, "statements.txt")
        fill(connection, "labels", ONTOLOGY, [2])
        query = f"SELECT object, attribute, relation FROM ({labels_sql('labels', 'films')})"
        rows = connection.execute(query).fetchall()
    return {(where, attribute): relation for where, attribute, relation in rows}


ZONE, LUNG = "left lower lung zone", "left lung"


def test_the_last_sentence_wins() -> None:
    found = run_rules((LUNG, "pneumonia", 1, 3), (LUNG, "pneumonia", 0, 5), (LUNG, "pneumonia", 1, 4))
    assert found[LUNG, "pneumonia"] == 0


def test_of_one_sentence_the_last_row_wins() -> None:
    assert run_rules((LUNG, "pneumonia", 0, 3), (LUNG, "pneumonia", 1, 3))[LUNG, "pneumonia"] == 1
    assert run_rules((LUNG, "pneumonia", 1, 3), (LUNG, "pneumonia", 0, 3))[LUNG, "pneumonia"] == 0


def test_a_finding_goes_up_to_its_parents() -> None:
    found = run_rules((ZONE, "atelectasis", 1, 0))
    assert {pair for pair, relation in found.items() if relation} == {
        (ZONE, "atelectasis"), (ZONE, "lung opacity"), (LUNG, "atelectasis"), (LUNG, "lung opacity"),
    }  # fmt: skip


def test_an_absent_child_takes_a_parent_away() -> None:
    found = run_rules((ZONE, "lung opacity", 1, 0), (ZONE, "atelectasis", 0, 2))
    assert found[ZONE, "lung opacity"] == 0


def test_an_impossible_pair_is_left_out_and_an_unknown_attribute_refused() -> None:
    assert (ZONE, "pneumonia") not in run_rules((ZONE, "pneumonia", 1, 0), (LUNG, "atelectasis", 0, 0))
    with pytest.raises(RecordError, match=r"statements\.txt: statements about gout"):
        run_rules((LUNG, "gout", 1, 0))


def test_what_no_sentence_said_counts_as_last() -> None:
    assert run_rules((LUNG, "lung opacity", 1, 9), (LUNG, "atelectasis", 0, None))[LUNG, "lung opacity"] == 0

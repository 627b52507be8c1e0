"""Chest ImaGenome's vocabulary and ontology as its readers expect them: `semantics/`.

    objects_extracted_from_reports_v1.txt   left lung
    attribute_relations_v1.txt              anatomicalfinding|yes|lung opacity
    label_to_UMLS_mapping.json              {"all_children": {"lung opacity": ["atelectasis", ...], ...},
                                             "possible_attribute_of": {"lung opacity": ["left lung", ...], ...}}

Source: the keys and line forms that EHRXQA reads by name (`dataset_builder/preprocess_label.py`). What is a child of
what follows `sites.py`; which object may carry which attribute is what this hospital can say, not the release's list.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from chartsight.hospital.courses import COURSES
from chartsight.hospital.sites import BLUNTING, BROADER_ATTRIBUTES, LARGER_OBJECTS, SHIFT, SITES, propagate
from chartsight.hospital.wordings import NEGATIONS
from chartsight.schema import ATTRIBUTES, OBJECTS

# Left out by every study that uses the labels; the vocabulary files of the release list them all the same.
RARE_OBJECTS = ("left arm", "right arm")
RARE_ATTRIBUTES: Mapping[str, str] = {
    "aortic graft/repair": "device",
    "artifact": "technicalassessment",
    "bronchiectasis": "anatomicalfinding",
    "diaphragmatic eventration (benign)": "anatomicalfinding",
    "pigtail catheter": "tubesandlines",
    "skin fold": "technicalassessment",
    "sternotomy wires": "device",
}
IMPLIED_PLACES = (  # of what is never planted by itself
    (BLUNTING, ("left costophrenic angle",)), (BLUNTING, ("right costophrenic angle",)), (SHIFT, ("mediastinum",)),
)  # fmt: skip
WHERE_NEVER_DRAWN = ("left lung", "right lung", "mediastinum")  # for attributes that no film of the hospital shows
# Children that EHRXQA adds to the release's ontology by itself, so that the release must lack them.
ADDED_BY_READERS = frozenset({"left hilar structures", "right hilar structures", "aortic arch", "svc"})


def write_semantics(folder: Path) -> None:
    """The three files, in a new folder."""
    folder.mkdir(parents=True)
    lines = [f"{category}|yes|{attribute}" for attribute, category in {**ATTRIBUTES, **RARE_ATTRIBUTES}.items()]
    write_lines(folder / "attribute_relations_v1.txt", lines)
    write_lines(folder / "objects_extracted_from_reports_v1.txt", [*OBJECTS, *RARE_OBJECTS])
    ontology = {"all_children": all_children(), "possible_attribute_of": possible_attribute_of()}
    (folder / "label_to_UMLS_mapping.json").write_text(json.dumps(ontology, indent=1) + "\n", "utf-8")


def write_lines(path: Path, lines: list[str]) -> None:
    """A text file of lines."""
    path.write_text("".join(line + "\n" for line in lines), "utf-8")


def all_children() -> dict[str, list[str]]:
    """Parent → children, of attributes and of objects; `lungs` holds both sides."""
    children: dict[str, list[str]] = {}
    for child, parents in BROADER_ATTRIBUTES.items():
        for parent in parents:
            children.setdefault(parent, []).append(child)
    for child, parents in LARGER_OBJECTS.items():
        for parent in parents:
            if child not in ADDED_BY_READERS:
                children.setdefault(parent, []).append(child)
    children["lungs"] = ["left lung", "right lung", *children["left lung"], *children["right lung"]]
    return children


def possible_attribute_of() -> dict[str, list[str]]:
    """Attribute → the objects that it may stand in: where it is drawn or denied, where its diseases are said."""
    possible: dict[str, set[str]] = {attribute: set() for attribute in ATTRIBUTES}
    for attribute, sites in SITES.items():
        diseases = [disease for course in COURSES.values() for disease in course.diseases_of(attribute)]
        for site in sites:
            for said, place in propagate((attribute, *diseases), site):
                possible[said].add(place)
    for attribute, site in IMPLIED_PLACES:
        for said, place in propagate((attribute,), site):
            possible[said].add(place)
    for attribute, negation in NEGATIONS.items():
        possible[attribute].update(negation.objects)
    return {
        attribute: [name for name in OBJECTS if name in (places or WHERE_NEVER_DRAWN)]
        for attribute, places in possible.items()
    }

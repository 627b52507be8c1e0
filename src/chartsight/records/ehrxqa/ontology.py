"""Chest ImaGenome's ontology as EHRXQA uses it: who is whose parent, and which attribute may stand in which object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chartsight.errors import RecordError
from chartsight.records.ehrxqa.files import ORIGINS, read_json
from chartsight.schema import CATEGORIES

NOT_AN_ATTRIBUTE = "sternotomy wires"
# What EHRXQA adds to the children of the release.
ADDED_CHILDREN: Mapping[str, tuple[str, ...]] = {
    "lungs": ("hilar structures", "right hilar structures", "left hilar structures"),
    "left lung": ("left hilar structures",),
    "right lung": ("right hilar structures",),
    "mediastinum": ("aortic arch", "svc"),
}
HILA = ("right hilar structures", "left hilar structures")


@dataclass(frozen=True)
class Ontology:
    """What the label pipeline needs.

    Args:
        categories: Attribute → category.
        attribute_parents: (child, parent), in the order in which copies are made: of two the later one wins.
        object_parents: The same of objects.
        possible: Attribute → objects that it may stand in; also of attributes that `pairs` lacks.
        pairs: (object, attribute, category) that every study gets a row of; 609 in the release.
    """

    categories: Mapping[str, str]
    attribute_parents: Sequence[tuple[str, str]]
    object_parents: Sequence[tuple[str, str]]
    possible: Mapping[str, frozenset[str]]
    pairs: Sequence[tuple[str, str, str]]


def read_ontology(attribute_file: Path, ontology_file: Path, object_file: Path) -> Ontology:
    """The ontology of the release, with what EHRXQA adds.

    Source: EHRXQA, `preprocess_label.py`.

    Raises:
        RecordError: A file has another form.
    """
    objects = [line.strip().replace(",", "") for line in read_lines(object_file)]
    by_category: dict[str, list[str]] = {}
    for number, line in enumerate(read_lines(attribute_file), start=1):
        parts = line.strip().replace(",", "").split("|")
        if len(parts) != 3:
            raise RecordError("malformed-row", attribute_file, f"line {number:,}", "category|relation|attribute")
        if parts[0] in CATEGORIES:
            by_category.setdefault(parts[0], []).append(parts[2])
    attributes = [attribute for names in by_category.values() for attribute in names]
    categories = {attribute: category for category, names in by_category.items() for attribute in names}
    known = frozenset(attributes) - {NOT_AN_ATTRIBUTE}
    ontology = read_json(ontology_file)
    children, stated = ontology_parts(ontology, ontology_file)
    children = {parent: list(names) for parent, names in children.items()}
    for parent, names in ADDED_CHILDREN.items():
        children[parent] = [*children.get(parent, []), *names]
    children["hilar structures"] = list(HILA)
    attribute_parents = grouped_by_child(children, known)
    object_parents = grouped_by_child(children, frozenset(objects))
    possible = {attribute: list(places) for attribute, places in stated.items()}
    for attribute, places in possible.items():
        if attribute not in known:
            continue
        for child, parent in object_parents:
            if child in places and parent not in places:
                places.append(parent)
    parents_of: dict[str, list[str]] = {}
    for child, parent in attribute_parents:
        parents_of.setdefault(child, []).append(parent)
    for child in possible:
        for parent in parents_of.get(child, []):
            if parent not in possible:
                raise RecordError(
                    "malformed-table", ontology_file, f"no objects for {parent!r}", "some: it is a parent"
                )
            possible[parent] += [place for place in possible[child] if place not in possible[parent]]
    pairs = {
        (place, attribute): categories[attribute]
        for attribute, places in possible.items()
        if attribute in known
        for place in places
        if place in objects
    }
    return Ontology(
        categories,
        attribute_parents,
        object_parents,
        {attribute: frozenset(places) for attribute, places in possible.items()},
        sorted((place, attribute, category) for (place, attribute), category in pairs.items()),
    )


def ontology_parts(ontology: Any, path: Path) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """`all_children` and `possible_attribute_of`.

    Raises:
        RecordError: One is missing or is no mapping of lists.
    """
    parts: list[dict[str, list[str]]] = []
    for key in ("all_children", "possible_attribute_of"):
        part = ontology.get(key) if isinstance(ontology, dict) else None
        if not isinstance(part, dict) or not all(map(is_list_of_texts, part.values())):
            raise RecordError("malformed-table", path, f"has no lists under {key!r}", "the ontology of Chest ImaGenome")
        parts.append(part)
    return parts[0], parts[1]


def is_list_of_texts(value: Any) -> bool:
    """Whether a value of a JSON file is one."""
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def read_lines(path: Path) -> list[str]:
    """The lines of one of the vocabularies.

    Raises:
        RecordError: It is no text.
    """
    try:
        return path.read_text("utf-8").splitlines()
    except UnicodeError as error:
        raise RecordError(
            "truncated-file", path, "is no text in UTF-8", ORIGINS["chest-imagenome"], "fetch it again"
        ) from error


def grouped_by_child(children: Mapping[str, Sequence[str]], known: frozenset[str]) -> list[tuple[str, str]]:
    """(child, parent) of known names, all parents of a child together, children as they first appear."""
    parents: dict[str, list[str]] = {}
    for parent, names in children.items():
        if parent in known:
            for child in names:
                if child in known:
                    parents.setdefault(child, []).append(parent)
    return [(child, parent) for child, named in parents.items() for parent in named]

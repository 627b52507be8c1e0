from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from typing import get_args

import pytest
import yaml

from chartsight.errors import QuestionError
from chartsight.neuralsql import Settings, parse, prepare, write
from chartsight.neuralsql.families import FamilyTemplate, read_families, read_family_file
from chartsight.neuralsql.families.templates import KINDS, PERIOD_SLOTS
from chartsight.neuralsql.plan import plan
from chartsight.neuralsql.rewrites.base import EngineName
from chartsight.questions.templates import read_templates
from chartsight.schema import TABLES

FAMILIES = read_families()
COLUMNS = {
    name: {column.name: column.type for column in table.columns} for name, table in TABLES.items() if name != "labels"
}
SETTINGS = Settings(now="2150-12-31 23:59:00", tables=COLUMNS)


def example(kind: str) -> str:
    if kind in FAMILIES.choices:
        return next(iter(FAMILIES.choices[kind]))
    if kind in PERIOD_SLOTS:
        stays = {"icu": "during the last ICU stay", "period": "during the last hospital stay"}
        return stays.get(kind, "since 03/2150")
    known = {"window": "within 3 days", "finding": "pleural effusion in the left lung", "named": "pneumothorax",
             "listing": "diseases in the left lung", "patient": "10000032", "study": "50414267", "n": "9"}  # fmt: skip
    return known.get(kind, "Alzheimer's disease")


def examples(template: FamilyTemplate) -> dict[str, str]:
    return {slot: example(kind) for slot, kind in template.slots.items()}


@pytest.mark.parametrize("template", FAMILIES.templates, ids=lambda template: template.id)
def test_every_family_renders_and_its_program_is_neuralsql(template: FamilyTemplate) -> None:
    values = examples(template)
    texts = {template.render_phrasing(n, values) for n in range(1, len(template.phrasings) + 1)}
    assert len(texts) >= 5
    for text in texts:
        assert "{" not in text
        assert text[0].upper() == text[0]
        assert text[-1] in "?."
        assert all(value.lower() in text.lower() for value in values.values()), text
    if template.is_answerable:
        program = FAMILIES.render_program(template, values)
        assert "{" not in program
        tree = prepare(program, SETTINGS)
        planned = plan(tree, COLUMNS)
        assert bool(planned.calls) == bool(set(template.slots.values()) & set(FAMILIES.looks))
        if not planned.calls:
            for engine in get_args(EngineName):
                write(tree, engine, SETTINGS)
    assert template.id.split("/")[0] in (template.kind.replace("+", "-").replace("/", "-"), "unanswerable")


@pytest.mark.parametrize("template", FAMILIES.templates, ids=lambda template: template.id)
def test_a_period_that_is_not_named_leaves_words_and_program_whole(template: FamilyTemplate) -> None:
    values = {
        slot: "" if kind in PERIOD_SLOTS else "at any time" if kind == "window" else example(kind)
        for slot, kind in template.slots.items()
    }
    for number in range(1, len(template.phrasings) + 1):
        text = template.render_phrasing(number, values)
        assert "  " not in text
        assert not re.search(r"\s[?.,:]", text)
    if template.is_answerable:
        parse(FAMILIES.render_program(template, values))


def test_no_two_families_have_the_same_words() -> None:
    """A period may be left out, so words that differ in it alone would meet."""
    owners: dict[str, set[str]] = defaultdict(set)
    for template in FAMILIES.templates:
        for phrasing in template.phrasings:
            words = phrasing
            for slot, kind in template.slots.items():
                words = words.replace(f"{{{slot}}}", "" if kind in PERIOD_SLOTS else "{}")
            owners[" ".join(words.lower().split())].add(template.id)
    assert {words: ids for words, ids in owners.items() if len(ids) > 1} == {}


def test_looks_are_the_canonical_words_of_the_one_image_family() -> None:
    one_image = read_templates()
    by_id = {template.id: template for template in one_image.templates}
    filled = {"attribute": "pneumothorax", "object": "left lung", "category": "disease"}
    for kind, looks in FAMILIES.looks.items():
        for look in looks:
            template = by_id[look.template]
            slots = {slot: filled[slot] for slot in template.slots}
            words = FAMILIES.name_look(kind, look.template, {**slots, "categories": one_image.words["disease"][1]})
            assert FAMILIES.render_look(kind, words) == one_image.render_phrasing(template, 1, slots)


@pytest.mark.parametrize("period", FAMILIES.periods, ids=lambda period: period.words)
def test_a_period_is_read_from_its_own_words(period: object) -> None:
    fields = {"year": "2150", "month": "03", "day": "09", "n": "12", "month_name": "March"}
    words = period.render_words(fields)  # type: ignore[attr-defined]
    found = FAMILIES.read_period(words)
    assert found is not None
    assert found[0] == period
    condition = FAMILIES.render_period(words, "c.studydatetime", "10000032")
    parse(f"SELECT 1 FROM tb_cxr AS c WHERE {condition}")


def test_every_kind_has_families() -> None:
    assert {template.kind for template in FAMILIES.templates} <= set(KINDS)


GOOD = {
    "id": "mine/x", "answer_type": "count", "slots": ["patient"], "draw": "some", "program": "SELECT {patient}",
    "phrasings": [f"{n} {{patient}}?" for n in range(5)],
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"phrasings": GOOD["phrasings"][:4]}, "4 phrasings"),
        ({"phrasings": ["none", *GOOD["phrasings"]]}, "a phrasing with slots"),
        ({"program": "SELECT 1"}, "a program with slots"),
        ({"draw": "other"}, "draw other"),
        ({"draw": None}, "slot patient without a draw"),
        ({"kind": "table/many"}, "kind table/many"),
        ({"answer_type": "bool"}, "answer_type bool"),
        ({"wieght": 2}, "unknown field wieght"),
    ],
)
def test_a_malformed_family_is_named(tmp_path: Path, change: dict[str, object], named: str) -> None:
    path = tmp_path / "mine.yaml"
    file = {"version": 1, "kind": "table/single", "draws": {"some": "SELECT 1 AS patient"}}
    path.write_text(yaml.safe_dump({**file, "templates": [{**GOOD, **change}]}))
    with pytest.raises(QuestionError, match=named):
        read_family_file(path)


def test_a_value_that_a_slot_cannot_hold_is_refused() -> None:
    template = FAMILIES["table-single/nth-lab"]
    good = examples(template)
    for change in ({"patient": "1 OR 1"}, {"rank": "worst"}, {"period": "when it rained"}):
        with pytest.raises(QuestionError):
            FAMILIES.render_program(template, {**good, **change})
    # Names of the record stay as they are: there are drugs with two blanks in a row.
    assert "'Flush  0.9%'" in FAMILIES.render_program(template, {**good, "lab": "Flush  0.9%"})
    assert "'x'' OR 1'" in FAMILIES.render_program(template, {**good, "lab": "x' OR 1"})

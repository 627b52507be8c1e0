from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from chartsight.errors import QuestionError
from chartsight.questions.templates import Template, parse_templates, read_templates, slot_kind
from chartsight.schema import CATEGORIES

ONE_IMAGE = read_templates()
EXAMPLE = {"attribute": "pneumothorax", "attribute2": "atelectasis", "category": "disease", "category2": "device",
           "object": "left lung", "object2": "right lung", "side": "left", "side2": "right", "view": "AP",
           "view2": "PA", "sex": "female", "sex2": "male"}  # fmt: skip


@pytest.mark.parametrize("template", ONE_IMAGE.templates, ids=lambda template: template.id)
def test_every_phrasing_renders_with_every_slot_and_nothing_else(template: Template) -> None:
    slots = {slot: EXAMPLE[slot] for slot in template.slots}
    texts = [ONE_IMAGE.render_phrasing(template, n, slots) for n in range(1, len(template.phrasings) + 1)]
    assert len(texts) >= 5
    assert len(set(texts)) == len(texts)
    for text in texts:
        assert "{" not in text
        assert '"' not in text
        assert text[0].isupper()
        assert text[-1] in "?.:"
        for slot, value in slots.items():
            words = ONE_IMAGE.words[value] if slot_kind(slot) == "category" else (value,)
            assert any(word.lower() in text.lower() for word in words), (text, slot)


def test_the_family_has_ehrxqas_breadth() -> None:
    families = {
        family: [t for t in ONE_IMAGE.templates if t.family == family] for family in ("verify", "choose", "query")
    }
    findings = [t for t in families["verify"] if not {"view", "sex"} & set(t.slots)]
    assert len(findings) == 22  # 20 over findings and places, 2 sizes
    assert len(families["query"]) >= 17
    assert len(families["choose"]) >= 6
    assert len({template.id for template in ONE_IMAGE.templates}) == len(ONE_IMAGE.templates)
    assert set(ONE_IMAGE.words) == set(CATEGORIES)


def test_the_same_words_never_want_two_kinds_of_answer() -> None:
    """`Does this film show A or B?` was answered yes by one template and A by another."""
    wanted: dict[str, set[str]] = {}
    for template in ONE_IMAGE.templates:
        for phrasing in template.phrasings:
            wanted.setdefault(re.sub(r"{[^}]*}", "{}", phrasing), set()).add(template.answer_type)
    assert {phrasing: kinds for phrasing, kinds in wanted.items() if len(kinds) > 1} == {}


def test_no_slot_can_hold_an_identifier() -> None:
    kinds = {slot_kind(slot) for template in ONE_IMAGE.templates for slot in template.slots}
    assert kinds <= {"attribute", "category", "object", "side", "view", "sex"}


def test_the_program_is_neuralsql_about_one_study() -> None:
    program = ONE_IMAGE.render_program("Is there pneumothorax?", 50414267)
    assert program == (
        'select func_vqa("Is there pneumothorax?", t1.study_id) from tb_cxr as t1 where t1.study_id = 50414267'
    )


def test_articles_fit_the_view() -> None:
    verify_view = next(template for template in ONE_IMAGE.templates if template.id == "verify-view")
    assert ONE_IMAGE.render_phrasing(verify_view, 1, {"view": "AP"}) == "Is this an AP view?"
    assert ONE_IMAGE.render_phrasing(verify_view, 1, {"view": "PA"}) == "Is this a PA view?"


GOOD = {
    "id": "verify-x",
    "slots": ["attribute"],
    "answer_type": "boolean",
    "gold": {"test": "attribute"},
    "phrasings": [f"{n} {{attribute}}" for n in range(5)],
}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"phrasings": GOOD["phrasings"][:4]}, "4 phrasings"),
        ({"phrasings": ["no slot", *GOOD["phrasings"]]}, "slots"),
        ({"slots": ["subject_id"]}, "subject_id"),
        ({"gold": {"test": "object"}}, "object"),
        ({"gold": {"test": "attribute", "join": "or"}}, "join"),
        ({"gold": {}}, "asks nothing"),
        ({"answer_type": "bool"}, "bool"),
        ({"wieght": 2}, "wieght"),
        ({"id": "ask-x"}, "verify-"),
    ],
)
def test_a_malformed_template_is_named(change: dict[str, object], named: str) -> None:
    declared = {"version": 1, "family": "f", "program": "p", "templates": [{**GOOD, **change}]}
    with pytest.raises(QuestionError, match=named) as caught:
        parse_templates(declared, "mine.yaml")
    assert "mine.yaml" in caught.value.where


def test_own_templates_are_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump({"version": 3, "family": "mine", "program": "p", "templates": [GOOD]}))
    assert read_templates(str(path)).source == "templates:mine:3"
    with pytest.raises(QuestionError, match="no such templates"):
        read_templates("two-images")

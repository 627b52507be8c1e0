"""Question templates: what is asked, how it is worded, and how labels answer it. The templates themselves are YAML.

- id: verify-attribute-in-object
  slots: [attribute, object]
  answer_type: boolean
  gold: {test: attribute, in: object}
  phrasings: ["Is there {attribute} in the {object}?", ...]
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from pathlib import Path
from string import Formatter
from typing import Any, Literal, get_args

import yaml

from chartsight.errors import QuestionError
from chartsight.schema import ANSWER_TYPES, CATEGORIES, AnswerType

Family = Literal["verify", "choose", "query"]
Join = Literal["or", "and", "only"]

# Nothing here can hold a patient, a study or an image: a question that names one teaches ids, not looking.
SLOTS = ("attribute", "category", "object", "side", "view", "sex")
FILM_FACTS = ("view", "sex")  # known of a film without any label
SIZES: Mapping[str, float] = {
    "ct_ratio": 1 / 2,
    "mt_ratio": 1 / 3,
}  # asked: wider than this part of the thorax? (EHRXQA)
FEWEST_PHRASINGS = 5


@dataclass(frozen=True)
class Gold:
    """How labels answer a template. Names are slots (`attribute2`), or `abnormality`, `ct_ratio`, `mt_ratio`.

    Args:
        test: What is looked for; empty for view, sex and the list of categories.
        places: Where; empty means anywhere on the film.
        choose: Options, of which exactly one is right.
        list: Kind of the things listed.
        join: Between two tests or two places: in either, in both, in the first alone.
    """

    test: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    choose: tuple[str, ...] = ()
    list: Literal["attribute", "object", "category"] | None = None
    join: Join | None = None


@dataclass(frozen=True)
class Template:
    """One way to ask about a film; its family is the first word of its id.

    `negated` asks the opposite, so that its right answer is the other of yes and no; None where nobody would ask so.
    """

    id: str
    family: Family
    slots: tuple[str, ...]
    answer_type: AnswerType
    gold: Gold
    weight: float
    phrasings: tuple[str, ...]
    negated: str | None = None

    @property
    def is_symmetric(self) -> bool:
        """Whether two slots of one kind may change places without changing the meaning."""
        return self.gold.join != "only"

    def phrasing_id(self, number: int) -> str:
        """Name of the phrasing with this number; the first is 1."""
        return f"{self.id}/{number}"


@dataclass(frozen=True)
class TemplateSet:
    """All templates of one file.

    Args:
        version: Of the file; it is a part of every question's `source`.
        program: NeuralSQL around `{visual_question}` for `{study_id}`.
        words: Category → (one, several) in words.
    """

    family: str
    version: int
    program: str
    words: Mapping[str, tuple[str, str]]
    templates: tuple[Template, ...]

    @cached_property
    def by_id(self) -> Mapping[str, Template]:
        """The templates by their names."""
        return {template.id: template for template in self.templates}

    @property
    def source(self) -> str:
        """Where a question comes from, for its `source` column."""
        return f"templates:{self.family}:{self.version}"

    def render_phrasing(self, template: Template, number: int, slots: Mapping[str, str]) -> str:
        """The visual question in its phrasing with this number (from 1), with a capital first letter.

        >>> one_image.render_phrasing(verify_attribute, 4, {"attribute": "pneumothorax"})
        'Pneumothorax: yes or no?'
        """
        return self._render(template.phrasings[number - 1], slots)

    def render_negated(self, template: Template, slots: Mapping[str, str]) -> str:
        """The opposite question, with a capital first letter.

        Raises:
            QuestionError: The template has no words for it.
        """
        if template.negated is None:
            raise QuestionError("no-negation", template.id, "has no words for its opposite")
        return self._render(template.negated, slots)

    def _render(self, phrasing: str, slots: Mapping[str, str]) -> str:
        words: dict[str, str] = {}
        for slot, value in slots.items():
            kind, second = slot_kind(slot), slot[-1] if slot[-1].isdigit() else ""
            if kind == "category":
                words[f"category{second}"], words[f"categories{second}"] = self.words[value]
            else:
                words[slot] = value
            if kind == "view":
                words[f"a_{slot}"] = f"{'an' if value[:1] in 'AEIO' else 'a'} {value}"
        text = phrasing.format(**words)
        return text[0].upper() + text[1:]

    def render_program(self, visual_question: str, study_id: int) -> str:
        """The NeuralSQL of a one-image question; inside it `"..."` is a string."""
        quoted = visual_question.replace('"', "'")
        return " ".join(self.program.format(visual_question=quoted, study_id=study_id).split())


def slot_kind(slot: str) -> str:
    """`attribute2` → `attribute`."""
    return slot.rstrip("2")


def read_templates(name: str = "one-image") -> TemplateSet:
    """The templates that come with the package, or those of a YAML file of the same layout.

    Args:
        name: `one-image`, or the path of a file.

    Raises:
        QuestionError: There is no such file, or a template in it is malformed; the message names template and field.
    """
    packaged = resources.files("chartsight.questions") / f"{name.replace('-', '_')}.yaml"
    if re.fullmatch(r"[a-z-]+", name) and packaged.is_file():
        text, where = packaged.read_text("utf-8"), packaged.name
    elif Path(name).is_file():
        text, where = Path(name).read_text("utf-8"), name
    else:
        raise QuestionError("unknown-templates", name, "no such templates", "`one-image` or a YAML file")
    try:
        declared = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise QuestionError("bad-templates", where, f"not YAML ({str(error).splitlines()[0]})") from error
    return parse_templates(declared, where)


def parse_templates(declared: Any, where: str) -> TemplateSet:
    """Templates from the parsed YAML of `where`.

    Raises:
        QuestionError: A template is malformed; the message names it and the field.
    """
    required = {"version", "family", "program", "templates"}
    if not isinstance(declared, dict) or not required <= set(declared):
        raise QuestionError(
            "bad-templates", where, "not a file of templates", f"the keys {', '.join(sorted(required))}"
        )
    templates = tuple(parse_template(each, where) for each in declared["templates"])
    ids = [template.id for template in templates]
    if repeated := sorted({each for each in ids if ids.count(each) > 1}):
        raise QuestionError("bad-templates", where, f"template {repeated[0]} stands there twice")
    words: dict[str, tuple[str, str]] = {category: (category, category) for category in CATEGORIES}
    words |= {category: (one, several) for category, (one, several) in declared.get("words", {}).items()}
    return TemplateSet(declared["family"], int(declared["version"]), declared["program"], words, templates)


def parse_template(declared: Mapping[str, Any], where: str) -> Template:
    """One template from its YAML.

    Raises:
        QuestionError: A field is missing, unknown or impossible; a phrasing misses a slot or has one too many.
    """
    name = declared.get("id", "?")
    where = f"{where}, template {name}"
    required, optional = {"id", "slots", "answer_type", "gold", "phrasings"}, {"weight", "negated"}
    if wrong := required - set(declared):
        raise QuestionError("bad-template", where, f"no field {min(wrong)}")
    if wrong := set(declared) - required - optional:
        raise QuestionError("bad-template", where, f"unknown field {min(wrong)}")
    family = name.split("-")[0]
    if family not in get_args(Family):
        raise QuestionError("bad-template", where, "its id", "one that begins with verify-, choose- or query-")
    if declared["answer_type"] not in ANSWER_TYPES:
        raise QuestionError("bad-template", where, f"answer_type {declared['answer_type']}", ", ".join(ANSWER_TYPES))
    slots = tuple(declared["slots"])
    if unknown := [slot for slot in slots if slot_kind(slot) not in SLOTS]:
        raise QuestionError("bad-template", where, f"slot {unknown[0]}", "one of " + ", ".join(SLOTS))
    phrasings = tuple(declared["phrasings"])
    if len(set(phrasings)) < FEWEST_PHRASINGS:
        raise QuestionError("bad-template", where, f"{len(set(phrasings))} phrasings", f"at least {FEWEST_PHRASINGS}")
    negated = declared.get("negated")
    if negated is not None and declared["answer_type"] != "boolean":
        raise QuestionError("bad-template", where, "negated", "nothing: only a yes/no question has an opposite")
    for phrasing in (*phrasings, *([] if negated is None else [negated])):
        named = {str(field) for _, field, _, _ in Formatter().parse(phrasing) if field is not None}
        named = {re.sub("^categories", "category", field.removeprefix("a_")) for field in named}
        if named != set(slots):
            raise QuestionError("bad-template", where, f"a phrasing with slots {sorted(named)}", f"{sorted(slots)}")
    gold = parse_gold(declared["gold"], slots, where)
    weight = float(declared.get("weight", 1))
    return Template(name, family, slots, declared["answer_type"], gold, weight, phrasings, negated)


def parse_gold(declared: Mapping[str, Any], slots: tuple[str, ...], where: str) -> Gold:
    """The gold rule of a template.

    Raises:
        QuestionError: It names something that is neither a slot nor a fact, or none of test, choose and list.
    """
    if unknown := set(declared) - {"test", "in", "choose", "list", "join"}:
        raise QuestionError("bad-template", where, f"gold with {min(unknown)}", "test, in, choose, list or join")

    def names(key: str) -> tuple[str, ...]:
        value = declared.get(key, ())
        return (value,) if isinstance(value, str) else tuple(value)

    gold = Gold(names("test"), names("in"), names("choose"), declared.get("list"), declared.get("join"))
    facts = {*slots, "abnormality", *SIZES}
    if unknown := {*gold.test, *gold.places, *gold.choose} - facts:
        raise QuestionError(
            "bad-template", where, f"gold names {min(unknown)}", "a slot or " + ", ".join(sorted(facts))
        )
    if not (gold.test or gold.choose or gold.list):
        raise QuestionError("bad-template", where, "gold asks nothing", "one of test, choose, list")
    if (len(gold.test) > 1 or len(gold.places) > 1) != (gold.join is not None):
        raise QuestionError("bad-template", where, "join", "or, and, only; exactly where two tests or places meet")
    if gold.join not in (None, "or", "and", "only") or gold.list not in (None, "attribute", "object", "category"):
        raise QuestionError("bad-template", where, "gold", "join: or, and, only; list: attribute, object, category")
    return gold

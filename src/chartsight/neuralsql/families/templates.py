"""Reads the families' YAML files and renders words and NeuralSQL from the values of their slots.

- id: table-single/nth-lab
  answer_type: number
  draw: lab-values
  slots: [rank, lab, patient, period]
  program: SELECT l.valuenum FROM labevents AS l ... AND l.subject_id = {patient} AND {period:l.charttime} ...
  phrasings: ["What was the {rank} {lab} value of patient {patient} {period}?", ...]
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path
from string import Formatter
from typing import Any, get_args

import yaml

from chartsight.errors import QuestionError
from chartsight.schema import ANSWER_TYPES, AnswerType, QuestionKind

FEWEST_PHRASINGS = 5
KINDS: tuple[QuestionKind, ...] = get_args(QuestionKind)
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
PERIOD_KINDS = ("absolute", "relative", "mixed", "hospital", "icu")
CALENDAR = ("absolute", "relative", "mixed")  # without a patient: no stay to speak of
# Slot kind → the kinds of period that may stand there.
PERIOD_SLOTS: Mapping[str, tuple[str, ...]] = {
    "calendar": CALENDAR,
    "period": (*CALENDAR, "hospital"),
    "icu": (*CALENDAR, "icu"),
}
NUMBERS = ("patient", "study", "n")  # slot kinds that stand in a program as numbers
_PLACE = re.compile(r"\{(?P<slot>\w+)(?:\.(?P<field>\w+))?(?::(?P<target>[^{}]+))?\}")
_FIELDS = {
    "year": r"(?P<year>\d{4})", "month": r"(?P<month>\d{2})", "day": r"(?P<day>\d{2})", "n": r"(?P<n>\d{1,4})",
    "month_name": f"(?P<month_name>{'|'.join(MONTHS)})",
}  # fmt: skip


@dataclass(frozen=True)
class Period:
    """One way to say when: words with fields, and the condition that they mean."""

    kind: str
    words: str
    sql: str
    pattern: re.Pattern[str] = field(repr=False, compare=False)

    def render_words(self, fields: Mapping[str, str]) -> str:
        """The words with their fields filled."""
        return self.words.format(**fields)


@dataclass(frozen=True)
class Looked:
    """One way to name what is looked for on a film, and what the visual model is asked then."""

    words: str
    question: str
    template: str
    pattern: re.Pattern[str] = field(repr=False, compare=False)


@dataclass(frozen=True)
class FamilyTemplate:
    """One family of question.

    Args:
        id: Begins with its file's name.
        kind: One of the nine.
        slots: Slot → kind: the name of a choice, of a look, of a period, or of a column of its draw.
        program: NeuralSQL with places; None where the question cannot be answered.
        draw: SQL over the record, one row a way to fill the slots, one column a slot; empty when choices fill all.
        most_values: Of a set that is asked for; longer answers are not.
    """

    id: str
    kind: QuestionKind
    answer_type: AnswerType
    slots: Mapping[str, str]
    program: str | None
    draw: str
    phrasings: tuple[str, ...]
    most_values: int

    @property
    def is_answerable(self) -> bool:
        """Whether there is a program for it."""
        return self.program is not None

    def phrasing_id(self, number: int) -> str:
        """Name of the phrasing with this number; the first is 1."""
        return f"{self.id}/{number}"

    def render_phrasing(self, number: int, values: Mapping[str, str]) -> str:
        """The question in its phrasing with this number (from 1), with a capital first letter.

        A value may be empty, as of a period that is not named: the blank before it goes with it.
        """
        text = " ".join(self.phrasings[number - 1].format(**values).split())
        text = re.sub(r"\s+([?.,:])", r"\1", text)
        return text[0].upper() + text[1:]


@dataclass(frozen=True)
class Families:
    """All families of the files, with what their slots may hold."""

    version: int
    templates: tuple[FamilyTemplate, ...]
    choices: Mapping[str, Mapping[str, Mapping[str, str]]]
    periods: tuple[Period, ...]
    windows: tuple[Period, ...]
    looks: Mapping[str, tuple[Looked, ...]]

    @property
    def source(self) -> str:
        """Where a question comes from, for its `source` column."""
        return f"families:{self.version}"

    def __getitem__(self, template_id: str) -> FamilyTemplate:
        """The template with this id; KeyError when there is none."""
        for template in self.templates:
            if template.id == template_id:
                return template
        raise KeyError(template_id)

    def render_program(self, template: FamilyTemplate, values: Mapping[str, str]) -> str:
        """The NeuralSQL of a template with its slots filled; inside FUNC_VQA `"..."` is a string.

        Raises:
            QuestionError: The template has no program, or a value is none that its slot can hold.
        """
        if template.program is None:
            raise QuestionError("no-program", template.id, "cannot be answered", "a family with a program")
        missing = [slot for slot in template.slots if slot not in values]
        if missing:
            raise QuestionError("missing-slot", template.id, f"no value for {missing[0]}", ", ".join(template.slots))

        def fill(place: re.Match[str]) -> str:
            return self._render_place(template, values, place)

        program = _PLACE.sub(fill, template.program)
        return re.sub(r"\s+AND\s+\x00", "", program)  # a period that is not named is no condition

    def _render_place(self, template: FamilyTemplate, values: Mapping[str, str], place: re.Match[str]) -> str:
        slot, value = place["slot"], values[place["slot"]]
        kind = template.slots[slot]
        if kind in PERIOD_SLOTS:
            return self.render_period(value, place["target"], values.get("patient")) or "\0"
        if kind == "window":
            earlier, later = place["target"].split(",")
            return self.render_window(value, earlier.strip(), later.strip()) or "\0"
        if kind in self.looks:
            return _literal(value) if place["field"] == "words" else f'"{self.render_look(kind, value)}"'
        if kind in self.choices:
            if value not in self.choices[kind]:
                raise QuestionError("bad-slot", template.id, f"a {slot} that is none", ", ".join(self.choices[kind]))
            return _literal(value) if place["field"] == "words" else self.choices[kind][value][place["field"] or ""]
        if kind in NUMBERS:
            if not value.isdecimal():
                raise QuestionError("bad-slot", template.id, f"a {slot} that is no number", "digits")
            return value
        return _literal(value)

    def read_period(self, words: str) -> tuple[Period, dict[str, str]] | None:
        """What period these words are, with its fields; None when they are none."""
        return _match(self.periods, words)

    def render_period(self, words: str, column: str, patient: str | None) -> str:
        """The condition that `column` (`alias.name`) lies in the period; empty for no words.

        Raises:
            QuestionError: The words are no period, or it is a stay and there is no patient.
        """
        if not words:
            return ""
        found = self.read_period(words)
        if found is None:
            raise QuestionError("bad-period", "period", "words that are no period", "such as `in 2150`")
        period, fields = found
        if "{patient}" in period.sql and not (patient or "").isdecimal():
            raise QuestionError("bad-period", "period", "a stay without a patient", "a date")
        if "month_name" in fields:
            fields["month"] = f"{MONTHS.index(fields['month_name']) + 1:02d}"
        return period.sql.format(column=column, alias=column.split(".")[0], patient=patient, **fields)

    def render_window(self, words: str, earlier: str, later: str) -> str:
        """The condition that the time `later` lies so to `earlier` (each `alias.name`); empty for `at any time`.

        Raises:
            QuestionError: The words are none.
        """
        found = _match(self.windows, words)
        if found is None:
            raise QuestionError("bad-window", "window", "words that are none", "such as `on the same day`")
        window, fields = found
        aliases = {"earlier_alias": earlier.split(".")[0], "later_alias": later.split(".")[0]}
        return window.sql.format(earlier=earlier, later=later, **aliases, **fields)

    def render_look(self, kind: str, words: str) -> str:
        """What the visual model is asked for these words.

        Raises:
            QuestionError: The words name nothing that can be looked for.
        """
        for look in self.looks[kind]:
            if found := look.pattern.fullmatch(words):
                return look.question.format(**found.groupdict())
        raise QuestionError("bad-look", kind, "words that are none", self.looks[kind][0].words)

    def name_look(self, kind: str, template: str, slots: Mapping[str, str]) -> str:
        """The words for a visual template with its slots filled: the inverse of `render_look`."""
        look = next(each for each in self.looks[kind] if each.template == template)
        return look.words.format(**slots)


def _match(periods: Sequence[Period], words: str) -> tuple[Period, dict[str, str]] | None:
    for period in periods:
        if found := period.pattern.fullmatch(words):
            return period, found.groupdict()
    return None


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


# ------------------------------------------------------------------------------------------------------------- reading


@cache
def read_families() -> Families:
    """The families that come with the package, in the order of their files and in those."""
    folder = resources.files("chartsight.neuralsql.families")
    files = sorted(each.name for each in folder.iterdir() if each.name.endswith(".yaml") and each.name != "slots.yaml")
    shared = _load((folder / "slots.yaml").read_text("utf-8"), "slots.yaml")
    return _build(shared, [(_load((folder / name).read_text("utf-8"), name), name) for name in files])


def read_family_file(path: Path) -> Families:
    """The families of one YAML file of the same layout, over the package's slots.

    Raises:
        QuestionError: There is no such file, or a template in it is malformed; the message names template and field.
    """
    if not path.is_file():
        raise QuestionError("unknown-templates", path, "no such file", "a YAML file of families")
    shared_text = (resources.files("chartsight.neuralsql.families") / "slots.yaml").read_text("utf-8")
    try:
        declared = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise QuestionError("bad-templates", path, "cannot be read", "a YAML file of families") from error
    return _build(_load(shared_text, "slots.yaml"), [(_load(declared, str(path)), str(path))])


def _load(text: str, where: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise QuestionError("bad-templates", where, f"not YAML ({str(error).splitlines()[0]})") from error


def _build(shared: Mapping[str, Any], files: Sequence[tuple[Any, str]]) -> Families:
    choices = {
        name: {
            words: {key: str(each) for key, each in value.items()} if isinstance(value, dict) else {"": str(value)}
            for words, value in options.items()
        }
        for name, options in shared["choices"].items()
    }
    looks = {
        kind: tuple(Looked(pattern=_pattern(each["words"], None), **each) for each in several)
        for kind, several in shared["looks"].items()
    }
    draws: dict[str, str] = {}
    for declared, where in files:
        if not isinstance(declared, dict) or not {"version", "kind", "templates"} <= set(declared):
            raise QuestionError("bad-templates", where, "not a file of families", "the keys version, kind, templates")
        draws |= {name: " ".join(str(sql).split()) for name, sql in (declared.get("draws") or {}).items()}
    known = {*choices, *looks, *PERIOD_SLOTS, "window"}
    templates = [
        _parse_template(each, declared, where, draws, known)
        for declared, where in files
        for each in declared["templates"]
    ]
    ids = [template.id for template in templates]
    if repeated := sorted({each for each in ids if ids.count(each) > 1}):
        raise QuestionError("bad-templates", repeated[0], "stands there twice", "each template once")
    version = max(int(declared["version"]) for declared in (shared, *(each for each, _ in files)))
    return Families(version, tuple(templates), choices, _periods(shared["periods"]), _periods(shared["windows"]), looks)


def _periods(declared: Sequence[Mapping[str, str]]) -> tuple[Period, ...]:
    return tuple(
        Period(each.get("kind", "window"), each["words"], each["sql"], _pattern(each["words"], _FIELDS))
        for each in declared
    )


def _pattern(words: str, fields: Mapping[str, str] | None) -> re.Pattern[str]:
    """What these words look like when filled; without `fields` any text may fill them."""
    parts = []
    for text, name, _, _ in Formatter().parse(words):
        parts.append(re.escape(text))
        if name is not None:
            parts.append(fields[name] if fields else f"(?P<{name}>.+?)")
    return re.compile("".join(parts))


def places_of(program: str) -> Iterator[tuple[str, str | None]]:
    """(slot, field) of every place in a program, in order."""
    for place in _PLACE.finditer(program):
        yield place["slot"], place["field"]


def _parse_template(
    declared: Mapping[str, Any], file: Mapping[str, Any], where: str, draws: Mapping[str, str], known: set[str]
) -> FamilyTemplate:
    name = str(declared.get("id", "?"))
    where = f"{where}, template {name}"
    required = {"id", "answer_type", "slots", "phrasings"}
    optional = {"program", "draw", "kind", "most_values"}
    if wrong := required - set(declared):
        raise QuestionError("bad-template", where, f"no field {min(wrong)}")
    if wrong := set(declared) - required - optional:
        raise QuestionError("bad-template", where, f"unknown field {min(wrong)}")
    kind = declared.get("kind", file["kind"])
    if kind not in KINDS:
        raise QuestionError("bad-template", where, f"kind {kind}", ", ".join(KINDS))
    if declared["answer_type"] not in ANSWER_TYPES:
        raise QuestionError("bad-template", where, f"answer_type {declared['answer_type']}", ", ".join(ANSWER_TYPES))
    slots = {str(slot): re.sub(r"\d+$", "", str(slot)) for slot in declared["slots"]}
    draw = declared.get("draw")
    if draw is not None and draw not in draws:
        raise QuestionError("bad-template", where, f"draw {draw}", "one of " + ", ".join(sorted(draws)))
    if draw is None and (free := [slot for slot, kind in slots.items() if kind not in known]):
        raise QuestionError("bad-template", where, f"slot {free[0]} without a draw", "a draw that gives it")
    phrasings = tuple(str(each) for each in declared["phrasings"])
    if len(set(phrasings)) < FEWEST_PHRASINGS:
        raise QuestionError("bad-template", where, f"{len(set(phrasings))} phrasings", f"at least {FEWEST_PHRASINGS}")
    for phrasing in phrasings:
        named = {str(each) for _, each, _, _ in Formatter().parse(phrasing) if each is not None}
        if named != set(slots):
            raise QuestionError("bad-template", where, f"a phrasing with slots {sorted(named)}", f"{sorted(slots)}")
    program = declared.get("program")
    if program is not None:
        program = " ".join(str(program).split())
        used = {slot for slot, _ in places_of(program)}
        if used != set(slots):
            raise QuestionError("bad-template", where, f"a program with slots {sorted(used)}", f"{sorted(slots)}")
    return FamilyTemplate(
        name, kind, declared["answer_type"], slots, program, draws.get(draw, "") if draw else "", phrasings,
        int(declared.get("most_values", 30)),
    )  # fmt: skip

"""EHRXQA 1.0.0: train.json, valid.json, test.json (answered), or _train.json, ... (with `_gold_program` instead).

{"db_id": "mimic_iv_cxr", "split": "train", "id": 0,
 "question": "is there a picc in the svc of study 50000123?",
 "template": "given the study 50000123, is there picc in the svc?",
 "query": "select func_vqa(\\"is there a picc in the svc?\\", t1.study_id) from ( ... ) as t1",
 "value": {"study_id": 50000123}, "q_tag": "given the study {study_id}, is there ${attribute} in the ${object}?",
 "t_tag": ["", "", "", "", ""], "o_tag": {}, "v_tag": {"object": ["svc"], "category": [], "attribute": ["picc"]},
 "tag": "...", "para_type": "machine", "is_impossible": false, "answer": [1]}

An answer is the first column of the rows: `[1]` is yes or a count by its template, `[]` is "nothing was found".
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from chartsight.errors import QuestionError
from chartsight.questions.answer_text import number_text
from chartsight.questions.imported import SPLIT_NAMES, RowProblem, is_storable
from chartsight.questions.layouts.json_array import is_plain_text, read_json_array
from chartsight.schema import AnswerType, Split

STEMS = ("train", "valid", "test")
FOLDERS = ("", "dataset/mimic_iv_cxr", "dataset")
NAMED = ("object", "category", "attribute", "comparison")  # lists in v_tag
Modality = Literal["image", "table", "image+table"]
Scope = Literal["none", "single", "group"]

_CALL = re.compile(r"""func_vqa\(\s*(["'])(?P<question>.*?)\1\s*,\s*(?P<study>[\w.]+)\s*\)""", re.IGNORECASE)
_VISUAL = re.compile(r"chest x-ray|\bstudy\b|\$\{")
_TABLE_FACT = re.compile(r"\{(diagnosis|procedure|drug)_name|\[age_group\]|\bdiagnos|\bprocedure|\bprescribed")
_GIVEN = re.compile(r"^given the .*?, (?=(?:is|are|which|list|does|do)\b)")
_YES_NO = re.compile(r"^(?:has|have|had|is|are|was|were|does|do|did)(?:_verb)?\b")
_ISO = re.compile(r"\d{4}-\d{2}(?:-\d{2}(?: \d{2}:\d{2}(?::\d{2})?)?)?")
_IDENTIFIER_KEYS = ("patient_id", "study_id", "study_id1", "study_id2", "image_id")


@dataclass(frozen=True)
class EhrxqaItem:
    """One item; `answer` is None when the file has none, `gold_program` likewise."""

    split: Split
    id: int | str
    question: str
    template: str
    query: str
    gold_program: str | None
    value: Mapping[str, Any]
    q_tag: str
    t_tag: tuple[str, ...]
    o_tag: Mapping[str, Any]
    v_tag: Mapping[str, Any]
    answer: tuple[Any, ...] | None

    @property
    def asked(self) -> str:
        """The template with slots, without the words that say which study is meant."""
        return _GIVEN.sub("", self.q_tag)

    @property
    def modality(self) -> Modality:
        """What it takes: a film, the tables, or both."""
        if not _VISUAL.search(self.q_tag) and not self.inner_questions:
            return "table"
        return "image+table" if _TABLE_FACT.search(self.q_tag) else "image"

    @property
    def scope(self) -> Scope:
        """About one patient, many, or none."""
        if any(f"{{{key}}}" in self.q_tag for key in _IDENTIFIER_KEYS):
            return "single"
        return "group" if self.modality != "table" or re.search("patient|top|number|total", self.q_tag) else "none"

    @property
    def kind(self) -> str:
        """One of EHRXQA's nine kinds."""
        if self.modality != "image":
            return f"{self.modality}/{self.scope}"
        if self.scope == "group":
            return "image/group"
        if "compared to" in self.q_tag:
            return "image/two"
        return "image/one" if _GIVEN.search(self.q_tag) else "image/many"

    @property
    def template_id(self) -> str:
        """The kind and a digest of the template with slots: the released files carry no number of it."""
        return f"ehrxqa/{self.kind}/{hashlib.sha256(self.q_tag.encode()).hexdigest()[:6]}"

    @property
    def is_poster(self) -> bool:
        """Whether it is one of the 4,200 one-image questions (11xx): the only ones with a singular `study_id`."""
        return "study_id" in self.value

    @property
    def inner_questions(self) -> tuple[str, ...]:
        """What the query asks the visual model, each wording once."""
        return tuple(dict.fromkeys(match["question"].strip() for match in _CALL.finditer(self.query)))

    @property
    def study_query(self) -> str | None:
        """A query for the studies that a question about one film looks at; None when it names the study itself."""
        if self.kind != "image/one" or self.is_poster or not _CALL.search(self.query):
            return None
        return _CALL.sub(lambda match: match["study"], self.query)

    @property
    def study_ids(self) -> tuple[int, ...]:
        """Studies that the item names, in reading order."""
        named = (self.value.get(key) for key in ("study_id", "study_id1", "study_id2"))
        return tuple(int(each) for each in named if each is not None)

    @property
    def identifiers(self) -> tuple[str, ...]:
        """Of patients and studies that its wording may hold."""
        return tuple(str(self.value[key]) for key in _IDENTIFIER_KEYS if self.value.get(key) is not None)

    @property
    def template_words(self) -> str:
        """The template's own words without the study they are about."""
        return _GIVEN.sub("", self.template)

    @property
    def slots(self) -> dict[str, str]:
        """Findings, places and other values that fill the template, never an identifier."""
        slots: dict[str, str] = {}
        for kind in NAMED:
            for number, value in enumerate(self.v_tag.get(kind) or (), 1):
                slots[kind if number == 1 else f"{kind}{number}"] = str(value)
        slots |= {key: str(value) for key, value in self.value.items() if key not in _IDENTIFIER_KEYS}
        slots |= {key: _worded(value) for key, value in self.o_tag.items()}
        return slots

    @property
    def age_group(self) -> str | None:
        """The age group that it asks about, in its own words; None when it asks about none."""
        if "[age_group]" not in self.q_tag:
            return None
        named = self.o_tag.get("age_group", self.value.get("age_group"))
        if named is not None:
            return _worded(named)
        found = re.search(r"aged? (?:in )?(?:the(?:ir)? )?(\w+)", self.template)
        return found[1] if found else None


def _worded(value: Any) -> str:
    """`{"nlq": "days", "sql": ...}` → `days`."""
    return str(value.get("nlq", value.get("type", ""))) if isinstance(value, Mapping) else str(value)


def find_ehrxqa_files(source: Path) -> list[Path]:
    """The files of `source` (one file, or the folder of a release), answered before unanswered, one a split.

    Raises:
        QuestionError: There is none.
    """
    if source.is_file():
        return [source]
    for name in FOLDERS:
        folder = source / name
        found = [
            next((path for path in (folder / f"{stem}.json", folder / f"_{stem}.json") if path.is_file()), None)
            for stem in STEMS
        ]
        if any(found):
            return [path for path in found if path is not None]
    raise QuestionError(
        "missing-file", source, "no such file", "train.json, valid.json, test.json, or _train.json, ..."
    )


def read_ehrxqa(file: Path) -> Iterator[tuple[int, EhrxqaItem | RowProblem]]:
    """(number from 1, item) of one released file.

    Raises:
        QuestionError: It is missing, no array, or damaged.
    """
    split = SPLIT_NAMES.get(file.stem.removeprefix("_").lower())
    for number, item in read_json_array(file):
        try:
            yield number, parse_item(item, number, split)
        except RowProblem as problem:
            yield number, problem


def parse_item(item: Any, number: int, split: Split | None = None) -> EhrxqaItem:
    """One item as typed values; without an id of its own it has its number.

    Raises:
        RowProblem: It is no object, or a field is missing or of the wrong type.
    """
    if not isinstance(item, dict) or not is_plain_text(item):
        raise RowProblem("not a JSON object")
    texts = {key: item.get(key) for key in ("question", "template", "query", "q_tag")}
    for key, text in texts.items():
        if not isinstance(text, str) or not text.strip():
            raise RowProblem(f"no {key}")
    named = SPLIT_NAMES.get(str(item.get("split", "")).lower(), split)
    if named is None:
        raise RowProblem("unknown split")
    value, o_tag, v_tag = (item.get(key) or {} for key in ("value", "o_tag", "v_tag"))
    if not all(isinstance(each, dict) for each in (value, o_tag, v_tag)):
        raise RowProblem("value, o_tag or v_tag is no object")
    t_tag = item.get("t_tag") or ()
    if not all(isinstance(each, list | tuple) for each in (t_tag, *(v_tag.get(kind) or () for kind in NAMED))):
        raise RowProblem("t_tag or what v_tag names is no list")
    if any(
        not re.fullmatch(r"\d{1,18}(?:\.0)?", str(value[key]))
        for key in _IDENTIFIER_KEYS[:4]
        if value.get(key) is not None
    ):
        raise RowProblem("an identifier that is no number")
    value = {
        key: int(float(each)) if key in _IDENTIFIER_KEYS[:4] and each is not None else each
        for key, each in value.items()
    }
    program = item.get("_gold_program")
    return EhrxqaItem(
        named, item["id"] if isinstance(item.get("id"), int | str) else number,
        " ".join(str(texts["question"]).split()), " ".join(str(texts["template"]).split()), str(texts["query"]),
        program if isinstance(program, str) and program.strip() else None, value, " ".join(str(texts["q_tag"]).split()),
        tuple(str(each) for each in t_tag), o_tag, v_tag, parse_rows(item.get("answer")),
    )  # fmt: skip


def parse_rows(answer: Any) -> tuple[Any, ...] | None:
    """The values of a released answer: a list of scalars, a list of one-column rows, or one scalar; None for none.

    Raises:
        RowProblem: It is anything else.
    """
    if answer is None or answer == "Will be generated by dataset_builder/generate_answer.py":
        return None
    rows = answer if isinstance(answer, list) else [answer]
    values = tuple(row[0] if isinstance(row, list) and len(row) == 1 else row for row in rows)
    if any(isinstance(value, list | dict) for value in values):
        raise RowProblem("an answer of several columns")
    if any(isinstance(value, int | float) and not is_storable(value) for value in values):
        raise RowProblem("an answer that is no number, or of more than 64 bits")
    return values


def type_answer(item: EhrxqaItem, values: tuple[Any, ...]) -> tuple[AnswerType, Any, tuple[str, ...]]:
    """Type, value and allowed answers, by the item's template and not by how its values look: `[1]` is yes or one.

    A choice is a set of its two options, because none or both may be right. Nothing found is an empty set.

    Raises:
        RowProblem: A yes/no question is answered by something else than one 0 or 1, a count by no number.
    """
    asked, allowed = item.asked, _options(item)
    found = [value for value in values if value is not None]
    if _YES_NO.match(asked) and not allowed:
        if len(found) == 1 and found[0] in (0, 1, True, False):
            return "boolean", bool(found[0]), ()
        if not found:
            return "set", [], ()
        raise RowProblem("a yes/no question without a yes or no")
    is_list = bool(allowed) or asked.startswith(("list", "which", "what are", "what is the new")) or len(found) != 1
    if is_list:
        return "set", sorted({_text(value) for value in found}), allowed
    (value,) = found
    if asked.startswith("count"):
        if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value) or value < 0:
            raise RowProblem("a count that is no whole number")
        return "count", int(value), ()
    if isinstance(value, bool):
        raise RowProblem("a true or false where a value is asked for")
    if isinstance(value, int | float):
        return "number", value, ()
    text = " ".join(str(value).split())
    if not text:
        return "set", [], ()
    if _ISO.fullmatch(text):
        return "date", text, ()
    if asked.startswith("what") and " name of " in asked and "exact" not in item.q_tag:
        return "set", [text], ()  # there could have been several
    return "text", text, ()


def _text(value: Any) -> str:
    return number_text(value) if isinstance(value, int | float) else " ".join(str(value).split())


def _options(item: EhrxqaItem) -> tuple[str, ...]:
    """The two options of a choice; empty for every other template."""
    if not item.asked.startswith("which"):
        return ()
    kind = "object" if "${object_2}" in item.q_tag else "attribute"
    return tuple(str(each) for each in item.v_tag.get(kind) or ())

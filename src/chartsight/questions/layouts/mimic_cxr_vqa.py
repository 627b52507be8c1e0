"""MIMIC-CXR-VQA 1.0.0: train.json, valid.json, test.json; 377,391 questions, 48 templates.

{"split": "train", "idx": 13280, "subject_id": 10000032, "study_id": 50000123, "image_id": "34c81443-...",
 "image_path": "p10/p10000032/s50000123/34c81443-....jpg",
 "question": "Are there signs of both pleural effusion and lung cancer in the left lower lung zone?",
 "semantic_type": "verify", "content_type": "attribute", "template": "Are there signs of both ${attribute_1} and ...",
 "template_program": "program_5", "template_arguments": {"object": {"0": "left lower lung zone"},
 "attribute": {"0": "pleural effusion", "1": "lung cancer"}, "category": {}, "viewpos": {}, "gender": {}},
 "answer": ["no"]}

A template is its program; its many wordings are phrasings. 42 templates are answered by EHRXQA's labels.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chartsight.errors import QuestionError
from chartsight.questions.imported import BOOLEANS, SPLIT_NAMES, RowProblem, parse_question
from chartsight.questions.layouts.json_array import is_plain_text, read_json_array
from chartsight.schema import ATTRIBUTES, OBJECTS, AnswerType, Split

STEMS = ("train", "valid", "test")
FOLDERS = ("", "mimiccxrvqa/dataset", "MIMIC-Ext-MIMIC-CXR-VQA/dataset", "dataset")
ALL_ATTRIBUTES = tuple(ATTRIBUTES)
CLOSED: Mapping[str, tuple[str, ...]] = {"plane": ("ap", "pa"), "gender": ("f", "m")}
ARGUMENTS = ("object", "attribute", "category", "viewpos", "gender")


@dataclass(frozen=True)
class CxrVqaItem:
    """One question about one image."""

    split: Split
    idx: int | str
    image_id: str
    question: str
    semantic_type: str
    content_type: str
    template: str
    program: str
    slots: Mapping[str, str]
    answer_type: AnswerType
    answer: Any
    allowed: tuple[str, ...]

    @property
    def template_id(self) -> str:
        """The program is the template."""
        return f"mimic-cxr-vqa/{self.program}"

    @property
    def phrasing_id(self) -> str:
        """The template in one wording."""
        return f"{self.template_id}/{hashlib.sha256(self.template.encode()).hexdigest()[:6]}"


def find_cxr_vqa_files(source: Path) -> list[Path]:
    """The answered files of `source` (one file, or the folder of a release), one a split.

    Raises:
        QuestionError: There is none; the files that begin with `_` have no answers yet.
    """
    if source.is_file():
        return [source]
    unanswered = False
    for name in FOLDERS:
        folder = source / name
        if found := [folder / f"{stem}.json" for stem in STEMS if (folder / f"{stem}.json").is_file()]:
            return found
        unanswered |= any(folder.glob("_*.json"))
    raise QuestionError(
        "missing-file", source, "has files without answers only" if unanswered else "no such file",
        "train.json, valid.json, test.json", "the data set's own build script makes the answers" if unanswered else "",
    )  # fmt: skip


def read_cxr_vqa(file: Path) -> Iterator[tuple[int, CxrVqaItem | RowProblem]]:
    """(number from 1, item) of one file.

    Raises:
        QuestionError: It is missing, no array, or damaged.
    """
    split = SPLIT_NAMES.get(file.stem.removeprefix("_").split("_")[0].lower())
    for number, item in read_json_array(file):
        try:
            yield number, parse_item(item, number, split)
        except RowProblem as problem:
            yield number, problem


def parse_item(item: Any, number: int, split: Split | None = None) -> CxrVqaItem:
    """One item as typed values.

    Raises:
        RowProblem: It is no object, or a field is missing or of the wrong type.
    """
    if not isinstance(item, dict) or not is_plain_text(item):
        raise RowProblem("not a JSON object")
    image_id = item.get("image_id")
    if not isinstance(image_id, str) or not image_id:
        raise RowProblem("no image")
    named = SPLIT_NAMES.get(str(item.get("split", "")).lower(), split)
    if named is None:
        raise RowProblem("unknown split")
    arguments = item.get("template_arguments") or {}
    if not isinstance(arguments, dict) or not all(isinstance(arguments.get(kind, {}), dict) for kind in ARGUMENTS):
        raise RowProblem("template_arguments is no object")
    slots = {
        kind if place == 1 else f"{kind}{place}": str(value)
        for kind in ARGUMENTS
        for place, value in enumerate(arguments.get(kind, {}).values(), 1)
    }
    kinds = [str(item.get(key) or "").strip().lower() for key in ("semantic_type", "content_type")]
    if kinds[0] not in ("verify", "choose", "query"):
        raise RowProblem("unknown semantic_type")
    program = str(item.get("template_program") or "")
    if not re.fullmatch(r"program_\d{1,3}", program):
        raise RowProblem("no template_program")
    answer_type, answer, allowed = type_answer(item.get("answer"), kinds[0], kinds[1], slots)
    return CxrVqaItem(
        named, item["idx"] if isinstance(item.get("idx"), int | str) else number, image_id,
        parse_question(item.get("question")), kinds[0], kinds[1], str(item.get("template") or ""), program, slots,
        answer_type, answer, allowed,
    )  # fmt: skip


def type_answer(
    answer: Any, semantic_type: str, content_type: str, slots: Mapping[str, str]
) -> tuple[AnswerType, Any, tuple[str, ...]]:
    """Type, value and allowed answers. A choice between findings is a set of its options: none or both may be right.

    Raises:
        RowProblem: There is no answer, or it is not of its template's kind.
    """
    if not isinstance(answer, list) or not all(isinstance(each, str) and each.strip() for each in answer):
        raise RowProblem("no answer")
    members = sorted({each.strip().lower() for each in answer})
    if semantic_type == "verify":
        if len(members) != 1 or members[0] not in BOOLEANS:
            raise RowProblem("a yes/no question without a yes or no")
        return "boolean", BOOLEANS[members[0]], ()
    if closed := CLOSED.get(content_type):
        if len(members) != 1 or members[0] not in closed:
            raise RowProblem("an answer outside of the two that there are")
        return "choice", members[0], closed
    if semantic_type == "choose":
        kind = "object" if "object2" in slots else "attribute"
        allowed: tuple[str, ...] = tuple(value for slot, value in slots.items() if slot.startswith(kind))
    else:
        allowed = OBJECTS if content_type == "anatomy" else ALL_ATTRIBUTES
    if set(members) - set(allowed):
        if not set(members) <= set(OBJECTS) | set(ALL_ATTRIBUTES):
            raise RowProblem("an answer that is neither a finding nor a place")
        allowed = OBJECTS if set(members) <= set(OBJECTS) else ALL_ATTRIBUTES
    return "set", members, allowed

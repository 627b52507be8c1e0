"""SLAKE: 14,028 questions in two languages about 642 images; train.json, validate.json, test.json and imgs/.

{"img_id": 1, "img_name": "xmlab1/source.jpg", "question": "What modality is used to take this image?",
 "answer": "MRI", "q_lang": "en", "location": "Abdomen", "modality": "MRI", "answer_type": "OPEN",
 "base_type": "vqa", "content_type": "Modality", "triple": ["vhead", "_", "_"], "qid": 0}
"""

from __future__ import annotations

from pathlib import Path

from chartsight.errors import QuestionError
from chartsight.questions.imported import (
    SPLIT_NAMES,
    Entries,
    Entry,
    ImportedRow,
    RowProblem,
    parse_plain_answer,
    parse_question,
)
from chartsight.questions.layouts.json_array import is_plain_text, read_json_array
from chartsight.schema import Split

FILES = ("train.json", "validate.json", "validation.json", "test.json")
IMAGES = "imgs"
KEPT = ("location", "modality", "answer_type", "base_type", "content_type")


def read_slake(source: Path, images: Path | None, language: str = "en") -> Entries:
    """Every question of the folder (or one file of it) `source`; those in another language are problems.

    Args:
        source: The folder of train.json, or one of the files.
        images: The folder of xmlab0, xmlab1, ...; `imgs` beside the files when None.
        language: Of the questions that are wanted, as `q_lang` says.

    Raises:
        QuestionError: There is no such file, or it is damaged.
    """
    files = [source / name for name in FILES if (source / name).is_file()] if source.is_dir() else [source]
    if not files or not files[0].is_file():
        raise QuestionError("missing-file", source, "no such file", "train.json, validate.json, test.json")
    folder = images or files[0].parent / IMAGES
    for file in files:
        split = SPLIT_NAMES.get(file.stem.lower())
        for number, item in read_json_array(file):
            try:
                yield Entry(file, number, parse_item(item, number, folder, split, language))
            except RowProblem as problem:
                yield Entry(file, number, problem)


def parse_item(item: object, number: int, folder: Path, split: Split | None, language: str) -> ImportedRow:
    """One question as typed values.

    Raises:
        RowProblem: It is no object, a field is missing or unusable, or it is in another language.
    """
    if not isinstance(item, dict) or not is_plain_text(item):
        raise RowProblem("not a JSON object")
    if item.get("q_lang", language) != language:
        raise RowProblem(f"a question in another language than {language}")
    image = item.get("img_name")
    if not isinstance(image, str) or not image or "\0" in image or ".." in Path(image).parts or image.startswith("/"):
        raise RowProblem("no image")
    answer_type, answer = parse_plain_answer(item.get("answer"))
    kind = str(item.get("content_type") or "other").strip().lower()
    return ImportedRow(
        number, (folder / image,), parse_question(item.get("question")), answer, answer_type, (), split, None,
        f"slake/{kind}", str(item.get("qid", "")),
        {name: str(item[name]).strip() for name in KEPT if item.get(name) not in (None, "")},
    )  # fmt: skip

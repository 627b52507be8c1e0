"""PathVQA: 32,799 questions about 4,998 pathology images, as its authors' pickles or Hugging Face's Parquet files.

qas/train_vqa.pkl (LXMERT's layout) or qas/train/train_qa.pkl, images in images/train/:
    {"img_id": "train_0422", "sent": "Where are liver stem cells located?", "label": {"in the canals": 1},
     "question_id": 100422000, "question_type": "where", "answer_type": "other"}
    {"image": "train_0422", "question": "Where are liver stem cells located?", "answer": "in the canals"}

A pickle is a program. These are read by an unpickler that knows lists, dictionaries, texts and numbers and refuses
everything else; the Parquet files need no such care.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any, NoReturn

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
from chartsight.questions.layouts.image_parquet import find_parquet, read_image_parquet
from chartsight.questions.layouts.json_array import is_plain_text
from chartsight.schema import Split

PICKLES = tuple(
    pattern.format(split=split)
    for split in ("train", "val", "test")
    for pattern in ("{split}_vqa.pkl", "{split}/{split}_qa.pkl", "{split}_qa.pkl")
)


class PlainUnpickler(pickle.Unpickler):
    """Reads built-in containers, texts and numbers; whatever would import or call something is refused."""

    def find_class(self, module: str, name: str) -> NoReturn:
        """Refuses every class and function."""
        raise pickle.UnpicklingError("it asks for a class or function")

    def persistent_load(self, pid: Any) -> NoReturn:
        """Refuses every reference to something outside."""
        raise pickle.UnpicklingError("it asks for something outside of the file")


def read_plain_pickle(file: Path) -> Any:
    """The containers, texts and numbers in `file`; nothing of it is ever run.

    Raises:
        QuestionError: It is damaged, or holds anything else.
    """
    try:
        with file.open("rb") as stream:
            return PlainUnpickler(stream).load()
    except Exception as error:  # a damaged pickle may raise anything
        raise QuestionError(
            "unsafe-pickle", file, "holds more than lists, dictionaries, texts and numbers, or is damaged",
            "a plain pickle", "take the Parquet files of the data set instead",
        ) from error  # fmt: skip


def read_path_vqa(source: Path, images: Path | None, unpacked: Path) -> Entries:
    """Every question of the folder or file `source`.

    Args:
        source: A folder that holds `qas/` or the pickles, one pickle, or a folder (or file) of Parquet.
        images: The folder of train/, val/, test/; `images` beside `qas` when None.
        unpacked: Where images that stand in Parquet are written.

    Raises:
        QuestionError: There is neither, or a file is damaged.
    """
    if files := find_parquet(source):
        yield from read_image_parquet(files, unpacked, "path-vqa")
        return
    pickles = _find_pickles(source)
    folder = images or _folder_of_images(pickles[0])
    for file in pickles:
        name = file.stem.split("_")[0]
        items = read_plain_pickle(file)
        if not isinstance(items, list):
            raise QuestionError("no-array", file, f"holds a {type(items).__name__}", "a list of questions")
        for number, item in enumerate(items, 1):
            try:
                yield Entry(file, number, parse_item(item, number, folder / name, SPLIT_NAMES.get(name)))
            except RowProblem as problem:
                yield Entry(file, number, problem)


def parse_item(item: object, number: int, folder: Path, split: Split | None) -> ImportedRow:
    """One question of either layout as typed values.

    Raises:
        RowProblem: It is no dictionary, or a field is missing or unusable.
    """
    if not isinstance(item, dict) or not is_plain_text(item):
        raise RowProblem("not a dictionary")
    image = item.get("img_id", item.get("image"))
    if not isinstance(image, str) or not image or image != Path(image).name or "\0" in image:
        raise RowProblem("no image")
    given = item.get("answer")
    if given is None and isinstance(labels := item.get("label"), dict) and labels:
        given = max(labels, key=lambda answer: (labels[answer], str(answer)))
    answer_type, answer = parse_plain_answer(given)
    kind = str(item.get("question_type") or item.get("answer_type") or "other").strip().lower()
    own_id = item.get("question_id")
    return ImportedRow(
        number, (folder / f"{image}.jpg",), parse_question(item.get("sent", item.get("question"))), answer, answer_type,
        (), split, None, f"path-vqa/{kind}", None if own_id is None else str(own_id),
    )  # fmt: skip


def _find_pickles(source: Path) -> list[Path]:
    if source.is_file():
        return [source]
    for folder in (source / "qas", source, source / "pvqa" / "qas"):
        found = [folder / name for name in PICKLES if (folder / name).is_file()]
        if found:  # the first layout of each split wins; the others repeat it
            by_split: dict[str, Path] = {}
            for file in found:
                by_split.setdefault(file.stem.split("_")[0], file)
            return list(by_split.values())
    raise QuestionError("missing-file", source, "holds neither pickles nor Parquet files", "qas/ or data/")


def _folder_of_images(pickle_file: Path) -> Path:
    for folder in pickle_file.parents[:3]:
        if (folder / "images").is_dir():
            return folder / "images"
    return pickle_file.parent.parent / "images"

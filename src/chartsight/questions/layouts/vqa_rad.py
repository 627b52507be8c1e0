"""VQA-RAD: 3,515 questions about 315 images, as the file of its authors or as Hugging Face's Parquet files.

VQA_RAD Dataset Public.json beside "VQA_RAD Image Folder/":
    {"qid": "1", "phrase_type": "test_freeform", "qid_linked_id": "03f4...", "image_name": "synpic1.jpg",
     "image_case_url": "https://.../case?id=...", "image_organ": "HEAD", "question_type": "PRES",
     "answer_type": "CLOSED", "question": "Is there an infarct?", "answer": "Yes"}

The authors' split stands in `phrase_type` (`test_...`), and leaves nearly every test image in train as well. A case of
`image_case_url` is a patient here, so that `patient` keeps images of one case together.
"""

from __future__ import annotations

from pathlib import Path

from chartsight.errors import QuestionError
from chartsight.questions.imported import Entries, Entry, ImportedRow, RowProblem, parse_plain_answer, parse_question
from chartsight.questions.layouts.image_parquet import find_parquet, read_image_parquet
from chartsight.questions.layouts.json_array import is_plain_text, read_json_array

FILE = "VQA_RAD Dataset Public.json"
IMAGES = "VQA_RAD Image Folder"
KEPT = ("phrase_type", "question_type", "image_organ", "answer_type")


def read_vqa_rad(source: Path, images: Path | None, unpacked: Path) -> Entries:
    """Every question of the file or folder `source`.

    Args:
        source: The JSON, the folder that holds it, or a folder (or file) of Parquet.
        images: Folder of the images; the one beside the JSON when None.
        unpacked: Where images that stand in Parquet are written.

    Raises:
        QuestionError: There is neither, or the file is damaged.
    """
    if files := find_parquet(source):
        yield from read_image_parquet(files, unpacked, "vqa-rad")
        return
    file = source / FILE if source.is_dir() else source
    if not file.is_file():
        raise QuestionError("missing-file", file, "no such file", f"{FILE} or Parquet files")
    folder = images or file.parent / IMAGES
    for number, item in read_json_array(file):
        try:
            yield Entry(file, number, parse_item(item, number, folder))
        except RowProblem as problem:
            yield Entry(file, number, problem)


def parse_item(item: object, number: int, folder: Path) -> ImportedRow:
    """One question as typed values.

    Raises:
        RowProblem: It is no object, or a field is missing or unusable.
    """
    if not isinstance(item, dict) or not is_plain_text(item):
        raise RowProblem("not a JSON object")
    image = item.get("image_name")
    if not isinstance(image, str) or not image or "\0" in image:
        raise RowProblem("no image")
    answer_type, answer = parse_plain_answer(item.get("answer"))
    case = item.get("image_case_url")
    kinds = str(item.get("question_type") or "other").strip().lower()
    return ImportedRow(
        number, (folder / Path(image).name,), parse_question(item.get("question")), answer, answer_type, (),
        "test" if str(item.get("phrase_type", "")).startswith("test_") else "train",
        case.strip() if isinstance(case, str) and case.strip() else None, f"vqa-rad/{kinds}", str(item.get("qid", "")),
        {name: str(item[name]).strip() for name in KEPT if item.get(name) not in (None, "", "NULL")},
    )  # fmt: skip

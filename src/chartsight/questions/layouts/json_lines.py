"""Anyone's images, questions and answers, one JSON object a line.

{"image": "a.png", "question": "Is there a fracture?", "answer": "yes", "patient_id": "17"}
{"images": ["a.png", "b.png"], "question": "What is new?", "answer": ["nodule"], "split": "test"}
"""

from __future__ import annotations

import json
from pathlib import Path

from chartsight.questions.imported import (
    SPLIT_NAMES,
    Entries,
    Entry,
    ImportedRow,
    RowProblem,
    parse_answer,
    parse_question,
)

SHORTEST_IDENTIFIER = 4  # characters; a patient called "1" may well stand in a question


def read_json_lines(file: Path, folder: Path) -> Entries:
    """Every line of `file`; image names start from `folder`."""
    with file.open(encoding="utf-8-sig", errors="replace") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                yield Entry(file, number, parse_row(line, number, folder))
            except RowProblem as problem:
                yield Entry(file, number, problem)


def parse_row(line: str, number: int, folder: Path) -> ImportedRow:
    """One line as typed values.

    Raises:
        RowProblem: It is no JSON object, a field is missing or of the wrong type, or the question names the patient.
    """
    try:
        row = json.loads(line)
        json.dumps(row, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:  # half a character, as \ud800
        raise RowProblem("text that is no Unicode") from error
    except (ValueError, RecursionError) as error:
        raise RowProblem("not JSON") from error
    if not isinstance(row, dict):
        raise RowProblem("not a JSON object")
    named = row.get("images", row.get("image"))
    named = [named] if isinstance(named, str) else named
    if not isinstance(named, list) or not named or not all(isinstance(each, str) and each for each in named):
        raise RowProblem("no image")
    if any("\0" in each for each in named):
        raise RowProblem("no file is called so")
    if len(set(named)) != len(named):
        raise RowProblem("the same image twice")
    question = parse_question(row.get("question"))
    allowed = row.get("allowed_answers") or ()
    if not isinstance(allowed, list | tuple) or not all(isinstance(each, str) for each in allowed):
        raise RowProblem("allowed_answers is no list of texts")
    answer_type, answer = parse_answer(row.get("answer"), row.get("answer_type"), tuple(allowed))
    split = row.get("split")
    if split is not None and str(split).lower() not in SPLIT_NAMES:
        raise RowProblem("unknown split")
    patient = row.get("patient_id")
    patient = None if patient in (None, "") else str(patient)
    if patient is not None and len(patient) >= SHORTEST_IDENTIFIER and patient in question:
        raise RowProblem("the question names the patient")
    own_id = row.get("id")
    return ImportedRow(
        number, tuple(folder / each for each in named), question, answer, answer_type, tuple(allowed),
        None if split is None else SPLIT_NAMES[str(split).lower()], patient,
        str(row.get("template_id") or "import"), None if own_id is None else str(own_id),
    )  # fmt: skip

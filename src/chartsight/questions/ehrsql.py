"""EHRSQL-2024's questions, SQL and answers as a question set. One folder a split:

    data.json       {"version": "valid_v1.1.1", "data": [{"id": "b9bf...", "question": "How is tramadol given?"}]}
    label.json      {"b9bf...": "SELECT DISTINCT prescriptions.route FROM ...", "7bdf...": "null"}
    answer.json     {"b9bf...": "[['po/ng']]", "7bdf...": "null"}         rows as text; "null" where nobody can know
    annotated.json  [{"id": "b9bf...", "template": "What is the intake method of {drug_name}?", "val_dict": {...}}]

With its database (`records build-ehrsql`) an answer that depends on the order of stored rows is marked `tied`: the
query is run again on the same rows in two other orders.

Source: github.com/glee4810/ehrsql-2024, data version 1.1.1 (CC BY 4.0; answers hold values of the MIMIC-IV demo, ODbL).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from chartsight.errors import OutputError, QueryError, QuestionError
from chartsight.progress import track
from chartsight.questions.data_card import build_data_card
from chartsight.questions.faults import Faults
from chartsight.questions.files import write_questions
from chartsight.questions.released import note_all, source_id, split_anew
from chartsight.questions.splits import find_leaks
from chartsight.records.ehrsql_schema import NOW
from chartsight.records.published_sql import open_published, open_reordered, run_published
from chartsight.runs import Run, check_apart, removed_on_failure
from chartsight.schema import SPLITS, AnswerType, Question, Split

FILES = ("data.json", "label.json", "answer.json")
PLACES = (".", "data/mimic_iv")  # of the split folders: the folder itself, the root of the repository
WHERE_FROM = "EHRSQL-2024, https://github.com/glee4810/ehrsql-2024, data/mimic_iv"
UNANSWERABLE = "null"
MOST_PUBLISHED_ROWS = 100  # of an answer; the files leave out what would come after
REORDERINGS = ("row_id DESC", "row_id * 2654435761 % 4294967296")  # backwards, and scattered
IDENTIFIER = re.compile(r"\bsubject_id = (\d+)")
OF_MANY = re.compile(r"\b(subject_id|hadm_id|stay_id|\w*time|dod|dob)\b|\bCOUNT\(", re.IGNORECASE)
AGGREGATE = re.compile(r"\b(COUNT|SUM|AVG|MIN|MAX)\(", re.IGNORECASE)
INTEGER, NUMBER = re.compile(r"-?\d+"), re.compile(r"-?\d+(\.\d+)?([eE][-+]?\d+)?")
DATE = re.compile(r"\d{4}-\d\d-\d\d( \d\d:\d\d(:\d\d)?)?")
Rows = list[list[str]]


@dataclass(frozen=True)
class EhrsqlItem:
    """One entry of a split; `sql` is None when nobody can answer, `rows` also when no answer is published."""

    number: int
    own_id: str
    question: str
    sql: str | None
    rows: Rows | None
    slots: Mapping[str, str]


def import_ehrsql(
    source: Path, out: Path, *, database: Path | None = None, split: Literal["released", "patient"] = "released",
    seed: int = 7, valid_share: float = 0.1, test_share: float = 0.2, quiet: bool = False, force: bool = False,
) -> Run:  # fmt: skip
    """A question set from EHRSQL-2024's files; a data card and a manifest beside it.

    Args:
        source: The folder of one split, or one that holds train/ and valid/ (or data/mimic_iv/train/), or a data.json.
        out: `questions.parquet`.
        database: Of `records build-ehrsql`: ties are looked for, and answers that no file gives are made.
        split: `released` keeps the splits and reports the patients that they share; `patient` splits anew, without
            the questions about groups, whose patients stand in several splits.
        seed: Of a new split.
        valid_share: Share of patients in valid.
        test_share: Share of patients in test.
        quiet: Without progress.
        force: Replace `out`.

    Raises:
        QuestionError: Files are missing (all are named) or damaged, or no item of them can be used.
        RecordError: `database` is none.
        OutputError: `out` exists already, or the disk is full.
    """
    source, out = Path(source), Path(out)
    folders = find_split_folders(source, needs_answers=database is None)
    if not out.name or out.is_dir():
        raise OutputError("output-exists", out, "is a folder", "the name of a new file")
    if out.exists() and not force:
        raise OutputError("output-exists", out, "exists already", hint="choose another name or pass --force")
    check_apart(out, *folders, *([database] if database else []))
    config = {
        "format": "ehrsql", "source": str(source), "database": str(database) if database else None, "split": split,
    }  # fmt: skip
    run = Run("questions import", config, seed, terms="share-alike", pairing="real")
    questions: list[Question] = []
    faults = Faults()
    for folder in folders:
        version, items = read_split(folder, run)
        named = split_of(folder, version)
        if database is not None:
            items = _run_again(items, database, folder, named, run, faults, quiet=quiet)
        questions += [_question(item, named, f"ehrsql-2024:{version}", tied) for item, tied in items]
    if not questions:
        reasons = ", ".join(f"{reason} ({n})" for reason, n in sorted(run.dropped.items())) or "it is empty"
        raise QuestionError("nothing-to-import", source, f"no usable item: {reasons}", WHERE_FROM)
    if database is not None:
        run.read(database)
    for question in questions:
        if question.tied:
            faults.note("tied", source_id(question))
        if question.answer == "[]":
            faults.note("empty-answer", source_id(question))
    note_all(questions, {}, faults, run)
    if split == "patient":
        questions = split_anew(questions, {}, run, seed, valid_share, test_share)
    run.kept = {"questions": len(questions), **_count(questions), **run.kept}
    run.outputs.append({"path": str(out), "rows": len(questions)})
    card = out.with_name(f"{out.stem}.card.html")
    with removed_on_failure(out, card, card.with_suffix(".json")):
        write_questions(out, questions, {}, replace=force)
        build_data_card(out, card, faults=run.faults, replace=True)
        run.write(out)
    return run


def _count(questions: Sequence[Question]) -> dict[str, int]:
    """Splits, what cannot be answered, ties, and the patients that two released splits share."""
    counted: dict[str, int] = {split: sum(each.split == split for each in questions) for split in SPLITS}
    counted["unanswerable"] = sum(not each.answerable for each in questions)
    counted["tied"] = sum(each.tied for each in questions)
    shared = find_leaks((each.split, {"patients": each.subject_id}) for each in questions).get("patients", {})
    return counted | {f"patients in {pair.replace('-', ' and ')}": number for pair, number in shared.items()}


# ------------------------------------------------------------------------------------------------------------ the files


def find_split_folders(source: Path, *, needs_answers: bool) -> list[Path]:
    """The folders of the splits, train before valid before test.

    Raises:
        QuestionError: There is none, or files are missing in it; all are named.
    """
    source = source.parent if source.name in FILES else source
    if (source / "data.json").is_file():
        folders = [source]
    else:
        places = [source / place / split for place in PLACES for split in SPLITS]
        folders = [place for place in places if place.is_dir()]
    if not folders:
        raise QuestionError(
            "missing-file", source, "has no data.json and no folder train, valid or test", WHERE_FROM
        )  # fmt: skip
    needed = FILES if needs_answers else FILES[:2]
    missing = [f"{folder.name}/{name}" for folder in folders for name in needed if not (folder / name).is_file()]
    if missing:
        hint = "answers can be made: --database" if all(name.endswith("answer.json") for name in missing) else ""
        raise QuestionError("missing-file", source, f"has no {', '.join(missing)}", WHERE_FROM, hint)
    return folders


def split_of(folder: Path, version: str) -> Split:
    """The split that a folder's name and its version (`valid_v1.1.1`) agree on; one of them may be silent.

    Raises:
        QuestionError: They name two, or none.
    """
    named = {split for split in SPLITS if folder.resolve().name == split or version.startswith(f"{split}_")}
    if len(named) != 1:
        found = f"its version is {version[:40]!r}" if named else "neither its name nor its version names a split"
        raise QuestionError("unknown-split", folder, found, "a folder train, valid or test, and files of that split")
    return named.pop()


def read_json(path: Path, kind: type[Any]) -> Any:
    """What stands in a JSON file.

    Raises:
        QuestionError: It is no JSON, or no `kind` (dict or list); with the line where it breaks.
    """
    name = "an object" if kind is dict else "a list"
    try:
        value = json.loads(path.read_text("utf-8"))
    except json.JSONDecodeError as error:
        raise QuestionError(
            "no-json", path, f"is no JSON from line {error.lineno} on", name, "fetch it again"
        ) from error
    except (UnicodeDecodeError, RecursionError) as error:
        raise QuestionError("no-json", path, "is no JSON text", name, "fetch it again") from error
    if not isinstance(value, kind):
        raise QuestionError("no-json", path, f"holds a {type(value).__name__}", name, WHERE_FROM)
    return value


def read_split(folder: Path, run: Run) -> tuple[str, Iterator[tuple[EhrsqlItem, bool]]]:
    """The version and the usable items of a split, none of them tied yet.

    What cannot be used is noted in `run` with its place in data.json, counted from 1.

    Raises:
        QuestionError: A file is damaged.
    """
    data, labels = read_json(folder / "data.json", dict), read_json(folder / "label.json", dict)
    answers = read_json(folder / "answer.json", dict) if (folder / "answer.json").is_file() else None
    entries = data.get("data")
    if not isinstance(entries, list):
        raise QuestionError("no-json", folder / "data.json", "has no list `data`", WHERE_FROM)
    slots = read_slots(folder / "annotated.json") if (folder / "annotated.json").is_file() else {}
    for name in (*FILES, "annotated.json"):
        if (folder / name).is_file():
            run.read(folder / name, len(entries) if name == "data.json" else None)

    def items() -> Iterator[tuple[EhrsqlItem, bool]]:
        seen: set[str] = set()
        for number, entry in enumerate(entries, 1):
            item = _parse_entry(number, entry, labels, answers, slots)
            if isinstance(item, EhrsqlItem) and item.own_id in seen:
                item = "repeated id"
            if isinstance(item, str):
                run.drop(item, folder / "data.json", number)
                continue
            seen.add(item.own_id)
            yield item, False
        if strangers := len({*labels} - {entry.get("id") for entry in entries if isinstance(entry, dict)}):
            run.drop("label without a question", folder / "label.json", count=strangers)

    return str(data.get("version") or "unknown"), items()


def _parse_entry(
    number: int, entry: object, labels: Mapping[str, Any], answers: Mapping[str, Any] | None, slots: Mapping[str, Any]
) -> EhrsqlItem | str:
    """One entry of data.json, or why it cannot be used."""
    if not isinstance(entry, dict) or not all(isinstance(entry.get(key), str) for key in ("id", "question")):
        return "no id and question"
    own_id, question = entry["id"], " ".join(entry["question"].split())
    sql = labels.get(own_id)
    if not question:
        return "no question"
    if not isinstance(sql, str) or not sql.strip():
        return "no label"
    is_answerable = sql != UNANSWERABLE
    rows = None
    if answers is not None:
        text = answers.get(own_id)
        if not isinstance(text, str):
            return "no answer"
        if (text != UNANSWERABLE) != is_answerable:
            return "label and answer disagree on whether it can be answered"
        if is_answerable:
            rows = parse_rows(text)
            if rows is None:
                return "the answer is no list of rows of text"
    return EhrsqlItem(number, own_id, question, sql if is_answerable else None, rows, slots.get(own_id, {}))


def parse_rows(text: str) -> Rows | None:
    """The rows of an entry of answer.json, `"[['iv'], ['po']]"`; None when it is no list of rows of text."""
    import ast

    try:
        rows = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
    if not isinstance(rows, list):
        return None
    is_table = all(isinstance(row, list) and all(isinstance(cell, str) for cell in row) for row in rows)
    return rows if is_table else None


def read_slots(path: Path) -> dict[str, dict[str, str]]:
    """id → its template and the values in its slots, as text; empty for an entry that has none.

    Raises:
        QuestionError: The file is damaged.
    """
    found: dict[str, dict[str, str]] = {}
    for entry in read_json(path, list):
        if not isinstance(entry, dict) or not isinstance(entry.get("val_dict"), dict):
            continue
        values = entry["val_dict"]
        slots = {"template": str(entry.get("template", ""))}
        slots |= {name: str(value) for name, value in sorted((values.get("val_placeholder") or {}).items())}
        for group in ("op_placeholder", "time_placeholder"):
            for name, value in sorted((values.get(group) or {}).items()):
                if isinstance(value, dict) and value.get("nlq"):
                    slots[name] = str(value["nlq"])
        found[str(entry.get("id"))] = slots
    return found


# -------------------------------------------------------------------------------------------------- run on the database


def _run_again(
    items: Iterator[tuple[EhrsqlItem, bool]], database: Path, folder: Path, split: Split, run: Run, faults: Faults, *,
    quiet: bool,
) -> Iterator[tuple[EhrsqlItem, bool]]:  # fmt: skip
    """Items with the rows of their file, else of the database, and whether the stored order decides them."""
    with ExitStack() as stack:
        stored = stack.enter_context(open_published(database))
        reordered = [stack.enter_context(open_reordered(database, order)) for order in REORDERINGS]
        for item, _ in track(items, split, quiet=quiet):
            if item.sql is None:
                yield item, False
                continue
            try:
                rows, *others = [as_published(run_published(each, item.sql)) for each in (stored, *reordered)]
            except QueryError as error:
                run.drop(f"its query does not run ({error.code})", folder / "label.json", item.own_id)
                continue
            if item.rows is not None and sorted(item.rows) != rows:
                faults.note("answer-differs", item.own_id)
            yield replace(item, rows=rows if item.rows is None else item.rows), any(other != rows for other in others)


def as_published(rows: Sequence[Sequence[Any]]) -> Rows:
    """Rows as answer.json holds them: numbers of floating point to 3 decimals, as text, sorted, the first 100."""
    texts = [[str(round(cell, 3) if isinstance(cell, float) else cell) for cell in row] for row in rows]
    return sorted(texts)[:MOST_PUBLISHED_ROWS]


# -------------------------------------------------------------------------------------------------------- the questions


def _question(item: EhrsqlItem, split: Split, source: str, tied: bool) -> Question:
    sql = item.sql or ""
    shape = f"ehrsql/{shape_of(sql)}" if sql else "ehrsql/unanswerable"
    answer_type: AnswerType = "text"
    answer: Any = None
    if item.rows is not None:
        answer_type, answer = type_answer(sql, item.rows)
    named = set(IDENTIFIER.findall(sql))
    scope = scope_of(sql)
    key = "\n".join(["ehrsql-2024", split, item.own_id, item.question, sql])
    return Question(
        question_id=hashlib.sha256(key.encode()).hexdigest()[:16],
        split=split,
        template_id=shape,
        phrasing_id=f"{shape}/1",
        kind=f"table/{scope}",
        modality="table",
        scope=scope,
        subject_id=int(named.pop()) if len(named) == 1 else None,
        study_ids=(),
        image_ids=(),
        question=item.question,
        visual_question=None,
        program=sql,
        parameters=json.dumps({"id": item.own_id, **item.slots}, sort_keys=True, ensure_ascii=False),
        now=NOW,
        answer_type=answer_type,
        answer=json.dumps(answer, ensure_ascii=False),
        allowed_answers=(),
        answerable=item.sql is not None,
        tied=tied,
        label_source="ehrsql-2024",
        pairing="real",
        terms="share-alike",
        source=source,
    )


def scope_of(sql: str) -> Literal["none", "single", "group"]:
    """`single` when the query names a patient, `none` when it asks about a price or a route alone, else `group`.

    An unanswerable question has no query and counts as `none`.
    """
    if IDENTIFIER.search(sql):
        return "single"
    return "group" if OF_MANY.search(sql) else "none"


def outline(sql: str) -> str:
    """The outermost part of a query: texts are `''`, whatever stands in parentheses is `()`.

    outline("SELECT COUNT( * )>0 FROM a WHERE b IN ( SELECT 'c' )")  →  "SELECT COUNT()>0 FROM a WHERE b IN ()"
    """
    text, before = _without_texts(sql), ""
    while text != before:
        text, before = re.sub(r"\([^()]*\)", "\0", text), text
    return " ".join(text.replace("\0", "()").split())


def _without_texts(sql: str) -> str:
    return re.sub(r"'(?:[^']|'')*'", "''", sql)


def shape_of(sql: str) -> str:
    """A short hash of the query without its values: questions of one shape differ in names, numbers and times only."""
    text = re.sub(r"\b\d+(\.\d+)?\b", "0", _without_texts(sql))
    return hashlib.sha256("".join(text.split()).lower().encode()).hexdigest()[:8]


def type_answer(sql: str, rows: Rows) -> tuple[AnswerType, Any]:
    """The type of an answer and its value, from the outermost part of its query and the published rows.

    One value (an aggregate, a difference, the first row, a column of one patient) is a boolean, count, number, date or
    text. All else is a set, kept as published: sorted, with what stands in it twice, without what came after row 100.
    """
    outer = outline(sql)
    selected = re.split(r"\bFROM\b", outer, maxsplit=1)[0].removeprefix("SELECT").strip()
    is_one = any(
        (
            "GROUP BY" not in outer and AGGREGATE.search(selected),
            selected.startswith("()"),
            "strftime()" in selected,
            outer.endswith(" LIMIT 1"),
            outer.startswith("SELECT patients."),
        )
    )
    if not is_one or len(rows) != 1 or len(rows[0]) != 1:
        return "set", [", ".join(row) for row in rows]
    value = rows[0][0]
    if value in ("0", "1") and re.search(r"[<>=]", selected):
        return "boolean", value == "1"
    if INTEGER.fullmatch(value) and "COUNT()" in selected:
        return "count", int(value)
    if NUMBER.fullmatch(value):
        return "number", float(value)
    return ("date", value) if DATE.fullmatch(value) else ("text", value)

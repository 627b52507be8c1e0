"""Runs NeuralSQL with a record's labels in the place of a visual model: where gold answers come from.

The tables that programs may read stand in SQLite, whose semantics are the norm; FUNC_VQA looks its answer up. What the
labels cannot tell is SQL's NULL, and an answer that hangs on it is refused.

with LabelEngine(connection, labels) as engine:
    engine.teach("Is there pneumothorax?", answers)
    engine.run("SELECT FUNC_VQA(\"Is there pneumothorax?\", c.study_id) FROM tb_cxr AS c", "2150-01-01 00:00:00")
"""

from __future__ import annotations

import json
import re
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from types import TracebackType
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from chartsight.errors import QuestionError
from chartsight.neuralsql import Settings, prepare, write
from chartsight.questions.gold import Answers
from chartsight.questions.labels import FilmLabels
from chartsight.schema import TABLES, VITAL_RANGES

if TYPE_CHECKING:
    import duckdb

SECONDS_A_PROGRAM = 60.0  # a family that takes longer stops the run: gold must not depend on the machine
STEPS = 100_000  # of SQLite's machine between two looks at the clock
MOST_ROWS = 10_000
# Tables that the families ask; labels, boxes and what only names people or files are not among them.
ASKED_TABLES = (
    "patients", "admissions", "transfers", "diagnoses_icd", "procedures_icd", "d_icd_diagnoses", "d_icd_procedures",
    "labevents", "d_labitems", "microbiologyevents", "prescriptions", "icustays", "d_items", "chartevents",
    "inputevents", "outputevents", "tb_cxr", "reports", "cost",
)  # fmt: skip
INDEXED = ("subject_id", "hadm_id", "stay_id", "study_id", "itemid", "icd_code", "drug", "label", "long_title")
_TYPES = {"int": "INTEGER", "bigint": "INTEGER", "float": "REAL", "bool": "INTEGER"}
_WORD = re.compile(r"[A-Za-z_]\w*")
Rows = list[tuple[Any, ...]]


@dataclass(frozen=True)
class Outcome:
    """What a program gives.

    Args:
        rows: In its order.
        looked: Studies that were looked at, sorted.
        is_certain: False when labels that cannot tell decide the answer.
    """

    rows: Rows
    looked: tuple[int, ...]
    is_certain: bool


class LabelEngine:
    """A record's tables in SQLite, with labels for looks; a context manager.

    Args:
        connection: To the record.
        labels: One film a study.
        programs: What will be run; only the columns that these name are copied.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, labels: FilmLabels, programs: Sequence[str]) -> None:
        self._row_of = {film.study_id: row for row, film in enumerate(labels.films)}
        self._answers: dict[str, Answers] = {}
        self._assumed: Mapping[str, int | None] = {}
        self._prepared: tuple[tuple[str, str], exp.Query] | None = None  # the last, which is asked for its ties next
        self._looked: set[int] = set()
        self._unknown: set[str] = set()
        # An empty name is a private file that SQLite deletes: a hospital need not fit into memory.
        self._sqlite = sqlite3.connect("")
        self._sqlite.create_function("FUNC_VQA", 2, self._look, deterministic=True)
        for name in ASKED_TABLES:
            self._copy(connection, name, {word.lower() for program in programs for word in _WORD.findall(program)})
        self._sqlite.commit()

    def __enter__(self) -> LabelEngine:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._sqlite.close()

    def teach(self, question: str, answers: Answers) -> None:
        """What the labels answer to a visual question, film by film."""
        self._answers[question] = answers

    def run(self, program: str, now: str) -> Outcome:
        """The rows of a program.

        Args:
            program: NeuralSQL whose visual questions were taught.
            now: current_time.

        Raises:
            QuestionError: It does not run here, takes too long or gives too many rows; without its text.
        """
        tree = self._prepare(program, now)
        rows, looked, unknown = self._execute(tree)
        is_certain = not unknown or self._holds_whatever(tree, rows, unknown)
        return Outcome(rows, tuple(sorted(looked)), is_certain)

    def is_tied(self, program: str, now: str) -> bool:
        """Whether the answer hangs on the order of rows with the same time (or value), that is, on their ids.

        Of the outermost ORDER BY ... LIMIT all rows of the tie are compared; of inner ones, the first and the last.
        """
        tree = self._prepare(program, now)
        limited = [select for select in tree.find_all(exp.Select) if select.args.get("limit")]
        if not limited:
            return False
        turned = tree.copy()
        for select in turned.find_all(exp.Select):
            if select.args.get("limit") and select.args.get("order"):
                for term in select.args["order"].expressions[1:]:
                    term.set("desc", not term.args.get("desc"))
        if self._execute(turned)[0] != self._execute(tree)[0]:
            return True
        if limited[0] is not tree or not tree.args.get("order"):
            return False
        skip = int(tree.args["offset"].expression.name) if tree.args.get("offset") else 0
        whole = tree.copy()
        key = whole.args["order"].expressions[0].this.copy()
        for part in ("limit", "offset"):
            whole.set(part, None)
        rows = self._execute(whole.select(exp.alias_(key, "tie_key")))[0]
        return skip < len(rows) and len({row[:-1] for row in rows if row[-1] == rows[skip][-1]}) > 1

    def _prepare(self, program: str, now: str) -> exp.Query:
        if self._prepared is not None and self._prepared[0] == (program, now):
            return self._prepared[1]
        tree = prepare(program, Settings(now=now, ranges=VITAL_RANGES, mode="published"))
        for n, select in enumerate(list(tree.find_all(exp.Select))):
            self._spread(select, f"look_{n}")
        self._prepared = (program, now), tree
        return tree

    def _spread(self, select: exp.Select, alias: str) -> None:
        """A projected look with a set for an answer gives one row a member, in place."""
        call = select.expressions[0].unalias() if len(select.expressions) == 1 else None
        if not isinstance(call, exp.Anonymous) or call.name.upper() != "FUNC_VQA":
            return
        answers = self._answers.get(call.expressions[0].name)
        if answers is None or isinstance(answers.values[0], bool):
            return
        members = exp.Anonymous(this="json_each", expressions=[call.copy()])
        named = exp.Table(this=members, alias=exp.TableAlias(this=exp.to_identifier(alias)))
        select.set("expressions", [exp.column("value", table=alias)])
        select.append("joins", exp.Join(this=named, kind="CROSS"))

    def _execute(self, tree: exp.Query) -> tuple[Rows, set[int], set[str]]:
        self._looked, self._unknown = set(), set()
        sql = write(tree, "sqlite", Settings(now="", ranges={}, mode="published"))
        end = time.monotonic() + SECONDS_A_PROGRAM
        self._sqlite.set_progress_handler(lambda: time.monotonic() > end, STEPS)
        try:
            rows = self._sqlite.execute(sql).fetchmany(MOST_ROWS + 1)
        except sqlite3.Error as error:
            raise QuestionError("bad-program", "program", str(error), "NeuralSQL that SQLite runs") from error
        finally:
            self._sqlite.set_progress_handler(None, 0)
        if len(rows) > MOST_ROWS:
            raise QuestionError("too-many-rows", "program", f"gives more than {MOST_ROWS:,} rows")
        return rows, self._looked, self._unknown

    def _holds_whatever(self, tree: exp.Query, rows: Rows, unknown: set[str]) -> bool:
        """Whether the rows stay the same whatever the unknown looks are.

        Sound where every visual question stands in the program once, as it can only move the answer one way then; where
        one stands twice (a change between two films), or lists, an unknown look is refused.
        """
        questions = [
            call.expressions[0].name for call in tree.find_all(exp.Anonymous) if call.name.upper() == "FUNC_VQA"
        ]
        is_boolean = all(isinstance(self._answers[question].values[0], bool) for question in unknown)
        if not is_boolean or len(set(questions)) != len(questions):
            return False
        try:
            for assumed in product((0, 1), repeat=len(unknown)):
                self._assumed = dict(zip(sorted(unknown), assumed, strict=True))
                if self._execute(tree)[0] != rows:
                    return False
        finally:
            self._assumed = {}
        return True

    def _look(self, question: str, study_id: int) -> int | str | None:
        answers = self._answers[question]
        row = self._row_of.get(study_id)
        code = -1 if row is None else answers.codes[row]
        self._looked.add(study_id)
        if code < 0:
            self._unknown.add(question)
            return self._assumed.get(question)
        value = answers.values[code]
        return int(value) if isinstance(value, bool) else json.dumps(value)

    def _copy(self, connection: duckdb.DuckDBPyConnection, name: str, words: set[str]) -> None:
        columns = [column for column in TABLES[name].columns if column.name.lower() in words]
        if not columns:
            return
        picked = ", ".join(
            {"time": "strftime({0}, '%Y-%m-%d %H:%M:%S')", "date": "strftime({0}, '%Y-%m-%d')"}.get(
                column.type, "{0}"
            ).format(f'"{column.name}"')
            for column in columns
        )
        declared = ", ".join(f'"{column.name}" {_TYPES.get(column.type, "TEXT")}' for column in columns)
        self._sqlite.execute(f'CREATE TABLE "{name}" ({declared})')
        places = ", ".join("?" * len(columns))
        for batch in _batches(connection.execute(f'SELECT {picked} FROM "{name}" ORDER BY rowid')):
            self._sqlite.executemany(f'INSERT INTO "{name}" VALUES ({places})', batch)
        for column in columns:
            if column.name in INDEXED:
                self._sqlite.execute(f'CREATE INDEX "{name}_{column.name}" ON "{name}" ("{column.name}")')
        self._sqlite.execute(f'ANALYZE "{name}"')


def _batches(cursor: duckdb.DuckDBPyConnection) -> Iterator[list[Any]]:
    while batch := cursor.fetchmany(50_000):
        yield batch

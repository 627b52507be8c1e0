"""Random NeuralSQL by shape, and how the planner and the interpreter are laid side by side on it."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import pyarrow as pa

from chartsight.neuralsql import NeuralSql, parse
from chartsight.neuralsql.plan import plan
from chartsight.neuralsql.run import QueryResult, run_query
from chartsight.schema import Look, VisualAnswer
from tests.neuralsql import three_valued
from tests.neuralsql.three_valued import (
    QUESTIONS,
    Answer,
    Both,
    Cheap,
    Count,
    Exists,
    IsIn,
    Not,
    Select,
    SetOf,
    Vqa,
    World,
    counts_looks,
    interpret,
    make_world,
)

SHAPES = (
    "plain", "not", "or", "exists", "in", "limit", "count", "join", "set", "distinct", "group", "truth", "item",
    "nested",
)  # fmt: skip
TABLES: Mapping[str, Mapping[str, str]] = {
    "patients": {"subject_id": "int", "age": "int", "gender": "text"},
    "tb_cxr": {
        "row_id": "int", "subject_id": "int", "study_id": "int", "image_id": "text", "viewposition": "text",
        "studydatetime": "int",
    },
}  # fmt: skip
SPELLINGS = ("{} = TRUE", "{}", "{} = 1", "{} IS TRUE", "{} = FALSE", "NOT {}", "{} <> TRUE")


@dataclass
class Oracle:
    """The visual model of a world; counts what it is asked, refuses to be asked twice."""

    world: World
    fingerprint: str = "oracle"
    asked: list[tuple[str, int]] = field(default_factory=list)
    largest: int = 0

    def answer(self, looks: Sequence[Look]) -> Iterator[VisualAnswer]:
        self.largest = max(self.largest, len(looks))
        for look in looks:
            key = (look.question, look.study_ids[0])
            assert key not in self.asked, "the same look twice"
            self.asked.append(key)
            value = self.world.said[key]
            yield VisualAnswer("cannot_tell", None, None) if value is None else VisualAnswer("answered", value, 1.0)


class SqliteRows:
    """The rows of a query tree over a world, in SQLite."""

    def __init__(self, world: World) -> None:
        self.connection = sqlite3.connect(":memory:")
        self.written: dict[int, tuple[Any, str]] = {}
        for name, columns in TABLES.items():
            self._fill(name, columns, [[row[each] for each in columns] for row in world.table(name)])

    def _fill(self, name: str, columns: Any, rows: list[list[Any]]) -> None:
        declared = ", ".join(f'"{column}"' for column in columns)
        self.connection.execute(f"DROP TABLE IF EXISTS {name}")
        self.connection.execute(f"CREATE TABLE {name} ({declared})")
        self.connection.executemany(f"INSERT INTO {name} VALUES ({', '.join('?' * len(list(columns)))})", rows)

    def __call__(self, tree: Any, tables: Mapping[str, pa.Table]) -> pa.Table:
        if id(tree) not in self.written:
            self.written[id(tree)] = (tree, tree.sql(dialect=NeuralSql))
        for name, table in tables.items():
            self._fill(name, table.column_names, [list(row.values()) for row in table.to_pylist()])
        cursor = self.connection.execute(self.written[id(tree)][1])
        names = [f"{n}_{each[0]}" for n, each in enumerate(cursor.description)]
        rows = cursor.fetchall()
        columns = list(zip(*rows, strict=True)) if rows else [()] * len(names)
        return pa.table([pa.array(list(each)) for each in columns], names=names)


# ------------------------------------------------------------------------------------------------------------- queries


class Writer:
    """Draws a query of a shape."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)

    def query(self, shape: str) -> Select | SetOf:
        c = (("c", "tb_cxr"),)
        ids = self.draw.choice([("c.study_id",), ("c.subject_id",), ("c.subject_id", "c.study_id")])
        joined = (("p", "patients"), ("c", "tb_cxr"))
        on = Cheap("c.subject_id", "=", "p.subject_id")
        if shape == "plain":
            return Select(ids, c, self.picks("c"))
        if shape == "not":
            return Select(ids, c, Both("AND", self.cheap("c"), Not(self.picks("c"))))
        if shape == "or":
            return Select(ids, c, Both("OR", self.cheap("c"), self.picks("c")))
        if shape == "exists":
            inner = self.draw.choice([Exists, lambda q: Not(Exists(q))])(self.of_patient())
            return Select(("p.subject_id",), (("p", "patients"),), self.beside(inner, "p"))
        if shape == "in":
            inner: Any = IsIn("p.subject_id", Select(("c.subject_id",), c, self.picks("c")))
            return Select(("p.subject_id",), (("p", "patients"),), self.beside(inner, "p"))
        if shape == "limit":
            return Select(
                ("c.study_id",), c, self.picks("c"), limit=self.draw.randint(1, 3), descending=self.draw.random() < 0.5
            )
        if shape == "count":
            counted = self.draw.choice(["COUNT(*)", "COUNT(DISTINCT c.subject_id)"])
            return Select((counted,), c, self.picks("c"))
        if shape == "join":
            where = Both("AND", on, self.beside(self.picks("c"), "p"))
            return Select(("p.subject_id", "c.study_id"), joined, where)
        if shape == "set":
            word = self.draw.choice(["UNION", "UNION ALL", "INTERSECT", "EXCEPT"])
            return SetOf(word, Select(ids, c, self.picks("c")), Select(ids, c, self.picks("c")))
        if shape == "distinct":
            return Select(("c.subject_id",), c, self.picks("c"), distinct=True)
        if shape == "group":
            return Select(("c.subject_id", "COUNT(*)"), c, self.picks("c"), group=True)
        if shape == "truth":
            number = self.draw.randint(0, 3)
            counted = self.draw.choice(["COUNT(*)", "COUNT(*)", "COUNT(DISTINCT c.subject_id)"])
            return Select((counted,), c, self.picks("c"), truth=(self.draw.choice(["=", ">", "<", ">=", "<>"]), number))
        if shape == "item":
            # The question is shown beside rows that another one picks.
            shown = Vqa(QUESTIONS[2], "c", "{}")
            where = self.draw.choice([self.cheap("c"), Both("AND", self.cheap("c"), Vqa(QUESTIONS[0], "c"))])
            return Select(("c.study_id", shown), c, where)
        inner = Count(self.of_patient(count=True), self.draw.choice(["=", ">", "<=", ">="]), self.draw.randint(0, 2))
        if self.draw.random() < 0.4:
            inner = Not(inner)
        return Select(("p.subject_id",), (("p", "patients"),), self.beside(inner, "p"))

    def of_patient(self, count: bool = False) -> Select:
        on = Cheap("c.subject_id", "=", "p.subject_id")
        return Select(("COUNT(*)" if count else "c.study_id",), (("c", "tb_cxr"),), Both("AND", on, self.picks("c")))

    def beside(self, condition: Any, alias: str) -> Any:
        if self.draw.random() < 0.3:
            return condition
        return Both(self.draw.choice(["AND", "AND", "OR"]), self.cheap(alias), condition)

    def cheap(self, alias: str) -> Cheap:
        if alias == "p":
            return self.draw.choice([Cheap("p.age", ">", 40), Cheap("p.age", "<", 60), Cheap("p.gender", "=", "F")])
        return self.draw.choice(
            [
                Cheap("c.studydatetime", "<", 6), Cheap("c.viewposition", "=", "PA"),
                Cheap("c.viewposition", "<>", "AP"), Cheap("c.subject_id", "<=", 2), Cheap("c.studydatetime", ">=", 2),
            ]
        )  # fmt: skip

    def picks(self, alias: str, depth: int = 2) -> Any:
        """A condition with a look."""
        kind = self.draw.random()
        if depth == 0 or kind < 0.4:
            return Vqa(self.draw.choice(QUESTIONS), alias, self.draw.choice(SPELLINGS))
        if kind < 0.5:
            return Not(self.picks(alias, depth - 1))
        other = self.cheap(alias) if self.draw.random() < 0.6 else self.picks(alias, depth - 1)
        sides = [self.picks(alias, depth - 1), other]
        self.draw.shuffle(sides)
        return Both(self.draw.choice(["AND", "AND", "OR"]), *sides)


# --------------------------------------------------------------------------------------------------------- side by side


@dataclass(frozen=True)
class Trial:
    """One query on one world: what the planner gave and what the interpreter gave."""

    query: Select | SetOf
    result: QueryResult
    answer: Answer
    oracle: Oracle
    needed: int
    batch: int


def run_trial(seed: int, shape: str, unknown: float, batch: int, *, size: tuple[int, int] = (5, 14)) -> Trial:
    world = make_world(seed, unknown, *size)
    query = Writer(seed * 31 + 7).query(shape)
    oracle = Oracle(world)
    made = plan(parse(query.sql()), TABLES)
    result = run_query(made, SqliteRows(world), oracle, batch=batch)
    return Trial(query, result, interpret(query, world), oracle, needed_looks(query, world), batch)


def needed_looks(query: Select | SetOf, world: World) -> int:
    """Looks that a reader would need who asks one at a time and stops as soon as it can.

    Where AND and OR join several looks either may come first, film by film: then all that any order asks.
    """
    asked: set[tuple[str, int]] = set()
    for flips in product((False, True), repeat=min(_connectives(query), 3)):
        run = three_valued.Interpreter(world)
        three_valued._answer(_flipped(query, list(flips)), run)
        asked |= run.asked
    return len(asked)


def _connectives(node: Any) -> int:
    if isinstance(node, Both):
        own = counts_looks(node.left) > 0 and counts_looks(node.right) > 0
        return own + _connectives(node.left) + _connectives(node.right)
    if isinstance(node, Not):
        return _connectives(node.of)
    if isinstance(node, Exists | IsIn | Count):
        return _connectives(node.query)
    if isinstance(node, Select):
        return _connectives(node.where)
    if isinstance(node, SetOf):
        return _connectives(node.left) + _connectives(node.right)
    return 0


def _flipped(node: Any, flips: list[bool]) -> Any:
    """The same query with the two sides of some AND and OR changed."""
    from dataclasses import replace

    if isinstance(node, Both):
        own = counts_looks(node.left) > 0 and counts_looks(node.right) > 0
        flip = flips.pop(0) if own and flips else False
        left, right = _flipped(node.left, flips), _flipped(node.right, flips)
        return Both(node.word, right, left) if flip else Both(node.word, left, right)
    if isinstance(node, Not):
        return Not(_flipped(node.of, flips))
    if isinstance(node, Exists | IsIn | Count):
        return replace(node, query=_flipped(node.query, flips))
    if isinstance(node, Select):
        return replace(node, where=_flipped(node.where, flips))
    if isinstance(node, SetOf):
        return SetOf(node.word, _flipped(node.left, flips), _flipped(node.right, flips))
    return node


def table_rows(table: pa.Table) -> list[tuple[Any, ...]]:
    """Rows as the interpreter writes them, sorted."""
    rows = [tuple(row.values()) for row in table.to_pylist()]
    return sorted(rows, key=three_valued._key)


def as_numbers(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Truth values as SQLite has them."""
    return sorted(
        (tuple(int(each) if isinstance(each, bool) else each for each in row) for row in rows), key=three_valued._key
    )


def check_trial(trial: Trial) -> None:
    """Fails where the planner differs from the interpreter, or looks too much."""
    result, answer, text = trial.result, trial.answer, trial.query.sql()
    assert result.reason == "", f"no bound: {result.reason}: {text}"
    assert result.stopped is None
    found, certain = table_rows(result.rows), as_numbers(answer.certain)
    assert found == certain, f"rows {found} for {certain}: {text}"
    is_limited = isinstance(trial.query, Select) and trial.query.limit is not None
    shows_looks = isinstance(trial.query, Select) and any(not isinstance(each, str) for each in trial.query.items)
    if None not in trial.oracle.world.said.values():
        assert result.is_exact, f"every look has an answer, and still open: {text}"
    if result.is_exact and not shows_looks:
        assert certain == as_numbers(answer.possible), f"said to be settled, {answer.possible} possible: {text}"
    if result.possible is not None and not is_limited and not shows_looks:
        possible = table_rows(result.possible)
        assert possible == as_numbers(answer.possible), f"possible {possible} for {answer.possible}: {text}"
    if result.intervals:
        ((low, high),) = [(each.low, each.high) for each in result.intervals]
        assert (low, high) == (answer.certain[0][0], answer.possible[0][0])
    made = len(trial.oracle.asked)
    assert made == result.made
    assert made <= trial.needed + trial.batch - 1, f"{made} looks for {trial.needed}, batches of {trial.batch}: {text}"
    assert trial.oracle.largest <= trial.batch, "a batch larger than declared"

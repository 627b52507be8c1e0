"""An independent reading of NeuralSQL: queries as trees of our own, written as SQL and run by a small interpreter.

It knows nothing of the planner: rows are Python tuples, each with whether it is there for certain; conditions are True,
False or None; looks are counted as they are needed, one at a time, cheap conditions first.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Row = Mapping[str, Any]  # alias.column → value
Truth = bool | None
Asker = Callable[[str, int], Truth]


# ------------------------------------------------------------------------------------------------------------- a world


@dataclass(frozen=True)
class World:
    """Patients and studies, and what a model would say of every study."""

    patients: tuple[dict[str, Any], ...]
    studies: tuple[dict[str, Any], ...]
    said: Mapping[tuple[str, int], Truth]

    def table(self, name: str) -> tuple[dict[str, Any], ...]:
        return self.patients if name == "patients" else self.studies


QUESTIONS = ("is there a nodule?", "is there an effusion?", "is there a picc?")


def make_world(seed: int, unknown: float, patients_at_most: int = 5, studies_at_most: int = 14) -> World:
    draw = random.Random(seed)
    patients = tuple(
        {"subject_id": n, "age": draw.choice([30, 50, 70]), "gender": draw.choice("FM")}
        for n in range(draw.randint(1, patients_at_most))
    )  # fmt: skip
    studies = tuple(
        {
            "row_id": n, "subject_id": draw.randrange(len(patients) + 1), "study_id": 100 + n, "image_id": f"i{n}",
            "viewposition": draw.choice(["AP", "PA", None]), "studydatetime": draw.randint(0, 9),
        }
        for n in range(draw.randint(1, studies_at_most))
    )  # fmt: skip
    said: dict[tuple[str, int], Truth] = {}
    for question in QUESTIONS:
        chance = draw.choice([0.1, 0.4, 0.8])
        for study in studies:
            said[question, study["study_id"]] = None if draw.random() < unknown else draw.random() < chance
    return World(patients, studies, said)


# ---------------------------------------------------------------------------------------------------------- conditions


@dataclass(frozen=True)
class Cheap:
    """`alias.column operator value`."""

    column: str
    operator: str
    value: Any

    def sql(self) -> str:
        value = f"'{self.value}'" if isinstance(self.value, str) and "." not in self.value else str(self.value)
        return f"{self.column} {self.operator} {value}"


@dataclass(frozen=True)
class Vqa:
    """A look in one of its spellings."""

    question: str
    alias: str
    spelling: str = "{} = TRUE"

    def sql(self) -> str:
        return self.spelling.format(f'FUNC_VQA("{self.question}", {self.alias}.study_id)')


@dataclass(frozen=True)
class Not:
    of: Any

    def sql(self) -> str:
        return f"NOT ({self.of.sql()})"


@dataclass(frozen=True)
class Both:
    word: str  # AND or OR
    left: Any
    right: Any

    def sql(self) -> str:
        return f"({self.left.sql()} {self.word} {self.right.sql()})"


@dataclass(frozen=True)
class Exists:
    query: Any

    def sql(self) -> str:
        return f"EXISTS ({self.query.sql()})"


@dataclass(frozen=True)
class IsIn:
    column: str
    query: Any

    def sql(self) -> str:
        return f"{self.column} IN ({self.query.sql()})"


@dataclass(frozen=True)
class Count:
    """`(SELECT COUNT(*) ...) operator number`."""

    query: Any
    operator: str
    number: int

    def sql(self) -> str:
        return f"({self.query.sql()}) {self.operator} {self.number}"


# ------------------------------------------------------------------------------------------------------------- queries


@dataclass(frozen=True)
class Select:
    """One SELECT.

    Args:
        items: `alias.column`, `COUNT(*)`, `COUNT(DISTINCT alias.column)`, or a look.
        tables: (alias, table).
        where: A condition.
        distinct: SELECT DISTINCT.
        group: The first item is a key, the second COUNT(*).
        limit: With the order by study_id or subject_id of the first table.
        truth: `COUNT(*) > number` instead of the count.
    """

    items: tuple[Any, ...]
    tables: tuple[tuple[str, str], ...]
    where: Any
    distinct: bool = False
    group: bool = False
    limit: int | None = None
    descending: bool = False
    truth: tuple[str, int] | None = None

    def sql(self) -> str:
        items = ", ".join(each if isinstance(each, str) else each.sql() for each in self.items)
        if self.truth:
            items = f"{items} {self.truth[0]} {self.truth[1]}"
        tables = ", ".join(f"{table} AS {alias}" for alias, table in self.tables)
        text = f"SELECT {'DISTINCT ' if self.distinct else ''}{items} FROM {tables} WHERE {self.where.sql()}"
        if self.group:
            text += f" GROUP BY {self.items[0]}"
        if self.limit is not None:
            text += f" ORDER BY {self.key()}{' DESC' if self.descending else ''} LIMIT {self.limit}"
        return text

    def key(self) -> str:
        alias, table = self.tables[0]
        return f"{alias}.{'subject_id' if table == 'patients' else 'study_id'}"


@dataclass(frozen=True)
class SetOf:
    word: str  # UNION, UNION ALL, INTERSECT, EXCEPT
    left: Select
    right: Select

    def sql(self) -> str:
        return f"{self.left.sql()} {self.word} {self.right.sql()}"


# ---------------------------------------------------------------------------------------------------------- interpreter


class Interpreter:
    """Runs a query over a world, three-valued.

    Args:
        world: Tables.
        ask: Question, study → what the model says; called at most once for each.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.asked: set[tuple[str, int]] = set()

    def ask(self, question: str, study: int) -> Truth:
        self.asked.add((question, study))
        return self.world.said[question, study]

    def rows(self, query: Select, row: Row) -> Iterator[Row]:
        """Combinations of the tables that the cheap part of WHERE leaves, beside the outer row."""
        combined: list[Row] = [row]
        for alias, table in query.tables:
            combined = [
                {**each, **{f"{alias}.{name}": value for name, value in record.items()}}
                for each in combined
                for record in self.world.table(table)
            ]
        return iter(combined)

    def truth(self, condition: Any, row: Row) -> Truth:
        """Kleene's value; the side of AND and OR without looks first."""
        if isinstance(condition, Cheap):
            return _compare(row[condition.column], condition.operator, row.get(condition.value, condition.value))
        if isinstance(condition, Vqa):
            value = self.ask(condition.question, row[f"{condition.alias}.study_id"])
            wanted = not ("NOT" in condition.spelling or "FALSE" in condition.spelling or "<>" in condition.spelling)
            return None if value is None else value == wanted
        if isinstance(condition, Not):
            value = self.truth(condition.of, row)
            return None if value is None else not value
        if isinstance(condition, Both):
            stops = condition.word == "OR"
            found: list[Truth] = []
            for part in sorted((condition.left, condition.right), key=weight):
                value = self.truth(part, row)
                if value is stops:
                    return value
                found.append(value)
            return None if None in found else not stops
        if isinstance(condition, Exists):
            return self._any(self.picked(condition.query, row))
        if isinstance(condition, IsIn):
            key = condition.query.items[0]
            matching = (
                truth for inner, truth in self.picked(condition.query, row, (key, row[condition.column])) if inner
            )
            return self._any((row, truth) for truth in matching)
        if isinstance(condition, Count):
            return self._count(condition, row)
        raise TypeError(condition)

    def picked(self, query: Select, row: Row, same: tuple[str, Any] | None = None) -> Iterator[tuple[Row, Truth]]:
        """Rows of a SELECT that are not excluded, each with True (certain) or None (possible), one by one."""
        for each in self.rows(query, row):
            if same is not None and (each[same[0]] is None or each[same[0]] != same[1]):
                continue
            value = self.truth(query.where, each)
            if value is not False and (value is True or hangs_on_look(query.where, self, each)):
                yield each, value

    def _any(self, picked: Iterator[tuple[Row, Truth]]) -> Truth:
        value: Truth = False
        for _, each in picked:
            if each is True:
                return True
            value = None
        return value

    def _count(self, condition: Count, row: Row) -> Truth:
        low = high = 0
        seen = list(self.rows(condition.query, row))
        # Bounds before the first look: every row may be in or out.
        high = len(seen)
        for each in seen:
            value = _between(condition.operator, condition.number, low, high)
            if value is not None:
                return value
            truth = self.truth(condition.query.where, each)
            if truth is True:
                low += 1
            elif truth is False or not hangs_on_look(condition.query.where, self, each):
                high -= 1
        return _between(condition.operator, condition.number, low, high)


def _between(operator: str, number: int, low: int, high: int) -> Truth:
    """A comparison of a count that lies between two bounds."""
    values = {_compare(n, operator, number) for n in range(low, high + 1)}
    return values.pop() if len(values) == 1 else None


def _compare(left: Any, operator: str, right: Any) -> Truth:
    if left is None or right is None:
        return None
    return {
        "=": left == right, "<>": left != right, "<": left < right, ">": left > right, "<=": left <= right,
        ">=": left >= right,
    }[operator]  # fmt: skip


def hangs_on_look(condition: Any, interpreter: Interpreter, row: Row) -> bool:
    """Whether an unknown condition could become true: a NULL of the table never does, a look may."""
    return _could_be(condition, interpreter, row, True)


def _could_be(condition: Any, interpreter: Interpreter, row: Row, wanted: bool) -> bool:
    """Whether some completion of the unknown looks gives `wanted`, as far as Kleene's logic can tell."""
    if isinstance(condition, Cheap):
        value = _compare(row[condition.column], condition.operator, row.get(condition.value, condition.value))
        return value is wanted
    if isinstance(condition, Not):
        return _could_be(condition.of, interpreter, row, not wanted)
    if isinstance(condition, Both):
        parts = [_could_be(each, interpreter, row, wanted) for each in (condition.left, condition.right)]
        return all(parts) if (condition.word == "AND") == wanted else any(parts)
    value = interpreter.truth(condition, row)
    return value is None or value is wanted


def weight(condition: Any) -> int:
    """Conditions without looks come first, then in the order of the text."""
    return int(counts_looks(condition) > 0)


def counts_looks(node: Any) -> int:
    """How many looks stand in a condition or query."""
    if isinstance(node, Vqa):
        return 1
    if isinstance(node, Not):
        return counts_looks(node.of)
    if isinstance(node, Both):
        return counts_looks(node.left) + counts_looks(node.right)
    if isinstance(node, Exists | IsIn | Count):
        return counts_looks(node.query)
    if isinstance(node, Select):
        items = sum(counts_looks(each) for each in node.items if not isinstance(each, str))
        return counts_looks(node.where) + items
    if isinstance(node, SetOf):
        return counts_looks(node.left) + counts_looks(node.right)
    return 0


# -------------------------------------------------------------------------------------------------------------- answers


@dataclass(frozen=True)
class Answer:
    """Certain and possible rows, as sorted lists of tuples; for counts the two ends."""

    certain: list[tuple[Any, ...]]
    possible: list[tuple[Any, ...]]
    looks: int

    @property
    def is_settled(self) -> bool:
        return self.certain == self.possible


def interpret(query: Select | SetOf, world: World) -> Answer:
    """What a query gives, row by row."""
    interpreter = Interpreter(world)
    certain, possible = _answer(query, interpreter)
    return Answer(sorted(certain, key=_key), sorted(possible, key=_key), len(interpreter.asked))


def _answer(query: Select | SetOf, run: Interpreter) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    if isinstance(query, SetOf):
        (a, a_possible), (b, b_possible) = _answer(query.left, run), _answer(query.right, run)
        if query.word == "UNION ALL":
            return a + b, a_possible + b_possible
        if query.word == "UNION":
            return list({*a, *b}), list({*a_possible, *b_possible})
        if query.word == "INTERSECT":
            return list(set(a) & set(b)), list(set(a_possible) & set(b_possible))
        return list(set(a) - set(b_possible)), list(set(a_possible) - set(b))
    if query.truth is not None:
        condition = Count(Select(query.items, query.tables, query.where), *query.truth)
        if query.items[0] != "COUNT(*)":
            certain, possible = _answer(Select(query.items, query.tables, query.where), run)
            value = _between(*query.truth, certain[0][0], possible[0][0])
        else:
            value = run.truth(condition, {})
        return [(value,)], [(value,)]
    if query.limit is not None:
        return _limited(query, run)
    if query.distinct and query.items and isinstance(query.items[0], str):
        return _distinct(query, run)
    if isinstance(query.items[0], str) and query.items[0].startswith("COUNT(DISTINCT"):
        column = query.items[0].removeprefix("COUNT(DISTINCT ").rstrip(")")
        groups = _distinct(Select((column,), query.tables, query.where, distinct=True), run)
        known = [[row for row in side if row[0] is not None] for side in groups]
        return [(len(known[0]),)], [(len(known[1]),)]
    picked = list(run.picked(query, {}))
    if query.items == ("COUNT(*)",):
        return [(sum(truth is True for _, truth in picked),)], [(len(picked),)]
    if query.group:
        return _grouped(query, [row for row, truth in picked if truth]), _grouped(query, [row for row, _ in picked])
    rows = [(tuple(_item(each, row, run, truth) for each in query.items), truth) for row, truth in picked]
    return [row for row, truth in rows if truth], [row for row, _ in rows]


def _item(item: Any, row: Row, run: Interpreter, truth: Truth) -> Any:
    if isinstance(item, str):
        return row[item]
    return run.truth(item, row) if truth else "any"


def _distinct(query: Select, run: Interpreter) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """A group that was found is not looked at again."""
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in run.rows(query, {}):
        groups.setdefault(tuple(row[each] for each in query.items), []).append(row)
    certain, possible = [], []
    for key, rows in groups.items():
        value: Truth = False
        for row in rows:
            truth = run.truth(query.where, row)
            if truth is True:
                value = True
                break
            if truth is None and hangs_on_look(query.where, run, row):
                value = None
        certain += [key] if value else []
        possible += [key] if value is not False else []
    return certain, possible


def _grouped(query: Select, rows: Sequence[Row]) -> list[tuple[Any, ...]]:
    counts: dict[Any, int] = {}
    for row in rows:
        counts[row[query.items[0]]] = counts.get(row[query.items[0]], 0) + 1
    return list(counts.items())


def _limited(query: Select, run: Interpreter) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """Row by row in order until enough are certain; certain are those among the first possible ones."""
    assert query.limit is not None
    ordered = sorted(run.rows(query, {}), key=lambda row: row[query.key()], reverse=query.descending)
    taken: list[tuple[tuple[Any, ...], Truth]] = []
    sure = 0
    for row in ordered:
        if sure >= query.limit:
            break
        truth = run.truth(query.where, row)
        if truth is True or (truth is None and hangs_on_look(query.where, run, row)):
            taken.append((tuple(row[each] for each in query.items), truth))
            sure += truth is True
    certain = [row for row, truth in taken[: query.limit] if truth]
    possible = certain if len(certain) == min(query.limit, len(taken)) else [row for row, _ in taken]
    return certain, possible


def _key(row: tuple[Any, ...]) -> tuple[tuple[bool, str, Any], ...]:
    return tuple((each is not None, type(each).__name__, 0 if each is None else each) for each in row)

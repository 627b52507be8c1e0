"""Looks inside a query: which visual questions it asks, of what kind, and the tables of their answers.

    SELECT count(*) FROM tb_cxr AS c WHERE FUNC_VQA("is there a nodule?", c.study_id) = TRUE
                                           Call(1, "is there a nodule?", "boolean", 1)
    vqa_1   look_study  said          one row a study that was answered; none where the model cannot tell

A look is about one study or two, in the order of the arguments. In predicate position it is boolean; elsewhere its kind
comes from the grammar of its question: a boolean is a value, a list is 0 to n rows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from sqlglot import exp

from chartsight.errors import QueryError
from chartsight.schema import VisualAnswer

if TYPE_CHECKING:
    import pyarrow as pa

Kind = Literal["boolean", "set"]
Grammar = Callable[[str], Kind | None]
Studies = tuple[int, ...]

FUNCTION = "FUNC_VQA"
MARK = "VQA_LOOK"  # a call after `mark_calls`: its number, then its studies
MOST_STUDIES = 2

_ASKS_YES_OR_NO = re.compile(
    r"\s*(is|are|was|were|does|do|did|has|have|had|can|could|will|would|any|check|verify|assess|see if)\b"
    r"|.*\byes or no\b|.*\bor not\b",
    re.IGNORECASE,
)
_ASKS_FOR_A_LIST = re.compile(
    r"\s*(list|name|enumerate|give|provide|identify|mention|report|show|catalog|select|choose|what|which|where|who)\b"
    r"|.*\b(which|what)\b.*\?",
    re.IGNORECASE,
)


def kind_of_question(question: str) -> Kind | None:
    """What a visual question is answered with, from its wording; None when that does not say.

    >>> kind_of_question("Is there a nodule?"), kind_of_question("List all diseases.")
    ('boolean', 'set')
    """
    if _ASKS_YES_OR_NO.match(question):
        return "boolean"
    return "set" if _ASKS_FOR_A_LIST.match(question) else None


@dataclass(frozen=True)
class Call:
    """One visual question of a query; the same question in two places is one call.

    Args:
        number: From 1, in the order of the text.
        question: As it is asked.
        kind: `boolean` or `set`.
        arity: Studies that it is about.
    """

    number: int
    question: str
    kind: Kind
    arity: int

    @property
    def table(self) -> str:
        """The relation of its answers."""
        return f"vqa_{self.number}"

    @property
    def possible_table(self) -> str:
        """Of a list: its answers, and for studies without one everything that any look of the query named."""
        return f"vqa_{self.number}_possible"

    @property
    def keys(self) -> tuple[str, ...]:
        """Columns of the studies, named as no table of a record names one."""
        return ("look_study", "look_study_2")[: self.arity]


def is_call(node: exp.Expression | None) -> bool:
    """Whether a node is FUNC_VQA as written."""
    return (isinstance(node, exp.Func) and node.name.upper() == FUNCTION) or type(node).__name__ == "FuncVqa"


def is_look(node: exp.Expression | None) -> bool:
    """Whether a node is a call that `mark_calls` numbered."""
    return isinstance(node, exp.Anonymous) and node.name == MARK


def looks_in(tree: exp.Expression) -> list[exp.Anonymous]:
    """Every numbered call below a node, in the order of the text."""
    return [node for node in tree.find_all(exp.Anonymous, bfs=False) if is_look(node)]


def has_looks(tree: exp.Expression | None) -> bool:
    """Whether a node depends on a look."""
    return tree is not None and any(is_look(node) for node in tree.find_all(exp.Anonymous))


def number_of(look: exp.Anonymous) -> int:
    """The number of its call."""
    return int(look.expressions[0].this)


def studies_of(look: exp.Anonymous) -> list[exp.Expression]:
    """The expressions of its studies."""
    return list(look.expressions[1:])


def mark_calls(tree: exp.Query, grammar: Grammar = kind_of_question) -> tuple[exp.Query, tuple[Call, ...]]:
    """The query with its calls numbered, and the calls.

    Args:
        tree: Parsed; not changed.
        grammar: Question → kind, for calls that stand in no predicate.

    Raises:
        QueryError: A call without a question, with no study or too many, whose kind nobody knows, or a list where a
            value must stand.
    """
    tree = tree.copy()
    numbers: dict[tuple[str, Kind, int], Call] = {}
    for node in [node for node in tree.walk(bfs=False) if is_call(node)]:
        arguments = list(node.expressions)
        if type(node).__name__ == "FuncVqa" and isinstance(node.this, exp.Expression):
            arguments = [node.this, *arguments]
        question = _question(arguments[0]) if arguments else None
        if question is None:
            raise QueryError("look-question", FUNCTION, "has no question", 'FUNC_VQA("question", t.study_id)')
        arity = len(arguments) - 1
        if not 1 <= arity <= MOST_STUDIES:
            raise QueryError("look-studies", FUNCTION, f"{arity} studies", "one, or two to compare")
        kind = _kind(node, question, grammar)
        call = numbers.setdefault((question, kind, arity), Call(len(numbers) + 1, question, kind, arity))
        marked = exp.Anonymous(this=MARK, expressions=[exp.Literal.number(call.number), *arguments[1:]])
        node.replace(marked)
    return tree, tuple(numbers.values())


def _question(node: exp.Expression) -> str | None:
    if isinstance(node, exp.Literal) and node.is_string:
        return str(node.this)
    # Inside FUNC_VQA double quotes hold a string; a parser of plain SQLite reads a column.
    if isinstance(node, exp.Column) and isinstance(node.this, exp.Identifier) and node.this.quoted:
        return str(node.name)
    return None


def _kind(node: exp.Expression, question: str, grammar: Grammar) -> Kind:
    if stands_in_predicate(node):
        return "boolean"
    kind = grammar(question)
    if kind is None:
        raise QueryError(
            "look-kind", FUNCTION, "a question that no grammar knows, outside of a predicate",
            "a question for yes or no, or for a list", "write FUNC_VQA(...) = TRUE, or begin with Is, List, Which",
        )  # fmt: skip
    if kind == "set" and not _is_projected(node):
        raise QueryError(
            "look-position", FUNCTION, "a list where one value must stand", "a list as an item of SELECT",
            "ask for yes or no, or write ... IN (SELECT FUNC_VQA(...))",
        )  # fmt: skip
    return kind


def stands_in_predicate(node: exp.Expression) -> bool:
    """Whether an expression is tested: in WHERE, HAVING, ON, CASE WHEN, under NOT, AND, OR, or beside TRUE or FALSE."""
    parent = node.parent
    while isinstance(parent, exp.Paren):
        node, parent = parent, parent.parent
    if isinstance(parent, exp.Where | exp.Having | exp.And | exp.Or | exp.Not | exp.Join):
        return True
    if isinstance(parent, exp.If):
        return parent.this is node
    if isinstance(parent, exp.EQ | exp.NEQ | exp.Is):
        other = parent.expression if parent.this is node else parent.this
        return truth_value(other) is not None
    return False


def truth_value(node: exp.Expression) -> bool | None:
    """TRUE, FALSE, 1 and 0 as a boolean; None for anything else."""
    if isinstance(node, exp.Paren):
        return truth_value(node.this)
    if isinstance(node, exp.Boolean):
        return bool(node.this)
    if isinstance(node, exp.Literal) and not node.is_string and node.this in ("0", "1"):
        return str(node.this) == "1"
    return None


def _is_projected(node: exp.Expression) -> bool:
    """Whether a node is an item of SELECT, bare, named or in parentheses, or the argument of COUNT there."""
    parent = node.parent
    while isinstance(parent, exp.Paren | exp.Alias | exp.Count | exp.Distinct) and parent.arg_key != "distinct":
        node, parent = parent, parent.parent
    return isinstance(parent, exp.Select) and node.arg_key == "expressions"


@dataclass
class Answers:
    """What the looks of one query said so far.

    Args:
        calls: Of the query.
        said: For each call studies → answer; `cannot_tell` and `failed` stand here too, and stay unknown.
    """

    calls: tuple[Call, ...]
    said: dict[int, dict[Studies, VisualAnswer]] = field(default_factory=dict)

    def get(self, call: Call, studies: Studies) -> VisualAnswer | None:
        """The answer of a look; None when it was not looked at."""
        return self.said.get(call.number, {}).get(studies)

    def add(self, call: Call, studies: Studies, answer: VisualAnswer) -> None:
        """Keep the answer of a look."""
        self.said.setdefault(call.number, {})[studies] = answer

    def selectivity(self, call: Call) -> float:
        """Share of yes among the answers so far, drawn towards a half while there are few (Laplace's rule)."""
        answers = [each.value for each in self.said.get(call.number, {}).values() if each.state == "answered"]
        return (sum(map(bool, answers)) + 1) / (len(answers) + 2)

    def tables(self, undetermined: Mapping[int, Iterable[Studies]] | None = None) -> dict[str, pa.Table]:
        """The relations of the answers, for an engine.

        Args:
            undetermined: Call → looks that matter and have no answer: what a list might be there (`possible_table`).
        """
        import pyarrow as pa

        tables: dict[str, pa.Table] = {}
        for call in self.calls:
            answered = [(s, a) for s, a in self.said.get(call.number, {}).items() if a.state == "answered"]
            if call.kind == "boolean":
                rows: Sequence[tuple[Studies, bool | str]] = [(s, bool(a.value)) for s, a in answered]
                tables[call.table] = _table(call, rows, "said", pa.bool_())
                continue
            listed = [(s, str(item)) for s, a in answered for item in _items(a)]
            tables[call.table] = _table(call, listed, "look_item", pa.string())
            unknown = (undetermined or {}).get(call.number, ())
            domain = self._domain()
            possible = [*listed, *((s, item) for s in sorted(unknown) for item in domain)]
            tables[call.possible_table] = _table(call, possible, "look_item", pa.string())
        return tables

    def _domain(self) -> list[str]:
        """Everything that any look of the query listed."""
        lists = (call for call in self.calls if call.kind == "set")
        named = {str(i) for call in lists for a in self.said.get(call.number, {}).values() for i in _items(a)}
        return sorted(named)


def _items(answer: VisualAnswer) -> Iterator[str]:
    if answer.state == "answered" and isinstance(answer.value, tuple):
        yield from answer.value


def _table(call: Call, rows: Sequence[tuple[Studies, bool | str]], column: str, kind: pa.DataType) -> pa.Table:
    import pyarrow as pa

    columns = {key: pa.array([s[n] for s, _ in rows], pa.int64()) for n, key in enumerate(call.keys)}
    return pa.table({**columns, column: pa.array([value for _, value in rows], kind)})

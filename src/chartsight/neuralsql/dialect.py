"""NeuralSQL as a dialect: SQLite as EHRXQA and EHRSQL publish it, and FUNC_VQA(question, study[, study]).

    settings = Settings(now="2105-12-31 23:59:00", ranges=VITAL_RANGES, mode="published")
    tree = prepare("select strftime('%y', current_time) where 60 < = heart_rate_lower", settings)
    write(tree, "sqlite", settings)
    # SELECT STRFTIME('%Y', '2105-12-31 23:59:00') WHERE 60 <= 60.0

Text becomes a tree by `parse`, a tree that means one thing by `prepare`, and SQL for an engine by `write`.

Source: EHRXQA (Bae et al., NeurIPS 2023) for FUNC_VQA; SQLite 3.40, whose semantics are the norm.
"""

from __future__ import annotations

from typing import ClassVar, cast

from sqlglot import exp
from sqlglot.dialects.sqlite import SQLite
from sqlglot.errors import ErrorLevel, ParseError, TokenError
from sqlglot.generators.sqlite import SQLiteGenerator
from sqlglot.parsers.sqlite import SQLiteParser
from sqlglot.tokens import TokenType

from chartsight.errors import QueryError
from chartsight.neuralsql.rewrites import PREPARING, STABLE, TRANSLATING
from chartsight.neuralsql.rewrites.base import EngineName, Plus, Settings
from chartsight.neuralsql.rewrites.vqa_texts import read_vqa_texts
from chartsight.neuralsql.spelling import SPELLING

__all__ = ["EngineName", "NeuralSql", "Settings", "parse", "prepare", "settle", "translate", "write"]

FRAGMENT = 40  # characters of a query that an error repeats
# Functions whose parts a rewrite must know; all others stay calls by name, with their arguments as written.
_UNDERSTOOD = ("COUNT", "SUM", "AVG", "MIN", "MAX", "COALESCE")


def _parse_plus(parser: SQLiteParser) -> exp.Expression:
    operand = parser._parse_unary()
    if operand is None:
        parser.raise_error("a sign before nothing")
    return operand if isinstance(operand, exp.Literal) else Plus(this=operand)


class NeuralSql(SQLite):  # type: ignore[misc]  # sqlglot is untyped to us
    """SQLite, read and written without translating its functions."""

    class Parser(SQLiteParser):  # type: ignore[misc]
        """Reads calls as they are written, and a comma between tables as a comma.

        To SQLite a comma and CROSS JOIN are different orders of work, and so different orders of rows.
        """

        FUNCTIONS: ClassVar = {name: SQLiteParser.FUNCTIONS[name] for name in _UNDERSTOOD}
        UNARY_PARSERS: ClassVar = {**SQLiteParser.UNARY_PARSERS, TokenType.PLUS: _parse_plus}
        FUNCTION_PARSERS: ClassVar = {"CAST": SQLiteParser.FUNCTION_PARSERS["CAST"]}
        JOINS_HAVE_EQUAL_PRECEDENCE: ClassVar = False

    class Generator(SQLiteGenerator):  # type: ignore[misc]
        """Writes what was read: a denied test as the one test that it was, which SQLite can look up in an index."""

        TRANSFORMS: ClassVar = {**SQLiteGenerator.TRANSFORMS, Plus: lambda self, node: f"+{self.sql(node, 'this')}"}

        def not_sql(self, expression: exp.Not) -> str:
            """`IS NOT NULL` as such."""
            inner = expression.this
            if isinstance(inner, exp.Is) and isinstance(inner.expression, exp.Null):
                return f"{self.sql(inner, 'this')} IS NOT NULL"
            return cast(str, super().not_sql(expression))


def parse(text: str, where: str = "query") -> exp.Query:
    """The tree of one query.

    Args:
        text: NeuralSQL, also as published: lower-cased, with curly or doubled quotes, with `< =`.
        where: How an error calls it.

    Raises:
        QueryError: It is no SQL, or something else than one query; with line, column and fragment.
    """
    for mend in SPELLING:
        text = mend(text)
    dialect = NeuralSql()
    try:
        trees = dialect.parser(error_level=ErrorLevel.IMMEDIATE).parse(dialect.tokenize(text), text)
    except ParseError as error:
        raise _syntax_error(error, where) from None
    except TokenError:
        raise QueryError("bad-query", where, "a quote is opened and never closed", "SQL") from None
    except RecursionError:
        raise QueryError("bad-query", where, "is nested too deeply", "a shorter query") from None
    found = [tree for tree in trees if tree is not None]
    if len(found) != 1:
        raise QueryError("bad-query", where, f"holds {len(found)} statements", "one SELECT")
    (tree,) = found
    if isinstance(tree, exp.Subquery):
        tree = tree.unnest()
    if not isinstance(tree, (exp.Select, exp.SetOperation)):
        raise QueryError("not-a-select", where, f"is {tree.key.upper()}", "one SELECT", line=1, column=1)
    return read_vqa_texts(tree)


def _syntax_error(error: ParseError, where: str) -> QueryError:
    first = error.errors[0] if error.errors else {}
    fragment = str(first.get("highlight") or "")
    column = max((first.get("col") or 0) - len(fragment) + 1, 1)
    near = f"near `{fragment[:FRAGMENT]}`: " if fragment else ""
    said = str(first.get("description") or "cannot be read").split("<Token")[0].rstrip(" .")
    return QueryError(
        "bad-query", where, f"{near}{said[:1].lower()}{said[1:]}", "SQL as SQLite reads it",
        line=first.get("line"), column=column, fragment=fragment[:FRAGMENT],
    )  # fmt: skip


def prepare(text: str, settings: Settings, where: str = "query") -> exp.Query:
    """The tree of one query, with the settings' time and ranges in it; what it means depends on nothing else.

    Raises:
        QueryError: As `parse`.
    """
    tree = parse(text, where)
    for rewrite in PREPARING:
        tree = rewrite(tree, settings)
    return tree


def write(tree: exp.Query, engine: EngineName, settings: Settings) -> str:
    """A prepared query as SQL of an engine; the tree stays as it is.

    Raises:
        QueryError: Published mode on another engine than SQLite; in stable mode a name that is not in
            `settings.tables`, or a function, modifier or mixture of kinds that no engine answers alike.
    """
    if settings.mode == "published":
        if engine != "sqlite":
            raise QueryError("published-mode", engine, "is asked for published answers", "SQLite, which gave them")
        return cast(str, tree.sql(dialect=NeuralSql))
    return translate(settle(tree, settings), engine, settings)


def settle(tree: exp.Query, settings: Settings) -> exp.Query:
    """The tree of stable mode, the same for all engines and still SQLite's: names resolved, ties in order.

    Raises:
        QueryError: As `write`.
    """
    tree = tree.copy()
    for rewrite in STABLE:
        tree = rewrite(tree, settings)
    return tree


def translate(tree: exp.Query, engine: EngineName, settings: Settings) -> str:
    """A settled tree as SQL of an engine; the tree stays as it is.

    Raises:
        QueryError: As `write`.
    """
    if engine == "sqlite":
        return cast(str, tree.sql(dialect=NeuralSql))
    tree = tree.copy()
    for rewrite in TRANSLATING:
        tree = rewrite(tree, settings, engine)
    return cast(str, tree.sql(dialect=engine))

"""Whether a query only asks what a question may ask: one SELECT over known tables, columns and functions.

    check(parse("SELECT count(*) FROM patients"), catalog)        # nothing
    check(parse("SELECT * FROM read_csv('x')"), catalog)          # QueryError: query, line 1, column 15: ...

All is by allow-list: kinds of nodes, functions, tables, columns, casts. What nobody thought of is refused. A parser is
no guard by itself, because engines read SQL in their own ways: what passes here is still run by an engine that refuses
by its own understanding (`engines/`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from difflib import get_close_matches

from sqlglot import exp

from chartsight.errors import QueryError
from chartsight.neuralsql.catalog import Catalog
from chartsight.schema import HIDDEN_COLUMNS


def listed(words: str) -> frozenset[str]:
    """The words of a list that is written as a text."""
    return frozenset(words.split())


MOST_NODES = 20_000  # of a query; EHRSQL's longest has 400
PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

# The parts of a query, by sqlglot's names of them. A part that stands in none of these lists is refused.
NODES = listed(
    """Select Union Except Intersect Subquery With CTE Table TableAlias From Join Where Group Having Order Ordered Limit
    Offset Distinct Window WindowSpec Filter Alias Column Identifier Literal Null Boolean Star Paren Tuple EQ NEQ GT GTE
    LT LTE Is In Between Like Glob Escape Not And Or Add Sub Mul Div Mod Neg Plus DPipe NullSafeEQ NullSafeNEQ Case If
    Cast DataType DataTypeParam Exists Placeholder Parameter Var CurrentTime CurrentDate CurrentTimestamp"""
)
# What else than nodes and flags a part may hold: `SELECT AS STRUCT`, `ONLY t` and such have no entry here.
PARTS: dict[str, frozenset[str]] = {
    "Select": listed("with_ expressions from_ joins where group having windows distinct order limit offset"),
    "Table": frozenset({"this", "alias", "joins"}),
    "Join": frozenset({"this", "on", "using", "side", "kind", "method"}),
    "With": frozenset({"expressions"}),
    "CTE": frozenset({"this", "alias", "materialized"}),
    "Subquery": frozenset({"this", "alias", "joins"}),
}
JOIN_WORDS = frozenset({"", "INNER", "CROSS", "LEFT", "RIGHT", "FULL", "OUTER", "NATURAL"})
CASTS = listed("""INT BIGINT SMALLINT TINYINT FLOAT DOUBLE DECIMAL TEXT VARCHAR CHAR DATE DATETIME TIMESTAMP BOOLEAN""")
# By the names that a query uses and by those of sqlglot's own classes for them.
FUNCTIONS = listed(
    """abs avg ceil ceiling coalesce count cume_dist date datetime dense_rank exp first_value floor func_vqa greatest
    group_concat if ifnull iif instr julianday lag last_value lead least length ln lower ltrim max min mod nth_value
    ntile nullif percent_rank pow power rank replace round row_number rtrim sign sqrt str_position strftime substr
    substring sum time time_to_str timediff total trim ts_or_ds_to_timestamp typeof unixepoch upper"""
)
# Read as functions by sqlglot although they are written as words.
WORDS = frozenset({"Case", "If", "Cast", "Exists", "And", "Or", "CurrentTime", "CurrentDate", "CurrentTimestamp"})

# What is meant by a part that is refused, for the part's own error.
SAID: dict[str, str] = {
    "Into": "SELECT INTO writes",
    "Lock": "FOR UPDATE locks rows",
    "Values": "VALUES is a table made up",
    "Lateral": "LATERAL is a table function",
    "Unnest": "UNNEST is a table function",
    "Insert": "INSERT writes",
    "Update": "UPDATE writes",
    "Delete": "DELETE writes",
    "Merge": "MERGE writes",
    "Hint": "a hint steers the engine",
    "TableSample": "a sample is another one each time",
    "Pivot": "PIVOT depends on the values",
    "CurrentUser": "says who runs the query",
    "Collate": "a collation orders differently on every engine",
    "HexString": "bytes are no value of a record",
}


def check(tree: exp.Expression, catalog: Catalog) -> None:
    """Nothing, when the query only asks what a question may ask.

    Args:
        tree: Of `parse` or `prepare`.
        catalog: Of the open record.

    Raises:
        QueryError: It does more; with line, column, fragment and, for a name, the nearest known one.
    """
    if not isinstance(tree, exp.Select | exp.SetOperation | exp.Subquery):
        raise QueryError("not-a-select", "query", f"is {tree.key.upper()}", "one SELECT", line=1, column=1)
    for number, node in enumerate(tree.walk()):
        if number > MOST_NODES:
            raise QueryError("too-long", "query", f"has more than {MOST_NODES:,} parts", "a shorter query")
        _check_part(node)
    _check_names(tree, catalog)


# ------------------------------------------------------------------------------------------------- the kinds of parts


def _check_part(node: exp.Expression) -> None:
    if node.comments:
        raise _error("comment", node, "a comment stands here", "SQL without comments")
    kind = type(node).__name__
    if isinstance(node, exp.Func) and kind not in WORDS:
        name = function_name(node)
        if name not in FUNCTIONS:
            raise _error("bad-function", node, f"{name}() is no function of a question", "", _nearest(name, FUNCTIONS))
    elif kind not in NODES:
        raise _error("not-allowed", node, SAID.get(kind, f"{kind.upper()} is no part of a question"), "one SELECT")
    allowed = PARTS.get(kind)
    if allowed is not None:
        for part, value in node.args.items():
            if part not in allowed and value not in (None, False, [], ""):
                _refuse_part(node, part, value)
    if handler := _CHECKS.get(kind):
        handler(node)


def _refuse_part(node: exp.Expression, part: str, value: object) -> None:
    word = part.strip("_").upper()
    if isinstance(node, exp.Table) and part in ("db", "catalog"):
        named = value if isinstance(value, exp.Expression) else node
        raise _error("bad-table", named, "a schema is named", "a table of the record, without a schema")
    if part == "recursive":
        raise _error("recursive", node, "WITH RECURSIVE runs without bound", "WITH")
    if isinstance(value, exp.Expression):
        _check_part(value)  # says it better, when the part is one that no query may have
    if isinstance(value, list):
        for each in value:
            if isinstance(each, exp.Expression):
                _check_part(each)
    raise _error("not-allowed", node, f"{word} is no part of a question", "one SELECT")


def _check_join(node: exp.Expression) -> None:
    for part in ("side", "kind", "method"):
        word = str(node.args.get(part) or "").upper()
        if word not in JOIN_WORDS:
            raise _error("not-allowed", node, f"{word} JOIN is no part of a question", "JOIN, LEFT JOIN")


def _check_cast(node: exp.Expression) -> None:
    to = node.args.get("to")
    name = to.this.name if isinstance(to, exp.DataType) and isinstance(to.this, exp.DataType.Type) else "another type"
    if name not in CASTS:
        raise _error("bad-cast", node, f"casts to {name.lower()}", "INTEGER, REAL, TEXT, DATE or TIMESTAMP")


def _check_table(node: exp.Expression) -> None:
    if not isinstance(node.this, exp.Identifier):
        raise _error("table-function", node, "a function stands for a table", "a table of the record")


def _check_identifier(node: exp.Expression) -> None:
    if PLAIN_NAME.fullmatch(node.name):
        return
    if isinstance(node.parent, exp.Table) or not (node.args.get("quoted") and node.name.isascii()):
        raise _error("bad-name", node, "is no plain name", "letters, digits and _ (quoted text is no table)")
    if not node.name.isprintable():
        raise _error("bad-name", node, "holds a character that cannot be seen", "letters, digits and _")


def _check_distinct(node: exp.Expression) -> None:
    if node.args.get("on"):
        raise _error("not-allowed", node, "DISTINCT ON is no part of a question", "DISTINCT")


def _check_select(node: exp.Expression) -> None:
    if not node.expressions:
        raise _error("bad-query", node, "selects nothing", "columns after SELECT")


_CHECKS: dict[str, Callable[[exp.Expression], None]] = {
    "Select": _check_select,
    "Join": _check_join,
    "Cast": _check_cast,
    "Table": _check_table,
    "Identifier": _check_identifier,
    "Distinct": _check_distinct,
}


def function_name(node: exp.Func) -> str:
    """The name of a call in lower case, as written or as sqlglot knows it."""
    return str(node.name if isinstance(node, exp.Anonymous | exp.AnonymousAggFunc) else node.sql_name()).lower()


# ------------------------------------------------------------------------------------------------ tables and columns


class _Scope:
    """What one SELECT can see: its sources by name, and those of the queries around it."""

    def __init__(self, around: _Scope | None, catalog: Catalog) -> None:
        self.around, self.catalog = around, catalog
        self.queries: dict[str, tuple[str, ...] | None] = {}  # WITH name → its columns, None when not known
        self.sources: dict[str, tuple[str, ...] | None] = {}  # name in FROM → its columns
        self.starred: dict[str, str] = {}  # name in FROM → its table, where `*` would say too much
        self.aliases: set[str] = set()

    def chain(self) -> Iterator[_Scope]:
        scope: _Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.around

    def query(self, name: str) -> tuple[bool, tuple[str, ...] | None]:
        for scope in self.chain():
            if name in scope.queries:
                return True, scope.queries[name]
        return False, None


def _check_names(tree: exp.Expression, catalog: Catalog) -> None:
    _columns_of(tree, None, catalog)


def _columns_of(tree: exp.Expression, around: _Scope | None, catalog: Catalog) -> tuple[str, ...] | None:
    """Checks the names of a query and gives those of its columns; None where a name is not known."""
    scope = _Scope(around, catalog)
    clause = tree.args.get("with_")
    for each in clause.expressions if clause is not None else ():
        scope.queries[each.alias.lower()] = _named(each, _columns_of(each.this, scope, catalog))
    if isinstance(tree, exp.Subquery):
        return _columns_of(tree.this, scope, catalog)
    if isinstance(tree, exp.SetOperation):
        columns = _columns_of(tree.this, scope, catalog)
        _columns_of(tree.expression, scope, catalog)
        scope.sources[""] = columns
        for part in ("order", "limit", "offset"):
            _check_expressions(tree.args.get(part), scope, catalog)
        return columns
    clause = tree.args.get("from_")
    for source in [clause.this if clause is not None else None, *_joined(tree)]:
        if source is not None:
            _add_source(source, scope, catalog)
    scope.aliases = {each.alias.lower() for each in tree.expressions if isinstance(each, exp.Alias)}
    for part, value in tree.args.items():
        if part not in ("with_", "from_", "joins"):
            _check_expressions(value, scope, catalog)
    for join in tree.args.get("joins") or ():
        _check_expressions(join.args.get("on"), scope, catalog)
        for name in join.args.get("using") or ():
            _check_column(name.name.lower(), name, scope)
    return _projected(tree, scope)


def _joined(tree: exp.Expression) -> Iterator[exp.Expression]:
    for join in tree.args.get("joins") or ():
        yield join.this


def _add_source(source: exp.Expression, scope: _Scope, catalog: Catalog) -> None:
    if isinstance(source, exp.Table):
        name = source.name.lower()
        known, columns = scope.query(name)
        if not known:
            if not catalog.has(name):
                visible = [*catalog.tables, *(each for one in scope.chain() for each in one.queries)]
                raise _error("bad-table", source.this, "is no table of the record", "", _nearest(name, visible))
            columns = tuple(catalog.tables[name])
        called = (source.alias or name).lower()
        scope.sources[called] = _named(source, columns)
        if not known and name in catalog.partial:
            scope.starred[called] = name
    elif isinstance(source, exp.Subquery):
        if isinstance(source.this, exp.Table):  # FROM (a JOIN b)
            _add_source(source.this, scope, catalog)
        else:
            columns = _columns_of(source.this, scope.around, catalog) if not scope.queries else None
            if scope.queries:
                columns = _columns_of(source.this, _only_queries(scope), catalog)
            scope.sources[source.alias.lower()] = _named(source, columns)
    for join in source.args.get("joins") or ():
        _add_source(join.this, scope, catalog)
        _check_expressions(join.args.get("on"), scope, catalog)


def _only_queries(scope: _Scope) -> _Scope:
    """What a query in FROM sees of the one around it: its WITH, not its other sources."""
    outer = _Scope(scope.around, scope.catalog)
    outer.queries = scope.queries
    return outer


def _named(source: exp.Expression, columns: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """The columns under the names that `AS t(a, b)` gives them."""
    alias = source.args.get("alias")
    given = [each.name.lower() for each in alias.args.get("columns") or ()] if alias is not None else []
    if not given:
        return columns
    return (*given, *(columns[len(given) :] if columns is not None else ()))


def _projected(tree: exp.Expression, scope: _Scope) -> tuple[str, ...] | None:
    names: list[str] = []
    for each in tree.expressions:
        if isinstance(each, exp.Star) or (isinstance(each, exp.Column) and isinstance(each.this, exp.Star)):
            of = [each.table.lower()] if isinstance(each, exp.Column) else list(scope.sources)
            for source in of:
                columns = scope.sources.get(source)
                if columns is None:
                    return None
                names.extend(columns)
        else:
            names.append(each.alias_or_name.lower())
    return tuple(names)


def _check_expressions(value: object, scope: _Scope, catalog: Catalog) -> None:
    """The names of an expression, without going into its queries before they have a scope of their own."""
    if isinstance(value, list):
        for each in value:
            _check_expressions(each, scope, catalog)
        return
    if not isinstance(value, exp.Expression):
        return
    if isinstance(value, exp.Select | exp.SetOperation):
        _columns_of(value, scope, catalog)
        return
    if isinstance(value, exp.Subquery):
        _columns_of(value, scope, catalog)
        return
    if isinstance(value, exp.Column):
        _check_reference(value, scope)
        return
    if isinstance(value, exp.Star):
        _check_star(value, scope, None)
        return
    if isinstance(value, exp.Count) and isinstance(value.this, exp.Star):
        return
    if isinstance(value, exp.Anonymous) and function_name(value) == "func_vqa":
        _check_look(value, scope, catalog)
        return
    for each in value.args.values():
        _check_expressions(each, scope, catalog)


def _check_look(call: exp.Anonymous, scope: _Scope, catalog: Catalog) -> None:
    """FUNC_VQA('question', study[, study]): the question stands in the query, so its looks are known beforehand."""
    question, *studies = call.expressions or [None]
    is_text = isinstance(question, exp.Literal) and question.is_string
    if not is_text and not (isinstance(question, exp.Column) and question.this.args.get("quoted")):
        raise _error("bad-look", call, "has no question", "FUNC_VQA('question', study)")
    if not 1 <= len(studies) <= 2:
        raise _error("bad-look", call, f"names {len(studies)} studies", "FUNC_VQA('question', study) or two studies")
    for study in studies:
        _check_expressions(study, scope, catalog)


def _check_star(star: exp.Expression, scope: _Scope, table: str | None) -> None:
    for source, name in scope.starred.items():
        if table in (None, source):
            raise _error(
                "bad-star", star, f"`*` says more of {name} than a question may read", "columns by name",
                ", ".join(list(scope.catalog.tables[name])[:4]) + ", ...",
            )  # fmt: skip


def _check_reference(column: exp.Column, scope: _Scope) -> None:
    table = column.table.lower()
    if column.args.get("db") or column.args.get("catalog"):
        raise _error("bad-table", column, "a schema is named", "table.column")
    if not table:
        if isinstance(column.this, exp.Star):
            _check_star(column, scope, None)
        else:
            _check_column(column.name.lower(), column, scope)
        return
    for each in scope.chain():
        if table in each.sources:
            columns = each.sources[table]
            break
    else:
        known = [name for each in scope.chain() for name in each.sources if name]
        raise _error(
            "bad-table", column.args["table"], "is no table of this FROM", "one of its tables or their short names",
            _nearest(table, known),
        )  # fmt: skip
    if isinstance(column.this, exp.Star):
        _check_star(column, each, table)
    elif columns is not None and column.name.lower() not in columns:
        raise _error(
            "bad-column", column.this, f"{table} has no such column", "", _nearest(column.name.lower(), columns)
        )


def _check_column(name: str, node: exp.Expression, scope: _Scope) -> None:
    for each in scope.chain():
        if name in each.aliases or any(columns is None or name in columns for columns in each.sources.values()):
            return
    quoted = isinstance(node, exp.Column) and node.this.args.get("quoted")
    if quoted and not any(name in hidden for hidden in HIDDEN_COLUMNS.values()):
        return  # "words" are a text, where no column and no alias has that name
    known = {column for each in scope.chain() for columns in each.sources.values() for column in columns or ()}
    raise _error("bad-column", node, "is no column of these tables", "", _nearest(name, known))


# --------------------------------------------------------------------------------------------------------- the errors


def _nearest(name: str, known: Iterable[str]) -> str:
    found = get_close_matches(name, sorted(set(known)), n=1, cutoff=0.6)
    return f"did you mean {found[0]}?" if found else ""


def _error(code: str, node: exp.Expression, found: str, expected: str, hint: str = "") -> QueryError:
    line, column, fragment = _place(node)
    said = f"`{fragment}`: {found}" if fragment else found
    return QueryError(code, "query", said, expected, hint, line=line, column=column, fragment=fragment)


def _place(node: exp.Expression) -> tuple[int | None, int | None, str]:
    """Line and column of a part, and its first name; None where the parser kept no place."""
    within = [node, node.find(exp.Identifier), *node.walk()]
    for each in (*within, *_above(node)):
        if each is not None and "line" in each.meta:
            length = each.meta["end"] - each.meta["start"]
            return each.meta["line"], max(1, each.meta["col"] - length), _fragment(node)
    return None, None, _fragment(node)


def _above(node: exp.Expression) -> Iterator[exp.Expression]:
    parent = node.parent
    while parent is not None:
        yield parent
        parent = parent.parent


def _fragment(node: exp.Expression) -> str:
    """The name that is meant; never a literal, which may be a patient's."""
    if isinstance(node, exp.Func) and type(node).__name__ not in WORDS:
        return function_name(node)
    if isinstance(node, exp.Column):
        return ".".join(part.name for part in node.parts)
    if isinstance(node, exp.Identifier) or (isinstance(node, exp.Table) and isinstance(node.this, exp.Identifier)):
        return str(node.name)
    return ""

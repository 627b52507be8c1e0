"""Every column with its table, every alias as what it stands for, every star as its columns."""

from __future__ import annotations

from functools import lru_cache

from sqlglot import exp
from sqlglot.errors import OptimizeError, SchemaError
from sqlglot.optimizer.qualify import qualify
from sqlglot.schema import MappingSchema

from chartsight.errors import QueryError
from chartsight.neuralsql.rewrites.base import Settings

LONGEST_NAME = 60  # of a column of an answer; PostgreSQL cuts names after 63 bytes
_TYPES = {
    "int": "BIGINT",
    "bigint": "BIGINT",
    "float": "DOUBLE",
    "time": "TIMESTAMP",
    "date": "DATE",
    "bool": "BOOLEAN",
}


def read_quoted_texts(tree: exp.Query, settings: Settings) -> exp.Query:
    """`"words"` is a text when no column and no alias has that name, as SQLite decides it."""
    known = {column.lower() for columns in settings.tables.values() for column in columns}
    known |= {alias.alias.lower() for alias in tree.find_all(exp.Alias, exp.TableAlias)}
    for column in list(tree.find_all(exp.Column)):
        if not column.table and column.this.args.get("quoted") and column.name.lower() not in known:
            column.replace(exp.Literal.string(column.name))
    return tree


def resolve_names(tree: exp.Query, settings: Settings) -> exp.Query:
    """The tree with qualified columns; the outermost columns have the names that SQLite gives them.

    Raises:
        QueryError: A table or column is unknown, or two tables have a column of that name.
    """
    names = [_name(projection, place) for place, projection in enumerate(tree.selects, 1)]
    known = {table.lower() for table in settings.tables}
    defined = {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
    for table in tree.find_all(exp.Table):
        if table.name.lower() not in known | defined or table.db:
            raise QueryError("unknown-table", "query", f"`{table.name}` is no table of the record", "one of its tables")
    schema = _schema(tuple((table, tuple(columns.items())) for table, columns in settings.tables.items()))
    try:
        tree = qualify(tree, schema=schema, dialect="sqlite", quote_identifiers=False, identify=False)
    except (OptimizeError, SchemaError) as error:
        words = str(error).split(". Line:")[0].split("\n")[0]
        raise QueryError("unknown-name", "query", f"{words[:1].lower()}{words[1:]}", "names of the record") from None
    if isinstance(tree, exp.Select) and len(names) == len(tree.selects):
        for name, projection in zip(names, tree.selects, strict=True):
            if name:
                _rename(tree, projection, name)
    return tree


def _rename(select: exp.Select, projection: exp.Expression, name: str) -> None:
    """Another name for a column of the answer, also where ORDER BY calls it."""
    order = select.args.get("order")
    for column in order.find_all(exp.Column) if order is not None else ():
        if not column.table and column.name == projection.alias:
            column.set("this", exp.to_identifier(name, quoted=True))
    projection.set("alias", exp.to_identifier(name, quoted=True))


def _name(projection: exp.Expression, place: int) -> str:
    """What SQLite calls a column without an alias: its words; a number when they are too long for other engines.

    Empty for a column, or an alias in small letters, that has its name.
    """
    if isinstance(projection, exp.Alias):
        return "" if projection.alias.islower() else str(projection.alias)
    if isinstance(projection, (exp.Column, exp.Star)):
        return ""
    words = str(projection.sql(dialect="neuralsql"))  # of `dialect`, which registers itself
    return words if len(words) <= LONGEST_NAME and '"' not in words else f"column {place}"


@lru_cache(maxsize=16)
def _schema(tables: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]) -> MappingSchema:
    """sqlglot's view of the tables; made once for many queries."""
    return MappingSchema(
        {table: {column: _TYPES.get(kind, "TEXT") for column, kind in columns} for table, columns in tables},
        dialect="sqlite",
    )

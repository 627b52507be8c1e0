"""DuckDB inside the child: the record attached for reading, nothing else within reach.

What a query may do is decided three times, each time by DuckDB itself rather than by our parser:

1. its own parser says what the query is (`json_serialize_sql`, SELECT only), and the tree it gives is walked: known
   tables, functions and casts, no table functions, no recursion;
2. tables are views over the attached record, made before the door is locked: hidden columns are not behind them;
3. no external access, no extensions, no changing of settings, a limit of memory, no room to spill.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from typing import Any

import duckdb
import pyarrow as pa

from chartsight.errors import QueryError, RecordError
from chartsight.neuralsql.catalog import Catalog, column_type, readable
from chartsight.neuralsql.check import FUNCTIONS, listed
from chartsight.neuralsql.engines.base import refused, too_much_memory, too_slow
from chartsight.schema import SCHEMA_VERSION, ColumnType, Limits

BATCH_ROWS = 10_000

# Of DuckDB, beside those of NeuralSQL itself: pure, and bounded by their arguments. Nothing that reads settings, the
# clock, chance or files, and nothing that makes rows out of a number (range, generate_series, repeat).
# What the dialect writes numbers with; another format could ask for a text of any width.
FORMATS = ("%.9f", "%.15g")
DUCKDB_FUNCTIONS = FUNCTIONS | listed(
    """+ - * / // % ** ^ & | ~ << >> || ~~ !~~ ~~* !~~* ~~~ like_escape not_like_escape ilike_escape not_ilike_escape
    count_star any_value first last arg_min arg_max arg_min_null arg_max_null min_by max_by bool_and bool_or string_agg
    list array_agg median mode quantile_cont quantile_disc stddev stddev_samp stddev_pop variance var_samp var_pop
    sum_no_overflow fsum kahan_sum favg list_value array_value row struct_pack struct_extract array_extract list_extract
    list_contains list_has array_contains len array_length list_sort list_distinct list_filter list_transform
    strptime try_strptime date_part datepart date_trunc datetrunc date_diff datediff date_sub date_add epoch epoch_ms
    epoch_us make_date make_time make_timestamp julian age year month day hour minute second last_day dayofweek
    dayofyear weekofyear week isodow quarter monthname dayname to_years to_months to_weeks to_days to_hours to_minutes
    to_seconds to_milliseconds to_microseconds to_timestamp
    concat concat_ws left right lpad rpad position strpos contains starts_with ends_with prefix suffix strlen chr ascii
    unicode lcase ucase reverse regexp_matches regexp_full_match regexp_extract regexp_replace string_split translate
    trunc round_even even cbrt log log2 log10 isnan isinf isfinite nullif"""
)  # fmt: skip
EXPRESSIONS = listed(
    """COLUMN_REF CONSTANT FUNCTION WINDOW COMPARISON CONJUNCTION OPERATOR CAST CASE BETWEEN SUBQUERY STAR PARAMETER
    COLLATE TYPE LAMBDA"""
)
QUERIES = frozenset({"SELECT_NODE", "SET_OPERATION_NODE", "CTE_NODE"})
SOURCES = frozenset({"BASE_TABLE", "JOIN", "SUBQUERY", "EMPTY", "EXPRESSION_LIST"})
MODIFIERS = frozenset({"ORDER_MODIFIER", "LIMIT_MODIFIER", "DISTINCT_MODIFIER"})
ORDERS = frozenset({"ORDER_DEFAULT", "ASCENDING", "DESCENDING"})
# Words that DuckDB reads as calls when no column has their name.
WORDS = listed(
    """current_user current_role session_user user current_catalog current_schema current_database current_date
    current_time current_timestamp localtime localtimestamp"""
)
TYPES = listed(
    """BOOLEAN BOOL TINYINT SMALLINT INTEGER INT INT4 BIGINT INT8 HUGEINT FLOAT REAL DOUBLE DECIMAL NUMERIC VARCHAR TEXT
    CHAR BPCHAR STRING DATE TIME TIMESTAMP DATETIME TIMESTAMP_S TIMESTAMP_MS TIMESTAMP_NS INTERVAL LIST
    STRUCT"""
)


class DuckDbDatabase:
    """See `child.Database`."""

    def __init__(self, target: str, threads: int, memory_mb: int) -> None:
        settings: dict[str, Any] = {
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "allow_community_extensions": "false",
            "python_enable_replacements": "false",
            "memory_limit": f"{memory_mb}MiB",
            "threads": str(threads),
            "temp_directory": "",
        }
        self.connection = duckdb.connect(":memory:", config=settings)
        try:
            self.connection.execute(f"ATTACH {_literal(target)} AS record (READ_ONLY)")
            self.catalog = self._read_catalog(target)
        except duckdb.Error as error:
            raise RecordError(
                "no-record", target, "cannot be opened by DuckDB", "a record that nobody writes"
            ) from error
        for table, columns in self.catalog.tables.items():
            names = ", ".join(_as_viewed(name, kind) for name, kind in columns.items())
            self.connection.execute(f"CREATE VIEW {_quoted(table)} AS SELECT {names} FROM record.main.{_quoted(table)}")
        for setting in (
            "enable_progress_bar = false", "error_on_division_by_zero = false",  # SQLite gives null
            "enable_external_access = false", "lock_configuration = true",
        ):  # fmt: skip
            self.connection.execute(f"SET {setting}")

    def _read_catalog(self, target: str) -> Catalog:
        rows = self.connection.execute(
            """SELECT table_name, column_name, data_type FROM duckdb_columns()
               WHERE database_name = 'record' AND schema_name = 'main' ORDER BY table_name, column_index"""
        ).fetchall()
        found: dict[str, list[tuple[str, Any]]] = {}
        for table, column, kind in rows:
            found.setdefault(table, []).append((column, column_type(kind)))
        if "patients" not in found:
            raise RecordError("no-record", target, "has no table of patients", "a record")
        if "record_info" in found:
            info = dict(self.connection.execute("SELECT key, value FROM record.main.record_info").fetchall())
            if int(info.get("schema_version", "0")) > SCHEMA_VERSION:
                raise RecordError(
                    "newer-schema", target, f"schema_version {info['schema_version']}", f"at most {SCHEMA_VERSION}",
                    "upgrade chartsight",
                )  # fmt: skip
        return readable(found)

    def run(self, sql: str, parameters: Mapping[str, Any], limits: Limits, tables: Mapping[str, pa.Table]) -> pa.Table:
        """See `child.Database`."""
        late = threading.Event()

        def stop() -> None:
            late.set()
            self.connection.interrupt()

        timer = threading.Timer(limits.seconds, stop)
        timer.daemon = True
        for name, table in tables.items():
            self.connection.register(name, table)
        timer.start()
        try:
            self._refuse(sql, self.catalog.tables.keys() | {name.lower() for name in tables})
            return self._fetch(sql, parameters, limits)
        except duckdb.Error as error:
            raise too_slow(limits.seconds) if late.is_set() else told(error, limits) from error
        finally:
            timer.cancel()
            for name in tables:
                self.connection.unregister(name)

    def _fetch(self, sql: str, parameters: Mapping[str, Any], limits: Limits) -> pa.Table:
        relation = self.connection.sql(sql, params=dict(parameters) or None)
        reader = relation.to_arrow_reader(min(BATCH_ROWS, limits.rows + 1))
        batches, rows, held = [], 0, 0
        for batch in reader:
            batches.append(batch)
            rows += batch.num_rows
            held += batch.nbytes
            if held > limits.memory_mb * 2**20:
                raise too_much_memory(limits.memory_mb)
            if rows > limits.rows:
                break
        return pa.Table.from_batches(batches, reader.schema)

    def _refuse(self, sql: str, tables: frozenset[str] | set[str]) -> None:
        """Nothing, when DuckDB's own tree of the query reads known tables by known functions only.

        Raises:
            QueryError: It does not.
        """
        (said,) = self.connection.execute("SELECT json_serialize_sql($1::VARCHAR)", [sql]).fetchall()[0]
        tree = json.loads(said)
        if tree.get("error"):
            if tree.get("error_type") == "parser":
                raise QueryError(
                    "bad-query", "query", f"DuckDB reads no SQL in it: {tree['error_message']}", "one SELECT"
                )
            raise refused("is no SELECT")
        if len(tree["statements"]) != 1:
            raise refused(f"holds {len(tree['statements'])} statements")
        _walk(tree["statements"][0]["node"], frozenset(tables))


def _walk(node: Any, tables: frozenset[str]) -> None:
    """Every part of DuckDB's tree; `tables` grows by the WITH names where they can be seen."""
    if isinstance(node, list):
        for each in node:
            _walk(each, tables)
        return
    if not isinstance(node, dict):
        return
    if "class" in node:
        _check_expression(node, tables)
    elif isinstance(node.get("type"), str):
        _check_node(node, tables)
    for entry in (node.get("cte_map") or {}).get("map", ()):
        _walk(entry["value"], tables)
        tables |= {entry["key"].lower()}
    if node.get("sample"):
        raise refused("takes a sample of a table")
    for part, each in node.items():
        if part not in ("cte_map", "literal", "qualified_name"):
            _walk(each, tables)


def _check_node(node: Mapping[str, Any], tables: frozenset[str]) -> None:
    kind = node["type"]
    if kind == "RECURSIVE_CTE_NODE":
        raise refused("runs without bound (WITH RECURSIVE)")
    if kind == "TABLE_FUNCTION":
        raise refused("reads a table function")
    if kind not in QUERIES | SOURCES | MODIFIERS | ORDERS:
        raise refused(f"holds a {kind}")
    if kind == "BASE_TABLE":
        if node.get("schema_name") or node.get("catalog_name") or len(node["qualified_name"]["path"]) != 1:
            raise refused("names a schema")
        if node["table_name"].lower() not in tables:
            raise refused("reads a table that is not of the record")
        if node.get("at_clause"):
            raise refused("reads a table as it was")


def _check_expression(node: Mapping[str, Any], tables: frozenset[str]) -> None:
    kind = node["class"]
    if kind not in EXPRESSIONS:
        raise refused(f"holds a {kind}")
    if kind in ("FUNCTION", "WINDOW"):
        name = node["function_name"].lower()
        is_known = name in DUCKDB_FUNCTIONS or (name == "printf" and _format_of(node) in FORMATS)
        if not is_known or node.get("schema") or node.get("catalog"):
            raise refused(f"calls {name}()")
    elif kind == "TYPE" and (node["type_name"].upper() not in TYPES or node.get("schema")):
        raise refused("casts to a type that is not of the record")
    elif kind == "COLUMN_REF" and len(node["column_names"]) == 1 and node["column_names"][0].lower() in WORDS:
        raise refused("asks for the clock or for who runs it")


def _format_of(call: Mapping[str, Any]) -> object:
    """The format of a printf that is written out; None for one that is computed."""
    first: Mapping[str, Any] = next((each["expression"] for each in call.get("arguments") or ()), {})
    return first["literal"]["text"] if first.get("class") == "CONSTANT" else None


def told(error: duckdb.Error, limits: Limits) -> QueryError:
    """DuckDB's error without the values that some of its messages repeat."""
    if isinstance(error, duckdb.OutOfMemoryException):
        return too_much_memory(limits.memory_mb)
    if isinstance(error, duckdb.BinderException | duckdb.CatalogException | duckdb.ParserException):
        said = str(error).split("\n\nLINE ")[0].split(": ", 1)[-1].split("\nDid you mean")[0]
        return QueryError("bad-query", "query", f"DuckDB says: {said}", "SQL that DuckDB runs")
    if isinstance(error, duckdb.InvalidInputException) and "parameter" in str(error).lower():
        return QueryError("bad-parameter", "query", "its parameters are not those given", "a value for each $name")
    kind = type(error).__name__.removesuffix("Exception").removesuffix("Error") or "error"
    return QueryError(
        "failed", "query", f"fails on the record's values ({kind.lower()})", "an expression for all of them"
    )


def _as_viewed(name: str, kind: ColumnType) -> str:
    """A column of a view. Whole numbers have 64 bits, as in SQLite, so that sums and products of them fit."""
    return f"CAST({_quoted(name)} AS BIGINT) AS {_quoted(name)}" if kind == "int" else _quoted(name)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"

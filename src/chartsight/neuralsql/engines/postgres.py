"""PostgreSQL inside the child: a connection as a role that may only read the record's schema.

Before a query runs, PostgreSQL says what it would do: its own plan, with every relation by schema and every expression
in its own canonical words (`EXPLAIN (VERBOSE)`). Other relations, table functions, recursion and functions on no list
are refused there. Then it runs as a cursor, which PostgreSQL declares for one SELECT only, in a transaction that may
not write, under statement_timeout.

Passwords come from where PostgreSQL's own programs take them (PGPASSFILE, ~/.pgpass, PGPASSWORD), never from a URL.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, LiteralString

import psycopg
import pyarrow as pa
from psycopg import sql as compose
from psycopg.rows import tuple_row

from chartsight.errors import QueryError, RecordError
from chartsight.neuralsql.catalog import Catalog, column_type, readable
from chartsight.neuralsql.check import FUNCTIONS, listed
from chartsight.neuralsql.engines.base import refuse_other_beginning, refused, shown, too_much_memory, too_slow
from chartsight.neuralsql.engines.values import array_of, batch_rows, render_value, rough_bytes
from chartsight.schema import POSTGRES_READER, POSTGRES_SCHEMA, SCHEMA_VERSION, Limits

CONNECT_SECONDS = 10
COPIED_ROWS = 10_000
# Of PostgreSQL, beside those of NeuralSQL: pure, and bounded by their arguments. Names as PostgreSQL writes them.
POSTGRES_FUNCTIONS = FUNCTIONS | listed(
    """any_value array_agg array_length array_position array_to_string ascii bool_and bool_or btrim cardinality cbrt
    char_length character_length chr concat concat_ws date_bin date_part date_trunc degrees div every extract
    float4 float8 initcap int2 int4 int8 interval isfinite justify_days justify_hours left log log10 lpad make_date
    make_interval make_time make_timestamp mode numeric octet_length percentile_cont percentile_disc pi
    pg_input_is_valid position radians regexp_count regexp_like regexp_match regexp_replace regexp_substr reverse right
    rpad split_part starts_with stddev stddev_pop stddev_samp string_agg strpos text timestamp timezone to_char to_date
    to_number to_timestamp translate trim_scale trunc var_pop var_samp variance varchar width_bucket bpchar age"""
)
# Words of PostgreSQL's own spelling that may stand before an opening bracket.
WORDS = listed(
    """AND OR NOT IN ANY ALL SOME CASE WHEN THEN ELSE FILTER OVER ROW ARRAY DISTINCT IS LIKE ILIKE SIMILAR TO BETWEEN
    SYMMETRIC BY ON AS FROM FOR USING ORDER PARTITION WITHIN GROUP EXISTS ESCAPE RANGE ROWS GROUPS PARTIAL COALESCE
    GREATEST LEAST NULLIF EXTRACT SUBSTRING POSITION TRIM OVERLAY BOTH LEADING TRAILING AT TIME ZONE"""
)
CLOCK_AND_USER = listed(
    """CURRENT_USER CURRENT_ROLE SESSION_USER SYSTEM_USER USER CURRENT_CATALOG CURRENT_SCHEMA CURRENT_DATE CURRENT_TIME
    CURRENT_TIMESTAMP LOCALTIME LOCALTIMESTAMP"""
)
TYPES = listed(
    """text integer bigint smallint numeric double real timestamp date time interval character bpchar varchar boolean
    unknown int4 int8 float8 float4"""
)
NAMING_TYPES = listed(
    """regclass regproc regprocedure regoper regoperator regtype regrole regnamespace regconfig regdictionary
    regcollation regdatabase aclitem"""
)
NODES = frozenset(
    {
        "Result", "Seq Scan", "Index Scan", "Index Only Scan", "Bitmap Heap Scan", "Bitmap Index Scan", "BitmapAnd",
        "BitmapOr", "Tid Scan", "Tid Range Scan", "Nested Loop", "Hash Join", "Merge Join", "Hash", "Sort",
        "Incremental Sort", "Aggregate", "Group", "WindowAgg", "Unique", "Limit", "Append", "Merge Append", "SetOp",
        "Subquery Scan", "CTE Scan", "Values Scan", "Materialize", "Memoize", "Gather", "Gather Merge",
    }
)  # fmt: skip
# Parts of a plan that hold names or figures, not expressions.
NAMES = frozenset(
    {
        "Node Type", "Schema", "Relation Name", "Alias", "Join Type", "Strategy", "Partial Mode", "Command",
        "Parent Relationship", "Scan Direction", "Index Name", "CTE Name", "Subplan Name", "Cache Mode", "Operation",
    }
)  # fmt: skip
_TOKENS = re.compile(
    r"""(?P<strange>--|/\*|[Uu]&['"]|\$(?!\d)) | (?P<text>[Ee]'(?:[^'\\]|''|\\.)*'|'(?:[^']|'')*')
    | (?P<quoted>"(?:[^"]|"")*") | (?P<word>[^\W\d][\w$]*) | (?P<cast>::) | (?P<other>\S)""",
    re.VERBOSE | re.DOTALL,
)
_PLACEHOLDER = re.compile(r"""(?P<kept>'(?:[^']|'')*'|"(?:[^"]|"")*")|%\((?P<name>\w+)\)s""")


class PostgresDatabase:
    """See `child.Database`."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.functions: frozenset[str] = frozenset()
        self.connection = self._connect()
        self.catalog = self._read_catalog()

    def _connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        refuse_password(self.target)
        place = shown(self.target)
        try:
            connection = psycopg.connect(
                self.target, autocommit=True, connect_timeout=CONNECT_SECONDS, application_name="chartsight",
                row_factory=tuple_row, cursor_factory=psycopg.RawCursor, prepare_threshold=None,
            )  # fmt: skip
        except (psycopg.Error, UnicodeError) as error:
            raise no_connection(self.target) from error
        try:
            self._lock(connection)
        except psycopg.Error as error:
            connection.close()
            raise RecordError(
                "no-record", place, f"has no record in its schema {POSTGRES_SCHEMA}, or no right to read it",
                "a database that `chartsight records copy` filled",
            ) from error  # fmt: skip
        except RecordError:
            connection.close()
            raise
        return connection

    def _lock(self, connection: psycopg.Connection[tuple[Any, ...]]) -> None:
        """The role, and what must be as expected for a plan to be read."""
        rows = connection.execute(
            "SELECT pg_has_role(session_user, oid, 'MEMBER') FROM pg_roles WHERE rolname = $1", [POSTGRES_READER]
        ).fetchall()
        if rows and rows[0][0]:
            connection.execute(f"SET ROLE {POSTGRES_READER}")
        for setting in (
            f"search_path = pg_temp, {POSTGRES_SCHEMA}", "standard_conforming_strings = on", "timezone = 'UTC'",
            "datestyle = 'ISO, YMD'", "intervalstyle = 'postgres'", "quote_all_identifiers = off",
            "cursor_tuple_fraction = 1.0", "max_parallel_workers_per_gather = 0", "default_transaction_read_only = on",
            "client_connection_check_interval = '1s'", "jit = off",
        ):  # fmt: skip
            connection.execute(compose.SQL(f"SET {setting}"))
        (too_strong,) = connection.execute(
            """SELECT r.rolsuper OR r.rolcreaterole OR r.rolcreatedb OR r.rolreplication OR r.rolbypassrls
                   OR EXISTS (SELECT 1 FROM pg_roles AS g WHERE g.rolname IN ('pg_read_server_files',
                              'pg_write_server_files', 'pg_execute_server_program', 'pg_write_all_data')
                              AND pg_has_role(r.oid, g.oid, 'USAGE'))
                   OR has_schema_privilege(r.oid, $1, 'CREATE')
                   OR EXISTS (SELECT 1 FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
                              WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'v', 'm')
                              AND has_table_privilege(r.oid, c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE'))
               FROM pg_roles AS r WHERE r.rolname = current_user""",
            [POSTGRES_SCHEMA],
        ).fetchall()[0]
        rows = connection.execute("SELECT DISTINCT proname FROM pg_proc").fetchall()
        self.functions = frozenset(name for (name,) in rows) - POSTGRES_FUNCTIONS
        if too_strong:
            raise RecordError(
                "role-too-strong", shown(self.target), "its user may do more than read",
                f"a user that only reads, or a member of {POSTGRES_READER}",
                "`chartsight records copy` makes that role; GRANT it to the user",
            )  # fmt: skip

    def _read_catalog(self) -> Catalog:
        rows = self.connection.execute(
            """SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod)
               FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
               JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
               WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'v', 'm') ORDER BY c.relname, a.attnum""",
            [POSTGRES_SCHEMA],
        ).fetchall()
        found: dict[str, list[tuple[str, Any]]] = {}
        for table, column, kind in rows:
            found.setdefault(table, []).append((column, column_type(kind)))
        if "patients" not in found:
            raise RecordError(
                "no-record", shown(self.target), f"has no record in its schema {POSTGRES_SCHEMA}",
                "a database that `chartsight records copy` filled",
            )  # fmt: skip
        (said,) = self.connection.execute(
            "SELECT obj_description(oid, 'pg_namespace') FROM pg_namespace WHERE nspname = $1", [POSTGRES_SCHEMA]
        ).fetchall()[0]
        version = int(match[1]) if (match := re.search(r"schema_version (\d+)", said or "")) else 0
        if version > SCHEMA_VERSION:
            raise RecordError(
                "newer-schema", shown(self.target), f"schema_version {version}", f"at most {SCHEMA_VERSION}",
                "upgrade chartsight",
            )  # fmt: skip
        return readable(found)

    def run(self, sql: str, parameters: Mapping[str, Any], limits: Limits, tables: Mapping[str, pa.Table]) -> pa.Table:
        """See `child.Database`."""
        if self.connection.closed:
            self.connection = self._connect()
        text, values = numbered(sql, parameters)
        try:
            return self._fetch(text, values, limits, tables)
        except psycopg.Error as error:
            raise told(error, limits) from error
        finally:
            if not self.connection.closed:
                self.connection.rollback()

    def _fetch(self, sql: str, values: Sequence[Any], limits: Limits, tables: Mapping[str, pa.Table]) -> pa.Table:
        connection = self.connection
        refuse_other_beginning(sql)  # EXPLAIN takes more than SELECT
        check_words(sql, self.functions)
        connection.execute("BEGIN READ WRITE" if tables else "BEGIN READ ONLY")
        connection.execute(compose.SQL(f"SET LOCAL statement_timeout = {max(1, round(limits.seconds * 1000))}"))
        for name, table in tables.items():
            self._create(name, table)
        if tables:
            connection.execute("SET TRANSACTION READ ONLY")
        known = self.catalog.tables.keys() | {name.lower() for name in tables}
        # `binary` makes it the extended protocol, in which PostgreSQL takes one command at a time.
        plan = connection.execute(
            compose.SQL(f"EXPLAIN (VERBOSE, COSTS OFF, FORMAT JSON) {sql}"), values, binary=True
        ).fetchall()
        check_plan(plan[0][0], frozenset(known))
        connection.execute(compose.SQL(f"DECLARE answer NO SCROLL CURSOR FOR {sql}"), values, binary=True)
        rows: list[tuple[Any, ...]] = []
        held, names = 0, None
        while names is None or len(rows) <= limits.rows:
            cursor = connection.execute(compose.SQL(f"FETCH {batch_rows(len(rows), held, limits.rows)} FROM answer"))
            names = [column.name for column in cursor.description or ()]
            batch = cursor.fetchall()
            if not batch:
                break
            rows.extend(batch)
            held += rough_bytes(batch)
            if held > limits.memory_mb * 2**20:
                raise too_much_memory(limits.memory_mb)
        columns = list(zip(*rows, strict=True)) if rows else [()] * len(names)
        return pa.table([array_of(each) for each in columns], names=names)

    def _create(self, name: str, table: pa.Table) -> None:
        """One temporary relation; it goes with the transaction."""
        declared = compose.SQL(", ").join(
            compose.SQL("{} {}").format(compose.Identifier(field.name.lower()), compose.SQL(_type(field.type)))
            for field in table.schema
        )
        place = compose.Identifier("pg_temp", name.lower())
        self.connection.execute(compose.SQL("CREATE TEMP TABLE {} ({}) ON COMMIT DROP").format(place, declared))
        cursor = self.connection.cursor()
        with cursor.copy(compose.SQL("COPY {} FROM STDIN").format(place)) as copy:
            for batch in table.to_batches(COPIED_ROWS):
                for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                    copy.write_row([_stored(value) for value in row])
        self.connection.execute(compose.SQL("ANALYZE {}").format(place))


def no_connection(url: str) -> RecordError:
    """The one error for a server that does not answer or lets nobody in; it repeats nothing that the server said."""
    return RecordError(
        "no-connection", shown(url), "no connection to this database", "a server that answers and lets this user in",
        "passwords come from PGPASSFILE or PGPASSWORD",
    )  # fmt: skip


def refuse_password(url: str) -> None:
    """Nothing, when a URL holds no password.

    Raises:
        RecordError: It does; the URL is not repeated.
    """
    try:
        has_password = bool(psycopg.conninfo.conninfo_to_dict(url).get("password"))
    except psycopg.Error:
        raise RecordError("bad-url", "target", "is no URL of PostgreSQL", "postgresql://user@host/database") from None
    if has_password:
        raise RecordError(
            "password-in-url", "target", "its URL holds a password, which others can read", "a URL without one",
            "put it into PGPASSFILE (~/.pgpass) or PGPASSWORD",
        )  # fmt: skip


def numbered(sql: str, parameters: Mapping[str, Any]) -> tuple[str, list[Any]]:
    """`%(name)s` as PostgreSQL's own `$1`; a per cent sign elsewhere is a per cent sign.

    Raises:
        QueryError: A parameter has no value.
    """
    order: list[str] = []

    def number(found: re.Match[str]) -> str:
        if found["kept"] is not None:
            return found["kept"]
        if found["name"] not in parameters:
            raise QueryError("bad-parameter", f"parameter {found['name']}", "has no value", "a value for each %(name)s")
        if found["name"] not in order:
            order.append(found["name"])
        return f"${order.index(found['name']) + 1}"

    text = _PLACEHOLDER.sub(number, sql)
    return text, [parameters[name] for name in order]


def check_words(sql: str, functions: frozenset[str]) -> None:
    """Nothing, when a query calls none of these functions; before it is planned, which already runs some of them.

    Raises:
        QueryError: It does, or is written so that its words cannot be read by themselves: comments, escapes.
    """
    tokens = [(found.lastgroup, found[0]) for found in _TOKENS.finditer(sql)]
    before = ""
    for (kind, token), (_, following) in zip(tokens, [*tokens[1:], (None, "")], strict=True):
        if kind == "strange":
            raise refused("holds a comment, an escaped name or a dollar quote")
        name = token.strip('"') if kind == "quoted" else token.lower()
        if kind in ("word", "quoted") and following == "(" and name in functions:
            raise refused(f"calls {name.lower()}()")
        if kind in ("word", "quoted") and name in NAMING_TYPES and before in ("::", "as", "."):
            raise refused("casts to a type that is not of the record")
        before = token.lower()


def check_plan(plan: Any, tables: frozenset[str]) -> None:
    """Nothing, when PostgreSQL's own plan of a query reads known tables by known functions only.

    Raises:
        QueryError: It does not.
    """
    for node in _nodes(plan):
        kind = node.get("Node Type")
        if kind is not None and kind not in NODES:
            raise refused("runs without bound (WITH RECURSIVE)" if kind == "Recursive Union" else f"needs a {kind}")
        if "Relation Name" in node:
            schema = str(node.get("Schema", ""))
            if node["Relation Name"] not in tables or not (schema == POSTGRES_SCHEMA or schema.startswith("pg_temp")):
                raise refused("reads a table that is not of the record")
        for part, value in node.items():
            if part not in NAMES:
                for text in [value] if isinstance(value, str) else value if isinstance(value, list) else ():
                    if isinstance(text, str):
                        check_expression(text)


def _nodes(plan: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(plan, list):
        for each in plan:
            yield from _nodes(each)
    elif isinstance(plan, dict):
        yield plan
        for each in plan.values():
            if isinstance(each, list | dict):
                yield from _nodes(each)


def check_expression(text: str) -> None:
    """Nothing, when an expression in PostgreSQL's own words calls known functions and casts to known types.

    Raises:
        QueryError: It does not.
    """
    tokens = [(found.lastgroup, found[0]) for found in _TOKENS.finditer(text)]
    for number, (kind, token) in enumerate(tokens):
        following = tokens[number + 1][1] if number + 1 < len(tokens) else ""
        before = tokens[number - 1][1] if number else ""
        if kind == "word" and token in CLOCK_AND_USER and before != ".":
            raise refused("asks for the clock or for who runs it")
        if kind == "cast" and following.strip('"').lower() not in TYPES:
            raise refused("casts to a type that is not of the record")
        if kind in ("word", "quoted") and following == "(":
            name = token.strip('"')
            after_cast = before == "::"  # numeric(10,2)
            if before == "." or not (after_cast or name in POSTGRES_FUNCTIONS or (kind == "word" and name in WORDS)):
                raise refused(f"calls {name.lower()}()")


def told(error: psycopg.Error, limits: Limits) -> QueryError:
    """PostgreSQL's error without the values that some of its messages repeat."""
    state = error.sqlstate or ""
    if state == "57014":
        return too_slow(limits.seconds)
    if state in ("25006", "42501"):
        return refused("is not allowed to this user: it writes, or reads what is not of the record")
    if state.startswith("53"):
        return QueryError("too-much-memory", "query", "needs more memory or room than the server gives")
    if state.startswith(("42", "0A", "54")):
        said = error.diag.message_primary or "cannot be run"
        return QueryError("bad-query", "query", f"PostgreSQL says: {said}", "one SELECT that PostgreSQL runs")
    if not state or state.startswith(("08", "57P")):
        return QueryError("engine-died", "query", "the connection to the server was lost", hint="try again")
    kind = type(error).__name__
    return QueryError("failed", "query", f"fails on the record's values ({kind})", "one that suits them all")


def _type(kind: pa.DataType) -> LiteralString:
    if pa.types.is_integer(kind):
        return "bigint"
    if pa.types.is_boolean(kind):
        return "boolean"
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return "double precision"
    if pa.types.is_timestamp(kind):
        return "timestamp"
    return "date" if pa.types.is_date(kind) else "text"


def _stored(value: Any) -> Any:
    return value if isinstance(value, bool) else render_value(value)

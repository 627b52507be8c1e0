"""SQLite's time functions with their modifiers, in the functions of other engines.

    datetime(charttime, 'start of month', '-1 month')      SQLite
    DATE_TRUNC('month', charttime) - INTERVAL '1' MONTH    DuckDB

A month too short for the day runs over into the next: 31 January and a month are 3 March, or 2 March in a leap year.
Calls of constants are worked out here, by SQLite itself.

Source: https://sqlite.org/lang_datefunc.html.
"""

from __future__ import annotations

import re
import sqlite3

from sqlglot import exp

from chartsight.errors import QueryError
from chartsight.neuralsql.kinds import WHOLE_FORMATS, kind_of, with_kind
from chartsight.neuralsql.native import literal, native, to_number, to_text
from chartsight.neuralsql.rewrites.base import DATE_FUNCTIONS, EngineName, Settings, call_name, deepest_first

_SHIFT = re.compile(r"\s*([-+]?\d+(?:\.\d+)?)\s+(second|minute|hour|day|month|year)s?\s*", re.IGNORECASE)
_START = re.compile(r"\s*start of (day|month|year)\s*", re.IGNORECASE)
_WEEKDAY = re.compile(r"\s*weekday ([0-6])\s*", re.IGNORECASE)
_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "month": 30 * 86400, "year": 365 * 86400}
_EPOCH_MS = 210866760000000  # milliseconds from the start of Julian days to 1970
_TEXT_TIME = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([ T][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?)?$"
# strftime's letters: DuckDB's own, then PostgreSQL's to_char.
_LETTERS = {
    "Y": ("%Y", "YYYY"), "m": ("%m", "MM"), "d": ("%d", "DD"),
    "H": ("%H", "HH24"), "M": ("%M", "MI"), "S": ("%S", "SS"),
}  # fmt: skip


def translate_dates(tree: exp.Query, settings: Settings, engine: EngineName) -> exp.Query:
    """date, time, datetime, julianday and strftime as the engine has them.

    Raises:
        QueryError: A modifier or a format is no constant, or depends on the place or the clock of the machine.
    """
    for call in deepest_first(tree, exp.Anonymous):
        name = call_name(call)
        if name in DATE_FUNCTIONS:
            call.replace(_translate(name, list(call.expressions), engine))
    return tree


def _translate(name: str, arguments: list[exp.Expression], engine: EngineName) -> exp.Expression:
    if all(isinstance(each, exp.Literal) and "native" not in each.meta for each in arguments):
        return _fold(name, arguments, engine)
    pattern = ""
    if name == "strftime":
        if not arguments[0].is_string:
            raise _wrong("the format of strftime is computed", "a constant")
        pattern = arguments.pop(0).name
    moment, *modifiers = arguments
    time = _as_time(moment, engine)
    is_month_start = False
    for modifier in modifiers:
        if not modifier.is_string:
            raise _wrong("a time modifier is computed", "a constant such as '-1 month'")
        time, is_month_start = _modify(time, modifier.name, is_month_start, engine)
    if name == "datetime":
        return with_kind(time, "time")
    if name == "julianday":
        return _julian_day(time, engine)
    return _format({"date": "%Y-%m-%d", "time": "%H:%M:%S"}.get(name, pattern), time, engine)


def _fold(name: str, arguments: list[exp.Expression], engine: EngineName) -> exp.Expression:
    """The constant that SQLite makes of a call; its text is a time when it is one of datetime."""
    connection = sqlite3.connect(":memory:")
    try:
        values = [each.name if each.is_string else float(each.name) for each in arguments]
        (value,) = connection.execute(f"SELECT {name}({', '.join('?' * len(values))})", values).fetchone()
    finally:
        connection.close()
    if value is None:
        return exp.Null()
    if isinstance(value, float):
        return exp.Literal.number(repr(value))
    if name == "strftime" and arguments[0].name == "%J":
        text = literal(value)
        text.meta["number"] = native(engine, f"CAST({value} AS DOUBLE PRECISION)", "real")
        return text
    text = exp.Literal.string(value)
    if name == "strftime" and arguments[0].name in WHOLE_FORMATS:
        text.meta["number"] = exp.Literal.number(int(value))
    return text


def _as_time(node: exp.Expression, engine: EngineName) -> exp.Expression:
    """The first argument as the engine's own time; null when it is none."""
    kind = kind_of(node)
    if kind == "time" or kind == "null":
        return node
    if kind == "date":
        return native(engine, "CAST(__x AS TIMESTAMP)", "time", x=node)
    if kind == "text":
        if node.is_string:
            folded = _fold("datetime", [exp.Literal.string(node.name)], engine)
            return native(engine, "CAST(__x AS TIMESTAMP)", "time", x=folded)
        # A day of the month up to 31 is taken in every month, and runs over.
        time = """MAKE_DATE(CAST(SUBSTRING(__x, 1, 4) AS INT), CAST(SUBSTRING(__x, 6, 2) AS INT), 1)
            + INTERVAL '1' DAY * (CAST(SUBSTRING(__x, 9, 2) AS INT) - 1)
            + CAST(COALESCE(NULLIF(SUBSTRING(__x, 12, 8), ''), '00:00') AS INTERVAL)"""
        if engine == "duckdb":
            time = time.replace(", '00:00')", ", '00:00:00')").replace(
                "NULLIF(SUBSTRING(__x, 12, 8), '')",
                "NULLIF(SUBSTRING(__x || CASE LENGTH(__x) WHEN 16 THEN ':00' ELSE '' END, 12, 8), '')",
            )
        fits = _is_time_text(node, engine)
        return native(engine, f"CASE WHEN __fits THEN {time} END", "time", x=node, fits=fits)
    ms = native(engine, f"CAST(ROUND(__x * 86400000) AS BIGINT) - {_EPOCH_MS}", "int", x=to_number(node, engine))
    if engine == "duckdb":
        return native(engine, "MAKE_TIMESTAMP(__x * 1000)", "time", x=ms)
    return native(engine, "TIMESTAMP '1970-01-01 00:00:00' + __x * INTERVAL '0.001 SECOND'", "time", x=ms)


def _is_time_text(node: exp.Expression, engine: EngineName) -> exp.Expression:
    if engine == "duckdb":
        matched = f"REGEXP_MATCHES(__x, '{_TEXT_TIME}')"
    else:
        matched = f"__x ~ '{_TEXT_TIME}'"
    ranges = "SUBSTRING(__x, 6, 2) BETWEEN '01' AND '12' AND SUBSTRING(__x, 9, 2) BETWEEN '01' AND '31'"
    clock = "SUBSTRING(__x, 12, 2) <= '24' AND SUBSTRING(__x, 15, 2) < '60' AND SUBSTRING(__x, 18, 2) < '60'"
    return native(engine, f"{matched} AND {ranges} AND {clock}", "bool", x=node)


def _modify(
    time: exp.Expression, modifier: str, is_month_start: bool, engine: EngineName
) -> tuple[exp.Expression, bool]:
    """`time` after one modifier, and whether it is now the start of a month."""
    if found := _START.fullmatch(modifier):
        unit = found[1].lower()
        return native(engine, f"DATE_TRUNC('{unit}', __x)", "time", x=time), is_month_start or unit != "day"
    if found := _WEEKDAY.fullmatch(modifier):
        ahead = f"(7 + {found[1]} - CAST(EXTRACT(DOW FROM __x) AS INT)) % 7"
        return native(engine, f"__x + INTERVAL '1' DAY * ({ahead})", "time", x=time), False
    found = _SHIFT.fullmatch(modifier)
    if not found:
        raise _wrong("a time modifier is unknown here", "'-1 month', 'start of year', 'weekday 0', ...")
    number, unit = float(found[1]), found[2].lower()
    if unit in ("month", "year"):
        months = int(number) * (12 if unit == "year" else 1)
        rest = (number - int(number)) * _SECONDS[unit]
        if months:
            shifted = "__x" if is_month_start else "DATE_TRUNC('month', __x)"
            shifted += f" {_sign(months)} INTERVAL '{abs(months)}' MONTH"
            if not is_month_start:
                shifted += " + (__x - DATE_TRUNC('month', __x))"
            time = native(engine, shifted, "time", x=time)
        return _add_seconds(time, rest, engine), is_month_start and not rest
    seconds = number * _SECONDS[unit]
    return _add_seconds(time, seconds, engine), is_month_start and not seconds


def _add_seconds(time: exp.Expression, seconds: float, engine: EngineName) -> exp.Expression:
    """Whole days, then what is left in milliseconds, which is as fine as SQLite's time is."""
    days, ms = divmod(round(abs(seconds) * 1000), 86_400_000)
    sign = _sign(seconds)
    if days:
        time = native(engine, f"__x {sign} INTERVAL '{days}' DAY", "time", x=time)
    if ms:
        time = native(engine, f"DATE_TRUNC('second', __x {sign} INTERVAL '{ms}' MILLISECOND)", "time", x=time)
    return time


def _sign(number: float) -> str:
    return "-" if number < 0 else "+"


def _julian_day(time: exp.Expression, engine: EngineName) -> exp.Expression:
    ms = "EPOCH_MS(__x)" if engine == "duckdb" else "CAST(EXTRACT(EPOCH FROM __x) * 1000 AS BIGINT)"
    return native(engine, f"CAST({ms} + {_EPOCH_MS} AS DOUBLE PRECISION) / 86400000", "real", x=time)


def _format(pattern: str, time: exp.Expression, engine: EngineName) -> exp.Expression:
    """strftime: the pieces that the engine can write at once, joined with those that it cannot.

    Raises:
        QueryError: A letter that SQLite 3.40 does not know.
    """
    pieces: list[exp.Expression] = []
    run = ""

    def close() -> None:
        nonlocal run
        if run and "\0" in run:
            function = "STRFTIME" if engine == "duckdb" else "TO_CHAR"
            pieces.append(native(engine, f"{function}(__x, __f)", "text", x=time, f=literal(run.replace("\0", ""))))
        elif run:
            pieces.append(literal(run.replace("%%", "%") if engine == "duckdb" else run.replace('"', "")))
        run = ""

    for text in re.findall(r"%.?|[^%]+", pattern, re.DOTALL):
        letter = text[1:] if text.startswith("%") else ""
        if letter in _LETTERS and letter:
            run += "\0" + _LETTERS[letter][engine == "postgres"]
        elif not text.startswith("%") or letter == "%":
            words = "%" if letter == "%" else text
            if engine == "duckdb":
                run += words.replace("%", "%%")
            else:
                run += '"' + words.replace('"', '\\"') + '"' if re.search(r"[A-Za-z\"\\]", words) else words
        else:
            close()
            pieces.append(_piece(letter, time, engine))
    close()
    if not pieces:
        return literal("")
    node = pieces[0]
    for piece in pieces[1:]:
        node = native(engine, "__a || __b", "text", a=node, b=piece)
    if pattern == "%J":
        day = _julian_day(time, engine)
        if engine == "duckdb":
            number = native(engine, "CAST(PRINTF('%.9f', __x) AS DOUBLE)", "real", x=day)
        else:
            number = native(
                engine, "CAST(ROUND(CAST(CAST(__x AS TEXT) AS DECIMAL), 9) AS DOUBLE PRECISION)", "real", x=day
            )
        node.meta["number"] = number
    elif pattern in WHOLE_FORMATS:
        node.meta["number"] = native(engine, "CAST(__x AS BIGINT)", "int", x=node)
    return with_kind(node, "text")


def _piece(letter: str, time: exp.Expression, engine: EngineName) -> exp.Expression:
    if letter == "J":  # 16 digits, and no zeros at their end
        day = _julian_day(time, engine)
        if engine == "duckdb":
            return native(engine, "REGEXP_REPLACE(PRINTF('%.9f', __x), '\\.?0+$', '')", "text", x=day)
        text = "CAST(TRIM_SCALE(ROUND(CAST(CAST(__x AS TEXT) AS DECIMAL), 9)) AS TEXT)"
        return native(engine, text, "text", x=day)
    if letter == "s":
        seconds = "EPOCH(__x)" if engine == "duckdb" else "EXTRACT(EPOCH FROM __x)"
        return native(engine, f"CAST(CAST(FLOOR({seconds}) AS BIGINT) AS TEXT)", "text", x=time)
    if letter == "w":
        return native(engine, "CAST(CAST(EXTRACT(DOW FROM __x) AS INT) AS TEXT)", "text", x=time)
    if letter == "W":
        week = "(CAST(EXTRACT(DOY FROM __x) AS INT) + 6 - (CAST(EXTRACT(DOW FROM __x) AS INT) + 6) % 7)"
        whole = "//" if engine == "duckdb" else "/"
        return native(engine, f"LPAD(CAST({week} {whole} 7 AS TEXT), 2, '0')", "text", x=time)
    if letter == "f":
        milliseconds = ("%S.%g", "SS.MS")[engine == "postgres"]
        return to_text(
            native(engine, f"{('STRFTIME', 'TO_CHAR')[engine == 'postgres']}(__x, '{milliseconds}')", "text", x=time),
            engine,
        )
    raise _wrong(f"strftime's %{letter} is unknown", "%Y %m %d %H %M %S %f %J %s %w %W %%")


def _wrong(found: str, expected: str) -> QueryError:
    return QueryError("bad-time", "query", found, expected)

"""SQLite's other functions by the names, and with the nulls, of the other engines."""

from __future__ import annotations

import string

from sqlglot import exp

from chartsight.errors import QueryError
from chartsight.neuralsql.kinds import Kind, kind_of
from chartsight.neuralsql.native import native, to_number, to_real, to_text, to_truth
from chartsight.neuralsql.rewrites.base import EngineName, Settings, call_name, deepest_first
from chartsight.neuralsql.rewrites.like import lower_ascii

_RANKS = frozenset(
    {"row_number", "rank", "dense_rank", "ntile", "percent_rank", "cume_dist", "lag", "lead", "first_value"}
)


def as_kind(node: exp.Expression, kind: Kind, engine: EngineName) -> exp.Expression:
    """`node` as a value of `kind`, one that `common_kind` gave."""
    found = kind_of(node)
    if found in (kind, "null"):
        return node
    if kind == "text":
        return to_text(node, engine)
    return to_real(node, engine) if kind == "real" else to_number(node, engine)


def translate_functions(tree: exp.Query, settings: Settings, engine: EngineName) -> exp.Query:
    """Calls as the engine has them; what it shares with SQLite stays.

    Raises:
        QueryError: A function that is unknown, or whose answer depends on the order of rows.
    """
    for node in deepest_first(
        tree,
        exp.Anonymous,
        exp.Sum,
        exp.Avg,
        exp.Min,
        exp.Max,
        exp.Greatest,
        exp.Least,
        exp.Coalesce,
        exp.Case,
        exp.Cast,
    ):
        kind = kind_of(node)
        if isinstance(node, exp.Anonymous):
            translated = _call(call_name(node), list(node.expressions), kind, engine)
            if translated is not None:
                node.replace(translated)
        elif isinstance(node, exp.Sum):
            _sum(node, kind, engine)
        elif isinstance(node, exp.Avg):
            _set_argument(node, to_real(_argument(node), engine))
        elif isinstance(node, (exp.Min, exp.Max)):
            if kind_of(node.this) == "bool":
                _set_argument(node, to_number(_argument(node), engine))
        elif isinstance(node, (exp.Greatest, exp.Least)):
            node.replace(_extreme(node, kind, engine))
        elif isinstance(node, exp.Coalesce):
            node.set("this", as_kind(node.this, kind, engine))
            node.set("expressions", [as_kind(each, kind, engine) for each in node.expressions])
        elif isinstance(node, exp.Case):
            for branch in node.args["ifs"]:
                branch.set("true", as_kind(branch.args["true"], kind, engine))
            if node.args.get("default") is not None:
                node.set("default", as_kind(node.args["default"], kind, engine))
        else:
            node.replace(_cast(node, kind, engine))
    return tree


def _argument(node: exp.Expression) -> exp.Expression:
    inner = node.this
    return inner.expressions[0] if isinstance(inner, exp.Distinct) else inner


def _set_argument(node: exp.Expression, value: exp.Expression) -> None:
    if isinstance(node.this, exp.Distinct):
        node.this.set("expressions", [value])
    else:
        node.set("this", value)


def _sum(node: exp.Sum, kind: Kind, engine: EngineName) -> None:
    """Sums of whole numbers in 64 bits; PostgreSQL would make decimals, DuckDB 128 bits, of them."""
    if kind != "int":
        _set_argument(node, to_real(_argument(node), engine))
        return
    _set_argument(node, to_number(_argument(node), engine))
    whole = node.parent if isinstance(node.parent, exp.Window) else node
    wrapped = exp.Cast(this=whole.copy(), to=exp.DataType.build("bigint"))
    for inner in wrapped.find_all(exp.Sum):
        inner.meta["native"] = True
    wrapped.meta.update(native=True, kind="int")
    whole.replace(wrapped)


def _extreme(node: exp.Expression, kind: Kind, engine: EngineName) -> exp.Expression:
    """max(a, b) is null when one of them is; GREATEST is not."""
    name = "GREATEST" if isinstance(node, exp.Greatest) else "LEAST"
    values = [as_kind(each, kind, engine) for each in (node.this, *node.expressions)]
    names = [f"__v{place}" for place in range(len(values))]
    known = " AND ".join(f"NOT {each} IS NULL" for each in names)
    return native(
        engine, f"CASE WHEN {known} THEN {name}({', '.join(names)}) END", kind,
        **{each[2:]: value for each, value in zip(names, values, strict=True)},
    )  # fmt: skip


def _cast(node: exp.Cast, kind: Kind, engine: EngineName) -> exp.Expression:
    if kind == "text":
        return to_text(node.this, engine)
    if kind == "int" and kind_of(node.this) == "text":  # the digits ahead: '1e3' is 1
        ahead = "'^\\s*[-+]?[0-9]+'"
        found = f"REGEXP_EXTRACT(__x, {ahead})" if engine == "duckdb" else f"SUBSTRING(__x FROM {ahead})"
        whole = f"{'TRY_CAST' if engine == 'duckdb' else 'CAST'}({found} AS BIGINT)"
        return native(engine, f"COALESCE({whole}, CASE WHEN NOT __x IS NULL THEN 0 END)", "int", x=node.this)
    number = to_number(node.this, engine)
    if kind == "int":  # towards zero
        if kind_of(number) == "int":
            return number
        return native(engine, "CAST(TRUNC(CAST(__x AS DOUBLE PRECISION)) AS BIGINT)", "int", x=number)
    return to_real(number, engine)


def _call(name: str, arguments: list[exp.Expression], kind: Kind, engine: EngineName) -> exp.Expression | None:
    """The call in the engine's SQL; None when it stays."""
    if name in _RANKS:
        return None
    if name == "func_vqa":
        raise QueryError("unplanned-look", "query", "FUNC_VQA stands where no answer is", "a planned query")
    pieces = {f"v{place}": argument for place, argument in enumerate(arguments)}

    def made(text: str, of: Kind = kind, **more: exp.Expression) -> exp.Expression:
        return native(engine, text, of, **{**pieces, **more})

    def texts(*places: int) -> None:
        for place in places:
            pieces[f"v{place}"] = to_text(arguments[place], engine)

    def whole(place: int) -> None:
        number = to_number(arguments[place], engine)
        pieces[f"v{place}"] = (
            number if kind_of(number) == "int" else native(engine, "CAST(__x AS INT)", "int", x=number)
        )

    count = len(arguments)
    if name == "ifnull" and count == 2:
        return made(
            "COALESCE(__v0, __v1)", v0=as_kind(arguments[0], kind, engine), v1=as_kind(arguments[1], kind, engine)
        )
    if name == "nullif" and count == 2:
        return made(
            "NULLIF(__v0, __v1)", v0=as_kind(arguments[0], kind, engine), v1=as_kind(arguments[1], kind, engine)
        )
    if name == "iif" and count == 3:
        return made(
            "CASE WHEN __v0 THEN __v1 ELSE __v2 END", v0=to_truth(arguments[0], engine),
            v1=as_kind(arguments[1], kind, engine), v2=as_kind(arguments[2], kind, engine),
        )  # fmt: skip
    if name in ("abs", "sign") and count == 1:
        number = to_number(arguments[0], engine)
        return native(engine, f"{name.upper()}(__x)", "int" if kind_of(number) == "int" else "real", x=number)
    if name == "round" and count in (1, 2):
        return _round(to_real(arguments[0], engine), arguments[1:], engine)
    if name == "total" and count == 1:
        return native(engine, "COALESCE(SUM(__x), 0)", "real", x=to_real(arguments[0], engine))
    if name == "length" and count == 1:
        texts(0)
        return made("LENGTH(__v0)")
    if name in ("lower", "upper") and count == 1:
        lowered = lower_ascii(to_text(arguments[0], engine), engine)
        if name == "upper":
            text = f"TRANSLATE(__v0, '{string.ascii_lowercase}', '{string.ascii_uppercase}')"
            return made(text, v0=to_text(arguments[0], engine))
        return lowered
    if name in ("trim", "ltrim", "rtrim") and count in (1, 2):
        texts(*range(count))
        function = {"trim": "BTRIM" if engine == "postgres" else "TRIM"}.get(name, name.upper())
        return made(f"{function}(__v0, __v1)" if count == 2 else f"{function}(__v0, ' ')")
    if name == "replace" and count == 3:
        texts(0, 1, 2)
        return made("REPLACE(__v0, __v1, __v2)")
    if name == "instr" and count == 2:
        texts(0, 1)
        return made("STRPOS(__v0, __v1)")
    if name in ("substr", "substring") and count in (2, 3):
        start, length = arguments[1], arguments[2] if count == 3 else None
        if not (start.is_int and int(start.name) > 0) or not (length is None or length.is_int):
            raise QueryError("bad-substr", "query", "a part of a text is computed", "substr(text, 1, 4)")
        texts(0)
        return made("SUBSTR(__v0, __v1, __v2)" if count == 3 else "SUBSTR(__v0, __v1)")
    if name in ("group_concat", "last_value", "nth_value"):
        raise QueryError("no-order", "query", f"{name} depends on the order of rows", "an aggregate that does not")
    raise QueryError("unknown-function", "query", f"`{name}` is unknown here", "a function of docs/neuralsql.md")


def _round(value: exp.Expression, digits: list[exp.Expression], engine: EngineName) -> exp.Expression:
    """Half away from zero, of the value as it is written with 15 digits."""
    if digits and not digits[0].is_int:
        raise QueryError("bad-round", "query", "the digits of round are computed", "a constant")
    places = int(digits[0].name) if digits else 0
    if engine == "postgres":
        return native(engine, f"CAST(ROUND(CAST(__x AS DECIMAL), {places}) AS DOUBLE PRECISION)", "real", x=value)
    return native(engine, f"ROUND(__x, {places})", "real", x=value)

"""`chartsight sql`: a query on a record, its cost beforehand, its rows, and what they rest on.

answer = answer_query(Path("record.duckdb"), "SELECT count(*) FROM tb_cxr AS c WHERE FUNC_VQA(...)", QueryConfig())
answer.result.rows, answer.evidence
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from chartsight.errors import QueryError
from chartsight.neuralsql import Settings, prepare
from chartsight.neuralsql.check import check
from chartsight.neuralsql.counts import Corrected, Validation, correct_count, count_of
from chartsight.neuralsql.engine_rows import EngineRows
from chartsight.neuralsql.engines import Limits, OpenEngine, open_engine
from chartsight.neuralsql.evidence import EvidenceRow, evidence_rows
from chartsight.neuralsql.explain import Explanation, explain
from chartsight.neuralsql.looks import Grammar
from chartsight.neuralsql.plan import Plan, plan
from chartsight.neuralsql.run import BATCH, Progress, QueryResult, run_query
from chartsight.query.models import open_visual_model
from chartsight.schema import VITAL_RANGES, VisualModel

if TYPE_CHECKING:
    import pyarrow as pa

USE_LINE = "Research use only. Not a medical device. Not for clinical use."
SYNTHETIC_LINE = (
    "Films and tables do not belong to the same real patients: no clinical association may be read from this."
)
UNKNOWN_PAIRING = "unknown"
EVERY_QUESTION = "*"  # of a file of validations: questions that it does not name


@dataclass(frozen=True)
class QueryConfig:
    """How a query is answered.

    Args:
        mode: `stable`, or `published` (SQLite, rows as they happen to lie).
        model: `labels`, a shipped model, a model folder, or a training run.
        budget: Most looks made; None for any number.
        batch: Most looks asked at once.
        now: current_time; None takes the latest film or admission of the record.
        answers: The store of looks; None for the user's own.
        validation: JSON of what is known of the model's errors: question (or `*`) → the four counts of `Validation`.
        device: cpu, cuda, ...
        films: The DuckDB record with the films and labels, when the query runs on a copy of it.
        limits: Of each of the planner's queries.
    """

    mode: Literal["stable", "published"] = "stable"
    model: str = "labels"
    budget: int | None = None
    batch: int = BATCH
    now: str | None = None
    answers: Path | None = None
    validation: Path | None = None
    device: str | None = None
    films: Path | None = None
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class QueryAnswer:
    """An answer and everything that a reader needs to judge it.

    Args:
        text: The query as it was asked.
        result: Rows, bounds, looks.
        evidence: One row a look and study.
        corrected: The count corrected for the model's errors; None when the query is no such count.
        explanation: What it was to cost.
        assumptions: In words, such as the time that was taken for now.
        pairing: How the record's films belong to its tables.
        model: Its fingerprint.
    """

    text: str
    result: QueryResult
    evidence: list[EvidenceRow]
    corrected: Corrected | None
    explanation: Explanation
    assumptions: tuple[str, ...]
    pairing: str
    model: str

    def as_dict(self) -> dict[str, Any]:
        """JSON of all of it."""
        result = self.result
        return {
            "query": self.text,
            "columns": result.rows.column_names,
            "rows": table_values(result.rows),
            "exact": result.is_exact,
            "possible_rows": None if result.possible is None else table_values(result.possible),
            "intervals": [asdict(each) for each in result.intervals],
            "no_bound_because": result.reason or None,
            "looks": {"made": result.made, "cached": result.cached, "open": result.open_looks},
            "stopped": result.stopped,
            "seconds": round(result.seconds, 3),
            "cost_beforehand": self.explanation.sentence,
            "corrected": None if self.corrected is None else asdict(self.corrected),
            "assumptions": list(self.assumptions),
            "evidence": [asdict(row) for row in self.evidence],
            "model_fingerprint": self.model,
            "pairing": self.pairing,
            "use": USE_LINE,
        }


def table_values(table: pa.Table) -> list[list[Any]]:
    """Rows of an Arrow table as lists."""
    columns = [table.column(n).to_pylist() for n in range(table.num_columns)]
    return [list(row) for row in zip(*columns, strict=True)]


def answer_query(
    record: str | Path,
    text: str,
    config: QueryConfig | None = None,
    *,
    stream: Callable[[Progress], None] | None = None,
    announce: Callable[[Explanation], None] | None = None,
    quiet: bool = True,
    engine: OpenEngine | None = None,
    visual: tuple[VisualModel, Grammar] | None = None,
) -> QueryAnswer:
    """The answer of a query on a record.

    Args:
        record: `record.duckdb`, or a copy of one: a SQLite file, `postgresql://...`.
        text: NeuralSQL.
        config: The defaults when None.
        stream: Called after every batch of looks.
        announce: Called with the cost before the first look.
        quiet: No progress of films being read.
        engine: Of the record, when it is open already.
        visual: The model of `config` with the grammar of its questions, when it is open already.

    Raises:
        QueryError: The query is refused, or cannot be run.
        RecordError: There is no record.
        CheckpointError: There is no such model.
    """
    config = config or QueryConfig()
    with _opened(record, engine) as opened:
        asked = _Asked(opened, record, text, config, quiet, visual)
        with asked.model() as (model, grammar):
            made = asked.plan(grammar)
            explanation = explain(made, asked.rows, model)
            if announce is not None:
                announce(explanation)
            validation = _validation(config.validation, made)
            what = count_of(made)
            is_label = getattr(model, "evidence_kind", "model") == "label"
            result = run_query(
                made, asked.rows, model, batch=config.batch, budget=config.budget, stream=stream,
                every_look=validation is not None and what is not None and what.counted == "patients",
            )  # fmt: skip
            return QueryAnswer(
                text=text,
                result=result,
                evidence=evidence_rows(result.looks, model, text),
                corrected=None if is_label else correct_count(made, result, validation),
                explanation=explanation,
                assumptions=asked.assumptions,
                pairing=asked.pairing(),
                model=model.fingerprint,
            )


def explain_query(
    record: str | Path,
    text: str,
    config: QueryConfig | None = None,
    *,
    engine: OpenEngine | None = None,
    visual: tuple[VisualModel, Grammar] | None = None,
) -> Explanation:
    """What a query would cost; no look is made. Arguments as for `answer_query`.

    Raises:
        QueryError: As `answer_query`.
    """
    config = config or QueryConfig()
    with _opened(record, engine) as opened:
        asked = _Asked(opened, record, text, config, True, visual)
        with asked.model() as (model, grammar):
            return explain(asked.plan(grammar), asked.rows, model)


def _opened(record: str | Path, engine: OpenEngine | None) -> AbstractContextManager[OpenEngine]:
    """The engine, which its owner closes; or a new one for this query alone."""
    return open_engine(record) if engine is None else nullcontext(engine)


class _NoModel:
    """For queries that look at nothing."""

    fingerprint = "none"

    def answer(self, looks: Any) -> Any:
        """Never called."""
        raise AssertionError("a query without looks looked")


class _Asked:
    """A query on an open record."""

    def __init__(
        self,
        engine: OpenEngine,
        record: str | Path,
        text: str,
        config: QueryConfig,
        quiet: bool,
        visual: tuple[VisualModel, Grammar] | None,
    ) -> None:
        self.visual = visual
        self.engine, self.record, self.text, self.config, self.quiet = engine, record, text, config, quiet
        now = config.now or self._latest()
        self.assumptions = () if config.now else (f"current_time is {now}, the record's latest film or admission",)
        self.settings = Settings(now=now, ranges=VITAL_RANGES, mode=config.mode, tables=engine.catalog.tables)
        self.tree = prepare(text, self.settings)
        check(self.tree, engine.catalog)
        self.rows = EngineRows(engine, self.settings, config.limits)
        if "current_time" not in text.lower():
            self.assumptions = ()

    def plan(self, grammar: Grammar) -> Plan:
        return plan(self.rows.settle(self.tree), self.engine.catalog.tables, grammar)

    def model(self) -> Any:
        from chartsight.neuralsql.looks import is_call, kind_of_question

        if not any(is_call(node) for node in self.tree.walk()):
            return nullcontext((_NoModel(), kind_of_question))
        if self.visual is not None:
            return nullcontext(self.visual)
        return open_visual_model(
            self.config.model,
            self._with_films(),
            answers=self.config.answers,
            device=self.config.device,
            quiet=self.quiet,
        )

    def _with_films(self) -> Path:
        """The record that holds the films.

        Raises:
            QueryError: The query looks, and only a copy is given.
        """
        if self.config.films is not None:
            return self.config.films
        if self.engine.name != "duckdb":
            raise QueryError(
                "films-elsewhere", "FUNC_VQA", f"looks at films, and a copy in {self.engine.name} holds none",
                "the record that it was copied from", "--films record.duckdb",
            )  # fmt: skip
        return Path(self.record)

    def pairing(self) -> str:
        """From the record; of a copy whose record is not given nobody can say, and the stricter is told."""
        from chartsight.records import open_record

        if self.engine.name != "duckdb" and self.config.films is None:
            return UNKNOWN_PAIRING
        with open_record(self._with_films()) as opened:
            return opened.pairing

    def _latest(self) -> str:
        tables = self.engine.catalog.tables
        latest = []
        for table, column in (("tb_cxr", "studydatetime"), ("admissions", "dischtime"), ("admissions", "admittime")):
            if column in tables.get(table, {}):
                found = self.engine.run_sql(f"SELECT max({column}) AS latest FROM {table}")
                latest += [str(each) for each in found["latest"].to_pylist() if each is not None]
        return max(latest, default="2105-12-31 23:59:00")[:19]


def _validation(path: Path | None, made: Plan) -> Validation | None:
    """What is known of the model's errors at the query's question.

    Raises:
        QueryError: The file is missing or not of that form.
    """
    what = count_of(made)
    if path is None or what is None:
        return None
    try:
        stored: Mapping[str, Any] = json.loads(path.read_text("utf-8"))
        found = stored.get(what.call.question, stored.get(EVERY_QUESTION))
        return None if found is None else Validation(**{name: int(value) for name, value in found.items()})
    except FileNotFoundError:
        raise QueryError("missing-file", path, "no such file", "JSON of validation counts") from None
    except (ValueError, TypeError, AttributeError):
        raise QueryError(
            "bad-validation", path, "is not of the form of a file of validations",
            '{"QUESTION or *": {"true_positives": n, "false_negatives": n, "true_negatives": n, "false_positives": n}}',
        ) from None  # fmt: skip


__all__ = ["QueryAnswer", "QueryConfig", "VisualModel", "answer_query", "explain_query", "table_values"]

"""Asks a record in English: translates, looks, answers, and keeps in view what was spoken of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chartsight.assistant.reply import Reply, say_result
from chartsight.neuralsql.engines import OpenEngine, open_engine
from chartsight.neuralsql.explain import Explanation
from chartsight.neuralsql.families import Families, read_families
from chartsight.neuralsql.families.templates import PERIOD_SLOTS
from chartsight.neuralsql.looks import Grammar
from chartsight.neuralsql.run import Progress
from chartsight.query import QueryConfig, answer_query, explain_query, open_visual_model
from chartsight.records import open_record
from chartsight.schema import ATTRIBUTES, GroundedValue, Translation, VisualModel
from chartsight.translate import Conversation, RetrievalTranslator, Translator, Vocabulary, read_vocabulary

if TYPE_CHECKING:
    import pyarrow as pa

LATEST = """
    SELECT subject_id, max(happened) AS latest FROM (
        SELECT subject_id, admittime AS happened FROM admissions UNION ALL
        SELECT subject_id, dischtime AS happened FROM admissions UNION ALL
        SELECT subject_id, studydatetime AS happened FROM tb_cxr
    ) AS events GROUP BY subject_id
"""
# Slots that hold no name of the record.
UNNAMED = {*PERIOD_SLOTS, "window", "patient", "study", "n", "code"}


class Assistant:
    """Answers questions about one record.

    Args:
        record: The record, for looks.
        engine: Of the record, open.
        vocabulary: Of the record.
        config: How queries are answered; its `now`, when None, is the latest event of the patient asked about.
        translator: Retrieval among the known families when None.
        latest: subject_id → the time of the patient's latest event.
    """

    def __init__(
        self,
        record: Path,
        engine: OpenEngine,
        vocabulary: Vocabulary,
        config: QueryConfig | None = None,
        translator: Translator | None = None,
        latest: Mapping[int, str] | None = None,
    ) -> None:
        self.record, self.engine, self.vocabulary = record, engine, vocabulary
        self.config = config or QueryConfig()
        self.translator = translator or RetrievalTranslator(read_families())
        self._latest = latest or {}
        self._opened = ExitStack()
        self._visual: tuple[VisualModel, Grammar] | None = None

    def visual(self) -> tuple[VisualModel, Grammar]:
        """The visual model with the grammar of its questions; opened at the first question that looks."""
        if self._visual is None:
            config = self.config
            self._visual = self._opened.enter_context(
                open_visual_model(config.model, self.record, answers=config.answers, device=config.device)
            )
        return self._visual

    def close(self) -> None:
        """Gives back what was opened for looks; the engine is its owner's."""
        self._opened.close()

    def ask(
        self,
        question: str,
        conversation: Conversation | None = None,
        *,
        explain_only: bool = False,
        announce: Callable[[Explanation], None] | None = None,
        stream: Callable[[Progress], None] | None = None,
    ) -> Reply:
        """The reply to a question.

        Args:
            question: In English.
            conversation: What was said before; the reply carries the next one.
            explain_only: No look is made; the reply says what the answer would cost.
            announce: Called with the cost before the first look.
            stream: Called after every batch of looks.

        Raises:
            QueryError: The record's engine refuses the query, or a limit stops it.
        """
        conversation = conversation or Conversation()
        translation = self.translator.translate(question, self.vocabulary, conversation)
        if translation.program is None:
            refusal = translation.refusal
            assert refusal is not None
            return Reply(
                question, "refused", refusal.message, translation, None, None, translation.assumptions, conversation
            )
        config, assumed = self._at(translation)
        assumptions = (*translation.assumptions, *assumed)
        visual = self.visual() if "func_vqa" in translation.program.lower() else None
        if explain_only:
            cost = explain_query(self.record, translation.program, config, engine=self.engine, visual=visual)
            after = conversation.after(translation, self.vocabulary)
            return Reply(question, "explained", cost.sentence, translation, None, cost, assumptions, after)
        answer = answer_query(
            self.record, translation.program, config, announce=announce, stream=stream, engine=self.engine,
            visual=visual,
        )  # fmt: skip
        state, text = say_result(answer.result, translation.answer_type)
        studies = tuple(dict.fromkeys(row.study_id for row in answer.evidence))
        after = conversation.after(translation, self.vocabulary, studies)
        assumptions = tuple(dict.fromkeys((*assumptions, *answer.assumptions)))
        return Reply(question, state, text, translation, answer, answer.explanation, assumptions, after)

    def _at(self, translation: Translation) -> tuple[QueryConfig, tuple[str, ...]]:
        """With the time that counts as now: what is relative to it is asked of a record that may end long ago."""
        if self.config.now is not None or "current_time" not in (translation.program or "").lower():
            return self.config, ()
        patient = self._patient_of(translation.grounded)
        if patient not in self._latest:
            return self.config, ()
        now = self._latest[patient]
        return replace(self.config, now=now), (f"now is {now}, the latest film or admission of the patient",)

    def _patient_of(self, grounded: tuple[GroundedValue, ...]) -> int:
        """The only patient of a question; -1 when it is about several or none."""
        patients = {int(value.value) for value in grounded if value.kind == "patient"}
        for value in grounded:
            if value.kind == "study" and int(value.value) in self.vocabulary.studies:
                patients.add(self.vocabulary.studies[int(value.value)].subject_id)
        return patients.pop() if len(patients) == 1 else -1


@contextmanager
def open_assistant(record: Path, config: QueryConfig | None = None) -> Iterator[Assistant]:
    """An assistant of the record at `record`, for the length of the block.

    Args:
        record: DuckDB, or a copy of one in SQLite.
        config: How queries are answered.

    Raises:
        RecordError: There is no record.
    """
    families = read_families()
    with open_engine(record) as engine:
        tables = engine.catalog.tables
        vocabulary = read_vocabulary(
            lambda sql: _rows_of(engine.run_sql(sql)), tables, _findings(record, engine),
            choices=families.choices, draws=names_drawn(families) if engine.name == "duckdb" else {},
        )  # fmt: skip
        latest: dict[int, str] = {}
        if {"admissions", "tb_cxr"} <= set(tables):
            latest = {
                int(patient): str(time)[:19] for patient, time in _rows_of(engine.run_sql(LATEST)) if time is not None
            }
        with closing(
            Assistant(Path(record), engine, vocabulary, config, RetrievalTranslator(families), latest)
        ) as assistant:
            yield assistant


def names_drawn(families: Families) -> dict[str, list[str]]:
    """kind → queries that list its names: what the families draw their slots from."""
    drawn: dict[str, dict[str, None]] = {}
    for template in families.templates:
        for slot, kind in template.slots.items() if template.draw else ():
            if kind not in families.choices and kind not in families.looks and kind not in UNNAMED:
                query = f'SELECT DISTINCT "{slot}" FROM ({template.draw}) AS drawn WHERE "{slot}" IS NOT NULL'
                drawn.setdefault(kind, {})[query] = None
    return {kind: list(queries) for kind, queries in drawn.items()}


def _rows_of(table: pa.Table) -> list[tuple[Any, ...]]:
    columns = [table.column(n).to_pylist() for n in range(table.num_columns)]
    return list(zip(*columns, strict=True))


def _findings(record: Path, engine: OpenEngine) -> Mapping[str, str]:
    """attribute → category, with those that the user declared on import."""
    if engine.name != "duckdb":
        return ATTRIBUTES
    with open_record(record) as opened:
        return opened.vocabulary()

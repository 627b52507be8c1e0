"""What a result rests on: one row for every look, in the columns of the contract, as Parquet or JSON.

    look_index  subject_id  study_id  question              state        value  cached
    0           10000032    50414267  is there a nodule?    answered     true   false
    1           10000032    53189527  is there a nodule?    cannot_tell  null   true

A look that compares two studies has a row for each of them under one look_index.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from chartsight.neuralsql.run import LookMade
from chartsight.runs import new_output
from chartsight.schema import Look, VisualModel

if TYPE_CHECKING:
    import pyarrow as pa

EvidenceKind = Literal["model", "label", "report"]


@dataclass(frozen=True)
class EvidenceRow:
    """A study that was looked at, and what came of it.

    Args:
        answer_id: Of the answer that rests on it; the same query and the same looks have the same.
        look_index: From 0, in the order of the looks.
        value: JSON: true, false, a list, or null.
        threshold: Score from which an answer counts as yes; null when the model answers in words.
        region: Where on the film, when the model says so.
        answer_key: Of the store; empty without one.
    """

    answer_id: str
    look_index: int
    subject_id: int | None
    study_id: int
    image_ids: tuple[str, ...]
    question: str
    kind: str
    state: str
    value: str
    score: float | None
    threshold: float | None
    region: str | None
    evidence_kind: EvidenceKind
    cached: bool
    answer_key: str
    model_fingerprint: str


def evidence_rows(looks: Sequence[LookMade], model: VisualModel, query: str) -> list[EvidenceRow]:
    """One row a look and study.

    Args:
        looks: Of a result.
        model: That answered; its `key` and `evidence_kind` are used when it has them.
        query: The text that was asked, for the answer's id.
    """
    key: Callable[[Look], str] = getattr(model, "key", lambda look: "")
    kind: EvidenceKind = getattr(model, "evidence_kind", "model")
    identity = json.dumps([query, model.fingerprint, [[each.look.study_ids, each.look.question] for each in looks]])
    answer_id = hashlib.sha256(identity.encode()).hexdigest()[:16]
    return list(_rows(looks, answer_id, key, kind, model.fingerprint))


def _rows(
    looks: Sequence[LookMade], answer_id: str, key: Callable[[Look], str], kind: EvidenceKind, fingerprint: str
) -> Iterator[EvidenceRow]:
    for index, each in enumerate(looks):
        value = list(each.answer.value) if isinstance(each.answer.value, tuple) else each.answer.value
        for study, image, subject in zip(each.look.study_ids, each.look.image_ids, each.subject_ids, strict=True):
            yield EvidenceRow(
                answer_id=answer_id,
                look_index=index,
                subject_id=subject,
                study_id=study,
                image_ids=(image,),
                question=each.look.question,
                kind=each.look.kind,
                state=each.answer.state,
                value=json.dumps(value, ensure_ascii=False),
                score=each.answer.score,
                threshold=None,
                region=None,
                evidence_kind=kind,
                cached=each.cached,
                answer_key=key(each.look),
                model_fingerprint=fingerprint,
            )


def evidence_schema() -> pa.Schema:
    """The Arrow schema of a file of evidence."""
    import pyarrow as pa

    types = {
        "look_index": pa.int64(), "subject_id": pa.int64(), "study_id": pa.int64(), "image_ids": pa.list_(pa.string()),
        "score": pa.float64(), "threshold": pa.float64(), "cached": pa.bool_(),
    }  # fmt: skip
    return pa.schema([(name, types.get(name, pa.string())) for name in EvidenceRow.__dataclass_fields__])


def write_evidence(rows: Sequence[EvidenceRow], path: Path, *, replace: bool = False) -> None:
    """A file of evidence: `.json` as JSON, anything else as Parquet.

    Raises:
        OutputError: It exists, or cannot be written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    with new_output(path, replace=replace) as partial:
        if path.suffix == ".json":
            partial.write_text(json.dumps([asdict(row) for row in rows], indent=1, ensure_ascii=False) + "\n", "utf-8")
            return
        table = pa.Table.from_pylist([asdict(row) for row in rows], schema=evidence_schema())
        pq.write_table(table, partial, compression="zstd")

"""Stored answers → typed predictions → one Parquet file."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from chartsight.answers import AnswerStore
from chartsight.errors import ChartsightError
from chartsight.evaluation.normaliser import ParsedAnswer, parse_answer
from chartsight.prediction.backends import Identity
from chartsight.prediction.conditions import Asked
from chartsight.questions.answer_text import read_answer, render_answer
from chartsight.questions.list_items import ItemOdds, list_items, read_list
from chartsight.schema import Condition, Prediction, prediction_schema


def seal_predictions(
    path: Path,
    asked: Sequence[Asked],
    store: AnswerStore,
    identity: Identity,
    odds: ItemOdds,
    condition: Condition,
    run_id: str,
) -> None:
    """The Parquet file of all predictions, sorted by question_id."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = []
    for ask in sorted(asked, key=lambda each: each.question.question_id):
        answers = [answer for _, key in ask.put if (answer := store.get(key)) is not None]
        if len(answers) < len(ask.put):
            raise ChartsightError("lost-answer", store.path, f"no answer for {ask.question.question_id}", "one each")
        rows.append(asdict(build_prediction(ask, answers, identity, odds, condition, run_id)))
    pq.write_table(pa.Table.from_pylist(rows, schema=prediction_schema()), path, compression="zstd")


def build_prediction(
    ask: Asked,
    answers: Sequence[Mapping[str, Any]],
    identity: Identity,
    odds: ItemOdds,
    condition: Condition,
    run_id: str,
) -> Prediction:
    """The row of one question from the stored answers to what was put, one or one a part."""
    question = ask.question
    prompt = "\n".join(identity.template.render(text, len(ask.films), ask.turns) for text, _ in ask.put)
    parsed: ParsedAnswer | None = None
    text = ""
    scores: Mapping[str, float] = {}
    error = next((str(answer["error"]) for answer in answers if "error" in answer), None)
    if error is None and ask.parts:
        chances = {put: _chance(answer) for (put, _), answer in zip(ask.parts, answers, strict=True)}
        value, scores = read_list(list_items(question), chances, odds)
        parsed = ParsedAnswer("answered", value)
        text = render_answer(_json(value), "set")
    elif error is None and ask.rule is not None:
        text = str(answers[0]["text"])
        # Nothing else could be said: there is no text that cannot be read.
        parsed = ParsedAnswer("answered", read_answer(text, question.answer_type))
        scores = exact_probabilities(answers[0].get("log_probabilities", {}))
    elif error is None:
        text = str(answers[0]["text"])
        parsed = parse_answer(text, question.answer_type, question.allowed_answers)
        scores = answers[0]["first"] if question.answer_type == "boolean" else {}
    answered = parsed is not None and parsed.outcome == "answered"
    return Prediction(
        question_id=question.question_id,
        run_id=run_id,
        model_fingerprint=identity.fingerprint,
        condition=condition,
        donor_image_ids=ask.donors,
        prompt_sha256=hashlib.sha256(prompt.encode()).hexdigest(),
        raw_text=text,
        value=_json(parsed.value) if parsed is not None and answered else "null",
        outcome="failed" if parsed is None else parsed.outcome,
        scores=json.dumps(scores),
        answer_key=ask.key,
        n_tokens=sum(int(answer.get("n_tokens", 0)) for answer in answers),
        latency_ms=sum(float(answer.get("ms", 0.0)) for answer in answers),
        error=error,
    )


def exact_probabilities(log_probabilities: Mapping[str, float]) -> dict[str, float]:
    """Of each allowed answer, six digits; what is missing to 1 is everything else that could be written."""
    return {answer: float(f"{math.exp(chance):.6g}") for answer, chance in log_probabilities.items()}


def _chance(answer: Mapping[str, Any]) -> float:
    """Of yes among yes and no; even when the model weighs neither."""
    if exact := answer.get("log_probabilities"):
        yes, no = (math.exp(exact.get(word, -math.inf) - max(exact.values())) for word in ("yes", "no"))
    else:
        yes, no = (float(answer["first"].get(word, 0.0)) for word in ("yes", "no"))
    return yes / (yes + no) if yes + no > 0 else 0.5


def _json(value: object) -> str:
    if isinstance(value, frozenset | set | tuple | list):
        return json.dumps(sorted(map(str, value)), ensure_ascii=False)
    return json.dumps(value, ensure_ascii=False)

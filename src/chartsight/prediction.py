"""`chartsight predict`: a model's answers to a question set under a condition, in batches, resumable.

Conditions: `full` (the film), `shuffled` (another patient's film of the same view), `blank` (a uniform grey film),
`question_only` (no film at all in the prompt). A text-only model is asked without the film whatever the condition.

Lists are written by the model, or decided name by name: a yes/no question each, and the odds of what it was fine-tuned
on (`sets="itemwise"`, `questions.list_items`).
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from chartsight.answers import AnswerStore, answer_key
from chartsight.errors import ChartsightError, FilmError, OutputError, QuestionError
from chartsight.evaluation.normaliser import ParsedAnswer, parse_answer
from chartsight.imaging.film_cache import build_film_cache, default_cache_folder
from chartsight.imaging.film_index import FilmIndex, read_film_index
from chartsight.progress import track
from chartsight.questions.answer_text import render_answer
from chartsight.questions.files import film_index_of, read_questions
from chartsight.questions.list_items import ItemOdds, list_items, read_list
from chartsight.runs import Run, check_apart, check_place, make_folder, new_output, read_manifest
from chartsight.schema import Condition, Prediction, Question, prediction_schema, strictest_pairing, strictest_terms

if TYPE_CHECKING:
    from chartsight.vlm.checkpoint import Vlm

OFFERED: tuple[Condition, ...] = ("full", "shuffled", "blank", "question_only")
BLANK_GREY = 118  # about the mean grey of a chest film
BLANK = "blank"  # the donor of a blank film
Sets = Literal["generate", "itemwise"]
SETS: tuple[Sets, ...] = get_args(Sets)
DECODING = "greedy/48"
QUESTIONS_A_BATCH = 512  # answers are synced to disk after so many


@dataclass(frozen=True)
class Asked:
    """A question as it is put under a condition.

    Args:
        question: As stored.
        films: What the model is shown; empty when it is asked without a film.
        donors: Films that stand in for the question's own; empty under `full`.
        key: Of the answer.
        parts: Prompt and key of each yes/no question that decides a list; empty when the model writes it.
    """

    question: Question
    films: tuple[str, ...]
    donors: tuple[str, ...]
    key: str
    parts: tuple[tuple[str, str], ...] = ()

    @property
    def put(self) -> tuple[tuple[str, str], ...]:
        """What the model is really asked, and the key of each answer."""
        return self.parts or ((self.question.asked, self.key),)


def predict_questions(
    model: str | Path,
    questions: Path,
    out: Path,
    *,
    condition: Condition = "full",
    split: str = "test",
    seed: int = 0,
    limit: int | None = None,
    sets: Sets = "generate",
    device: str | None = None,
    quiet: bool = False,
    force: bool = False,
) -> Path:
    """`predictions.parquet` of a model, at `out`.

    Answers are appended to `out` + `.answers.jsonl` while they come; a killed run goes on from there, and a sealed
    file of the same model, questions and condition is left as it is.

    Args:
        model: A shipped name, a model folder or a training run.
        questions: A questions.parquet.
        out: The Parquet file to appear.
        condition: One of `OFFERED`.
        split: train, valid, test or all.
        seed: Of the donors under `shuffled`.
        limit: Only so many questions, spread over the films.
        sets: Lists are written by the model (`generate`), or decided name by name (`itemwise`), where their template
            says how; others are written.
        device: cpu, cuda, ...; the GPU when there is one.
        quiet: No progress bar.
        force: Replace a sealed file of another run.

    Raises:
        QuestionError: Nothing to ask; a condition that is not offered.
        OutputError: `out` holds something else.
        CheckpointError: The model cannot be loaded exactly.
    """
    import torch

    from chartsight.vlm.checkpoint import fingerprint, load_vlm, model_folder

    questions, out = Path(questions), Path(out)
    if condition not in OFFERED:
        raise QuestionError("no-condition", "condition", repr(condition), " or ".join(OFFERED))
    if sets not in SETS:
        raise QuestionError("no-sets", "sets", repr(sets), " or ".join(SETS))
    if limit is not None and limit < 1:
        raise QuestionError("bad-limit", "limit", str(limit), "at least 1")
    if seed < 0:
        raise QuestionError("bad-seed", "seed", str(seed), "0 or more")
    check_apart(out, questions)
    config = {
        "model": fingerprint(model_folder(model)), "questions": hashlib.sha256(questions.read_bytes()).hexdigest()
        if questions.is_file() else None, "condition": condition, "split": split, "seed": seed, "limit": limit,
        "sets": sets,
    }  # fmt: skip
    if out.is_dir():
        raise OutputError("output-exists", out, "is a folder", "a file, such as predictions.parquet")
    store_path = out.with_name(out.name + ".answers.jsonl")
    if out.exists():
        sealed = read_manifest(out)
        if sealed is not None and sealed["config"] == config:
            return out
        # A file without a manifest beside unsealed answers is our own, of a run killed between the two.
        if not force and (sealed is not None or not store_path.exists()):
            raise OutputError(
                "output-exists", out, "holds other predictions", hint="choose another name or pass --force"
            )
    make_folder(out.parent)
    check_place(store_path)
    everything = read_questions(questions)
    chosen = select_questions(everything, split, limit, questions)
    run = Run("predict", config, seed=seed)
    run.read(questions, rows=len(chosen))
    if several := sum(len(each.image_ids) > 1 and split in {each.split, "all"} for each in everything):
        run.drop("question about several films", questions, count=several)
    run.terms = strictest_terms({question.terms for question in chosen})
    run.pairing = strictest_pairing({question.pairing for question in chosen})

    vlm = load_vlm(model, device or ("cuda" if torch.cuda.is_available() else "cpu"))
    index = read_film_index(film_index_of(questions))
    odds = ItemOdds.read(model_folder(model))
    asked = list(put_questions(chosen, condition, index, vlm, seed, sets))
    store = AnswerStore(store_path)
    _answer(vlm, asked, index, store, run, quiet=quiet)
    with new_output(out, replace=out.exists()) as partial:
        _seal(partial, asked, store, vlm, odds, condition, run.run_id)
    run.kept = {"predictions": len(asked)}
    run.write(out)
    store.path.unlink(missing_ok=True)
    return out


def select_questions(questions: Sequence[Question], split: str, limit: int | None, where: Path) -> list[Question]:
    """The questions of a split about one film, at most `limit`, in an order that keeps a film's questions together.

    Raises:
        QuestionError: There is none.
    """
    chosen = [each for each in questions if each.looks_at_one_film and split in {each.split, "all"}]
    if not chosen:
        raise QuestionError(
            "empty-split", where, f"has no question about one film in split {split}", "train, valid, test or all"
        )
    chosen.sort(key=lambda each: each.question_id)
    if limit is not None and limit < len(chosen):
        step = len(chosen) / limit
        chosen = [chosen[int(i * step)] for i in range(limit)]
    return sorted(chosen, key=lambda each: (each.image_ids, each.question_id))


def put_questions(
    questions: Sequence[Question],
    condition: Condition,
    index: FilmIndex,
    vlm: Vlm,
    seed: int,
    sets: Sets = "generate",
) -> Iterator[Asked]:
    """Every question with the films it is shown and the key of its answer.

    Raises:
        QuestionError: A question about several films; under `shuffled`, films of one patient only.
        FilmError: A question about a film that the index lacks.
    """
    image_ids = {image_id for each in questions for image_id in each.image_ids}
    if unknown := sorted(image_ids - index.keys()):
        raise FilmError("unknown-film", index.source, f"lacks {len(unknown)} of the films asked about: {unknown[0]}")
    donors = donor_films(image_ids, index, seed) if condition == "shuffled" else {}
    sees = vlm.card.reads_film and condition != "question_only"
    preprocessing = vlm.card.preprocessing.digest()
    for question in questions:
        if len(question.image_ids) > 1:
            raise QuestionError(
                "many-films", question.question_id, f"{len(question.image_ids)} films", "questions about one film"
            )
        shown = question.image_ids
        if condition == "shuffled":
            shown = tuple(donors[image_id] for image_id in shown)
        elif condition == "blank":
            shown = (BLANK,) * len(shown)
        digests = [BLANK if film == BLANK else index[film].digest for film in shown] if sees else []

        def key_of(text: str, digests: Sequence[str] = digests, films: int = len(shown) if sees else 0) -> str:
            return answer_key(
                image_digests=digests, preprocessing_digest=preprocessing,
                prompt=vlm.prompts.template.render(text, films), model_fingerprint=vlm.fingerprint, decoding=DECODING,
                dtype=str(vlm.model.dtype), back_end="transformers",
            )  # fmt: skip

        items = list_items(question) if sets == "itemwise" else ()
        parts = tuple((ask, key_of(ask)) for ask in sorted({ask for item in items for ask in item.asks}))
        key = hashlib.sha256("".join(each for _, each in parts).encode()).hexdigest() if parts else None
        yield Asked(
            question,
            shown if sees else (),
            shown if shown != question.image_ids else (),
            key or key_of(question.asked),
            parts,
        )


def donor_films(image_ids: set[str], index: FilmIndex, seed: int) -> dict[str, str]:
    """For each film another patient's film of the same view (of any view when there is none), drawn with a seed.

    Raises:
        QuestionError: All films are of one patient.
    """
    ordered = sorted(image_ids)
    by_view: dict[str | None, list[str]] = {}
    for image_id in ordered:
        by_view.setdefault(index[image_id].view_position, []).append(image_id)
    donors = {}
    for position, image_id in enumerate(ordered):
        film = index[image_id]
        same_view = by_view[film.view_position]
        options = [each for each in same_view if index[each].subject_id != film.subject_id]
        options = options or [each for each in ordered if index[each].subject_id != film.subject_id]
        if not options:
            raise QuestionError("one-patient", "condition shuffled", "all films are of one patient", "two patients")
        donors[image_id] = options[int(np.random.default_rng([seed, position]).integers(len(options)))]
    return donors


def _answer(vlm: Vlm, asked: Sequence[Asked], index: FilmIndex, store: AnswerStore, run: Run, *, quiet: bool) -> None:
    """Every answer that the store lacks, put into it."""
    from chartsight.vlm.answering import FilmQuestions, answer_films

    put = {key: (ask.films, text) for ask in asked for text, key in ask.put}
    todo = {key: films_text for key, films_text in put.items() if key not in store}
    shown = sorted({film for shown_films, _ in todo.values() for film in shown_films if film != BLANK})
    preprocessing = vlm.card.preprocessing
    films = build_film_cache(
        index.films(shown), preprocessing.size_px, default_cache_folder(), fill=preprocessing.fill, quiet=quiet
    )
    blank = np.full((preprocessing.size_px,) * 2, BLANK_GREY, dtype=np.uint8)
    failed: Mapping[str, str] = films.failed
    by_film: dict[tuple[str, ...], list[tuple[str, str]]] = {}
    for key, (shown_films, text) in todo.items():
        if bad := [film for film in shown_films if film in failed]:
            run.drop("unreadable film", bad[0], row=failed[bad[0]])
            store.append([(key, {"error": failed[bad[0]]})])
        else:
            by_film.setdefault(shown_films, []).append((text, key))
    batches = list(_batches(sorted(by_film.items())))
    for batch in track(batches, f"answering ({len(todo):,} questions)", quiet=quiet):
        started = time.perf_counter()
        items = [
            FilmQuestions(
                (blank if shown_films[0] == BLANK else films[shown_films[0]]) if shown_films else None,
                tuple(text for text, _ in group),
            )
            for shown_films, group in batch
        ]
        answers = [answer for each in answer_films(vlm, items) for answer in each]
        keys = [key for _, group in batch for _, key in group]
        latency = (time.perf_counter() - started) * 1000 / len(keys)
        store.append(
            (
                key,
                {
                    "text": answer.text,
                    "n_tokens": answer.n_tokens,
                    "first": answer.first_token,
                    "ms": round(latency, 2),
                },
            )
            for key, answer in zip(keys, answers, strict=True)
        )


def _batches(
    groups: Sequence[tuple[tuple[str, ...], list[tuple[str, str]]]],
) -> Iterator[list[tuple[tuple[str, ...], list[tuple[str, str]]]]]:
    batch: list[tuple[tuple[str, ...], list[tuple[str, str]]]] = []
    size = 0
    for films, asks in groups:
        for start in range(0, len(asks), QUESTIONS_A_BATCH):
            part = asks[start : start + QUESTIONS_A_BATCH]
            if batch and size + len(part) > QUESTIONS_A_BATCH:
                yield batch
                batch, size = [], 0
            batch.append((films, part))
            size += len(part)
    if batch:
        yield batch


def build_prediction(
    ask: Asked, answers: Sequence[Mapping[str, Any]], vlm: Vlm, odds: ItemOdds, condition: Condition, run_id: str
) -> Prediction:
    """The row of one question from the stored answers to what was put, one or one a part."""
    question = ask.question
    prompt = "\n".join(vlm.prompts.template.render(text, len(ask.films)) for text, _ in ask.put)
    parsed: ParsedAnswer | None = None
    text = ""
    scores: Mapping[str, float] = {}
    error = next((str(answer["error"]) for answer in answers if "error" in answer), None)
    if error is None and ask.parts:
        chances = {put: _chance(answer) for (put, _), answer in zip(ask.parts, answers, strict=True)}
        value, scores = read_list(list_items(question), chances, odds)
        parsed = ParsedAnswer("answered", value)
        text = render_answer(_json(value), "set")
    elif error is None:
        text = str(answers[0]["text"])
        parsed = parse_answer(text, question.answer_type, question.allowed_answers)
        scores = answers[0]["first"] if question.answer_type == "boolean" else {}
    answered = parsed is not None and parsed.outcome == "answered"
    return Prediction(
        question_id=question.question_id,
        run_id=run_id,
        model_fingerprint=vlm.fingerprint,
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


def _chance(answer: Mapping[str, Any]) -> float:
    """Of yes among yes and no; even when the model weighs neither."""
    yes, no = (float(answer["first"].get(word, 0.0)) for word in ("yes", "no"))
    return yes / (yes + no) if yes + no > 0 else 0.5


def _json(value: object) -> str:
    if isinstance(value, frozenset | set | tuple | list):
        return json.dumps(sorted(map(str, value)), ensure_ascii=False)
    return json.dumps(value, ensure_ascii=False)


def _seal(
    path: Path,
    asked: Sequence[Asked],
    store: AnswerStore,
    vlm: Vlm,
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
        rows.append(asdict(build_prediction(ask, answers, vlm, odds, condition, run_id)))
    pq.write_table(pa.Table.from_pylist(rows, schema=prediction_schema()), path, compression="zstd")

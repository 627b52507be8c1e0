"""Visual models behind a query: a vision-language model with its store, or the labels of the record.

    with open_visual_model("starter-med", Path("record.duckdb")) as model:
        list(model.answer(looks))          # batched by film, each answer stored under the one key

A look asks exactly what `chartsight predict` asks: the same prompt, film and key; one's answers are the other's.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from chartsight.answers import AnswerStore, StoredModel, answer_key
from chartsight.errors import CheckpointError, QueryError
from chartsight.evaluation.normaliser import parse_answer
from chartsight.imaging.film_cache import build_film_cache, default_cache_folder
from chartsight.imaging.film_index import FilmIndex, read_film_index
from chartsight.neuralsql.looks import Grammar, kind_of_question
from chartsight.prediction.conditions import DECODING
from chartsight.schema import ATTRIBUTES, OBJECTS, Look, VisualAnswer, VisualModel

if TYPE_CHECKING:
    from chartsight.vlm.checkpoint import Vlm

LABELS = "labels"  # the name of the model that answers from the record's labels
DTYPE = "torch.float32"  # as `load_vlm` loads
VOCABULARY = (*ATTRIBUTES, *OBJECTS)
LABEL_SOURCES = ("imagenome", "folder", "chexpert", "negbio")


class VlmModel:
    """A vision-language model; see `answers.AskedModel`. Its weights are loaded at the first look that nobody made.

    Args:
        name: A shipped model, a model folder, or a training run.
        index: The record's films.
        device: cpu, cuda, ...; the GPU when there is one.
        quiet: No progress.
    """

    evidence_kind: Literal["model"] = "model"

    def __init__(self, name: str | Path, index: FilmIndex, device: str | None = None, *, quiet: bool = True) -> None:
        from chartsight.vlm.checkpoint import fingerprint, model_folder, read_card
        from chartsight.vlm.prompts import prompt_template

        folder = model_folder(name)
        self.name, self.index, self.device, self.quiet = name, index, device, quiet
        self.fingerprint = fingerprint(folder)
        self.card = read_card(folder)
        self.template = prompt_template(self.card.template)
        self._vlm: Vlm | None = None

    def key(self, look: Look) -> str:
        """Of the answer to a look: that of `predict`."""
        sees = self.card.reads_film
        return answer_key(
            image_digests=[self.index[image].digest for image in look.image_ids] if sees else [],
            preprocessing_digest=self.card.preprocessing.digest(),
            prompt=self.template.render(look.question, len(look.image_ids) if sees else 0),
            model_fingerprint=self.fingerprint,
            decoding=DECODING,
            dtype=DTYPE,
            back_end="transformers",
        )

    def ask(self, looks: Sequence[Look]) -> Iterator[Mapping[str, Any]]:
        """The raw answer of each look, in order.

        Raises:
            CheckpointError: Two films in one look: this family reads one.
        """
        from chartsight.vlm.answering import FilmQuestions, answer_films

        if any(len(look.image_ids) > 1 for look in looks):
            raise CheckpointError(
                "one-film-model", str(self.name), "reads one film at a time, and is asked to compare two",
                hint="ask of each study: FUNC_VQA(q, a.study_id) = FALSE AND FUNC_VQA(q, b.study_id) = TRUE",
            )  # fmt: skip
        if not looks:
            return
        vlm = self._loaded()
        preprocessing = self.card.preprocessing
        shown = sorted({look.image_ids[0] for look in looks}) if self.card.reads_film else []
        films = build_film_cache(
            self.index.films(shown), preprocessing.size_px, default_cache_folder(), fill=preprocessing.fill,
            resampling=preprocessing.resampling, quiet=self.quiet,
        )  # fmt: skip
        by_film: dict[str | None, list[int]] = {}
        for n, look in enumerate(looks):
            film = look.image_ids[0] if self.card.reads_film else None
            if film not in films.failed:
                by_film.setdefault(film, []).append(n)
        started = time.perf_counter()
        items = [
            FilmQuestions(None if film is None else films[film], tuple(looks[n].question for n in numbers))
            for film, numbers in by_film.items()
        ]
        numbers = [n for each in by_film.values() for n in each]
        raw = [answer for each in answer_films(vlm, items) for answer in each] if items else []
        milliseconds = round((time.perf_counter() - started) * 1000 / max(len(raw), 1), 2)
        answered = dict(zip(numbers, raw, strict=True))
        for n, look in enumerate(looks):
            if n not in answered:
                yield {"error": films.failed[look.image_ids[0]]}
                continue
            answer = answered[n]
            yield {
                "text": answer.text, "n_tokens": answer.n_tokens, "first": answer.first_token, "ms": milliseconds,
                "model": self.fingerprint,
            }  # fmt: skip

    def read(self, look: Look, stored: Mapping[str, Any]) -> VisualAnswer:
        """What a raw answer says; a refusal is `cannot_tell`, what cannot be read is `failed`."""
        if "error" in stored:
            return VisualAnswer("failed", None, None)
        if look.kind == "boolean":
            parsed = parse_answer(str(stored["text"]), "boolean")
        else:
            parsed = parse_answer(str(stored["text"]), "set", VOCABULARY)
        if parsed.outcome != "answered":
            return VisualAnswer("cannot_tell" if parsed.outcome == "refused" else "failed", None, None)
        if isinstance(parsed.value, bool):
            return VisualAnswer("answered", parsed.value, _chance_of_yes(stored.get("first") or {}))
        assert isinstance(parsed.value, tuple)
        return VisualAnswer("answered", parsed.value, None)

    def _loaded(self) -> Vlm:
        if self._vlm is None:
            import torch

            from chartsight.vlm.checkpoint import load_vlm

            self._vlm = load_vlm(self.name, self.device or ("cuda" if torch.cuda.is_available() else "cpu"))
            assert str(self._vlm.model.dtype) == DTYPE
        return self._vlm


def _chance_of_yes(first: Mapping[str, float]) -> float | None:
    """Of yes against no as the first word."""
    yes, no = first.get("yes"), first.get("no")
    return None if yes is None or no is None or yes + no == 0 else round(yes / (yes + no), 6)


@contextmanager
def open_visual_model(
    name: str, record: Path, *, answers: Path | None = None, device: str | None = None, quiet: bool = True
) -> Iterator[tuple[VisualModel, Grammar]]:
    """The visual model called `name` on the films of a record, and the grammar of its questions.

    Args:
        name: `labels`, a shipped model, a model folder, or a training run.
        record: With films.
        answers: The store; one for all records of this user by default.
        device: cpu, cuda, ...
        quiet: No progress.

    Raises:
        CheckpointError: There is no such model.
        RecordError: There is no such record.
        QueryError: The labels are asked of something else than a DuckDB record.
    """
    if name == LABELS:
        from chartsight.questions.label_model import LabelModel
        from chartsight.questions.labels import read_film_labels
        from chartsight.records import open_record

        with open_record(record) as opened:
            labels = read_film_labels(opened.connection, label_sources=LABEL_SOURCES)
        if not len(labels):
            raise QueryError("no-films", record, "holds no films", "a record with films", "chartsight records build")
        model = LabelModel(labels)
        yield model, lambda question: model.grammar.kind(question) or kind_of_question(question)
        return
    store = AnswerStore(answers or default_cache_folder() / "answers.jsonl")
    yield StoredModel(VlmModel(name, read_film_index(record), device, quiet=quiet), store), kind_of_question

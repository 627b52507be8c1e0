"""Every answer that the store lacks, from the model into the store: in batches, a film's questions together."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from chartsight.answers import AnswerStore
from chartsight.imaging.film_cache import build_film_cache, default_cache_folder
from chartsight.imaging.film_index import FilmIndex
from chartsight.prediction.conditions import BLANK, Asked
from chartsight.progress import track
from chartsight.runs import Run

if TYPE_CHECKING:
    from chartsight.vlm.checkpoint import Vlm

BLANK_GREY = 118  # about the mean grey of a chest film
QUESTIONS_A_BATCH = 512  # answers are synced to disk after so many


def answer_asked(
    vlm: Vlm, asked: Sequence[Asked], index: FilmIndex, store: AnswerStore, run: Run, *, quiet: bool
) -> None:
    """Every answer that the store lacks, put into it."""
    from chartsight.vlm.answering import FilmQuestions, answer_films

    put = {key: (ask.films, text) for ask in asked for text, key in ask.put}
    todo = {key: films_text for key, films_text in put.items() if key not in store}
    shown = sorted({film for shown_films, _ in todo.values() for film in shown_films if film != BLANK})
    preprocessing = vlm.card.preprocessing
    films = build_film_cache(
        index.films(shown),
        preprocessing.size_px,
        default_cache_folder(),
        fill=preprocessing.fill,
        resampling=preprocessing.resampling,
        quiet=quiet,
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

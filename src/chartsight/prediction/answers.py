"""Every answer that the store lacks, from the model into the store: in batches, a film's questions together."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from chartsight.answers import AnswerStore
from chartsight.imaging.changes import change_film, unseen_film
from chartsight.imaging.film_cache import FilmCache, build_film_cache, default_cache_folder
from chartsight.imaging.film_index import FilmIndex
from chartsight.prediction.conditions import Asked
from chartsight.progress import track
from chartsight.schema import FilmChange

if TYPE_CHECKING:
    from chartsight.vlm.checkpoint import Vlm

QUESTIONS_A_BATCH = 512  # answers are synced to disk after so many

Shown = tuple[tuple[str, ...], FilmChange | None]  # films, and what is done to them
Group = tuple[Shown, list[tuple[str, str]]]  # and what is asked of them, with the keys of the answers


def answer_asked(vlm: Vlm, asked: Sequence[Asked], index: FilmIndex, store: AnswerStore, *, quiet: bool) -> None:
    """Every answer that the store lacks, put into it; of a film that cannot be read, why."""
    from chartsight.vlm.answering import FilmQuestions, answer_films

    put = {key: (ask.shown, text) for ask in asked for text, key in ask.put}
    todo = {key: shown_text for key, shown_text in put.items() if key not in store}
    names = sorted({name for (films, change), _ in todo.values() for name in films if _shows_film(change)})
    preprocessing = vlm.card.preprocessing
    films = build_film_cache(
        index.films(names),
        preprocessing.size_px,
        default_cache_folder(),
        fill=preprocessing.fill,
        resampling=preprocessing.resampling,
        quiet=quiet,
    )
    failed: Mapping[str, str] = films.failed
    by_film: dict[Shown, list[tuple[str, str]]] = {}
    for key, (shown, text) in todo.items():
        if bad := [name for name in shown[0] if name in failed]:
            store.append([(key, {"error": failed[bad[0]]})])
        else:
            by_film.setdefault(shown, []).append((text, key))
    batches = list(_batches(sorted(by_film.items(), key=lambda each: (each[0][0], repr(each[0][1])))))
    for batch in track(batches, f"answering ({len(todo):,} questions)", quiet=quiet):
        started = time.perf_counter()
        items = [
            FilmQuestions(_pixels(shown, films, index, vlm), tuple(text for text, _ in group)) for shown, group in batch
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


def _shows_film(change: FilmChange | None) -> bool:
    return change is None or change.shows_film


def _pixels(shown: Shown, films: FilmCache, index: FilmIndex, vlm: Vlm) -> NDArray[np.uint8] | None:
    """What the model sees, uint8 [S, S] or [S, S, C]; None without a film."""
    names, change = shown
    if not names:
        return None
    if change is None:
        return films[names[0]]
    if not change.shows_film:
        preprocessing = vlm.card.preprocessing
        colours = (len(preprocessing.fill),) if isinstance(preprocessing.fill, tuple) else ()
        return unseen_film(change, (preprocessing.size_px, preprocessing.size_px, *colours))
    film = index[names[0]]
    return change_film(films[names[0]], change, film.rows, film.columns)


def _batches(groups: Sequence[Group]) -> Iterator[list[Group]]:
    """Groups together up to `QUESTIONS_A_BATCH` questions, those without a film apart from the others."""
    batch: list[Group] = []
    size = 0
    for shown, asks in groups:
        for start in range(0, len(asks), QUESTIONS_A_BATCH):
            part = asks[start : start + QUESTIONS_A_BATCH]
            if batch and (size + len(part) > QUESTIONS_A_BATCH or bool(batch[-1][0][0]) != bool(shown[0])):
                yield batch
                batch, size = [], 0
            batch.append((shown, part))
            size += len(part)
    if batch:
        yield batch

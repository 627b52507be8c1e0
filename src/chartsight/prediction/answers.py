"""Every answer that the store lacks, from a back end into the store, a film's questions together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from chartsight.answers import AnswerStore
from chartsight.errors import FilmError
from chartsight.imaging.changes import change_film, unseen_film
from chartsight.imaging.film_cache import FilmCache, build_film_cache, default_cache_folder
from chartsight.imaging.film_index import FilmIndex
from chartsight.prediction.backends import Ask, BackEnd, FilmAsks
from chartsight.prediction.conditions import Asked
from chartsight.prediction.shots import Shot
from chartsight.progress import track
from chartsight.schema import FilmChange
from chartsight.vlm.preprocessing import FilmPreprocessing

if TYPE_CHECKING:
    from chartsight.vlm.answering import Example

Shown = tuple[tuple[str, ...], FilmChange | None]  # films, and what is done to them


def answer_asked(
    back_end: BackEnd,
    asked: Sequence[Asked],
    index: FilmIndex,
    store: AnswerStore,
    *,
    shots: Sequence[Shot] = (),
    quiet: bool,
) -> None:
    """Every answer that the store lacks, put into it as it comes; of a film that cannot be read, why.

    Raises:
        FilmError: The film of an example cannot be read.
    """
    put = {key: (ask.shown, Ask(key, text, ask.rule)) for ask in asked for text, key in ask.put}
    todo = {key: each for key, each in put.items() if key not in store}
    names = {name for (films, change), _ in todo.values() for name in films if _shows_film(change)}
    examples_seen = back_end.identity.card.reads_film and any(films for (films, _), _ in todo.values())
    names |= {shot.image_id for shot in shots if examples_seen}
    preprocessing = back_end.identity.card.preprocessing
    films = build_film_cache(
        index.films(sorted(names)),
        preprocessing.size_px,
        default_cache_folder(),
        fill=preprocessing.fill,
        resampling=preprocessing.resampling,
        quiet=quiet,
    )
    failed: Mapping[str, str] = films.failed
    by_film: dict[Shown, list[Ask]] = {}
    for key, (shown, ask) in todo.items():
        if bad := [name for name in shown[0] if name in failed]:
            store.append([(key, {"error": failed[bad[0]]})])
        else:
            by_film.setdefault(shown, []).append(ask)
    if not by_film:
        return
    in_order = sorted(by_film.items(), key=lambda each: (each[0][0], repr(each[0][1])))
    together = [FilmAsks(_pixels(shown, films, index, preprocessing), tuple(asks)) for shown, asks in in_order]
    examples = _examples(shots, films if examples_seen else None)

    def keep() -> Iterator[str]:
        for answers in back_end.answer(together, examples):
            store.append(answers)
            yield from (key for key, _ in answers)

    total = sum(len(each.asks) for each in together)
    for _ in track(keep(), f"answering ({total:,} questions)", total=total, quiet=quiet):
        pass


def _examples(shots: Sequence[Shot], films: FilmCache | None) -> list[Example]:
    if not shots:
        return []
    from chartsight.vlm.answering import Example

    if films is not None and (bad := [shot.image_id for shot in shots if shot.image_id in films.failed]):
        raise FilmError(
            "unreadable-example",
            bad[0],
            "is the film of an example and cannot be read",
            hint="another --seed draws others",
        )
    return [
        Example(None if films is None else films[shot.image_id], shot.question.asked, shot.answer) for shot in shots
    ]


def _shows_film(change: FilmChange | None) -> bool:
    return change is None or change.shows_film


def _pixels(
    shown: Shown, films: FilmCache, index: FilmIndex, preprocessing: FilmPreprocessing
) -> NDArray[np.uint8] | None:
    """What the model sees, uint8 [S, S] or [S, S, C]; None without a film."""
    names, change = shown
    if not names:
        return None
    if change is None:
        return films[names[0]]
    if not change.shows_film:
        colours = (len(preprocessing.fill),) if isinstance(preprocessing.fill, tuple) else ()
        return unseen_film(change, (preprocessing.size_px, preprocessing.size_px, *colours))
    film = index[names[0]]
    return change_film(films[names[0]], change, film.rows, film.columns)

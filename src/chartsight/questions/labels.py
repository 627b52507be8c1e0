"""What the labels say of every film, as arrays that answer a template for all films at once.

A statement is 1 (present), 0 (absent) or -1 (unknown), combined as in SQL: unknown or present is present, unknown and
absent is absent, everything else with an unknown stays unknown, and a question with an unknown gold is not asked.

    film   whole: effusion  nodule     placed: effusion@left lung  effusion@right lung  nodule@right lung
    a             1         0                  1                   0                    0
    b             0        -1                  0                   0                   -1        (uncertain nodule)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from chartsight.questions.templates import SIZES
from chartsight.schema import ABNORMALITY_CATEGORIES, ATTRIBUTES, WHOLE_FILM, Pairing, Terms

if TYPE_CHECKING:
    import duckdb

Unmentioned = Literal["absent", "unknown"]
Statements = NDArray[np.int8]  # [films] or [films, n] of 1, 0, -1
UNSTATED = np.int8(2)
# They read every report of their films, and a report without any finding leaves no row.
WHOLE_REPORT_LABELLERS = ("chexpert", "negbio")
CODES = {"absent": 0, "uncertain": -1, "present": 1}

# A finding in a part is a finding in the whole, and a whole that is said to be free of it has no part with it.
# Source: Chest ImaGenome's hierarchy of regions; EHRXQA propagates its labels along it as well.
_LUNG_PARTS = (
    "apical zone", "upper lung zone", "mid lung zone", "lower lung zone", "costophrenic angle", "hilar structures",
)  # fmt: skip
_MEDIASTINAL_PARTS = (
    "upper mediastinum", "cardiac silhouette", "aortic arch", "carina", "cavoatrial junction", "svc", "trachea",
    "right atrium",
)  # fmt: skip
PARENT_OBJECTS: Mapping[str, str] = {
    **{f"{side} {part}": f"{side} lung" for side in ("left", "right") for part in _LUNG_PARTS},
    **dict.fromkeys(_MEDIASTINAL_PARTS, "mediastinum"),
}


@dataclass(frozen=True)
class LabelledFilm:
    """One film and what the record knows of it beside findings; None where it does not say."""

    image_id: str
    study_id: int
    subject_id: int
    digest: str
    view: str | None
    sex: str | None
    source: str
    terms: Terms
    pairing: Pairing


@dataclass(frozen=True)
class FilmLabels:
    """The labels of many films.

    Args:
        films: In the order of (study_id, image_id); rows of all arrays.
        sources: For each film where its labels come from, empty when it has none.
        attributes: Vocabulary, sorted; columns of `whole`.
        categories: Of each attribute.
        places: (object, attribute) that some film shows, sorted; columns of `placed`.
        whole: int8 [films, attributes], anywhere on the film.
        placed: int8 [films, places], in one place.
        ratios: Size → float64 [films], width over the thorax's width; nan without boxes.
    """

    films: tuple[LabelledFilm, ...]
    sources: tuple[str, ...]
    attributes: tuple[str, ...]
    categories: tuple[str, ...]
    places: tuple[tuple[str, str], ...]
    whole: Statements
    placed: Statements
    ratios: Mapping[str, NDArray[np.float64]]
    _truths: dict[tuple[str, str | None], Statements] = field(default_factory=dict, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.films)

    @property
    def objects(self) -> tuple[str, ...]:
        """Places that some finding is seen in, sorted."""
        return tuple(sorted({place for place, _ in self.places}))

    def attributes_of(self, subject: str) -> tuple[str, ...]:
        """The attributes that `subject` means: itself, those of a category, or those of an abnormality."""
        if subject == "abnormality":
            wanted: Sequence[str] = ABNORMALITY_CATEGORIES
        elif subject in self.categories:
            wanted = (subject,)
        else:
            return (subject,) if subject in self.attributes else ()
        return tuple(a for a, c in zip(self.attributes, self.categories, strict=True) if c in wanted)

    def attributes_in(self, subject: str, place: str) -> tuple[str, ...]:
        """The attributes that `subject` means and that some film shows in `place`."""
        meant = set(self.attributes_of(subject))
        return tuple(attribute for object_, attribute in self.places if object_ == place and attribute in meant)

    def truth(self, subject: str, place: str | None = None) -> Statements:
        """Whether each film shows `subject` in `place`: int8 [films].

        Args:
            subject: An attribute, a category, `abnormality`, a size (`ct_ratio`), a view (`AP`) or a sex (`female`).
            place: An object, a side (`left`: any place of that side), or None for anywhere.
        """
        key = (subject, place)
        if key not in self._truths:
            self._truths[key] = self._find_truth(subject, place)
        return self._truths[key]

    def count_present(self, subject: str, place: str | None = None) -> int:
        """How many films show `subject` in `place`."""
        return int(np.count_nonzero(self.truth(subject, place) == 1))

    def _find_truth(self, subject: str, place: str | None) -> Statements:
        if subject in SIZES:
            ratios = self.ratios[subject]
            return np.where(np.isnan(ratios), -1, ratios > SIZES[subject]).astype(np.int8)
        if subject in VIEWS or subject in SEXES:
            facts = [film.view if subject in VIEWS else film.sex for film in self.films]
            return np.array([-1 if fact is None else fact == subject for fact in facts], np.int8)
        meant = set(self.attributes_of(subject))
        if place is None:
            columns = [n for n, attribute in enumerate(self.attributes) if attribute in meant]
            return any_of(self.whole[:, columns])
        columns = [
            n for n, (object_, attribute) in enumerate(self.places)
            if attribute in meant and (object_ == place or (place in SIDES and object_.startswith(f"{place} ")))
        ]  # fmt: skip
        return any_of(self.placed[:, columns])


VIEWS = ("AP", "PA")
SIDES = ("left", "right")
SEXES = ("female", "male")
_SEX_OF_GENDER = {"F": "female", "M": "male"}


def any_of(statements: Statements) -> Statements:
    """SQL's OR over the columns: int8 [films, n] → [films]; unknown for no column."""
    if statements.shape[1] == 0:
        return np.full(len(statements), -1, np.int8)
    unknown = (statements == -1).any(1)
    return np.where((statements == 1).any(1), 1, np.where(unknown, -1, 0)).astype(np.int8)


def all_of(statements: Statements) -> Statements:
    """SQL's AND over the columns: int8 [films, n] → [films]; unknown for no column."""
    if statements.shape[1] == 0:
        return np.full(len(statements), -1, np.int8)
    unknown = (statements == -1).any(1)
    return np.where((statements == 0).any(1), 0, np.where(unknown, -1, 1)).astype(np.int8)


def negated(statements: Statements) -> Statements:
    """SQL's NOT: unknown stays unknown."""
    return np.where(statements == -1, -1, 1 - statements).astype(np.int8)


# ----------------------------------------------------------------------------------------------------- from the record

_FILMS = """
    SELECT films.image_id, films.study_id, films.subject_id, films.digest,
           split_part(films.view_position, ' ', 1), patients.gender,
           films.source, films.terms, films.pairing
    FROM films LEFT JOIN patients USING (subject_id)
    WHERE NOT $frontal OR films.image_id IN (SELECT image_id FROM tb_cxr)
    ORDER BY films.study_id, films.image_id
"""
_LABELS = """
    SELECT asked.n, labels.object, labels.attribute, labels.category, labels.state, labels.source
    FROM labels JOIN asked
      ON labels.study_id = asked.study_id AND (labels.image_id IS NULL OR labels.image_id = asked.image_id)
    ORDER BY ALL
"""
_BOXES = """
    SELECT asked.n, boxes.object, boxes.x1, boxes.x2, boxes.source FROM boxes JOIN asked USING (image_id) ORDER BY ALL
"""


def read_film_labels(
    connection: duckdb.DuckDBPyConnection,
    *,
    label_sources: Sequence[str],
    unmentioned: Unmentioned = "absent",
    frontal_only: bool = True,
) -> FilmLabels:
    """The films of a record with their labels; each film takes those of the first source that labels it.

    Args:
        connection: To a record.
        label_sources: In order of preference; sources that stand in the record but not here are not used.
        unmentioned: What a finding means that the film's source knows but does not mention for it.
        frontal_only: Only EHRXQA's one frontal film a study (`tb_cxr`), or every film.
    """
    import pyarrow as pa

    films = tuple(
        LabelledFilm(image_id, study_id, subject_id, digest, view if view in VIEWS else None,
                     _SEX_OF_GENDER.get(gender), source, terms, pairing)
        for image_id, study_id, subject_id, digest, view, gender, source, terms, pairing
        in connection.execute(_FILMS, {"frontal": frontal_only}).fetchall()
    )  # fmt: skip
    asked = pa.table(
        {
            "n": pa.array(range(len(films)), pa.int32()),
            "study_id": pa.array([film.study_id for film in films], pa.int64()),
            "image_id": pa.array([film.image_id for film in films], pa.string()),
        }
    )
    connection.register("asked", asked)
    labels = connection.execute(_LABELS).fetchall()
    boxes = connection.execute(_BOXES).fetchall()
    connection.unregister("asked")
    return build_film_labels(films, labels, boxes, label_sources=label_sources, unmentioned=unmentioned)


def build_film_labels(
    films: Sequence[LabelledFilm],
    labels: Iterable[tuple[int, str | None, str, str, str, str]],
    boxes: Iterable[tuple[int, str, float, float, str]],
    *,
    label_sources: Sequence[str],
    unmentioned: Unmentioned = "absent",
) -> FilmLabels:
    """Arrays from rows of labels and boxes.

    Args:
        films: Rows of the arrays, in this order.
        labels: (row of `films`, object, attribute, category, state, source).
        boxes: (row of `films`, object, x1, x2, source); x in pixels of the film.
        label_sources: In order of preference.
        unmentioned: What a finding means that the film's source knows but does not mention for it.
    """
    labels = [row for row in labels if row[5] in label_sources]
    boxes = list(boxes)
    rank = {source: n for n, source in enumerate(label_sources)}
    none = len(rank)
    chosen = np.full(len(films), none)
    for film, *_, source in labels:
        chosen[film] = min(chosen[film], rank[source])
    read = {(films[film].source, source) for film, *_, source in labels if source in WHOLE_REPORT_LABELLERS}
    for n, each in enumerate(films):
        for source in label_sources:
            if (each.source, source) in read:
                chosen[n] = min(chosen[n], rank[source])
    # A film with boxes but no statement was read by that source and found free of findings.
    for film, _, _, _, source in boxes:
        if source in rank:
            chosen[film] = min(chosen[film], rank[source])

    category_of = {attribute: ATTRIBUTES.get(attribute, category) for _, _, attribute, category, _, _ in labels}
    attributes = tuple(sorted(category_of))
    shown = {(object_, attribute) for _, object_, attribute, _, state, _ in labels if state == "present" and object_}
    shown = {(object_, attribute) for object_, attribute in shown if object_ != WHOLE_FILM}
    shown |= {(PARENT_OBJECTS[object_], attribute) for object_, attribute in shown if object_ in PARENT_OBJECTS}
    places = tuple(sorted(shown))
    column = {attribute: n for n, attribute in enumerate(attributes)}
    place_column = {place: n for n, place in enumerate(places)}

    whole = np.full((len(films), len(attributes)), UNSTATED)
    placed = np.full((len(films), len(places)), UNSTATED)
    # A reader is one labeller of one set of films: the CSV of a folder says nothing of findings that only the CSV of
    # another folder lists, so there they are unknown, never absent; else the set would give the answer away.
    readers = sorted({(films[film].source, source) for film, *_, source in labels})
    reader = {pair: n for n, pair in enumerate(readers)}
    names = [*label_sources, ""]
    reader_of = [reader.get((each.source, names[n]), len(readers)) for each, n in zip(films, chosen, strict=True)]
    knows = np.zeros((len(readers) + 1, len(attributes)), bool)  # which reader ever speaks of which attribute,
    knows_place = np.zeros((len(readers) + 1, len(places)), bool)  # and in which place
    for film, object_, attribute, _, state, source in labels:
        read_by = reader[films[film].source, source]
        knows[read_by, column[attribute]] = True
        place = (object_ or WHOLE_FILM, attribute)
        if place[0] != WHOLE_FILM and place in place_column:
            knows_place[read_by, place_column[place]] = True
        if rank[source] != chosen[film]:
            continue
        code = CODES[state]
        if place[0] == WHOLE_FILM:
            whole[film, column[attribute]] = _stronger(whole[film, column[attribute]], code)
        elif place in place_column:
            placed[film, place_column[place]] = _stronger(placed[film, place_column[place]], code)
        elif code == -1:  # perhaps in a place that no film shows for sure: then perhaps on the film
            whole[film, column[attribute]] = _stronger(whole[film, column[attribute]], code)

    _carry_between_part_and_whole(placed, place_column, knows_place)
    for attribute, n in column.items():
        columns = [m for (_, other), m in place_column.items() if other == attribute]
        if columns:
            _carry_to_film(whole, n, placed[:, columns])
    fill = 0 if unmentioned == "absent" else -1
    for statements, known in ((whole, knows), (placed, knows_place)):
        unstated = statements == UNSTATED
        statements[unstated & known[reader_of]] = fill
        statements[unstated & ~known[reader_of]] = -1
    return FilmLabels(
        tuple(films),
        tuple(names[n] for n in chosen),
        attributes,
        tuple(category_of[attribute] for attribute in attributes),
        places,
        whole,
        placed,
        _measure_ratios(len(films), boxes),
    )


def _stronger(stated: np.int8, code: int) -> int:
    """The statement that wins when a film has both: present, then uncertain, then absent."""
    order = {int(UNSTATED): 0, 0: 1, -1: 2, 1: 3}
    return code if order[code] > order[int(stated)] else int(stated)


def _carry_between_part_and_whole(
    placed: Statements, column: Mapping[tuple[str, str], int], known: NDArray[np.bool_]
) -> None:
    """Fills `placed` along `PARENT_OBJECTS`, in place: present and uncertain upwards, absent downwards."""
    for (object_, attribute), part in column.items():
        if object_ not in PARENT_OBJECTS:
            continue
        parent = column[PARENT_OBJECTS[object_], attribute]
        below, above = placed[:, part].copy(), placed[:, parent].copy()
        placed[below == 1, parent] = 1
        placed[(below == -1) & (above != 1), parent] = -1
        known[:, parent] |= known[:, part]
    for (object_, attribute), part in column.items():
        if object_ in PARENT_OBJECTS:
            parent = column[PARENT_OBJECTS[object_], attribute]
            placed[(placed[:, part] == UNSTATED) & (placed[:, parent] == 0), part] = 0


def _carry_to_film(whole: Statements, column: int, placed: Statements) -> None:
    """Fills one attribute of `whole` from all its places, in place; stated nowhere it stays unstated."""
    film = whole[:, column]
    present, uncertain = (placed == 1).any(1), (placed == -1).any(1)
    film[(placed == 0).all(1) & (film == UNSTATED)] = 0
    film[uncertain & (film != 1)] = -1
    film[present] = 1


def _measure_ratios(
    n_films: int, boxes: Iterable[tuple[int, str, float, float, str]]
) -> dict[str, NDArray[np.float64]]:
    """Widths over the width that both lungs span; nan where a box is missing."""
    edges: dict[str, NDArray[np.float64]] = {
        name: np.full((n_films, 2), np.nan)
        for name in ("left lung", "right lung", "cardiac silhouette", "upper mediastinum")
    }
    for film, object_, x1, x2, _ in boxes:
        if object_ in edges:
            edges[object_][film] = x1, x2
    lungs = np.stack([edges["left lung"], edges["right lung"]])
    thorax = lungs[..., 1].max(0) - lungs[..., 0].min(0)
    measure: Callable[[Any], Any] = lambda pair: (pair[:, 1] - pair[:, 0]) / np.where(thorax > 0, thorax, np.nan)  # noqa: E731
    return {"ct_ratio": measure(edges["cardiac silhouette"]), "mt_ratio": measure(edges["upper mediastinum"])}

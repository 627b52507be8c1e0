"""What is known of the films that a question set is about: labels, literal statements, boxes, ages, techniques.

    known = read_known_films(Path("questions.parquet"))
    known.row_of["0a1b-..."]             # row of the film in known.labels
    known.confounders("0a1b-...")        # {"view": "AP", "geometry": "0.8", "device": "yes", ...}

Labels are read as they were read for the questions (their manifest says how), so that a gold answer made from them is
the one that the question set would have.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chartsight.errors import QuestionError
from chartsight.imaging.film_index import FilmIndex, read_film_index
from chartsight.questions.build import QuestionConfig
from chartsight.questions.files import film_index_of
from chartsight.questions.labels import FilmLabels, read_film_labels
from chartsight.questions.templates import TemplateSet, read_templates
from chartsight.runs import read_manifest
from chartsight.schema import WHOLE_FILM, Box

if TYPE_CHECKING:
    import duckdb

DEVICE_CATEGORIES = ("tubesandlines", "device")
ASPECT_STEP = 0.1


@dataclass(frozen=True)
class KnownFilms:
    """The films of one index, and what stands about them in the record and beside it.

    Args:
        index: Every film.
        labels: Those of them that the labels were read for; None without a record.
        templates: Of the questions.
        statements: image_id → (object, attribute) → present, absent or uncertain: what the film's label source wrote,
            before anything is carried from part to whole or filled in. `whole film` where it names no place.
        regions: image_id → object → box, in pixels of the stored film.
        marks: image_id → (object, attribute) → boxes of the finding itself, tighter than its region.
        ages: image_id → years at the time of the film.
        sexes: subject_id → female or male.
        techniques: image_id → name → what is known of how it was taken (padding, marker, portable).
    """

    index: FilmIndex
    labels: FilmLabels | None = None
    templates: TemplateSet = field(default_factory=read_templates)
    statements: Mapping[str, Mapping[tuple[str, str], str]] = field(default_factory=dict)
    regions: Mapping[str, Mapping[str, Box]] = field(default_factory=dict)
    marks: Mapping[str, Mapping[tuple[str, str], tuple[Box, ...]]] = field(default_factory=dict)
    ages: Mapping[str, int] = field(default_factory=dict)
    sexes: Mapping[int, str] = field(default_factory=dict)
    techniques: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @cached_property
    def row_of(self) -> Mapping[str, int]:
        """image_id → row of the film in `labels`; only films that some source has labelled are in it."""
        if self.labels is None:
            return {}
        return {film.image_id: row for row, film in enumerate(self.labels.films)}

    def devices(self, image_id: str) -> tuple[str, ...] | None:
        """Tubes, lines and devices that the labels see, sorted; None where no source has labelled the film."""
        row = self.row_of.get(image_id)
        if self.labels is None or row is None or not self.labels.sources[row]:
            return None
        found = zip(self.labels.attributes, self.labels.categories, self.labels.whole[row], strict=True)
        return tuple(sorted(name for name, category, state in found if category in DEVICE_CATEGORIES and state == 1))

    def confounders(self, image_id: str) -> dict[str, str]:
        """What could stand in for looking at the film, name → stratum; what is not known is left out."""
        if image_id not in self._confounders:
            film = self.index[image_id]
            found = {"geometry": f"{round(film.columns / film.rows / ASPECT_STEP) * ASPECT_STEP:.1f}"}
            if film.view_position is not None:
                found["view"] = film.view_position
            if (devices := self.devices(image_id)) is not None:
                found["device"] = "yes" if devices else "no"
            row = self.row_of.get(image_id)
            if self.labels is not None and row is not None:
                found["source"] = self.labels.films[row].source
            self._confounders[image_id] = dict(sorted({**found, **self.techniques.get(image_id, {})}.items()))
        return self._confounders[image_id]

    @cached_property
    def _confounders(self) -> dict[str, dict[str, str]]:
        return {}


def read_known_films(questions: Path, image_ids: Collection[str] | None = None) -> KnownFilms:
    """The films of a question set; without a record, what their index says.

    Labels are those of all films, as their vocabulary is that of the gold answers.

    Args:
        questions: The question set.
        image_ids: Films of which statements, boxes and techniques are read; all when None. Of a large record name those
            that are asked about.

    Raises:
        QuestionError: There is no such question set, or its film index is gone.
    """
    import pyarrow as pa

    from chartsight.records import open_record

    source = film_index_of(questions)
    index = read_film_index(source)
    if source.suffix == ".parquet":
        return KnownFilms(index)
    config = labelling_of(questions)
    with open_record(source) as record:
        labels = read_film_labels(
            record.connection, label_sources=config.label_sources, unmentioned=config.unmentioned,
            frontal_only=config.frontal_only,
        )  # fmt: skip
        wanted = sorted(index if image_ids is None else index.keys() & set(image_ids))
        record.connection.register("wanted", pa.table({"image_id": pa.array(wanted, pa.string())}))
        statements = _read_statements(record.connection, labels)
        regions = _read_regions(record.connection)
        ages, sexes = _read_people(record.connection)
        record.connection.unregister("wanted")
        roots = [Path(root) for (root,) in record.connection.execute("SELECT path FROM film_roots").fetchall()]
    marks: dict[str, Mapping[tuple[str, str], tuple[Box, ...]]] = {}
    techniques: dict[str, Mapping[str, str]] = {}
    for hospital in sorted({root.parent for root in roots}):  # a synthetic one tells what it drew
        if (path := hospital / "truth.parquet").is_file():
            marks |= _read_marks(path, wanted)
        if (path := hospital / "techniques.parquet").is_file():
            techniques |= _read_techniques(path, wanted)
    return KnownFilms(
        index, labels, _read_templates(config), statements, regions, marks, ages, sexes, techniques
    )  # fmt: skip


def labelling_of(questions: Path) -> QuestionConfig:
    """How labels were read for a question set, by its manifest; the defaults where it does not say."""
    config = (read_manifest(questions) or {}).get("config", {})
    usual = QuestionConfig()
    return QuestionConfig(
        templates=str(config.get("templates", usual.templates)),
        label_sources=tuple(config.get("label_sources", usual.label_sources)),
        unmentioned=config.get("unmentioned", usual.unmentioned),
        frontal_only=bool(config.get("frontal_only", usual.frontal_only)),
    )


def _read_templates(config: QuestionConfig) -> TemplateSet:
    try:
        return read_templates(config.templates)
    except QuestionError:  # a file that stays behind, or families of several films: then ours are known
        return read_templates()


def _read_statements(
    connection: duckdb.DuckDBPyConnection, labels: FilmLabels
) -> dict[str, dict[tuple[str, str], str]]:
    """What each film's own source wrote; of several statements about one thing the strongest."""
    rows = connection.execute(
        """SELECT films.image_id, coalesce(labels.object, $whole), labels.attribute, labels.state, labels.source
           FROM films JOIN wanted USING (image_id) JOIN labels ON labels.study_id = films.study_id
            AND (labels.image_id IS NULL OR labels.image_id = films.image_id)
           ORDER BY ALL""",
        {"whole": WHOLE_FILM},
    ).fetchall()
    source_of = dict(zip((film.image_id for film in labels.films), labels.sources, strict=True))
    order = ("absent", "uncertain", "present")
    found: dict[str, dict[tuple[str, str], str]] = defaultdict(dict)
    for image_id, place, attribute, state, source in rows:
        if source_of.get(image_id) != source:
            continue
        said = found[image_id].get((place, attribute))
        if said is None or order.index(state) > order.index(said):
            found[image_id][place, attribute] = state
    return dict(found)


def _read_regions(connection: duckdb.DuckDBPyConnection) -> dict[str, dict[str, Box]]:
    found: dict[str, dict[str, Box]] = defaultdict(dict)
    rows = connection.execute(
        """SELECT image_id, object, x1, y1, x2, y2 FROM boxes JOIN wanted USING (image_id)
           WHERE object IS NOT NULL ORDER BY ALL"""
    ).fetchall()
    for image_id, place, *corners in rows:
        found[image_id][place] = _box(corners)
    return dict(found)


def _read_people(connection: duckdb.DuckDBPyConnection) -> tuple[dict[str, int], dict[int, str]]:
    ages = connection.execute(
        """SELECT image_id, anchor_age + coalesce(year(studydatetime) - anchor_year, 0)
           FROM films JOIN wanted USING (image_id) JOIN patients USING (subject_id) WHERE anchor_age IS NOT NULL"""
    ).fetchall()
    named = {"F": "female", "M": "male"}
    people = connection.execute("SELECT subject_id, gender FROM patients").fetchall()
    return dict(ages), {subject: named[sex] for subject, sex in people if sex in named}


def _read_marks(path: Path, wanted: Collection[str]) -> dict[str, dict[tuple[str, str], tuple[Box, ...]]]:
    found: dict[str, dict[tuple[str, str], list[Box]]] = defaultdict(lambda: defaultdict(list))
    for row in _read_rows(path, ("image_id", "object", "attribute", "x1", "y1", "x2", "y2"), wanted):
        corners = [row[name] for name in ("x1", "y1", "x2", "y2")]
        if row["attribute"] is not None and None not in corners:
            boxes = found[row["image_id"]][row["object"], row["attribute"]]
            if (box := _box(corners)) not in boxes:
                boxes.append(box)
    return {image: {key: tuple(sorted(boxes)) for key, boxes in marks.items()} for image, marks in found.items()}


def _read_techniques(path: Path, wanted: Collection[str]) -> dict[str, dict[str, str]]:
    found = {}
    names = ("image_id", "is_portable", "marker", "padding", "monitored", "annotated")
    for row in _read_rows(path, names, wanted):
        found[row["image_id"]] = {
            "annotated": row["annotated"] or "no", "marker": row["marker"] or "usual",
            "monitored": "yes" if row["monitored"] else "no", "padding": "some" if row["padding"] else "none",
            "portable": "yes" if row["is_portable"] else "no",
        }  # fmt: skip
    return found


def _read_rows(path: Path, columns: Sequence[str], wanted: Collection[str]) -> list[dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    known = pa.array(sorted(wanted), pa.string())
    try:
        table = pq.read_table(path, columns=list(columns), filters=pc.is_in(pc.field("image_id"), known))
    except (pa.ArrowInvalid, OSError, KeyError) as error:
        raise QuestionError("damaged-hospital", path, "is damaged", "what `chartsight hospital` wrote") from error
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


def _box(corners: Sequence[float]) -> Box:
    x1, y1, x2, y2 = (float(each) for each in corners)
    return x1, y1, x2, y2

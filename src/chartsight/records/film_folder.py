"""A folder of images and a CSV that says whose they are: the way in for one's own films, of any modality.

    file,patient_id,age,sex,view,finding_labels
    images/00000003_001.png,3,74,F,PA,Hernia|Effusion

Columns are found by their usual names whatever their case; `FilmFolder.columns` names unusual ones. Findings stand
either in one column, separated by `|` or `;`, or in one column a finding with 1, 0, -1 (uncertain) or blank (not
mentioned). A column of names is exhaustive over its own vocabulary: what occurs in it anywhere and is not named for a
film is absent there;
"no finding" means that all of it is absent. The labels are about the whole film.

Two images are one patient's if the CSV says so, or if their bytes are equal: nobody may end up in two splits.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import duckdb
import numpy as np

from chartsight.errors import FilmError, RecordError
from chartsight.imaging.pixels import SUFFIXES, FilmHeader
from chartsight.records.film_rows import STATE_STRENGTH, add_root, is_frontal, label_rows, probe_films
from chartsight.records.mimiciv import check_gzip
from chartsight.records.sources import FilmFolder
from chartsight.records.sql import insert_rows, scalar
from chartsight.runs import Run
from chartsight.schema import ATTRIBUTES, FINDING_SYNONYMS, WHOLE_FILM, Category, Pairing

Role = Literal["image", "patient", "study", "view", "sex", "age", "findings"]
COLUMN_NAMES: Mapping[Role, tuple[str, ...]] = {  # compared without case, spaces and underscores
    "image": ("file", "filename", "image", "imageid", "imageindex", "path"),
    "patient": ("patient", "patientid", "personid", "subjectid"),
    "study": ("studyid",),
    "view": ("view", "projection", "viewposition"),
    "sex": ("sex", "gender", "patientsex", "patientgender"),
    "age": ("age", "patientage"),
    "findings": ("findinglabels", "labels", "label", "findings", "finding"),
}
DECLARED_CATEGORY: Category = "anatomicalfinding"  # what a user declares is a finding of the film until said otherwise
FIRST_SUBJECT = 90_000_001  # beyond every id of MIMIC (10 to 40 million), so that films can stand beside its patients
FIRST_STUDY = 90_000_001
_CELL_STATES = {
    "1": "present",
    "1.0": "present",
    "0": "absent",
    "0.0": "absent",
    "-1": "uncertain",
    "-1.0": "uncertain",
}

Patient = tuple[str, str]  # source, the source's own key


@dataclass(frozen=True)
class FolderFilm:
    """One image of a folder, as its CSV and its file describe it.

    Args:
        path: Relative to the folder.
        patient: The CSV's patient, of this source.
        study: The CSV's study, or the file's stem: the same film at two sizes is one study.
        view_position: Upper case; None when the CSV has no view.
        sex: M, F or None.
        age: Years or None.
        states: attribute → state; empty when nothing is known.
        header: Of the file.
    """

    path: Path
    patient: Patient
    study: str
    view_position: str | None
    sex: str | None
    age: int | None
    states: Mapping[str, str]
    header: FilmHeader


def add_film_folders(
    connection: duckdb.DuckDBPyConnection,
    folders: Sequence[FilmFolder],
    run: Run,
    *,
    pairing: Pairing,
    pair_films: bool,
    seed: int,
    quiet: bool,
) -> None:
    """Add the folders' films, labels and patients to a record whose tables are filled.

    Args:
        connection: The record being built.
        folders: What to add.
        run: Notes what is dropped.
        pairing: How these films stand to the record's tables.
        pair_films: Give film patients to record patients instead of making new ones.
        seed: Of that matching.
        quiet: Draw no progress.

    Raises:
        RecordError: A CSV lacks its columns or has unknown findings, or a folder gives no film at all.
    """
    films = {folder.source: read_film_folder(folder, run, quiet=quiet) for folder in folders}
    everything = [film for each in films.values() for film in each]
    subjects = _number_people(connection, everything, run, pair_films=pair_films, seed=seed)
    image_ids = _name_images(connection, everything)
    studies = _number_studies(connection, everything)
    categories = {**ATTRIBUTES, **{name: DECLARED_CATEGORY for folder in folders for name in _declared(folder)}}
    for folder in folders:
        root = add_root(connection, folder.folder)
        rows: list[tuple[Any, ...]] = []
        labels: list[tuple[Any, ...]] = []
        for film in films[folder.source]:
            image_id, study = image_ids[folder.source, film.path], studies[film.patient, film.study]
            rows.append((
                image_id, study, subjects[film.patient], film.view_position, None, film.header.rows,
                film.header.columns, film.header.bits, film.header.digest, film.path.as_posix(), root,
                is_frontal(film.view_position), None, folder.source, folder.terms, pairing,
            ))  # fmt: skip
            states = {(WHOLE_FILM, attribute): state for attribute, state in film.states.items()}
            labels += label_rows(study, image_id, "folder", states, categories)
        insert_rows(connection, "films", sorted(rows))
        insert_rows(connection, "labels", sorted(labels))
        run.kept["films"] = run.kept.get("films", 0) + len(rows)
        run.kept["labels: folder"] = run.kept.get("labels: folder", 0) + len(labels)
    declared = sorted({name for folder in folders for name in _declared(folder)} - ATTRIBUTES.keys())
    insert_rows(connection, "label_vocabulary", [(name, DECLARED_CATEGORY) for name in declared])


def read_film_folder(folder: FilmFolder, run: Run, *, quiet: bool) -> list[FolderFilm]:
    """The folder's films that can be read, in the order of the CSV; the others are dropped with their reason.

    Raises:
        RecordError: The folder or CSV is missing, a column or a finding is unknown, or no film is left.
    """
    if not folder.folder.is_dir():
        raise RecordError("missing-source", folder.folder, "no such folder", "a folder of images")
    rows = _read_csv(folder.labels)
    columns = _find_columns(folder, rows[0])
    body = rows[1:]
    states = _states(folder, columns, rows, run)
    files = _Files(folder.folder)
    listed: list[tuple[int, Path]] = []
    seen: set[Path] = set()
    for number, row in enumerate(body, start=1):
        if len(row) != len(rows[0]):
            run.drop("malformed line", folder.labels, number)
            continue
        path, reason = files.find(row[columns["image"]].strip())
        if path is not None and path in seen:
            path, reason = None, "image listed twice"
        if path is not None and not row[columns["patient"]].strip():
            path, reason = None, "missing patient"
        if path is not None and isinstance(states[number - 1], str):
            path, reason = None, str(states[number - 1])
        if path is None:
            run.drop(reason, folder.labels, number)
            continue
        seen.add(path)
        listed.append((number, path))
    headers = probe_films((folder.folder / path for _, path in listed), len(listed), quiet=quiet)
    films = []
    for (number, path), header in zip(listed, headers, strict=True):
        if isinstance(header, FilmError):
            run.drop(f"film: {header.code}", folder.folder / path, number)
            continue
        row = body[number - 1]

        def cell(role: Role, row: Sequence[str] = row) -> str:
            return row[columns[role]].strip() if role in columns else ""

        state = states[number - 1]
        assert not isinstance(state, str)
        films.append(
            FolderFilm(
                path=path,
                patient=(folder.source, cell("patient")),
                study=cell("study") or path.stem,
                view_position=cell("view").upper() or None,
                sex={"m": "M", "f": "F"}.get(cell("sex")[:1].lower()),
                age=_years(cell("age")),
                states=state,
                header=header,
            )
        )
    unlisted = len(files) - len(seen)
    if unlisted > 0:
        run.drop("image without a row in the CSV", folder.folder, count=unlisted)
    run.read(folder.labels, rows=len(films))
    if not films:
        reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(run.dropped.items())) or "it has no rows"
        raise RecordError("no-films", folder.labels, f"no film is left ({reasons})", f"images below {folder.folder}")
    return films


def normalise_finding(name: str) -> str:
    """A finding's name as it is compared and stored: lower case, spaces for underscores."""
    return " ".join(name.replace("_", " ").lower().split())


# ------------------------------------------------------------------------------------------------------------- the CSV


def _read_csv(path: Path) -> list[list[str]]:
    """Header and rows of a csv or csv.gz; separated by whichever of comma, semicolon and tab splits the header most."""
    if not path.is_file():
        raise RecordError("missing-file", path, "no such file", "a CSV with one row an image")
    check_gzip(path)
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as data:
        text = data.read().decode("utf-8-sig", errors="replace")
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    try:
        rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if row]
    except csv.Error as error:
        raise RecordError("no-csv", path, "is no CSV", "a CSV with one row an image") from error
    if not rows:
        raise RecordError("no-csv", path, "is empty", "a CSV with one row an image")
    return rows


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]", "", name).lower()


def _find_columns(folder: FilmFolder, header: Sequence[str]) -> dict[Role, int]:
    """Role → place of its column.

    Raises:
        RecordError: The image or the patient has no column, or `FilmFolder.columns` names one that is not there.
    """
    places = {name.strip(): place for place, name in reversed(list(enumerate(header)))}
    plain = {_plain(name): place for name, place in places.items()}
    columns: dict[Role, int] = {}
    for role, names in COLUMN_NAMES.items():
        given = folder.columns.get(role)
        if given is not None:
            if given not in places:
                raise RecordError("wrong-header", folder.labels, f"no column {given}", "a name of its first line")
            columns[role] = places[given]
            continue
        found = next((plain[name] for name in names if name in plain), None)
        if found is not None:
            columns[role] = found
    unknown = sorted(set(folder.columns) - set(COLUMN_NAMES))
    if unknown:
        raise RecordError("unknown-role", folder.labels, f"unknown role {', '.join(unknown)}", ", ".join(COLUMN_NAMES))
    for role in ("image", "patient"):
        if role not in columns:
            # Where no column has a known name the first line may be a patient's: it is not shown.
            among = f"among {', '.join(name.strip() for name in header[:12])}" if columns else "in the first line"
            raise RecordError(
                "wrong-header", folder.labels, f"no column for the {role} {among}",
                f"one of {', '.join(COLUMN_NAMES[role])}", f"name it: --columns {role}=COLUMN",
            )  # fmt: skip
    return columns


def _declared(folder: FilmFolder) -> tuple[str, ...]:
    return tuple(normalise_finding(name) for name in folder.findings)


def _attribute(name: str, declared: Iterable[str]) -> str | None:
    """The attribute that a finding's name means; None for "no finding"; KeyError when it is unknown."""
    plain = normalise_finding(name)
    if plain in declared or plain in ATTRIBUTES:
        return plain
    return FINDING_SYNONYMS[plain]


def _states(
    folder: FilmFolder, columns: Mapping[Role, int], rows: Sequence[Sequence[str]], run: Run
) -> list[Mapping[str, str] | str]:
    """attribute → state for every row after the header, or why the row cannot be used."""
    declared = _declared(folder)
    if "findings" in columns:
        return _listed_states(folder, columns["findings"], rows[1:], declared)
    by_place: dict[int, str | None] = {}
    unknown: list[str] = []
    for place, name in enumerate(rows[0]):
        try:
            by_place[place] = _attribute(name, declared)
        except KeyError:
            if place not in columns.values() and _looks_like_a_finding(place, rows[1:]):
                unknown.append(name.strip()[:60])
    if unknown and not by_place:
        names = ", ".join(unknown[:12])
        raise RecordError(
            "unknown-findings", folder.labels, f"columns of 1 and 0 that no known finding names: {names}",
            "a column that chartsight, CheXpert or NIH name so",
            f"declare them: --findings {','.join(name.replace(' ', '_') for name in unknown[:12])}",
        )  # fmt: skip
    for name in unknown:  # beside known findings it may as well be a smoker's column
        run.drop("column of 1 and 0 that is no known finding", folder.labels, name)
    return [_column_states(row, by_place, rows[0]) for row in rows[1:]]


def _looks_like_a_finding(place: int, body: Sequence[Sequence[str]]) -> bool:
    """Whether a column holds states and nothing else, and says "present" of some film."""
    values = {row[place].strip() for row in body if place < len(row)} - {""}
    return values <= _CELL_STATES.keys() and any(_CELL_STATES[value] == "present" for value in values)


def _listed_states(
    folder: FilmFolder, place: int, body: Sequence[Sequence[str]], declared: Sequence[str]
) -> list[Mapping[str, str] | str]:
    named = [
        [name for name in re.split(r"[|;]", row[place]) if name.strip()] if place < len(row) else [] for row in body
    ]
    meaning: dict[str, str | None] = {}
    unknown: set[str] = set()
    for name in sorted({name for names in named for name in names}):
        try:
            meaning[name] = _attribute(name, declared)
        except KeyError:
            unknown.add(normalise_finding(name))
    if unknown:
        # A finding's name is short; longer texts may be somebody's report and are counted only.
        names = sorted(name for name in unknown if len(name.split()) <= 4 and len(name) <= 40)[:12]
        longer = sum(len(name.split()) > 4 or len(name) > 40 for name in unknown)
        shown = ", ".join([*names, *([f"{longer} longer text(s)"] if longer else [])])
        raise RecordError(
            "unknown-findings",
            folder.labels,
            f"{len(unknown)} finding(s) that the vocabulary lacks: {shown}",
            "findings as chartsight, CheXpert or NIH name them",
            f"declare them: --findings {','.join(name.replace(' ', '_') for name in names) or 'a,b,c'}",
        )
    vocabulary = sorted({attribute for attribute in meaning.values() if attribute is not None})
    states: list[Mapping[str, str] | str] = []
    for names in named:
        present = {meaning[name] for name in names}
        if not names:  # a blank cell says nothing; "no finding" is a word
            states.append({})
        else:
            states.append({each: "present" if each in present else "absent" for each in vocabulary})
    return states


def _column_states(
    row: Sequence[str], by_place: Mapping[int, str | None], header: Sequence[str]
) -> Mapping[str, str] | str:
    states: dict[str, str] = {}
    clear = False
    for place, attribute in by_place.items():
        value = row[place].strip() if place < len(row) else ""
        if not value:
            continue
        state = _CELL_STATES.get(value)
        if state is None:
            return f"unparsable {header[place].strip()[:60]}"
        if attribute is None:
            clear |= state == "present"
        elif STATE_STRENGTH[state] >= STATE_STRENGTH[states.get(attribute, "absent")]:
            states[attribute] = state
    if clear:
        for attribute in by_place.values():
            if attribute is not None:
                states.setdefault(attribute, "absent")
    return states


def _years(text: str) -> int | None:
    """Whole years of "57", "57.0", "057Y" or "018M"; None for anything else or beyond 0 to 120."""
    match = re.fullmatch(r"(\d{1,3})(?:\.\d+)?([YyMm]?)", text)
    if match is None:
        return None
    years = int(match[1]) // (12 if match[2].lower() == "m" else 1)
    return years if years <= 120 else None


# ------------------------------------------------------------------------------------------------------------ the files


class _Files:
    """The images below a folder, found by relative path, by name, or by stem."""

    def __init__(self, folder: Path) -> None:
        paths = sorted(
            path.relative_to(folder)
            for path in folder.rglob("*")
            if path.suffix.lower() in SUFFIXES
            and not any(part.startswith(".") for part in path.parts[len(folder.parts) :])
        )
        self._folder = folder
        self._count = len(paths)
        self._by_name: defaultdict[str, list[Path]] = defaultdict(list)
        for path in paths:
            self._by_name[path.name].append(path)
            self._by_name[path.stem].append(path)

    def __len__(self) -> int:
        return self._count

    def find(self, name: str) -> tuple[Path | None, str]:
        """The image called `name` relative to the folder, or None and the reason."""
        if not name:
            return None, "missing image"
        relative = Path(name)
        if not relative.is_absolute() and ".." not in relative.parts and self._is_file(relative):
            return relative, ""
        matches = [path for path in self._by_name.get(relative.name, []) if _may_be(path, relative)]
        if len(matches) == 1:
            return matches[0], ""
        return None, "several images of this name" if matches else "image not found"

    def _is_file(self, relative: Path) -> bool:
        try:
            return (self._folder / relative).is_file()
        except OSError:  # a name longer than the file system takes is no file of it
            return False


def _may_be(path: Path, named: Path) -> bool:
    """Whether the folders that stand before both names agree: `b/1.png` is `x/b/1.png` and `1.png`, never `a/1.png`."""
    ours, theirs = path.parts[-2::-1], named.parts[-2::-1]
    return all(one == other for one, other in zip(ours, theirs, strict=False))


# ------------------------------------------------------------------------------------- ids of images, studies, patients


@dataclass(frozen=True)
class Person:
    """Patients of one or more sources who are the same person, and what their films say of them.

    Args:
        patients: Sorted; more than one when two sources, or two rows, share a film.
        digests: Of the person's films.
        sex: M, F or None.
        age: Years at the first film, or None.
    """

    patients: tuple[Patient, ...]
    digests: frozenset[str]
    sex: str | None
    age: int | None


def find_people(films: Sequence[FolderFilm]) -> list[Person]:
    """The people on the films, sorted; patients with a film of equal bytes are one person."""
    parent: dict[Patient, Patient] = {film.patient: film.patient for film in films}

    def top(patient: Patient) -> Patient:
        while parent[patient] != patient:
            patient = parent[patient]
        return patient

    owner: dict[str, Patient] = {}
    for film in films:
        one, other = top(film.patient), top(owner.setdefault(film.header.digest, film.patient))
        parent[max(one, other)] = min(one, other)
    groups: defaultdict[Patient, list[FolderFilm]] = defaultdict(list)
    for film in films:
        groups[top(film.patient)].append(film)
    return [
        Person(
            patients=tuple(sorted({film.patient for film in group})),
            digests=frozenset(film.header.digest for film in group),
            sex=next((film.sex for film in group if film.sex), None),
            age=min((film.age for film in group if film.age is not None), default=None),
        )
        for _, group in sorted(groups.items())
    ]


def pair_people(
    people: Sequence[Person], record: Sequence[tuple[int, str | None, int | None]], seed: int
) -> dict[Person, int]:
    """Person → subject_id of a record patient of the same sex and the nearest age; nobody twice.

    The fewer of the two choose, in a seeded order, those with sex and age known first; an unknown sex or age fits any.
    When one side runs out, the rest stay unpaired. This is a synthetic pairing: it makes data of the right form and no
    clinical truth.

    Args:
        people: Film patients.
        record: (subject_id, sex, age) of the record's patients.
        seed: Of the order.
    """
    order = np.random.default_rng([seed, len(people), len(record)])
    sides = [
        [(person.sex, person.age, place) for place, person in enumerate(people)],
        [(sex, age, place) for place, (_, sex, age) in enumerate(record)],
    ]
    shuffled = [[side[place] for place in order.permutation(len(side))] for side in sides]
    people_choose = len(people) <= len(record)
    choosing, waiting = shuffled if people_choose else shuffled[::-1]
    free: defaultdict[tuple[str | None, int | None], list[int]] = defaultdict(list)
    for sex, age, place in waiting:
        free[sex, age].append(place)
    pairs: dict[Person, int] = {}
    for sex, age, chooser in sorted(choosing, key=lambda each: (each[0] is None, each[1] is None)):
        fitting = [key for key, places in free.items() if places and (sex is None or key[0] in (sex, None))]
        if not fitting:
            continue
        nearest = min(fitting, key=lambda key: (key[0] is None, _years_apart(age, key[1]), str(key)))
        chosen = free[nearest].pop()
        person, patient = (chooser, chosen) if people_choose else (chosen, chooser)
        pairs[people[person]] = record[patient][0]
    return pairs


def _years_apart(one: int | None, other: int | None) -> int:
    """Years between two ages; an unknown age is farther from any than any known one."""
    return 1000 if one is None or other is None else abs(one - other)


def _number_people(
    connection: duckdb.DuckDBPyConnection, films: Sequence[FolderFilm], run: Run, *, pair_films: bool, seed: int
) -> dict[Patient, int]:
    """patient → subject_id; fills patients and subject_keys."""
    by_digest = dict(connection.execute("SELECT digest, min(subject_id) FROM films GROUP BY digest").fetchall())
    people = find_people(films)
    subjects: dict[Person, int] = {}
    for person in people:
        known = [by_digest[digest] for digest in person.digests if digest in by_digest]
        if known:
            subjects[person] = min(known)
    if pair_films:
        free = connection.execute(
            """SELECT subject_id, gender, anchor_age FROM patients ANTI JOIN films USING (subject_id)
               ORDER BY subject_id"""
        ).fetchall()
        subjects |= pair_people([person for person in people if person not in subjects], free, seed)
    first = max(FIRST_SUBJECT, scalar(connection, "SELECT coalesce(max(subject_id), 0) + 1 FROM patients"))
    new = [person for person in people if person not in subjects]
    run.kept["film patients"] = len(people)
    if pair_films:
        run.kept["film patients paired with record patients"] = len(people) - len(new)
    subjects |= {person: first + place for place, person in enumerate(new)}
    insert_rows(connection, "patients", [(subjects[p], p.sex, p.age, None, None, None) for p in new])
    keys = sorted((subjects[person], source, key) for person in people for source, key in person.patients)
    insert_rows(connection, "subject_keys", keys)
    return {patient: subjects[person] for person in people for patient in person.patients}


def _name_images(connection: duckdb.DuckDBPyConnection, films: Sequence[FolderFilm]) -> dict[tuple[str, Path], str]:
    """(source, path) → image_id: the file's stem where it is the only one in the record, else source and path."""
    taken = Counter(row[0] for row in connection.execute("SELECT image_id FROM films").fetchall())
    taken.update(film.path.stem for film in films)
    return {
        (film.patient[0], film.path): film.path.stem
        if taken[film.path.stem] == 1
        else f"{film.patient[0]}/{film.path.with_suffix('').as_posix()}"
        for film in films
    }


def _number_studies(
    connection: duckdb.DuckDBPyConnection, films: Sequence[FolderFilm]
) -> dict[tuple[Patient, str], int]:
    first = max(FIRST_STUDY, scalar(connection, "SELECT coalesce(max(study_id), 0) + 1 FROM films"))
    keys = sorted({(film.patient, film.study) for film in films})
    return {key: first + place for place, key in enumerate(keys)}

"""Where a record comes from: the folders, what they may be used for, and the choices that the import makes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from chartsight.errors import RecordError
from chartsight.schema import TERMS, Pairing, Terms

SHARE_ALIKE_LICENCE = "open database license"
MOST_MEMORY_GIB = 1_000_000  # DuckDB does not read larger numbers


@dataclass(frozen=True)
class FilmFolder:
    """A folder of images with a CSV that says whose they are and, if known, what they show.

    Any modality can be imported so; there is no specialised support for others than frontal chest films.

    Args:
        folder: The images stand anywhere below it.
        labels: CSV, one row an image; its columns are found by their usual names (see `film_folder.COLUMN_NAMES`).
        name: Of the source in the record; by default the folder's own.
        columns: For unusual headers, role → column: `{"image": "scan", "patient": "case no"}`.
        findings: Names of findings in the CSV that the vocabulary of `schema.py` lacks and the user declares.
        terms: What the images may be used for; `private` unless the user says otherwise.
    """

    folder: Path
    labels: Path
    name: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    findings: tuple[str, ...] = ()
    terms: Terms = "private"

    def __post_init__(self) -> None:
        object.__setattr__(self, "folder", Path(self.folder))  # a text is taken too
        object.__setattr__(self, "labels", Path(self.labels))

    @property
    def source(self) -> str:
        """The name that the record knows this folder by."""
        return self.name or self.folder.resolve().name


@dataclass(frozen=True)
class RecordSources:
    """Everything that one record is built from; each source may be absent, but not all.

    Args:
        mimiciv: MIMIC-IV (v2.2, v3.1, the demo, or the synthetic hospital): the folder with `hosp/` and `icu/`.
        mimic_iv_note: MIMIC-IV-Note: the folder with `note/`.
        mimic_cxr_jpg: MIMIC-CXR-JPG: the folder with `files/` and the metadata.
        mimic_cxr_reports: The reports of MIMIC-CXR: the folder of `files/p10/.../s50000123.txt`, or `files` itself.
        chest_imagenome: Chest ImaGenome: the folder with `silver_dataset/`.
        meds: MEDS events (a Parquet file or a data set's folder), from which `chartevents` is rebuilt when MIMIC's own
            file is absent.
        film_folders: Folders of images with a CSV each.
        terms: What the MIMIC sources may be used for, when the folders' own licence files do not say.
        pair_films: Give each film-folder patient to a record patient of like sex and age (a synthetic pairing).
        seed: Of that matching.
    """

    mimiciv: Path | None = None
    mimic_iv_note: Path | None = None
    mimic_cxr_jpg: Path | None = None
    mimic_cxr_reports: Path | None = None
    chest_imagenome: Path | None = None
    meds: Path | None = None
    film_folders: tuple[FilmFolder, ...] = ()
    terms: Terms | None = None
    pair_films: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        names = ("mimiciv", "mimic_iv_note", "mimic_cxr_jpg", "mimic_cxr_reports", "chest_imagenome", "meds")
        for name in names:
            if getattr(self, name) is not None:
                object.__setattr__(self, name, Path(getattr(self, name)))  # a text is taken too

    def folders(self) -> dict[str, Path]:
        """The MIMIC sources that are given, by the name of their flag."""
        given = {
            "mimiciv": self.mimiciv,
            "mimic-iv-note": self.mimic_iv_note,
            "mimic-cxr-jpg": self.mimic_cxr_jpg,
            "mimic-cxr-reports": self.mimic_cxr_reports,
            "chest-imagenome": self.chest_imagenome,
            "meds": self.meds,
        }
        return {name: Path(path) for name, path in given.items() if path is not None}

    def check(self) -> None:
        """Nothing, when the sources can make a record.

        Raises:
            RecordError: None is given, one is missing, or one needs another that is not given.
        """
        folders = self.folders()
        if not folders and not self.film_folders:
            raise RecordError("no-source", "records build", "no source is given", "--mimiciv or --films, or both")
        for name, path in folders.items():
            if not path.exists():
                raise RecordError("missing-source", path, "no such file or folder", f"the folder of --{name}")
        for needing, needed in (
            ("mimic-iv-note", "mimiciv"),
            ("meds", "mimiciv"),
            ("chest-imagenome", "mimic-cxr-jpg"),
            ("mimic-cxr-reports", "mimic-cxr-jpg"),
        ):
            if needing in folders and needed not in folders:
                raise RecordError("missing-source", f"--{needing}", "is given alone", f"--{needed} beside it")
        if self.seed < 0:
            raise RecordError("bad-seed", "seed", str(self.seed), "0 or more")
        for where, terms in [("terms", self.terms), *((each.folder, each.terms) for each in self.film_folders)]:
            if terms is not None and terms not in TERMS:
                raise RecordError("bad-terms", where, repr(terms), " or ".join(TERMS))
        names = [folder.source for folder in self.film_folders]
        if len(set(names)) < len(names):
            raise RecordError("repeated-source", "--films", "two film folders have one name", "a name of its own each")
        if self.pair_films and not (self.film_folders and self.mimiciv):
            raise RecordError(
                "nothing-to-pair", "--pair-films", "needs films and patients", "--films and --mimiciv together"
            )


def detect_terms(path: Path, declared: Terms | None = None) -> Terms:
    """What a MIMIC source may be used for: its own licence, else what the user declares, else `credentialed`.

    The demo's licence is share-alike. A folder that the synthetic hospital wrote says so in its `run.json`.
    """
    path = Path(path)
    folder = path if path.is_dir() else path.parent
    if synthetic_manifest(folder) is not None:
        return "synthetic"
    if (folder / "demo_subject_id.csv").is_file() or any(map(_is_share_alike, sorted(folder.glob("LICENSE*")))):
        return "share-alike"
    return declared or "credentialed"


def detect_pairing(path: Path) -> Pairing:
    """How films and tables of a MIMIC source belong together; the synthetic hospital's own word for its folders."""
    manifest = synthetic_manifest(path if path.is_dir() else path.parent)
    if manifest is None:
        return "real"
    return "real" if manifest.get("pairing") == "real" else "synthetic"


def synthetic_manifest(folder: Path) -> Mapping[str, object] | None:
    """The synthetic hospital's manifest, in the folder or above it; None for any other folder."""
    for place in (folder, folder.resolve().parent):
        path = place / "run.json"
        if path.is_file():
            try:
                manifest = json.loads(path.read_text("utf-8"))
            except ValueError:
                continue
            if isinstance(manifest, dict) and manifest.get("verb") == "hospital":
                return manifest
    return None


def _is_share_alike(licence: Path) -> bool:
    return SHARE_ALIKE_LICENCE in licence.read_text("utf-8", errors="replace")[:4000].lower()

"""Every family answered a second time: loops and sets over the synthetic hospital's own files, no SQL, no labels.

Tables come from its CSV files, films from `truth.parquet`, which no reader, report or labeller has touched.
"""

from __future__ import annotations

import csv
import gzip
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

Row = dict[str, Any]
MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
          "December")  # fmt: skip
RANGES = {"Heart Rate": (60, 100), "Respiratory Rate": (12, 18), "O2 saturation pulseoxymetry": (95, 100),
          "Temperature Celsius": (35.5, 38.1), "Arterial Blood Pressure systolic": (90, 120),
          "Arterial Blood Pressure diastolic": (60, 90), "Arterial Blood Pressure mean": (60, 110)}  # fmt: skip
CATEGORY_WORDS = {"anatomical finding": "anatomicalfinding", "disease": "disease", "tube or line": "tubesandlines",
                  "device": "device", "technical limitation": "technicalassessment"}  # fmt: skip
CATEGORIES_WORDS = {"anatomical findings": "anatomicalfinding", "diseases": "disease",
                    "tubes and lines": "tubesandlines", "devices": "device",
                    "technical limitations": "technicalassessment"}  # fmt: skip
ABNORMAL = {"anatomicalfinding", "disease", "tubesandlines", "device"}
CHARGED = {"laboratory tests": "labevents", "prescriptions": "prescriptions", "diagnoses": "diagnoses_icd",
           "procedures": "procedures_icd"}  # fmt: skip
FACTS = {"insurance": "insurance", "language": "language", "marital status": "marital_status", "race": "race",
         "admission type": "admission_type", "admission location": "admission_location",
         "discharge location": "discharge_location"}  # fmt: skip
PATIENT_TABLES = (
    "admissions", "icustays", "transfers", "prescriptions", "labevents", "chartevents", "inputevents", "outputevents",
    "microbiologyevents", "diagnoses_icd", "procedures_icd", "cost", "patients",
)  # fmt: skip
LUNG_PARTS = ("apical zone", "upper lung zone", "mid lung zone", "lower lung zone", "costophrenic angle",
              "hilar structures")  # fmt: skip
MEDIASTINAL_PARTS = ("upper mediastinum", "cardiac silhouette", "aortic arch", "carina", "cavoatrial junction", "svc",
                     "trachea", "right atrium")  # fmt: skip
COUNTS = {"two": 2, "three": 3, "four": 4, "five": 5}
RANKS = {"first": (0, False), "second": (1, False), "last": (0, True), "second to last": (1, True)}


def moment(text: str | None) -> datetime | None:
    return None if not text else datetime.fromisoformat(text)


def with_wholes(place: str) -> set[str]:
    """A place and what it is a part of: what stands in the trachea stands in the mediastinum."""
    side, _, part = place.partition(" ")
    if side in ("left", "right") and part in LUNG_PARTS:
        return {place, f"{side} lung"}
    return {place, "mediastinum"} if place in MEDIASTINAL_PARTS else {place}


def add_months(when: datetime, n: int) -> datetime:
    """As SQLite: the month moves, and a day that it does not have runs into the next."""
    month = when.year * 12 + when.month - 1 + n
    return datetime(month // 12, month % 12 + 1, 1, when.hour, when.minute, when.second) + timedelta(days=when.day - 1)


class PlainHospital:
    """One synthetic hospital, read plainly."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._tables: dict[str, list[Row]] = {}
        self._kept: dict[tuple[str, str | None], list[Row]] = {}

    def table(self, name: str) -> list[Row]:
        if name not in self._tables:
            (path,) = self.folder.glob(f"mimic-iv/*/{name}.csv.gz")
            with gzip.open(path, "rt", newline="") as file:
                self._tables[name] = [{k: v or None for k, v in row.items()} for row in csv.DictReader(file)]
        return self._tables[name]

    @cached_property
    def by_patient(self) -> dict[tuple[str, str], list[Row]]:
        found: dict[tuple[str, str], list[Row]] = defaultdict(list)
        for name in PATIENT_TABLES:
            for row in self.table(name):
                found[name, row["subject_id"]].append(row)
        return found

    def of(self, name: str, patient: str | None = None) -> list[Row]:
        return self.table(name) if patient is None else self.by_patient[name, patient]

    @cached_property
    def lab_name(self) -> dict[str, Any]:
        return {row["itemid"]: row["label"] for row in self.table("d_labitems")}

    @cached_property
    def item_name(self) -> dict[str, Any]:
        return {row["itemid"]: row["label"] for row in self.table("d_items")}

    @cached_property
    def titles(self) -> dict[tuple[str, str, str], Any]:
        return {
            (kind, row["icd_code"], row["icd_version"]): row["long_title"]
            for kind in ("diagnoses", "procedures")
            for row in self.table(f"d_icd_{kind}")
        }

    @cached_property
    def admitted(self) -> dict[str, Row]:
        return {row["hadm_id"]: row for row in self.table("admissions")}

    @cached_property
    def person(self) -> dict[str, Row]:
        return {row["subject_id"]: row for row in self.table("patients")}

    @cached_property
    def films(self) -> list[Row]:
        """One row a study: its frontal film, with the set of (attribute, object) and the category of each attribute."""
        studies: dict[int, Row] = {}
        for row in pq.read_table(self.folder / "truth.parquet").to_pylist():
            if row["view_position"] == "LATERAL":
                continue
            film = studies.setdefault(
                row["study_id"],
                {"study_id": str(row["study_id"]), "subject_id": str(row["subject_id"]), "at": row["studydatetime"],
                 "shown": set(), "category": {}},
            )  # fmt: skip
            if row["attribute"] is not None:
                film["shown"] |= {(row["attribute"], place) for place in with_wholes(row["object"])}
                film["category"][row["attribute"]] = row["category"]
        reports = {path.stem[1:]: path for path in self.folder.glob("mimic-cxr-reports/files/p*/p*/s*.txt")}
        for film in studies.values():
            stays = [
                row for row in self.by_patient["admissions", film["subject_id"]]
                if moment(row["admittime"]) <= film["at"] <= moment(row["dischtime"])  # type: ignore[operator]
            ]  # fmt: skip
            film["hadm_id"] = stays[-1]["hadm_id"] if stays else None
            film["report"] = reports[film["study_id"]].read_text() if film["study_id"] in reports else None
        return sorted(studies.values(), key=lambda film: (film["subject_id"], film["at"], film["study_id"]))

    @cached_property
    def films_by_patient(self) -> dict[str, list[Row]]:
        found: dict[str, list[Row]] = defaultdict(list)
        for film in self.films:
            found[film["subject_id"]].append(film)
        return found

    def films_of(self, patient: str) -> list[Row]:
        return self.films_by_patient[patient]

    def film(self, study: str) -> Row:
        return next(film for film in self.films if film["study_id"] == study)

    def kept(self, name: str, patient: str | None, read: Callable[[Row], Row | None]) -> list[Row]:
        """The rows of a table as `read` makes them, read once."""
        if (name, patient) not in self._kept:
            made = (read(row) for row in self.of(name, patient))
            self._kept[name, patient] = [row for row in made if row is not None]
        return self._kept[name, patient]

    def drugs(self, patient: str | None = None) -> list[Row]:
        return self.kept("prescriptions", patient, lambda row: {**row, "at": moment(row["starttime"])})

    def labs(self, patient: str | None, lab: str | None = None) -> list[Row]:
        def read(row: Row) -> Row:
            number = None if row["valuenum"] is None else float(row["valuenum"])
            return {**row, "name": self.lab_name[row["itemid"]], "at": moment(row["charttime"]), "number": number}

        rows = self.kept("labevents", patient, read)
        return rows if lab is None else [row for row in rows if row["name"] == lab]

    def vitals(self, patient: str, vital: str) -> list[Row]:
        def read(row: Row) -> Row | None:
            if row["valuenum"] is None:
                return None
            name = self.item_name[row["itemid"]]
            return {**row, "name": name, "at": moment(row["charttime"]), "number": float(row["valuenum"])}

        return [row for row in self.kept("chartevents", patient, read) if row["name"] == vital]

    def fluids(self, name: str, patient: str, item: str | None = None) -> list[Row]:
        time, value = ("starttime", "amount") if name == "inputevents" else ("charttime", "value")

        def read(row: Row) -> Row:
            return {**row, "name": self.item_name[row["itemid"]], "at": moment(row[time]), "number": float(row[value])}

        return [row for row in self.kept(name, patient, read) if item in (None, row["name"])]

    def cultures(self, patient: str | None, specimen: str) -> list[Row]:
        rows = self.kept("microbiologyevents", patient, lambda row: {**row, "at": moment(row["charttime"])})
        return [row for row in rows if row["spec_type_desc"] == specimen]

    def diagnoses(self, patient: str | None = None, title: str | None = None) -> list[Row]:
        def read(row: Row) -> Row | None:
            name = self.titles.get(("diagnoses", row["icd_code"], row["icd_version"]))
            at = moment(self.admitted[row["hadm_id"]]["admittime"])
            return None if name is None else {**row, "title": name, "at": at}

        return [row for row in self.kept("diagnoses_icd", patient, read) if title in (None, row["title"])]

    def procedures(self, patient: str | None = None, title: str | None = None) -> list[Row]:
        def read(row: Row) -> Row | None:
            name = self.titles.get(("procedures", row["icd_code"], row["icd_version"]))
            return None if name is None else {**row, "title": name, "at": moment(row["chartdate"])}

        return [row for row in self.kept("procedures_icd", patient, read) if title in (None, row["title"])]

    def stays(self, patient: str | None = None) -> list[Row]:
        return self.kept(
            "admissions", patient, lambda row: {**row, "at": moment(row["admittime"]), "end": moment(row["dischtime"])}
        )

    def icu_stays(self, patient: str | None = None) -> list[Row]:
        return self.kept(
            "icustays", patient, lambda row: {**row, "at": moment(row["intime"]), "end": moment(row["outtime"])}
        )

    def charges(self, patient: str | None = None) -> list[Row]:
        return self.kept(
            "cost", patient, lambda row: {**row, "at": moment(row["chargetime"]), "number": float(row["cost"])}
        )

    def age(self, patient: str, at: datetime) -> int:
        person = self.person[patient]
        return int(person["anchor_age"]) + at.year - int(person["anchor_year"])

    # ------------------------------------------------------------------------------------------------------- time

    def within(self, words: str, rows: Iterable[Row], now: datetime, patient: str | None = None) -> list[Row]:
        return [row for row in rows if self.lies_in(words, row, now, patient)]

    def lies_in(self, words: str, row: Row, now: datetime, patient: str | None) -> bool:
        at = row["at"]
        if not words:
            return True
        if found := re.fullmatch(r"during the (first|last|current) (hospital|ICU) stay", words):
            stays = sorted(
                self.stays(patient) if found[2] == "hospital" else self.icu_stays(patient),
                key=lambda stay: (stay["at"], int(stay["hadm_id" if found[2] == "hospital" else "stay_id"])),
            )
            key = "hadm_id" if found[2] == "hospital" else "stay_id"
            if found[1] == "current":
                return row[key] in [stay[key] for stay in stays if stay["at"] <= now <= stay["end"]]
            return bool(stays) and row[key] == stays[0 if found[1] == "first" else -1][key]
        if at is None:
            return False
        month = now.year * 12 + now.month - at.year * 12 - at.month
        if words in ("this year", "last year"):
            return bool(now.year - at.year == (words == "last year"))
        if words in ("this month", "last month"):
            return bool(month == (words == "last month"))
        if found := re.fullmatch(r"in (\w+) of (this|last) year", words):
            return bool(now.year - at.year == (found[2] == "last") and MONTHS[at.month - 1] == found[1])
        if found := re.fullmatch(r"on day (\d\d) of (this|last) month", words):
            return bool(month == (found[2] == "last") and at.day == int(found[1]))
        if found := re.fullmatch(r"(since|until) (\d+) (days|months|years) ago", words):
            n = int(found[2])
            edge = (
                now - timedelta(days=n)
                if found[3] == "days"
                else add_months(now, -n * (12 if found[3] == "years" else 1))
            )
            return bool(at >= edge if found[1] == "since" else at <= edge)
        found = re.fullmatch(r"(in|on|since|until) (?:(\d\d)/)?(?:(\d\d)/)?(\d{4})", words)
        assert found, words
        wanted = [int(found[4])] + [int(part) for part in (found[2], found[3]) if part]
        mine = [at.year, at.month, at.day][: len(wanted)]
        return mine >= wanted if found[1] == "since" else mine <= wanted if found[1] == "until" else mine == wanted

    def follows(self, words: str, earlier: Row, later: Row) -> bool:
        a, b = earlier["at"], later["at"]
        if a is None or b is None or b <= a:
            return False
        if words == "on the same day":
            return bool(a.date() == b.date())
        if words == "in the same month":
            return bool((a.year, a.month) == (b.year, b.month))
        if words == "during the same hospital stay":
            return earlier["hadm_id"] is not None and earlier["hadm_id"] == later["hadm_id"]
        if found := re.fullmatch(r"within (\d+) (days|months)", words):
            n = int(found[1])
            return bool(b <= (a + timedelta(days=n) if found[2] == "days" else add_months(a, n)))
        assert words == "at any time"
        return True

    # ------------------------------------------------------------------------------------------------------- films

    @staticmethod
    def shows(film: Row, words: str) -> bool:
        what, _, where = words.partition(" in the ")
        places = [pair for pair in film["shown"] if not where or pair[1] == where]
        if what == "any abnormality":
            return any(film["category"][attribute] in ABNORMAL for attribute, _ in places)
        if what.startswith("any "):
            return any(film["category"][attribute] == CATEGORY_WORDS[what[4:]] for attribute, _ in places)
        return any(attribute == what for attribute, _ in places)

    @staticmethod
    def lists(film: Row, words: str) -> set[str]:
        what, _, where = words.partition(" in the ")
        wanted = ABNORMAL if what == "findings" else {CATEGORIES_WORDS[what]}
        return {a for a, place in film["shown"] if film["category"][a] in wanted and (not where or place == where)}


def nth(rows: Iterable[Row], rank: str, *ids: str) -> Row | None:
    """The row of this rank by time, then by ids, both in its direction."""
    skip, is_last = RANKS[rank]
    ordered = sorted(rows, key=lambda row: (row["at"], *(_number(row[key]) for key in ids)), reverse=is_last)
    return ordered[skip] if skip < len(ordered) else None


def _number(value: Any) -> Any:
    return float(value) if re.fullmatch(r"-?\d+(\.\d+)?", str(value)) else str(value)


def statistic(name: str, numbers: list[float]) -> float | None:
    if not numbers:
        return None
    return {"highest": max(numbers), "lowest": min(numbers), "average": sum(numbers) / len(numbers)}[name]


def span(unit: str, a: datetime, b: datetime) -> float:
    return (b - a).total_seconds() / (86400 if unit == "days" else 3600)


def top(counts: Counter[Any], k: int) -> set[Any]:
    best = sorted(set(counts.values()), reverse=True)[:k]
    return {name for name, n in counts.items() if n in best}


def answer_plainly(hospital: PlainHospital, template_id: str, s: dict[str, str], now: datetime) -> Any:
    """The answer of one question: a value, or a set of texts."""
    return ANSWERS[template_id](hospital, s, now)


Answer = Callable[[PlainHospital, dict[str, str], datetime], Any]
ANSWERS: dict[str, Answer] = {}


def pick(row: Row | None, key: str) -> Any:
    return None if row is None else row[key]


def written(when: datetime | None) -> str | None:
    return None if when is None else when.strftime("%Y-%m-%d %H:%M:%S")


def first_or_last(h: PlainHospital, s: dict[str, str], now: datetime) -> Row | None:
    return nth(h.within(s.get("period", ""), h.films_of(s["patient"]), now, s["patient"]), s["end"], "study_id")


def changed(s: dict[str, str], before: Row, after: Row) -> bool:
    was, is_now = PlainHospital.shows(before, s["finding"]), PlainHospital.shows(after, s["finding"])
    return {"new": (False, True), "resolved": (True, False), "still present": (True, True),
            "still absent": (False, False)}[s["change"]] == (was, is_now)  # fmt: skip


def before(h: PlainHospital, study: str) -> Row:
    this = h.film(study)
    return [film for film in h.films_of(this["subject_id"]) if film["at"] < this["at"]][-1]


def showing(h: PlainHospital, s: dict[str, str], films: Iterable[Row], slot: str = "finding") -> list[Row]:
    return [film for film in films if h.shows(film, s[slot])]


def register() -> None:
    """Every family, in the order of its file."""
    A = ANSWERS
    # ------------------------------------------------------------------------------------------------------ one film
    A["image-one/study-verify"] = lambda h, s, now: h.shows(h.film(s["study"]), s["finding"])
    A["image-one/study-list"] = lambda h, s, now: h.lists(h.film(s["study"]), s["listing"])
    A["image-one/patient-verify"] = lambda h, s, now: h.shows(first_or_last(h, s, now), s["finding"])  # type: ignore[arg-type]
    A["image-one/patient-list"] = lambda h, s, now: h.lists(first_or_last(h, s, now), s["listing"])  # type: ignore[arg-type]

    def two_findings(h: PlainHospital, s: dict[str, str], now: datetime) -> list[bool]:
        film = first_or_last(h, s, now)
        assert film is not None
        return [h.shows(film, s["finding"]), h.shows(film, s["finding2"])]

    A["image-one/patient-both"] = lambda h, s, now: all(two_findings(h, s, now))
    A["image-one/patient-either"] = lambda h, s, now: any(two_findings(h, s, now))
    A["image-one/patient-common"] = lambda h, s, now: (
        h.lists(first_or_last(h, s, now), s["listing"]) & h.lists(first_or_last(h, s, now), s["listing2"])  # type: ignore[arg-type]
    )
    # ----------------------------------------------------------------------------------------------------- two films
    A["image-two/change"] = lambda h, s, now: changed(s, h.film(s["study"]), h.film(s["study2"]))
    A["image-two/change-from-previous"] = lambda h, s, now: changed(s, before(h, s["study"]), h.film(s["study"]))

    def dated(h: PlainHospital, s: dict[str, str], now: datetime) -> bool:
        films = h.films_of(s["patient"])
        earlier, later = h.within(s["calendar"], films, now), h.within(s["calendar2"], films, now)
        return bool(earlier and later) and changed(s, earlier[0], later[-1])

    A["image-two/change-dated"] = dated
    A["image-two/change-of-last"] = lambda h, s, now: changed(s, *h.films_of(s["patient"])[-2:])
    A["image-two/new"] = lambda h, s, now: (
        h.lists(h.film(s["study2"]), s["listing"]) - h.lists(h.film(s["study"]), s["listing"])
    )
    A["image-two/resolved"] = lambda h, s, now: (
        h.lists(h.film(s["study"]), s["listing"]) - h.lists(h.film(s["study2"]), s["listing"])
    )
    A["image-two/persisting"] = lambda h, s, now: (
        h.lists(h.film(s["study"]), s["listing"]) & h.lists(h.film(s["study2"]), s["listing"])
    )
    A["image-two/new-from-previous"] = lambda h, s, now: (
        h.lists(h.film(s["study"]), s["listing"]) - h.lists(before(h, s["study"]), s["listing"])
    )
    # ---------------------------------------------------------------------------------------------------- many films

    def in_period(h: PlainHospital, s: dict[str, str], now: datetime) -> list[Row]:
        return h.within(s.get("period", ""), h.films_of(s["patient"]), now, s["patient"])

    A["image-many/since"] = lambda h, s, now: span(
        s["unit"],
        nth(showing(h, s, h.films_of(s["patient"])), s["end"], "study_id")["at"],
        now,  # type: ignore[index]
    )
    A["image-many/when"] = lambda h, s, now: written(
        pick(nth(showing(h, s, in_period(h, s, now)), s["rank"], "study_id"), "at")
    )
    A["image-many/ever"] = lambda h, s, now: bool(showing(h, s, in_period(h, s, now)))
    A["image-many/always"] = lambda h, s, now: len(showing(h, s, in_period(h, s, now))) == len(in_period(h, s, now))
    A["image-many/how-often"] = lambda h, s, now: len(showing(h, s, in_period(h, s, now)))
    A["image-many/which"] = lambda h, s, now: {film["study_id"] for film in showing(h, s, in_period(h, s, now))}
    A["image-many/only-one-of-two"] = lambda h, s, now: sum(
        not h.shows(film, s["finding2"]) for film in showing(h, s, h.films_of(s["patient"]))
    )
    # --------------------------------------------------------------------------------------------------- all patients

    def patients_of(films: Iterable[Row]) -> set[str]:
        return {film["subject_id"] for film in films}

    def all_showing(h: PlainHospital, s: dict[str, str], now: datetime) -> list[Row]:
        return showing(h, s, h.within(s.get("calendar", ""), h.films, now))

    A["image-group/count-patients"] = lambda h, s, now: len(patients_of(all_showing(h, s, now)))
    A["image-group/list-patients"] = lambda h, s, now: patients_of(all_showing(h, s, now))
    A["image-group/count-studies"] = lambda h, s, now: len(all_showing(h, s, now))
    A["image-group/count-both"] = lambda h, s, now: len(patients_of(showing(h, s, all_showing(h, s, now), "finding2")))
    A["image-group/count-repeated"] = lambda h, s, now: sum(
        n >= COUNTS[s["times"]] for n in Counter(film["subject_id"] for film in showing(h, s, h.films)).values()
    )
    A["image-group/count-newly"] = lambda h, s, now: len(
        {film["subject_id"] for film in all_showing(h, s, now)
         if any(each["at"] < film["at"] and not h.shows(each, s["finding"]) for each in h.films_of(film["subject_id"]))}
    )  # fmt: skip
    # ------------------------------------------------------------------------------------------- tables, no patient
    A["table-none/charge"] = lambda h, s, now: statistic(
        s["statistic"], [row["number"] for row in h.charges() if row["event_type"] == CHARGED[s["charge"]]]
    )
    A["table-none/route"] = lambda h, s, now: {
        row["route"] for row in h.drugs() if row["drug"] == s["drug"] and row["route"]
    }
    A["table-none/abbreviation"] = lambda h, s, now: {
        row["abbreviation"] for row in h.table("d_items") if row["label"] == s["item"]
    }
    A["table-none/meaning"] = lambda h, s, now: {
        row["label"] for row in h.table("d_items") if row["abbreviation"] == s["abbreviation"]
    }
    A["table-none/fluid"] = lambda h, s, now: {
        row["fluid"] for row in h.table("d_labitems") if row["label"] == s["lab"]
    }
    A["table-none/unit"] = lambda h, s, now: {row["valueuom"] for row in h.labs(None, s["lab"]) if row["valueuom"]}
    A["table-none/diagnosis-code"] = lambda h, s, now: h.titles["diagnoses", s["code"], s["n"]]
    A["table-none/procedure-code"] = lambda h, s, now: h.titles["procedures", s["code"], s["n"]]
    register_one_patient()
    register_groups()
    register_both()


def register_one_patient() -> None:
    A = ANSWERS

    def inside(h: PlainHospital, s: dict[str, str], now: datetime, rows: Iterable[Row]) -> list[Row]:
        return h.within(s.get("period", s.get("icu", s.get("calendar", ""))), rows, now, s["patient"])

    A["table-single/gender"] = lambda h, s, now: h.person[s["patient"]]["gender"]
    A["table-single/died"] = lambda h, s, now: h.person[s["patient"]]["dod"] is not None
    A["table-single/age"] = lambda h, s, now: h.age(s["patient"], nth(h.stays(s["patient"]), s["end"], "hadm_id")["at"])  # type: ignore[index]
    A["table-single/admission-fact"] = lambda h, s, now: pick(
        nth([row for row in h.stays(s["patient"]) if row[FACTS[s["fact"]]]], s["end"], "hadm_id"), FACTS[s["fact"]]
    )

    def length(stay: Row | None, unit: str) -> float | None:
        return None if stay is None else span(unit, stay["at"], stay["end"])

    A["table-single/length-of-stay"] = lambda h, s, now: length(
        nth(h.stays(s["patient"]), s["end"], "hadm_id"), s["unit"]
    )
    A["table-single/length-of-icu-stay"] = lambda h, s, now: length(
        nth(h.icu_stays(s["patient"]), s["end"], "stay_id"), s["unit"]
    )
    A["table-single/count-stays"] = lambda h, s, now: len(inside(h, s, now, h.stays(s["patient"])))
    A["table-single/count-icu-stays"] = lambda h, s, now: len(inside(h, s, now, h.icu_stays(s["patient"])))
    A["table-single/when-admitted"] = lambda h, s, now: written(
        pick(nth(inside(h, s, now, h.stays(s["patient"])), s["rank"], "hadm_id"), "at")
    )

    def units(h: PlainHospital, patient: str) -> list[Row]:
        return [{**row, "at": moment(row["intime"])} for row in h.of("transfers", patient) if row["careunit"]]

    A["table-single/nth-careunit"] = lambda h, s, now: pick(
        nth(inside(h, s, now, units(h, s["patient"])), s["rank"], "transfer_id"), "careunit"
    )

    def since(rows: Iterable[Row], s: dict[str, str], now: datetime, key: str) -> float | None:
        row = nth(rows, s["end"], key)
        return None if row is None else span(s["unit"], row["at"], now)

    A["table-single/since-admission"] = lambda h, s, now: since(h.stays(s["patient"]), s, now, "hadm_id")
    A["table-single/since-icu"] = lambda h, s, now: since(h.icu_stays(s["patient"]), s, now, "stay_id")

    def drug(h: PlainHospital, s: dict[str, str]) -> list[Row]:
        return [row for row in h.drugs(s["patient"]) if row["drug"] == s["drug"]]

    def valued(h: PlainHospital, s: dict[str, str]) -> list[Row]:
        return [row for row in h.labs(s["patient"], s["lab"]) if row["number"] is not None]

    A["table-single/since-drug"] = lambda h, s, now: since(drug(h, s), s, now, "pharmacy_id")
    A["table-single/since-lab"] = lambda h, s, now: since(valued(h, s), s, now, "labevent_id")
    A["table-single/since-diagnosis"] = lambda h, s, now: since(
        h.diagnoses(s["patient"], s["diagnosis"]), s, now, "hadm_id"
    )

    A["table-single/nth-drug"] = lambda h, s, now: pick(
        nth(inside(h, s, now, h.drugs(s["patient"])), s["rank"], "pharmacy_id", "drug"), "drug"
    )
    A["table-single/when-drug"] = lambda h, s, now: written(
        pick(nth(inside(h, s, now, drug(h, s)), s["rank"], "pharmacy_id"), "at")
    )
    A["table-single/whether-drug"] = lambda h, s, now: bool(inside(h, s, now, drug(h, s)))
    A["table-single/count-drug"] = lambda h, s, now: len(inside(h, s, now, drug(h, s)))
    A["table-single/whether-route"] = lambda h, s, now: any(
        row["route"] == s["route"] for row in inside(h, s, now, h.drugs(s["patient"]))
    )
    A["table-single/dose"] = lambda h, s, now: pick(
        nth([row for row in inside(h, s, now, drug(h, s)) if row["dose_val_rx"]], s["rank"], "pharmacy_id"),
        "dose_val_rx",
    )
    A["table-single/list-drugs"] = lambda h, s, now: {row["drug"] for row in inside(h, s, now, h.drugs(s["patient"]))}
    A["table-single/count-drugs"] = lambda h, s, now: len({r["drug"] for r in inside(h, s, now, h.drugs(s["patient"]))})

    A["table-single/nth-lab"] = lambda h, s, now: pick(
        nth(inside(h, s, now, valued(h, s)), s["rank"], "labevent_id"), "number"
    )
    A["table-single/lab-statistic"] = lambda h, s, now: statistic(
        s["statistic"], [row["number"] for row in inside(h, s, now, valued(h, s))]
    )
    A["table-single/when-lab"] = lambda h, s, now: written(
        pick(nth(inside(h, s, now, valued(h, s)), s["rank"], "labevent_id"), "at")
    )

    def extreme(h: PlainHospital, s: dict[str, str], now: datetime) -> str | None:
        rows = inside(h, s, now, valued(h, s))
        sign = -1 if s["extreme"] == "highest" else 1
        return written(
            pick(min(rows, key=lambda row: (sign * row["number"], int(row["labevent_id"])), default=None), "at")
        )

    A["table-single/when-lab-extreme"] = extreme
    A["table-single/whether-lab"] = lambda h, s, now: bool(inside(h, s, now, h.labs(s["patient"], s["lab"])))
    A["table-single/lab-abnormal"] = lambda h, s, now: any(
        row["flag"] == "abnormal" for row in inside(h, s, now, h.labs(s["patient"], s["lab"]))
    )
    A["table-single/count-lab"] = lambda h, s, now: len(inside(h, s, now, h.labs(s["patient"], s["lab"])))

    def compared(h: PlainHospital, s: dict[str, str], now: datetime) -> bool:
        last, previous = (nth(valued(h, s), rank, "labevent_id") for rank in ("last", "second to last"))
        assert last is not None
        assert previous is not None
        a, b = last["number"], previous["number"]
        return bool(a > b if s["direction"] == "higher" else a < b)

    A["table-single/lab-compared"] = compared

    def charted(h: PlainHospital, s: dict[str, str], now: datetime) -> list[Row]:
        return inside(h, s, now, h.vitals(s["patient"], s["vital"]))

    def strange(h: PlainHospital, s: dict[str, str], now: datetime) -> list[Row]:
        low, high = RANGES[s["vital"]]
        return [
            row
            for row in charted(h, s, now)
            if (row["number"] > high if s["range"] == "above" else row["number"] < low)
        ]

    A["table-single/nth-vital"] = lambda h, s, now: pick(
        nth(charted(h, s, now), s["rank"], "stay_id", "number"), "number"
    )
    A["table-single/vital-statistic"] = lambda h, s, now: statistic(
        s["statistic"], [r["number"] for r in charted(h, s, now)]
    )
    A["table-single/vital-out-of-range"] = lambda h, s, now: bool(strange(h, s, now))
    A["table-single/count-vital-out-of-range"] = lambda h, s, now: len(strange(h, s, now))
    A["table-single/when-vital-out-of-range"] = lambda h, s, now: written(
        pick(nth(strange(h, s, now), s["end"], "stay_id"), "at")
    )

    def taken(h: PlainHospital, s: dict[str, str], now: datetime, *, only_ml: bool = True) -> list[Row]:
        rows = inside(h, s, now, h.fluids("inputevents", s["patient"], s.get("input")))
        return [row for row in rows if row["amountuom"] == "ml" or not only_ml]

    def lost(h: PlainHospital, s: dict[str, str], now: datetime) -> list[Row]:
        return inside(h, s, now, h.fluids("outputevents", s["patient"], s.get("output")))

    def total(rows: list[Row]) -> float | None:
        return sum(row["number"] for row in rows) if rows else None

    A["table-single/total-input"] = lambda h, s, now: total(taken(h, s, now))
    A["table-single/whether-input"] = lambda h, s, now: bool(taken(h, s, now, only_ml=False))
    A["table-single/nth-input"] = lambda h, s, now: pick(nth(taken(h, s, now), s["rank"], "orderid"), "number")
    A["table-single/total-output"] = lambda h, s, now: total(lost(h, s, now))
    A["table-single/nth-output"] = lambda h, s, now: pick(
        nth(lost(h, s, now), s["rank"], "stay_id", "number"), "number"
    )
    A["table-single/when-output"] = lambda h, s, now: written(pick(nth(lost(h, s, now), s["end"], "stay_id"), "at"))
    A["table-single/fluid-balance"] = lambda h, s, now: total(taken(h, s, now)) - total(lost(h, s, now))  # type: ignore[operator]

    def cultured(h: PlainHospital, s: dict[str, str], now: datetime) -> list[Row]:
        return inside(h, s, now, h.cultures(s["patient"], s["specimen"]))

    A["table-single/nth-organism"] = lambda h, s, now: pick(
        nth([row for row in cultured(h, s, now) if row["org_name"] and row["at"]], s["rank"], "microevent_id"),
        "org_name",
    )
    A["table-single/list-organisms"] = lambda h, s, now: {r["org_name"] for r in cultured(h, s, now) if r["org_name"]}
    A["table-single/whether-culture"] = lambda h, s, now: bool(cultured(h, s, now))
    A["table-single/when-culture"] = lambda h, s, now: written(
        pick(nth([row for row in cultured(h, s, now) if row["at"]], s["rank"], "microevent_id"), "at")
    )

    A["table-single/list-diagnoses"] = lambda h, s, now: {
        r["title"] for r in inside(h, s, now, h.diagnoses(s["patient"]))
    }
    A["table-single/whether-diagnosis"] = lambda h, s, now: bool(
        inside(h, s, now, h.diagnoses(s["patient"], s["diagnosis"]))
    )
    A["table-single/when-diagnosis"] = lambda h, s, now: written(
        pick(nth(h.diagnoses(s["patient"], s["diagnosis"]), s["end"], "hadm_id"), "at")
    )
    A["table-single/list-procedures"] = lambda h, s, now: {
        r["title"] for r in inside(h, s, now, h.procedures(s["patient"]))
    }
    A["table-single/whether-procedure"] = lambda h, s, now: bool(
        inside(h, s, now, h.procedures(s["patient"], s["procedure"]))
    )
    A["table-single/count-procedure"] = lambda h, s, now: len(
        inside(h, s, now, h.procedures(s["patient"], s["procedure"]))
    )
    A["table-single/when-procedure"] = lambda h, s, now: pick(
        nth(h.procedures(s["patient"], s["procedure"]), s["end"], "hadm_id", "seq_num"), "chartdate"
    )
    A["table-single/drug-after-procedure"] = lambda h, s, now: any(
        h.follows(s["window"], a, b) for a in h.procedures(s["patient"], s["procedure"]) for b in drug(h, s)
    )
    A["table-single/lab-after-drug"] = lambda h, s, now: any(
        h.follows(s["window"], a, b)
        for a in drug(h, s) for b in h.labs(s["patient"], s["lab"]) if b["flag"] == "abnormal"
    )  # fmt: skip
    A["table-single/total-charge"] = lambda h, s, now: total(
        [row for row in inside(h, s, now, h.charges(s["patient"])) if row["event_type"] == CHARGED[s["charge"]]]
    )
    A["table-single/total-cost"] = lambda h, s, now: total(inside(h, s, now, h.charges(s["patient"])))


def register_groups() -> None:
    A = ANSWERS

    def inside(h: PlainHospital, s: dict[str, str], now: datetime, rows: Iterable[Row]) -> list[Row]:
        return h.within(s.get("calendar", ""), rows, now)

    def patients(rows: Iterable[Row]) -> int:
        return len({row["subject_id"] for row in rows})

    def is_gender(h: PlainHospital, s: dict[str, str], row: Row) -> bool:
        return bool(h.person[row["subject_id"]]["gender"] == {"female": "F", "male": "M"}[s["gender"]])

    def is_aged(h: PlainHospital, s: dict[str, str], row: Row) -> bool:
        return h.age(row["subject_id"], row["at"]) // 10 * 10 == int(s["decade"][:2])

    A["table-group/count-patients"] = lambda h, s, now: patients(
        row for row in inside(h, s, now, h.stays()) if is_gender(h, s, row)
    )
    A["table-group/count-by-age"] = lambda h, s, now: patients(
        row for row in inside(h, s, now, h.stays()) if is_aged(h, s, row)
    )
    A["table-group/count-icu"] = lambda h, s, now: patients(
        row for row in inside(h, s, now, h.icu_stays()) if is_gender(h, s, row)
    )
    A["table-group/count-drug"] = lambda h, s, now: patients(
        row for row in inside(h, s, now, h.drugs()) if row["drug"] == s["drug"]
    )
    A["table-group/count-diagnosis"] = lambda h, s, now: patients(inside(h, s, now, h.diagnoses(None, s["diagnosis"])))
    A["table-group/count-procedure"] = lambda h, s, now: patients(inside(h, s, now, h.procedures(None, s["procedure"])))
    A["table-group/count-lab"] = lambda h, s, now: patients(inside(h, s, now, h.labs(None, s["lab"])))
    A["table-group/count-culture"] = lambda h, s, now: patients(
        row for row in inside(h, s, now, h.cultures(None, s["specimen"])) if row["org_name"]
    )
    n_years = {"one year": 1, "two years": 2, "five years": 5}

    def died_by(h: PlainHospital, row: Row, years: str) -> bool:
        died = moment(h.person[row["subject_id"]]["dod"])
        return died is not None and died <= add_months(row["at"], 12 * n_years[years])

    A["table-group/died-after-diagnosis"] = lambda h, s, now: patients(
        row for row in h.diagnoses(None, s["diagnosis"]) if died_by(h, row, s["years"])
    )

    def survival(h: PlainHospital, s: dict[str, str], now: datetime) -> float:
        first: dict[str, Row] = {}
        for row in sorted(h.diagnoses(None, s["diagnosis"]), key=lambda row: row["at"]):
            first.setdefault(row["subject_id"], row)
        return sum(not died_by(h, row, s["years"]) for row in first.values()) / len(first)

    A["table-group/survival-rate"] = survival
    A["table-group/died"] = lambda h, s, now: patients(
        row for row in h.stays() if row["hospital_expire_flag"] == "1" and is_gender(h, s, row) and is_aged(h, s, row)
    )

    def totals(h: PlainHospital, stays: set[str]) -> list[float]:
        sums: dict[str, float] = defaultdict(float)
        for row in h.charges():
            if row["hadm_id"] in stays:
                sums[row["hadm_id"]] += row["number"]
        return list(sums.values())

    def stays_with(h: PlainHospital, s: dict[str, str]) -> set[str]:
        return {row["hadm_id"] for row in h.diagnoses(None, s["diagnosis"])}

    A["table-group/cost-of-diagnosis"] = lambda h, s, now: statistic(s["statistic"], totals(h, stays_with(h, s)))
    A["table-group/length-of-stay"] = lambda h, s, now: statistic(
        s["statistic"], [span(s["unit"], r["at"], r["end"]) for r in h.stays() if r["hadm_id"] in stays_with(h, s)]
    )
    A["table-group/lab-statistic"] = lambda h, s, now: statistic(
        s["statistic"], [r["number"] for r in inside(h, s, now, h.labs(None, s["lab"])) if r["number"] is not None]
    )

    def most(names: Iterable[Any], s: dict[str, str]) -> set[Any]:
        return top(Counter(name for name in names if name is not None), COUNTS[s["top"]])

    A["table-group/top-diagnoses"] = lambda h, s, now: most((r["title"] for r in inside(h, s, now, h.diagnoses())), s)
    A["table-group/top-drugs"] = lambda h, s, now: most((r["drug"] for r in inside(h, s, now, h.drugs())), s)
    A["table-group/top-labs"] = lambda h, s, now: most((row["name"] for row in inside(h, s, now, h.labs(None))), s)
    A["table-group/top-procedures"] = lambda h, s, now: most((r["title"] for r in inside(h, s, now, h.procedures())), s)

    def in_same_stay(h: PlainHospital, s: dict[str, str], now: datetime) -> set[Any]:
        given: dict[str, list[str]] = defaultdict(list)
        for row in h.drugs():
            given[row["hadm_id"]].append(row["drug"])
        return most((name for row in h.diagnoses(None, s["diagnosis"]) for name in given[row["hadm_id"]]), s)

    A["table-group/top-drugs-after-diagnosis"] = in_same_stay
    A["table-group/top-drugs-after-procedure"] = lambda h, s, now: most(
        (b["drug"] for a in h.procedures(None, s["procedure"]) for b in h.drugs(a["subject_id"])
         if h.follows(s["window"], a, b)), s,
    )  # fmt: skip


def register_both() -> None:
    A = ANSWERS

    def both(h: PlainHospital, s: dict[str, str], now: datetime, rows: Iterable[Row]) -> bool:
        films = h.within(s["period"], h.films_of(s["patient"]), now, s["patient"])
        return bool(h.within(s["period"], rows, now, s["patient"])) and bool(showing(h, s, films))

    def diagnosed(h: PlainHospital, s: dict[str, str]) -> list[Row]:
        return h.diagnoses(s["patient"], s["diagnosis"])

    def operated(h: PlainHospital, s: dict[str, str]) -> list[Row]:
        return h.procedures(s["patient"], s.get("procedure"))

    def drugged(h: PlainHospital, s: dict[str, str]) -> list[Row]:
        return [row for row in h.drugs(s["patient"]) if row["drug"] == s["drug"]]

    def after(h: PlainHospital, s: dict[str, str], earlier: Iterable[Row], later: Iterable[Row]) -> bool:
        later = list(later)
        return any(h.follows(s["window"], a, b) for a in earlier for b in later)

    def with_finding(h: PlainHospital, s: dict[str, str]) -> list[Row]:
        return showing(h, s, h.films_of(s["patient"]))

    events = {"diagnosis": diagnosed, "procedure": operated, "drug": drugged}
    for name, event in events.items():
        A[f"image-table-single/{name}-and-finding"] = lambda h, s, now, event=event: both(h, s, now, event(h, s))
        A[f"image-table-single/finding-after-{name}"] = lambda h, s, now, event=event: after(
            h, s, event(h, s), with_finding(h, s)
        )
        A[f"image-table-single/{name}-after-finding"] = lambda h, s, now, event=event: after(
            h, s, with_finding(h, s), event(h, s)
        )
    A["image-table-single/any-procedure-and-finding"] = lambda h, s, now: both(h, s, now, operated(h, s))

    def around(h: PlainHospital, s: dict[str, str]) -> tuple[Row | None, Row | None]:
        film = nth(with_finding(h, s), s["end"], "study_id")
        assert film is not None
        rows = [row for row in h.labs(s["patient"], s["lab"]) if row["number"] is not None]
        was = nth([row for row in rows if row["at"] <= film["at"]], "last", "labevent_id")
        return was, nth([row for row in rows if row["at"] > film["at"]], "first", "labevent_id")

    A["image-table-single/lab-after-finding"] = lambda h, s, now: pick(around(h, s)[1], "number")

    def trend(h: PlainHospital, s: dict[str, str], now: datetime) -> bool:
        was, then = (pick(row, "number") for row in around(h, s))
        return bool(then > was if s["direction"] == "higher" else then < was)

    A["image-table-single/lab-trend"] = trend

    def charged(h: PlainHospital, stays: set[Any], patient: str | None = None) -> dict[str, float]:
        sums: dict[str, float] = defaultdict(float)
        for row in h.charges(patient):
            if row["hadm_id"] in stays:
                sums[row["hadm_id"]] += row["number"]
        return sums

    A["image-table-single/charge-with-finding"] = lambda h, s, now: sum(
        charged(h, {film["hadm_id"] for film in with_finding(h, s)}, s["patient"]).values()
    )

    def told(film: Row, word: str) -> bool | None:
        return None if film["report"] is None else word.lower() in film["report"].lower()

    A["image-table-single/shown-not-reported"] = lambda h, s, now: sum(
        told(film, s["named"]) is False for film in showing(h, s, h.films_of(s["patient"]), "named")
    )
    A["image-table-single/reported-not-shown"] = lambda h, s, now: sum(
        told(film, s["named"]) is True and not h.shows(film, s["named"]) for film in h.films_of(s["patient"])
    )

    def aged(h: PlainHospital, s: dict[str, str], now: datetime) -> set[str]:
        films = showing(h, s, h.within(s.get("calendar", ""), h.films, now))
        code = {"female": "F", "male": "M"}.get(s.get("gender", ""))
        return {
            film["subject_id"]
            for film in films
            if h.age(film["subject_id"], film["at"]) // 10 * 10 == int(s["decade"][:2])
            and code in (None, h.person[film["subject_id"]]["gender"])
        }

    for name in ("age", "gender-and-age"):
        A[f"image-table-group/list-by-{name}"] = aged
        A[f"image-table-group/count-by-{name}"] = lambda h, s, now: len(aged(h, s, now))

    def shown_in(h: PlainHospital, s: dict[str, str]) -> set[str]:
        return {film["subject_id"] for film in showing(h, s, h.films)}

    A["image-table-group/count-with-diagnosis"] = lambda h, s, now: len(
        shown_in(h, s) & {row["subject_id"] for row in h.diagnoses(None, s["diagnosis"])}
    )
    A["image-table-group/count-with-procedure"] = lambda h, s, now: len(
        shown_in(h, s) & {row["subject_id"] for row in h.procedures(None, s["procedure"])}
    )
    A["image-table-group/count-drug-after-finding"] = lambda h, s, now: len(
        {film["subject_id"] for film in showing(h, s, h.films)
         if any(row["drug"] == s["drug"] and h.follows(s["window"], film, row) for row in h.drugs(film["subject_id"]))}
    )  # fmt: skip
    A["image-table-group/charge-with-finding"] = lambda h, s, now: statistic(
        s["statistic"], list(charged(h, {film["hadm_id"] for film in showing(h, s, h.films)} - {None}).values())
    )
    A["image-table-group/shown-not-reported"] = lambda h, s, now: sum(
        told(film, s["named"]) is False
        for film in showing(h, s, h.within(s["calendar"], h.films, now), "named")
    )  # fmt: skip


register()

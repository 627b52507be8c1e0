"""Patients whose lives belong together: a body, admissions, and studies whose findings appear, persist and resolve.

Each patient is drawn from its own generator (hospital seed, subject_id), so that a larger hospital starts with the
same patients.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

import numpy as np

from chartsight.hospital import identifiers
from chartsight.hospital.config import HospitalConfig
from chartsight.hospital.confounding import choose_view_and_technique, technique_generator
from chartsight.hospital.courses import COURSES, Course, FindingScript
from chartsight.hospital.difficulty import find_difficulty
from chartsight.hospital.film_request import Body, FilmRequest, PlantedFinding, Technique
from chartsight.hospital.sites import SITE_WEIGHTS, SITES, opposite

FILMS_A_PATIENT = (0.14, 0.26, 0.27, 0.17, 0.10, 0.06)  # 1 to 6; mean 3.0
COURSE_PACK = 50
RACES = {
    "WHITE": 0.62, "BLACK/AFRICAN AMERICAN": 0.17, "HISPANIC/LATINO - CUBAN": 0.05, "ASIAN": 0.05, "UNKNOWN": 0.06,
    "OTHER": 0.05,
}  # fmt: skip
MARITAL_STATUS = {"MARRIED": 0.45, "SINGLE": 0.3, "WIDOWED": 0.15, "DIVORCED": 0.1}
FILM_AFTER_INTUBATION = 0.75  # probability that the first film of a ventilated stay shows where the tube ends
FAINTEST = 0.25  # a finding below it has resolved
LATERAL_BIT = 1 << 31  # above all seeds of frontal films
FIRST_YEARS = (2110, 2191)  # anchor years; MIMIC shifts every patient into 2100 to 2200
YEAR_GROUPS = ("2008 - 2010", "2011 - 2013", "2014 - 2016", "2017 - 2019")
CXR_SPLITS: tuple[Literal["train", "validate", "test"], ...] = ("train",) * 7 + ("validate", "train", "test")


@dataclass(frozen=True)
class Episode:
    """One admission.

    Args:
        severity: 0 to 1; drives the laboratory results and the vital signs.
        icu: In and out of intensive care, None without.
        ventilation: Start and end of mechanical ventilation, None without.
    """

    hadm_id: int
    admittime: datetime
    dischtime: datetime
    severity: float
    icu: tuple[datetime, datetime] | None
    ventilation: tuple[datetime, datetime] | None
    has_chest_tube: bool
    dies: bool

    def fraction(self, time: datetime) -> float:
        """How much of the stay has passed at `time`: 0 on admission, 1 at discharge."""
        return (time - self.admittime) / (self.dischtime - self.admittime)


@dataclass(frozen=True)
class Study:
    """A frontal film, perhaps with a lateral one beside it, and everything that they show.

    Args:
        dicom_id: Of the frontal film.
        hadm_id: None for an outpatient.
        sickness: 0 to 1; what `confounding` ties the film's technique to.
        lateral_dicom_id: Of the lateral film; None without.
    """

    study_id: int
    dicom_id: str
    hadm_id: int | None
    time: datetime
    view: Literal["PA", "AP"]
    is_portable: bool
    findings: tuple[PlantedFinding, ...]
    reason: str
    seed: int
    technique: Technique = Technique()
    sickness: float = 0.0
    lateral_dicom_id: str | None = None


@dataclass(frozen=True)
class Patient:
    """One invented person."""

    subject_id: int
    course_name: str
    body: Body
    anchor_year: int
    anchor_year_group: str
    height_cm: float
    weight_kg: float
    race: str
    language: str
    marital_status: str | None
    insurance: str
    icd_version: Literal[9, 10]
    episodes: tuple[Episode, ...]
    visits: tuple[datetime, ...]
    studies: tuple[Study, ...]
    dod: datetime | None
    split: Literal["train", "validate", "test"]

    @property
    def course(self) -> Course:
        """The disease."""
        return COURSES[self.course_name]

    def age_at(self, time: datetime) -> int:
        """Years, as MIMIC counts them: anchor_age moved by whole years."""
        return self.body.age + time.year - self.anchor_year

    def film_request(self, study: Study, config: HospitalConfig) -> FilmRequest:
        """What the renderer needs for a study's frontal film."""
        return FilmRequest(
            self.body, study.view, study.findings, config.style, config.film_size_px, study.seed, study.technique,
            config.bits, find_difficulty(config.difficulty).distraction,
        )  # fmt: skip

    def lateral_request(self, study: Study, config: HospitalConfig) -> FilmRequest:
        """The same for its lateral film: exposed moments later, printed alike."""
        return replace(self.film_request(study, config), view="LATERAL", seed=study.seed ^ LATERAL_BIT)


@dataclass(frozen=True)
class EpisodeFinding:
    """A finding's life within an episode; times are fractions of the stay."""

    attribute: str
    site: tuple[str, ...]
    peak: float
    start: float
    end: float

    def severity_at(self, fraction: float) -> float:
        """Rises fast, fades slowly; 0 outside."""
        if not self.start <= fraction <= self.end:
            return 0.0
        crest = self.start + 0.3 * (self.end - self.start)
        if fraction < crest:
            return self.peak * (0.6 + 0.4 * (fraction - self.start) / max(crest - self.start, 1e-6))
        return self.peak * (1 - 0.65 * (fraction - crest) / (self.end - crest))


def plan_patients(config: HospitalConfig) -> list[Patient]:
    """Every patient of the hospital, by subject_id."""
    return [plan_patient(config, index) for index in range(config.patients)]


def plan_patient(config: HospitalConfig, index: int) -> Patient:
    """The patient at `index`; independent of the others but for the course and the split, which are dealt."""
    subject_id = config.first_subject_id + index
    rng = np.random.default_rng([config.seed, subject_id])
    name = deal_course(config.seed, index)
    course = COURSES[name]
    sex: Literal["M", "F"] = "F" if rng.random() < 0.48 else "M"
    age = int(rng.integers(course.ages[0], course.ages[1] + 1))
    habitus = float(np.round(rng.beta(2.2, 2.6), 3))
    body = Body(sex, age, habitus, int(rng.integers(0, 2**31)))
    height = float(np.clip(rng.normal(162 if sex == "F" else 176, 6.5), 140, 205))
    weight = (18.0 + 20.0 * habitus + rng.normal(0, 1.2)) * (height / 100) ** 2
    anchor_year = int(rng.integers(*FIRST_YEARS))
    moments = plan_moments(rng, course, anchor_year)
    episodes = tuple(
        plan_episode(rng, course, subject_id, nth, moment) for nth, moment in enumerate(moments.admissions)
    )
    episodes = without_later_life(episodes, moments)
    studies = plan_studies(rng, config, course, subject_id, episodes, moments)
    died = next((episode.dischtime for episode in episodes if episode.dies), None)
    if died is None and episodes and age > 60 and rng.random() < 0.2:
        died = episodes[-1].dischtime + timedelta(days=float(rng.integers(400, 1500)))
    return Patient(
        subject_id=subject_id,
        course_name=name,
        body=body,
        anchor_year=anchor_year,
        anchor_year_group=str(rng.choice(YEAR_GROUPS)),
        height_cm=round(height, 1),
        weight_kg=round(float(weight), 1),
        race=pick(rng, RACES),
        language=pick(rng, {"ENGLISH": 0.9, "?": 0.1}),
        marital_status=pick(rng, MARITAL_STATUS) if rng.random() > 0.04 else None,
        insurance="Medicare" if age >= 65 else pick(rng, {"Other": 0.75, "Medicaid": 0.25}),
        icd_version=9 if rng.random() < 0.5 else 10,
        episodes=episodes,
        visits=moments.visits,
        studies=studies,
        dod=died,
        split=CXR_SPLITS[index % len(CXR_SPLITS)],
    )  # fmt: skip


def deal_course(seed: int, index: int) -> str:
    """The course of the patient at `index`, dealt from a shuffled pack of `COURSE_PACK`.

    A pack holds every course in its share, so that a small hospital has them all, as often as a large one.
    """
    pack, position = divmod(index, COURSE_PACK)
    place = np.random.default_rng([seed, pack, 0xDEA1]).permutation(COURSE_PACK)[position]
    shares = np.cumsum([course.weight for course in COURSES.values()])
    return list(COURSES)[int(np.searchsorted(shares, (place + 0.5) / COURSE_PACK * shares[-1]))]


@dataclass(frozen=True)
class Moments:
    """When things happen: admissions with the number of films in each, and outpatient visits, each with one film."""

    admissions: tuple[datetime, ...]
    films: tuple[int, ...]
    visits: tuple[datetime, ...]


def plan_moments(rng: np.random.Generator, course: Course, year: int) -> Moments:
    """Spread one to six films over visits before, between and after one or two admissions."""
    films = 1 + int(rng.choice(len(FILMS_A_PATIENT), p=FILMS_A_PATIENT))
    time = datetime(year, 1, 1) + timedelta(minutes=int(rng.integers(0, 330 * 1440)))
    if not course.has_admission:
        return Moments((), (), tuple(office_hours(rng, time + timedelta(days=370 * nth)) for nth in range(films)))
    visits: list[datetime] = []
    before, after = films >= 3 and rng.random() < 0.30, films >= 2 and rng.random() < 0.45
    inpatient = films - before - after
    if before:
        visits.append(office_hours(rng, time))
        time += timedelta(days=int(rng.integers(30, 300)))
    counts: tuple[int, ...] = (inpatient,)
    if inpatient >= 2 and rng.random() < 0.35:
        first = int(rng.integers(1, inpatient))
        counts = (first, inpatient - first)
    admissions = []
    for _ in counts:
        admissions.append(time)
        time += timedelta(days=int(rng.integers(60, 400)), minutes=int(rng.integers(0, 1440)))
    if after:
        visits.append(office_hours(rng, time))
    return Moments(tuple(admissions), counts, tuple(visits))


def office_hours(rng: np.random.Generator, day: datetime) -> datetime:
    """A time of that day between 8 and 17 h."""
    return datetime(day.year, day.month, day.day, 8) + timedelta(seconds=int(rng.integers(0, 9 * 3600)))


def plan_episode(rng: np.random.Generator, course: Course, subject_id: int, nth: int, time: datetime) -> Episode:
    """One admission of the course."""
    length = timedelta(minutes=int(1440 * rng.uniform(*course.episode_days)))
    severity = float(rng.uniform(0.35, 1.0))
    icu = ventilation = None
    if rng.random() < course.icu:
        start = time + timedelta(hours=float(rng.uniform(2, 6)))
        icu = (whole_second(start), whole_second(start + length * rng.uniform(0.3, 0.6)))
        if rng.random() < course.ventilated:
            first = icu[0] + timedelta(minutes=10)
            ventilation = (whole_second(first), whole_second(first + (icu[1] - first) * rng.uniform(0.5, 0.9)))
    return Episode(
        hadm_id=identifiers.hadm_id(subject_id, nth),
        admittime=time,
        dischtime=time + length,
        severity=severity,
        icu=icu,
        ventilation=ventilation,
        has_chest_tube=bool(rng.random() < course.chest_tube),
        dies=bool(rng.random() < course.dies),
    )


def without_later_life(episodes: tuple[Episode, ...], moments: Moments) -> tuple[Episode, ...]:
    """Nobody comes back from death: only the last event of a life can end it."""
    last_visit = max(moments.visits, default=datetime.min)
    return tuple(
        replace(episode, dies=episode.dies and nth == len(episodes) - 1 and last_visit < episode.admittime)
        for nth, episode in enumerate(episodes)
    )


def plan_studies(
    rng: np.random.Generator,
    config: HospitalConfig,
    course: Course,
    subject_id: int,
    episodes: tuple[Episode, ...],
    moments: Moments,
) -> tuple[Study, ...]:
    """The patient's films in order of time."""
    chronic = [
        EpisodeFinding(script.attribute, site, float(rng.uniform(*script.severity)), 0.0, 1.0)
        for script in course.findings
        if script.chronic and occurs(rng, config, script)
        for site in draw_sites(rng, script)
    ]
    planned: list[tuple[datetime, Episode | None, tuple[PlantedFinding, ...]]] = []
    lasting = tuple(PlantedFinding(each.attribute, each.site, round(each.peak, 3)) for each in chronic)
    planned.extend((visit, None, lasting) for visit in moments.visits)
    for episode, films in zip(episodes, moments.films, strict=True):
        acute = draw_acute(rng, config, course, episode)
        first = rng.uniform(0.02, 0.12)
        if episode.ventilation is not None and rng.random() < FILM_AFTER_INTUBATION:
            start, end = (episode.fraction(moment) for moment in episode.ventilation)
            first = start + 0.2 * (end - start)
        fractions = sorted([first, *rng.uniform(0.15, 0.97, films - 1)])
        for fraction in fractions:
            time = whole_second(episode.admittime + (episode.dischtime - episode.admittime) * fraction)
            active = [(each, each.severity_at(episode.fraction(time))) for each in acute]
            shown = tuple(PlantedFinding(e.attribute, e.site, round(s, 3)) for e, s in active if s >= FAINTEST)
            planned.append((time, episode, lasting + shown))
    planned.sort(key=lambda each: each[0])
    return tuple(
        plan_study(rng, config, course, subject_id, nth, *each, is_first=nth == 0) for nth, each in enumerate(planned)
    )


def occurs(rng: np.random.Generator, config: HospitalConfig, script: FindingScript) -> bool:
    """Whether the script's finding happens, its probability scaled by the config's prevalence dial."""
    return bool(rng.random() < script.probability * config.prevalence.get(script.attribute, 1.0))


def draw_sites(rng: np.random.Generator, script: FindingScript) -> list[tuple[str, ...]]:
    """One site, or sometimes both sides where the script allows it."""
    sites = SITES[script.attribute]
    preferred = SITE_WEIGHTS.get(script.attribute, {})
    weights = np.array([preferred.get(site[0], 1.0) for site in sites])
    site = sites[int(rng.choice(len(sites), p=weights / weights.sum()))]
    return [site, opposite(site)] if script.sites == 2 and rng.random() < 0.6 else [site]


def draw_acute(
    rng: np.random.Generator, config: HospitalConfig, course: Course, episode: Episode
) -> list[EpisodeFinding]:
    """What this admission brings to the films."""
    found = []
    for script in course.findings:
        if script.chronic or not occurs(rng, config, script):
            continue
        start, end = float(rng.choice([0.0, 0.0, 0.0, rng.uniform(0, 0.4)])), float(rng.uniform(0.6, 1.7))
        if script.needs_ventilation:
            if episode.ventilation is None:
                continue
            start, end = (episode.fraction(time) for time in episode.ventilation)
        for site in draw_sites(rng, script):
            found.append(EpisodeFinding(script.attribute, site, float(rng.uniform(*script.severity)), start, end))
    return found


def plan_study(
    rng: np.random.Generator,
    config: HospitalConfig,
    course: Course,
    subject_id: int,
    nth: int,
    time: datetime,
    episode: Episode | None,
    findings: tuple[PlantedFinding, ...],
    *,
    is_first: bool,
) -> Study:
    """One study: view and technique follow from how ill the patient is, as far as the config ties them."""
    study_id = identifiers.study_id(subject_id, nth)
    sickness = sickness_at(time, episode, findings)
    on_ventilator = (
        episode is not None
        and episode.ventilation is not None
        and episode.ventilation[0] <= time <= episode.ventilation[1]
    )
    taken = choose_view_and_technique(
        technique_generator(config.seed, study_id), config.confounding, sickness, must_be_portable=on_ventilator
    )
    return Study(
        study_id=study_id,
        dicom_id=identifiers.dicom_id(config.seed, study_id),
        hadm_id=episode.hadm_id if episode is not None else None,
        time=time,
        view=taken.view,
        is_portable=taken.is_portable,
        findings=find_difficulty(config.difficulty).as_drawn(findings),
        reason=draw_reason(rng, course, episode, is_first=is_first),
        seed=int(rng.integers(0, 2**31)),
        technique=taken.technique,
        sickness=sickness,
    )


def sickness_at(time: datetime, episode: Episode | None, findings: Sequence[PlantedFinding]) -> float:
    """How ill the patient is when the film is taken, 0 to 1: in intensive care, by the admission, by what is found."""
    found = 0.15 * min(sum(each.severity for each in findings), 2.0)
    if episode is None:
        return round(min(0.05 + found, 1.0), 3)
    in_icu = episode.icu is not None and episode.icu[0] <= time <= episode.icu[1]
    return round(min(0.2 + 0.25 * episode.severity + 0.3 * in_icu + found, 1.0), 3)


def draw_reason(rng: np.random.Generator, course: Course, episode: Episode | None, *, is_first: bool) -> str:
    """What the request says: the course's own reasons where it is being treated, a follow-up elsewhere."""
    if episode is None and course.has_admission:
        return "Routine examination." if is_first else "Follow-up examination."
    return str(course.reasons[0] if is_first else rng.choice(course.reasons))


def pick(rng: np.random.Generator, shares: dict[str, float]) -> str:
    """One key, by its share."""
    return str(rng.choice(list(shares), p=np.array(list(shares.values())) / sum(shares.values())))


def whole_second(time: datetime) -> datetime:
    """MIMIC's times have no fractions of a second."""
    return time.replace(microsecond=0)

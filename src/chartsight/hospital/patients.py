"""Patients whose lives belong together: a body, admissions, and studies whose findings appear, persist and resolve.

Each patient is drawn from its own generator (hospital seed, subject_id), so that a larger hospital starts with the
same patients.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal

import numpy as np

from chartsight.hospital import identifiers
from chartsight.hospital.config import HospitalConfig
from chartsight.hospital.confounding import choose_view_and_technique, technique_generator
from chartsight.hospital.courses import COURSES, REASONS_AFTER, REASONS_WITH, Course
from chartsight.hospital.difficulty import find_difficulty
from chartsight.hospital.film_request import Body, FilmRequest, PlantedFinding, Technique
from chartsight.hospital.lives import FindingLife, Span, Windows, draw_lives, findings_at
from chartsight.hospital.scripts import FILM_SCRIPTS, INCIDENTAL_ATTRIBUTES, INCIDENTALS, chronic, clash
from chartsight.hospital.sites import SITES

FILMS_A_PATIENT = (0.14, 0.26, 0.27, 0.17, 0.10, 0.06)  # 1 to 6; mean 3.0
ADMISSIONS_A_PATIENT = (0.56, 0.21, 0.10, 0.05, 0.03, 0.02, 0.02, 0.01)  # 1 to 8
COURSE_PACK = 50
RACES = {
    "WHITE": 0.62, "BLACK/AFRICAN AMERICAN": 0.17, "HISPANIC/LATINO - CUBAN": 0.05, "ASIAN": 0.05, "UNKNOWN": 0.06,
    "OTHER": 0.05,
}  # fmt: skip
MARITAL_STATUS = {"MARRIED": 0.45, "SINGLE": 0.3, "WIDOWED": 0.15, "DIVORCED": 0.1}
EMERGENCIES = {"EW EMER.": 0.55, "OBSERVATION ADMIT": 0.26, "URGENT": 0.13, "DIRECT EMER.": 0.06}
OLDEST = 89  # MIMIC groups everybody older
GROUPED_AGE = 91
FILM_AFTER_INTUBATION = 0.75  # probability that the first film of a ventilated stay shows where the tube ends
SAME_ADMISSION = 0.65  # probability that the next film is of the admission of the one before
LONGEST_STAY_DAYS = 70.0
TRACHEOSTOMY_AFTER = timedelta(days=5)  # of ventilation
TRACHEOSTOMY_SHARE = 0.6
LATERAL_SHARE = 0.6  # of PA studies; a portable unit takes none
FIRST_YEARS = (2110, 2186)  # anchor years; MIMIC shifts every patient into 2100 to 2200
YEAR_GROUPS = ("2008 - 2010", "2011 - 2013", "2014 - 2016", "2017 - 2019")
CXR_SPLITS: tuple[Literal["train", "validate", "test"], ...] = ("train",) * 7 + ("validate", "train", "test")
LATERAL_BIT = 1 << 31  # above all seeds of frontal films
FILM_STREAM = 23  # of the generators


@dataclass(frozen=True)
class Episode:
    """One admission.

    Args:
        severity: 0 to 1; drives the laboratory results and the vital signs.
        icu: In and out of intensive care, None without.
        ventilation: Start and end of mechanical ventilation, None without.
        tracheostomy: When the endotracheal tube was exchanged for one, None if never.
        deathtime: When the patient died in hospital; sometimes written down after the discharge. None alive.
        lives: The findings that this admission brought, tubes and lines included.
    """

    hadm_id: int
    admittime: datetime
    dischtime: datetime
    severity: float
    icu: Span | None
    ventilation: Span | None
    tracheostomy: datetime | None = None
    deathtime: datetime | None = None
    admission_type: str = "EW EMER."
    lives: tuple[FindingLife, ...] = ()

    @property
    def dies(self) -> bool:
        """Whether the patient leaves dead."""
        return self.deathtime is not None

    def fraction(self, time: datetime) -> float:
        """How much of the stay has passed at `time`: 0 on admission, 1 at discharge."""
        return (time - self.admittime) / (self.dischtime - self.admittime)

    def illness_at(self, time: datetime) -> float:
        """How ill, 0 to 1: worst after a fifth of the stay, better towards its end unless the patient dies."""
        fraction = min(max(self.fraction(time), 0.0), 1.0)
        if self.dies:
            return float(min(1.0, self.severity * (0.7 + 0.6 * fraction)))
        rising = 0.8 + fraction if fraction < 0.2 else 1 - 0.8 * (fraction - 0.2) / 0.8
        return float(self.severity * min(1.0, rising))

    def windows(self) -> Windows:
        """The stretches of time that `FindingScript.window` names, those that this admission has."""
        found: dict[str, Span] = {"stay": (self.admittime, self.dischtime)}
        if self.icu is not None:
            found["icu"] = self.icu
        if self.ventilation is not None:
            found["intubation"] = (self.ventilation[0], self.tracheostomy or self.ventilation[1])
        if self.tracheostomy is not None:
            found["tracheostomy"] = (self.tracheostomy + timedelta(minutes=30), self.dischtime)
        return found  # type: ignore[return-value]

    def has(self, attribute: str) -> bool:
        """Whether the admission brought this finding, tube or line."""
        return any(life.attribute == attribute for life in self.lives)

    def of(self, attribute: str) -> Iterator[FindingLife]:
        """The lives of this finding, tube or line that the admission brought."""
        return (life for life in self.lives if life.attribute == attribute)


@dataclass(frozen=True)
class Study:
    """One frontal film with everything that it shows, and perhaps a lateral one beside it.

    Args:
        dicom_id: The frontal film.
        hadm_id: None for an outpatient.
        sickness: 0 to 1, how ill the patient is when the film is taken.
        lateral_dicom_id: The lateral film, which shows the same findings; None without.
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
    sickness: float = 0.0
    technique: Technique = field(default_factory=Technique)
    lateral_dicom_id: str | None = None


@dataclass(frozen=True)
class Patient:
    """One invented person. `chronic` are the findings that no admission brought, `visits` those of an outpatient."""

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
    chronic: tuple[FindingLife, ...] = ()

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


def plan_patients(config: HospitalConfig) -> list[Patient]:
    """Every patient of the hospital, by subject_id."""
    return list(iterate_patients(config))


def iterate_patients(config: HospitalConfig) -> Iterator[Patient]:
    """Every patient of the hospital, by subject_id, one at a time."""
    return (plan_patient(config, index) for index in range(config.patients))


def plan_patient(config: HospitalConfig, index: int) -> Patient:
    """The patient at `index`; independent of the others but for the course and the split, which are dealt."""
    subject_id = config.first_subject_id + index
    rng = np.random.default_rng([config.seed, subject_id])
    name = deal_course(config.seed, index)
    course = COURSES[name]
    body = draw_body(rng, course)
    height = float(np.clip(rng.normal(162 if body.sex == "F" else 176, 6.5), 140, 205))
    weight = (18.0 + 20.0 * body.habitus + rng.normal(0, 1.2)) * (height / 100) ** 2
    anchor_year = int(rng.integers(*FIRST_YEARS))
    moments = plan_moments(rng, course, anchor_year)
    lasting = draw_chronic(rng, config, course, body, moments)
    episodes: tuple[Episode, ...] = ()
    for nth, moment in enumerate(moments.admissions):
        known = (*lasting, *(life for episode in episodes for life in episode.lives))
        is_last = nth == len(moments.admissions) - 1 and max(moments.visits, default=datetime.min) < moment
        episodes += (plan_episode(rng, config, course, subject_id, nth, moment, known, can_die=is_last),)
    lives = (*lasting, *(life for episode in episodes for life in episode.lives))
    studies = plan_studies(rng, config, course, body, subject_id, episodes, moments, lives)
    died = next((episode.deathtime for episode in episodes if episode.deathtime is not None), None)
    if died is None and episodes and body.age > 55 and rng.random() < 0.38:
        died = max(*moments.visits, episodes[-1].dischtime) if moments.visits else episodes[-1].dischtime
        died += timedelta(days=float(rng.integers(30, 1500)))
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
        insurance=("Medicare" if rng.random() < 0.9 else "Other")
        if body.age >= 65
        else pick(rng, {"Other": 0.75, "Medicaid": 0.2, "Medicare": 0.05}),
        icd_version=9 if rng.random() < 0.5 else 10,
        episodes=episodes,
        visits=moments.visits,
        studies=studies,
        dod=died,
        split=CXR_SPLITS[index % len(CXR_SPLITS)],
        chronic=lasting,
    )  # fmt: skip


def draw_body(rng: np.random.Generator, course: Course) -> Body:
    """Sex, age and build; the old crowd in every course as they do in a hospital."""
    sex: Literal["M", "F"] = "F" if rng.random() < 0.47 else "M"
    youngest, oldest = course.ages
    age = round(youngest + (oldest - youngest) * float(rng.beta(2.1, 1.6)))
    habitus = float(np.round(rng.beta(2.2, 2.6), 3))
    return Body(sex, GROUPED_AGE if age > OLDEST else age, habitus, int(rng.integers(0, 2**31)))


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
    """When things happen.

    Args:
        admissions: Their beginnings, at least 60 days apart.
        films: How many films each admission has; 0 for some.
        visits: Of an outpatient.
        filmed_visits: Those with a film.
    """

    admissions: tuple[datetime, ...]
    films: tuple[int, ...]
    visits: tuple[datetime, ...]
    filmed_visits: tuple[datetime, ...]

    def span(self) -> Span:
        """From before the first to after the last."""
        times = (*self.admissions, *self.visits)
        return min(times) - timedelta(days=1), max(times) + timedelta(days=60)


def plan_moments(rng: np.random.Generator, course: Course, year: int) -> Moments:
    """Spread one to six films over visits before, between and after one or more admissions."""
    films = 1 + int(rng.choice(len(FILMS_A_PATIENT), p=FILMS_A_PATIENT))
    time = datetime(year, 1, 1) + timedelta(minutes=int(rng.integers(0, 330 * 1440)))
    if not course.has_admission:
        visits = tuple(office_hours(rng, time + timedelta(days=370 * nth)) for nth in range(films))
        return Moments((), (), visits, visits)
    before, after = films >= 3 and rng.random() < 0.30, films >= 2 and rng.random() < 0.45
    count = 1 + int(rng.choice(len(ADMISSIONS_A_PATIENT), p=ADMISSIONS_A_PATIENT))
    films_in = [0] * count
    where = int(rng.integers(count))
    for _ in range(films - before - after):
        films_in[where] += 1
        where = where if rng.random() < SAME_ADMISSION else int(rng.integers(count))
    visits_, filmed = [], []
    if before:
        filmed.append(office_hours(rng, time))
        time += timedelta(days=int(rng.integers(30, 300)))
    admissions = []
    for _ in range(count):
        admissions.append(arrival(rng, course, time))
        time += timedelta(days=LONGEST_STAY_DAYS + 15 + float(rng.gamma(1.2, 90)), minutes=int(rng.integers(0, 1440)))
        if rng.random() < 0.3:
            visits_.append(office_hours(rng, time - timedelta(days=7)))
    if after:
        filmed.append(office_hours(rng, admissions[-1] + timedelta(days=LONGEST_STAY_DAYS + float(rng.gamma(1, 50)))))
    return Moments(tuple(admissions), tuple(films_in), tuple(sorted({*visits_, *filmed})), tuple(filmed))


def office_hours(rng: np.random.Generator, day: datetime) -> datetime:
    """A time of that day between 8 and 17 h; on the Monday after a weekend."""
    day += timedelta(days=max(0, 7 - day.weekday()) if day.weekday() >= 5 else 0)
    return datetime(day.year, day.month, day.day, 8) + timedelta(seconds=int(rng.integers(0, 9 * 3600)))


def arrival(rng: np.random.Generator, course: Course, day: datetime) -> datetime:
    """When an admission of that day begins: planned ones on weekday mornings, others in the evening."""
    if course.admission_type.startswith("SURGICAL"):
        day += timedelta(days=7 - day.weekday() if day.weekday() >= 5 else 0)
        return datetime(day.year, day.month, day.day, 6) + timedelta(minutes=int(rng.integers(0, 200)))
    hour = float(rng.normal(17, 5)) % 24
    return datetime(day.year, day.month, day.day) + timedelta(minutes=int(hour * 60))


def departure(rng: np.random.Generator, time: datetime) -> datetime:
    """When the stay that might have ended at `time` ends: in the afternoon, seldom on a Sunday."""
    if time.weekday() == 6 and rng.random() < 0.4:
        time += timedelta(days=1)
    return datetime(time.year, time.month, time.day) + timedelta(minutes=int(60 * np.clip(rng.normal(15, 2), 9, 21)))


def draw_chronic(
    rng: np.random.Generator, config: HospitalConfig, course: Course, body: Body, moments: Moments
) -> tuple[FindingLife, ...]:
    """What the course brings for good, and what comes with age in any course."""
    scripts = [
        *(script for script in course.findings if script.window == "life"),
        *(chronic(each.attribute, each.probability(body.age, body.sex), each.severity) for each in INCIDENTALS),
    ]
    return draw_lives(rng, scripts, {"life": moments.span()}, config.prevalence)


def plan_episode(
    rng: np.random.Generator,
    config: HospitalConfig,
    course: Course,
    subject_id: int,
    nth: int,
    time: datetime,
    known: tuple[FindingLife, ...],
    *,
    can_die: bool,
) -> Episode:
    """One admission of the course, with the findings that it adds to those that are `known`."""
    short, long = np.log(course.episode_days)
    days = float(np.exp(rng.normal((short + long) / 2, (long - short) / 2.56)))  # a tenth below, a tenth above
    leaves = time + timedelta(days=min(max(days, 0.4), LONGEST_STAY_DAYS))
    leaves = whole_second(leaves) if days < 1.5 else max(departure(rng, leaves), time + timedelta(hours=20))
    length = leaves - time
    icu = ventilation = tracheostomy = deathtime = None
    severity = round(float(rng.uniform(0.3, 1.0)), 3)
    if rng.random() < course.icu * (0.6 + 0.6 * severity):
        start = time + min(timedelta(hours=float(rng.uniform(2, 6))), 0.1 * length)
        icu = (whole_second(start), whole_second(start + length * float(rng.uniform(0.3, 0.75))))
        if rng.random() < course.ventilated:
            first = icu[0] + timedelta(minutes=10)
            ventilation = (whole_second(first), whole_second(first + (icu[1] - first) * float(rng.uniform(0.35, 0.95))))
            if ventilation[1] - first > TRACHEOSTOMY_AFTER and rng.random() < TRACHEOSTOMY_SHARE:
                tracheostomy = whole_second(first + TRACHEOSTOMY_AFTER * float(rng.uniform(0.6, 1.0)))
    if can_die and rng.random() < course.dies * 2 * severity:
        late = timedelta(hours=float(rng.uniform(0.2, 5))) if rng.random() < 0.3 else timedelta()
        deathtime = whole_second(leaves + late)
    episode = Episode(
        identifiers.hadm_id(subject_id, nth), time, leaves, severity, icu, ventilation, tracheostomy, deathtime,
        pick(rng, EMERGENCIES) if course.admission_type == "EW EMER." else course.admission_type,
    )  # fmt: skip
    scripts = [script for script in course.findings if script.window != "life"]
    return replace(episode, lives=draw_lives(rng, scripts, episode.windows(), config.prevalence, known))


def plan_studies(
    rng: np.random.Generator,
    config: HospitalConfig,
    course: Course,
    body: Body,
    subject_id: int,
    episodes: tuple[Episode, ...],
    moments: Moments,
    lives: tuple[FindingLife, ...],
) -> tuple[Study, ...]:
    """The patient's films in order of time."""
    times: list[tuple[datetime, Episode | None]] = [(visit, None) for visit in moments.filmed_visits]
    for episode, films in zip(episodes, moments.films, strict=True):
        times.extend((time, episode) for time in film_times(rng, episode, films))
    times.sort(key=lambda each: each[0])
    studies: list[Study] = []
    for nth, (time, around) in enumerate(times):
        found = findings_at(lives, time)
        reason = draw_reason(rng, course, around, is_first=nth == 0)
        reason = true_reason(reason, course, found, studies[-1].findings if studies else ())
        seed = int(rng.integers(0, 2**31))
        studies.append(plan_study(config, body, subject_id, nth, time, around, found, reason, seed))
    return tuple(studies)


def film_times(rng: np.random.Generator, episode: Episode, films: int) -> list[datetime]:
    """When the films of an admission are taken: one on arrival or after intubation, the others on any day."""
    if films == 0:
        return []
    first = rng.uniform(0.02, 0.12)
    if episode.ventilation is not None and rng.random() < FILM_AFTER_INTUBATION:
        start, end = (episode.fraction(moment) for moment in episode.ventilation)
        first = start + 0.2 * (end - start)
    fractions = sorted([first, *rng.uniform(0.1, 0.95, films - 1)])
    stay = episode.dischtime - episode.admittime
    return [whole_second(episode.admittime + stay * float(fraction)) for fraction in fractions]


def plan_study(
    config: HospitalConfig,
    body: Body,
    subject_id: int,
    nth: int,
    time: datetime,
    episode: Episode | None,
    findings: tuple[PlantedFinding, ...],
    reason: str,
    seed: int,
) -> Study:
    """One study: how it is taken depends on the hospital's confounding, what it shows does not, but for technique."""
    study_id = identifiers.study_id(subject_id, nth)
    is_ventilated = episode is not None and holds(episode.ventilation, time)
    sickness = sickness_at(episode, time, findings)
    taken = choose_view_and_technique(
        technique_generator(config.seed, study_id), config.confounding, sickness, must_be_portable=is_ventilated
    )
    rng = np.random.default_rng([config.seed, study_id, FILM_STREAM])
    has_lateral = taken.view == "PA" and bool(rng.random() < LATERAL_SHARE)
    of_film = film_findings(rng, config.prevalence, body, findings, is_portable=taken.is_portable)
    return Study(
        study_id=study_id,
        dicom_id=identifiers.dicom_id(config.seed, study_id),
        hadm_id=episode.hadm_id if episode is not None else None,
        time=time,
        view=taken.view,
        is_portable=taken.is_portable,
        findings=find_difficulty(config.difficulty).as_drawn(findings + of_film),
        reason=reason,
        seed=seed,
        sickness=sickness,
        technique=taken.technique,
        lateral_dicom_id=identifiers.dicom_id(config.seed, study_id, nth=1) if has_lateral else None,
    )


def sickness_at(episode: Episode | None, time: datetime, findings: tuple[PlantedFinding, ...]) -> float:
    """How ill the patient is, 0 to 1: from the admission, intensive care and what the film shows."""
    shown = sum(each.severity for each in findings if each.attribute not in INCIDENTAL_ATTRIBUTES)
    sickness = 0.05 + min(0.3, 0.07 * shown)
    if episode is not None:
        sickness += 0.12 + 0.2 * episode.illness_at(time) + 0.25 * holds(episode.icu, time)
    return round(min(1.0, sickness), 3)


def holds(span: Span | None, time: datetime) -> bool:
    """Whether `time` lies within."""
    return span is not None and span[0] <= time <= span[1]


def film_findings(
    rng: np.random.Generator,
    prevalence: Mapping[str, float],
    body: Body,
    findings: tuple[PlantedFinding, ...],
    *,
    is_portable: bool,
) -> tuple[PlantedFinding, ...]:
    """What is true of this film only: rotated, poorly inspired, nipples in the light."""
    added: tuple[PlantedFinding, ...] = ()
    for script in FILM_SCRIPTS:
        share = (script.portable if is_portable else script.standing) * prevalence.get(script.attribute, 1.0)
        happens, severity, choice = rng.random(3)
        if script.attribute not in SITES or happens >= share * (script.women if body.sex == "F" else 1.0):
            continue
        site = SITES[script.attribute][int(choice * len(SITES[script.attribute]))]
        finding = PlantedFinding(script.attribute, site, round(0.3 + 0.6 * float(severity), 3))
        if not any(clash((finding.attribute, site), (each.attribute, each.objects)) for each in findings + added):
            added += (finding,)
    return added


def draw_reason(rng: np.random.Generator, course: Course, episode: Episode | None, *, is_first: bool) -> str:
    """What the request says: the course's own reasons where it is being treated, a follow-up elsewhere."""
    if episode is None and course.has_admission:
        return "Routine examination." if is_first else "Follow-up examination."
    return str(course.reasons[0] if is_first else rng.choice(course.reasons))


def true_reason(
    reason: str, course: Course, found: tuple[PlantedFinding, ...], before: tuple[PlantedFinding, ...]
) -> str:
    """`reason`, or the course's first one that speaks of no tube that is not there."""
    now, earlier = ({each.attribute for each in findings} for findings in (found, before))
    untrue = {each for each, tube in REASONS_WITH.items() if tube not in now}
    untrue |= {each for each, tube in REASONS_AFTER.items() if tube in now or tube not in earlier}
    return next((each for each in (reason, *course.reasons) if each not in untrue), reason)


def pick(rng: np.random.Generator, shares: dict[str, float]) -> str:
    """One key, by its share."""
    return str(rng.choice(list(shares), p=np.array(list(shares.values())) / sum(shares.values())))


def whole_second(time: datetime) -> datetime:
    """MIMIC's times have no fractions of a second."""
    return time.replace(microsecond=0)

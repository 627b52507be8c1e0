"""Who stayed where and why: patients, admissions, transfers, services, diagnoses, procedures, groups, visits."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import numpy as np

from chartsight.hospital import codes, icd, identifiers
from chartsight.hospital.patients import Episode, Patient, whole_second
from chartsight.hospital.rows import Rows

ARRIVALS = {  # admission type → where patients come from, and whether through the emergency department
    "EW EMER.": ("EMERGENCY ROOM", True),
    "EU OBSERVATION": ("EMERGENCY ROOM", True),
    "OBSERVATION ADMIT": ("EMERGENCY ROOM", True),
    "DIRECT EMER.": ("PHYSICIAN REFERRAL", False),
    "URGENT": ("TRANSFER FROM HOSPITAL", False),
    "SURGICAL SAME DAY ADMISSION": ("PHYSICIAN REFERRAL", False),
}
POUNDS, INCHES = 2.20462, 0.393701
REMEMBERED = 0.85  # probability that a coder writes down what the patient brought along
MOST_DIAGNOSES = 39  # as in MIMIC-IV
MISTYPED = 0.01  # share of short stays that end before they begin, as a few of MIMIC-IV do
SHORT_VENTILATION, LONG_VENTILATION = timedelta(hours=24), timedelta(hours=96)
DIAGNOSES_STREAM = 24


def add_patient(rows: Rows, patient: Patient) -> None:
    """The row of `patients`."""
    rows.add(
        "patients",
        subject_id=patient.subject_id,
        gender=patient.body.sex,
        anchor_age=patient.body.age,
        anchor_year=patient.anchor_year,
        anchor_year_group=patient.anchor_year_group,
        dod=patient.dod.date() if patient.dod else None,
    )


def add_admission(
    rows: Rows, rng: np.random.Generator, patient: Patient, episode: Episode, provider: str
) -> int | None:
    """Everything of one admission that is not a measurement or a drug; the stay_id of its intensive care, if any."""
    course, ids = patient.course, {"subject_id": patient.subject_id, "hadm_id": episode.hadm_id}
    location, through_emergency = ARRIVALS[episode.admission_type]
    arrival = episode.admittime - timedelta(minutes=int(rng.integers(90, 420)))
    left_emergency = episode.admittime + timedelta(minutes=int(rng.integers(5, 60)))
    rows.add(
        "admissions",
        **ids,
        admittime=episode.admittime,
        dischtime=recorded_discharge(rng, episode),
        deathtime=episode.deathtime,
        admission_type=episode.admission_type,
        admit_provider_id=provider,
        admission_location=location,
        discharge_location=discharge_location(rng, patient, episode),
        insurance=patient.insurance,
        language=patient.language,
        marital_status=patient.marital_status,
        race=patient.race,
        edregtime=arrival if through_emergency else None,
        edouttime=left_emergency if through_emergency else None,
        hospital_expire_flag=int(episode.dies),
    )
    rows.add("services", **ids, transfertime=episode.admittime, prev_service=None, curr_service=course.service)
    add_codes(rows, rng, patient, episode)
    return add_transfers(rows, patient, episode, arrival if through_emergency else None)


def recorded_discharge(rng: np.random.Generator, episode: Episode) -> datetime:
    """The time of discharge as somebody typed it: seldom, after a short stay, before the admission."""
    is_short = episode.dischtime - episode.admittime < timedelta(days=1) and episode.icu is None
    if is_short and rng.random() < MISTYPED:
        return episode.admittime - timedelta(minutes=int(rng.integers(5, 600)))
    return episode.dischtime


def discharge_location(rng: np.random.Generator, patient: Patient, episode: Episode) -> str | None:
    """Where the patient goes; null for an observation stay, as in MIMIC-IV."""
    if episode.dies:
        return "DIED"
    if episode.admission_type == "EU OBSERVATION":
        return None
    frail = patient.age_at(episode.dischtime) >= 75 or episode.severity > 0.8
    places = ("SKILLED NURSING FACILITY", "REHAB", "HOME HEALTH CARE") if frail else ("HOME", "HOME HEALTH CARE")
    return str(rng.choice(places))


def add_transfers(rows: Rows, patient: Patient, episode: Episode, arrival: datetime | None) -> int | None:
    """Emergency department, ward, intensive care and back, discharge: each begins when the one before ends."""
    course, stay_id = patient.course, None
    steps: list[tuple[str, str | None, datetime]] = []
    if arrival is not None:
        steps.append(("ED", "Emergency Department", arrival))
    steps.append(("admit", course.ward, episode.admittime))
    if episode.icu is not None:
        steps += [("transfer", course.unit, episode.icu[0]), ("transfer", course.ward, episode.icu[1])]
    steps.append(("discharge", None, episode.dischtime))
    first = next(n for n, other in enumerate(patient.episodes) if other.hadm_id == episode.hadm_id) * 8
    for nth, (event, unit, time) in enumerate(steps):
        transfer_id = identifiers.stay_id(patient.subject_id, first + nth)
        rows.add(
            "transfers",
            subject_id=patient.subject_id,
            hadm_id=episode.hadm_id,
            transfer_id=transfer_id,
            eventtype=event,
            careunit=unit,
            intime=time,
            outtime=steps[nth + 1][2] if nth + 1 < len(steps) else None,
        )
        if unit == course.unit and event == "transfer":
            stay_id = transfer_id
            rows.add(
                "icustays",
                subject_id=patient.subject_id,
                hadm_id=episode.hadm_id,
                stay_id=stay_id,
                first_careunit=unit,
                last_careunit=unit,
                intime=time,
                outtime=steps[nth + 1][2],
                los=(steps[nth + 1][2] - time) / timedelta(days=1),
            )
    return stay_id


def add_codes(rows: Rows, rng: np.random.Generator, patient: Patient, episode: Episode) -> None:
    """Diagnoses, procedures and diagnosis related groups of one admission, in the patient's ICD version."""
    course, version = patient.course, patient.icd_version
    ids = {"subject_id": patient.subject_id, "hadm_id": episode.hadm_id}
    which = 0 if version == 9 else 1
    diagnoses = dict.fromkeys(pair[which] for pair in draw_diagnoses(rng, patient, episode))
    for sequence, code in enumerate(diagnoses, 1):
        rows.add("diagnoses_icd", **ids, seq_num=sequence, icd_code=code, icd_version=version)
    for sequence, (pair, day) in enumerate(draw_procedures(rng, patient, episode), 1):
        rows.add(
            "procedures_icd", **ids, seq_num=sequence, chartdate=day, icd_code=pair[which], icd_version=version
        )  # fmt: skip
    (federal, federal_text), (apr, apr_text) = course.drg
    rows.add("drgcodes", **ids, drg_type="HCFA", drg_code=federal, description=federal_text)
    level = 1 + int(3.99 * episode.severity)
    rows.add(
        "drgcodes", **ids, drg_type="APR", drg_code=apr, description=apr_text, drg_severity=level,
        drg_mortality=4 if episode.dies else max(1, level - 1),
    )  # fmt: skip
    if episode.admission_type == "EU OBSERVATION":
        rows.add(
            "hcpcsevents", **ids, chartdate=episode.admittime.date(), hcpcs_cd="G0378", seq_num=1,
            short_description=codes.HCPCS["G0378"][2],
        )  # fmt: skip


def draw_diagnoses(rng: np.random.Generator, patient: Patient, episode: Episode) -> list[tuple[str, str]]:
    """The course's own first, then what was found, what goes with the course, and what the patient brought along."""
    found = [life.attribute for life in (*episode.lives, *patient.chronic)]
    coded = [icd.CODED_FINDINGS[each] for each in found if each in icd.CODED_FINDINGS]
    later = [habit.pair for habit in coded if rng.random() < habit.share]
    later += [pair for pair in patient.course.comorbidities if rng.random() < 0.55]
    age, sex = patient.age_at(episode.admittime), patient.body.sex
    stable = np.random.default_rng([patient.body.seed, DIAGNOSES_STREAM])  # a chronic disease stays a patient's own
    burden = float(stable.beta(1.3, 1.3)) * (0.5 + episode.severity)
    for other in icd.OTHER_DIAGNOSES:
        has_it = stable.random() < other.share(age) * min(0.45 + 1.7 * burden, 2.2)
        if other.icd9 in (icd.FEMALE_ONLY if sex == "M" else icd.MALE_ONLY):
            continue
        if has_it and rng.random() < REMEMBERED:
            later.append((other.icd9, other.icd10))
    order = rng.permutation(len(later))
    return [*patient.course.diagnoses, *(later[nth] for nth in order)][:MOST_DIAGNOSES]


def draw_procedures(rng: np.random.Generator, patient: Patient, episode: Episode) -> list[tuple[tuple[str, str], date]]:
    """(ICD-9, ICD-10) and day: the course's own, tubes and lines that were placed, ventilation, blood."""
    done = [
        (pair, episode.admittime + timedelta(days=float(rng.uniform(0, 1.5)))) for pair in patient.course.procedures
    ]
    for life in episode.lives:
        habit = icd.CODED_DEVICES.get(life.attribute)
        if habit is not None and rng.random() < habit.share:
            done.append((habit.pair, life.start))
    if episode.ventilation is not None:
        start, end = episode.ventilation
        done.append((ventilation_codes(end - start), start))
    if rng.random() < 0.25 * episode.severity:
        done.append((icd.TRANSFUSION_CODES, episode.admittime + 0.4 * (episode.dischtime - episode.admittime)))
    first, last = episode.admittime.date(), episode.dischtime.date()
    return [(pair, min(max(time.date(), first), last)) for pair, time in done]


def ventilation_codes(length: timedelta) -> tuple[str, str]:
    """ICD-9 and ICD-10 of ventilation for so long; ICD-9 knows no day of its own."""
    if length < SHORT_VENTILATION:
        return icd.SHORT_VENTILATION_CODES
    return icd.VENTILATION_CODES if length < LONG_VENTILATION else icd.LONG_VENTILATION_CODES


def add_visit(rows: Rows, rng: np.random.Generator, patient: Patient, time: datetime) -> None:
    """What is measured when an outpatient comes (`omr`)."""
    day: date = time.date()
    weight = patient.weight_kg * float(rng.normal(1, 0.015))
    pressure = f"{round(rng.normal(126, 11))}/{round(rng.normal(76, 7))}"
    for name, value in (
        ("Blood Pressure", pressure),
        ("Weight (Lbs)", f"{weight * POUNDS:.1f}"),
        ("Height (Inches)", f"{patient.height_cm * INCHES:.0f}"),
        ("BMI (kg/m2)", f"{weight / (patient.height_cm / 100) ** 2:.1f}"),
    ):
        rows.add(
            "omr", subject_id=patient.subject_id, chartdate=day, seq_num=1, result_name=name, result_value=value
        )  # fmt: skip


def after(time: datetime, rng: np.random.Generator, minutes: tuple[int, int]) -> datetime:
    """A little later."""
    return whole_second(time + timedelta(minutes=int(rng.integers(*minutes))))

"""Lives: findings often enough, in every severity, in places that can be drawn; stories that hold together."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest

from chartsight.errors import RecipeError
from chartsight.hospital.config import HospitalConfig
from chartsight.hospital.courses import REASONS_AFTER, REASONS_WITH
from chartsight.hospital.difficulty import FAINTEST_DRAWN, grade
from chartsight.hospital.findings import FINDINGS
from chartsight.hospital.patients import Patient, plan_patients
from chartsight.hospital.reports import IMPLANTS, compare
from chartsight.hospital.scripts import FILM_ATTRIBUTES, INCIDENTAL_ATTRIBUTES, clash
from chartsight.hospital.sites import DEVICES, SITES, TUBE, opposite, propagate

MAIN_FINDINGS = (
    "atelectasis", "cardiac pacer and wires", "consolidation", "endotracheal tube", "enlarged cardiac silhouette",
    "hyperaeration", "mass/nodule (not otherwise specified)", "pleural effusion", "pneumothorax",
    "pulmonary edema/hazy opacity",
)  # fmt: skip


@pytest.fixture(scope="module")
def patients() -> list[Patient]:
    return plan_patients(HospitalConfig(patients=1000, seed=7))


def test_findings_are_neither_rare_nor_everywhere(patients: list[Patient]) -> None:
    films = [study for patient in patients for study in patient.studies]
    shown = Counter(attribute for film in films for attribute in {each.attribute for each in film.findings})
    assert set(shown) == set(FINDINGS)
    shares = {attribute: count / len(films) for attribute, count in shown.items()}
    assert all(0.055 <= shares[attribute] <= 0.165 for attribute in MAIN_FINDINGS), shares
    assert sum(share >= 0.025 for share in shares.values()) >= 30 and min(shares.values()) >= 0.003
    quiet = INCIDENTAL_ATTRIBUTES | FILM_ATTRIBUTES
    assert 0.24 <= sum({each.attribute for each in film.findings} <= quiet for film in films) / len(films) <= 0.36
    assert 2.7 <= len(films) / len(patients) <= 3.3
    severities = [each.severity for film in films for each in film.findings]
    assert min(severities) >= FAINTEST_DRAWN and max(severities) <= 1.0
    grades = [grade(each) for film in films for each in film.findings]
    for low in (0.25, 0.4, 0.55, 0.7, 0.85):
        assert sum(low <= each < low + 0.15 for each in grades) / len(grades) > 0.08


def test_a_reason_speaks_of_no_tube_that_is_not_there(patients: list[Patient]) -> None:
    spoken = Counter[str]()
    for patient in patients:
        before: set[str] = set()
        for study in patient.studies:
            now = {each.attribute for each in study.findings}
            tube = REASONS_WITH.get(study.reason)
            assert tube is None or tube in now
            gone = REASONS_AFTER.get(study.reason)
            assert gone is None or (gone in before and gone not in now)
            spoken[study.reason] += 1
            before = now
    assert all(spoken[reason] for reason in (*REASONS_WITH, *REASONS_AFTER))


def test_a_tube_of_another_admission_is_not_the_same_tube(patients: list[Patient]) -> None:
    unchanged = 0
    for patient in patients:
        for before, study in pairwise(patient.studies):
            for finding in study.findings:
                if finding.attribute in DEVICES and compare(study, finding, before) is not None:
                    unchanged += 1
                    assert finding.attribute in IMPLANTS or before.hadm_id == study.hadm_id
    assert unchanged > 100


def test_lives_hold_together(patients: list[Patient]) -> None:
    for patient in patients:
        episodes = {episode.hadm_id: episode for episode in patient.episodes}
        times = [study.time for study in patient.studies]
        assert times == sorted(times) and len(set(times)) == len(times)
        assert 1 <= len(times) <= 6
        for study in patient.studies:
            if study.hadm_id is not None:
                assert episodes[study.hadm_id].admittime <= study.time <= episodes[study.hadm_id].dischtime
            places = [(each.attribute, each.objects[0]) for each in study.findings]
            assert all(each.objects in SITES[each.attribute] for each in study.findings)
            assert len(set(places)) == len(places)
            for nth, one in enumerate(study.findings):
                for other in study.findings[nth + 1 :]:
                    assert not clash((one.attribute, one.objects), (other.attribute, other.objects)), (one, other)
            if any(each.attribute == TUBE for each in study.findings):
                assert study.hadm_id is not None
                ventilation = episodes[study.hadm_id].ventilation
                assert ventilation is not None and ventilation[0] <= study.time <= ventilation[1]
                assert study.view == "AP" and study.is_portable
        if patient.dod is not None:
            assert max(times, default=patient.dod) <= patient.dod
        for before, after in zip(patient.episodes, patient.episodes[1:], strict=False):
            assert before.dischtime < after.admittime and not before.dies


def test_findings_appear_and_resolve(patients: list[Patient]) -> None:
    appeared = resolved = stayed = 0
    for patient in patients:
        for before, after in zip(patient.studies, patient.studies[1:], strict=False):
            old, new = ({(each.attribute, each.objects) for each in film.findings} for film in (before, after))
            appeared, resolved, stayed = appeared + len(new - old), resolved + len(old - new), stayed + len(old & new)
    assert min(appeared, resolved, stayed) > 100


def test_a_lateral_film_stands_beside_films_of_those_who_can_walk_only(patients: list[Patient]) -> None:
    config = HospitalConfig()
    standing = [study for patient in patients for study in patient.studies if study.view == "PA"]
    assert 0.5 < sum(study.lateral_dicom_id is not None for study in standing) / len(standing) < 0.7
    for patient in patients[:50]:
        for study in patient.studies:
            assert study.lateral_dicom_id is None or not study.is_portable
            frontal, lateral = patient.film_request(study, config), patient.lateral_request(study, config)
            assert lateral.view == "LATERAL" and lateral.findings == frontal.findings and lateral.seed != frontal.seed


def test_a_chest_tube_lies_where_the_air_or_the_fluid_is(patients: list[Patient]) -> None:
    for patient in patients:
        for episode in patient.episodes if patient.course_name == "trauma" else ():
            for tube in episode.of("chest tube"):
                pleural = ("pneumothorax", "hydropneumothorax", "pleural effusion")
                sides = {each.site[0].split()[0] for name in pleural for each in episode.of(name)}
                assert tube.site[0].split()[0] in sides


def test_a_larger_hospital_starts_with_the_same_patients(patients: list[Patient]) -> None:
    assert plan_patients(HospitalConfig(patients=5, seed=7)) == patients[:5]
    assert plan_patients(HospitalConfig(patients=5, seed=8)) != patients[:5]


def test_identifiers_are_unique(patients: list[Patient]) -> None:
    studies = [study for patient in patients for study in patient.studies]
    assert len({study.study_id for study in studies}) == len({study.dicom_id for study in studies}) == len(studies)
    admissions = [episode.hadm_id for patient in patients for episode in patient.episodes]
    assert len(set(admissions)) == len(admissions)


def test_prevalence_is_a_dial() -> None:
    none = plan_patients(HospitalConfig(patients=80, prevalence={"consolidation": 0.0}))
    assert not any(each.attribute == "consolidation" for p in none for study in p.studies for each in study.findings)


@pytest.mark.parametrize(
    ("bad", "where"),
    [
        ({"patients": 0}, "patients"),
        ({"film_size_px": 1}, "film_size_px"),
        ({"label_noise": 1.5}, "label_noise"),
        ({"prevalence": {"gout": 2.0}}, "prevalence"),
        ({"first_subject_id": 5}, "first_subject_id"),
    ],
)
def test_an_impossible_dial_is_named(bad: dict[str, object], where: str) -> None:
    with pytest.raises(RecipeError) as caught:
        HospitalConfig(**bad)  # type: ignore[arg-type]
    assert caught.value.where == where


def test_propagation_goes_from_child_to_parent_only() -> None:
    implied = propagate(("consolidation",), ("left lower lung zone",))
    assert implied[0] == ("consolidation", "left lower lung zone")
    assert set(implied) == {
        (attribute, place)
        for attribute in ("consolidation", "lung opacity")
        for place in ("left lower lung zone", "left lung")
    }
    assert propagate(("lung opacity",), ("left lung",)) == [("lung opacity", "left lung")]
    assert opposite(("left costophrenic angle", "left lung")) == ("right costophrenic angle", "right lung")

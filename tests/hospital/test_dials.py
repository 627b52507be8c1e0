"""Each dial moves what it should, in the direction it should, and never the truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from chartsight.hospital.config import HospitalConfig
from chartsight.hospital.cxr import Reading, label_row, study_labels
from chartsight.hospital.difficulty import DIFFICULTIES, FAINT, VISIBILITY, grade
from chartsight.hospital.film_request import PlantedFinding
from chartsight.hospital.findings import FINDINGS
from chartsight.hospital.imagenome import attribute_rows
from chartsight.hospital.patients import Patient, plan_patients
from chartsight.hospital.readers import READERS, Outcome, read_film, reader_of
from chartsight.hospital.reports import Report, with_label_noise, write_report
from chartsight.hospital.sites import SITES
from chartsight.hospital.wordings import DEGREES, NAMES, NEGATIONS, TIP_WORDINGS, WORDINGS

PLAIN = HospitalConfig(patients=120, seed=9)
NOISE_DIALS = ("label_noise", "report_omission", "report_uncertainty", "reader_disagreement")


@pytest.fixture(scope="module")
def patients() -> list[Patient]:
    return plan_patients(PLAIN)


def reports(patients: list[Patient], config: HospitalConfig) -> list[Report]:
    return [write_report(patient, study, config) for patient in patients for study in patient.studies]


def share(patients: list[Patient], config: HospitalConfig, outcome: Outcome) -> float:
    """Of the findings that became `outcome`, over those that are there."""
    seen = [each for report in reports(patients, config) for each in report.seen]
    return sum(each.outcome == outcome for each in seen) / sum(each.outcome != "overcalled" for each in seen)


@pytest.mark.parametrize("dial", NOISE_DIALS)
def test_no_dial_of_reports_or_labels_moves_a_life_or_a_film(dial: str, patients: list[Patient]) -> None:
    assert plan_patients(replace(PLAIN, **{dial: 0.7})) == patients


@pytest.mark.parametrize(
    ("dial", "outcome"),
    [("report_omission", "omitted"), ("report_uncertainty", "suspected"), ("reader_disagreement", "missed"),
     ("reader_disagreement", "overcalled")],
)  # fmt: skip
def test_a_dial_turned_up_adds_to_what_it_does(dial: str, outcome: Outcome, patients: list[Patient]) -> None:
    shares = [share(patients, replace(PLAIN, **{dial: value}), outcome) for value in (0.0, 0.3, 0.9)]
    assert shares[0] == 0 and 0 < shares[1] < shares[2], shares


def test_omission_is_the_share_that_it_says(patients: list[Patient]) -> None:
    assert share(patients, replace(PLAIN, report_omission=0.4), "omitted") == pytest.approx(0.4, abs=0.05)
    silent = reports(patients, replace(PLAIN, report_omission=1.0))
    assert all(report.is_normal for report in silent)


def test_what_is_omitted_changes_no_other_sentence(patients: list[Patient]) -> None:
    for full, short in zip(
        reports(patients, PLAIN), reports(patients, replace(PLAIN, report_omission=0.5)), strict=True
    ):
        stated = {sentence.text for sentence in full.sentences}
        assert {s.text for s in short.sentences if s.severity is not None} <= stated


def test_a_suspicion_is_minus_one_in_chexpert_and_nothing_in_imagenome(patients: list[Patient]) -> None:
    config = replace(PLAIN, report_uncertainty=1.0)
    found = 0
    for patient in patients:
        for study in patient.studies:
            report = write_report(patient, study, config)
            suspected = [each.finding for each in report.seen if each.outcome == "suspected"]
            assert all(grade(finding) < FAINT for finding in suspected)
            fluid = {"pleural effusion", "hydropneumothorax"}
            if {each.outcome for each in report.seen if each.finding.attribute in fluid} != {"suspected"}:
                continue
            labels = study_labels(a for sentence in report.sentences for a in sentence.assertions)
            rows = list(attribute_rows(study, report))
            assert labels["Pleural Effusion"] == -1.0 and "-1.0" in label_row(Reading(patient, study, report, report))
            assert not any(row[-1] == "pleural effusion" for row in rows)
            found += 1
    assert found


def test_readers_miss_the_faint_and_keep_the_plain(patients: list[Patient]) -> None:
    config = replace(PLAIN, reader_disagreement=1.0)
    missed: dict[bool, list[bool]] = {True: [], False: []}
    for patient in patients:
        for study in patient.studies:
            for each in read_film(study, config):
                if each.outcome != "overcalled":
                    missed[grade(each.finding) < FAINT].append(each.outcome == "missed")
    assert np.mean(missed[True]) > 0.25 > 0.1 > np.mean(missed[False])


def test_readers_differ(patients: list[Patient]) -> None:
    config = replace(PLAIN, reader_disagreement=1.0)
    missed: dict[str, list[bool]] = {reader.name: [] for reader in READERS}
    for patient in patients:
        for study in patient.studies:
            name = reader_of(study.study_id, config.seed).name
            missed[name] += [each.outcome == "missed" for each in read_film(study, config)]
    assert all(missed.values())
    assert np.mean(missed["hasty"]) > 2 * np.mean(missed["careful"])


def test_label_noise_inverts_labels_and_leaves_the_text(patients: list[Patient]) -> None:
    config = replace(PLAIN, label_noise=0.3)
    inverted = total = 0
    for report in reports(patients, PLAIN):
        noisy = with_label_noise(report, config)
        assert noisy.text == report.text
        pairs = zip(report.sentences, noisy.sentences, strict=True)
        changed = [one.assertions != other.assertions for one, other in pairs if one.assertions]
        inverted, total = inverted + sum(changed), total + len(changed)
    assert inverted / total == pytest.approx(0.3, abs=0.05)


def test_the_harder_the_fainter() -> None:
    means = {
        name: np.mean([f.severity for p in plan_patients(replace(PLAIN, difficulty=name)) for s in p.studies
                       for f in s.findings])
        for name in DIFFICULTIES
    }  # fmt: skip
    assert means["easy"] > means["standard"] + 0.05 and means["standard"] > means["hard"] + 0.05
    distractions = [DIFFICULTIES[name].distraction for name in ("easy", "standard", "hard")]
    assert distractions == sorted(distractions) and distractions[1] == 1.0


@pytest.mark.parametrize("name", DIFFICULTIES)
@pytest.mark.parametrize("attribute", sorted(FINDINGS))
def test_drawn_severities_rise_with_the_course_and_stay_drawable(name: str, attribute: str) -> None:
    drawn = [DIFFICULTIES[name].drawn_severity(attribute, severity) for severity in np.linspace(0, 1, 21)]
    assert drawn == sorted(drawn) and 0 < drawn[0] < drawn[-1] == pytest.approx(VISIBILITY[attribute].high)


def test_every_finding_has_its_visibility() -> None:
    assert set(VISIBILITY) == set(FINDINGS)


@pytest.mark.parametrize("attribute", sorted(FINDINGS))
def test_a_grade_is_the_courses_severity_again(attribute: str) -> None:
    for severity in (0.25, 0.5, 0.74, 1.0):
        drawn = DIFFICULTIES["standard"].drawn_severity(attribute, severity)
        assert grade(PlantedFinding(attribute, ("spine",), drawn)) == pytest.approx(severity, abs=0.06)


def test_prevalence_moves_its_finding_alone(patients: list[Patient]) -> None:
    def frequency(some: list[Patient], attribute: str) -> float:
        return float(np.mean([any(f.attribute == attribute for f in s.findings) for p in some for s in p.studies]))

    none = plan_patients(replace(PLAIN, prevalence={"pleural effusion": 0}))
    assert frequency(none, "pleural effusion") == 0 < frequency(patients, "pleural effusion")
    assert frequency(none, "enlarged cardiac silhouette") == pytest.approx(
        frequency(patients, "enlarged cardiac silhouette"), abs=0.06
    )


@pytest.mark.parametrize("attribute", FINDINGS)
def test_every_finding_is_worded_in_more_than_one_way(attribute: str) -> None:
    places = {site[0] for site in SITES[attribute]}
    for place in places:
        assert len(TIP_WORDINGS.get((attribute, place), WORDINGS[attribute])) >= 1
    texts = {text for place in places for text in TIP_WORDINGS.get((attribute, place), WORDINGS[attribute])}
    assert len(texts) >= 2 and all(text.endswith(".") for text in texts)
    assert attribute in NAMES


def test_words_belong_to_findings() -> None:
    assert set(DEGREES) | set(NEGATIONS) | {attribute for attribute, _ in TIP_WORDINGS} <= set(WORDINGS)
    assert set(NAMES) == set(WORDINGS)


def test_every_sentence_is_whole(patients: list[Patient]) -> None:
    config = replace(PLAIN, report_uncertainty=0.5, reader_disagreement=0.8)
    for report in reports(patients, config):
        for sentence in report.sentences:
            assert "{" not in sentence.text and sentence.text[0].isupper() and sentence.text.endswith(".")
            assert "  " not in sentence.text and ".." not in sentence.text


def test_a_film_asserts_and_denies_no_finding_in_one_place(patients: list[Patient]) -> None:
    for report in reports(patients, PLAIN):
        said = [a for sentence in report.sentences for a in sentence.assertions if not a.is_uncertain]
        present = {(a.attribute, a.object) for a in said if a.is_present}
        assert not present & {(a.attribute, a.object) for a in said if not a.is_present}

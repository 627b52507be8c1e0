"""The confounders' sign: what a film's look says about how ill the patient is."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pytest

from chartsight.hospital.config import HospitalConfig
from chartsight.hospital.confounding import choose_view_and_technique, technique_generator
from chartsight.hospital.patients import Study, iterate_patients

LOOKS: Mapping[str, Callable[[Study], float]] = {
    "portable": lambda study: study.is_portable,
    "monitored": lambda study: bool(study.technique.monitored),
    "arrow": lambda study: study.technique.marker == "arrow",
    "annotated": lambda study: study.technique.annotated is not None,
    "padding": lambda study: study.technique.padding or 0.0,
    "padding grey": lambda study: study.technique.padding_grey or 0.0,
    "exposure": lambda study: study.technique.exposure or 0.0,
}
INDEPENDENT = 3.3 / np.sqrt(2000)  # |r| of two independent columns is above it once in a thousand


@pytest.fixture(scope="module")
def studies() -> dict[float, list[Study]]:
    """2,000 studies at each setting of the dial, of the same lives; those on a ventilator are always portable."""
    found = {}
    for dial in (-1.0, 0.0, 1.0):
        patients = iterate_patients(HospitalConfig(patients=1200, seed=3, confounding=dial))
        free = [
            study
            for patient in patients
            for study in patient.studies
            if not any(
                episode.ventilation and episode.ventilation[0] <= study.time <= episode.ventilation[1]
                for episode in patient.episodes
            )
        ]
        found[dial] = free[:2000]
        assert len(found[dial]) == 2000
    return found


@pytest.mark.parametrize("look", LOOKS)
def test_the_dial_gives_the_association_its_sign(look: str, studies: dict[float, list[Study]]) -> None:
    r = {
        dial: float(np.corrcoef([each.sickness for each in some], [LOOKS[look](each) for each in some])[0, 1])
        for dial, some in studies.items()
    }
    assert r[1.0] > 0.3 and r[-1.0] < -0.3, r
    assert abs(r[0.0]) < INDEPENDENT, r


def test_the_dial_changes_no_life(studies: dict[float, list[Study]]) -> None:
    """Same times, same sickness, same findings, but for those of the film itself."""
    for one, other in zip(studies[1.0], studies[-1.0], strict=True):
        assert (one.study_id, one.time, one.sickness) == (other.study_id, other.time, other.sickness)


def test_a_patient_who_cannot_leave_the_bed_has_portable_films() -> None:
    for study_id in range(200):
        chosen = choose_view_and_technique(technique_generator(1, study_id), -1.0, 1.0, must_be_portable=True)
        assert chosen.is_portable and chosen.view == "AP"


def test_words_on_the_film_are_true(studies: dict[float, list[Study]]) -> None:
    said = {(study.technique.annotated, study.view) for some in studies.values() for study in some}
    assert ("PORTABLE", "PA") not in said and ("UPRIGHT", "AP") not in said and ("PORTABLE", "AP") in said


def test_turning_the_dial_moves_films_one_by_one() -> None:
    """A sick patient's film that is portable at a dial is portable at every higher one."""
    for study_id in range(100):
        portable = [
            choose_view_and_technique(technique_generator(1, study_id), dial, 0.9).is_portable
            for dial in np.linspace(-1, 1, 9)
        ]
        assert portable == sorted(portable)


def test_techniques_are_within_what_the_renderer_takes(studies: dict[float, list[Study]]) -> None:
    for study in studies[1.0]:
        look = study.technique
        assert look.padding is not None and 0 <= look.padding <= 0.3
        assert look.padding_grey is not None and 0 <= look.padding_grey <= 1
        assert look.exposure is not None and -3 <= look.exposure <= 3

"""Every code that a course may ever use has a name, so that no rare patient stops a build."""

from __future__ import annotations

import pytest

from chartsight.hospital import codes, icd
from chartsight.hospital.admissions import ARRIVALS
from chartsight.hospital.courses import COURSES
from chartsight.hospital.findings import FINDINGS
from chartsight.hospital.scripts import FILM_SCRIPTS, INCIDENTALS
from chartsight.hospital.sites import BROADER_ATTRIBUTES, LARGER_OBJECTS, SITES
from chartsight.hospital.wordings import DISEASE_WORDINGS, WORDINGS
from chartsight.schema import ATTRIBUTES, OBJECTS


@pytest.mark.parametrize("name", COURSES)
def test_a_course_uses_known_codes_only(name: str) -> None:
    course = COURSES[name]
    for pair in (*course.diagnoses, *course.comorbidities, *(each.pair for each in icd.CODED_FINDINGS.values())):
        assert all((code, version) in icd.DIAGNOSIS_TITLES for code, version in zip(pair, (9, 10), strict=True))
    for pair in (
        *course.procedures,
        icd.SHORT_VENTILATION_CODES,
        icd.VENTILATION_CODES,
        *(each.pair for each in icd.CODED_DEVICES.values()),
    ):
        assert all((code, version) in icd.PROCEDURE_TITLES for code, version in zip(pair, (9, 10), strict=True))
    assert set(course.drugs) <= set(codes.DRUGS)
    assert set(course.labs) <= set(codes.LAB_ITEMS)
    assert set(course.vitals) <= set(codes.VITAL_SIGNS)
    assert set(course.organisms) <= set(codes.ORGANISM_ITEMS)
    assert course.admission_type in ARRIVALS
    assert set(course.diseases) <= set(DISEASE_WORDINGS) and {
        each for explained in course.diseases.values() for each in explained
    } <= set(FINDINGS)
    assert all(0 < script.probability <= 1 for script in course.findings)


def test_every_finding_can_be_drawn_placed_worded_and_is_in_the_vocabulary() -> None:
    assert set(FINDINGS) == set(SITES) <= set(WORDINGS) <= set(ATTRIBUTES)
    assert {each for sites in SITES.values() for site in sites for each in site} <= set(OBJECTS)
    assert {each for parents in BROADER_ATTRIBUTES.values() for each in parents} <= set(ATTRIBUTES)
    assert {each for parents in LARGER_OBJECTS.values() for each in parents} | set(LARGER_OBJECTS) <= set(OBJECTS)
    scripted = {script.attribute for course in COURSES.values() for script in course.findings}
    assert scripted | {each.attribute for each in (*INCIDENTALS, *FILM_SCRIPTS)} == set(FINDINGS)

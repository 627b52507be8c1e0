"""Truth, report and labels of a hospital whose dials are all 0: each says what the others say."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from chartsight.hospital.build import read_study
from chartsight.hospital.config import HospitalConfig
from chartsight.hospital.cxr import CHEXPERT_OF, Reading, study_films, study_labels
from chartsight.hospital.film_request import Film
from chartsight.hospital.imagenome import attribute_rows
from chartsight.hospital.patients import plan_patients
from chartsight.hospital.reports import with_label_noise
from chartsight.hospital.truth import truth_rows
from chartsight.schema import ATTRIBUTES, OBJECTS

PLAIN = HospitalConfig(patients=120, seed=17, film_size_px=64)


@pytest.fixture(scope="module")
def readings() -> list[Reading]:
    return [read_study(patient, study, PLAIN) for patient in plan_patients(PLAIN) for study in patient.studies]


def true_of(reading: Reading) -> set[tuple[str, str]]:
    """(attribute, object) of everything that is true of a study's frontal film."""
    unseen = (None,) * len(reading.study.findings)
    films = {name: Film(np.zeros((0, 0), np.uint8), {}, unseen) for name, _ in study_films(reading.study)}
    rows = truth_rows(reading, films, PLAIN.style)
    return {(row["attribute"], row["object"]) for row in rows if row.get("attribute") is not None}


def said_in_graph(reading: Reading) -> Iterator[tuple[str, tuple[str, str]]]:
    """`yes` or `no`, and (attribute, object), of every row that Chest ImaGenome's table would have."""
    for row in attribute_rows(reading.study, reading.labelled):
        name, context, category, attribute = str(row[6]), str(row[8]), row[9], str(row[10])
        if category != "nlp":
            yield context, (attribute, name)


def test_a_hospital_shows_most_of_the_vocabulary(readings: list[Reading]) -> None:
    """47 attributes are planted, two implied, seven are diseases that explain them, and some are broader words."""
    seen = {each for reading in readings for each in true_of(reading)}
    attributes = {attribute for attribute, _ in seen}
    assert {ATTRIBUTES[each] for each in attributes} == set(ATTRIBUTES.values()) and len(set(ATTRIBUTES.values())) == 5
    assert len(attributes) >= 45 and len({name for _, name in seen}) >= 0.8 * len(OBJECTS)


def test_the_scene_graph_says_what_is_true_and_nothing_else(readings: list[Reading]) -> None:
    total = 0
    for reading in readings:
        truth, said = true_of(reading), list(said_in_graph(reading))
        assert {pair for context, pair in said if context == "yes"} == truth
        assert not {pair for context, pair in said if context == "no"} & truth
        total += len(truth)
    assert total > 2000


def test_chexpert_says_what_is_true(readings: list[Reading]) -> None:
    for reading in readings:
        labels = study_labels(a for sentence in reading.labelled.sentences for a in sentence.assertions)
        true = {CHEXPERT_OF[attribute] for attribute, _ in true_of(reading) if attribute in CHEXPERT_OF}
        assert {name for name, value in labels.items() if value == 1.0} - {"No Finding"} == true
        assert not {name for name, value in labels.items() if value == 0.0} & true


def test_the_check_sees_a_label_that_is_turned_round(readings: list[Reading]) -> None:
    noisy = HospitalConfig(patients=120, seed=17, film_size_px=64, label_noise=0.2)
    differ = 0
    for reading in readings:
        turned = Reading(reading.patient, reading.study, reading.report, with_label_noise(reading.report, noisy))
        differ += {pair for context, pair in said_in_graph(turned) if context == "yes"} != true_of(turned)
    assert differ > len(readings) / 3

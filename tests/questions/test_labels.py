from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from chartsight.questions.labels import (
    FilmLabels,
    LabelledFilm,
    Unmentioned,
    all_of,
    any_of,
    build_film_labels,
    negated,
)
from chartsight.schema import WHOLE_FILM

SOURCES = ("imagenome", "folder", "chexpert")


def films(n: int, source: str = "hospital") -> list[LabelledFilm]:
    return [LabelledFilm(f"film{k}", k, k, f"d{k}", "PA", "female", source, "synthetic", "real") for k in range(n)]


def label(film: int, place: str | None, attribute: str, state: str, source: str = "imagenome") -> tuple[object, ...]:
    return film, place, attribute, "anatomicalfinding", state, source


def build(n: int, labels: list[tuple[object, ...]], unmentioned: Unmentioned = "absent", **boxes: object) -> FilmLabels:
    return build_film_labels(films(n), labels, boxes.get("boxes", ()), label_sources=SOURCES, unmentioned=unmentioned)  # type: ignore[arg-type]


def test_unknown_joins_as_in_sql() -> None:
    pairs = np.array([[1, -1], [0, -1], [1, 0], [0, 0], [1, 1], [-1, -1]], np.int8)
    assert any_of(pairs).tolist() == [1, -1, 1, 0, 1, -1]
    assert all_of(pairs).tolist() == [-1, 0, 0, 0, 1, -1]
    assert negated(np.array([1, 0, -1], np.int8)).tolist() == [0, 1, -1]


def test_what_is_not_mentioned_is_absent_or_unknown_by_choice() -> None:
    rows = [label(0, "left lung", "pneumothorax", "present"), label(1, "left lung", "atelectasis", "present")]
    assert build(2, rows).truth("pneumothorax").tolist() == [1, 0]
    assert build(2, rows, "unknown").truth("pneumothorax").tolist() == [1, -1]


def test_a_film_that_nobody_labelled_is_unknown() -> None:
    labels = build(2, [label(0, "left lung", "pneumothorax", "present")])
    assert labels.sources == ("imagenome", "")
    assert labels.truth("pneumothorax").tolist() == [1, -1]
    assert labels.truth("abnormality", "left lung").tolist() == [1, -1]


def test_boxes_alone_say_that_a_film_was_read_and_is_clear() -> None:
    rows = [label(0, "left lung", "pneumothorax", "present")]
    labels = build(2, rows, boxes=[(1, "left lung", 0.0, 9.0, "imagenome")])
    assert labels.truth("pneumothorax").tolist() == [1, 0]


def test_a_report_labeller_reads_every_film_of_its_source() -> None:
    rows = [label(0, WHOLE_FILM, "pneumothorax", "present", "chexpert")]
    read = build_film_labels(films(2), rows, (), label_sources=SOURCES)  # type: ignore[arg-type]
    assert read.truth("pneumothorax").tolist() == [1, 0]
    elsewhere = [*films(1), *films(1, "folder")]
    assert build_film_labels(elsewhere, rows, (), label_sources=SOURCES).truth("pneumothorax").tolist() == [1, -1]  # type: ignore[arg-type]


def test_uncertain_is_never_yes_or_no() -> None:
    labels = build(
        2, [label(0, "left lung", "atelectasis", "present"), label(1, "left lung", "atelectasis", "uncertain")]
    )
    assert labels.truth("atelectasis").tolist() == [1, -1]
    assert labels.truth("atelectasis", "left lung").tolist() == [1, -1]
    assert labels.truth("abnormality").tolist() == [1, -1]


def test_a_part_is_in_its_whole_and_a_clear_whole_has_clear_parts() -> None:
    rows = [
        label(0, "left lower lung zone", "consolidation", "present"),
        label(1, "left lung", "consolidation", "absent"),
        label(2, "left lower lung zone", "consolidation", "uncertain"),
    ]
    labels = build(3, rows, "unknown")
    assert labels.truth("consolidation", "left lung").tolist() == [1, 0, -1]
    assert labels.truth("consolidation", "left lower lung zone").tolist() == [1, 0, -1]
    assert labels.truth("consolidation", "left").tolist() == [1, 0, -1]
    assert labels.truth("consolidation").tolist() == [1, 0, -1]


def test_clear_on_one_side_is_not_clear() -> None:
    rows = [
        label(0, "left lung", "consolidation", "present"),
        label(0, "right lung", "consolidation", "present"),
        label(1, "left lung", "consolidation", "absent"),
    ]
    assert build(2, rows, "unknown").truth("consolidation").tolist() == [1, -1]


def test_a_finding_without_a_place_answers_about_the_whole_film_only() -> None:
    labels = build(2, [label(0, WHOLE_FILM, "pneumonia", "present"), label(1, WHOLE_FILM, "pneumonia", "absent")])
    assert labels.truth("pneumonia").tolist() == [1, 0]
    assert labels.places == ()


def test_the_preferred_source_wins_for_each_film() -> None:
    rows = [
        label(0, "left lung", "pneumothorax", "absent"),
        label(0, WHOLE_FILM, "pneumothorax", "present", "chexpert"),
        label(1, WHOLE_FILM, "pneumothorax", "present", "chexpert"),
        label(1, WHOLE_FILM, "pneumothorax", "present", "negbio"),
    ]
    labels = build(2, rows)
    assert labels.sources == ("imagenome", "chexpert")
    assert labels.truth("pneumothorax").tolist() == [0, 1]


def test_ratios_are_widths_over_the_span_of_both_lungs() -> None:
    boxes = [
        (0, "right lung", 10.0, 100.0, "imagenome"), (0, "left lung", 120.0, 210.0, "imagenome"),
        (0, "cardiac silhouette", 60.0, 170.0, "imagenome"), (0, "upper mediastinum", 80.0, 120.0, "imagenome"),
    ]  # fmt: skip
    labels = build(2, [], boxes=boxes)
    assert labels.ratios["ct_ratio"][0] == pytest.approx(0.55)
    assert labels.ratios["mt_ratio"][0] == pytest.approx(0.2)
    assert labels.truth("ct_ratio").tolist() == [1, -1]
    assert labels.truth("mt_ratio").tolist() == [0, -1]


def test_a_csv_says_nothing_of_findings_that_only_another_folders_csv_lists() -> None:
    two_sets = [*films(1, "adults"), *(replace(each, image_id="child", source="children") for each in films(1))]
    rows = [
        label(0, WHOLE_FILM, "hernia", "present", "folder"),
        label(0, WHOLE_FILM, "pneumothorax", "absent", "folder"),
        label(1, WHOLE_FILM, "viral pneumonia", "present", "folder"),
    ]
    labels = build_film_labels(two_sets, rows, (), label_sources=SOURCES)  # type: ignore[arg-type]
    assert labels.truth("viral pneumonia").tolist() == [-1, 1]
    assert labels.truth("hernia").tolist() == [1, -1]
    assert labels.truth("pneumothorax").tolist() == [0, -1]

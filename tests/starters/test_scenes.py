"""Drawn scenes: the same again from the same seed, and every gold answer true of what was drawn and of what is seen."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest

from chartsight.starters.asked import Asked
from chartsight.starters.scenes import (
    PLACES,
    SHAPES,
    SIZE_PX,
    Drawn,
    Scene,
    ask_scene,
    draw_scene,
    present_labels,
    scene_labels,
)

SEED = 11
SCENES = [draw_scene(SEED, index) for index in range(150)]


def asked() -> Iterator[tuple[Scene, Asked]]:
    for index, scene in enumerate(SCENES):
        for question in ask_scene(scene, SEED, index):
            yield scene, question


def test_the_same_numbers_give_the_same_bytes() -> None:
    for index in (0, 7):
        again = draw_scene(SEED, index)
        assert again.drawn == SCENES[index].drawn
        assert again.pixels.tobytes() == SCENES[index].pixels.tobytes()
        assert list(ask_scene(again, SEED, index)) == list(ask_scene(SCENES[index], SEED, index))
    assert draw_scene(SEED + 1, 0).pixels.tobytes() != SCENES[0].pixels.tobytes()
    assert len({scene.pixels.tobytes() for scene in SCENES}) == len(SCENES)


def test_a_scene_is_a_film_of_one_to_five_shapes_in_cells_of_their_own() -> None:
    for scene in SCENES:
        assert scene.pixels.shape == (SIZE_PX, SIZE_PX) and scene.pixels.dtype == np.uint8
        assert 1 <= len(scene.drawn) <= 5
        places = [PLACES.index(each.place) for each in scene.drawn]
        assert places == sorted(set(places)), "reading order, no cell twice"
    assert {each.shape for scene in SCENES for each in scene.drawn} == set(SHAPES)
    assert {each.place for scene in SCENES for each in scene.drawn} == set(PLACES)


def test_shade_place_and_size_can_be_measured_on_the_film() -> None:
    """Against the ground round about: brighter or darker in its cell, there and nowhere else, larger when large."""
    areas: dict[tuple[str, str], list[float]] = {}
    for index in range(60):
        [*drawn] = SCENES[index].drawn
        film = SCENES[index].pixels.astype(float)
        edges = np.linspace(0, SIZE_PX, 4).round().astype(int)
        at = {each.place: each for each in drawn}
        empty = [place for place in PLACES if place not in at]
        # The light falls off in a plane: fitted over the cells that are empty.
        rows, columns = np.mgrid[0:SIZE_PX, 0:SIZE_PX]
        plane = np.stack([np.ones_like(rows), rows, columns], axis=-1).astype(float)
        inside = np.zeros((SIZE_PX, SIZE_PX), dtype=bool)
        for place in empty:
            row, column = divmod(PLACES.index(place), 3)
            inside[edges[row] : edges[row + 1], edges[column] : edges[column + 1]] = True
        weights, *_ = np.linalg.lstsq(plane[inside], film[inside], rcond=None)
        above = film - plane @ weights
        for place in PLACES:
            row, column = divmod(PLACES.index(place), 3)
            cell = above[edges[row] : edges[row + 1], edges[column] : edges[column + 1]]
            marked = np.abs(cell) > 32
            if place in empty:
                assert marked.mean() < 0.01
            else:
                each = at[place]
                assert marked.mean() > 0.01
                assert (cell[marked].mean() > 0) == (each.shade == "bright")
                areas.setdefault((each.shape, each.size), []).append(float(marked.mean()))
    for shape in SHAPES:
        if (shape, "small") in areas and (shape, "large") in areas:
            assert min(areas[shape, "large"]) > max(areas[shape, "small"]), shape


def true_answer(drawn: tuple[Drawn, ...], question: str) -> object:
    """The answer from the words of the question alone, written apart from the code that asks."""
    shapes = [each.shape for each in drawn]
    if match := re.fullmatch(r"is there a (\w+) in the ([\w ]+)\?", question):
        return any((each.shape, each.place) == match.groups() for each in drawn)
    if match := re.fullmatch(r"(?:is there a|does the picture show a|any) (\w+?)(?: here)?\?", question):
        return match[1] in shapes
    if match := re.fullmatch(r"what is in the ([\w ]+)\?", question):
        return [each.shape for each in drawn if each.place == match[1]]
    if question == "which shapes are there?":
        return sorted(set(shapes))
    if match := re.fullmatch(r"how many (\w+)s are there\?", question):
        return shapes.count(match[1])
    if match := re.fullmatch(r"where is the (\w+)\?", question):
        [one] = [each for each in drawn if each.shape == match[1]]
        return one.place
    if match := re.fullmatch(r"is the (\w+) (small or large|dark or bright|on the left or on the right)\?", question):
        [one] = [each for each in drawn if each.shape == match[1]]
        return {"s": one.size, "d": one.shade, "o": one.place.split()[-1]}[match[2][0]]
    raise AssertionError(question)


def test_every_gold_answer_is_true_of_the_drawing() -> None:
    templates = Counter()
    for scene, question in asked():
        assert json.loads(question.answer) == true_answer(scene.drawn, question.question), question
        templates[question.template_id] += 1
        if question.answer_type in ("choice", "set"):
            answer = json.loads(question.answer)
            assert set([answer] if isinstance(answer, str) else answer) <= set(question.allowed_answers)
    assert set(templates) == {
        "scene-shape", "scene-shape-place", "scene-what", "scene-list", "scene-count", "scene-where", "scene-size",
        "scene-shade", "scene-side",
    }  # fmt: skip


@pytest.mark.parametrize("template", ["scene-shape", "scene-shape-place"])
def test_yes_and_no_are_about_as_frequent(template: str) -> None:
    answers = [question.answer for _, question in asked() if question.template_id == template]
    assert 0.45 < answers.count("true") / len(answers) < 0.6


def test_left_and_right_are_both_asked() -> None:
    sides = Counter(question.answer for _, question in asked() if question.template_id == "scene-side")
    assert min(sides.values()) > 10 and set(sides) == {'"left"', '"right"'}


def test_a_caption_says_everything_once() -> None:
    for scene in SCENES:
        said = scene.caption().split(", ")
        assert [tuple(re.fullmatch(r"a (\w+) (\w+) (\w+) in the (.+)", each).groups()) for each in said] == [  # type: ignore[union-attr]
            (each.size, each.shade, each.shape, each.place) for each in scene.drawn
        ]


def test_labels_are_of_the_tower_s_vocabulary() -> None:
    labels = scene_labels()
    assert len(labels) == len(set(labels)) == 8 + 72 + 16 + 16
    for scene in SCENES:
        assert present_labels(scene.drawn) <= set(labels)
    one = (Drawn("ring", "small", "dark", "centre"),)
    assert present_labels(one) == {"ring", "ring @ centre", "small ring", "dark ring"}

"""The reference classifier: films of its plan are what the plan says, it learns, goes on, is stored, and is refused."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from chartsight.errors import CheckpointError, OutputError, RecipeError
from chartsight.evaluation.intervals import Interval
from chartsight.hospital.findings import FINDINGS
from chartsight.starters import reference, reference_films
from chartsight.starters.reference import (
    SHIPPED,
    CellGrid,
    Difficulty,
    FindingDifficulty,
    Lesson,
    fit_classifier,
    load_classifier,
    make_reference,
    measure_difficulty,
    read_card,
    render_difficulty,
)
from chartsight.starters.reference_films import (
    DRAWN_BY,
    EXCLUSIONS,
    DrawnFilms,
    FilmPlan,
    draw_plan,
    plan_film,
)
from chartsight.starters.reference_films import draw_plan as draw
from chartsight.training.learning import rate_at
from chartsight.vlm.preprocessing import STARTER_PREPROCESSING

HOSPITAL = Path(reference_films.chartsight.hospital.__file__).parent
TINY = FilmPlan(films=24, seed=5, drawn_px=64, size_px=64, findings_a_film=8)
LESSON = Lesson(steps=4, films_per_step=8, save_every=2, widths=(8, 8, 16, 16), blocks=(0, 0, 0, 0), shift_px=2)


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> DrawnFilms:
    return draw_plan(TINY, tmp_path_factory.mktemp("films"), workers=1, quiet=True)


# ---------------------------------------------------------------------------------------------------------------- films


def test_a_plan_is_the_same_again_and_another_with_another_seed() -> None:
    assert [plan_film(TINY, number) for number in range(9)] == [plan_film(TINY, number) for number in range(9)]
    assert plan_film(TINY, 0) != plan_film(replace(TINY, seed=6), 0)
    assert plan_film(TINY, 0).body == plan_film(TINY, 1).body != plan_film(TINY, 2).body


def test_every_finding_is_about_as_frequent_and_none_contradicts_another() -> None:
    plan = FilmPlan(films=1, seed=3)
    requests = [plan_film(plan, number) for number in range(1500)]
    seen = [{planted.attribute for planted in request.findings} for request in requests]
    counts = {name: sum(name in each for each in seen) for name in FINDINGS}
    excluded = {name for pair in EXCLUSIONS for name in pair}
    free = [count for name, count in counts.items() if name not in excluded]
    assert min(free) > 0.6 * np.median(free) and max(free) < 1.5 * np.median(free), counts
    for one, other in EXCLUSIONS:
        assert not any({one, other} <= each for each in seen)
    assert {request.view for request in requests} == {"PA", "AP"}
    assert {request.body.sex for request in requests} == {"M", "F"}


def test_drawn_films_say_what_was_planted(films: DrawnFilms) -> None:
    assert films.pixels.shape == (24, 64, 64) and films.attributes == tuple(FINDINGS)
    for number in range(24):
        request = plan_film(TINY, number)
        planted = {finding.attribute for finding in request.findings}
        there = {name for name, value in zip(films.attributes, films.severity[number], strict=True) if value > 0}
        assert there == planted
        of_film = films.mark_film == number
        assert sorted(films.mark_object[of_film]) == sorted(finding.objects[0] for finding in request.findings)
    inside = (films.mark_box >= -0.01) & (films.mark_box <= 1.01)
    assert inside.all() and (films.mark_box[:, 2:] > films.mark_box[:, :2]).all()


def test_drawing_goes_on_and_process_counts_do_not_matter(tmp_path: Path, films: DrawnFilms) -> None:
    plan = replace(TINY, films=260)
    small = replace(plan, drawn_px=32, size_px=32)
    one = draw(small, tmp_path / "one", workers=1, quiet=True)
    [last] = (tmp_path / "one").glob("*/films-000250.npz")
    last.unlink()
    again = draw(small, tmp_path / "one", workers=2, quiet=True)
    assert again.pixels.tobytes() == one.pixels.tobytes() and len(one.pixels) == 260


@pytest.mark.parametrize(("plan", "workers"), [(replace(TINY, films=0), 1), (TINY, 0)])
def test_impossible_plans_are_refused(tmp_path: Path, plan: FilmPlan, workers: int) -> None:
    with pytest.raises(RecipeError, match="1 or more"):
        draw_plan(plan, tmp_path, workers=workers)


# ------------------------------------------------------------------------------------------------------------ learning


def test_a_run_that_goes_on_learns_the_same(tmp_path: Path, films: DrawnFilms) -> None:
    whole = fit_classifier(films, LESSON, tmp_path / "whole.pt", quiet=True)

    class Killed(Exception):
        pass

    steps = iter(range(100))

    def killed_at_three(step: int, total: int, warmup: float = 0.1) -> float:
        if next(steps) == 3:
            raise Killed
        return rate_at(step, total, warmup)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
        patch.setattr(reference, "rate_at", killed_at_three)
        fit_classifier(films, LESSON, tmp_path / "killed.pt", quiet=True)
    resumed = fit_classifier(films, LESSON, tmp_path / "killed.pt", quiet=True)
    assert np.array_equal(whole.score(films.pixels), resumed.score(films.pixels))
    with pytest.raises(OutputError, match="another lesson"):
        fit_classifier(films, replace(LESSON, steps=5), tmp_path / "killed.pt", quiet=True)


def test_it_learns_to_tell_what_it_is_shown(tmp_path: Path) -> None:
    """A bright square that stands for a finding; another finding that nothing shows."""
    random = np.random.default_rng(1)
    there = random.random((160, 2)) < 0.5
    pixels = random.integers(60, 120, (160, 32, 32)).astype(np.uint8)
    pixels[there[:, 0], 4:14, 18:28] += 90
    empty = np.zeros(0, np.int64)
    made = DrawnFilms(
        pixels, np.arange(160) // 2, np.full(160, "PA"), ("square", "nothing"), there.astype(np.float32),
        empty, empty, np.zeros(0, np.str_), np.zeros((0, 4), np.float32),
    )  # fmt: skip
    lesson = replace(LESSON, steps=60, films_per_step=32, learning_rate=5e-3, save_every=60)
    classifier = fit_classifier(made, lesson, tmp_path / "state.pt", quiet=True)
    fresh = random.random((120, 2)) < 0.5
    films = random.integers(60, 120, (120, 32, 32)).astype(np.uint8)
    films[fresh[:, 0], 4:14, 18:28] += 90
    difficulty = measure_difficulty(
        classifier, replace(made, pixels=films, severity=fresh.astype(np.float32), body_of=np.arange(120))
    )
    square, nothing = difficulty.findings
    assert square.area.estimate > 0.97 and square.verdict == "too easy"
    assert nothing.area.estimate < 0.7 and nothing.verdict == "too hard"
    assert {each.attribute for each in difficulty.outside} == {"square", "nothing"}
    assert difficulty.mean.low < difficulty.mean.estimate < difficulty.mean.high


def test_cells_hold_what_their_boxes_cover() -> None:
    """Of a grid of four by four: a box over a quarter of the film, and a dot in the second cell of the second row."""
    films = DrawnFilms(
        np.zeros((2, 64, 64), np.uint8), np.arange(2), np.full(2, "PA"), ("dot", "quarter"),
        np.array([[1, 0], [0, 1]], np.float32), np.array([1, 0]), np.array([1, 0]), np.array(["lung", "lung"]),
        np.array([[0, 0, 0.5, 0.5], [0.30, 0.30, 0.31, 0.31]], np.float32),
    )  # fmt: skip
    cells = CellGrid(films, 4).of(np.array([1, 0])).reshape(2, 4, 4, 2)
    assert cells[0, :2, :2, 1].all() and cells[0, ..., 1].sum() == 4
    assert cells[1, 1, 1, 0] == 1 and cells.sum() == 5
    drawn = CellGrid(films, 4).of(np.array([0, 0, 1]))
    assert np.array_equal(drawn[0], drawn[1]) and not np.array_equal(drawn[0], drawn[2])


def test_what_is_read_in_a_cell_says_where_the_finding_stands(tmp_path: Path) -> None:
    """A bright dot of three by three pixels, anywhere in half of the films; the others hold a dark one."""
    random = np.random.default_rng(4)

    def dotted(n: int) -> DrawnFilms:
        there = (random.random((n, 1)) < 0.5).astype(np.float32)
        pixels = random.integers(90, 110, (n, 64, 64)).astype(np.uint8)
        corner = random.integers(2, 58, (n, 2))
        for row, (x, y) in enumerate(corner):
            pixels[row, y : y + 3, x : x + 3] = 150 if there[row, 0] else 60
        marked = np.flatnonzero(there[:, 0])
        box = (np.hstack([corner, corner + 3]) / 64).astype(np.float32)[marked]
        return DrawnFilms(
            pixels, np.arange(n), np.full(n, "PA"), ("dot",), there, marked, np.zeros(len(marked), np.int64),
            np.full(len(marked), "lung"), box,
        )  # fmt: skip

    learned, fresh = dotted(300), dotted(200)
    lesson = replace(LESSON, steps=120, films_per_step=16, learning_rate=4e-3, save_every=120, shift_px=0)
    classifier = fit_classifier(learned, lesson, tmp_path / "state.pt", quiet=True)
    assert measure_difficulty(classifier, fresh).findings[0].area.estimate > 0.95
    with torch.inference_mode():
        _, cells = classifier.look(STARTER_PREPROCESSING.pixel_values(fresh.pixels))
    likeliest = cells[..., 0].argmax(1).numpy()
    truth = CellGrid(fresh, 4).of(np.arange(200))[..., 0]
    there = fresh.targets[:, 0] == 1
    assert truth[there, likeliest[there]].mean() > 0.9
    assert cells[..., 0].max(1).values.numpy()[there].mean() > cells[..., 0].max(1).values.numpy()[~there].mean() + 1


def test_the_table_goes_from_hard_to_easy() -> None:
    def finding(name: str, area: float, positives: int = 90) -> FindingDifficulty:
        return FindingDifficulty(name, Interval(area, area - 0.02, area + 0.02, 500, 250), positives)

    findings = (finding("easy", 0.97), finding("hard", 0.6), finding("meant", 0.8), finding("rare", math.nan, 4))
    text = render_difficulty(Difficulty(findings, Interval(0.79, 0.77, 0.81, 500, 250), 500))
    assert "so are 1 of 3." in text
    rows = [line.split(" | ") for line in text.splitlines()[4:]]
    assert [row[0].removeprefix("| ") for row in rows] == ["hard", "meant", "easy", "rare"]
    assert [row[-1].removesuffix(" |") for row in rows] == ["too hard", "as meant", "too easy", "too few"]
    assert rows[0][1] == "0.600 (0.580 to 0.620)" and rows[-1][1] == "–"


def test_rates_rise_and_fall() -> None:
    rates = [rate_at(step, 100) for step in range(100)]
    assert max(rates) == 1.0 and rates.index(1.0) == 9 and rates[0] == pytest.approx(0.1) and rates[-1] < 0.01


# ------------------------------------------------------------------------------------------------------- model folders


def test_the_whole_path_in_small(tmp_path: Path) -> None:
    plans = (TINY, replace(TINY, seed=6), replace(TINY, seed=7, films=10))
    first = make_reference(tmp_path, LESSON, plans, workers=1, quiet=True)
    folder = tmp_path / "model"
    card = read_card(folder)
    assert set(card["attributes"]) == set(FINDINGS) and card["difficulty"]["films"] == 24
    assert "| finding | AUROC |" in (folder / "README.md").read_text("utf-8")
    weights = (folder / "model.safetensors").read_bytes()
    again = make_reference(tmp_path, LESSON, plans, workers=1, quiet=True)
    assert (folder / "model.safetensors").read_bytes() == weights
    assert json.dumps(again.as_dict()) == json.dumps(first.as_dict())


def test_a_new_look_of_old_weights_is_frozen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plans = (TINY, replace(TINY, seed=6, films=4), replace(TINY, seed=7, films=4))
    make_reference(tmp_path, replace(LESSON, steps=1), plans, workers=1, quiet=True)
    model, page = tmp_path / "model", tmp_path / "page.md"
    before, weights = read_card(model), (model / "model.safetensors").read_bytes()
    page.write_text("<!-- reference -->\n<!-- /reference -->\n", "utf-8")
    monkeypatch.setattr(reference, "FRESH", replace(TINY, seed=8, films=10))
    monkeypatch.setattr(reference, "CHECK", replace(TINY, seed=9, films=6))
    monkeypatch.setattr(reference, "renderer_digest", lambda: "another")
    reference.freeze(tmp_path, model=model, write=page, workers=1, quiet=True, as_json=True)
    after = read_card(model)
    assert (model / "model.safetensors").read_bytes() == weights and after["lesson"] == before["lesson"]
    assert after["difficulty"]["films"] == 10 and after["renderer"] == "another"
    assert after["plans"]["fit"] == before["plans"]["fit"] and after["plans"]["check"]["seed"] == 9
    assert "measured on 10 fresh films" in page.read_text("utf-8")


def test_another_renderer_means_another_lesson(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was learned of yesterday's films is not taken for a lesson on today's."""
    plans = (TINY, replace(TINY, seed=6, films=4), replace(TINY, seed=7, films=4))
    make_reference(tmp_path, replace(LESSON, steps=1), plans, workers=1, quiet=True)
    monkeypatch.setattr(reference_films, "renderer_digest", lambda: "another")
    make_reference(tmp_path, replace(LESSON, steps=1), plans, workers=1, quiet=True)
    assert len(list(tmp_path.glob("state-*.pt"))) == 2 and len(list((tmp_path / "films").iterdir())) == 6


def test_the_renderer_s_digest_knows_every_module_that_draws() -> None:
    """Everything of the hospital that `render` imports, directly or by way of others."""
    reached, waiting = set(), ["render", "lateral/render"]
    while waiting:
        module = waiting.pop()
        reached.add(module)
        for path in (HOSPITAL / f"{module}.py", HOSPITAL / module / "__init__.py"):
            text = path.read_text("utf-8") if path.is_file() else ""
            found = {each.replace(".", "/") for each in re.findall(r"from chartsight\.hospital\.([\w.]+) import", text)}
            waiting += found - reached - set(waiting)
    assert {"skeleton", "layers", "findings/zones", "lateral/tissue"} <= reached
    assert not {each for each in reached if each.split("/")[0] not in {*DRAWN_BY, "findings", "lateral"}}


@pytest.mark.parametrize("spoilt", ["nothing", "card", "weights"])
def test_a_folder_that_is_no_classifier_is_refused(tmp_path: Path, films: DrawnFilms, spoilt: str) -> None:
    folder = tmp_path / "model"
    if spoilt != "nothing":
        folder.mkdir()
        classifier = fit_classifier(films, replace(LESSON, steps=1), tmp_path / "state.pt", quiet=True)
        reference.save_classifier(classifier, LESSON, folder)
        (folder / {"card": "reference.json", "weights": "model.safetensors"}[spoilt]).write_bytes(b"{")
    with pytest.raises(CheckpointError):
        load_classifier(folder)


@pytest.mark.slow
@pytest.mark.skipif(not SHIPPED.is_dir(), reason="no reference classifier is shipped yet")
def test_the_shipped_weights_see_the_difficulty_that_they_froze(tmp_path: Path) -> None:
    """A renderer that makes findings easier or harder fails here; `make reference` then freezes the new difficulty."""
    card = read_card(SHIPPED)
    stored = card["plans"]["check"]
    plan = FilmPlan(**{key: tuple(value) if isinstance(value, list) else value for key, value in stored.items()})
    classifier = load_classifier(SHIPPED)
    measured = measure_difficulty(classifier, draw_plan(plan, tmp_path, workers=1, quiet=True), resamples=10)
    assert not measured.unknown
    assert measured.mean.estimate == pytest.approx(card["check_mean_area"], abs=0.02)
    assert sum(path.stat().st_size for path in SHIPPED.iterdir()) < 2.7e6

"""Findings of lung and pleura: where they are, how severity grades them, and the signs by which they are known."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Literal

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from chartsight.hospital.anatomy import Anatomy, build_anatomy, object_boxes
from chartsight.hospital.film_request import Body, Film, FilmRequest, PlantedFinding
from chartsight.hospital.findings.lung import LUNG_FINDINGS
from chartsight.hospital.findings.lung.airspace import is_supine
from chartsight.hospital.render import render_film
from chartsight.hospital.strokes import Grid
from chartsight.hospital.tissue import Layers, paint_chest

View = Literal["PA", "AP"]
SIZE = 128
BODIES = (Body("M", 45, 0.3, 11), Body("F", 68, 0.7, 12), Body("M", 80, 0.5, 13))
PLACES = [(attribute, place) for attribute, drawing in LUNG_FINDINGS.items() for place in drawing.places]
SIDED = [
    (attribute, place)
    for attribute, place in PLACES
    if len({each.split()[0] for each in LUNG_FINDINGS[attribute].places[place]}) == 1
]
ON_THE_LEFT = [each for each in PLACES if each[1].startswith("left ")]  # the right is drawn by the same lines
# The smallest share of the change that lies in the outline, where it is not 0.7: a lung that has fallen together is
# denser than before, lobes beside a collapsed one are darker, and full vessels run far from the hila.
HELD: Mapping[str, float] = {
    "pneumothorax": 0.4, "hydropneumothorax": 0.55, "lobar/segmental collapse": 0.4, "vascular congestion": 0.4,
}  # fmt: skip


def planted(attribute: str, place: str, severity: float) -> PlantedFinding:
    return PlantedFinding(attribute, LUNG_FINDINGS[attribute].places[place], severity)


def depth(layers: Layers) -> NDArray[np.float32]:
    """What the beam meets at each pixel, before scatter, noise and exposure."""
    aired = layers.air * (1 - layers.fill)
    return layers.soft * (1 - aired) + layers.vessels * np.sqrt(aired) + layers.wall + layers.bone + layers.metal


class Drawing:
    """A finding on one body: the reshaped anatomy, its layers, the change in depth and the outline."""

    def __init__(
        self, attribute: str, place: str, severity: float, *, body: Body = BODIES[0], view: View = "PA", seed: int = 3,
        chance: int = 0, size: int = SIZE,
    ) -> None:  # fmt: skip
        finding, drawing = planted(attribute, place, severity), LUNG_FINDINGS[attribute]
        self.healthy = build_anatomy(body, view, seed)
        self.anatomy = drawing.reshape(self.healthy, finding)
        self.layers = paint_chest(self.anatomy, Grid(size))
        self.vessels_before = self.layers.vessels.copy()
        self.before = depth(self.layers)
        drawn = drawing.draw(self.layers, self.anatomy, finding, np.random.default_rng(chance))
        self.extent = drawn.extent
        self.change = depth(self.layers) - self.before
        self.side = -1 if place.startswith("right ") else 1


@cache
def healthy_film(body: Body, view: View = "PA") -> Film:
    return film(body, view=view)


def film(body: Body, *findings: PlantedFinding, view: View = "PA") -> Film:
    return render_film(FilmRequest(body, view, findings, "harbour", SIZE, 5 + body.seed, distraction=0.0))


def difference(body: Body, finding: PlantedFinding) -> NDArray[np.float32]:
    """The film with a finding minus the one without, grey levels [N, N]."""
    return film(body, finding).pixels.astype(np.float32) - healthy_film(body).pixels.astype(np.float32)


def seed_lying(body: Body, *, flat: bool) -> int:
    """A bedside exposure on which the patient lies flat, or does not."""
    return next(seed for seed in range(100) if is_supine(build_anatomy(body, "AP", seed)) == flat)


@pytest.mark.parametrize("view", ["PA", "AP"])
@pytest.mark.parametrize(("attribute", "place"), PLACES)
def test_the_outline_holds_what_was_drawn_and_lies_in_its_lung(attribute: str, place: str, view: View) -> None:
    for body, severity in zip(BODIES[:2], (0.25, 1.0), strict=True):
        drawing = Drawing(attribute, place, severity, body=body, view=view)
        assert drawing.extent.any()
        change = np.abs(drawing.change)
        near = ndimage.binary_dilation(drawing.extent, iterations=round(0.03 * SIZE))
        if attribute != "hyperaeration":
            assert change[near].sum() >= HELD.get(attribute, 0.7) * change.sum()
        boxes = object_boxes(drawing.anatomy)
        inside = np.zeros_like(drawing.extent)
        for side in ("left", "right"):
            x1, y1, x2, y2 = (value * SIZE for value in boxes[f"{side} lung"])
            inside[int(y1) - 2 : int(y2) + 4, int(x1) - 2 : int(x2) + 4] = True
        assert drawing.extent[inside].sum() >= 0.98 * drawing.extent.sum()


@pytest.mark.parametrize(("attribute", "place"), [each for each in PLACES if each[1].endswith("zone")])
def test_a_finding_of_a_zone_has_its_middle_in_it(attribute: str, place: str) -> None:
    for body in BODIES:
        for chance in range(3):
            drawing = Drawing(attribute, place, 0.5, body=body, chance=chance)
            (row, column) = ndimage.center_of_mass(drawing.extent)
            x1, y1, x2, y2 = (value * SIZE for value in object_boxes(drawing.anatomy)[place])
            slack = 0.03 * SIZE
            assert x1 - slack <= column <= x2 + slack
            assert y1 - slack <= row <= y2 + slack


@pytest.mark.parametrize("view", ["PA", "AP"])
@pytest.mark.parametrize(("attribute", "place"), SIDED)
def test_left_is_left_and_right_is_right(attribute: str, place: str, view: View) -> None:
    rng = np.random.default_rng([len(attribute), len(place)])
    for _ in range(3):
        body = Body(
            "F" if rng.random() < 0.5 else "M", int(rng.integers(20, 90)), rng.random(), int(rng.integers(10**6))
        )
        drawing = Drawing(
            attribute, place, rng.uniform(0.1, 1.0), body=body, view=view, seed=int(rng.integers(10**6)),
            chance=int(rng.integers(10**6)), size=96,
        )  # fmt: skip
        own_side = drawing.layers.d * drawing.side > -0.01
        assert drawing.extent[own_side].sum() >= 0.99 * drawing.extent.sum()


@pytest.mark.parametrize(("attribute", "place"), SIDED)
def test_the_other_lung_is_not_touched_by_a_finding_of_one_side(attribute: str, place: str) -> None:
    drawing = Drawing(attribute, place, 0.8)
    other = drawing.layers.d * drawing.side < -0.05
    assert np.abs(drawing.change[other]).max() < 0.01


@pytest.mark.parametrize(("attribute", "place"), ON_THE_LEFT)
def test_severity_grades_how_much_is_seen(attribute: str, place: str) -> None:
    shown = [
        float(np.mean([np.abs(difference(body, planted(attribute, place, severity))).mean() for body in BODIES[:2]]))
        for severity in (0.1, 0.35, 0.65, 1.0)
    ]
    assert shown == sorted(shown)
    assert shown[0] < 0.45 * shown[-1]


@pytest.mark.parametrize(("attribute", "place"), ON_THE_LEFT)
def test_a_trace_is_nearly_the_healthy_film_and_a_severe_one_is_not(attribute: str, place: str) -> None:
    def strongest(severity: float) -> float:
        """The strongest change over the size of a small lesion, grey levels."""
        changes = [difference(body, planted(attribute, place, severity)) for body in BODIES[:2]]
        return float(np.mean([np.abs(ndimage.gaussian_filter(change, 1.5)).max() for change in changes]))

    trace, severe = strongest(0.05), strongest(1.0)
    assert severe > 18
    assert trace < 0.5 * severe


@pytest.mark.parametrize("attribute", [name for name in LUNG_FINDINGS if name != "hyperaeration"])
def test_no_two_are_alike(attribute: str) -> None:
    place = next(iter(LUNG_FINDINGS[attribute].places))
    first, second = (Drawing(attribute, place, 0.6, chance=chance).change for chance in (1, 2))
    assert np.abs(first - second).sum() > 0.1 * np.abs(first).sum()


@pytest.mark.parametrize(
    "attribute", ["consolidation", "pulmonary edema/hazy opacity", "pneumothorax", "pleural effusion"]
)
def test_the_same_finding_is_drawn_at_every_resolution(attribute: str) -> None:
    place = next(iter(LUNG_FINDINGS[attribute].places))
    small, large = (Drawing(attribute, place, 0.7, chance=3, size=size).extent for size in (128, 384))
    reduced = large[1::3, 1::3]
    assert (small & reduced).sum() > 0.85 * (small | reduced).sum()


@pytest.mark.parametrize("attribute", sorted(set(LUNG_FINDINGS) - {"calcified nodule"}))
def test_an_outline_is_not_a_box(attribute: str) -> None:
    place = next(iter(LUNG_FINDINGS[attribute].places))
    extent = Drawing(attribute, place, 0.7).extent
    rows, columns = np.flatnonzero(extent.any(1)), np.flatnonzero(extent.any(0))
    assert extent.sum() < 0.9 * (np.ptp(rows) + 1) * (np.ptp(columns) + 1)


# The signs by which a reader knows them.


def column_at(drawing: Drawing, share: float) -> int:
    """The column at a share of the way from the medial to the lateral edge of the lung, above its dome."""
    lung = drawing.anatomy.lung(drawing.side)
    y = lung.dome_y - 0.02
    inner, outer = (
        drawing.anatomy.x(drawing.side, lung.medial, y),
        drawing.anatomy.x(drawing.side, lung.lateral_at(y), y),
    )
    return int((inner + share * (outer - inner)) * drawing.extent.shape[0])


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_meniscus_is_concave_and_highest_at_the_lateral_wall(side: str) -> None:
    for body in BODIES:
        for severity in (0.5, 0.9):
            drawing = Drawing("pleural effusion", f"{side} lung", severity, body=body, size=384)
            columns = [column_at(drawing, share) for share in (0.55, 0.70, 0.85)]
            tops = [int(np.argmax(drawing.layers.fill[:, column] > 0.3)) for column in columns]
            assert tops[0] > tops[1] > tops[2] > 0
            assert tops[1] - tops[2] > tops[0] - tops[1]


@pytest.mark.parametrize("side", ["left", "right"])
def test_fluid_hides_the_diaphragm_and_whitens_the_angle(side: str) -> None:
    for body in BODIES:
        drawing = Drawing("pleural effusion", f"{side} costophrenic angle", 0.7, body=body)
        after = depth(drawing.layers)
        column, row = column_at(drawing, 0.6), int(drawing.anatomy.lung(drawing.side).dome_y * SIZE)

        def step(plane: NDArray[np.float32], column: int = column, row: int = row) -> float:
            return float(plane[row + 6 : row + 9, column].mean() - plane[row - 6 : row - 3, column].mean())

        assert step(after) < 0.35 * step(drawing.before)


def test_a_patient_who_lies_flat_has_a_veil_instead_of_a_meniscus() -> None:
    body = BODIES[0]
    flat, sitting = (
        Drawing("pleural effusion", "right lung", 0.6, body=body, view="AP", seed=seed_lying(body, flat=lies))
        for lies in (True, False)
    )
    heights = [each.extent.any(1).sum() for each in (flat, sitting)]
    assert heights[0] > heights[1]
    # Vessels shine through it: no part of the lung is quite white.
    assert flat.layers.fill.max() < 0.85
    assert sitting.layers.fill.max() > 0.9


@pytest.mark.parametrize("place", ["left lung", "right lung", "left apical zone", "right apical zone"])
def test_beyond_the_pleural_line_there_are_no_vessels_and_more_air(place: str) -> None:
    for body in BODIES:
        drawing = Drawing("pneumothorax", place, 0.7, body=body, size=192)
        inside = ndimage.binary_erosion(drawing.extent, iterations=3)
        assert inside.any()
        assert drawing.layers.vessels[inside].max() < 0.01
        assert drawing.vessels_before[inside].max() > 0.01
        # Beside the line, which is soft tissue, the film is darker than before.
        dark = inside & (drawing.layers.wall < 0.01)
        assert drawing.change[dark].mean() < -0.02


def test_the_pleural_line_is_thin_and_white() -> None:
    drawing = Drawing("pneumothorax", "left lung", 0.6, size=320)
    rim = ndimage.binary_dilation(drawing.extent, iterations=3) & ~ndimage.binary_erosion(drawing.extent, iterations=3)
    row = int((drawing.anatomy.hilum_y - 0.05) * 320)
    inner = np.flatnonzero(drawing.extent[row])[0]
    across = drawing.layers.wall[row, inner - 8 : inner + 9]
    assert rim[row, inner]
    assert across.max() > 0.03
    assert (across > 0.5 * across.max()).sum() <= 4


def test_lying_flat_the_sulcus_is_deep() -> None:
    body = BODIES[0]
    seed = seed_lying(body, flat=True)
    drawing = Drawing("pneumothorax", "left lung", 0.8, body=body, view="AP", seed=seed)
    assert drawing.anatomy.left.angle_y > drawing.healthy.left.angle_y + 0.03
    assert drawing.anatomy.right.angle_y == drawing.healthy.right.angle_y
    rows = np.flatnonzero(drawing.extent.any(1))
    assert rows[-1] > drawing.anatomy.left.dome_y * SIZE


@pytest.mark.parametrize("side", ["left", "right"])
def test_an_air_fluid_level_is_horizontal(side: str) -> None:
    for body in BODIES:
        drawing = Drawing("hydropneumothorax", f"{side} lung", 0.6, body=body)
        steps = []
        for share in (0.45, 0.6, 0.75, 0.9):
            column = column_at(drawing, share)
            fill = drawing.layers.fill[:, column]
            steps.append(int(np.argmax(np.diff(fill))))
        assert max(steps) - min(steps) <= 1
        assert depth(drawing.layers)[steps[0] + 3, column_at(drawing, 0.9)] > 1.3 * depth(drawing.layers)[
            steps[0] - 3, column_at(drawing, 0.9)
        ]  # fmt: skip


def mediastinum_moved(drawing: Drawing) -> float:
    """How far heart and windpipe have gone towards the finding's side."""
    return drawing.side * (drawing.anatomy.mediastinum_shift - drawing.healthy.mediastinum_shift)


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_collapse_pulls_and_tension_and_much_fluid_push(side: str) -> None:
    for zone in ("upper", "lower"):
        collapse = Drawing("lobar/segmental collapse", f"{side} {zone} lung zone", 0.8)
        assert mediastinum_moved(collapse) > 0.02
        own, healthy = collapse.anatomy.lung(collapse.side), collapse.healthy.lung(collapse.side)
        assert own.dome_y < healthy.dome_y - 0.02
    assert mediastinum_moved(Drawing("pneumothorax", f"{side} lung", 1.0)) < -0.03
    assert mediastinum_moved(Drawing("pleural effusion", f"{side} lung", 1.0)) < -0.03
    assert mediastinum_moved(Drawing("pneumothorax", f"{side} lung", 0.5)) == 0
    assert mediastinum_moved(Drawing("pleural effusion", f"{side} lung", 0.5)) == 0
    films = [
        film(BODIES[0], planted("lobar/segmental collapse", f"{side} upper lung zone", 1.0)),
        healthy_film(BODIES[0]),
    ]
    middles = [0.5 * (each.boxes["trachea"][0] + each.boxes["trachea"][2]) for each in films]
    assert (middles[0] - middles[1]) * (1 if side == "left" else -1) > 1


def implied(attribute: str, place: str, severity: float) -> set[str]:
    return {name for name, _ in LUNG_FINDINGS[attribute].implies(planted(attribute, place, severity))}


def test_what_moves_the_mediastinum_says_so() -> None:
    assert "mediastinal displacement" in implied("lobar/segmental collapse", "left upper lung zone", 0.8)
    assert "mediastinal displacement" in implied("pneumothorax", "left lung", 1.0)
    assert implied("pneumothorax", "left lung", 0.5) == set()
    assert implied("pleural effusion", "right lung", 0.3) == {"costophrenic angle blunting"}
    assert implied("pleural effusion", "right lung", 1.0) == {"costophrenic angle blunting", "mediastinal displacement"}


def border_of_heart(plane: NDArray[np.float32], anatomy: Anatomy, row: int) -> float:
    """Greatest step of depth near the right border of the heart in a row."""
    x = (anatomy.midline_at(row / SIZE) + anatomy.mediastinum_shift - anatomy.heart.right) * SIZE
    near = plane[row, int(x) - 5 : int(x) + 6]
    return float(np.abs(np.diff(ndimage.gaussian_filter1d(near, 0.8))).max())


def test_a_consolidation_that_touches_the_heart_takes_its_border() -> None:
    kept = []
    for chance in range(40):
        drawing = Drawing("consolidation", "right lower lung zone", 1.0, chance=chance)
        heart = drawing.anatomy.heart
        row = int((0.35 * heart.arch_y + 0.65 * heart.bottom_y) * SIZE)
        x = int((drawing.anatomy.midline_at(row / SIZE) + drawing.anatomy.mediastinum_shift - heart.right) * SIZE)
        if drawing.extent[row, x - 5 : x - 1].all():
            after, before = (
                border_of_heart(each, drawing.anatomy, row) for each in (depth(drawing.layers), drawing.before)
            )
            kept.append(after / before)
    assert len(kept) >= 2
    assert np.median(kept) < 0.6


def test_a_dense_consolidation_holds_dark_airways_and_a_faint_one_does_not() -> None:
    def streaks(severity: float) -> float:
        drawing = Drawing("consolidation", "right mid lung zone", severity, chance=4, size=320)
        fill = drawing.layers.fill / drawing.layers.fill.max()
        hollows = ndimage.grey_closing(fill, 9) - fill
        return float(np.quantile(hollows[ndimage.binary_erosion(drawing.extent, iterations=6)], 0.97))

    assert streaks(1.0) > 1.6 * streaks(0.2)


def test_a_lobar_border_is_sharp_at_the_fissure() -> None:
    steepest = []
    for chance in range(12):
        fill = Drawing("consolidation", "right upper lung zone", 1.0, chance=chance, size=256).layers.fill
        steepest.append(float(np.quantile(-np.diff(fill, axis=0), 0.9995)))
    assert max(steepest) > 2 * min(steepest)  # some are lobar, some are not


def test_edema_is_on_both_sides_about_the_hila_and_widens_upper_vessels() -> None:
    drawing = Drawing("pulmonary edema/hazy opacity", "left lung", 0.9)
    for side in (1, -1):
        own = drawing.layers.d * side > 0.03
        assert drawing.extent[own].sum() > 0.25 * drawing.extent.sum()
        lung = drawing.anatomy.lung(side)
        d, y = drawing.layers.d * side, drawing.layers.grid.y
        near = own & (d < 0.18) & (np.abs(y - drawing.anatomy.hilum_y) < 0.08)
        edge = own & (d > 0.85 * lung.width) & (d < 0.97 * lung.width) & (np.abs(y - drawing.anatomy.hilum_y) < 0.08)
        assert drawing.layers.fill[near].mean() > 1.5 * drawing.layers.fill[edge].mean()
        upper = own & (y < drawing.anatomy.hilum_y - 0.08) & (y > lung.apex_y + 0.05) & (d < 0.8 * lung.lateral_at(0.3))
        assert drawing.layers.vessels[upper].mean() > 1.2 * drawing.vessels_before[upper].mean()


def test_congestion_fills_the_hila_and_does_not_whiten_the_bases() -> None:
    drawing = Drawing("vascular congestion", "right hilar structures", 0.9)
    lung = drawing.anatomy.right
    base = (drawing.layers.d < -0.6 * lung.width) & (drawing.layers.grid.y > lung.dome_y - 0.08)
    assert drawing.change[drawing.extent].mean() > 0.03
    assert drawing.layers.fill[base].max() < 0.02


def test_reticulation_is_basal_and_has_fine_lines() -> None:
    drawing = Drawing("increased reticular markings/ild pattern", "left lung", 0.6, size=320)
    lung, y = drawing.anatomy.left, drawing.layers.grid.y
    own = (drawing.layers.d > 0.5 * lung.width) & (drawing.layers.lungs[1] > 0.3)
    base = own & (y > lung.dome_y - 0.12)
    apex = own & (y < lung.apex_y + 0.15)
    assert drawing.change[base].mean() > 3 * abs(drawing.change[apex].mean())
    fine = drawing.change - ndimage.gaussian_filter(drawing.change, 5)
    assert fine[base].std() > 0.2 * drawing.change[base].mean()


def test_chalk_is_denser_than_soft_tissue_and_smaller() -> None:
    for chance in range(5):
        soft = Drawing("mass/nodule (not otherwise specified)", "left upper lung zone", 0.5, chance=chance, size=320)
        chalk = Drawing("calcified nodule", "left upper lung zone", 0.5, chance=chance, size=320)
        assert chalk.layers.bone[chalk.extent].max() > 0.1
        assert chalk.extent.sum() < 0.6 * soft.extent.sum()


def test_several_nodules_are_of_many_sizes_in_both_lungs() -> None:
    drawing = Drawing("multiple masses/nodules", "left lung", 0.7, size=320)
    islands, count = ndimage.label(drawing.extent)
    areas = ndimage.sum_labels(drawing.extent, islands, range(1, count + 1))
    assert count >= 5
    assert max(areas) > 2.5 * min(areas)
    assert {int(np.sign(drawing.layers.d[islands == number].mean())) for number in range(1, count + 1)} == {1, -1}


def test_a_bulla_is_black_with_a_white_wall() -> None:
    for chance in range(4):
        drawing = Drawing("cyst/bullae", "right upper lung zone", 0.4, chance=chance, size=320)
        core = ndimage.binary_erosion(drawing.extent, iterations=4)
        rim = ndimage.binary_dilation(drawing.extent, iterations=2) & ~ndimage.binary_erosion(
            drawing.extent, iterations=2
        )
        assert drawing.change[core].mean() < 0
        assert np.quantile(drawing.change[rim], 0.9) > 0.01


def test_a_scar_follows_the_apex() -> None:
    drawing = Drawing("pleural/parenchymal scarring", "left apical zone", 0.7)
    rows = np.flatnonzero(drawing.extent.any(1))
    assert rows[0] <= (drawing.anatomy.left.apex_y + 0.02) * SIZE


def test_hyperaeration_lowers_and_flattens_the_diaphragm_and_a_collapsed_base_lifts_it() -> None:
    for body in BODIES:
        clean = healthy_film(body).boxes["left hemidiaphragm"]
        lifted = film(body, planted("atelectasis", "left lower lung zone", 0.9)).boxes["left hemidiaphragm"]
        low = film(body, planted("hyperaeration", "left lung", 0.9)).boxes["left hemidiaphragm"]
        assert lifted[1] < clean[1] - 2
        assert low[3] > clean[3] + 3
        assert low[3] - low[1] < 0.75 * (clean[3] - clean[1])
        drawing = Drawing("hyperaeration", "left lung", 0.9, body=body)
        assert drawing.change[drawing.extent].mean() < -0.03


def test_plates_are_thin_level_bands() -> None:
    for chance in range(4):
        drawing = Drawing("linear/patchy atelectasis", "left lower lung zone", 0.1, chance=chance, size=320)
        rows, columns = np.flatnonzero(drawing.extent.any(1)), np.flatnonzero(drawing.extent.any(0))
        assert np.ptp(columns) > 2.0 * np.ptp(rows)
        assert np.median(drawing.extent.sum(0)[columns]) <= 6

"""Tubes, lines and devices from the side. Their tips lie at the same height as on the frontal film."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from chartsight.hospital.anatomy import heart_level
from chartsight.hospital.film_request import PlantedFinding
from chartsight.hospital.findings.devices import DEVICE_FINDINGS
from chartsight.hospital.findings.devices.pen import (
    AIRWAY,
    CATHETER,
    DRAIN,
    FEEDING_TUBE,
    GASTRIC_TUBE,
    LEAD,
    PICC_LINE,
    PORT_CATHETER,
    STERNAL_WIRE,
    SWAN_CATHETER,
    DevicePen,
)
from chartsight.hospital.findings.devices.veins import curve_through
from chartsight.hospital.findings.drawing import Drawn, side_of
from chartsight.hospital.lateral.anatomy import LateralAnatomy, arch_course
from chartsight.hospital.strokes import Grid, Plane, as_plane, rise, stretch_of
from chartsight.hospital.tissue import Layers

Point = tuple[float, float]
SCRATCH_PX = 32  # tips are fractions of the film, so a film of any size tells where they lie

FROM_NECK, FROM_ARM, FROM_CHEST = "neck", "arm", "chest"


def frontal_tip(anatomy: LateralAnatomy, planted: PlantedFinding, rng: np.random.Generator) -> Point:
    """Where the same device ends on the frontal film, x and y."""
    grid = Grid(SCRATCH_PX)
    plane = grid.blank  # nothing is kept of what is drawn here
    scratch = Layers(
        grid=grid, d=plane(), soft=plane(), air=plane(), fill=plane(), vessels=plane(), wall=plane(), bone=plane(),
        metal=plane(), lungs={1: plane(), -1: plane()},
    )  # fmt: skip
    drawn = DEVICE_FINDINGS[planted.attribute].draw(scratch, anatomy.frontal, planted, rng)
    return drawn.tip if drawn.tip is not None else (0.5, anatomy.hilum[1])


def in_heart(anatomy: LateralAnatomy, share: float, y: float) -> Point:
    """A point of the heart: `share` 0 at its front border, 1 at its back border, at a height."""
    front, back = anatomy.heart_front.at_height(y), anatomy.heart_back.at_height(y)
    return (front + share * (back - front), y)


def at_level(anatomy: LateralAnatomy, share: float, level: float) -> Point:
    """`in_heart` at a share of the way from the aortic arch to the diaphragm."""
    return in_heart(anatomy, share, heart_level(anatomy.frontal.heart, level))


def vein(anatomy: LateralAnatomy, y: float) -> Point:
    """Brachiocephalic vein, superior vena cava and right atrium: before the windpipe, then in the heart's middle."""
    heart = anatomy.frontal.heart
    before = anatomy.trachea.at_height(min(y, anatomy.frontal.carina_y)) - 0.046
    t = min(max((y - heart.arch_y) / (0.45 * (heart.bottom_y - heart.arch_y)), 0.0), 1.0)
    return ((1 - t) * before + t * in_heart(anatomy, 0.52, y)[0], y)


def way_in(anatomy: LateralAnatomy, entry: str) -> list[Point]:
    """From the skin to the brachiocephalic vein."""
    a, clavicle = anatomy, anatomy.frontal.clavicle_y
    if entry == FROM_NECK:
        return [
            (a.trachea.at_height(0.0) - 0.010, clavicle - 0.19),
            (a.trachea.at_height(0.05) - 0.018, clavicle - 0.10),
        ]
    if entry == FROM_ARM:
        # The arms are raised, so the vein comes down from above.
        shoulder = a.spine_front.at_height(clavicle - 0.05)
        return [
            (shoulder - 0.16, clavicle - 0.30),
            (shoulder - 0.055, clavicle - 0.12),
            (shoulder - 0.050, clavicle - 0.03),
        ]
    front = a.skin_front.at_height(clavicle + 0.05)
    return [(front + 0.030, clavicle + 0.06), (front + 0.050, clavicle)]


def to_the_tip(anatomy: LateralAnatomy, entry: str, tip_y: float) -> tuple[Plane, Plane]:
    """A central line's curve."""
    start = anatomy.frontal.clavicle_y + 0.01
    course = way_in(anatomy, entry) + [
        vein(anatomy, y) for y in np.linspace(start, max(tip_y, start + 0.03), 4).tolist()
    ]
    return curve_through(course, 70)


def central_line(
    entry: str, half_width: float, depth: float
) -> Callable[[Layers, LateralAnatomy, PlantedFinding, np.random.Generator], Drawn]:
    """How a line into the vena cava is drawn that enters at `entry`."""

    def draw(layers: Layers, anatomy: LateralAnatomy, planted: PlantedFinding, rng: np.random.Generator) -> Drawn:
        x, y = to_the_tip(anatomy, entry, frontal_tip(anatomy, planted, rng)[1])
        pen = DevicePen(layers, planted.severity, rng)
        pen.line(x, y, half_width, depth)
        return pen.drawn((float(x[-1]), float(y[-1])))

    return draw


draw_ij_line = central_line(FROM_NECK, CATHETER, 0.18)
draw_subclavian_line = central_line(FROM_CHEST, CATHETER, 0.18)
draw_picc = central_line(FROM_ARM, PICC_LINE, 0.16)


def draw_airway(layers: Layers, anatomy: LateralAnatomy, planted: PlantedFinding, rng: np.random.Generator) -> Drawn:
    """An endotracheal tube along the windpipe, or a tracheostomy tube that enters it from the front."""
    tip_y = frontal_tip(anatomy, planted, rng)[1]
    a, pen = anatomy, DevicePen(layers, planted.severity, rng)
    if planted.attribute == "tracheostomy tube":
        stoma_y = max(tip_y - 0.14, 0.02)
        skin = a.skin_front.at_height(stoma_y)
        course = [(skin - 0.01, stoma_y - 0.01), (0.5 * (skin + a.trachea.at_height(stoma_y)), stoma_y)]
        course += [(a.trachea.at_height(y), y) for y in (stoma_y + 0.045, tip_y)]
        x, y = curve_through(course, 32)
        pen.tube(x, y, 1.05 * AIRWAY, wall=0.13, core=0.055, stripe=0.15, stripe_at=0.0)
        pen.line(
            as_plane(np.array([skin - 0.004] * 2)), as_plane(np.array([stoma_y - 0.04, stoma_y + 0.04])), 0.005, 0.10
        )
    else:
        x, y = curve_through([(a.trachea.at_height(y), y) for y in np.linspace(-0.03, tip_y, 5).tolist()], 32)
        pen.tube(x, y, 0.92 * AIRWAY, wall=0.075, core=0.030, stripe=0.22, stripe_at=-0.55)
    return pen.drawn((float(x[-1]), float(y[-1])))


def draw_enteric_tube(
    layers: Layers, anatomy: LateralAnatomy, planted: PlantedFinding, rng: np.random.Generator
) -> Drawn:
    """Behind the windpipe and the heart, forward through the diaphragm into the stomach."""
    a, tip_y = anatomy, frontal_tip(anatomy, planted, rng)[1]
    floor = a.frontal.left.dome_y

    def gullet(y: float) -> Point:
        behind = 0.5 * (a.trachea.at_height(min(y, a.frontal.carina_y)) + a.spine_front.at_height(y)) + 0.012
        t = min(max((y - a.frontal.carina_y) / max(floor - a.frontal.carina_y, 0.1), 0.0), 1.0)
        return ((1 - t) * behind + t * (a.spine_front.at_height(y) - 0.045), y)

    if planted.objects[0] == "mediastinum":
        course = [gullet(y) for y in np.linspace(-0.03, tip_y, 6).tolist()]
    else:
        course = [gullet(y) for y in np.linspace(-0.03, floor, 6).tolist()]
        last = min(max(tip_y, floor + 0.08), 0.965)
        course += [(gullet(floor)[0] - 0.055, 0.5 * (floor + last)), (a.inside(0.40, floor), last)]
    x, y = curve_through(course, 90)
    pen = DevicePen(layers, planted.severity, rng)
    if rng.random() < 0.35:
        pen.line(x, y, FEEDING_TUBE, 0.12)
    else:
        pen.tube(x, y, GASTRIC_TUBE, wall=0.055, core=0.026, stripe=0.22)
    return pen.drawn((float(x[-1]), float(y[-1])))


def draw_swan_ganz(layers: Layers, anatomy: LateralAnatomy, planted: PlantedFinding, rng: np.random.Generator) -> Drawn:
    """Through atrium and ventricle, forward and up the outflow tract, back into a pulmonary artery."""
    a = anatomy
    tip_y = frontal_tip(anatomy, planted, rng)[1]
    clavicle, hilum_x = a.frontal.clavicle_y, a.hilum[0]
    course = way_in(a, FROM_NECK) + [vein(a, y) for y in (clavicle + 0.01, a.frontal.heart.arch_y + 0.03)]
    course += [at_level(a, 0.55, 0.52), at_level(a, 0.42, 0.76), at_level(a, 0.16, 0.80), at_level(a, 0.16, 0.56)]
    ends = {
        "left hilar structures": [(hilum_x - 0.02, a.hilum[1] - 0.035), (hilum_x + 0.036, tip_y)],
        "right hilar structures": [(hilum_x - 0.05, a.hilum[1] - 0.01), (hilum_x - 0.020, tip_y)],
    }.get(planted.objects[0], [at_level(a, 0.40, 0.26)])
    x, y = curve_through([*course, at_level(a, 0.22, 0.34), *ends], 120)
    pen = DevicePen(layers, planted.severity, rng)
    pen.line(x, y, SWAN_CATHETER, 0.185)
    return pen.drawn((float(x[-1]), float(y[-1])))


def on_the_chest(anatomy: LateralAnatomy, y: float) -> Point:
    """A place under the skin of the upper chest."""
    return (anatomy.skin_front.at_height(y) + 0.030, y)


def edge_on(
    pen: DevicePen, at: Point, anatomy: LateralAnatomy, half_long: float, half_thick: float, depth: float
) -> None:
    """A flat body under the skin, seen nearly from its edge; it leans with the chest wall."""
    x, y = at
    lean = (anatomy.skin_front.at_height(y + 0.04) - anatomy.skin_front.at_height(y - 0.04)) / 0.08
    turn = math.atan(lean)
    reach = 1.2 * half_long
    where, xs, ys = pen.grid.window(x - reach, y - reach, x + reach, y + reach)
    u = (xs - np.float32(x)) * np.float32(math.sin(turn)) + (ys - np.float32(y)) * np.float32(math.cos(turn))
    v = (xs - np.float32(x)) * np.float32(math.cos(turn)) - (ys - np.float32(y)) * np.float32(math.sin(turn))
    shape = np.abs(u / np.float32(half_long)) ** np.float32(2.8) + np.abs(v / np.float32(half_thick)) ** np.float32(2.8)
    pen.plate(where, np.float32(depth) * rise(as_plane(1 - shape), 1.8 / (pen.grid.size_px * half_thick)))


def draw_pacer(layers: Layers, anatomy: LateralAnatomy, planted: PlantedFinding, rng: np.random.Generator) -> Drawn:
    """The can edge on before the upper chest; leads to the apex in front, to the auricle, to the ventricle behind."""
    a = anatomy
    defibrillator, leads = rng.random() < 0.4, 1 + int(rng.random() < 0.7) + int(rng.random() < 0.25)
    rng.normal(0, 0.012)  # how far to the side it lies, which this view does not show
    y = a.frontal.clavicle_y + 0.090 + float(rng.normal(0, 0.012))
    size = (0.052 if defibrillator else 0.043) * float(rng.uniform(0.9, 1.1))
    pen = DevicePen(layers, planted.severity, rng)
    can = on_the_chest(a, y)
    edge_on(pen, can, a, size, 0.30 * size, 0.50)
    tips = (
        [at_level(a, 0.50, 0.60), at_level(a, 0.34, 0.84), at_level(a, 0.10, 0.90)],
        [at_level(a, 0.48, 0.56), at_level(a, 0.34, 0.56), at_level(a, 0.24, 0.46)],
        [at_level(a, 0.60, 0.60), at_level(a, 0.86, 0.62), at_level(a, 0.90, 0.80)],
    )
    clavicle = a.frontal.clavicle_y
    for number, tip in enumerate(tips[:leads]):
        apart = 0.005 * (number - 0.5 * (leads - 1))
        course = [(can[0] + 0.2 * size, y - 0.9 * size), (can[0] + 0.040, clavicle - 0.012)]
        course += [
            vein(a, at) for at in (clavicle + 0.025, a.frontal.heart.arch_y + 0.02, heart_level(a.frontal.heart, 0.30))
        ]
        x, line_y = curve_through([(px + apart, py + 0.6 * apart) for px, py in course] + tip, 120)
        pen.line(x, line_y, LEAD, 0.20)
        pen.line(*stretch_of(x, line_y, -0.007), 0.0034, 0.40)
        if defibrillator and number == 0:
            pen.line(*stretch_of(x, line_y, -0.150, -0.040), 0.0052, 0.30)
    return pen.drawn()


def draw_chest_port(
    layers: Layers, anatomy: LateralAnatomy, planted: PlantedFinding, rng: np.random.Generator
) -> Drawn:
    """The reservoir edge on before the upper chest, its catheter into the vena cava."""
    a, tip_y = anatomy, frontal_tip(anatomy, planted, rng)[1]
    pen = DevicePen(layers, planted.severity, rng)
    y = a.frontal.clavicle_y + 0.105
    at = on_the_chest(a, y)
    edge_on(pen, at, a, 0.030, 0.015, 0.24)
    course = [(at[0] + 0.005, y - 0.028), (at[0] + 0.035, a.frontal.clavicle_y - 0.030)]
    start = a.frontal.clavicle_y + 0.02
    course += [vein(a, height) for height in np.linspace(start, max(tip_y, start + 0.03), 3).tolist()]
    x, line_y = curve_through(course, 80)
    pen.line(x, line_y, PORT_CATHETER, 0.175)
    return pen.drawn((float(x[-1]), float(line_y[-1])))


def draw_chest_tube(
    layers: Layers, anatomy: LateralAnatomy, planted: PlantedFinding, rng: np.random.Generator
) -> Drawn:
    """From the flank to the apex in front of the spine, or to the base behind."""
    a, tip_y = anatomy, frontal_tip(anatomy, planted, rng)[1]
    lung = a.frontal.lung(side_of(planted))
    apical = tip_y < 0.5 * (lung.apex_y + lung.dome_y)
    entry_y = lung.apex_y + 0.68 * (lung.dome_y - lung.apex_y)
    entry = (a.inside(0.45, entry_y), entry_y)
    if apical:
        middle_y = 0.5 * (entry_y + tip_y)
        ends = [(a.inside(0.45, middle_y), middle_y), (a.inside(0.52, tip_y), tip_y)]
    else:
        ends = [(a.inside(0.70, tip_y - 0.02), tip_y - 0.01), (a.inside(0.84, tip_y), tip_y)]
    x, y = curve_through([(entry[0] - 0.05, entry_y + 0.05), entry, *ends], 80)
    pen = DevicePen(layers, planted.severity, rng)
    pen.tube(x, y, DRAIN, wall=0.070, core=0.035, stripe=0.25, stripe_at=0.45)
    return pen.drawn((float(x[-1]), float(y[-1])))


def draw_cabg(layers: Layers, anatomy: LateralAnatomy, planted: PlantedFinding, rng: np.random.Generator) -> Drawn:
    """Wires one below the other through the breastbone, clips behind it over the front of the heart."""
    a = anatomy
    count, clips = int(rng.integers(6, 8)), int(rng.integers(5, 12))
    pen = DevicePen(layers, planted.severity, rng)
    top, low = a.sternum.y[0] + 0.02, a.sternum.y[-1] - 0.015
    for y in np.linspace(top, low, count).tolist():
        x, tilt = a.sternum.at_height(y), float(rng.normal(0, 0.10))
        turn = np.linspace(0, 2 * math.pi, 18, dtype=np.float32)
        loop_x = np.float32(x) + np.float32(0.017) * np.cos(turn)
        loop_y = np.float32(y) + np.float32(0.0045) * np.sin(turn) + np.float32(0.017 * tilt) * np.cos(turn)
        pen.line(as_plane(loop_x), as_plane(loop_y), STERNAL_WIRE, 0.55)
        pen.line(as_plane(np.array([x - 0.022, x - 0.016])), as_plane(np.array([y, y + 0.003])), 0.0026, 0.42)
    for _ in range(clips):
        level, share = float(rng.uniform(0.22, 0.80)), float(rng.uniform(0.02, 0.30))
        x, y = at_level(a, share, level)
        turned = float(rng.uniform(0, math.pi))
        ends = np.array([-0.0045, 0.0045])
        pen.line(as_plane(x + ends * math.cos(turned)), as_plane(y + ends * math.sin(turned)), 0.0018, 0.55)
    return pen.drawn()


def draw_prosthetic_valve(
    layers: Layers, anatomy: LateralAnatomy, planted: PlantedFinding, rng: np.random.Generator
) -> Drawn:
    """The ring of an aortic valve in the heart's upper middle, of a mitral valve further back and lower."""
    mitral, kind, lie = rng.random() < 0.4, rng.random(), rng.normal(0, 1, 3)
    radius = rng.uniform(0.030, 0.036) if mitral else rng.uniform(0.025, 0.030)
    x, y = at_level(anatomy, 0.70 if mitral else 0.46, (0.66 if mitral else 0.46) + 0.02 * float(lie[0]))
    axis = (1.25 if mitral else 0.45) + 0.15 * float(lie[2])
    squash = float(rng.uniform(0.25, 0.6))
    pen = DevicePen(layers, planted.severity, rng)

    def stroke(u: Plane, v: Plane, half_width: float, depth: float) -> None:
        across, beyond = np.asarray(u) * radius, np.asarray(v) * radius
        pen.line(as_plane(x + across * math.cos(axis) - beyond * math.sin(axis)),
                 as_plane(y + across * math.sin(axis) + beyond * math.cos(axis)), half_width, depth)  # fmt: skip

    turn = np.linspace(0, 2 * math.pi, 30, dtype=np.float32)
    mechanical = kind < 0.4
    stroke(np.cos(turn), as_plane(squash * np.sin(turn)), 0.0042 if mechanical else 0.0024, 0.40)
    for k in (-0.22, 0.22) if mechanical else (-0.9, 0.0, 0.9):
        reach = (-0.7 * squash, 0.7 * squash) if mechanical else (-squash, -squash - 0.7)
        stroke(as_plane(np.array([k, k])), as_plane(np.array(reach)), 0.0026, 0.36)
    return pen.drawn()


def draw_balloon_pump(
    layers: Layers, anatomy: LateralAnatomy, planted: PlantedFinding, rng: np.random.Generator
) -> Drawn:
    """The marker at the end of the arch, the catheter down before the spine."""
    a, tip_y = anatomy, frontal_tip(anatomy, planted, rng)[1]
    arch_x = arch_course(a)[0]
    course = [(arch_x[-1] - 0.002, tip_y)]
    course += [(a.spine_front.at_height(y) + 0.006, y) for y in np.linspace(tip_y + 0.10, 1.03, 5).tolist()]
    x, y = curve_through(course, 70)
    pen = DevicePen(layers, planted.severity, rng)
    pen.line(x, y, 0.0020, 0.060)
    pen.line(*stretch_of(x, y, 0.0, 0.011), 0.0042, 0.55)
    return pen.drawn((float(x[0]), float(y[0])))


def draw_mediastinal_drain(
    layers: Layers, anatomy: LateralAnatomy, planted: PlantedFinding, rng: np.random.Generator
) -> Drawn:
    """A wide tube from below the breastbone up behind it."""
    a, tip_y = anatomy, frontal_tip(anatomy, planted, rng)[1]
    floor = a.frontal.heart.bottom_y
    course = [
        (a.skin_front.at_height(floor + 0.12) - 0.03, floor + 0.14),
        (a.lung_front.at_height(floor) - 0.02, floor + 0.05),
    ]
    course += [(a.lung_front.at_height(y) + 0.022, y) for y in np.linspace(floor - 0.02, tip_y, 4).tolist()]
    x, y = curve_through(course, 70)
    pen = DevicePen(layers, planted.severity, rng)
    pen.tube(x, y, 0.9 * DRAIN, wall=0.065, core=0.030, stripe=0.23, stripe_at=0.4)
    return pen.drawn((float(x[-1]), float(y[-1])))

"""One patient's chest as seen from the left: where every edge runs, before anything is drawn.

Everything that both views show is the frontal anatomy's: heights of apex, arch, hila, diaphragm and heart, size of the
heart, habitus, air in the stomach. So what a finding does to the frontal film (a wider heart, a flat diaphragm) it does
here too. What only this view shows (kyphosis, depth of the chest, slope of the sternum) comes from the body's seed, and
how the arms are held from the film's. `x` runs from front to back, lengths are fractions of the film.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from chartsight.hospital.anatomy import SIDES, Anatomy, Hemithorax, heart_level, inside_film
from chartsight.hospital.film_request import Body, Box
from chartsight.hospital.strokes import Plane, as_plane, smooth_curve
from chartsight.schema import OBJECTS

# Purposes of the random streams, apart from those of the frontal film.
BODY_STREAM, EXPOSURE_STREAM = 61, 62

NORMAL_FALL = 0.085  # from dome to costophrenic angle on a frontal film of a healthy chest


@dataclass(frozen=True)
class Course:
    """An edge that runs down the film: x at a few heights, joined smoothly."""

    y: tuple[float, ...]
    x: tuple[float, ...]
    curve: tuple[Plane, Plane] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "curve", smooth_curve(list(self.y), list(self.x), 64))

    def at(self, y: Plane) -> Plane:
        """x at each `y`; beyond the ends the last value."""
        return as_plane(np.interp(y, *self.curve))

    def at_height(self, y: float) -> float:
        """`at` of a single height."""
        return float(np.interp(y, *self.curve))


@dataclass(frozen=True)
class LateralAnatomy:
    """Everything that the drawing needs to know of a patient on a lateral film.

    Args:
        frontal: The same chest as a frontal film would show it, findings included.
        lung_front: Front edge of the lungs, behind the sternum.
        lung_back: Back edge of the lungs, in the gutters beside the spine.
        spine_front: Front edge of the vertebral bodies.
        skin_front: Of neck, breastbone and belly, without breasts.
        skin_back: Of neck and back.
        sternum: Middle of the breastbone, from the notch to the xiphoid.
        heart_front: Front border of heart and ascending aorta.
        heart_back: Back border of the heart.
        trachea: Middle of the windpipe, down to the carina.
        heart_share: Share of the thorax's width that the heart takes where it is widest.
        vertebra: Depth of a vertebral body from front to back, at mid-height.
        magnified: How much further back the right ribs are thrown than the left ones.
        arms: How far the arms are raised: 0 over the apices, 1 out of the way.
        spondylosis: Spurs that come with age, 0 to 1.
    """

    frontal: Anatomy
    lung_front: Course
    lung_back: Course
    spine_front: Course
    skin_front: Course
    skin_back: Course
    sternum: Course
    heart_front: Course
    heart_back: Course
    trachea: Course
    heart_share: float
    vertebra: float
    magnified: float
    arms: float
    spondylosis: float

    def posterior_angle_y(self, side: int) -> float:
        """The posterior costophrenic angle: the deepest point of a lung."""
        lung = self.frontal.lung(side)
        return min(lung.dome_y + 1.7 * (lung.angle_y - lung.dome_y) + 0.01, 0.96)

    def diaphragm(self, side: int, x: Plane) -> Plane:
        """Height of a hemidiaphragm at each `x`: a dome in front of the middle, falling steeply to the back."""
        lung = self.frontal.lung(side)
        front, back = (edge.at_height(lung.dome_y) for edge in (self.lung_front, self.lung_back))
        u = np.clip((x - np.float32(front)) / np.float32(back - front), -0.1, 1.1)
        before = np.clip((np.float32(0.40) - u) * np.float32(1 / 0.40), 0, 1.3)
        behind = np.clip((u - np.float32(0.40)) * np.float32(1 / 0.60), 0, 1.2)
        fall = np.float32(self.posterior_angle_y(side) - lung.dome_y)
        return as_plane(np.float32(lung.dome_y) + fall * (np.float32(0.36) * before**2 + behind ** np.float32(2.1)))

    def diaphragm_at(self, side: int, x: float) -> float:
        """`diaphragm` of a single place."""
        return float(self.diaphragm(side, np.array([x], np.float32))[0])

    def inside(self, depth: float, y: float) -> float:
        """x of a point in the lungs: `depth` 0 at their front edge, 1 at their back edge, at a height."""
        front, back = self.lung_front.at_height(y), self.lung_back.at_height(y)
        return front + depth * (back - front)

    @property
    def hilum(self) -> tuple[float, float]:
        """Middle of the superimposed hila: just below and in front of the carina."""
        y = self.frontal.hilum_y
        return (self.trachea.at_height(self.frontal.carina_y) - 0.010, y)


def build_lateral_anatomy(frontal: Anatomy, body: Body, seed: int) -> LateralAnatomy:
    """The chest of `frontal` turned by a right angle.

    Args:
        frontal: The chest, reshaped by its findings.
        body: Whose; the same as of `frontal`.
        seed: Of the position on this film.
    """
    own = np.random.default_rng([BODY_STREAM, body.seed])
    film = np.random.default_rng([EXPOSURE_STREAM, seed])
    old, large = min(max((body.age - 50) / 40, -0.8), 1.0), body.habitus
    heart, lung = frontal.heart, frontal.right
    apex = min(frontal.left.apex_y, lung.apex_y)
    # A chest that is blown up is deep as well as long.
    flatness = 1 - min((lung.angle_y - lung.dome_y) / NORMAL_FALL, 1.0)
    scale = frontal.scale
    depth = scale * (0.455 + own.normal(0, 0.014) + 0.020 * max(old, 0) + 0.02 * large + 0.065 * flatness)
    kyphosis = max(0.5, 1.0 + own.normal(0, 0.18) + (0.45 if body.sex == "F" else 0.3) * max(old, 0) ** 1.5)
    slope = 0.125 + own.normal(0, 0.014) - 0.035 * flatness
    vertebra = scale * (0.076 + own.normal(0, 0.003))
    spurs = float(np.clip(own.normal(0.4 * old, 0.12), 0, 0.35))
    pendulous = own.normal(0, 0.02)
    centre = 0.50 + film.normal(0, 0.015)
    front, back = centre - 0.5 * depth - 0.005, centre + 0.5 * depth
    arms = float(np.clip(film.normal(0.75, 0.2), 0, 1.0))
    magnified = 0.016 + abs(film.normal(0, 0.008))

    spine_y = (-0.06, 0.08, 0.22, 0.36, 0.50, 0.64, 0.80, 1.06)
    bow = (-0.112, -0.094, -0.052, -0.014, 0.0, -0.001, -0.016, -0.042)
    mid = back - vertebra - 0.044
    spine = Course(spine_y, tuple(mid + kyphosis * each for each in bow))
    behind = (0.030, 0.060, 0.100, 0.118, 0.120, 0.120, 0.112, 0.100)
    lung_back = Course(
        spine_y, tuple(spine.at_height(y) + (each * scale) for y, each in zip(spine_y, behind, strict=True))
    )

    notch, angle_y = apex + 0.06, apex + 0.06 + 0.115 * scale
    xiphoid = apex + 0.06 + 0.40 * scale
    steps = (apex, apex + 0.03, apex + 0.09, angle_y, 0.5 * (angle_y + xiphoid), xiphoid, xiphoid + 0.10, 1.06)
    start = spine.at_height(apex)
    lung_front = Course(steps, (
        start - 0.035, start - 0.100, front + slope - 0.005, front + 0.62 * slope, front + 0.20 * slope, front,
        front - 0.004, front + 0.015,
    ))  # fmt: skip
    sternum = Course(
        (notch, angle_y, 0.5 * (angle_y + xiphoid), xiphoid),
        (front + slope + 0.012, front + 0.62 * slope - 0.022, front + 0.18 * slope - 0.022, front - 0.018),
    )
    pad = 0.032 + 0.045 * large
    skin_front = Course(
        (-0.06, apex - 0.06, notch, angle_y, xiphoid, xiphoid + 0.13, 1.06),
        (spine.at_height(-0.06) - 0.150 - 0.02 * large, spine.at_height(apex - 0.06) - 0.155 - 0.03 * large,
         front + slope - 0.025 - 0.3 * pad, front + 0.62 * slope - 0.036 - 0.7 * pad, front - 0.03 - pad,
         front - 0.025 - 1.25 * pad, front - 0.02 - (1.2 + 0.9 * large) * pad + pendulous),
    )  # fmt: skip
    padding_back = 0.048 + 0.030 * large
    skin_back = Course(
        spine_y,
        tuple(
            spine.at_height(y) + vertebra + each + padding_back
            for y, each in zip(spine_y, (0.030, 0.050, 0.070, 0.070, 0.062, 0.056, 0.052, 0.050), strict=True)
        ),
    )

    # The heart lies on the diaphragm behind the lower breastbone; the wider on the frontal film, the further it reaches
    # towards the spine.
    reach = float(np.clip(0.67 + 1.55 * (frontal.ct_ratio - 0.44), 0.54, 0.99))
    levels = (0.02, 0.22, 0.38, 0.54, 0.74, 0.92, 1.12)
    front_share = (0.44, 0.38, 0.22, 0.08, 0.0, -0.03, -0.03)
    back_share = (
        0.56,
        0.62,
        0.61 + 0.55 * (reach - 0.60),
        0.64 + 0.85 * (reach - 0.63),
        reach,
        0.97 * reach,
        0.80 * reach,
    )
    ys = tuple(heart_level(heart, level) for level in levels)

    def spans(shares: tuple[float, ...]) -> tuple[float, ...]:
        edges = ((lung_front.at_height(y), spine.at_height(y)) for y in ys)
        return tuple(near + share * (far - near) for share, (near, far) in zip(shares, edges, strict=True))

    carina = frontal.carina_y
    gap = 0.094 * scale + own.normal(0, 0.004)
    trachea = Course(
        (-0.06, 0.5 * apex, apex + 0.06, carina),
        (spine.at_height(-0.06) - 0.070, spine.at_height(0.5 * apex) - 0.068, spine.at_height(apex + 0.06) - 0.082,
         spine.at_height(carina) - gap),
    )  # fmt: skip
    return LateralAnatomy(
        frontal=frontal, lung_front=lung_front, lung_back=lung_back, spine_front=spine, skin_front=skin_front,
        skin_back=skin_back, sternum=sternum, heart_front=Course(ys, spans(front_share)),
        heart_back=Course(ys, spans(back_share)), trachea=trachea,
        heart_share=float(np.clip(1.22 * frontal.ct_ratio, 0.42, 0.78)), vertebra=vertebra, magnified=magnified,
        arms=arms, spondylosis=spurs,
    )  # fmt: skip


# Objects that a reader can outline from the side. The others have no box: the zones are thirds of a frontal lung, the
# borders of vena cava and atrium lie inside the heart's shadow, and what is paired and superimposed without an edge of
# its own (clavicles, shoulders, breasts, chest walls) belongs to neither side.
OUTLINED = (
    "abdomen", "aortic arch", "cardiac silhouette", "carina", "mediastinum", "upper mediastinum", "neck", "spine",
    "trachea",
    *(f"{side} {part}" for part in ("lung", "hilar structures", "costophrenic angle", "hemidiaphragm")
      for side in ("left", "right")),
)  # fmt: skip


def lateral_boxes(anatomy: LateralAnatomy) -> Mapping[str, Box]:
    """The boxes of `OUTLINED` as fractions of the film, each inside it and with positive area."""
    a, frontal, heart = anatomy, anatomy.frontal, anatomy.frontal.heart
    top = min(frontal.left.apex_y, frontal.right.apex_y)

    def reach(course: Course, y1: float, y2: float) -> tuple[float, float]:
        x = course.at(np.linspace(y1, y2, 24, dtype=np.float32))
        return float(x.min()), float(x.max())

    heart_top = heart_level(heart, 0.25)
    low = heart.bottom_y + 0.01
    trachea_x = reach(a.trachea, 0.02, frontal.carina_y)
    spine_x = reach(a.spine_front, 0.02, 0.98)
    arch = arch_course(a)
    upper = heart.arch_y + 0.075
    carina_x, hilum = a.trachea.at_height(frontal.carina_y), a.hilum
    heart_x = (reach(a.heart_front, heart_top, low)[0], reach(a.heart_back, heart_top, low)[1])
    boxes: dict[str, Box] = {
        "abdomen": (reach(a.skin_front, frontal.left.dome_y, 1.0)[0], min(frontal.left.dome_y, frontal.right.dome_y),
                    reach(a.skin_back, frontal.left.dome_y, 1.0)[1], 1.0),
        "aortic arch": (min(arch[0]) - 0.03, heart.arch_y - 0.05, max(arch[0]) + 0.03, heart.arch_y + 0.05),
        "cardiac silhouette": (heart_x[0], heart_top, heart_x[1], low),
        "carina": (carina_x - 0.03, frontal.carina_y - 0.025, carina_x + 0.03, frontal.carina_y + 0.03),
        "mediastinum": (heart_x[0], top - 0.01, max(heart_x[1], reach(a.spine_front, top, low)[1]), low),
        "upper mediastinum": (
            a.lung_front.at_height(upper), top - 0.01, reach(a.spine_front, top, upper)[1], upper),
        "neck": (reach(a.skin_front, 0.0, 0.1)[0], 0.0, reach(a.skin_back, 0.0, 0.1)[1], max(top - 0.01, 0.05)),
        "spine": (spine_x[0], 0.02, spine_x[1] + 1.75 * a.vertebra, 0.98),
        "trachea": (trachea_x[0] - 0.026, 0.02, trachea_x[1] + 0.026, frontal.carina_y),
    }  # fmt: skip
    for name, side in SIDES.items():
        lung: Hemithorax = frontal.lung(side)
        deepest = a.posterior_angle_y(side)
        back_x = reach(a.lung_back, lung.apex_y, deepest)[1] + (a.magnified if side < 0 else 0.0)
        front_x = reach(a.lung_front, lung.apex_y, deepest)[0]
        # The left hemidiaphragm is lost where the heart lies on it.
        dome_x = a.heart_back.at_height(lung.dome_y) - 0.05 if side > 0 else front_x
        angle_x = a.lung_back.at_height(deepest)
        behind = 0.026 if side > 0 else -0.028
        boxes |= {
            f"{name} lung": (front_x, lung.apex_y, back_x, deepest),
            f"{name} hemidiaphragm": (dome_x, lung.dome_y - 0.015, back_x, deepest + 0.01),
            f"{name} costophrenic angle": (angle_x - 0.10, deepest - 0.085, angle_x + 0.03, deepest + 0.02),
            f"{name} hilar structures": (
                hilum[0] + behind - 0.05, hilum[1] - 0.06 - 0.02 * side, hilum[0] + behind + 0.05, hilum[1] + 0.07),
        }  # fmt: skip
    return {name: inside_film(boxes[name]) for name in OBJECTS if name in OUTLINED}


def arch_course(anatomy: LateralAnatomy) -> tuple[list[float], list[float]]:
    """Middle of ascending aorta, arch and first part of the descending aorta: x and y of a few points."""
    heart, y = anatomy.frontal.heart, anatomy.frontal.heart.arch_y
    carina_x = anatomy.trachea.at_height(y)
    spine_x = anatomy.spine_front.at_height(y + 0.06)
    return (
        [carina_x - 0.085, carina_x - 0.070, carina_x - 0.022, 0.5 * (carina_x + spine_x) + 0.02, spine_x + 0.004],
        [heart_level(heart, 0.24), y + 0.020, y - 0.012, y + 0.008, y + 0.075],
    )

"""The courses of lines through the great veins and the right heart, as control points on the film.

A course is a list of (x, y), fractions of the film, from the skin inwards.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from chartsight.hospital.anatomy import Anatomy, heart_level
from chartsight.hospital.strokes import Plane, as_plane, smooth_curve

Course = list[tuple[float, float]]
BEND = 0.030  # length over which a line bends, a fraction of the film

# Where a central line may end -> what it touches.
CENTRAL_PLACES: Mapping[str, tuple[str, ...]] = {
    "svc": ("svc",),
    "cavoatrial junction": ("cavoatrial junction", "svc"),
    "right atrium": ("right atrium", "cavoatrial junction", "svc"),
}


def curve_through(course: Sequence[tuple[float, float]], points: int = 64) -> tuple[Plane, Plane]:
    """The curve through a course as a tube that resists bending takes it, ends kept; x [points] and y [points]."""
    x, y = smooth_curve([x for x, _ in course], [y for _, y in course], points)
    reached = np.concatenate(([0.0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))))
    evenly = np.linspace(0, reached[-1], points)
    turns = np.stack((np.interp(evenly, reached, x), np.interp(evenly, reached, y)))
    reach = max(int(BEND * points / reached[-1]), 1)
    bow = np.hanning(2 * reach + 3)[1:-1]
    padded = np.pad(turns, ((0, 0), (reach, reach)), mode="reflect", reflect_type="odd")
    bent_x, bent_y = (np.convolve(row, bow / bow.sum(), mode="valid") for row in padded)
    return as_plane(bent_x), as_plane(bent_y)


def heart_x(anatomy: Anatomy, d: float, y: float) -> float:
    """x of a point of heart or great vessels, `d` to the patient's left of their own midline."""
    return anatomy.midline_at(y) + anatomy.mediastinum_shift + d


def to_the_svc(anatomy: Anatomy, side: int) -> Course:
    """Along the brachiocephalic vein of a side, short and steep on the right, long across the midline on the left."""
    a, heart = anatomy, anatomy.heart
    start, entry = a.clavicle_y + 0.022, max(heart.arch_y - 0.012, a.clavicle_y + 0.045)
    svc = -0.62 * heart.upper
    if side < 0:
        return [(heart_x(a, svc - 0.012, start), start), (heart_x(a, svc, entry), entry)]
    across = 0.5 * (start + entry)
    return [
        (a.x(1, 0.055, start - 0.008), start - 0.010),
        (heart_x(a, 0.002, across - 0.006), across - 0.006),
        (heart_x(a, svc + 0.006, entry + 0.010), entry + 0.012),
    ]


def central_tip(anatomy: Anatomy, place: str, rng: np.random.Generator) -> Course:
    """The last part of a central line, to its tip in a place of `CENTRAL_PLACES`."""
    a, heart = anatomy, anatomy.heart
    depth, aside = rng.random(), rng.normal(0, 1)
    entry, junction = max(heart.arch_y - 0.012, a.clavicle_y + 0.045), heart_level(heart, 0.42)
    if place == "svc":
        low = junction - 0.045
        first = min(entry + 0.035, low - 0.01)
        tip_y = first + depth * (low - first)
        return [(heart_x(a, -0.62 * heart.upper + 0.002 * aside, tip_y), tip_y)]
    waypoint = 0.5 * (entry + junction)
    upper = (heart_x(a, -0.64 * heart.upper, waypoint), waypoint)
    if place == "cavoatrial junction":
        tip_y = junction + (depth - 0.5) * 0.05
        return [upper, (heart_x(a, -0.55 * heart.right + 0.003 * aside, tip_y), tip_y)]
    tip_y = junction + 0.05 + depth * 0.3 * (heart.bottom_y - junction)
    return [
        upper,
        (heart_x(a, -0.56 * heart.right, junction), junction),
        (heart_x(a, (-0.58 + 0.18 * depth + 0.03 * aside) * heart.right, tip_y), tip_y),
    ]


def pulmonary_course(anatomy: Anatomy, place: str, rng: np.random.Generator) -> Course:
    """From the superior vena cava through right atrium and ventricle into a pulmonary artery or just short of it."""
    a, heart = anatomy, anatomy.heart
    swing, reach = rng.uniform(-1, 1, 2)
    loop = [
        (-0.62 * heart.upper, 0.16),
        (-0.62 * heart.right, 0.50),
        (-0.42 * heart.right, 0.74 + 0.03 * swing),
        (0.12 * heart.left, 0.86 + 0.03 * swing),
        (0.42 * heart.left, 0.72),
        (0.34 * heart.left, 0.48),
    ]
    course = [(heart_x(a, d, heart_level(heart, level)), heart_level(heart, level)) for d, level in loop]
    trunk_y = heart_level(heart, 0.27)
    if place == "mediastinum":
        tip_y = trunk_y + 0.03 + 0.012 * reach
        return [*course, (heart_x(a, 0.028 + 0.006 * reach, tip_y), tip_y)]
    course.append((heart_x(a, 0.050, trunk_y + 0.01), trunk_y + 0.01))
    if place.startswith("left "):
        tip_y = a.hilum_y + 0.012 + 0.02 * reach
        return [*course, (a.x(1, 0.078, a.hilum_y - 0.012), a.hilum_y - 0.012), (a.x(1, 0.108, tip_y), tip_y)]
    tip_y = a.hilum_y + 0.022 + 0.02 * reach
    return [
        *course,
        (heart_x(a, 0.010, trunk_y - 0.008), trunk_y - 0.008),
        (a.x(-1, 0.045, a.hilum_y - 0.006), a.hilum_y - 0.004),
        (a.x(-1, 0.094, tip_y), tip_y),
    ]

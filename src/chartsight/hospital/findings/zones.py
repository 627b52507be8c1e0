"""Points inside the zones of a lung."""

from __future__ import annotations

import numpy as np

from chartsight.hospital.anatomy import Anatomy


def point_in_zone(anatomy: Anatomy, zone: str, rng: np.random.Generator, spread: float) -> tuple[float, float]:
    """A place in the lung, within `spread` (0 to 1) of the middle of a zone: x and y as fractions of the film.

    Args:
        anatomy: Of the film.
        zone: "left upper lung zone" and so on; anything else on a side is the lung as a whole.
        rng: Of the finding.
        spread: 0 for the middle, 1 for anywhere.
    """
    side = -1 if zone.startswith("right ") else 1
    lung = anatomy.lung(side)
    top, low = anatomy.hilum_y - 0.13 * lung.height, anatomy.hilum_y + 0.14 * lung.height
    floor = lung.dome_y - 0.01
    first, last = {
        "upper": (lung.apex_y + 0.09, top), "mid": (top, low), "lower": (low, floor)
    }.get(zone.split()[1], (lung.apex_y + 0.12, floor))  # fmt: skip
    y = 0.5 * (first + last) + spread * rng.uniform(-0.5, 0.5) * (last - first)
    inner, outer = lung.medial + 0.06, lung.lateral_at(y) - 0.035
    if y > anatomy.heart.arch_y + 0.1:
        inner += 0.45 * max((anatomy.heart.left if side > 0 else anatomy.heart.right) - lung.medial - 0.04, 0)
    d = 0.5 * (inner + outer) + (0.4 + spread) * rng.uniform(-0.5, 0.5) * (outer - inner)
    return anatomy.x(side, d, y), y

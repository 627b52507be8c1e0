"""Collapse of a lobe: a dense, shrunken lobe with a moved fissure; windpipe, heart and dome are pulled towards it."""

from __future__ import annotations

import numpy as np

from chartsight.hospital.anatomy import Anatomy
from chartsight.hospital.film_request import PlantedFinding
from chartsight.hospital.findings.drawing import Drawn, FindingDrawing, on_either_side, side_of
from chartsight.hospital.findings.lung.airspace import (
    Airspace,
    clear_of_heart,
    fill,
    lumps,
    moved_dome,
    moved_mediastinum,
    open_air,
    outline,
    strength,
    thin_vessels,
    whole_lung,
)
from chartsight.hospital.strokes import Plane, as_plane, rise
from chartsight.hospital.tissue import Layers


def pull_together(anatomy: Anatomy, planted: PlantedFinding) -> Anatomy:
    """Mediastinum towards the collapse, up to 5.5% of the film; the dome of its side up."""
    anatomy = moved_mediastinum(anatomy, side_of(planted), 0.055 * planted.severity)
    return moved_dome(anatomy, side_of(planted), 0.050 * planted.severity)


def draw_collapse(layers: Layers, anatomy: Anatomy, planted: PlantedFinding, rng: np.random.Generator) -> Drawn:
    """From a hint of density with a lifted fissure (severity near 0) to a white, shrunken lobe (1)."""
    severity, space = planted.severity, whole_lung(layers, anatomy, side_of(planted))
    lean, soft = float(np.clip(rng.normal(0, 0.20), -0.25, 0.25)), rng.uniform(0.003, 0.010)
    airless = rng.uniform(0.78, 1.08)
    upper = "upper" in planted.objects[0]
    body = upper_lobe(anatomy, space, lean, soft) if upper else lower_lobe(anatomy, space, lean, soft)
    share = as_plane(np.clip(body * (1 + np.float32(0.3) * lumps(rng, space, 0.05)), 0, 1))
    # The lobe that stays has to fill the chest: it holds more air and fewer vessels.
    stretched = as_plane((1 - body) * np.float32(0.02 * severity**2))
    open_air(layers, space, stretched, 0.90)
    thin_vessels(layers, space, as_plane((1 - body) * np.float32(0.10 * severity**2)))
    dense = np.float32(strength(severity, 0.93, 0.05) * airless)
    fill(layers, space, as_plane(share * dense))
    if not upper:
        # Behind the heart hardly any air is drawn that could give way; the lobe still shows as a second edge.
        behind = 1 - clear_of_heart(layers, space)
        layers.wall[space.at] += as_plane(share * behind * space.within(0.3)) * dense * np.float32(0.13)
    return Drawn(outline(layers, [(space, share)], at_least=0.35))


def upper_lobe(anatomy: Anatomy, space: Airspace, lean: float, soft: float) -> Plane:
    """0 to 1, [h, w]: apex and medial part. On the right the fissure is a sharp arch, on the left it fades down."""
    lung = space.lung
    middle = anatomy.hilum_y - (0.16 + 0.08 * lean) * lung.height
    if space.side < 0:
        # Concave from below, lowest at the hilum.
        edge = np.float32(middle) - np.float32(0.145 + lean * 0.2) * np.clip(space.reach, 0, 1.1) ** np.float32(0.8)
        edge += np.float32(0.10) * np.clip(np.float32(0.35) - space.reach, 0, 1)
        return as_plane(rise(as_plane(edge + np.float32(0.06) - space.y), soft))
    fade = np.clip((np.float32(middle + 0.16) - space.y) / np.float32(0.30), 0, 1)
    medial = np.clip(np.float32(1.35 + lean) - np.float32(0.75) * space.reach, 0, 1)
    return as_plane(fade ** np.float32(0.8) * medial)


def lower_lobe(anatomy: Anatomy, space: Airspace, lean: float, soft: float) -> Plane:
    """0 to 1, [h, w]: a triangle from the hilum down to the medial dome, behind the heart on the left."""
    lung = space.lung
    down = (space.y - np.float32(anatomy.hilum_y)) / np.float32(lung.angle_y - anatomy.hilum_y)
    heart = anatomy.heart.left if space.side > 0 else anatomy.heart.right
    # It ends a little beyond the heart on the right, behind it on the left.
    far = 0.80 * heart + 0.02 if space.side > 0 else heart + 0.075
    far = max(far + space.side * anatomy.mediastinum_shift, 0.10) + 0.12 * lean
    edge = np.float32(0.07) + np.float32(far - 0.07) * np.clip(down, 0, 1.2) ** np.float32(1.1)
    side_border = rise(as_plane(edge - space.d), soft)
    return as_plane(side_border * np.clip(down * 9, 0, 1))


def implied_by_collapse(planted: PlantedFinding) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """It displaces the mediastinum, unless there is hardly any of it."""
    return (("mediastinal displacement", ("mediastinum",)),) if planted.severity > 0.3 else ()


COLLAPSE = FindingDrawing(
    on_either_side("upper lung zone", "lung") | on_either_side("lower lung zone", "lung"),
    draw_collapse, pull_together, implied_by_collapse,
)  # fmt: skip

"""One patient's chest as seen on one film: where every edge runs, before anything is drawn.

The skeleton comes from the body's own seed, so that it is the same on every film of a patient; position, inspiration
and rotation come from the film's. Lengths are fractions of the film. `side` is +1 for the patient's left, which is on
the right of the picture, and `d` is the distance from the midline towards a side.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from chartsight.hospital.film_request import Body, Box, Side
from chartsight.hospital.strokes import Plane, as_plane
from chartsight.schema import OBJECTS

SIDES: Mapping[Side, int] = {"left": 1, "right": -1}

# Purposes of the random streams: a new use takes a new number, so that no other stream moves.
BODY_STREAM, EXPOSURE_STREAM = 1, 2

# Limits of what a film shows without a finding.
MOST_ROTATION, MOST_BEND = 0.04, 0.012
# Danzer: a heart wider than half the thorax is enlarged. On an AP film it lies nearer to the tube, so it is magnified.
HEART_LIMITS: Mapping[str, float] = {"PA": 0.5, "AP": 0.55}
# Of the thorax, what the mediastinum above the heart may take: one healthy chest in twenty lies at the limit.
MEDIASTINUM_LIMITS: Mapping[str, float] = {"PA": 0.226, "AP": 0.26}
RIBS_ABOVE_DOME = (7.49, 8.7)  # least and most that a breath spaces over the lung; eight to nine and a half are counted


@dataclass(frozen=True)
class Hemithorax:
    """One lung's edges.

    Args:
        side: +1 the patient's left, -1 the right.
        apex_y: Top of the lung.
        dome_y: Highest point of the hemidiaphragm.
        angle_y: Costophrenic angle, below the dome.
        width: Greatest distance from the midline to the lateral edge.
        medial: Distance from the midline to the medial edge, without heart.
        roundness: Exponent of the flank: 0.5 rounded, 0.6 tapering.
    """

    side: int
    apex_y: float
    dome_y: float
    angle_y: float
    width: float
    medial: float
    roundness: float

    def inner(self, y: Plane) -> Plane:
        """Distance from the midline to the medial edge at each `y`, without heart; the apex is round."""
        above = np.clip(1 - (y - np.float32(self.apex_y)) * np.float32(7), 0, 1)
        return as_plane(np.float32(self.medial) + np.float32(0.060) * above**2)

    @property
    def height(self) -> float:
        """From the apex to the costophrenic angle."""
        return self.angle_y - self.apex_y

    def lateral(self, y: Plane) -> Plane:
        """Distance from the midline to the lateral edge at each `y`; below the medial edge outside the lung."""
        t = (y - np.float32(self.apex_y)) / np.float32(self.height)
        flank = (1 - np.clip(1 - t, 0, 1) ** np.float32(2.5)) ** np.float32(self.roundness)
        hem = np.float32(1) - np.float32(0.035) * np.clip((t - np.float32(0.75)) * 4, 0, 1.4) ** 2
        return as_plane((np.float32(0.10) + np.float32(self.width - 0.10) * flank) * hem * (t > 0))

    def lateral_at(self, y: float) -> float:
        """`lateral` of a single height."""
        return float(self.lateral(np.array([y], np.float32))[0])

    def diaphragm(self, d: Plane) -> Plane:
        """Height of the hemidiaphragm at each distance from the midline."""
        top = np.float32(self.width * 0.5)
        outwards = np.clip((d - top) / (np.float32(self.width) - top), 0, 1.2)
        inwards = np.clip((top - d) / top, 0, 1.2)
        fall = np.float32(self.angle_y - self.dome_y)
        # Round, and ever steeper towards the angle.
        steep = outwards * outwards * (np.float32(0.55) + np.float32(0.45) * outwards * outwards * outwards)
        return as_plane(np.float32(self.dome_y) + fall * (steep + np.float32(0.36) * inwards * inwards))


@dataclass(frozen=True)
class Heart:
    """Silhouette of heart and great vessels, as distances from the midline.

    Args:
        arch_y: Middle of the aortic knob.
        bottom_y: Where the heart meets the diaphragm.
        left: Greatest reach to the patient's left.
        right: Greatest reach to the patient's right.
        knob: Reach of the aortic knob to the left.
        upper: Half width of the mediastinum above the heart.
        waist: Reach of the left border between knob and ventricle.
        calcified: Chalk in the aortic knob, 0 to 1.
    """

    arch_y: float
    bottom_y: float
    left: float
    right: float
    knob: float
    upper: float
    waist: float
    calcified: float


@dataclass(frozen=True)
class Rib:
    """One pair of ribs; `edge` is how far they reach to the left and to the right."""

    spine_y: float
    drop: float
    front_drop: float
    half_width: float
    weight: float
    edge: tuple[float, float]

    def reach(self, side: int) -> float:
        """Distance from the midline to where the rib turns forward, on a side."""
        return self.edge[0 if side > 0 else 1]

    def back_y(self, q: Plane) -> Plane:
        """Height of the back arc's middle at each share `q` of the way from the midline to the edge."""
        return back_arc(np.float32(self.spine_y), np.float32(self.drop), q)


@dataclass(frozen=True)
class LookAlikes:
    """Harmless things that resemble findings; 0 or an empty tuple where there are none.

    Args:
        nipples: Depth of the nipple shadows.
        skin_fold: Side and distance from the midline of a fold that resembles a pleural line.
        companion: Depth of the companion shadows and of a bulging first rib end.
        fat_pad: Size of the fat at the heart's apex, which widens the heart and veils the angle beside it.
        end_on: Depth of a vessel that is seen end-on beside a hilum, round as a nodule.
    """

    nipples: float
    skin_fold: tuple[int, float] | None
    companion: float
    fat_pad: float = 0.0
    end_on: float = 0.0


@dataclass(frozen=True)
class Anatomy:
    """Everything that the drawing needs to know of a patient on a film; lengths and heights are fractions of it."""

    view: Literal["PA", "AP"]
    centre_x: float
    tilt: float
    bend: float
    bend_phase: float
    rotation: float
    scale: float
    left: Hemithorax
    right: Hemithorax
    heart: Heart
    ribs: tuple[Rib, ...]
    trunk: float
    thickness: float
    fat: float
    neck: float
    shoulder_y: float
    clavicle_rise: tuple[float, float]
    clavicle_y: float
    scapula: float
    breast: float
    breast_y: float
    carina_y: float
    hilum_y: float
    liver_y: float
    vascularity: float
    aeration: float
    stomach: tuple[float, float, float]  # amount of gas, distance to the left, height on the film
    bone: float
    sharpness: float
    look_alikes: LookAlikes
    body_seed: int
    bowel_seed: int = 0  # of the gas in the belly, which moves from film to film
    chin: float = 0.0  # how far the chin hangs into the field, 0 to 1
    shift: float = 0.0  # of heart and great vessels towards the patient's left, by what pushes or pulls them

    def lung(self, side: int) -> Hemithorax:
        """The lung of a side, +1 left, -1 right."""
        return self.left if side > 0 else self.right

    def hilum_of(self, side: int) -> float:
        """Height of a side's hilum; the left one stands higher."""
        return self.hilum_y - 0.014 * side

    def axis(self, y: Plane) -> Plane:
        """x of the trunk's middle at each `y`: the spine's, were it straight."""
        return as_plane(np.float32(self.centre_x) + np.float32(self.tilt) * (y - np.float32(0.5)))

    def midline(self, y: Plane) -> Plane:
        """x of the spine's middle at each `y`."""
        curve = np.float32(self.bend) * np.sin(np.float32(2 * math.pi) * y + np.float32(self.bend_phase))
        return as_plane(np.float32(self.centre_x) + np.float32(self.tilt) * (y - np.float32(0.5)) + curve)

    def midline_at(self, y: float) -> float:
        """`midline` of a single height."""
        return self.centre_x + self.tilt * (y - 0.5) + self.bend * math.sin(2 * math.pi * y + self.bend_phase)

    def x(self, side: int, d: float, y: float) -> float:
        """x of a point `d` from the midline towards a side, at height `y`."""
        return self.midline_at(y) + side * d

    @property
    def clavicle_span(self) -> float:
        """Width that a clavicle covers, from its head to the shoulder."""
        return 0.335 * self.scale - 0.028

    def clavicle_start(self, side: int) -> float:
        """Distance from the midline to a clavicle's head; a turned patient shows one nearer to the spine."""
        return 0.028 + 0.6 * self.rotation * side

    def clavicle_height(self, side: int, t: Plane) -> Plane:
        """Height of a clavicle's middle at each share `t` of the way from its head to the shoulder."""
        rise_out = self.clavicle_rise[0 if side > 0 else 1]
        wave = np.sin(np.clip(t, 0, 1) * np.float32(2 * math.pi))
        return as_plane(np.float32(self.clavicle_y) - np.float32(rise_out + 0.035) * t + np.float32(0.010) * wave)

    def humeral_head(self, side: int) -> tuple[float, float]:
        """Middle of the humeral head, x and y; the right shoulder hangs a little lower."""
        y = self.clavicle_y + (0.030 if side > 0 else 0.036)
        return self.x(side, 0.438 * self.scale + 0.012, y), y

    def disc_heights(self) -> tuple[float, ...]:
        """Middles of the discs on the film, from above."""
        y = np.linspace(0, 1, 2001)
        discs = np.floor(spine_phase(self.scale, as_plane(y)) / (2 * math.pi) + 0.25)
        return tuple(float(each) for each in y[1:][np.diff(discs) > 0])

    @property
    def mediastinum_shift(self) -> float:
        """How far rotation, and what pushes or pulls, move heart and vessels towards the patient's left."""
        return 0.5 * self.rotation + self.shift

    @property
    def thorax_width(self) -> float:
        """Greatest inner width of the rib cage."""
        return self.left.width + self.right.width

    @property
    def ct_ratio(self) -> float:
        """Heart width over thorax width."""
        return (self.heart.left + self.heart.right) / self.thorax_width

    @property
    def mt_ratio(self) -> float:
        """Upper mediastinum width over thorax width."""
        return (self.heart.upper + self.heart.knob) / self.thorax_width


def back_arc(spine_y: Plane | np.float32, drop: Plane | np.float32, q: Plane) -> Plane:
    """Height of back arcs' middles, [..., N], at each share `q` of the way from the midline to the edge."""
    outer = np.clip((q - np.float32(0.80)) * 5, 0, 1)
    bow = np.float32(0.014) * np.sin(np.clip(q, 0, 1) * np.float32(math.pi))
    return as_plane(spine_y + drop * q * q + np.float32(0.05) * outer**3 - bow)


def around_lungs(ribs: Sequence[Rib], left: Hemithorax, right: Hemithorax) -> tuple[Rib, ...]:
    """The ribs, each reaching to just around the lungs."""
    turn_y = as_plane(np.array([rib.spine_y + 1.15 * rib.drop for rib in ribs]))
    edges = (
        np.maximum(lung.lateral(np.clip(turn_y, lung.apex_y + 0.03, lung.angle_y)), 0.11) + 0.008
        for lung in (left, right)
    )
    return tuple(
        replace(rib, edge=(float(to_left), float(to_right)))
        for rib, to_left, to_right in zip(ribs, *edges, strict=True)
    )


def spine_phase(scale: float, y: Plane) -> Plane:
    """Phase of the spine at each height: a vertebra to a turn, its body where the sine is high, a disc where low."""
    spacing = np.float32(0.046 * scale) * (np.float32(0.85) + np.float32(0.3) * y)
    return as_plane(y / spacing * np.float32(2 * math.pi))


def build_anatomy(
    body: Body, view: Literal["PA", "AP"], seed: int, *, padding: float = 0.0, distraction: float = 1.0
) -> Anatomy:
    """A patient's chest on one film, without findings.

    Args:
        body: Whose.
        view: AP films are taken lying or sitting, from nearer: larger heart, higher diaphragm, scapulae over the lungs.
        seed: Of position, inspiration and rotation.
        padding: Share of the film's width that shows nothing; the patient is drawn smaller to fit between.
        distraction: Factor on how often there are look-alikes of findings.
    """
    own = np.random.default_rng([BODY_STREAM, body.seed])
    film = np.random.default_rng([EXPOSURE_STREAM, seed])
    supine = view == "AP"
    large, old, male = body.habitus, min(max((body.age - 50) / 40, -0.8), 1.0), body.sex == "M"

    # The patient's own.
    stature = 1 + own.normal(0, 0.03) + (0.02 if male else -0.03)
    slender = own.normal(0, 0.5) + 0.8 * (0.45 - large)
    heart_ratio = 0.435 + own.normal(0, 0.032) + 0.014 * old + 0.03 * large
    right_share = float(np.clip(own.normal(0.33, 0.03), 0.26, 0.42))
    knob = 0.077 + 0.012 * old + own.normal(0, 0.007)
    upper = 0.057 + own.normal(0, 0.010) + 0.006 * large
    waist = 0.058 + own.normal(0, 0.006)
    bend = float(np.clip(own.normal(0, 0.0035) * (1 + max(old, 0)), -MOST_BEND, MOST_BEND))
    bend_phase = own.uniform(0, 2 * math.pi)
    dome_gap = abs(own.normal(0.022, 0.012))
    dome_height = 0.116 + own.normal(0, 0.012) + 0.015 * large - 0.012 * max(old, 0)
    roundness = own.normal(0.50, 0.03)
    # More chalk than this is a finding.
    calcified = min(max(0.0, own.normal(0.8 * old, 0.35)), 0.45)
    breast = 0.0 if male else float(np.clip(own.normal(0.4 + 0.55 * large, 0.2), 0.1, 1.2))
    breast_y = own.normal(0.62, 0.03) + 0.03 * old
    bone = 1.0 + own.normal(0, 0.08) - (0.18 if not male else 0.08) * max(old, 0)
    rib_noise = own.normal(0, 1, (12, 4))
    neck = 0.115 + 0.012 * male + 0.03 * large + own.normal(0, 0.006)
    clavicle = own.normal(0, 0.012, 2) + own.normal(0.03, 0.012)
    nipples = max(0.0, own.normal(-0.1, 0.2)) if male else max(0.0, own.normal(-0.2, 0.2))
    companion = max(0.0, own.normal(0, 0.5))
    fat_pad = max(0.0, own.normal(0.15 + 0.6 * large, 0.35))

    # The film's.
    zoom = 1 - 0.7 * padding
    scale = stature * zoom * float(np.clip(film.normal(1.0 if not supine else 1.01, 0.04), 0.9, 1.09))
    centre_x = 0.5 + float(np.clip(film.normal(0, 0.014 if not supine else 0.03), -0.06, 0.06))
    tilt = film.normal(0, 0.02 if not supine else 0.04)
    # A patient who is turned further is a finding.
    rotation = float(np.clip(film.normal(0, 0.022 if not supine else 0.03), -MOST_ROTATION, MOST_ROTATION))
    inspiration = film.normal(0.25, 0.6) if not supine else film.normal(-1.0, 0.6)
    inspiration = float(np.clip(inspiration, -1.9, 1.6))
    apex = 0.105 + film.normal(0, 0.018) + (0.035 if supine else 0.0) + 0.25 * padding
    heart_swell = 1 + (0.09 if supine else 0.0) - 0.02 * inspiration
    scapula = 0.0 if not supine and film.random() < 0.8 else float(film.uniform(0.35, 1.0))
    fold_draw, fold_side, fold_d = film.random(), film.random(), film.uniform(0.62, 0.85)
    vessels_end_on, costochondral = film.normal(0, 1, 2)
    stomach_draw = film.random(3)
    clavicle_lift = film.normal(0, 0.012) + (-0.012 if supine else 0.012)
    aeration = 0.735 + (0.030 if supine else 0.022) * inspiration + film.normal(0, 0.022) - 0.035 * max(large - 0.6, 0)
    congestion = film.normal(0, 0.12)
    sharpness = float(np.clip(film.normal(0.9 if not supine else 0.55, 0.15), 0.2, 1.1))

    bowel_seed = int(film.integers(2**31))
    chin_draw = film.random(2)
    chin = float(chin_draw[1]) if supine and chin_draw[0] < 0.3 else 0.0
    breath = float(np.clip(film.normal(7.55, 0.35), *RIBS_ABOVE_DOME))

    width = scale * (0.358 - 0.010 * slender) * (1.0 if male else 0.97)
    height = scale * (0.560 + 0.030 * slender + 0.045 * inspiration) * (1.0 if male else 0.96)
    height = min(height, 0.84 - apex)
    fall = dome_height * (1 - 0.12 * inspiration)

    fold_share = (0.16 if supine else 0.02) * distraction

    def hemithorax(side: int) -> Hemithorax:
        # The right dome stands higher over the liver; a turned patient shows one lung wider.
        dome_y = apex + height + (dome_gap if side > 0 else 0.0)
        return Hemithorax(
            side=side, apex_y=apex + 0.006 * side, dome_y=dome_y, angle_y=dome_y + fall,
            width=width * (1 - 0.8 * side * rotation), medial=0.040 + 0.1 * side * rotation, roundness=roundness,
        )  # fmt: skip

    left, right = hemithorax(1), hemithorax(-1)
    ratio = float(np.clip(heart_ratio * heart_swell, 0.36, HEART_LIMITS[view] - 0.005))
    knob, upper = (
        part * scale * wider for part, wider in ((knob, 1.12 if supine else 1.0), (upper, 1.18 if supine else 1.0))
    )
    fits = min((MEDIASTINUM_LIMITS[view] - 0.002) * (left.width + right.width) / (knob + upper), 1.0)
    heart = Heart(
        arch_y=apex + 0.27 * height, bottom_y=0.5 * (left.dome_y + right.dome_y) + 0.045,
        left=ratio * (left.width + right.width) * (1 - right_share),
        right=ratio * (left.width + right.width) * right_share,
        knob=knob * fits, upper=upper * fits,
        waist=waist * scale, calcified=calcified,
    )  # fmt: skip
    spacing = height / breath

    def rib(i: int) -> Rib:
        spine_y = apex - 0.005 + spacing * (i + 0.10 * rib_noise[i, 0] + 0.0012 * i * i)
        drop = 0.012 + 0.016 * i - 0.0006 * i * i + 0.006 * rib_noise[i, 1] + 0.01 * slender
        return Rib(
            spine_y=spine_y, drop=drop, front_drop=0.115 + 0.006 * i + 0.010 * rib_noise[i, 2],
            half_width=0.0115 * scale * (1 + 0.08 * rib_noise[i, 3]), weight=1 + 0.10 * rib_noise[i, 3],
            edge=(0.0, 0.0),
        )  # fmt: skip

    return Anatomy(
        view=view, centre_x=centre_x, tilt=tilt, bend=bend, bend_phase=bend_phase, rotation=rotation, scale=scale,
        left=left, right=right, heart=heart, ribs=around_lungs([rib(i) for i in range(11)], left, right),
        trunk=width + 0.055 + 0.090 * large, thickness=1.0 + 0.55 * (large - 0.4), fat=large,
        neck=neck * scale, shoulder_y=apex - 0.035 + (0.01 if supine else 0.03),
        clavicle_rise=(float(clavicle[0]), float(clavicle[1])), clavicle_y=apex + 0.090 + clavicle_lift,
        scapula=scapula, breast=breast, breast_y=apex + height * (breast_y - 0.62 + 0.80),
        carina_y=apex + 0.37 * height, hilum_y=apex + 0.47 * height,
        liver_y=right.dome_y,
        vascularity=1.0 + 0.12 * supine - 0.08 * inspiration + congestion,
        aeration=aeration,
        stomach=(float(stomach_draw[0] < 0.65) * (0.5 + 0.5 * stomach_draw[1]), 0.15 + 0.05 * stomach_draw[2],
                 left.dome_y + 0.055),
        bone=float(bone), sharpness=sharpness,
        look_alikes=LookAlikes(
            nipples=nipples * min(distraction, 1),
            skin_fold=((1 if fold_side < 0.5 else -1), fold_d) if fold_draw < fold_share else None,
            companion=(companion + 0.2 * max(costochondral, 0)) * min(distraction, 1),
            fat_pad=fat_pad * min(distraction, 1), end_on=max(0.0, 0.5 * vessels_end_on) * min(distraction, 1),
        ),
        body_seed=body.seed, bowel_seed=bowel_seed, chin=chin,
    )  # fmt: skip


def object_boxes(anatomy: Anatomy) -> dict[str, Box]:
    """The boxes of all `schema.OBJECTS` as fractions of the film, each inside it and with positive area.

    Source: the meaning of Chest ImaGenome's regions; zones are thirds of a lung about its hilum.
    """
    a, heart = anatomy, anatomy.heart
    shift = a.mediastinum_shift
    top = min(a.left.apex_y, a.right.apex_y)

    def centred(right_d: float, left_d: float, y1: float, y2: float, move: float = 0.0) -> Box:
        middle = [a.midline_at(y) + move for y in (y1, 0.5 * (y1 + y2), y2)]
        return (min(middle) - right_d, y1, max(middle) + left_d, y2)

    boxes: dict[str, Box] = {
        "abdomen": centred(a.trunk, a.trunk, min(a.left.dome_y, a.right.dome_y) - 0.01, 1.0),
        "aortic arch": centred(0.02, heart.knob + 0.012, heart.arch_y - 0.05, heart.arch_y + 0.05, shift),
        "cardiac silhouette": centred(heart.right, heart.left, heart.arch_y + 0.075, heart.bottom_y + 0.02, shift),
        "carina": centred(0.03, 0.03, a.carina_y - 0.025, a.carina_y + 0.03, shift),
        "cavoatrial junction": centred(heart.right * 0.95, -0.01, *around(heart_level(heart, 0.42), 0.035), shift),
        "mediastinum": centred(
            max(heart.right, heart.upper), max(heart.left, heart.knob), top - 0.01, heart.bottom_y + 0.02, shift
        ),
        "upper mediastinum": centred(heart.upper, heart.knob, top - 0.01, heart.arch_y + 0.075, shift),
        "neck": centred(a.neck, a.neck, 0.0, max(top - 0.01, 0.05)),
        "spine": centred(0.045, 0.045, 0.02, 0.98),
        "svc": centred(heart.upper + 0.01, -0.012, heart.arch_y - 0.05, heart_level(heart, 0.42), shift),
        "trachea": centred(0.028, 0.028, 0.02, a.carina_y, 0.5 * shift),
        "right atrium": centred(heart.right, -0.005, heart_level(heart, 0.42), heart.bottom_y, shift),
    }
    for name, side in SIDES.items():
        lung = a.lung(side)

        def beside(near: float, far: float, y1: float, y2: float, side: int = side) -> Box:
            middle = [a.midline_at(y) for y in (y1, 0.5 * (y1 + y2), y2)]
            if side > 0:
                return (min(middle) + near, y1, max(middle) + far, y2)
            return (min(middle) - far, y1, max(middle) - near, y2)

        zone_top, zone_low = a.hilum_y - 0.13 * lung.height, a.hilum_y + 0.14 * lung.height
        apical_y = lung.apex_y + 0.17 * lung.height
        boxes |= {
            f"{name} lung": beside(lung.medial, lung.width, lung.apex_y, lung.angle_y),
            f"{name} apical zone": beside(lung.medial, lung.lateral_at(apical_y), lung.apex_y, apical_y),
            f"{name} upper lung zone": beside(lung.medial, lung.lateral_at(zone_top), lung.apex_y, zone_top),
            f"{name} mid lung zone": beside(lung.medial, lung.lateral_at(zone_low), zone_top, zone_low),
            f"{name} lower lung zone": beside(lung.medial, lung.width, zone_low, lung.angle_y),
            f"{name} costophrenic angle": beside(
                lung.width * 0.72, lung.width * 1.01, lung.angle_y - 0.085, lung.angle_y + 0.025
            ),
            f"{name} hemidiaphragm": beside(lung.medial, lung.width, lung.dome_y - 0.02, lung.angle_y + 0.01),
            f"{name} hilar structures": beside(0.04, 0.15, a.hilum_y - 0.085, a.hilum_y + 0.085),
            f"{name} clavicle": beside(
                0.02, 0.30 * a.scale, a.clavicle_y - 0.05 - max(a.clavicle_rise), a.clavicle_y + 0.035
            ),
            f"{name} shoulder": beside(0.30 * a.scale, 0.52, a.shoulder_y, a.shoulder_y + 0.20),
            f"{name} chest wall": beside(0.16, a.trunk, a.clavicle_y + 0.02, lung.angle_y),
            f"{name} breast": beside(0.07, a.trunk * 0.97, a.breast_y - 0.17, a.breast_y + 0.06),
        }
    return {name: inside_film(boxes[name]) for name in OBJECTS}


def heart_level(heart: Heart, t: float) -> float:
    """Height at the share `t` of the way from the aortic knob to the bottom of the heart."""
    return heart.arch_y + t * (heart.bottom_y - heart.arch_y)


def around(y: float, half: float) -> tuple[float, float]:
    """The interval of `half` to both sides."""
    return (y - half, y + half)


def inside_film(box: Box, least: float = 0.02) -> Box:
    """`box` cut to the film (0 to 1), at least `least` wide and high even at the border."""
    x1, y1 = (min(max(value, 0.0), 1 - least) for value in box[:2])
    x2, y2 = (min(max(value, low + least), 1.0) for value, low in zip(box[2:], (x1, y1), strict=True))
    return (x1, y1, x2, y2)

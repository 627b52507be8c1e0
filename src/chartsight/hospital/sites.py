"""Where a finding stands, and what its presence says about larger places and broader findings.

To add a finding: draw it (`findings/`), let a course bring it (`courses.py`), word it (`wordings.py`).
"""

from __future__ import annotations

from collections.abc import Mapping

from chartsight.hospital.findings import FINDINGS

# Lung and pleura.
ATELECTASIS = "atelectasis"
BULLAE = "cyst/bullae"
CALCIFIED_NODULE = "calcified nodule"
COLLAPSE = "lobar/segmental collapse"
CONGESTION = "vascular congestion"
CONSOLIDATION = "consolidation"
EDEMA = "pulmonary edema/hazy opacity"
EFFUSION = "pleural effusion"
HYDROPNEUMOTHORAX = "hydropneumothorax"
HYPERAERATION = "hyperaeration"
LINEAR_ATELECTASIS = "linear/patchy atelectasis"
NODULE = "mass/nodule (not otherwise specified)"
NODULES = "multiple masses/nodules"
PNEUMOTHORAX = "pneumothorax"
RETICULATION = "increased reticular markings/ild pattern"
SCARRING = "pleural/parenchymal scarring"
# Heart, mediastinum, diaphragm, skeleton, and how the film was taken.
BREAST_SHADOWS = "breast/nipple shadows"
CARDIOMEGALY = "enlarged cardiac silhouette"
CLAVICLE_FRACTURE = "clavicle fracture"
DEGENERATIVE_SPINE = "spinal degenerative changes"
ELEVATED_HEMIDIAPHRAGM = "elevated hemidiaphragm"
ENLARGED_HILUM = "enlarged hilum"
FREE_AIR = "sub-diaphragmatic air"
HERNIA = "hernia"
LOW_VOLUMES = "low lung volumes"
RIB_FRACTURE = "rib fracture"
ROTATED = "rotated"
SCOLIOSIS = "scoliosis"
SHOULDER_OSTEOARTHRITIS = "shoulder osteoarthritis"
SUBCUTANEOUS_AIR = "subcutaneous air"
TORTUOUS_AORTA = "tortuous aorta"
VASCULAR_CALCIFICATION = "vascular calcification"
WIDE_MEDIASTINUM = "mediastinal widening"
# Tubes, lines and devices.
BALLOON_PUMP = "intra-aortic balloon pump"
CABG = "cabg grafts"
CHEST_PORT = "chest port"
CHEST_TUBE = "chest tube"
ENTERIC_TUBE = "enteric tube"
IJ_LINE = "ij line"
MEDIASTINAL_DRAIN = "mediastinal drain"
PACER = "cardiac pacer and wires"
PICC = "picc"
SUBCLAVIAN_LINE = "subclavian line"
SWAN_GANZ = "swan-ganz catheter"
TRACHEOSTOMY = "tracheostomy tube"
TUBE = "endotracheal tube"
VALVE = "prosthetic valve"
# Implied by others, never planted.
BLUNTING = "costophrenic angle blunting"
SHIFT = "mediastinal displacement"

CENTRAL_LINES = (IJ_LINE, SUBCLAVIAN_LINE, PICC)
DEVICES = frozenset(
    {BALLOON_PUMP, CABG, CHEST_PORT, CHEST_TUBE, ENTERIC_TUBE, MEDIASTINAL_DRAIN, PACER, SWAN_GANZ, TRACHEOSTOMY, TUBE,
     VALVE, *CENTRAL_LINES}
)  # fmt: skip

Site = tuple[str, ...]  # objects; the finding is drawn in the first and touches the others

# Attribute → the sites it may take, each a choice: wherever the renderer can draw it.
SITES: Mapping[str, tuple[Site, ...]] = {
    attribute: tuple(drawing.places.values()) for attribute, drawing in FINDINGS.items()
}

# How likely a site is, by its first object; 1 where not named.
SITE_WEIGHTS: Mapping[str, Mapping[str, float]] = {
    ATELECTASIS: {"left lower lung zone": 2.5, "right lower lung zone": 2.2},
    CHEST_PORT: {"right chest wall": 4.0},
    CONSOLIDATION: {"left lower lung zone": 2.2, "right lower lung zone": 2.5},
    ELEVATED_HEMIDIAPHRAGM: {"right hemidiaphragm": 1.5},
    ENTERIC_TUBE: {"abdomen": 9.0},
    IJ_LINE: {"svc": 5.0, "cavoatrial junction": 3.0},
    LINEAR_ATELECTASIS: {"left lower lung zone": 3.0, "right lower lung zone": 2.5},
    NODULE: {"left upper lung zone": 1.6, "right upper lung zone": 2.0},
    PACER: {"left chest wall": 6.0},
    PICC: {"svc": 5.0, "cavoatrial junction": 3.0},
    PNEUMOTHORAX: {"left apical zone": 2.5, "right apical zone": 2.5},
    SUBCLAVIAN_LINE: {"svc": 5.0, "cavoatrial junction": 3.0},
    SWAN_GANZ: {"right hilar structures": 5.0, "left hilar structures": 2.0},
    TUBE: {"trachea": 8.0},
}


def opposite(site: Site) -> Site:
    """The same place on the other side of the body."""
    swap = {"left": "right", "right": "left"}
    words = (name.split(" ", 1) for name in site)
    return tuple(" ".join([swap.get(side, side), *rest]) for side, *rest in words)


# Child → parents, as Chest ImaGenome propagates them (semantics/label_to_UMLS_mapping.json, `all_children`), where that
# is known; for the others, what the words mean. "airspace opacity" and "infiltration" are left out: whether they are
# parents there is not known to us.
BROADER_ATTRIBUTES: Mapping[str, tuple[str, ...]] = {
    ATELECTASIS: ("lung opacity",),
    CALCIFIED_NODULE: ("lung lesion", "lung opacity"),
    COLLAPSE: (ATELECTASIS, "lung opacity"),
    CONSOLIDATION: ("lung opacity",),
    EDEMA: ("lung opacity",),
    HYDROPNEUMOTHORAX: (PNEUMOTHORAX, EFFUSION),
    LINEAR_ATELECTASIS: (ATELECTASIS, "lung opacity"),
    NODULE: ("lung lesion", "lung opacity"),
    NODULES: ("lung lesion", "lung opacity"),
    RETICULATION: ("lung opacity",),
    SCARRING: ("lung opacity",),
}
LUNG_PARTS = (
    "apical zone", "upper lung zone", "mid lung zone", "lower lung zone", "hilar structures", "costophrenic angle",
)  # fmt: skip
LARGER_OBJECTS: Mapping[str, tuple[str, ...]] = {
    **{f"{side} {part}": (f"{side} lung",) for side in ("left", "right") for part in LUNG_PARTS},
    "cardiac silhouette": ("mediastinum",),
    "upper mediastinum": ("mediastinum",),
    "aortic arch": ("mediastinum",),
    "svc": ("mediastinum",),
    "cavoatrial junction": ("mediastinum",),
    "right atrium": ("cardiac silhouette", "mediastinum"),
    "carina": ("mediastinum",),
}


def propagate(attributes: tuple[str, ...], objects: tuple[str, ...]) -> list[tuple[str, str]]:
    """(attribute, object) of everything that the finding implies, itself first.

    `consolidation` in `left lower lung zone` → that, `lung opacity` there, and both in `left lung`.
    """
    broader = list(dict.fromkeys([*attributes, *(b for a in attributes for b in BROADER_ATTRIBUTES.get(a, ()))]))
    larger = list(dict.fromkeys([*objects, *(b for o in objects for b in LARGER_OBJECTS.get(o, ()))]))
    return [(attribute, each) for each in larger for attribute in broader]

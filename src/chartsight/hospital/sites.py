"""Where a finding stands, and what its presence says about larger places and broader findings.

To add a finding: draw it (`findings/`), let a course bring it (`courses.py`), word it (`reports.py`).
"""

from __future__ import annotations

from collections.abc import Mapping

from chartsight.hospital.findings import FINDINGS

EFFUSION = "pleural effusion"
PNEUMOTHORAX = "pneumothorax"
CONSOLIDATION = "consolidation"
ATELECTASIS = "atelectasis"
EDEMA = "pulmonary edema/hazy opacity"
CARDIOMEGALY = "enlarged cardiac silhouette"
NODULE = "mass/nodule (not otherwise specified)"
HYPERAERATION = "hyperaeration"
PACER = "cardiac pacer and wires"
TUBE = "endotracheal tube"

Site = tuple[str, ...]  # objects; the finding is drawn in the first and touches the others

# Attribute → the sites it may take, each a choice: wherever the renderer can draw it.
SITES: Mapping[str, tuple[Site, ...]] = {
    attribute: tuple(drawing.places.values()) for attribute, drawing in FINDINGS.items()
}

# How likely a site is, by its first object; 1 where not named.
SITE_WEIGHTS: Mapping[str, Mapping[str, float]] = {
    ATELECTASIS: {"left lower lung zone": 2.5, "right lower lung zone": 2.2},
    CONSOLIDATION: {"left lower lung zone": 2.2, "right lower lung zone": 2.5},
    NODULE: {"left upper lung zone": 1.6, "right upper lung zone": 2.0},
    PACER: {"left chest wall": 6.0},
    PNEUMOTHORAX: {"left apical zone": 2.5, "right apical zone": 2.5},
}


def opposite(site: Site) -> Site:
    """The same place on the other side of the body."""
    swap = {"left": "right", "right": "left"}
    words = (name.split(" ", 1) for name in site)
    return tuple(" ".join([swap.get(side, side), *rest]) for side, *rest in words)


# Child → parents, as Chest ImaGenome propagates them (semantics/label_to_UMLS_mapping.json, `all_children`).
BROADER_ATTRIBUTES: Mapping[str, tuple[str, ...]] = {
    CONSOLIDATION: ("lung opacity",),
    ATELECTASIS: ("lung opacity",),
    EDEMA: ("lung opacity",),
    NODULE: ("lung lesion", "lung opacity"),
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
}


def propagate(attributes: tuple[str, ...], objects: tuple[str, ...]) -> list[tuple[str, str]]:
    """(attribute, object) of everything that the finding implies, itself first.

    `consolidation` in `left lower lung zone` → that, `lung opacity` there, and both in `left lung`.
    """
    broader = list(dict.fromkeys([*attributes, *(b for a in attributes for b in BROADER_ATTRIBUTES.get(a, ()))]))
    larger = list(dict.fromkeys([*objects, *(b for o in objects for b in LARGER_OBJECTS.get(o, ()))]))
    return [(attribute, each) for each in larger for attribute in broader]

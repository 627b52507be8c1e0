"""What a beam meets on its way, as planes of depth that the drawing adds to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chartsight.hospital.strokes import Grid, Plane


@dataclass
class Layers:
    """Planes float32 [N, N] that the drawing adds to; `render` turns them into grey.

    Args:
        grid: Of all planes.
        d: Signed distance from the midline, positive towards the patient's left.
        soft: Thickness of soft tissue if the lungs held no air; 1 is the middle of an average trunk.
        air: Share of that thickness that is air, 0 to 1.
        fill: Share of the air that something has replaced (fluid, pus, collapse), 0 to 1.
        vessels: Depth of vessels and markings; seen only where there is air.
        wall: Depth of soft tissue outside the ribs: breasts, nipples, folds of skin.
        bone: Depth of bone.
        metal: Depth of metal, plastic and contrast: on top of everything.
        lungs: Where each lung is, +1 left and -1 right, 0 to 1, not cut by the heart.
    """

    grid: Grid
    d: Plane
    soft: Plane
    air: Plane
    fill: Plane
    vessels: Plane
    wall: Plane
    bone: Plane
    metal: Plane
    lungs: dict[int, Plane]

    def replace_air(self, share: Plane) -> None:
        """Let `share` (0 to 1) of the air that is left in the lungs give way; windpipe and stomach keep theirs."""
        in_lung = np.maximum(self.lungs[1], self.lungs[-1]) > 0
        self.fill += (1 - self.fill) * np.clip(share, 0, 1) * in_lung

"""The pen that draws a device: plastic, wire and plates on the metal layer, and the pixels that are its own."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from chartsight.hospital.findings.drawing import Drawn, filled
from chartsight.hospital.strokes import Plane, beside, near_curves, rise
from chartsight.hospital.tissue import Layers

Index = NDArray[np.intp]  # flat indices into a plane

# A reader outlines a thin line about three pixels wide on a film of 320.
OUTLINE_HALF = 0.0047

# Half widths as fractions of a film of 43 cm.
PICC_LINE, CATHETER, PORT_CATHETER, SWAN_CATHETER = 0.0021, 0.0028, 0.0030, 0.0030
LEAD, FEEDING_TUBE, GASTRIC_TUBE = 0.0026, 0.0046, 0.0066
DRAIN, AIRWAY, STERNAL_WIRE = 0.0100, 0.0125, 0.0016


class DevicePen:
    """Draws one device on one film.

    Severity is how far the device stands out: at 1 it is printed as dense and wide as it is, at 0.1 it is thin, faint
    and lost in places where the exposure hides it.

    Args:
        layers: Of the film; `metal` is changed in place.
        severity: (0, 1].
        rng: Of the finding.
    """

    def __init__(self, layers: Layers, severity: float, rng: np.random.Generator) -> None:
        self.layers = layers
        self.grid = layers.grid
        self.contrast = 0.12 + 0.88 * severity**0.75
        self.slimness = 0.80 + 0.20 * severity
        self.loss = 0.55 * (1 - severity)
        self.heading = rng.uniform(0, 2 * math.pi)
        self.phase = rng.uniform(0, 2 * math.pi)
        self.extent = np.zeros((self.grid.size_px, self.grid.size_px), np.bool_)

    def line(self, x: Plane, y: Plane, half_width: float, depth: float) -> None:
        """A catheter or wire along a curve [K], `depth` in its middle when it stands out fully."""
        self.lines([(x, y)], half_width, depth)

    def lines(self, curves: Sequence[tuple[Plane, Plane]], half_width: float, depth: float) -> None:
        """Several pieces of the same wire at once; where they cross they are no denser."""
        pixel = 1 / self.grid.size_px
        half = half_width * self.slimness
        printed = max(half, 0.5 * pixel)
        index, distance = near_curves(self.grid, curves, self.outline(printed))
        share = np.clip((np.float32(printed) - distance) * np.float32(self.grid.size_px) + np.float32(0.5), 0, 1)
        self.ink(index, share * np.float32(depth * half / printed))

    def tube(
        self, x: Plane, y: Plane, half_width: float, *, wall: float, core: float, stripe: float, stripe_at: float = 0.5
    ) -> None:
        """A hollow tube along a curve [K] with a radio-opaque stripe, cut off at a slant where it ends.

        Args:
            x: float32 [K].
            y: float32 [K].
            half_width: A fraction of the film.
            wall: Depth of the walls seen edge on.
            core: Depth between them.
            stripe: Depth of the stripe; 0 where it has none.
            stripe_at: Where the stripe lies, -1 one wall to 1 the other.
        """
        pixel = 1 / self.grid.size_px
        index, distance = near_curves(self.grid, [(x, y)], self.outline(half_width))
        kept = ~self.beyond_end(index, x, y, half_width)
        index, distance = index[kept], distance[kept]
        inside = np.clip((np.float32(half_width) - distance) * np.float32(self.grid.size_px) + np.float32(0.5), 0, 1)
        rim = rise(distance - np.float32(half_width - max(0.3 * half_width, 0.8 * pixel)), 0.6 * pixel)
        self.ink(index, inside * (np.float32(wall) * rim + np.float32(core)))
        if stripe:
            stripe_x, stripe_y = beside(x, y, stripe_at * half_width)
            self.line(stripe_x, stripe_y, max(0.16 * half_width, 0.0016), stripe)

    def beyond_end(self, index: Index, x: Plane, y: Plane, half_width: float) -> NDArray[np.bool_]:
        """Which of the pixels at flat indices [M] lie past the slanted mouth of a tube, bool [M]."""
        row, column = np.divmod(index, self.grid.size_px)
        from_x = (column + np.float32(0.5)) * np.float32(1 / self.grid.size_px) - x[-1]
        from_y = (row + np.float32(0.5)) * np.float32(1 / self.grid.size_px) - y[-1]
        dx, dy = x[-1] - x[-2], y[-1] - y[-2]
        # 0.45 of forward to one sideways: a slant of about 25 degrees, as the mouths of tubes are cut.
        past = from_x * (dx - np.float32(0.45) * dy) + from_y * (dy + np.float32(0.45) * dx) > 0
        near = from_x * from_x + from_y * from_y < np.float32(max(4 * half_width, 6 / self.grid.size_px) ** 2)
        return np.asarray(past & near)

    def plate(self, at: tuple[slice, slice], depth: Plane) -> None:
        """A flat body: its depth [h, w] in a window of the film when it stands out fully.

        What is as broad as a can is seen long after a wire beside it is lost, so it fades faster.
        """
        self.layers.metal[at] += depth * np.float32(self.contrast**1.7)
        self.extent[at] |= np.abs(depth) > np.float32(0.02)

    def outline(self, half_width: float) -> float:
        """Half width of what a reader would outline around a stroke."""
        return max(half_width + 0.7 / self.grid.size_px, OUTLINE_HALF, 1.2 / self.grid.size_px)

    def ink(self, index: Index, depth: Plane) -> None:
        """Add depth [M] at flat indices [M], less where the film loses it; all of them are the device's own."""
        row, column = np.divmod(index, self.grid.size_px)
        ahead = column * np.float32(math.cos(self.heading)) + row * np.float32(math.sin(self.heading))
        wave = np.sin(ahead * np.float32(9 / self.grid.size_px) + np.float32(self.phase))
        kept = np.float32(self.contrast) * (1 - np.float32(self.loss) * (np.float32(0.5) + np.float32(0.5) * wave))
        self.layers.metal.reshape(-1)[index] += depth * kept
        self.extent.reshape(-1)[index] = True

    def drawn(self, tip: tuple[float, float] | None = None) -> Drawn:
        """What has been drawn; a device that lies outside the film keeps the pixel nearest to its tip."""
        if not self.extent.any():
            x, y = tip or (0.5, 0.5)
            return Drawn(filled(self.grid, (x, y, x, y)), tip)
        return Drawn(self.extent, tip)

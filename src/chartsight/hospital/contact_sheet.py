"""A sheet of labelled films to look at: `python -m chartsight.hospital.contact_sheet OUT.png --boxes`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from chartsight.errors import ChartsightError
from chartsight.hospital.film_request import Body, Film, FilmRequest, PlantedFinding
from chartsight.hospital.findings import FINDINGS
from chartsight.hospital.render import render_film
from chartsight.hospital.styles import STYLES
from chartsight.runs import new_output

LABEL_PX = 14
SEVERITIES = (0.2, 0.5, 0.9)


def contact_sheet(
    path: Path,
    *,
    style: str = "harbour",
    size_px: int = 256,
    seed: int = 7,
    severities: Sequence[float] = SEVERITIES,
    boxes: bool = False,
) -> Path:
    """A PNG with healthy chests in the first row and every finding below, mild to severe, each film labelled.

    Args:
        path: The file to write; the same arguments give the same bytes.
        style: One of `styles.STYLES`.
        size_px: Side of one film.
        seed: Of the patients.
        severities: One film a finding for each.
        boxes: Draw the finding's box.

    Raises:
        OutputError: `path` exists.
        ChartsightError: A style, size or severity that cannot be drawn.
    """
    columns = 2 * len(severities)
    tiles = []
    for label, request in sheet_requests(style, size_px, seed, severities):
        tiles.append(labelled(render_film(request), label, boxes=boxes))
    rows = -(-len(tiles) // columns)
    sheet = Image.new("RGB", (columns * size_px, rows * (size_px + LABEL_PX)))
    for number, tile in enumerate(tiles):
        sheet.paste(tile, (number % columns * size_px, number // columns * (size_px + LABEL_PX)))
    with new_output(path) as partial:
        sheet.save(partial, format="PNG")
    return Path(path)


def sheet_requests(
    style: str, size_px: int, seed: int, severities: Sequence[float]
) -> Iterator[tuple[str, FilmRequest]]:
    """Label and request of every film of a sheet, in order."""
    rng = np.random.default_rng(seed)

    def request(number: int, findings: tuple[PlantedFinding, ...], *, portable: bool) -> FilmRequest:
        body = Body(
            "F" if number % 2 else "M", int(rng.integers(20, 92)), float(rng.random()), int(rng.integers(2**31))
        )
        return FilmRequest(body, "AP" if portable else "PA", findings, style, size_px, int(rng.integers(2**31)))

    for number in range(2 * len(severities)):
        healthy = request(number, (), portable=number % 3 == 2)
        yield f"healthy {healthy.view} {healthy.body.sex} {healthy.body.age}", healthy
    for attribute, drawing in FINDINGS.items():
        places = list(drawing.places)
        for number, severity in enumerate(severities):
            place = places[int(rng.integers(len(places)))]
            planted = PlantedFinding(attribute, drawing.places[place], severity)
            label = f"{severity:.1f} {attribute.split(' (')[0].split('/')[0]}, {place}"
            yield label, request(number, (planted,), portable=attribute == "endotracheal tube" or number == 1)


def labelled(film: Film, label: str, *, boxes: bool) -> Image.Image:
    """One film with its label below."""
    size = film.pixels.shape[0]
    tile = Image.new("RGB", (size, size + LABEL_PX))
    tile.paste(Image.fromarray(film.pixels).convert("RGB"), (0, 0))
    draw = ImageDraw.Draw(tile)
    if boxes:
        for box in filter(None, film.finding_boxes):
            draw.rectangle(box, outline=(255, 210, 0))
    draw.text((3, size + 1), label, fill=(235, 235, 235))
    return tile


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw the sheet; 0, or 2 with one line when something in the arguments cannot be drawn."""
    parser = argparse.ArgumentParser(prog="chartsight.hospital.contact_sheet", description=contact_sheet.__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--style", default="harbour", help="one of " + ", ".join(sorted(STYLES)))
    parser.add_argument("--size", type=int, default=256, help="side of one film in pixels")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--boxes", action="store_true", help="draw the findings' boxes")
    chosen = parser.parse_args(arguments)
    try:
        contact_sheet(chosen.out, style=chosen.style, size_px=chosen.size, seed=chosen.seed, boxes=chosen.boxes)
    except ChartsightError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

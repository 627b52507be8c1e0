"""A sheet of labelled films to look at: `python -m chartsight.hospital.contact_sheet OUT.png --masks --view AP`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

from chartsight.errors import ChartsightError
from chartsight.hospital.film_request import Body, Film, FilmRequest, PlantedFinding, View
from chartsight.hospital.findings import FINDINGS
from chartsight.hospital.render import render_film
from chartsight.hospital.styles import STYLE_NAMES
from chartsight.runs import new_output

LABEL_PX = 14
SEVERITIES = (0.2, 0.5, 0.9)


class SheetError(ChartsightError):
    """A contact sheet that cannot be drawn as asked."""


def contact_sheet(
    path: Path,
    *,
    style: str = "harbour",
    size_px: int = 256,
    seed: int = 7,
    severities: Sequence[float] = SEVERITIES,
    boxes: bool = False,
    masks: bool = False,
    view: View | None = None,
    findings: str = "",
    real: Path | None = None,
) -> Path:
    """A PNG with healthy chests in the first row and every finding below, mild to severe, each film labelled.

    Args:
        path: The file to write; the same arguments give the same bytes.
        style: One of `styles.STYLE_NAMES`.
        size_px: Side of one film.
        seed: Of the patients.
        severities: One film a finding for each.
        boxes: Draw the finding's box.
        masks: Draw the outline of the finding's pixels and its tip.
        view: All films in this view; None mixes PA and AP.
        findings: Only findings with one of these comma-separated words in their name; all when empty.
        real: A folder of real films (PNG or JPEG, searched in depth) to show beside the healthy ones.

    Raises:
        OutputError: `path` exists.
        SheetError: No finding has such a name; `real` holds no films.
        ChartsightError: A style, size or severity that cannot be drawn.
    """
    columns = 2 * len(severities)
    chosen = chosen_findings(findings)
    tiles = [] if real is None else real_tiles(real, size_px, columns)
    for label, request in sheet_requests(style, size_px, seed, severities, view=view, findings=chosen):
        tiles.append(labelled(render_film(request), label, boxes=boxes, masks=masks))
    rows = -(-len(tiles) // columns)
    sheet = Image.new("RGB", (columns * size_px, rows * (size_px + LABEL_PX)))
    for number, tile in enumerate(tiles):
        sheet.paste(tile, (number % columns * size_px, number // columns * (size_px + LABEL_PX)))
    with new_output(path) as partial:
        sheet.save(partial, format="PNG")
    return Path(path)


def sheet_requests(
    style: str,
    size_px: int,
    seed: int,
    severities: Sequence[float],
    *,
    view: View | None = None,
    findings: Sequence[str] = tuple(FINDINGS),
) -> Iterator[tuple[str, FilmRequest]]:
    """Label and request of every film of a sheet, in order."""
    rng = np.random.default_rng(seed)

    def request(number: int, findings: tuple[PlantedFinding, ...], *, portable: bool) -> FilmRequest:
        body = Body(
            "F" if number % 2 else "M", int(rng.integers(20, 92)), float(rng.random()), int(rng.integers(2**31))
        )
        return FilmRequest(
            body, view or ("AP" if portable else "PA"), findings, style, size_px, int(rng.integers(2**31))
        )

    for number in range(2 * len(severities)):
        healthy = request(number, (), portable=number % 3 == 2)
        yield f"healthy {healthy.view} {healthy.body.sex} {healthy.body.age}", healthy
    for attribute in findings:
        drawing = FINDINGS[attribute]
        places = list(drawing.places)
        for number, severity in enumerate(severities):
            place = places[int(rng.integers(len(places)))]
            planted = PlantedFinding(attribute, drawing.places[place], severity)
            label = f"{severity:.1f} {attribute.split(' (')[0].split('/')[0]}, {place}"
            yield label, request(number, (planted,), portable=attribute == "endotracheal tube" or number == 1)


def chosen_findings(words: str) -> tuple[str, ...]:
    """The attributes whose name holds one of the comma-separated words; all without words.

    Raises:
        SheetError: There are none.
    """
    wanted = [word.strip() for word in words.split(",") if word.strip()]
    chosen = tuple(name for name in FINDINGS if not wanted or any(word in name for word in wanted))
    if not chosen:
        raise SheetError("unknown-finding", "findings", words, "a word in one of " + ", ".join(FINDINGS))
    return chosen


def real_tiles(folder: Path, size_px: int, count: int) -> list[Image.Image]:
    """`count` films of a folder, evenly spaced over their names, each labelled and fitted into a square.

    Raises:
        SheetError: There are none.
    """
    paths = sorted(path for path in Path(folder).rglob("*") if path.suffix.lower() in (".png", ".jpg", ".jpeg"))
    if not paths:
        raise SheetError("no-films", "real", "no PNG or JPEG file", "a folder of films")
    tiles = []
    for number in range(count):
        tile = Image.new("RGB", (size_px, size_px + LABEL_PX))
        with Image.open(paths[number * len(paths) // count]) as film:
            grey = film.convert("L")
        grey.thumbnail((size_px, size_px))
        tile.paste(grey.convert("RGB"), ((size_px - grey.width) // 2, (size_px - grey.height) // 2))
        ImageDraw.Draw(tile).text((3, size_px + 1), "real", fill=(255, 210, 0))
        tiles.append(tile)
    return tiles


def labelled(film: Film, label: str, *, boxes: bool, masks: bool = False) -> Image.Image:
    """One film with its label below."""
    size = film.pixels.shape[0]
    pixels = np.repeat(film.pixels[..., None], 3, 2)
    for mark in filter(None, film.marks if masks else ()):
        pixels[mark.mask & ~ndimage.binary_erosion(mark.mask)] = (255, 210, 0)
    tile = Image.new("RGB", (size, size + LABEL_PX))
    tile.paste(Image.fromarray(pixels), (0, 0))
    draw = ImageDraw.Draw(tile)
    for mark in filter(None, film.marks):
        if boxes:
            draw.rectangle(mark.box, outline=(255, 210, 0))
        if mark.tip and (boxes or masks):
            x, y = mark.tip
            draw.ellipse((x - 3, y - 3, x + 3, y + 3), outline=(255, 60, 60))
    draw.text((3, size + 1), label, fill=(235, 235, 235))
    return tile


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw the sheet; 0, or 2 with one line when something in the arguments cannot be drawn."""
    parser = argparse.ArgumentParser(prog="chartsight.hospital.contact_sheet", description=contact_sheet.__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--style", default="harbour", help="one of " + ", ".join(STYLE_NAMES))
    parser.add_argument("--size", type=int, default=256, help="side of one film in pixels")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--boxes", action="store_true", help="draw the findings' boxes")
    parser.add_argument("--masks", action="store_true", help="draw the outlines and tips of the findings")
    parser.add_argument("--view", choices=["PA", "AP", "LATERAL"], help="all films in this view")
    parser.add_argument(
        "--findings", default="", help="only findings with one of these comma-separated words in the name"
    )
    parser.add_argument("--real", type=Path, help="a folder of real films to show in the first row")
    chosen = parser.parse_args(arguments)
    try:
        contact_sheet(
            chosen.out, style=chosen.style, size_px=chosen.size, seed=chosen.seed, boxes=chosen.boxes,
            masks=chosen.masks, view=chosen.view, findings=chosen.findings, real=chosen.real,
        )  # fmt: skip
    except ChartsightError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

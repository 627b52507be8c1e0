"""Films to grey pixels: reading, probing, square padding. PNG and JPEG; DICOM comes with its own reader."""

from __future__ import annotations

import hashlib
import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from chartsight.errors import FilmError

FORMATS = ("PNG", "JPEG")
SUFFIXES = frozenset({".png", ".jpg", ".jpeg"})
SMALLEST_SIDE_PX = 16  # below it nothing can be seen; such files are markers of a failed export
MOST_PIXELS = 200_000_000  # the largest digital mammograms have 30 million
DEEP_BITS = (8, 10, 12, 14, 16)  # detectors write 10, 12 or 14 bits into 16

Resampling = Literal["bilinear", "bicubic"]
Fill = int | tuple[int, ...]  # a grey, or a colour
_RESAMPLING = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
_DEEP_MODES = ("I;16", "I;16B", "I;16L", "I")


@dataclass(frozen=True)
class FilmHeader:
    """What a film's file says of itself.

    Args:
        rows: Height in pixels.
        columns: Width in pixels.
        bits: 8 or 16 a grey value, as stored.
        digest: sha256 of the file's bytes.
    """

    rows: int
    columns: int
    bits: int
    digest: str


def read_film(path: Path) -> NDArray[np.uint8]:
    """Grey pixels, uint8 [H, W], bright as stored. Colour becomes luma; deep films become 8 bits by their own depth.

    A 16-bit file is divided by the range of the detector that could have written it (the least of 10, 12, 14 and 16
    bits that holds its brightest pixel), so that a 12-bit film is not four bits too dark.

    Raises:
        FilmError: The file is missing, is no PNG or JPEG, is cut short, or is absurdly small or large.
    """
    with _opened(path, _read_bytes(path)) as image:
        try:
            if image.mode in _DEEP_MODES:
                return _eight_bits(np.asarray(image))
            return np.asarray(image.convert("L"), dtype=np.uint8)
        except (OSError, SyntaxError, ValueError) as error:
            raise _cut_short(path) from error


def encode_jpeg(film: NDArray[np.uint8], longest_px: int, quality: int) -> bytes:
    """A film (uint8 [H, W]) as JPEG for a page, its longest side at most `longest_px`."""
    image = Image.fromarray(film)
    image.thumbnail((longest_px, longest_px), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def probe_film(path: Path) -> FilmHeader:
    """Size, depth and digest of a film, without decoding its pixels.

    A file that lacks its end marker is refused here, so that a cut download is found on import, not in training.

    Raises:
        FilmError: As `read_film`.
    """
    data = _read_bytes(path)
    with _opened(path, data) as image:
        end = b"IEND" if image.format == "PNG" else b"\xff\xd9"
        if end not in data[-64:]:
            raise _cut_short(path)
        bits = 16 if image.mode in _DEEP_MODES else 8
        return FilmHeader(image.height, image.width, bits, hashlib.sha256(data).hexdigest())


def film_mode(path: Path) -> str:
    """Pillow's name for the pixels of a film (`L`, `RGB`, `I;16`), from its header alone.

    Raises:
        FilmError: The file is missing, is no PNG or JPEG, or is absurdly small or large.
    """
    try:
        with Path(path).open("rb") as stream, _opened(path, stream) as image:
            return image.mode
    except OSError as error:
        raise FilmError("missing-film", path, error.strerror or "no such film") from error


def scan_film(path: Path) -> tuple[int, int]:
    """Rows and columns of a film by its header, and that its end is there; neither pixels nor all bytes are read.

    Raises:
        FilmError: As `read_film`.
    """
    try:
        with Path(path).open("rb") as stream:
            with _opened(path, stream) as image:
                end = b"IEND" if image.format == "PNG" else b"\xff\xd9"
                size = image.height, image.width
                stream.seek(max(0, stream.seek(0, 2) - 64))
                if end not in stream.read():
                    raise _cut_short(path)
            return size
    except OSError as error:
        raise FilmError("missing-film", path, error.strerror or "no such film") from error


def pad_to_square(
    pixels: NDArray[np.uint8],
    size_px: int,
    fill: Fill = 0,
    resampling: Resampling = "bilinear",
) -> NDArray[np.uint8]:
    """The whole film on a square of `fill`, centred (offset rounded down), then resized.

        wide film      # # # #   ->   . . . .
                       # # # #        # # # #
                                      # # # #
                                      . . . .

    Nothing is cropped: a costophrenic angle stands at the border of many films.

    Args:
        pixels: uint8 [H, W], or in colour [H, W, C].
        size_px: Side of the result.
        fill: A grey, or a colour, which makes a grey film a colour image (its own pixels stay grey).
        resampling: Of Pillow.

    Returns:
        uint8 [size_px, size_px], or [size_px, size_px, C] in colour.
    """
    if pixels.ndim == 2 and isinstance(fill, tuple):
        pixels = np.repeat(pixels[..., None], len(fill), axis=2)
    rows, columns = pixels.shape[:2]
    side = max(rows, columns)
    square = np.full((side, side, *pixels.shape[2:]), fill, dtype=np.uint8)
    top, left = (side - rows) // 2, (side - columns) // 2
    square[top : top + rows, left : left + columns] = pixels
    if side == size_px:
        return square
    resized = Image.fromarray(square).resize((size_px, size_px), _RESAMPLING[resampling], reducing_gap=None)
    return np.asarray(resized, dtype=np.uint8)


def _read_bytes(path: Path) -> bytes:
    try:
        return Path(path).read_bytes()
    except FileNotFoundError as error:
        raise FilmError(
            "missing-film", path, "no such film", hint="if the films have moved, set CHARTSIGHT_FILM_ROOT"
        ) from error
    except OSError as error:
        raise FilmError("unreadable-film", path, error.strerror or "cannot be read") from error


def _opened(path: Path, data: bytes | BinaryIO) -> Image.Image:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own limit is below
        try:
            image = Image.open(io.BytesIO(data) if isinstance(data, bytes) else data, formats=FORMATS)
        except UnidentifiedImageError as error:
            raise FilmError("no-image", path, "is no image", "a PNG or JPEG film") from error
        except Image.DecompressionBombError as error:
            raise FilmError("film-too-large", path, "has too many pixels", f"at most {MOST_PIXELS:,}") from error
        except (OSError, SyntaxError, ValueError) as error:
            raise _cut_short(path) from error
    size = f"{image.width} x {image.height} pixels"
    if min(image.size) < SMALLEST_SIDE_PX:
        raise FilmError("film-too-small", path, size, f"at least {SMALLEST_SIDE_PX} x {SMALLEST_SIDE_PX}")
    if image.width * image.height > MOST_PIXELS:
        raise FilmError("film-too-large", path, size, f"at most {MOST_PIXELS:,} pixels")
    return image


def _cut_short(path: Path) -> FilmError:
    return FilmError("truncated-film", path, "is cut short or damaged", "a whole PNG or JPEG file", "fetch it again")


def _eight_bits(deep: NDArray[np.generic]) -> NDArray[np.uint8]:
    values = deep.astype(np.float32)
    brightest = float(values.max())
    bits = next((bits for bits in DEEP_BITS if brightest < 2**bits), 16)
    scaled = np.round(values.clip(0, None) * np.float32(255 / (2**bits - 1))).clip(0, 255)
    return np.asarray(scaled, dtype=np.uint8)

"""Films as a tower takes them: padded in grey or colour, and exactly as the original LLaVA does it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from chartsight.imaging.pixels import pad_to_square
from chartsight.vlm.preprocessing import STARTER_PREPROCESSING, FilmPreprocessing

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
COLOUR = (122, 116, 104)


def clip(size_px: int) -> FilmPreprocessing:
    return FilmPreprocessing(size_px, 3, COLOUR, CLIP_MEAN, CLIP_STD, "bicubic")


@pytest.mark.opendata
@pytest.mark.parametrize("name", ["landscape_30x50", "portrait_50x30", "color_30x50", "square_44x44"])
def test_pixels_are_the_originals(golden_llava: Path, name: str) -> None:
    stored = np.load(golden_llava / "images_llava.npz")
    key = f"{name}.input_rgb" if f"{name}.input_rgb" in stored else f"{name}.input_grey"
    film, padded = stored[key], stored[f"{name}.padded_rgb"]
    assert np.array_equal(pad_to_square(film, padded.shape[0], COLOUR), padded)
    square = pad_to_square(film, 42, COLOUR, "bicubic")
    assert np.array_equal(clip(42).pixel_values(square[None]).numpy(), stored[f"{name}.pixel_values_pad"])


def test_a_grey_film_stays_grey_on_a_coloured_square() -> None:
    film = np.arange(12, dtype=np.uint8).reshape(2, 6) * 20
    square = pad_to_square(film, 6, COLOUR)
    assert square.shape == (6, 6, 3)
    assert np.array_equal(square[2:4], np.repeat(film[..., None], 3, axis=2))
    assert (square[[0, 1, 4, 5]] == COLOUR).all()


def test_each_channel_is_normalised_by_its_own_mean() -> None:
    film = np.full((1, 8, 8, 3), COLOUR, np.uint8)
    assert abs(clip(8).pixel_values(film)).max() < 0.02, "the padding is the mean colour, rounded down"
    grey = clip(8).pixel_values(np.full((1, 8, 8), 255, np.uint8))
    assert grey.shape == (1, 3, 8, 8)
    assert grey[0, :, 0, 0].tolist() == pytest.approx([(1 - m) / s for m, s in zip(CLIP_MEAN, CLIP_STD, strict=True)])


def test_the_digest_of_older_cards_is_as_it_was() -> None:
    """Answers are stored under it: a new field must not make them strangers."""
    assert "resampling" not in STARTER_PREPROCESSING.as_dict()
    assert STARTER_PREPROCESSING.digest() == "3f836e2ee8ab6802d68acd8d1ca60df5cad860a796fc25bcbd328e9e7fcd70b9"
    assert clip(42).digest() != FilmPreprocessing(42, 3, COLOUR, CLIP_MEAN, CLIP_STD).digest()

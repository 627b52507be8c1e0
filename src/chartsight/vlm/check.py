"""`chartsight convert --check`: logits of both layouts on the same prompts and the same made-up films, in float32."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from chartsight.errors import GateError
from chartsight.vlm.reading import IMAGE, OriginalReading

if TYPE_CHECKING:
    from chartsight.vlm.checkpoint import Vlm

# What the golden cases allow at logits of about 12; the usual mistakes give ten times as much and more.
LARGEST, AT = 5e-5, 12.0
QUESTIONS = ("Is there a pleural effusion?", "Which findings are present, and where in the chest are they?")


def check_logits(reading: OriginalReading, vlm: Vlm, where: Path) -> dict[str, Any]:
    """The largest difference of the two over every position of every prompt, with and without a film.

    Raises:
        GateError: It is too large for rounding.
    """
    side = vlm.card.preprocessing.size_px
    films = np.random.default_rng(0).integers(0, 256, (len(QUESTIONS), side, side), dtype=np.uint8)
    pixels = vlm.card.preprocessing.pixel_values(films)
    width, image = vlm.card.image_tokens, vlm.prompts.image_token_id
    largest, span = 0.0, 0.0
    for n, question in enumerate(QUESTIONS):
        for shown in (True, False):
            expanded = vlm.prompts.prompt_ids(question, int(shown))
            ids = list(expanded)
            if shown:
                first = ids.index(image)
                ids[first : first + width] = [IMAGE]
            seen = pixels[n : n + 1] if shown else None
            expected = reading.logits(ids, seen)
            with torch.inference_mode():
                found = vlm.model(
                    input_ids=torch.tensor([expanded], device=vlm.device),
                    **({"pixel_values": seen.to(vlm.device)} if seen is not None else {}),
                ).logits[0].cpu()  # fmt: skip
            found = found[:, : expected.shape[1]]  # rows that were added are no part of the original
            largest = max(largest, float((found - expected).abs().max()))
            span = max(span, float(expected.abs().max()))
    limit = LARGEST * max(1.0, span / AT)
    if not largest <= limit:  # so that NaN fails too
        raise GateError(
            "parity", where, f"logits of source and result differ by up to {largest:.3g}", f"at most {limit:.3g}",
            "nothing is left of it",
        )  # fmt: skip
    return {"largest_difference": largest, "limit": limit, "largest_logit": span, "prompts": 2 * len(QUESTIONS)}

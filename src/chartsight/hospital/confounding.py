"""How a film is taken and printed, and how strongly that betrays how ill the patient is.

In life, portable films are of sicker patients: a model may learn the word PORTABLE for pneumonia. Here one dial,
`HospitalConfig.confounding`, gives that association its strength and its sign:

     1   the sicker, the likelier a portable AP film, monitoring, the portable unit's marker, burnt-in words, a border
         of a brighter grey, a brighter exposure
     0   none of it depends on sickness
    -1   the other way round: the healthy have portable films

One thing no dial changes: a ventilated patient's film is portable.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from chartsight.hospital.film_request import Technique

CONFOUNDING_STREAM = 21
MIDDLE_SICKNESS = 0.4  # where the dial makes no difference; about the mean over all films
PULL = 7.0  # of a full dial from the middle to the sickest, in log odds per unit of sickness
PORTABLE, MONITORED, ARROWED, ANNOTATED, PADDED = 0.35, 0.35, 0.30, 0.30, 0.30  # shares of films at middle sickness
WIDEST_PADDING = 0.12  # of the film's width
GREY_PULL, EXPOSURE_PULL = 0.6, 2.2  # a unit of sickness, in border grey and in spreads of exposure


@dataclass(frozen=True)
class FilmTechnique:
    """View and technique of one study's frontal film."""

    view: Literal["PA", "AP"]
    is_portable: bool
    technique: Technique


def technique_generator(seed: int, study_id: int) -> np.random.Generator:
    """The study's own stream, so that the dial changes no patient's life."""
    return np.random.default_rng([seed, study_id, CONFOUNDING_STREAM])


def choose_view_and_technique(
    rng: np.random.Generator, confounding: float, sickness: float, *, must_be_portable: bool = False
) -> FilmTechnique:
    """How a film is taken.

    The same generator draws the same numbers whatever the dial: turning it moves films over a threshold one by one.

    Args:
        rng: Of `technique_generator`.
        confounding: -1 to 1, see above.
        sickness: 0 to 1.
        must_be_portable: The patient cannot leave the bed (ventilation).
    """
    excess = confounding * (sickness - MIDDLE_SICKNESS)
    portable, monitored, arrowed, annotated, padded, width, words = (float(draw) for draw in rng.random(7))
    grey, exposure = (float(draw) for draw in rng.standard_normal(2))
    is_portable = must_be_portable or portable < moved(PORTABLE, excess)
    is_padded = padded < moved(PADDED, excess)
    return FilmTechnique(
        view="AP" if is_portable else "PA",
        is_portable=is_portable,
        technique=Technique(
            marker="arrow" if arrowed < moved(ARROWED, excess) else None,
            padding=round(0.03 + (WIDEST_PADDING - 0.03) * width, 3) if is_padded else 0.0,
            padding_grey=round(min(max(0.3 + 0.15 * grey + GREY_PULL * excess, 0.0), 1.0), 3),
            exposure=round(min(max(exposure + EXPOSURE_PULL * excess, -3.0), 3.0), 3),
            monitored=monitored < moved(MONITORED, excess),
            annotated=burnt_in_words(words, is_portable=is_portable) if annotated < moved(ANNOTATED, excess) else None,
        ),
    )


def moved(share: float, excess: float) -> float:
    """A share, moved in log odds."""
    return 1 / (1 + math.exp(-(math.log(share / (1 - share)) + PULL * excess)))


def burnt_in_words(draw: float, *, is_portable: bool) -> str:
    """What a technician writes on the film; true of it."""
    choices = ("PORTABLE", "AP", "SEMI-UPRIGHT") if is_portable else ("UPRIGHT",)
    return choices[int(draw * len(choices))]

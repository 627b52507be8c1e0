"""What the starters learn from and how large they are: `recipes/starters/0-lessons.yaml` as one typed value."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from chartsight.hospital import HospitalConfig
from chartsight.recipes import Recipe, Seed
from chartsight.vlm.starter import StarterSize

# Only these seeds may teach a starter. The demo's, the tests', the benchmarks' and the reference classifier's lie
# outside, so that nothing that a starter is examined on has been drawn for it before.
LESSON_SEEDS = range(20_000, 30_000)


class OtherHospital(Recipe):
    """The hospital from which `starter-med` learns; every key is one of `HospitalConfig`."""

    patients: int = Field(ge=1)
    seed: Seed
    style: str = "hillside"
    difficulty: str = "standard"
    confounding: float = 0.0
    film_size_px: int = 256
    prevalence: dict[str, float] = Field(default_factory=dict)

    @field_validator("seed")
    @classmethod
    def _no_seed_of_an_examination(cls, seed: int) -> int:
        return checked_seed(seed)

    def config(self, **changes: Any) -> HospitalConfig:
        """The hospital to build."""
        return HospitalConfig(**{**self.model_dump(), **changes})


class LessonsRecipe(Recipe):
    """Everything that `make starters` draws.

    Args:
        scenes: Drawn scenes for `starter`.
        scene_seed: Of the scenes.
        other_hospital: For `starter-med`.
        further_hospital: For `starter-med` as well, afterwards.
        sample_patients: Of a further small hospital whose words, not films, the tokenizer sees.
        size: Of both starters.
    """

    kind: Literal["lessons"] = "lessons"
    scenes: int = Field(default=8000, ge=40)
    scene_seed: Seed
    other_hospital: OtherHospital
    further_hospital: OtherHospital
    sample_patients: int = Field(default=60, ge=1)
    size: StarterSize = StarterSize()

    @field_validator("scene_seed")
    @classmethod
    def _no_seed_of_an_examination(cls, seed: int) -> int:
        return checked_seed(seed)

    @model_validator(mode="after")
    def _a_seed_is_left_for_the_sample(self) -> LessonsRecipe:
        checked_seed(self.other_hospital.seed + 1)
        if self.further_hospital.seed in (self.other_hospital.seed, self.other_hospital.seed + 1):
            raise ValueError(
                f"further_hospital.seed {self.further_hospital.seed} draws patients that are drawn already"
            )
        return self

    @property
    def sample(self) -> HospitalConfig:
        """The hospital of the tokenizer's words; its films are drawn small, nobody looks at them."""
        return self.other_hospital.config(
            patients=self.sample_patients, seed=self.other_hospital.seed + 1, film_size_px=64
        )


def checked_seed(seed: int) -> int:
    """`seed`, when a starter may learn from what it draws.

    Raises:
        ValueError: It belongs to the demo, the tests, a benchmark or the reference classifier.
    """
    if seed not in LESSON_SEEDS:
        raise ValueError(
            f"seed {seed} may be one that starters are examined on; "
            f"lessons take {LESSON_SEEDS[0]} to {LESSON_SEEDS[-1]}"
        )
    return seed

"""In which order rows are learned from: at random, and those of a step about as long as each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from torch.utils.data import Sampler

STEPS_SORTED = 32  # rows of so many steps are drawn together and sorted by length


class SimilarLengths(Sampler[int]):
    """Rows at random, in steps of similar length: a step is as wide as its longest row, the rest is padding.

    An epoch's order depends on seed and epoch alone, so that a run that goes on sees what it would have seen. Rows with
    and without their film come in the same order, because a film is as long in every row.

    Args:
        lengths: Tokens of each row.
        rows_per_step: Over all ranks.
        seed: Of every order.
        whole_steps_only: Leave out the rows of an epoch that do not fill a step (others in every epoch).
    """

    def __init__(
        self, lengths: Sequence[int], rows_per_step: int, seed: int, *, whole_steps_only: bool = False
    ) -> None:
        self.whole_steps_only = whole_steps_only and len(lengths) >= rows_per_step
        self.lengths = np.asarray(lengths)
        self.rows_per_step = rows_per_step
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """The epoch that the next iteration is of."""
        self.epoch = epoch

    def __len__(self) -> int:
        left_out = len(self.lengths) % self.rows_per_step if self.whole_steps_only else 0
        return len(self.lengths) - left_out

    def __iter__(self) -> Iterator[int]:
        random = np.random.default_rng([self.seed, self.epoch])
        drawn = random.permutation(len(self.lengths))
        together = self.rows_per_step * STEPS_SORTED
        steps = []
        for start in range(0, len(drawn), together):
            group = drawn[start : start + together]
            group = group[np.argsort(self.lengths[group], kind="stable")]
            steps += [group[at : at + self.rows_per_step] for at in range(0, len(group), self.rows_per_step)]
        last = steps.pop() if len(drawn) % self.rows_per_step else np.empty(0, np.int64)  # a part of a step stays last
        for nth in random.permutation(len(steps)):
            yield from map(int, steps[nth])
        if not self.whole_steps_only:
            yield from map(int, last)

import numpy as np

from chartsight.training.order import SimilarLengths

LENGTHS = np.random.default_rng(3).integers(100, 700, 1003).tolist()


def padding(order: list[int], rows_per_step: int) -> float:
    steps = [order[at : at + rows_per_step] for at in range(0, len(order), rows_per_step)]
    wide = sum(max(LENGTHS[row] for row in step) * len(step) for step in steps)
    return wide / sum(LENGTHS) - 1


def test_every_row_comes_once_an_epoch() -> None:
    assert sorted(SimilarLengths(LENGTHS, 8, seed=0)) == list(range(len(LENGTHS)))
    assert len(SimilarLengths(LENGTHS, 8, seed=0)) == len(LENGTHS)


def test_a_step_is_of_similar_lengths() -> None:
    at_random = np.random.default_rng(0).permutation(len(LENGTHS)).tolist()
    assert padding(at_random, 8) > 0.4
    assert padding(list(SimilarLengths(LENGTHS, 8, seed=0)), 8) < 0.1


def test_long_steps_do_not_come_together() -> None:
    order = list(SimilarLengths(LENGTHS, 8, seed=0))
    steps = np.array([np.mean([LENGTHS[row] for row in order[at : at + 8]]) for at in range(0, 1000, 8)])
    assert abs(np.corrcoef(steps[:-1], steps[1:])[0, 1]) < 0.3


def test_the_order_is_of_seed_and_epoch() -> None:
    sampler, again = SimilarLengths(LENGTHS, 8, seed=0), SimilarLengths(LENGTHS, 8, seed=0)
    first = list(sampler)
    assert first == list(again) != list(SimilarLengths(LENGTHS, 8, seed=1))
    sampler.set_epoch(1)
    assert list(sampler) != first


def test_a_twin_without_films_sees_the_same_order() -> None:
    without = [length - 100 for length in LENGTHS]
    assert list(SimilarLengths(without, 8, seed=5)) == list(SimilarLengths(LENGTHS, 8, seed=5))


def test_fewer_rows_than_a_step() -> None:
    assert sorted(SimilarLengths(LENGTHS[:3], 8, seed=0)) == [0, 1, 2]

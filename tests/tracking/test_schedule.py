"""The learning rate that two parts train with: a straight rise, then half a cosine."""

import pytest

from reconstructing_transformer.tracking.schedule import cosine_rate


def rates(warmup: float) -> list[float]:
    return [cosine_rate(0.5, step, 100, warmup) for step in range(101)]


def test_it_rises_in_equal_steps_to_the_peak():
    rise = rates(0.1)[:10]
    assert rise == pytest.approx([0.05 * step for step in range(1, 11)])


def test_it_falls_along_half_a_cosine_to_zero():
    fall = rates(0.1)[10:]
    assert fall == sorted(fall, reverse=True)
    assert (fall[0], fall[45], fall[90]) == pytest.approx((0.5, 0.25, 0.0), abs=1e-12)


def test_without_a_warm_up_the_first_step_has_the_peak():
    assert rates(0.0)[0] == 0.5

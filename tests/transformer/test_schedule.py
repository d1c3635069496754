import pytest

from reconstructing_transformer.transformer import learning_rate


def test_the_rate_peaks_at_the_end_of_the_warmup():
    rates = {step: learning_rate(step, d_model=64, warmup=100) for step in range(1, 1000)}
    assert max(rates, key=rates.get) == 100


def test_the_base_models_peak_is_seven_ten_thousandths():
    assert learning_rate(4000, d_model=512, warmup=4000) == pytest.approx((512 * 4000) ** -0.5)
    assert learning_rate(4000, d_model=512) == pytest.approx(0.0007, abs=2e-6)


def test_the_rate_rises_in_a_straight_line():
    assert learning_rate(50, 64, 100) == pytest.approx(learning_rate(100, 64, 100) / 2)


def test_the_rate_falls_with_the_root_of_the_step():
    assert learning_rate(400, 64, 100) == pytest.approx(learning_rate(100, 64, 100) / 2)


def test_a_wider_model_learns_more_slowly():
    assert learning_rate(100, 256, 100) == pytest.approx(learning_rate(100, 64, 100) / 2)


def test_step_zero_is_refused_with_a_remedy():
    with pytest.raises(ValueError, match=r"counted from 1; got 0.*step \+ 1"):
        learning_rate(0, 512)

import math

import pytest
import torch

from reconstructing_transformer.transformer import PositionalEncoding, positional_encoding


def test_the_first_position_is_zeros_and_ones():
    assert positional_encoding(1, 6).tolist() == [[0, 1, 0, 1, 0, 1]]


def test_wavelengths_rise_from_2_pi_towards_10000_times_2_pi():
    PE = positional_encoding(2, 512)
    assert PE[1, 0] == pytest.approx(math.sin(1), abs=1e-15)
    assert PE[1, -2] == pytest.approx(math.sin(1 / 10000 ** (510 / 512)), abs=1e-18)


def test_positions_are_computed_in_float64_and_rounded_once():
    exact = positional_encoding(5000, 64, torch.float64)
    assert torch.equal(positional_encoding(5000, 64, torch.float32), exact.float())


def test_a_shift_is_the_same_rotation_at_every_position():
    """§3.5: PE(pos + k) is a linear function of PE(pos)."""
    PE = torch.view_as_complex(positional_encoding(50, 8).unflatten(-1, (4, 2)).contiguous())
    quotient = PE[7:] / PE[:-7]
    torch.testing.assert_close(quotient, quotient[:1].expand_as(quotient))


def test_no_two_positions_are_alike():
    PE = positional_encoding(200, 16)
    assert (torch.cdist(PE, PE) + 9 * torch.eye(200)).min() > 0.1


def test_positions_are_added():
    x = torch.randn(2, 5, 6)
    torch.testing.assert_close(PositionalEncoding(6, dropout=0.0)(x) - x, positional_encoding(5, 6).expand(2, 5, 6))


def test_the_sums_are_dropped_in_training_alone():
    positions = PositionalEncoding(6, dropout=1.0)
    x = torch.randn(2, 5, 6)
    assert (positions(x) == 0).all()
    assert (positions.eval()(x) != 0).all()


def test_positions_are_no_weights():
    positions = PositionalEncoding(6)
    assert not list(positions.parameters())
    assert not positions.state_dict()


def test_an_odd_width_is_refused():
    with pytest.raises(ValueError, match=r"must be even.*got 5"):
        positional_encoding(3, 5)


def test_a_sequence_that_is_too_long_is_refused_with_a_remedy():
    with pytest.raises(ValueError, match="got 9 positions, encoded are 8; build with max_length=9"):
        PositionalEncoding(6, max_length=8)(torch.randn(1, 9, 6))

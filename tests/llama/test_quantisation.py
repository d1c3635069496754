"""Four and eight bits: levels, codes and constants are those of bitsandbytes, and cost what the paper says."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from reconstructing_transformer.llama.fine_tuning_checks import bitsandbytes
from reconstructing_transformer.llama.levels import (
    eight_bit_dynamic,
    four_bit_float,
    four_bit_integer,
    normal_float,
    quantile_midpoints,
)
from reconstructing_transformer.llama.quantisation import (
    bits_per_parameter,
    dequantise,
    dequantise_int8,
    double_dequantise,
    pack,
    quantise,
    quantise_constants,
    quantise_int8,
    unpack,
)


@pytest.fixture(autouse=True)
def a_seed():
    torch.manual_seed(0)


@pytest.mark.parametrize("levels", [normal_float(), four_bit_float(), four_bit_integer(), eight_bit_dynamic()])
def test_levels_ascend_from_minus_one_to_one_and_have_a_zero(levels):
    assert (levels.diff() > 0).all()
    assert levels.abs().max() == levels[-1] == 1
    assert (levels == 0).sum() == 1


def test_nf4_is_bitsandbytes_table():
    assert torch.allclose(normal_float(4), bitsandbytes().get_4bit_type("nf4", device="cpu"), rtol=0, atol=6e-8)


def test_nf4_has_eight_levels_above_zero_and_seven_below():
    levels = normal_float(4)
    assert (len(levels), (levels > 0).sum(), (levels < 0).sum()) == (16, 8, 7)


def test_the_levels_above_zero_are_evenly_spaced_in_probability():
    levels = normal_float(4).double()
    scale = torch.special.ndtri(torch.tensor(0.9677083, dtype=torch.float64))
    steps = torch.special.ndtr(levels[7:] * scale).diff()
    torch.testing.assert_close(steps, torch.full_like(steps, 0.4677083 / 8), rtol=0, atol=1e-6)


def test_the_printed_formula_is_symmetric_and_has_a_level_less_than_four_bits_could_have():
    midpoints = quantile_midpoints(4)
    assert len(midpoints) == 15
    assert midpoints.isfinite().all()
    torch.testing.assert_close(midpoints, -midpoints.flip(0))
    assert midpoints[7].abs() < 1e-15


def test_fp4_and_the_dynamic_type_are_bitsandbytes():
    fp4 = bitsandbytes().get_4bit_type("fp4", device="cpu").unique()
    torch.testing.assert_close(four_bit_float(), fp4, rtol=0, atol=1e-7)
    assert torch.equal(eight_bit_dynamic(), bitsandbytes().create_dynamic_map())


@given(st.lists(st.floats(-1e6, 1e6, width=32, allow_subnormal=False), min_size=1, max_size=40).filter(any))
def test_int8_is_off_by_half_a_step_at_most(numbers):
    X = torch.tensor(numbers, dtype=torch.float64)
    X_Int8, c = quantise_int8(X)
    assert X_Int8.abs().max() == 127
    assert ((dequantise_int8(c, X_Int8) - X).abs() <= 0.5000001 / c).all()


def test_nothing_but_zeros_has_no_largest_magnitude():
    with pytest.raises(ValueError, match="nothing but zeros"):
        quantise_int8(torch.zeros(3))


@pytest.mark.parametrize("shape", [(64, 64), (30, 128), (7, 30)])
def test_codes_and_constants_are_bitsandbytes(shape):
    W = torch.randn(shape) * 0.02
    packed, state = bitsandbytes().quantize_4bit(W, blocksize=64, quant_type="nf4")
    codes, absmax = quantise(W, normal_float())
    assert torch.equal(pack(codes), packed.flatten())
    assert torch.equal(absmax, state.absmax)


@pytest.mark.parametrize(("kind", "levels"), [("nf4", normal_float()), ("fp4", four_bit_float())])
def test_what_comes_back_is_bitsandbytes(kind, levels):
    W = torch.randn(50, 192) * 0.02
    theirs = bitsandbytes().dequantize_4bit(*bitsandbytes().quantize_4bit(W, blocksize=64, quant_type=kind))
    torch.testing.assert_close(dequantise(*quantise(W, levels), levels), theirs, rtol=0, atol=1e-9)


def test_real_weights_get_bitsandbytes_codes():
    from safetensors.torch import load_file

    from reconstructing_transformer.llama.sources import WEIGHTS, fetch

    matrices = [W for W in load_file(fetch("stories260k") / WEIGHTS).values() if W.dim() == 2]
    assert len(matrices) > 30
    for W in matrices:
        packed, state = bitsandbytes().quantize_4bit(W, blocksize=64, quant_type="nf4")
        codes, absmax = quantise(W, normal_float())
        assert torch.equal(pack(codes), packed.flatten())
        assert torch.equal(absmax, state.absmax)


def test_each_number_gets_its_nearest_level():
    X, levels = torch.randn(10, 64), normal_float()
    codes, absmax = quantise(X, levels)
    distances = (X[..., None] / absmax[:, None, None] - levels).abs()
    chosen = distances.gather(-1, codes[..., None].long())[..., 0]
    torch.testing.assert_close(chosen, distances.min(-1).values, rtol=0, atol=1e-6)


def test_a_level_comes_back_as_it_was():
    levels = normal_float()
    codes, absmax = quantise(levels * 3, levels)
    assert codes.tolist() == list(range(16))
    torch.testing.assert_close(dequantise(codes, absmax, levels), levels * 3)


def test_an_outlier_spoils_its_own_block_and_no_other():
    X, levels = torch.randn(2, 64), normal_float()
    loud = X.clone()
    loud[0, 5] = 100
    errors = [(dequantise(*quantise(one, levels), levels) - one).abs() for one in (X, loud)]
    assert errors[1][0].mean() > 3 * errors[0][0].mean()
    assert torch.equal(errors[1][1], errors[0][1])


def test_a_block_of_zeros_stays_zero():
    codes, absmax = quantise(torch.zeros(64), normal_float())
    assert (dequantise(codes, absmax, normal_float()) == 0).all()


def test_constants_cost_eight_bits_and_hardly_any_precision():
    absmax = torch.rand(1000) + 2
    c_1, c_2, mean = quantise_constants(absmax)
    assert (len(c_1), len(c_2), c_2.dtype) == (4, 1000, torch.uint8)
    again = dequantise(c_2, c_1, eight_bit_dynamic(), 256) + mean
    assert (again - absmax).abs().max() < 0.004  # half of the widest step, of constants that are ±0.5 wide


def test_a_constants_code_is_bitsandbytes_or_nearer():
    absmax = torch.rand(20_000) + 2
    c_1, c_2, mean = quantise_constants(absmax)
    theirs, state = bitsandbytes().quantize_blockwise(absmax - mean, blocksize=256)
    assert torch.equal(c_1, state.absmax)
    assert (c_2 != theirs).double().mean() < 0.005
    ours, others = (dequantise(codes, c_1, eight_bit_dynamic(), 256) + mean - absmax for codes in (c_2, theirs))
    assert (ours.abs() <= others.abs() + 1e-6).all()


def test_twice_quantised_weights_come_back_nearly_as_well():
    W, levels = torch.randn(128, 128), normal_float()
    codes, absmax = quantise(W, levels)
    c_1, c_2, mean = quantise_constants(absmax)
    once = (dequantise(codes, absmax, levels) - W).square().mean()
    twice = (double_dequantise(c_1, c_2, codes, levels, mean) - W).square().mean()
    assert once < twice * 1.001 < once * 1.01


@given(st.lists(st.integers(0, 15), min_size=1, max_size=9))
def test_two_codes_fit_into_a_byte(codes):
    there = torch.tensor(codes, dtype=torch.uint8)
    packed = pack(there)
    assert len(packed) == (len(codes) + 1) // 2
    assert torch.equal(unpack(packed, there.shape), there)


def test_bits_per_parameter_are_the_papers():
    assert bits_per_parameter(double=False) == 4.5
    assert bits_per_parameter(double=True) == pytest.approx(4.127, abs=5e-4)

"""The ladder from 2017 to LLaMA-2: each model is one change from the one before."""

from dataclasses import fields

import pytest
import torch
from torch import nn

from reconstructing_transformer.llama.attention import GroupedQueryAttention
from reconstructing_transformer.llama.feed_forward import SwiGLU
from reconstructing_transformer.llama.normalisation import RMSNorm
from reconstructing_transformer.llama.rotary import rotary_angles, rotate
from reconstructing_transformer.llama.steps import STEPS, Rotated, StepModel, inner_width
from reconstructing_transformer.transformer import LayerNorm, PositionalEncoding, PositionwiseFeedForward

NAMES = list(STEPS)
CHANGED = {  # in which settings each differs from the one before
    "pre-norm": {"norm_first"},
    "rms-norm": {"norm"},
    "rotary": {"rotary"},
    "swiglu": {"feed_forward", "width"},
    "llama": {"grouped", "width"},
}


def model_of(name: str) -> StepModel:
    torch.manual_seed(0)
    return StepModel(STEPS[name], vocabulary=1024)


def kinds(model: nn.Module) -> set[type]:
    return {type(module) for module in model.modules()}


@pytest.mark.parametrize("name", NAMES[1:])
def test_each_step_changes_the_named_thing_and_nothing_else(name):
    before, after = STEPS[NAMES[NAMES.index(name) - 1]], STEPS[name]
    assert {field.name for field in fields(after) if getattr(before, field.name) != getattr(after, field.name)} == (
        CHANGED[name] | {"name", "change"}
    )


def test_all_six_have_the_same_number_of_parameters_within_one_percent():
    counts = [sum(parameter.numel() for parameter in model_of(name).parameters()) for name in NAMES]
    assert max(counts) < 1.01 * min(counts)


def test_what_the_feed_forward_networks_gain_is_what_keys_and_values_lose():
    """Two matrices of half the size, at three matrices of the network: 8/3 + 1/3 is 3 times d_model."""
    d_model = 96  # which 8/3 makes whole
    widths = [inner_width(STEPS[name], d_model) for name in ("2017", "swiglu", "llama")]
    assert widths == [4 * d_model, 8 * d_model // 3, 3 * d_model]
    assert 2 * widths[0] == 3 * widths[1]
    assert 3 * d_model * (widths[2] - widths[1]) == 2 * d_model * d_model // 2


def test_the_models_are_made_of_what_their_steps_say():
    first, last = kinds(model_of("2017")), kinds(model_of("llama"))
    old = {LayerNorm, PositionalEncoding, PositionwiseFeedForward}
    new = {RMSNorm, SwiGLU, GroupedQueryAttention}
    assert old <= first
    assert new <= last
    assert not old & last
    assert not new & first
    assert Rotated in kinds(model_of("rotary"))
    assert Rotated not in kinds(model_of("rms-norm"))


def test_only_the_last_step_has_no_bias():
    for name in NAMES:
        attention = model_of(name).layers[0].attention
        biases = [key for key, _ in attention.named_parameters() if key.endswith("bias")]
        assert len(biases) == (0 if name == "llama" else 4)


@pytest.mark.parametrize("name", NAMES)
def test_no_position_sees_a_later_one(name):
    model, t = model_of(name).eval(), torch.randint(1024, (1, 12))
    other = t.clone()
    other[0, 7:] = (other[0, 7:] + 1) % 1024
    with torch.no_grad():
        torch.testing.assert_close(model(t)[0, :7], model(other)[0, :7])
        assert not torch.allclose(model(t)[0, 7:], model(other)[0, 7:])


@pytest.mark.parametrize("name", NAMES)
def test_the_order_of_what_came_before_matters(name):
    model, t = model_of(name).eval(), torch.arange(1, 9)[None]
    swapped = t[:, [1, 0, 2, 3, 4, 5, 6, 7]]
    with torch.no_grad():
        assert not torch.allclose(model(t)[0, -1], model(swapped)[0, -1], atol=1e-4)


def test_a_rotated_projection_rotates_each_head_by_its_position():
    torch.manual_seed(0)
    projection, x = nn.Linear(16, 16), torch.randn(5, 16)
    came = Rotated(projection, h=2)(x)
    for head in (slice(0, 8), slice(8, 16)):
        expected = rotate(projection(x)[:, head], rotary_angles(torch.arange(5), 8))
        torch.testing.assert_close(came[:, head], expected)


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_learns(name):
    model = model_of(name)
    model(torch.randint(1024, (2, 16))).square().mean().backward()
    still = [key for key, parameter in model.named_parameters() if not parameter.grad.any()]
    assert still == []

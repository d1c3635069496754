"""A layer in four bits says nearly what it said, and lets the gradient through."""

import pytest
import torch
from torch import nn

from reconstructing_transformer.llama.fine_tuning_checks import InBitsandbytes
from reconstructing_transformer.llama.qlora import NF4Linear, QLoRALinear, quantised
from reconstructing_transformer.llama.quantisation import bits_per_parameter


@pytest.fixture(autouse=True)
def a_seed():
    torch.manual_seed(0)


def test_at_the_start_a_layer_says_what_its_quantised_weights_say():
    base = nn.Linear(128, 64)
    layer, x = QLoRALinear(base, 4, 8), torch.randn(5, 128)
    torch.testing.assert_close(layer(x), x @ layer.W.weights().T + base.bias)
    error = (layer(x) - base(x)).square().mean() / base(x).square().mean()
    assert 0 < error < 0.02


def test_weights_are_bitsandbytes_but_for_the_last_digit_of_a_constant():
    W = torch.randn(512, 512)
    base = nn.Linear(512, 512, bias=False)
    with torch.no_grad():
        base.weight.copy_(W)
    theirs = InBitsandbytes(W)
    layer = NF4Linear(base)
    assert torch.equal(layer.W_NF4, theirs.packed.flatten())
    assert ((layer.weights() - theirs.weights).abs() < 0.04).all()
    assert (layer.weights() == theirs.weights).double().mean() > 0.99


def test_the_gradient_is_that_of_the_dequantised_weights():
    layer, x = QLoRALinear(nn.Linear(64, 30), 4, 8), torch.randn(5, 64, requires_grad=True)
    nn.init.normal_(layer.L_2)
    direction = torch.randn(5, 30)
    layer(x).backward(direction)
    y = x.detach().clone().requires_grad_()
    (y @ layer.W.weights().T + layer.W.bias + layer.s * y @ layer.L_1 @ layer.L_2).backward(direction)
    torch.testing.assert_close(x.grad, y.grad)


def test_no_dequantised_weight_is_kept_for_the_way_back():
    layer, x = NF4Linear(nn.Linear(256, 256, bias=False)), torch.randn(3, 256, requires_grad=True)
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: kept.append(tensor.numel()) or tensor, lambda t: t):
        layer(x)
    assert sum(kept) < 256 * 256


def test_only_the_update_learns_and_only_l_2_at_first():
    layer = QLoRALinear(nn.Linear(64, 30), 4, 8)
    layer(torch.randn(5, 64)).square().sum().backward()
    assert {name for name, p in layer.named_parameters() if p.requires_grad} == {"L_1", "L_2"}
    assert (layer.L_1.grad == 0).all()
    assert (layer.L_2.grad != 0).any()


def test_a_layer_takes_the_bits_that_the_paper_counts():
    layer = NF4Linear(nn.Linear(4096, 4096, bias=False))
    kept = {name: buffer for name, buffer in layer.named_buffers() if name not in ("levels", "mean")}
    bits = 8 * sum(buffer.nbytes for buffer in kept.values()) / 4096**2
    assert bits == bits_per_parameter(double=True)


def test_a_whole_model_is_quantised_but_for_what_is_kept():
    model = nn.ModuleDict({"q_proj": nn.Linear(64, 64), "up": nn.Linear(64, 64), "head": nn.Linear(64, 9)})
    assert quantised(model, 4, 8, ("q_proj",), keep=("head",)) is model
    assert [type(layer) for layer in model.values()] == [QLoRALinear, NF4Linear, nn.Linear]
    assert {name for name, p in model.named_parameters() if p.requires_grad} == {"q_proj.L_1", "q_proj.L_2"}


def test_sixteen_bits_in_sixteen_bits_out():
    layer = QLoRALinear(nn.Linear(64, 30, dtype=torch.bfloat16), 4, 8)
    assert layer(torch.randn(2, 64, dtype=torch.bfloat16)).dtype == torch.bfloat16
    assert layer.W.weights().dtype == torch.bfloat16

import torch
from torch import nn

from reconstructing_transformer.transformer import LayerNorm, layer_norm


def drawn_norm(d_model=8, eps=1e-5):
    norm = LayerNorm(d_model, eps)
    for parameter in norm.parameters():
        nn.init.normal_(parameter)
    return norm


def test_layer_norm_gives_each_vector_mean_zero_and_variance_one():
    y = LayerNorm(64)(3 + 5 * torch.randn(4, 64))
    torch.testing.assert_close(y.mean(-1), torch.zeros(4))
    torch.testing.assert_close(y.var(-1, correction=0), torch.ones(4), rtol=0, atol=1e-5)


def test_layer_norm_equals_pytorchs(assert_equal):
    ours, theirs = drawn_norm(), nn.LayerNorm(8)
    theirs.load_state_dict({"weight": ours.g, "bias": ours.b})
    x = torch.randn(3, 4, 8)
    assert_equal(ours(x), theirs(x))
    assert_equal(layer_norm(x, ours.g, ours.b, ours.eps), theirs(x))


def test_the_kernel_equals_the_written_formula_forward_and_backward(assert_equal):
    norm = drawn_norm(eps=0.1)
    x, direction = torch.randn(3, 8, requires_grad=True), torch.randn(3, 8)
    kernel, formula = norm(x), layer_norm(x, norm.g, norm.b, norm.eps)
    assert_equal(kernel, formula)
    inputs = (x, norm.g, norm.b)
    gradients = [torch.autograd.grad(y, inputs, direction) for y in (kernel, formula)]
    for ours, theirs in zip(*gradients, strict=True):
        assert_equal(ours, theirs)


def test_the_variance_is_biased():
    x = torch.tensor([[1.0, -1.0]])  # variance 1; with Bessel's correction it would be 2
    torch.testing.assert_close(LayerNorm(2, eps=0.0)(x), x)
    torch.testing.assert_close(layer_norm(x, torch.ones(2), torch.zeros(2), eps=0.0), x)


def test_eps_stands_inside_the_root():
    x = torch.tensor([[1.0, -1.0]])
    torch.testing.assert_close(LayerNorm(2, eps=3.0)(x), x / 2)
    torch.testing.assert_close(layer_norm(x, torch.ones(2), torch.zeros(2), eps=3.0), x / 2)


def test_a_constant_vector_becomes_the_bias():
    norm = drawn_norm()
    torch.testing.assert_close(norm(torch.full((8,), 7.0)), norm.b)

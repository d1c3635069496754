from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from reconstructing_transformer.equations.evidence import run_check
from reconstructing_transformer.equations.registry import registered
from reconstructing_transformer.equations.source import snippet
from reconstructing_transformer.transformer import LayerNorm, checks, layer_norm, normalisation
from reconstructing_transformer.transformer.normalisation import layer_statistics

CHECKS = {
    "layer_statistics": [entry for entry in registered([checks.__name__])[2] if entry.equation == "ba2016-3"],
    "layer_norm": [entry for entry in registered([checks.__name__])[2] if entry.equation == "ba2016-4"],
}


def drawn_norm(d_model=8, eps=1e-5):
    norm = LayerNorm(d_model, eps)
    for parameter in norm.parameters():
        nn.init.normal_(parameter)
    return norm


def slope_at_a_constant_vector(normalise):
    x = torch.full((8,), 7.0, requires_grad=True)
    direction = torch.arange(8.0)
    return torch.autograd.grad((normalise(x) * direction).sum(), x)[0]


def test_the_statistics_are_those_of_the_vector_itself():
    mu, sigma = layer_statistics(torch.tensor([[1.0, 2.0, 3.0, 6.0], [5.0, 5.0, 7.0, 7.0]]), eps=0.0)
    torch.testing.assert_close(mu, torch.tensor([[3.0], [6.0]]))
    torch.testing.assert_close(sigma, torch.tensor([[3.5], [1.0]]).sqrt())


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


def test_eps_is_pytorchs_by_default():
    a = torch.full((8,), 7.0)
    assert LayerNorm(8).eps == nn.LayerNorm(8).eps
    torch.testing.assert_close(layer_statistics(a)[1], torch.tensor([1e-5]).sqrt())
    torch.testing.assert_close(slope_at_a_constant_vector(LayerNorm(8)), slope_at_a_constant_vector(nn.LayerNorm(8)))


def test_a_constant_vector_becomes_the_bias():
    norm = drawn_norm()
    x = torch.full((8,), 7.0)
    torch.testing.assert_close(norm(x), norm.b)
    torch.testing.assert_close(layer_norm(x, norm.g, norm.b), norm.b)


def test_a_constant_vector_has_a_finite_gradient():
    norm = drawn_norm()
    for normalise in (norm, lambda x: layer_norm(x, norm.g, norm.b)):
        assert slope_at_a_constant_vector(normalise).isfinite().all()


def test_without_eps_a_constant_vector_has_none():
    ones, zeros = torch.ones(8), torch.zeros(8)
    assert slope_at_a_constant_vector(lambda x: layer_norm(x, ones, zeros, eps=0.0)).isnan().all()


def test_shift_and_scale_of_a_vector_do_not_show(assert_equal):
    x, g, b = torch.randn(3, 8), torch.randn(8), torch.randn(8)
    assert_equal(layer_norm(5 * x - 2, g, b, eps=0.0), layer_norm(x, g, b, eps=0.0))


@pytest.mark.parametrize(
    ("function", "says", "changed"),
    [
        ("layer_statistics", "keepdim=True) / H  #", "keepdim=True) / (H - 1 + 1e-9)  #"),  # Bessel's correction
        ("layer_statistics", "variance + eps)", "variance) + eps + 1e-6"),  # ε outside the root
        ("layer_statistics", "(a - mu)", "a"),
        ("layer_norm", "g / sigma", "g / sigma.square()"),
        ("layer_norm", "+ b", "- b"),
        ("layer_norm", "(a - mu)", "a"),
    ],
)
def test_a_changed_formula_is_noticed(monkeypatch, function, says, changed):
    code = snippet(Path(normalisation.__file__), function).code
    assert says in code, "the mutation no longer fits the code: write it anew"
    namespace = dict(vars(normalisation))
    exec(code.replace(says, changed), namespace)
    monkeypatch.setattr(checks, function, namespace[function])
    results = [run_check(replace(entry, cases=20)) for entry in CHECKS[function]]
    assert len(results) == 2
    assert not any(result.passed for result in results)

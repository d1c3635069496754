"""The model is the one that everybody means: the library `transformers`' own, with the same weights."""

import pytest
import torch
from torch import nn

from reconstructing_transformer.vision import VisionTransformer, paper_vit
from reconstructing_transformer.vision.parity import copy_to_transformers

VARIANTS = {
    "as in the paper": {},
    "without biases": {"bias": False, "patch_bias": False},
    "with fixed places": {"positions": "fixed"},
    "with ReLU": {"activation": "relu"},
    "in colour, larger": {"C": 3, "size": 32, "P": 8},
}


@pytest.fixture(autouse=True)
def a_seed():
    torch.manual_seed(0)


def drawn(**options) -> VisionTransformer:
    model = VisionTransformer(**{"D": 24, "L": 3, "heads": 3, "d_ff": 40, **options}).double().eval()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.4)
    return model


def images_for(options: dict) -> torch.Tensor:
    size = options.get("size", 28)
    return torch.randn(2, options.get("C", 1), size, size, dtype=torch.float64)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_images_vector_is_the_same_and_so_is_every_layer(variant):
    model, images = drawn(**VARIANTS[variant]), images_for(VARIANTS[variant])
    expected = copy_to_transformers(model)(images, output_hidden_states=True)
    z = model.embedding(images)
    for layer, theirs in zip(model.layers, expected.hidden_states, strict=False):  # theirs ends with a norm
        torch.testing.assert_close(z, theirs, rtol=0, atol=1e-10)
        z = layer(z)
    torch.testing.assert_close(model.pool(z), expected.last_hidden_state[:, 0], rtol=0, atol=1e-10)


def test_slopes_are_the_same():
    model, images = drawn(), images_for({}).requires_grad_()
    theirs = copy_to_transformers(model)
    direction = torch.randn(2, 24, dtype=torch.float64)
    (ours,) = torch.autograd.grad(model.pool(model.encode(images)), images, direction)
    (expected,) = torch.autograd.grad(theirs(images).last_hidden_state[:, 0], images, direction)
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-10)


def test_both_have_as_many_parameters():
    model = paper_vit()
    ours = sum(p.numel() for name, p in model.named_parameters() if not name.startswith("head."))
    assert sum(p.numel() for p in copy_to_transformers(model).parameters()) == ours


def test_the_copy_is_a_copy():
    model = drawn()
    before = model.embedding.E.weight.clone()
    with torch.no_grad():
        for parameter in copy_to_transformers(model).parameters():
            parameter.zero_()
    assert torch.equal(model.embedding.E.weight, before)


def test_a_wrong_weight_would_be_noticed():
    model, images = drawn(), images_for({})
    theirs = copy_to_transformers(model)
    with torch.no_grad():
        model.layers[1].MSA.U_qkv.bias[-1] += 1e-4
    assert (model.pool(model.encode(images)) - theirs(images).last_hidden_state[:, 0]).abs().max() > 1e-7


def test_a_model_with_a_pooler_has_no_counterpart():
    with pytest.raises(ValueError, match=r"reads an image off its class token; got one with a LinearPooler"):
        copy_to_transformers(VisionTransformer(D=24, heads=3, pooling="linear"))

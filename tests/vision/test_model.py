"""The Vision Transformer is Part I's Transformer with patches for words; its models are as large as published."""

import pytest
import torch
from einops import rearrange
from torch import nn

from reconstructing_transformer import transformer
from reconstructing_transformer.transformer import record
from reconstructing_transformer.vision import (
    MODELS,
    EncoderLayer,
    LinearPooler,
    MultiHeadSelfAttention,
    VisionTransformer,
    build,
    cut,
    paper_vit,
)

PARAMETERS = {
    "small-vit": 150_490,
    "deep-vit": 502_346,
    "large-vit": 1_327_050,
    "paper-vit": 305_034,
    "cnn": 1_199_882,
    "feed-forward": 104_938,
}


@pytest.fixture(autouse=True)
def a_seed():
    torch.manual_seed(0)


@pytest.fixture
def images() -> torch.Tensor:
    return torch.randn(3, 1, 28, 28, dtype=torch.float64)


def drawn(module: nn.Module) -> nn.Module:
    """The module in float64, with all weights drawn anew: zeros and ones would hide mistakes."""
    module.double()
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.3)
    return module


def small(**options) -> VisionTransformer:
    return drawn(VisionTransformer(D=16, L=2, heads=2, d_ff=24, **options)).eval()


def shuffled(images: torch.Tensor) -> torch.Tensor:
    """The same patches at other places."""
    patches = cut(images, 4)[:, torch.randperm(49)]
    return rearrange(patches, "b (rows columns) (P1 P2) -> b 1 (rows P1) (columns P2)", rows=7, columns=7, P1=4, P2=4)


def without_places(model: VisionTransformer) -> VisionTransformer:
    with torch.no_grad():
        model.embedding.E_pos.zero_()
    return model


# How large they are ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
def test_a_model_has_exactly_the_published_number_of_parameters(name):
    assert sum(parameter.numel() for parameter in build(name).parameters()) == PARAMETERS[name]


@pytest.mark.parametrize(("name", "D", "L", "d_ff"), [("small-vit", 16, 2, 2048), ("deep-vit", 64, 6, 256),
                                                      ("large-vit", 64, 4, 2048)])  # fmt: skip
def test_the_number_is_what_pencil_and_paper_say(name, D, L, d_ff):
    layer = 4 * (D * D + D) + 2 * D * d_ff + d_ff + D + 4 * D
    assert PARAMETERS[name] == 16 * D + L * layer + 49 * D * D + D + 10 * D + 10


def test_the_papers_form_has_a_token_places_and_a_norm_in_place_of_the_pooler():
    D = 64
    pooler, instead = 49 * D * D + D, D + D + 50 * D + 2 * D
    assert PARAMETERS["paper-vit"] == PARAMETERS["deep-vit"] - pooler + instead


def test_biases_can_be_left_out():
    def size(**options):
        return sum(p.numel() for p in VisionTransformer(D=16, L=2, heads=2, d_ff=24, **options).parameters())

    assert size() - size(patch_bias=False) == 16
    assert size() - size(bias=False) == 2 * 4 * 16


def test_dropout_adds_no_parameter():
    for name, count in PARAMETERS.items():
        assert sum(parameter.numel() for parameter in build(name, dropout=0.1).parameters()) == count


def test_an_unknown_model_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match="no model “resnet”; there are small-vit, deep-vit"):
        build("resnet")


# What they compute -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
def test_every_model_says_ten_numbers_of_each_digit(name):
    model = build(name).eval()
    logits = model(torch.randn(3, 1, 28, 28))
    assert logits.shape == (3, 10)


def test_images_of_a_batch_do_not_meet(images):
    model = small()
    torch.testing.assert_close(model(images), torch.cat([model(image[None]) for image in images]))


def test_a_class_token_stands_before_the_patches_all_the_way_up(images):
    assert small().encode(images).shape == (3, 50, 16)
    assert small(pooling="linear").encode(images).shape == (3, 49, 16)


def test_other_sizes_and_colours_can_be_read():
    model = VisionTransformer(size=32, P=8, C=3, D=16, L=1, heads=2, d_ff=24, classes=5)
    assert model(torch.randn(2, 3, 32, 32)).shape == (2, 5)


def test_an_image_of_another_size_is_rejected():
    with pytest.raises(ValueError, match="made for images of 28 × 28 pixels; got 32 × 32"):
        paper_vit()(torch.randn(2, 1, 32, 32))


def test_self_attention_is_multi_head_attention_whose_three_inputs_are_one():
    ours = drawn(MultiHeadSelfAttention(12, 3))
    theirs = transformer.MultiHeadAttention(12, 3).double()
    packed = {kind: getattr(ours.U_qkv, kind).chunk(3) for kind in ("weight", "bias")}
    theirs.load_state_dict(
        {f"{W}.{kind}": packed[kind][i] for i, W in enumerate(("W_Q", "W_K", "W_V")) for kind in packed}
        | {f"W_O.{kind}": getattr(ours.U_msa, kind) for kind in packed}
    )
    z = torch.randn(2, 5, 12, dtype=torch.float64)
    torch.testing.assert_close(ours(z), theirs(z, z, z)[0], rtol=0, atol=1e-12)


def test_a_layer_is_part_ones_with_pre_norm():
    ours = drawn(EncoderLayer(12, 3, 20, activation="relu"))
    theirs = transformer.EncoderLayer(12, 20, 3, dropout=0.0, norm_first=True).double()
    attention = theirs.self_attention
    with torch.no_grad():
        for kind in ("weight", "bias"):
            thirds = getattr(ours.MSA.U_qkv, kind).chunk(3)
            for projection, third in zip((attention.W_Q, attention.W_K, attention.W_V), thirds, strict=True):
                getattr(projection, kind).copy_(third)
            getattr(attention.W_O, kind).copy_(getattr(ours.MSA.U_msa, kind))
        for norm, own in (
            (theirs.around_self_attention.norm, ours.LN_1),
            (theirs.around_feed_forward.norm, ours.LN_2),
        ):
            norm.load_state_dict(own.state_dict())
        network, MLP = theirs.feed_forward, ours.MLP
        network.W_1.copy_(MLP.inner.weight.T)
        network.W_2.copy_(MLP.outer.weight.T)
        network.b_1.copy_(MLP.inner.bias)
        network.b_2.copy_(MLP.outer.bias)
    z = torch.randn(2, 5, 12, dtype=torch.float64)
    torch.testing.assert_close(ours(z), theirs(z), rtol=0, atol=1e-12)


def test_heads_that_do_not_fill_the_model_are_refused():
    with pytest.raises(ValueError, match=r"multiple of the number of heads.*got D=16, 3 heads"):
        VisionTransformer(D=16, heads=3)


def test_the_class_token_is_all_that_is_read_in_the_end():
    pool = drawn(VisionTransformer(D=16, heads=2).pool)
    z_L = torch.randn(3, 50, 16, dtype=torch.float64)
    other = torch.cat([z_L[:, :1], torch.randn(3, 49, 16, dtype=torch.float64)], dim=1)
    assert torch.equal(pool(z_L), pool(other))


def test_a_pooler_reads_all_patches_however_long_their_vectors_are():
    pool = drawn(LinearPooler(9, 8))
    z_L = torch.randn(3, 9, 8, dtype=torch.float64)
    torch.testing.assert_close(pool(1000 * z_L), pool(z_L), rtol=0, atol=1e-4)  # ε is small beside them
    for patch in range(9):
        other = z_L.clone()
        other[:, patch] = -other[:, patch]
        assert not torch.allclose(pool(other), pool(z_L))


@pytest.mark.parametrize("pooling", ["class", "linear"])
def test_the_logits_depend_on_every_patch(images, pooling):
    images.requires_grad_()
    small(pooling=pooling)(images).square().sum().backward()
    assert (cut(images.grad, 4).abs().amax(-1) > 0).all()


def test_dropout_is_for_training_alone(images):
    model = drawn(VisionTransformer(D=16, L=2, heads=2, d_ff=24, dropout=0.5))
    assert not torch.allclose(model(images), model(images))
    model.eval()
    assert torch.equal(model(images), model(images))


# What they know of places ------------------------------------------------------------------------------------------


def test_a_shuffled_image_is_the_same_to_a_model_without_places(images):
    model = without_places(small())
    torch.testing.assert_close(model(shuffled(images)), model(images), rtol=0, atol=1e-12)


@pytest.mark.parametrize("positions", ["learned", "fixed"])
def test_places_tell_a_shuffled_image_apart(images, positions):
    model = small(positions=positions)
    assert (model(shuffled(images)) - model(images)).abs().max() > 1e-3


def test_a_pooler_knows_places_even_if_nobody_tells_them(images):
    model = without_places(small(pooling="linear"))
    assert (model(shuffled(images)) - model(images)).abs().max() > 1e-3


# What can be seen of them ------------------------------------------------------------------------------------------


def test_a_recording_has_a_map_of_each_head_in_each_layer(images):
    with record(model := small()) as recording:
        model(images)
    assert list(recording) == ["layers.0.MSA", "layers.1.MSA"]
    weights = recording["layers.1.MSA"].weights
    assert weights.shape == (3, 2, 50, 50)
    torch.testing.assert_close(weights.sum(-1), torch.ones(3, 2, 50, dtype=torch.float64))
    assert recording["layers.1.MSA"].heads.shape == (3, 2, 50, 8)


def test_recorded_weights_times_values_are_the_recorded_heads(images):
    model = small()
    with record(model) as recording:
        model(images)
    first = model.layers[0]
    _, _, v = first.MSA.project(first.LN_1(model.embedding(images)))
    kept = recording["layers.0.MSA"]
    torch.testing.assert_close(kept.weights @ v, kept.heads)


def test_who_is_watched_computes_the_same(images):
    model = small()
    before = model(images)
    with record(model):
        during = model(images)
    torch.testing.assert_close(during, before, rtol=0, atol=1e-12)

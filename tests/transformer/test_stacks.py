"""Encoder and decoder, layer and stack, against PyTorch's with the same weights."""

import pytest
import torch
from torch import nn

from reconstructing_transformer.transformer import (
    Decoder,
    DecoderLayer,
    Encoder,
    EncoderLayer,
    causal_mask,
    padding_mask,
)

SIZES = {"d_model": 12, "d_ff": 20, "h": 3, "dropout": 0.0}
PYTORCHS = {"d_model": 12, "dim_feedforward": 20, "nhead": 3, "dropout": 0.0, "batch_first": True}
NORMS = pytest.mark.parametrize("norm_first", [False, True], ids=["post-norm", "pre-norm"])
SOURCE_MASK = padding_mask(torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]]), pad=0)


def draw(*lengths):
    return [torch.randn(2, length, SIZES["d_model"], requires_grad=True) for length in lengths]


def pytorchs_norm(wanted):
    return nn.LayerNorm(SIZES["d_model"]) if wanted else None


def pytorchs_encoder(N, norm_first, final_norm):
    layer = nn.TransformerEncoderLayer(**PYTORCHS, norm_first=norm_first)
    return nn.TransformerEncoder(layer, N, pytorchs_norm(final_norm), enable_nested_tensor=False)


def pytorchs_decoder(N, norm_first, final_norm):
    return nn.TransformerDecoder(
        nn.TransformerDecoderLayer(**PYTORCHS, norm_first=norm_first), N, pytorchs_norm(final_norm)
    )


@pytest.fixture
def assert_agreement(assert_equal, assert_same_gradients):
    """Output, gradients of the inputs and gradients of all weights are the same."""

    def compare(theirs, ours, expected, output, inputs):
        assert_equal(output, expected)
        direction = torch.randn_like(output)
        gradients = [torch.autograd.grad(y, inputs, direction, retain_graph=True) for y in (output, expected)]
        for got, wanted in zip(*gradients, strict=True):
            assert_equal(got, wanted)
        output.backward(direction)
        expected.backward(direction)
        assert_same_gradients(theirs, ours)

    return compare


@NORMS
@pytest.mark.parametrize("masked", ["unmasked", "causal", "padded"])
def test_an_encoder_layer_equals_pytorchs(masked, norm_first, copy_weights, assert_agreement):
    theirs = nn.TransformerEncoderLayer(**PYTORCHS, norm_first=norm_first)
    ours = EncoderLayer(**SIZES, norm_first=norm_first)
    copy_weights(theirs, ours)
    (x,) = draw(5)
    mask, pytorchs = {
        "unmasked": (None, {}),
        "causal": (causal_mask(5), {"src_mask": ~causal_mask(5)}),
        "padded": (SOURCE_MASK, {"src_key_padding_mask": ~SOURCE_MASK.squeeze(-2)}),
    }[masked]
    assert_agreement(theirs, ours, theirs(x, **pytorchs), ours(x, mask), [x])


@NORMS
@pytest.mark.parametrize("masked", [False, True], ids=["unmasked", "masked"])
def test_a_decoder_layer_equals_pytorchs(masked, norm_first, copy_weights, assert_agreement):
    theirs = nn.TransformerDecoderLayer(**PYTORCHS, norm_first=norm_first)
    ours = DecoderLayer(**SIZES, norm_first=norm_first)
    copy_weights(theirs, ours)
    x, memory = draw(4, 5)
    masks = (causal_mask(4), SOURCE_MASK) if masked else ()
    pytorchs = {"tgt_mask": ~causal_mask(4), "memory_key_padding_mask": ~SOURCE_MASK.squeeze(-2)} if masked else {}
    assert_agreement(theirs, ours, theirs(x, memory, **pytorchs), ours(x, memory, *masks), [x, memory])


@NORMS
@pytest.mark.parametrize("final_norm", [False, True], ids=["bare", "normalised"])
def test_an_encoder_equals_pytorchs(norm_first, final_norm, copy_weights, assert_agreement):
    theirs = pytorchs_encoder(3, norm_first, final_norm)
    ours = Encoder(3, **SIZES, norm_first=norm_first, final_norm=final_norm)
    copy_weights(theirs, ours)
    (x,) = draw(5)
    expected = theirs(x, src_key_padding_mask=~SOURCE_MASK.squeeze(-2))
    assert_agreement(theirs, ours, expected, ours(x, SOURCE_MASK), [x])


@NORMS
@pytest.mark.parametrize("final_norm", [False, True], ids=["bare", "normalised"])
def test_a_decoder_equals_pytorchs(norm_first, final_norm, copy_weights, assert_agreement):
    theirs = pytorchs_decoder(3, norm_first, final_norm)
    ours = Decoder(3, **SIZES, norm_first=norm_first, final_norm=final_norm)
    copy_weights(theirs, ours)
    x, memory = draw(4, 5)
    expected = theirs(x, memory, tgt_mask=~causal_mask(4), memory_key_padding_mask=~SOURCE_MASK.squeeze(-2))
    assert_agreement(theirs, ours, expected, ours(x, memory, causal_mask(4), SOURCE_MASK), [x, memory])


@NORMS
def test_encoder_and_decoder_together_equal_pytorchs_transformer(
    norm_first, copy_weights, assert_equal, assert_same_gradients
):
    theirs = nn.Transformer(
        **PYTORCHS,
        norm_first=norm_first,
        custom_encoder=pytorchs_encoder(2, norm_first, True),
        custom_decoder=pytorchs_decoder(2, norm_first, True),
    )
    stack = {**SIZES, "norm_first": norm_first, "final_norm": True}
    encoder, decoder = Encoder(2, **stack), Decoder(2, **stack)
    copy_weights(theirs.encoder, encoder)
    copy_weights(theirs.decoder, decoder)
    source, target = draw(5, 4)
    hidden = ~SOURCE_MASK.squeeze(-2)
    expected = theirs(
        source, target, tgt_mask=~causal_mask(4), src_key_padding_mask=hidden, memory_key_padding_mask=hidden
    )
    output = decoder(target, encoder(source, SOURCE_MASK), causal_mask(4), SOURCE_MASK)
    assert_equal(output, expected)
    direction = torch.randn_like(output)
    output.backward(direction)
    expected.backward(direction)
    assert_same_gradients(theirs.encoder, encoder)
    assert_same_gradients(theirs.decoder, decoder)


def test_a_pre_norm_stack_ends_in_a_norm_and_the_papers_does_not():
    assert isinstance(Encoder(1, **SIZES).norm, nn.Identity)
    assert isinstance(Decoder(1, **SIZES).norm, nn.Identity)
    assert not isinstance(Encoder(1, **SIZES, norm_first=True).norm, nn.Identity)
    assert not isinstance(Decoder(1, **SIZES, norm_first=True).norm, nn.Identity)


def test_layers_do_not_share_weights():
    first, second = Encoder(2, **SIZES).layers
    assert not torch.equal(first.self_attention.W_Q.weight, second.self_attention.W_Q.weight)

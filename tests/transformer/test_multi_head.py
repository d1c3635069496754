import jaxtyping
import pytest
import torch
from torch import nn

from reconstructing_transformer.transformer import MultiHeadAttention, causal_mask, padding_mask, record

MASKS = {
    "unmasked": None,
    "causal": causal_mask(6),
    "padded": padding_mask(torch.tensor([[1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0], [1, 0, 0, 0, 0, 0]]), pad=0),
}


def theirs_and_ours(copy_weights, d_model=12, h=3):
    theirs, ours = nn.MultiheadAttention(d_model, h, batch_first=True), MultiHeadAttention(d_model, h)
    copy_weights(theirs, ours)
    return theirs, ours


@pytest.mark.parametrize("need_weights", [True, False], ids=["explicit", "fused"])
@pytest.mark.parametrize("mask", MASKS)
def test_multi_head_attention_equals_pytorchs_forward_and_backward(
    mask, need_weights, copy_weights, assert_equal, assert_same_gradients
):
    theirs, ours = theirs_and_ours(copy_weights)
    mask = MASKS[mask]
    Q, K, V = (torch.randn(3, 6, 12, requires_grad=True) for _ in range(3))
    # PyTorch wants one mask for each head of each sentence, and True where it may not attend.
    their_mask = None if mask is None else ~mask.expand(3, 6, 6).repeat_interleave(3, dim=0)
    expected, their_weights = theirs(Q, K, V, attn_mask=their_mask, average_attn_weights=False)
    output, weights = ours(Q, K, V, mask, need_weights)
    assert_equal(output, expected)
    if need_weights:
        assert_equal(weights, their_weights)
    else:
        assert weights is None
    direction = torch.randn_like(output)
    for got, wanted in zip(
        torch.autograd.grad(output, (Q, K, V), direction, retain_graph=True),
        torch.autograd.grad(expected, (Q, K, V), direction, retain_graph=True),
        strict=True,
    ):
        assert_equal(got, wanted)
    output.backward(direction)
    expected.backward(direction)
    assert_same_gradients(theirs, ours)


def test_heads_attend_differently():
    x = torch.randn(2, 5, 12)
    _, weights = MultiHeadAttention(12, 3)(x, x, x, need_weights=True)
    assert weights.shape == (2, 3, 5, 5)
    assert not torch.allclose(weights[:, 0], weights[:, 1])


def test_one_head_of_multi_head_attention_sees_only_its_own_columns():
    attention = MultiHeadAttention(12, 3)
    x = torch.randn(5, 12)
    with record(attention) as before:
        attention(x, x, x)
    with torch.no_grad():
        attention.W_V.weight[4:8] = 0  # the rows that project for the second head
    with record(attention) as after:
        attention(x, x, x)
    changed = (before[""].heads != after[""].heads).flatten(1).any(1)
    assert changed.tolist() == [False, True, False]


def test_queries_and_keys_may_differ_in_number():
    memory = torch.randn(2, 9, 12)
    output, weights = MultiHeadAttention(12, 3)(torch.randn(2, 4, 12), memory, memory, need_weights=True)
    assert output.shape == (2, 4, 12)
    assert weights.shape == (2, 3, 4, 9)


@pytest.mark.parametrize("need_weights", [True, False], ids=["explicit", "fused"])
def test_a_query_without_keys_gets_the_bias_alone(need_weights):
    attention = MultiHeadAttention(12, 3)
    nn.init.normal_(attention.W_O.bias)
    x = torch.randn(2, 5, 12, requires_grad=True)
    mask = torch.ones(2, 5, 5, dtype=torch.bool)
    mask[1, 2] = False
    output, _ = attention(x, x, x, mask, need_weights)
    torch.testing.assert_close(output[1, 2], attention.W_O.bias)
    output.sum().backward()
    assert x.grad.isfinite().all()
    assert all(parameter.grad.isfinite().all() for parameter in attention.parameters())


def test_without_biases_there_are_four_matrices_alone():
    assert sum(p.numel() for p in MultiHeadAttention(12, 3, bias=False).parameters()) == 4 * 12 * 12
    assert sum(p.numel() for p in MultiHeadAttention(12, 3).parameters()) == 4 * 12 * 13


def test_heads_that_do_not_fill_the_model_are_refused():
    with pytest.raises(ValueError, match=r"multiple of h.*got d_model=12 and h=5"):
        MultiHeadAttention(12, 5)


def test_an_input_of_another_width_is_rejected():
    x = torch.randn(2, 5, 8)
    with pytest.raises((jaxtyping.TypeCheckError, RuntimeError)):
        MultiHeadAttention(12, 3)(x, x, x)

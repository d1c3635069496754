import jaxtyping
import pytest
import torch
from torch.nn import functional

from reconstructing_transformer.transformer import causal_mask, fused_attention, scaled_dot_product_attention, softmax

ATTENTIONS = [scaled_dot_product_attention, fused_attention]


def draw(*batch, n=5, m=7, d_k=4, d_v=3):
    shapes = (*batch, n, d_k), (*batch, m, d_k), (*batch, m, d_v)
    return [torch.randn(shape, requires_grad=True) for shape in shapes]


def mask_with_a_blind_query(n=5, m=7):
    mask = torch.rand(n, m) < 0.6
    mask[:, 0] = True
    mask[2] = False
    return mask


def test_attention_rows_sum_to_one():
    _, weights = scaled_dot_product_attention(*draw(2))
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 5))


def test_attention_is_a_mean_of_the_values():
    Q, K, V = draw()
    output, weights = scaled_dot_product_attention(Q, K, V)
    assert (weights > 0).all()
    assert (output <= V.max(0).values).all()
    assert (output >= V.min(0).values).all()


def test_equal_keys_share_attention_equally():
    Q, K, V = draw()
    output, weights = scaled_dot_product_attention(Q, torch.ones_like(K), V)
    torch.testing.assert_close(weights, torch.full((5, 7), 1 / 7))
    torch.testing.assert_close(output, V.mean(0).expand(5, 3))


def test_the_order_of_keys_does_not_matter():
    Q, K, V = draw()
    order = torch.randperm(7)
    torch.testing.assert_close(
        scaled_dot_product_attention(Q, K[order], V[order])[0], scaled_dot_product_attention(Q, K, V)[0]
    )


def test_attention_equals_pytorchs(assert_equal):
    Q, K, V = draw(2, 3)
    mask = torch.rand(5, 7) < 0.6
    mask[:, 0] = True
    output, _ = scaled_dot_product_attention(Q, K, V, mask)
    assert_equal(output, functional.scaled_dot_product_attention(Q, K, V, attn_mask=mask))


def test_scores_are_divided_by_the_root_of_d_k():
    K = torch.eye(4)
    _, weights = scaled_dot_product_attention(8 * torch.eye(4), K, K)
    torch.testing.assert_close(weights, (4 * torch.eye(4)).softmax(-1))  # 8/√4


def test_a_masked_key_gets_no_weight():
    mask = mask_with_a_blind_query()
    _, weights = scaled_dot_product_attention(*draw(2), mask)
    assert (weights[:, ~mask] == 0).all()
    assert (weights[:, mask] > 0).all()


def test_a_masked_key_might_as_well_not_be_there():
    Q, K, V = draw()
    mask = torch.ones(1, 7, dtype=torch.bool)
    mask[:, 4:] = False
    torch.testing.assert_close(
        scaled_dot_product_attention(Q, K, V, mask)[0], scaled_dot_product_attention(Q, K[:4], V[:4])[0]
    )


def test_a_masked_score_is_ignored_however_large():
    scores = torch.tensor([[0.0, 1e300, 0.0]])
    assert softmax(scores, torch.tensor([[True, False, True]])).tolist() == [[0.5, 0.0, 0.5]]


def test_large_scores_do_not_overflow():
    assert softmax(torch.tensor([[1e300, -1e300]])).tolist() == [[1.0, 0.0]]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("attention", ATTENTIONS)
def test_a_query_without_keys_gets_zero(attention, dtype):
    Q, K, V = (tensor.detach().to(dtype).requires_grad_() for tensor in draw(2, 3))
    mask = mask_with_a_blind_query()
    output, weights = attention(Q, K, V, mask)
    assert (output[..., 2, :] == 0).all()
    assert weights is None or (weights[..., 2, :] == 0).all()
    output.sum().backward()
    for tensor in (Q, K, V):
        assert tensor.grad.isfinite().all()
    assert (Q.grad[..., 2, :] == 0).all()


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_a_batch_without_keys_gets_zero(attention):
    Q, K, V = draw(2, 3)
    output, _ = attention(Q, K, V, torch.zeros(5, 7, dtype=torch.bool))
    output.sum().backward()
    for tensor in (output, Q.grad, K.grad, V.grad):
        assert (tensor == 0).all()


@pytest.mark.parametrize("mask", [None, causal_mask(6), mask_with_a_blind_query(6, 6)], ids=["none", "causal", "blind"])
@pytest.mark.parametrize("batch", [(), (2,), (2, 3)], ids=str)
def test_fused_attention_equals_the_formula_forward_and_backward(batch, mask, assert_equal):
    Q, K, V = draw(*batch, n=6, m=6)
    explicit, _ = scaled_dot_product_attention(Q, K, V, mask)
    fused, _ = fused_attention(Q, K, V, mask)
    assert_equal(fused, explicit)
    direction = torch.randn_like(explicit)
    for ours, theirs in zip(
        torch.autograd.grad(explicit, (Q, K, V), direction),
        torch.autograd.grad(fused, (Q, K, V), direction),
        strict=True,
    ):
        assert_equal(theirs, ours)


def test_attention_has_the_gradient_of_its_formula():
    mask = mask_with_a_blind_query()
    assert torch.autograd.gradcheck(lambda *tensors: scaled_dot_product_attention(*tensors, mask)[0], draw())


def test_keys_of_another_width_are_rejected():
    Q, K, V = draw()
    with pytest.raises(jaxtyping.TypeCheckError):
        scaled_dot_product_attention(Q, K[:, :2], V)


def test_fewer_values_than_keys_are_rejected():
    Q, K, V = draw()
    with pytest.raises(jaxtyping.TypeCheckError):
        scaled_dot_product_attention(Q, K, V[:3])


@pytest.mark.usefixtures("no_shape_checks")
@pytest.mark.parametrize("attention", ATTENTIONS)
def test_a_mask_that_is_not_boolean_is_refused_with_a_remedy(attention):
    with pytest.raises(TypeError, match=r"must be boolean.*got torch.float64.*`mask == 0`"):
        attention(*draw(), torch.zeros(5, 7))


@pytest.mark.usefixtures("no_shape_checks")
@pytest.mark.parametrize("attention", ATTENTIONS)
@pytest.mark.parametrize("shape", [(7, 5), (5, 6), (2, 5, 7)], ids=str)
def test_a_mask_that_does_not_fit_is_refused_with_both_shapes(attention, shape):
    with pytest.raises(ValueError, match=r"a mask of shape .* does not fit scores of shape \(5, 7\)"):
        attention(*draw(), torch.ones(shape, dtype=torch.bool))

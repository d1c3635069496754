"""Scaled dot-product attention (Vaswani et al. 2017, §3.2.1)."""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from reconstructing_transformer.equations import deviation, implements
from reconstructing_transformer.transformer.masks import check_mask
from reconstructing_transformer.transformer.recording import note


def softmax(
    scores: Float[Tensor, "*batch n m"], mask: Bool[Tensor, "*#batch #n #m"] | None = None
) -> Float[Tensor, "*batch n m"]:
    """Turn each query's scores into shares of one whole, over the keys that it may attend to.

    Args:
        scores: a number for each query and key.
        mask: True where a query may attend to a key; everywhere where None.

    Returns:
        The weights. Each row sums to one; the row of a query that may attend to no key is zero, and so is its gradient.

    Raises:
        TypeError: the mask is not boolean.
        ValueError: the mask does not fit the scores.
    """
    if mask is None:
        weights = scores.softmax(-1)
    else:
        check_mask(mask, scores.shape)
        # The lowest finite number, not −inf: a row of −inf has the softmax 0/0, and NaN spreads to all gradients.
        # Wherever a key is left, the result is the same to the bit; elsewhere the second line makes it zero.
        weights = scores.masked_fill(~mask, torch.finfo(scores.dtype).min).softmax(-1)
        weights = weights.masked_fill(~mask, 0)
    note(scores=scores, weights=weights)
    return weights


@deviation(
    "vaswani2017-1",
    title="A query that may attend to no key gets zeros",
    reason="The paper sets forbidden scores to $-\\infty$ (§3.2.3) and leaves open what becomes of a query that "
    "has nothing else: its softmax is $0/0$. We give it weights, output and gradient of zero, so that no NaN spreads.",
    pytorch="`nn.MultiheadAttention` returns NaN, unless it takes the fused kernel, which returns zeros.",
)
@implements("vaswani2017-1")
def scaled_dot_product_attention(
    Q: Float[Tensor, "*batch n d_k"],
    K: Float[Tensor, "*batch m d_k"],
    V: Float[Tensor, "*batch m d_v"],
    mask: Bool[Tensor, "*#batch #n #m"] | None = None,
) -> tuple[
    Float[Tensor, "*batch n d_v"],
    Float[Tensor, "*batch n m"],
]:
    """Attention(Q, K, V) = softmax(QKᵀ/√d_k) V, Eq. 1 of Vaswani et al. 2017.

    Args:
        Q: n queries.
        K: m keys.
        V: m values, one a key.
        mask: True where a query may attend to a key; everywhere where None.

    Returns:
        The output, a mean of the values for each query, and the weights of that mean. Both are zero for a query that
        may attend to no key.

    Raises:
        TypeError: the mask is not boolean.
        ValueError: the mask does not fit the queries and keys.
    """
    d_k = Q.size(-1)
    scores = Q @ K.transpose(-2, -1) / math.sqrt(d_k)
    weights = softmax(scores, mask)
    return weights @ V, weights


def fused_attention(
    Q: Float[Tensor, "*batch n d_k"],
    K: Float[Tensor, "*batch m d_k"],
    V: Float[Tensor, "*batch m d_v"],
    mask: Bool[Tensor, "*#batch #n #m"] | None = None,
) -> tuple[Float[Tensor, "*batch n d_v"], None]:
    """Compute the same output by PyTorch's kernels, which never hold all n × m weights at once.

    Args:
        Q: n queries.
        K: m keys.
        V: m values, one a key.
        mask: True where a query may attend to a key; everywhere where None.

    Returns:
        The output, equal to that of `scaled_dot_product_attention`, and None where that returns the weights.

    Raises:
        TypeError: the mask is not boolean.
        ValueError: the mask does not fit the queries and keys.
    """
    if mask is not None:
        check_mask(mask, (*Q.shape[:-1], K.size(-2)))
    return functional.scaled_dot_product_attention(Q, K, V, attn_mask=mask), None

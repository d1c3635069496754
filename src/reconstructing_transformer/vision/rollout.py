"""Attention rolled out over all layers (Abnar & Zuidema 2020, §3)."""

import torch
from jaxtyping import Float
from torch import Tensor

from reconstructing_transformer.equations import implements


@implements("abnar2020-1")
def attention_rollout(weights: Float[Tensor, "layers h n n"]) -> Float[Tensor, "n n"]:
    """Ã(l_i) = A(l_i) Ã(l_{i−1}) with A = ½ W_att + ½ I, Eq. 1: through which inputs each output can have been reached.

    Args:
        weights: the attention weights of each layer and head, first layer first, of one sequence.

    Returns:
        What share of each input's position has, by this account, come to each output's. Each row sums to one.
    """
    I = torch.eye(weights.size(-1), dtype=weights.dtype, device=weights.device)  # noqa: E741 (the paper's symbol)
    A_tilde = I
    for W_att in weights.mean(dim=1):
        A = 0.5 * W_att + 0.5 * I
        A_tilde = A @ A_tilde
    return A_tilde

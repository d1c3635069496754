"""Scaled and shared embeddings (Vaswani et al. 2017, §3.4)."""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from reconstructing_transformer.equations import deviation, implements


@deviation(
    "vaswani2017-embedding",
    title="Where the embeddings start",
    reason="The paper does not say. $E$ starts normal with variance $1/d_{\\text{model}}$. The rows that go in, "
    "multiplied by $\\sqrt{d_{\\text{model}}}$, then have variance 1, and so have the logits of a normalised $x$.",
    pytorch="Has no embeddings. `torch.nn.Embedding` starts with variance 1 and multiplies by nothing.",
)
@implements("vaswani2017-embedding")
class Embedding(nn.Module):
    """One matrix E that turns tokens into vectors, and vectors back into a score for each token.

    E starts normal with variance 1/d_model: the scaled rows then have variance 1, and so have the logits of a
    normalised x.

    Args:
        vocabulary: number of tokens.
        d_model: width of the model.
    """

    def __init__(self, vocabulary: int, d_model: int) -> None:
        super().__init__()
        self.d_model = d_model
        self.E = nn.Parameter(torch.randn(vocabulary, d_model) / math.sqrt(d_model))

    def forward(self, t: Int[Tensor, "*batch"]) -> Float[Tensor, "*batch d_model"]:
        """Look up each token's row, multiplied by √d_model.

        Args:
            t: indices of tokens.

        Returns:
            One vector a token.
        """
        return math.sqrt(self.d_model) * functional.embedding(t, self.E)

    def logits(self, x: Float[Tensor, "*batch d_model"]) -> Float[Tensor, "*batch vocabulary"]:
        """Score each token of the vocabulary: xEᵀ, what the softmax is then taken of.

        Args:
            x: one vector a position.

        Returns:
            One score a token, for each position.
        """
        return x @ self.E.T

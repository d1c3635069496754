"""Sinusoidal positions (Vaswani et al. 2017, §3.5)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from reconstructing_transformer.equations import deviation, implements


@implements("vaswani2017-position")
def positional_encoding(
    length: int, d_model: int, dtype: torch.dtype | None = None
) -> Float[Tensor, "{length} {d_model}"]:
    """PE(pos, 2i) = sin(pos/10000^(2i/d_model)) and PE(pos, 2i+1) = cos(…), §3.5 of Vaswani et al. 2017.

    Args:
        length: number of positions, counted from 0.
        d_model: width of the model.
        dtype: type of the result; torch's default where None. It is computed in float64 in any case.

    Returns:
        One row a position.

    Raises:
        ValueError: d_model is odd, so that a sine would miss its cosine.
    """
    if d_model % 2:
        raise ValueError(f"d_model must be even, a sine and a cosine for each frequency; got {d_model}")
    pos = torch.arange(length, dtype=torch.float64).unsqueeze(1)
    i = torch.arange(d_model // 2, dtype=torch.float64)
    angle = pos / 10000 ** (2 * i / d_model)
    PE = torch.empty(length, d_model, dtype=dtype)
    PE[:, 0::2] = angle.sin()
    PE[:, 1::2] = angle.cos()
    return PE


@deviation(
    "vaswani2017-position",
    title="Positions up to a last one",
    reason="The formula goes on for ever. We compute the positions up to `max_length` once and keep them; a longer "
    "sequence is refused, with an error that says how to allow it.",
    pytorch="Has no positions: whoever calls it adds them.",
)
class PositionalEncoding(nn.Module):
    """Add to each position's vector the encoding of its place, then drop some of the sum (§5.4).

    Args:
        d_model: width of the model.
        dropout: share of the sums that is dropped in training.
        max_length: length of the longest sequence.

    Raises:
        ValueError: d_model is odd.
    """

    PE: Tensor

    def __init__(self, d_model: int, dropout: float = 0.1, max_length: int = 1024) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.register_buffer("PE", positional_encoding(max_length, d_model), persistent=False)

    def forward(self, x: Float[Tensor, "*batch n d_model"]) -> Float[Tensor, "*batch n d_model"]:
        """Add the positions.

        Args:
            x: one vector a position.

        Returns:
            The sums.

        Raises:
            ValueError: the sequence is longer than max_length.
        """
        n, max_length = x.size(-2), self.PE.size(0)
        if n > max_length:
            raise ValueError(f"got {n} positions, encoded are {max_length}; build with max_length={n} or more")
        return self.dropout(x + self.PE[:n])

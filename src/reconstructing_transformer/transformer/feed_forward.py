"""The position-wise feed-forward network (Vaswani et al. 2017, §3.3)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from reconstructing_transformer.equations import implements


class PositionwiseFeedForward(nn.Module):
    """Two linear maps with a ReLU between them, the same for every position.

    The matrices start Xavier-uniform, the biases at zero.

    Args:
        d_model: width of the model.
        d_ff: width of the inner layer.
    """

    def __init__(self, d_model: int, d_ff: int) -> None:
        super().__init__()
        self.W_1 = nn.Parameter(nn.init.xavier_uniform_(torch.empty(d_model, d_ff)))
        self.b_1 = nn.Parameter(torch.zeros(d_ff))
        self.W_2 = nn.Parameter(nn.init.xavier_uniform_(torch.empty(d_ff, d_model)))
        self.b_2 = nn.Parameter(torch.zeros(d_model))

    @implements("vaswani2017-2")
    def forward(self, x: Float[Tensor, "*batch d_model"]) -> Float[Tensor, "*batch d_model"]:
        """FFN(x) = max(0, xW_1 + b_1) W_2 + b_2, Eq. 2 of Vaswani et al. 2017.

        Args:
            x: one vector a position.

        Returns:
            One vector a position, each computed from its own position alone.
        """
        return torch.relu(x @ self.W_1 + self.b_1) @ self.W_2 + self.b_2

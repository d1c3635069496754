"""The feed-forward network with a gate, SwiGLU (Shazeer 2020, Eq. 6)."""

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from reconstructing_transformer.equations import implements


def swish(x: Float[Tensor, "*shape"], beta: float = 1.0) -> Float[Tensor, "*shape"]:
    """Swish_β(x) = x · σ(βx): the identity where x is large, zero where it is very negative.

    Args:
        x: any numbers.
        beta: how sharp the bend is; PyTorch's `silu` is β = 1.
    """
    return x * (beta * x).sigmoid()


@implements("shazeer2020-6")
def swiglu(
    x: Float[Tensor, "*batch d_model"],
    W: Float[Tensor, "d_model d_ff"],
    V: Float[Tensor, "d_model d_ff"],
    W_2: Float[Tensor, "d_ff d_model"],
) -> Float[Tensor, "*batch d_model"]:
    """FFN_SwiGLU(x) = (Swish_1(xW) ⊗ xV) W_2, Eq. 6 of Shazeer 2020.

    Args:
        x: the vectors.
        W: what decides how far each gate opens.
        V: what passes through the gates.
        W_2: the way back.

    Returns:
        A vector for each.
    """
    return (swish(x @ W) * (x @ V)) @ W_2


class SwiGLU(nn.Module):
    """The gated network of a LLaMA layer: three matrices, no biases.

    Args:
        d_model: width of the model.
        d_ff: how many gates there are.
    """

    def __init__(self, d_model: int, d_ff: int) -> None:
        super().__init__()
        self.W = nn.Linear(d_model, d_ff, bias=False)
        self.V = nn.Linear(d_model, d_ff, bias=False)
        self.W_2 = nn.Linear(d_ff, d_model, bias=False)

    def forward(self, x: Float[Tensor, "*batch d_model"]) -> Float[Tensor, "*batch d_model"]:
        """(Swish_1(xW) ⊗ xV) W_2."""
        return self.W_2(functional.silu(self.W(x)) * self.V(x))

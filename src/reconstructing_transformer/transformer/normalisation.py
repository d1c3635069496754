"""Layer normalisation (Ba, Kiros & Hinton 2016, Eqs. 3 and 4)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional


def layer_norm(
    x: Float[Tensor, "*batch d_model"], g: Float[Tensor, " d_model"], b: Float[Tensor, " d_model"], eps: float = 1e-5
) -> Float[Tensor, "*batch d_model"]:
    """Give each vector mean 0 and variance 1, then the gain g and the bias b: g ⊙ (x − μ)/√(σ² + ε) + b.

    Args:
        x: the vectors; each is normalised by itself.
        g: gain of each dimension.
        b: bias of each dimension.
        eps: keeps the root away from zero. It stands inside the root.

    Returns:
        The normalised vectors.
    """
    mean = x.mean(-1, keepdim=True)
    variance = (x - mean).square().mean(-1, keepdim=True)  # a mean over all d_model, not Bessel's d_model − 1
    return g * (x - mean) / torch.sqrt(variance + eps) + b


class LayerNorm(nn.Module):
    """Layer normalisation with a gain that starts at one and a bias that starts at zero.

    Args:
        d_model: width of the vectors.
        eps: added to the variance, inside the root.
    """

    def __init__(self, d_model: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.g = nn.Parameter(torch.ones(d_model))
        self.b = nn.Parameter(torch.zeros(d_model))
        self.eps = eps

    def forward(self, x: Float[Tensor, "*batch d_model"]) -> Float[Tensor, "*batch d_model"]:
        """Normalise each vector: `layer_norm` with this module's gain and bias.

        Args:
            x: the vectors.

        Returns:
            The normalised vectors.
        """
        # PyTorch's kernel does what `layer_norm` writes out, in one pass over the memory where that takes several.
        return functional.layer_norm(x, self.g.shape, self.g, self.b, self.eps)

"""Layer normalisation (Ba, Kiros & Hinton 2016, Eqs. 3 and 4)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from reconstructing_transformer.equations import deviation, implements


@deviation(
    "ba2016-3",
    title="ε inside the root",
    reason="The paper has no ε. A vector whose numbers are all equal then has $\\sigma = 0$, and Eq. 4 divides zero by "
    "zero. We add $\\epsilon = 10^{-5}$ to the variance, inside the root, so that $\\sigma$ is never below "
    "$\\sqrt{\\epsilon}$ and always has a slope. With `eps=0` the function is the paper's, and so it is checked.",
    pytorch="`torch.nn.LayerNorm` adds the same ε = 1e-5, inside the root too.",
)
@implements("ba2016-3")
def layer_statistics(
    a: Float[Tensor, "*batch H"], eps: float = 1e-5
) -> tuple[Float[Tensor, "*batch 1"], Float[Tensor, "*batch 1"]]:
    """Mean and standard deviation of each vector's own numbers, Eq. 3 of Ba et al. 2016.

    Args:
        a: the vectors.
        eps: added to the variance, inside the root, so that the deviation of no vector is zero.

    Returns:
        Mean and standard deviation, one of each for a vector.
    """
    H = a.size(-1)
    mu = a.sum(-1, keepdim=True) / H
    variance = (a - mu).square().sum(-1, keepdim=True) / H  # divided by H, not by Bessel's H − 1
    sigma = torch.sqrt(variance + eps)
    return mu, sigma


@implements("ba2016-4")
def layer_norm(
    a: Float[Tensor, "*batch H"], g: Float[Tensor, " H"], b: Float[Tensor, " H"], eps: float = 1e-5
) -> Float[Tensor, "*batch H"]:
    """Give each vector mean 0 and variance 1, then the gain g and the bias b, Eq. 4 of Ba et al. 2016.

    Args:
        a: the vectors; each is normalised by itself.
        g: gain of each dimension.
        b: bias of each dimension.
        eps: added to the variance, inside the root.

    Returns:
        The normalised vectors.
    """
    mu, sigma = layer_statistics(a, eps)
    return g / sigma * (a - mu) + b


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

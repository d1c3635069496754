"""Root mean square layer normalisation (Zhang & Sennrich 2019, Eq. 4)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from reconstructing_transformer.equations import deviation, implements


@deviation(
    "zhang2019-4",
    title="ε inside the root",
    reason="The paper has no ε; a vector of zeros would be divided by zero. LLaMA adds $\\epsilon = 10^{-5}$ to the "
    "mean square, inside the root, and so do we. With `epsilon=0` the function is the paper's, and so it is checked.",
    pytorch="`torch.nn.RMSNorm` adds it inside the root too; its default is the machine's ε, not $10^{-5}$.",
)
@implements("zhang2019-4")
def rms_norm(a: Float[Tensor, "*batch n"], g: Float[Tensor, " n"], epsilon: float = 1e-5) -> Float[Tensor, "*batch n"]:
    """Give each vector a root mean square of one, then the gain g, Eq. 4 of Zhang & Sennrich 2019.

    Args:
        a: the vectors; each is normalised by itself.
        g: gain of each dimension.
        epsilon: added to the mean square, inside the root.

    Returns:
        The normalised vectors. No mean was subtracted, no bias is added.
    """
    n = a.size(-1)
    RMS = torch.sqrt(a.square().sum(-1, keepdim=True) / n + epsilon)
    return a / RMS * g


class RMSNorm(nn.Module):
    """RMSNorm with a gain that starts at one.

    Args:
        d_model: width of the vectors.
        epsilon: added to the mean square, inside the root.
    """

    def __init__(self, d_model: int, epsilon: float = 1e-5) -> None:
        super().__init__()
        self.g = nn.Parameter(torch.ones(d_model))
        self.epsilon = epsilon

    def forward(self, a: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
        """Normalise each vector: what `rms_norm` computes, by PyTorch's fused kernel."""
        return functional.rms_norm(a, self.g.shape, self.g, self.epsilon)

    def extra_repr(self) -> str:
        """What is printed of the module."""
        return f"{len(self.g)}, epsilon={self.epsilon}"

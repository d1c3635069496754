"""Label smoothing (Vaswani et al. 2017, §5.4; Szegedy et al. 2016, §7)."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from reconstructing_transformer.equations import implements


class LabelSmoothing(nn.Module):
    """Cross-entropy against a target that leaves some probability to every class.

    Args:
        K: number of classes.
        epsilon: how much of the probability is spread evenly over all K classes.
        pad: class whose positions don't count, the padding; None where all count.

    Raises:
        ValueError: epsilon is no probability.
    """

    def __init__(self, K: int, epsilon: float = 0.1, pad: int | None = None) -> None:
        super().__init__()
        if not 0 <= epsilon <= 1:
            raise ValueError(f"epsilon is a share of the probability, from 0 to 1; got {epsilon}")
        self.K = K
        self.epsilon = epsilon
        self.pad = pad

    @implements("vaswani2017-smoothing", k=None)
    def target(self, y: Int[Tensor, "*batch"], dtype: torch.dtype = torch.float32) -> Float[Tensor, "*batch {self.K}"]:
        """q'(k) = (1 − ε) δ_{k,y} + ε/K, the smoothed target.

        Args:
            y: the true classes.
            dtype: type of the result.

        Returns:
            A distribution over the K classes for each of them.
        """
        delta = functional.one_hot(y, self.K).to(dtype)
        return (1 - self.epsilon) * delta + self.epsilon / self.K

    def forward(self, logits: Float[Tensor, "*batch {self.K}"], y: Int[Tensor, "*batch"]) -> Float[Tensor, ""]:
        """Take the mean cross-entropy −Σ_k q'(k) log p(k) over all positions that count.

        Args:
            logits: scores of the classes; p is their softmax.
            y: the true classes.

        Returns:
            The loss, in nats a position.
        """
        # δ picks one summand and ε/K weighs all alike, so the K numbers of q' need not be written out.
        log_p = logits.log_softmax(-1)
        log_p_y = log_p.gather(-1, y.unsqueeze(-1)).squeeze(-1)
        loss = -(1 - self.epsilon) * log_p_y - self.epsilon * log_p.mean(-1)
        return loss.mean() if self.pad is None else loss[y != self.pad].mean()

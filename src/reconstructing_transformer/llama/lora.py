"""Low-rank adaptation (Hu et al. 2022, §4.1): a frozen matrix, and beside it a small one in two factors that learns."""

import math
from collections.abc import Collection
from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from reconstructing_transformer.equations import deviation, implements

Model = TypeVar("Model", bound=nn.Module)


class LoRALinear(nn.Module):
    """A linear layer whose weights stay as they are, and a low-rank update beside them.

    Args:
        W_0: the layer that was learned before. It is taken over as it is, and frozen.
        rank: r, the width between the two factors.
        alpha: α; the update is multiplied by α/r.
        dropout: share of the update's inputs that are dropped while it learns.

    Raises:
        ValueError: the rank is less than one, or more than the matrix can have.
    """

    def __init__(self, W_0: nn.Linear, rank: int, alpha: float | int, dropout: float = 0.0) -> None:
        super().__init__()
        d, k = W_0.weight.shape
        if not 1 <= rank <= min(d, k):
            raise ValueError(f"the rank of an update of {d} × {k} weights is from 1 to {min(d, k)}; got {rank}")
        self.W_0 = W_0.requires_grad_(False)
        like = {"device": W_0.weight.device, "dtype": W_0.weight.dtype}
        self.A = nn.Parameter(torch.randn(rank, k, **like) / math.sqrt(k))
        self.B = nn.Parameter(torch.zeros(d, rank, **like))
        self.scale = alpha / rank
        self.dropout = nn.Dropout(dropout)
        self.merged = False

    @deviation(
        "hu2022-3",
        title="How A starts",
        reason="The paper draws $A$ from a Gaussian whose width it does not give. Ours is $1/\\sqrt{k}$, so that $Ax$ "
        "is about as large as $x$. The peft library draws $A$ from a uniform distribution, Kaiming's, unless it is "
        'told `init_lora_weights="gaussian"`. While $B$ is zero, none of them changes what the model says.',
    )
    @deviation(
        "hu2022-3",
        title="Dropout and merging",
        reason="Eq. 3 has neither. The dropout is peft's, on what the update reads; the authors' program has it, too. "
        "A layer that was merged computes $W_0 x$ alone, since its $W_0$ holds the update (the paper's §4.1).",
    )
    @implements("hu2022-3")
    @implements("dettmers2023-3", X="x", W="W_0", L_1="A", L_2="B", s="scale")
    def forward(self, x: Float[Tensor, "*batch k"]) -> Float[Tensor, "*batch d"]:
        """Eq. 3: h = W_0 x + α/r · B A x.

        Args:
            x: what the layer reads.

        Returns:
            What the layer says, changed by what it has learned.
        """
        if self.merged:
            return self.W_0(x)
        update = functional.linear(functional.linear(self.dropout(x), self.A), self.B)
        return self.W_0(x) + self.scale * update

    def update(self) -> Float[Tensor, "d k"]:
        """ΔW = α/r · B A, the update as one matrix."""
        return self.scale * self.B @ self.A

    @torch.no_grad()
    def merge(self) -> None:
        """Add the update to the weights: from now on the layer costs what it did before."""
        if not self.merged:
            self.W_0.weight += self.update()
            self.merged = True

    @torch.no_grad()
    def unmerge(self) -> None:
        """Take the update out of the weights again."""
        if self.merged:
            self.W_0.weight -= self.update()
            self.merged = False


def adapted(model: Model, targets: Collection[str], rank: int, alpha: float | int, dropout: float = 0.0) -> Model:
    """Freeze a model, and put an update beside each of its linear layers that has one of these names.

    Args:
        model: it is changed in place.
        targets: last parts of the layers' names, `("q_proj", "v_proj")` say.
        rank: of each update.
        alpha: α; the updates are multiplied by α/r.
        dropout: share of the updates' inputs that are dropped.

    Returns:
        The same model. Its only parameters that learn are the updates' A and B.

    Raises:
        ValueError: no linear layer has one of these names.
    """
    model.requires_grad_(False)
    found = [name for name, module in model.named_modules()
             if isinstance(module, nn.Linear) and name.rpartition(".")[2] in targets]  # fmt: skip
    if not found:
        linear = {name.rpartition(".")[2] for name, module in model.named_modules() if isinstance(module, nn.Linear)}
        raise ValueError(
            f"no linear layer is called {', '.join(sorted(targets))}; there are {', '.join(sorted(linear))}"
        )
    for name in found:
        parent, _, child = name.rpartition(".")
        owner = model.get_submodule(parent)
        setattr(owner, child, LoRALinear(getattr(owner, child), rank, alpha, dropout))
    return model

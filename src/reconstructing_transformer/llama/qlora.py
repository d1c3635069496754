"""QLoRA (Dettmers et al. 2023, §3): the frozen matrix in four bits, and a low-rank update beside it in full."""

import math
from collections.abc import Collection
from typing import Any, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from reconstructing_transformer.equations import deviation, implements
from reconstructing_transformer.llama.levels import normal_float
from reconstructing_transformer.llama.quantisation import (
    double_dequantise,
    pack,
    quantise,
    quantise_constants,
    unpack,
)

Model = TypeVar("Model", bound=nn.Module)


class NF4Linear(nn.Module):
    """A linear layer with its weights in NF4, frozen. They are de-quantised whenever they are needed, and let go.

    Args:
        layer: the layer whose weights are quantised. It is left alone.
    """

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        self.out_features, self.in_features = self.shape = layer.weight.shape
        W = layer.weight.detach()
        self.dtype = W.dtype
        levels = normal_float().to(W.device)
        codes, absmax = quantise(W.float(), levels)
        c_1, c_2, mean = quantise_constants(absmax)
        self.register_buffer("W_NF4", pack(codes))
        self.register_buffer("c_1", c_1)
        self.register_buffer("c_2", c_2)
        self.register_buffer("mean", mean)
        self.register_buffer("levels", levels)
        self.bias = None if layer.bias is None else nn.Parameter(layer.bias.detach(), requires_grad=False)

    def weights(self) -> Float[Tensor, "out in"]:
        """The weights, de-quantised, in the precision that they came in."""
        codes = unpack(self.W_NF4, self.shape)
        return double_dequantise(self.c_1, self.c_2, codes, self.levels, self.mean).to(self.dtype)

    def forward(self, x: Float[Tensor, "*batch in"]) -> Float[Tensor, "*batch out"]:
        """X · doubleDequant(c_1, c_2, W^NF4).

        Args:
            x: what the layer reads.

        Returns:
            What the layer says.
        """
        product = Product.apply(x, self)
        return product if self.bias is None else product + self.bias


class Product(torch.autograd.Function):
    """A product with weights in four bits: the way back de-quantises them anew, so that nobody keeps them."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, layer: NF4Linear) -> Tensor:  # noqa: ANN401
        """The product x Wᵀ."""
        ctx.layer = layer
        return functional.linear(x, layer.weights())

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:  # noqa: ANN401
        """The gradient of x; the weights are frozen, and need none."""
        return gradient @ ctx.layer.weights(), None


class QLoRALinear(nn.Module):
    """A linear layer in four bits, and a low-rank update beside it.

    Args:
        layer: the layer that was learned before; its weights are quantised.
        rank: r, the width between the two factors.
        alpha: α; the update is multiplied by s = α/r.
        dropout: share of the update's inputs that are dropped while it learns.
    """

    def __init__(self, layer: nn.Linear, rank: int, alpha: float | int, dropout: float = 0.0) -> None:
        super().__init__()
        self.W = NF4Linear(layer)
        like = {"device": layer.weight.device, "dtype": layer.weight.dtype}
        self.L_1 = nn.Parameter(torch.randn(layer.in_features, rank, **like) / math.sqrt(layer.in_features))
        self.L_2 = nn.Parameter(torch.zeros(rank, layer.out_features, **like))
        self.s = alpha / rank
        self.dropout = nn.Dropout(dropout)

    @deviation(
        "dettmers2023-5",
        title="Any precision, and the factor s",
        reason="The paper computes in bfloat16; we compute in the precision that the layer came in, since not every "
        "processor multiplies in 16 bits. Eq. 5 leaves out the factor $s$ of Eq. 3; we keep it, as the authors' "
        "program does.",
    )
    @implements("dettmers2023-5", c_1=None, c_2=None, W_NF4="W")
    def forward(self, X: Float[Tensor, "*batch in"]) -> Float[Tensor, "*batch out"]:
        """Y = X doubleDequant(c_1, c_2, W^NF4) + s X L_1 L_2, Eq. 5.

        Args:
            X: what the layer reads.

        Returns:
            What the layer says, changed by what it has learned.
        """
        return self.W(X) + self.s * (self.dropout(X) @ self.L_1 @ self.L_2)


def quantised(
    model: Model, rank: int, alpha: float | int, targets: Collection[str], keep: Collection[str] = ()
) -> Model:
    """Put a whole model into four bits, and an update beside each of its linear layers that has one of these names.

    Embeddings and norms stay as they are. All that learns are the updates.

    Args:
        model: it is changed in place.
        rank: of each update.
        alpha: α; the updates are multiplied by α/r.
        targets: last parts of the names of layers that get an update; none where it is empty.
        keep: last parts of the names of linear layers that stay in full precision, an output layer say.

    Returns:
        The same model.
    """
    model.requires_grad_(False)
    for name, module in list(model.named_modules()):
        parent, _, child = name.rpartition(".")
        if not isinstance(module, nn.Linear) or child in keep:
            continue
        new = QLoRALinear(module, rank, alpha) if child in targets else NF4Linear(module)
        setattr(model.get_submodule(parent), child, new)
    return model

"""The Vision Transformer (Dosovitskiy et al. 2021, §3.1)."""

from typing import Literal

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from reconstructing_transformer.equations import deviation, implements
from reconstructing_transformer.transformer import LayerNorm
from reconstructing_transformer.vision.attention import MultiHeadSelfAttention
from reconstructing_transformer.vision.patches import PatchEmbedding, Positions

# Numbers between an MLP's two maps that are held at once. A processor's core has about that much room close by (1 MiB);
# with all patches of a batch at once, a wide MLP spends most of its time waiting for memory.
CACHED = 2**18

# In place: a linear map's gradient does not need its own output, and memory is what a wide MLP waits for.
ACTIVATIONS = {"gelu": functional.gelu, "relu": torch.relu_}


class MLP(nn.Module):
    """Two linear maps with a nonlinearity between them, the same for every patch.

    Args:
        D: width of the model.
        d_ff: width between the two maps.
        activation: `"gelu"`, as in the paper, or `"relu"`.
    """

    def __init__(self, D: int, d_ff: int, activation: Literal["gelu", "relu"] = "gelu") -> None:
        super().__init__()
        self.inner, self.outer = nn.Linear(D, d_ff), nn.Linear(d_ff, D)
        self.activation = ACTIVATIONS[activation]
        for linear in (self.inner, self.outer):
            nn.init.xavier_uniform_(linear.weight)
            nn.init.zeros_(linear.bias)

    def forward(self, z: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch D"]:
        """Let each patch think for itself.

        Args:
            z: one vector a patch.

        Returns:
            One vector a patch.
        """
        if z.is_cpu:
            # A patch's vector depends on no other, so they can go some at a time: as many as a cache has room for.
            some = z.flatten(0, -2).split(max(1, CACHED // self.inner.out_features))
            return torch.cat([self._think(patches) for patches in some]).view_as(z)
        return self._think(z)

    def _think(self, z: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch D"]:
        return self.outer(self.activation(self.inner(z)))


class EncoderLayer(nn.Module):
    """Attention between the patches, then an MLP on each: pre-norm, each within a residual connection.

    Args:
        D: width of the model.
        heads: number of heads.
        d_ff: width of the MLP.
        dropout: share of each sub-layer's output that is dropped in training.
        activation: of the MLP.
        bias: whether attention's projections add a bias.
    """

    def __init__(
        self,
        D: int,
        heads: int,
        d_ff: int,
        dropout: float = 0.0,
        activation: Literal["gelu", "relu"] = "gelu",
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.LN_1, self.MSA = LayerNorm(D), MultiHeadSelfAttention(D, heads, bias)
        self.LN_2, self.MLP = LayerNorm(D), MLP(D, d_ff, activation)
        self.dropout = nn.Dropout(dropout)

    @implements("dosovitskiy2021-2", LN="LN_1")
    def between_patches(self, z: Float[Tensor, "*batch N D"]) -> Float[Tensor, "*batch N D"]:
        """z'_ℓ = MSA(LN(z_{ℓ−1})) + z_{ℓ−1}, Eq. 2.

        Args:
            z: one vector a patch.

        Returns:
            One vector a patch, to which what it has read from the others was added.
        """
        return self.dropout(self.MSA(self.LN_1(z))) + z

    @implements("dosovitskiy2021-3", LN="LN_2")
    def within_patches(self, z_prime: Float[Tensor, "*batch N D"]) -> Float[Tensor, "*batch N D"]:
        """z_ℓ = MLP(LN(z'_ℓ)) + z'_ℓ, Eq. 3.

        Args:
            z_prime: one vector a patch.

        Returns:
            One vector a patch, each computed from its own patch alone.
        """
        return self.dropout(self.MLP(self.LN_2(z_prime))) + z_prime

    def forward(self, z: Float[Tensor, "*batch N D"]) -> Float[Tensor, "*batch N D"]:
        """Eq. 2, then Eq. 3.

        Args:
            z: one vector a patch.

        Returns:
            One vector a patch.
        """
        return self.within_patches(self.between_patches(z))


class ClassToken(nn.Module):
    """Read the image off the class token, as the paper does.

    Args:
        D: width of the model.
    """

    def __init__(self, D: int) -> None:
        super().__init__()
        self.LN = LayerNorm(D)

    @implements("dosovitskiy2021-4")
    def forward(self, z_L: Float[Tensor, "batch length D"]) -> Float[Tensor, "batch D"]:
        """Y = LN(z_L^0), Eq. 4.

        Args:
            z_L: what the last layer made of the class token and the patches.

        Returns:
            One vector an image.
        """
        return self.LN(z_L[:, 0])


class LinearPooler(nn.Module):
    """Read the image off all patches at once: one linear map of all their numbers.

    The original project's models have it in place of a class token. It computes `ReLU(concat(LN(z_L)) W + b)`; the
    normalisation has no gain and no bias, so that it adds no parameter.

    Args:
        N: number of patches.
        D: width of the model.
    """

    def __init__(self, N: int, D: int) -> None:
        super().__init__()
        self.linear = nn.Linear(N * D, D)
        nn.init.kaiming_uniform_(self.linear.weight, nonlinearity="relu")
        nn.init.zeros_(self.linear.bias)

    @deviation(
        "dosovitskiy2021-4",
        title="A linear pooler, by choice",
        reason="The original project read an image off all its patches by one linear map, followed by another. "
        'Two such maps are no more than one, so `pooling="linear"` puts a ReLU between them, and a normalisation '
        "without parameters before.",
    )
    def forward(self, z_L: Float[Tensor, "batch N D"]) -> Float[Tensor, "batch D"]:
        """Normalise each patch, join all, and map them to one vector.

        Args:
            z_L: what the last layer made of the patches.

        Returns:
            One vector an image.
        """
        z_L = functional.layer_norm(z_L, z_L.shape[-1:])
        return self.linear(rearrange(z_L, "batch N D -> batch (N D)")).relu()


class VisionTransformer(nn.Module):
    """An image, cut into patches, read by the Transformer's encoder.

    Args:
        size: height and width of the images, in pixels.
        P: height and width of a patch.
        C: number of channels.
        D: width of the model.
        L: number of layers.
        heads: number of heads.
        d_ff: width of the MLPs.
        classes: number of classes.
        pooling: `"class"`, as in the paper: a class token gathers what the image is; `"linear"`: one linear map of all
            patches.
        positions: `"learned"`, as in the paper, or `"fixed"`.
        activation: of the MLPs: `"gelu"`, as in the paper, or `"relu"`.
        dropout: share of each sub-layer's output, and of z_0, that is dropped in training.
        bias: whether attention's projections add a bias.
        patch_bias: whether the patches' projection adds one.

    Raises:
        ValueError: the patches don't fill the images, or D is no multiple of the number of heads.
    """

    def __init__(
        self,
        size: int = 28,
        P: int = 4,
        C: int = 1,
        D: int = 64,
        L: int = 6,
        heads: int = 4,
        d_ff: int = 256,
        classes: int = 10,
        pooling: Literal["class", "linear"] = "class",
        positions: Positions = "learned",
        activation: Literal["gelu", "relu"] = "gelu",
        dropout: float = 0.0,
        bias: bool = True,
        patch_bias: bool = True,
    ) -> None:
        super().__init__()
        self.embedding = PatchEmbedding(size, P, C, D, pooling == "class", positions, patch_bias)
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.ModuleList(EncoderLayer(D, heads, d_ff, dropout, activation, bias) for _ in range(L))
        self.pool = ClassToken(D) if pooling == "class" else LinearPooler(self.embedding.N, D)
        self.head = nn.Linear(D, classes)
        nn.init.zeros_(self.head.bias)

    def encode(self, images: Float[Tensor, "batch C H W"]) -> Float[Tensor, "batch length D"]:
        """z_L: what the last layer makes of the patches, Eqs. 1 to 3.

        Args:
            images: C channels of H × W pixels.

        Returns:
            One vector a patch, behind that of the class token where there is one.
        """
        z = self.dropout(self.embedding(images))
        for layer in self.layers:
            z = layer(z)
        return z

    def forward(self, images: Float[Tensor, "batch C H W"]) -> Float[Tensor, "batch classes"]:
        """Say how much an image looks like each class.

        Args:
            images: C channels of H × W pixels.

        Returns:
            One logit a class: any number. The cross-entropy that trains them applies the softmax itself.
        """
        return self.head(self.pool(self.encode(images)))

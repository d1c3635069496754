"""From pixels to a sequence of vectors (Dosovitskiy et al. 2021, §3.1)."""

from typing import Literal

import torch
from einops import rearrange, repeat
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from reconstructing_transformer.equations import deviation, implements
from reconstructing_transformer.transformer import positional_encoding

Positions = Literal["learned", "fixed"]


def cut(images: Shaped[Tensor, "*batch C H W"], P: int) -> Shaped[Tensor, "*batch N P2C"]:
    """Cut images into square patches, and write out each as one row of numbers.

    Args:
        images: C channels of H × W pixels.
        P: width and height of a patch.

    Returns:
        N = HW/P² rows, patches in reading order; within a row the channel runs slowest, then the pixel's line.

    Raises:
        ValueError: the patches don't fill the image.
    """
    if images.size(-1) % P or images.size(-2) % P:
        raise ValueError(
            f"patches of {P} × {P} pixels don't fill an image of {images.size(-2)} × {images.size(-1)}; "
            "both sides must be multiples of the patch's"
        )
    return rearrange(images, "... C (rows P1) (columns P2) -> ... (rows columns) (C P1 P2)", P1=P, P2=P)


class PatchEmbedding(nn.Module):
    """One vector for each patch, a class token before them, and each position's own vector added.

    Args:
        size: height and width of the images, in pixels.
        P: height and width of a patch.
        C: number of channels.
        D: width of the model.
        class_token: whether a learned vector that belongs to no patch stands first, as in the paper.
        positions: `"learned"`, as in the paper, or `"fixed"`: the sines of Vaswani et al. 2017.
        bias: whether the patches' projection adds a bias.

    Raises:
        ValueError: the patches don't fill the images.
    """

    def __init__(
        self,
        size: int,
        P: int,
        C: int,
        D: int,
        class_token: bool = True,
        positions: Positions = "learned",
        bias: bool = True,
    ) -> None:
        super().__init__()
        if size % P:
            raise ValueError(f"patches of {P} × {P} pixels don't fill an image of {size} × {size}")
        self.size, self.P, self.N = size, P, (size // P) ** 2
        self.E = nn.Conv2d(C, D, kernel_size=P, stride=P, bias=bias)
        nn.init.trunc_normal_(self.E.weight, std=(P * P * C) ** -0.5)
        if bias:
            nn.init.zeros_(self.E.bias)
        self.x_class = nn.Parameter(torch.zeros(D)) if class_token else None
        length = self.N + class_token
        if positions == "learned":
            self.E_pos = nn.Parameter(nn.init.trunc_normal_(torch.empty(length, D), std=0.02))
        else:
            self.register_buffer("E_pos", positional_encoding(length, D), persistent=False)

    @deviation(
        "dosovitskiy2021-1",
        title="A bias for the patches",
        reason="Eq. 1 projects the patches by $E$ alone. Like the authors' own program we add a bias; `bias=False` "
        "gives the equation as it is printed, and so do the five models for MNIST.",
    )
    @deviation(
        "dosovitskiy2021-1",
        title="Fixed positions and no class token, by choice",
        reason='The paper learns one vector a position and puts a class token first. `positions="fixed"` adds the '
        "sines of Vaswani et al. 2017, and `class_token=False` leaves the token out, so that a Vision Transformer of "
        "the original project can be rebuilt to the last parameter.",
    )
    @implements("dosovitskiy2021-1", x_p="patches")
    def forward(self, images: Float[Tensor, "batch C H W"]) -> Float[Tensor, "batch length D"]:
        """z_0 = [x_class; x_p^1 E; …; x_p^N E] + E_pos, Eq. 1.

        Args:
            images: C channels of H × W pixels.

        Returns:
            One vector a patch, in reading order, behind that of the class token where there is one.

        Raises:
            ValueError: the images have another size than the embedding was made for.
        """
        if images.shape[-2:] != (self.size, self.size):
            raise ValueError(
                f"the embedding was made for images of {self.size} × {self.size} pixels; "
                f"got {images.size(-2)} × {images.size(-1)}"
            )
        # A convolution whose stride is its width meets each patch once: it is `cut`, then a matrix product, in one.
        patches = rearrange(self.E(images), "batch D rows columns -> batch (rows columns) D")
        if self.x_class is None:
            return patches + self.E_pos
        x_class = repeat(self.x_class, "D -> batch 1 D", batch=len(images))
        return torch.cat([x_class, patches], dim=1) + self.E_pos

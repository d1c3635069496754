"""Questions to a trained Vision Transformer: how far its heads look, and what some patches were worth to its answer."""

from collections.abc import Sequence

import torch
from einops import repeat
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor, nn

from reconstructing_transformer.vision.transforms import normalise


def attention_distance(
    weights: Float[Tensor, "*batch n n"], P: int, class_token: bool = True
) -> Float[Tensor, "*batch"]:
    """How far patches look: the distance between asking and asked patch, weighted by attention, mean over the asking.

    What is looked for at the class token has no distance, nor has what the class token looks for: both are left out,
    and the weights that remain are scaled so that they sum to one again.

    Args:
        weights: attention weights between the patches of a square image, in reading order.
        P: width of a patch in pixels.
        class_token: whether a class token stands before the patches.

    Returns:
        Mean distances in pixels, from middle to middle.

    Raises:
        ValueError: the patches form no square.
    """
    N = weights.size(-1) - class_token
    side = round(N**0.5)
    if side * side != N or N < 1:
        raise ValueError(f"{weights.size(-1)} positions, class_token={class_token}: {N} patches form no square")
    middles = P * torch.cartesian_prod(torch.arange(side), torch.arange(side)).to(weights)
    between = weights[..., class_token:, class_token:]
    between = between / between.sum(-1, keepdim=True)
    return (between * torch.cdist(middles, middles)).sum(-1).mean(-1)


def blanked(
    images: UInt8[Tensor, "*batch 1 28 28"], chosen: Bool[Tensor, "*batch N"], P: int = 4
) -> UInt8[Tensor, "*batch 1 28 28"]:
    """Make some patches of each image white paper.

    Args:
        images: bytes; they stay as they are.
        chosen: which patches of each, in reading order.
        P: width of a patch in pixels.

    Returns:
        Copies of the images without what was drawn in those patches.

    Raises:
        ValueError: there are more or fewer patches than fill an image.
    """
    side = images.size(-1) // P
    if chosen.size(-1) != side**2 or images.size(-1) % P:
        raise ValueError(f"{chosen.size(-1)} patches of {P} × {P} pixels don't fill an image of 28 × 28")
    grid = chosen.unflatten(-1, (side, side))
    pixels = repeat(grid, "... rows columns -> ... 1 (rows P1) (columns P2)", P1=P, P2=P)
    return images.masked_fill(pixels, 0)


@torch.no_grad()
def deletion_curve(
    model: nn.Module,
    images: UInt8[Tensor, "batch 1 28 28"],
    relevance: Float[Tensor, "batch N"],
    counts: Sequence[int],
    P: int = 4,
) -> Float[Tensor, "batch counts"]:
    """Blank the patches of each image, the most relevant first, and see what becomes of the model's answer.

    Args:
        model: in evaluation mode.
        images: bytes.
        relevance: how much each patch is said to matter; among equals the first goes first.
        counts: of how many patches are blank.
        P: width of a patch in pixels.

    Returns:
        For each image and count, the logit of the class that was the likeliest for the whole image.
    """
    said = model(normalise(images)).argmax(-1, keepdim=True)
    rank: Int[Tensor, "batch N"] = relevance.argsort(dim=-1, descending=True, stable=True).argsort(dim=-1)
    logits = [model(normalise(blanked(images, rank < count, P))).gather(-1, said) for count in counts]
    return torch.cat(logits, dim=-1)

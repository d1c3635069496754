"""What happens to pixels before a model sees them: normalisation always, augmentation in training."""

import math
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional
from torchvision.transforms import v2

# Mean and standard deviation of the pixels of MNIST's 60,000 training digits, from 0 to 1.
MEAN, STD = 0.1307, 0.3081


class RandomAffineEach(v2.Transform):
    """Turn, shift, scale and shear each image of a batch by its own random amounts.

    `v2.RandomAffine` draws once for a batch and moves all its images alike. This one draws for each image, and moves
    the whole batch in one go. All amounts are drawn evenly between minus and plus their bound.

    Args:
        degrees: bound of the rotation.
        translate: bound of the shift in each direction, in shares of the image.
        scale: bound of the change of width and of height, each by itself.
        shear: bound of the shear, in degrees.
    """

    def __init__(self, degrees: float, translate: float, scale: float, shear: float) -> None:
        super().__init__()
        self.bounds = (math.radians(degrees), translate, scale, math.tan(math.radians(shear)))

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Draw for each image of the batch the map from where a pixel goes to where it comes from."""
        images = flat_inputs[0]
        rotation, translate, scale, shear = self.bounds
        draws = 2 * torch.rand(6, len(images), device=images.device) - 1
        turn, lean = draws[0] * rotation, draws[1] * shear
        width, height = 1 / (1 + draws[2] * scale), 1 / (1 + draws[3] * scale)
        shift = 2 * translate * draws[4:]  # an image is two units wide
        cos, sin = turn.cos(), turn.sin()
        rows = [
            torch.stack([width * cos, width * (lean * cos - sin), shift[0]], dim=-1),
            torch.stack([height * sin, height * (lean * sin + cos), shift[1]], dim=-1),
        ]
        return {"maps": torch.stack(rows, dim=-2)}

    def transform(self, inpt: Float[Tensor, "batch C H W"], params: dict[str, Any]) -> Float[Tensor, "batch C H W"]:
        """Move each image by its map, bilinearly; what comes from outside is paper."""
        grid = functional.affine_grid(params["maps"], list(inpt.shape), align_corners=False)
        return functional.grid_sample(inpt, grid, padding_mode="zeros", align_corners=False)


def normalise(images: UInt8[Tensor, "batch 1 28 28"]) -> Float[Tensor, "batch 1 28 28"]:
    """Make bytes numbers with mean 0 and deviation 1, as far as MNIST's training digits go.

    Args:
        images: bytes.

    Returns:
        The numbers that a model reads.
    """
    return _normalisation(images)


_normalisation = v2.Compose([v2.ToDtype(torch.float32, scale=True), v2.Normalize([MEAN], [STD])])


def augmentation(strength: float = 1.0) -> v2.Compose:
    """What a batch of bytes goes through in training: each digit is moved a little, then all are normalised.

    Args:
        strength: 1 for up to 15° of rotation, 2 pixels of shift, 15 % of scale and 10° of shear; 0 for none.

    Returns:
        The transformation.
    """
    moved = [RandomAffineEach(15 * strength, 2 / 28 * strength, 0.15 * strength, 10 * strength)] if strength else []
    return v2.Compose([v2.ToDtype(torch.float32, scale=True), *moved, v2.Normalize([MEAN], [STD])])

"""A small picture, drawn as vector graphics in one colour of the book, so that it follows the page into the dark."""

import torch
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from torch import Tensor

from reconstructing_transformer.figures.style import ACCENT

LEVELS = 24  # of fullness; the pixels of a level are one path, which keeps the file small


def draw_pixels(axes: Axes, fullness: Float[Tensor, "height width"], colour: str = ACCENT) -> None:
    """Draw a picture: a square a pixel, each as full of colour as its number says.

    Args:
        axes: where to draw. Its ticks and its frame go.
        fullness: from 0, nothing, to 1, all of the colour.
        colour: one of the palette.

    Raises:
        ValueError: a number lies outside of 0..1, or is none.
    """
    if not (fullness.min() >= 0 and fullness.max() <= 1):
        found = f"{fullness.min():.4g} to {fullness.max():.4g}"
        raise ValueError(f"the fullness of a pixel lies in 0..1; got {found}: scale or clamp it first")
    height, width = fullness.shape
    levels = (fullness.detach().cpu() * LEVELS).round().long()
    for level in range(1, LEVELS + 1):
        squares = [_square(x, y) for y, x in torch.nonzero(levels == level).tolist()]
        if squares:
            shade = round(level / LEVELS, 3)
            path = Path.make_compound_path(*squares)
            axes.add_patch(PathPatch(path, facecolor=(*to_rgb(colour), shade), linewidth=0))
    axes.set(xlim=(0, width), ylim=(height, 0), aspect="equal", xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def _square(x: int, y: int) -> Path:
    corners = [(x, y), (x + 1, y), (x + 1, y + 1), (x, y + 1), (x, y)]
    return Path(corners, [Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY])

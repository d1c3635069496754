"""Attention weights, drawn: a cell for each pair of query and key, as full of colour as its weight."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.transforms import Affine2D
from torch import Tensor

from reconstructing_transformer.figures.data import labelled
from reconstructing_transformer.figures.figure import own_data
from reconstructing_transformer.figures.style import ACCENT, CELL, INK, book_style

GAP = 0.04  # around a cell whose side is one


def _square(corner: tuple[float, float], size: float) -> Path:
    return Path.unit_rectangle().transformed(Affine2D().scale(size).translate(*corner))


def attention_map(
    axes: Axes,
    weights: Float[Tensor, "n m"],
    queries: Sequence[str],
    keys: Sequence[str],
    *,
    title: str = "",
    colour: str = ACCENT,
    digits: int | None = None,
    data: bool = True,
) -> None:
    """Draw one head's weights as a map: a row a query, a column a key.

    Args:
        axes: where to draw.
        weights: attention weights, each row summing to one.
        queries: what stands at the rows.
        keys: what stands at the columns.
        title: what the map shows.
        colour: colour of a weight of one.
        digits: decimals to print into each cell; none without it.
        data: whether the weights become part of the figure's data.
    """
    values = weights.detach().double().numpy()
    n, m = values.shape
    if (n, m) != (len(queries), len(keys)):
        given = f"{len(queries)} queries and {len(keys)} keys"
        raise ValueError(f"weights of shape {n} × {m} need {n} names of queries and {m} of keys; got {given}")
    corners = [(column + GAP, row + GAP) for row in range(n) for column in range(m)]
    size = 1 - 2 * GAP
    axes.add_patch(PathPatch(Path.make_compound_path(*(_square(corner, size) for corner in corners)), fc=CELL, lw=0))
    for corner, weight in zip(corners, values.flat, strict=True):
        shade = round(float(np.clip(weight, 0, 1)), 3)
        if shade:
            axes.add_patch(plt.Rectangle(corner, size, size, facecolor=(*to_rgb(colour), shade), linewidth=0))
        if digits is not None:
            ink = "#ffffff" if weight > 0.55 else INK
            middle = corner[0] + size / 2, corner[1] + size / 2
            axes.text(*middle, f"{weight:.{digits}f}", ha="center", va="center", fontsize=10, color=ink)
    axes.set(xlim=(0, m), ylim=(n, 0), aspect="equal")
    axes.set_xticks(np.arange(m) + 0.5, keys)
    axes.set_yticks(np.arange(n) + 0.5, queries)
    axes.xaxis.tick_top()
    axes.tick_params(length=0, pad=4, labelcolor=INK)
    axes.spines[:].set_visible(False)
    if title:
        axes.set_title(title)
    if data:
        own_data(axes.figure, labelled(weights, query=queries, key=keys), title)


def draw_attention(
    weights: Float[Tensor, "h n m"],
    queries: Sequence[str],
    keys: Sequence[str],
    *,
    titles: Sequence[str] = (),
    cell: float = 0.34,
) -> Figure:
    """Draw the weights of several heads side by side.

    Args:
        weights: attention weights, head by head.
        queries: what stands at the rows.
        keys: what stands at the columns.
        titles: a title for each head; “head 1”, “head 2”, … without it.
        cell: size of a cell in inches.

    Returns:
        The figure.
    """
    h, n, m = weights.shape
    names = list(titles) or [f"head {head + 1}" for head in range(h)]
    with book_style():
        figure, row = plt.subplots(1, h, figsize=(h * (m * cell + 0.9), n * cell + 0.9), squeeze=False, sharey=True)
        for axes, head, name in zip(row[0], weights, names, strict=True):
            attention_map(axes, head, queries, keys, title=name)
    return figure

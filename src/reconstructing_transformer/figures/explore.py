"""Attention to be explored, in one call: the view for the page, the figure that stands in for it, the data of both."""

import io
import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatch
from typing import Protocol, runtime_checkable

import matplotlib.pyplot as plt
import numpy as np
import torch
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from reconstructing_transformer.figures.attention import attention_map
from reconstructing_transformer.figures.data import labelled
from reconstructing_transformer.figures.figure import BookFigure, own_data, show
from reconstructing_transformer.figures.style import ACCENT, INK, SOFT, book_style
from reconstructing_transformer.figures.view import PatchImage, Start, attention_view

LARGE = 0.34  # side of a cell in inches where tokens are named
LEGIBLE = 0.22  # the smallest of these
LETTER = 0.085  # width of a letter in inches
SMALL = 1.15  # side of a map in inches where they are not
WIDEST = 8.4  # a figure, in inches


@runtime_checkable
class Recorded(Protocol):
    """What a recording keeps of one attention."""

    weights: Tensor | None


def weights_of(
    recorded: Float[Tensor, "..."] | Mapping[str, Recorded], at: str, example: int
) -> Float[Tensor, "layers h n m"]:
    """Take one example's weights out of a recording.

    Args:
        recorded: weights of shape (h, n, m) or (layers, h, n, m), or a recording of a model's attentions.
        at: which of the recorded attentions are the layers: their names, with `*` for what differs.
        example: which sequence of the batch.

    Returns:
        The weights, layer by layer.

    Raises:
        ValueError: no attention has such a name, or the attentions differ in shape.
    """
    if isinstance(recorded, Tensor):
        return recorded if recorded.ndim == 4 else recorded.unsqueeze(0)
    names = [name for name in recorded if fnmatch(name, at)]
    layers = [recorded[name].weights for name in names]
    found = [weights[example] for weights in layers if weights is not None]
    if not found:
        raise ValueError(f"no attention named {at!r} was recorded; there are: {', '.join(recorded) or 'none'}")
    shapes = {tuple(weights.shape) for weights in found}
    if len(shapes) > 1:
        raise ValueError(f"the attentions at {at!r} have different shapes, {sorted(shapes)}; name some that are alike")
    return torch.stack(found)


def _named(axes: Axes, column: str, row: str, colour: str = SOFT, width: float = WIDEST) -> None:
    """Name a map's column and row, no larger than a map of that width in inches has room for."""
    if column:
        axes.set_title(column, fontsize=min(11.5, 72 * width / (0.68 * len(column))))
    if row:
        axes.set_ylabel(row, color=colour, rotation=0, ha="right", va="center", labelpad=8)


def _still_maps(weights: Tensor, queries: Sequence[str], keys: Sequence[str], rows: Sequence[str],
                columns: Sequence[str]) -> Figure:  # fmt: skip
    """All maps: with their tokens where there are few, small and without them where there are many."""
    layers, heads, n, m = weights.shape
    cell = min(LARGE, (WIDEST / heads - 0.3) / m, WIDEST / (layers * n))
    named = cell >= LEGIBLE
    longest = max(map(len, keys)) * LETTER
    upright = longest > 1.1 * cell  # of the keys' names, where they would run into each other
    above = 0.7 + upright * longest if named else 0.3
    wide, tall = (m * cell + 0.3, n * cell + 0.15) if named else (SMALL * min(1, m / n), SMALL * min(1, n / m))
    left = 0.6 if named or layers > 1 else 0.1
    with book_style():
        figure, grid = plt.subplots(
            layers, heads, squeeze=False, sharex=True, sharey=True, figsize=(heads * wide + left, layers * tall + above)
        )
        for i, j in np.ndindex(layers, heads):
            axes = grid[i, j]
            attention_map(axes, weights[i, j], queries, keys, data=False)
            if not named:
                axes.set_xticks([])
                axes.set_yticks([])
            axes.tick_params(labelsize=10.5 * min(1, cell / 0.3))
            axes.tick_params(axis="x", rotation=90 * upright, labeltop=named and i == 0)  # once, above all rows
            _named(axes, columns[j] if i == 0 else "", rows[i] if j == 0 else "", width=wide)
    return figure


def _still_images(
    weights: Tensor, image: PatchImage, query: int, rows: Sequence[str], columns: Sequence[str]
) -> Figure:
    """The image, once for each head, each patch as full of colour as the query's weight on it."""
    layers, heads = weights.shape[:2]
    size = min(SMALL, WIDEST / heads)
    first = int(image.class_token)
    extent = (0, image.columns, image.rows, 0)
    with Image.open(io.BytesIO(image.png)) as opened:
        pixels = np.asarray(opened.convert("RGB")) / 255
    ground = 1 - 0.55 * (1 - pixels)  # paler, so that the colour above can be seen
    with book_style():
        figure, grid = plt.subplots(
            layers, heads, squeeze=False, figsize=(heads * size + 0.7, layers * size * image.rows / image.columns + 0.4)
        )
        for i, j in np.ndindex(layers, heads):
            axes = grid[i, j]
            axes.imshow(ground, extent=extent, interpolation="none")  # as it is: a few hundred bytes
            shares = weights[i, j, query, first:].reshape(image.rows, image.columns)
            shares = shares / shares.max().clamp(min=1e-9)
            for row, column in np.ndindex(image.rows, image.columns):
                alpha = round(0.85 * float(shares[row, column]), 3)
                axes.add_patch(plt.Rectangle((column, row), 1, 1, facecolor=ACCENT, alpha=alpha, linewidth=0))
            axes.set(xlim=(0, image.columns), ylim=(image.rows, 0), xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
            _named(axes, columns[j] if i == 0 else "", rows[i] if j == 0 else "", INK)
    return figure


def _kind(names: Sequence[str], usual: str) -> str:
    """What the rows or columns of a grid are, for its data: “layer” where each is called “layer” and a number."""
    numbered = [re.fullmatch(r"(\w+) \d+", name) for name in names]
    kinds = {match[1] if match else usual for match in numbered}
    return kinds.pop() if len(kinds) == 1 else usual


def show_attention(
    recorded: Float[Tensor, "..."] | Mapping[str, Recorded],
    queries: Sequence[str] | None = None,
    keys: Sequence[str] | None = None,
    *,
    id: str,  # noqa: A002 (what it is called in the book)
    caption: str,
    alt: str,
    at: str = "*",
    example: int = 0,
    rows: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    rollout: Float[Tensor, "n m"] | None = None,
    image: PatchImage | None = None,
    start: Start | None = None,
) -> BookFigure:
    """Make a figure of attention weights that a reader can explore, with a still figure of the same weights.

    Args:
        recorded: what `record(model)` has recorded, or weights of shape (h, n, m) or (layers, h, n, m).
        queries: the tokens that ask. With an image they name themselves.
        keys: the tokens that are asked; the queries themselves without it.
        id: the figure's name.
        caption: what one sees, in MyST Markdown.
        alt: what it shows, for who cannot see it.
        at: which of the recorded attentions are the layers, `"encoder.layers.*.self_attention"` say.
        example: which sequence of a recorded batch.
        rows: a name for each layer; “layer 1”, “layer 2”, … without it.
        columns: a name for each head; “head 1”, “head 2”, … without it.
        rollout: attention rolled out over all layers, as one more head.
        image: the image whose patches are queries and keys (`patch_image`).
        start: the head that is shown first, and the query that is pinned, if one is.

    Returns:
        An object that a notebook displays when it is the last value of a cell. Its files are in `figures_folder()`.

    Raises:
        ValueError: the weights are no attention weights, or don't fit tokens, names or image; or words are missing.
    """
    weights, start = weights_of(recorded, at, example).detach().cpu(), start or Start()
    view = attention_view(weights, queries, keys, rows=rows, columns=columns, rollout=rollout, image=image, start=start)
    if image is None:
        figure = _still_maps(weights, view.queries, view.keys, view.rows, view.columns)
    else:
        figure = _still_images(weights, image, start.query or 0, view.rows, view.columns)
    column = _kind(view.columns, "head")
    row = _kind(view.rows, "head" if column == "layer" else "layer")
    if row == column:
        row, column = "layer", "head"
    named = {row: view.rows, column: view.columns, "query": view.queries, "key": view.keys}
    own_data(figure, labelled(weights, **named))
    if rollout is not None:
        own_data(figure, labelled(rollout, query=view.queries, key=view.keys))
    return show(figure, id, caption=caption, alt=alt, view=view)

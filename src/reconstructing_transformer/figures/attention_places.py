"""The three attentions of an encoder-decoder, each drawn as its own map of weights, in the places where they stand."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch
from matplotlib.path import Path
from torch import Tensor

from reconstructing_transformer.figures.attention import attention_map
from reconstructing_transformer.figures.style import ACCENT, INK, SECOND, SOFT, book_style

CELL = 0.21  # side of a cell in inches
LETTER = 0.08  # width of a letter
BEGIN_LABEL = "begin"
FOOT = 0.5  # room below a map, for its name
NAME = 0.95  # half the width of a name


def _room(labels: Sequence[str]) -> float:
    return 0.12 + LETTER * max(map(len, labels))


def _arrow(axes: Axes, *points: tuple[float, float]) -> None:
    path = Path([*points], [Path.MOVETO, *[Path.LINETO] * (len(points) - 1)])
    style = "-|>,head_length=4,head_width=2"
    axes.add_patch(FancyArrowPatch(path=path, arrowstyle=style, color=SOFT, linewidth=1.2, fill=True))


def attention_places(
    encoder: Float[Tensor, "m m"],
    decoder: Float[Tensor, "n n"],
    cross: Float[Tensor, "n m"],
    source: Sequence[str],
    target: Sequence[str],
) -> Figure:
    """Draw where the three attentions of an encoder-decoder stand, with one map of each.

    Args:
        encoder: weights of the encoder's self-attention.
        decoder: weights of the decoder's self-attention. Row t is what was looked at to write target[t]; what had been
            read by then is the beginning and the pieces before it.
        cross: weights of the cross-attention.
        source: the pieces that are read.
        target: the pieces that are written.

    Returns:
        The figure. Its data are the weights.
    """
    m, n = len(source), len(target)
    beside = above = max(_room(source), _room(target))
    wide, tall, low = m * CELL, n * CELL, FOOT
    right = beside + wide + 0.5 + beside
    upper = low + tall + above + 0.35 + FOOT
    width, height = right + max(wide, tall, tall / 2 + NAME) + 0.15, upper + tall + above + 0.1
    read = (BEGIN_LABEL, *target[:-1])
    maps = [
        (encoder, source, source, (beside, low, wide, wide), SECOND, "encoder self-attention"),
        (decoder, target, read, (right, low, tall, tall), SECOND, "decoder self-attention"),
        (cross, target, source, (right, upper, wide, tall), ACCENT, "cross-attention"),
    ]
    with book_style():
        figure = plt.figure(figsize=(width, height), layout="none")
        for weights, rows, columns, (x, y, across, up), colour, _ in maps:
            axes = figure.add_axes((x / width, y / height, across / width, up / height))
            attention_map(axes, weights, rows, columns, colour=colour)
            axes.tick_params(labelsize=8.5)
            axes.tick_params(axis="x", rotation=90)
        over = figure.add_axes((0, 0, 1, 1))
        over.set(xlim=(0, width), ylim=(0, height))
        over.set_axis_off()
        for *_, (x, y, across, _), colour, name in maps:
            words = {"ha": "center", "va": "center", "fontsize": 9.5, "weight": "bold"}
            over.text(x + across / 2, y - 0.16, name, color=colour, **words)
        middle, lane = beside + wide / 2, upper + tall / 2
        _arrow(over, (middle, low + wide + above), (middle, lane), (right - beside, lane))
        over.text(middle + 0.08, (low + wide + above + lane) / 2, "memory", ha="left", fontsize=10, color=INK)
        for line, text in enumerate(("A row asks,", "a column is asked.")):
            over.text(0.15, height - 0.3 - 0.2 * line, text, fontsize=9.5, color=SOFT)
        column = right + wide / 2
        _arrow(over, (column, low + tall + above), (column, upper - 0.32))
    return figure

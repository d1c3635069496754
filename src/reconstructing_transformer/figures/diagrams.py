"""The paper's diagram (Vaswani et al. 2017, Figure 1), drawn anew, with what flows where.

Data flows upwards. Attention is red, the feed-forward network blue, what turns tokens into vectors and back is green,
and all else is grey. A function returns a figure to be shown; lengths are in inches.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path

from reconstructing_transformer.figures.figure import own_data
from reconstructing_transformer.figures.style import ACCENT, CELL, INK, RULE, SECOND, SOFT, THIRD, book_style

Point = tuple[float, float]

LEFT, RIGHT = -1, 1
WIDE, TALL, SLIM = 1.5, 0.46, 0.28  # of boxes
RISE = 0.18  # of an arrow
FORK = 0.42  # from the middle of an attention to the outer ones of its inputs
STEP = 0.07  # from a box to the next one of its pile
AROUND = 0.14  # from a box to the path around it


class Canvas:
    """A figure to draw boxes and arrows on, measured from its lower left corner."""

    def __init__(self, width: float, height: float) -> None:
        self.figure = plt.figure(figsize=(width, height), layout="none")
        self.axes = self.figure.add_axes((0, 0, 1, 1))
        self.axes.set(xlim=(0, width), ylim=(0, height))
        self.axes.set_axis_off()
        self.boxes: list[dict[str, str | float]] = []

    def panel(self, left: float, bottom: float, right: float, top: float) -> None:
        """Draw the ground that the boxes of one layer stand on."""
        ground = FancyBboxPatch((left, bottom), right - left, top - bottom, "round,pad=0,rounding_size=0.12", zorder=0)
        ground.set(facecolor=(*to_rgb(CELL), 0.6), edgecolor=RULE)
        self.axes.add_patch(ground)

    def box(self, x: float, bottom: float, text: str, colour: str, height: float = SLIM, width: float = WIDE) -> float:
        """Draw a box, centred on x, and return its top."""
        box = FancyBboxPatch((x - width / 2, bottom), width, height, "round,pad=0,rounding_size=0.06", zorder=2)
        box.set(facecolor=(*to_rgb(colour), 0.16), edgecolor=(*to_rgb(colour), 0.8), linewidth=1)
        self.axes.add_patch(box)
        self.text(x, bottom + height / 2, text)
        left, right, top = x - width / 2, x + width / 2, bottom + height
        words = text.replace("\n", " ")
        self.boxes.append({"box": words, "left": left, "right": right, "bottom": bottom, "top": top})
        return top

    def pile(self, x: float, bottom: float, text: str, colour: str, height: float = SLIM, width: float = WIDE) -> float:
        """Draw a box with the edges of two more behind it, and return its top."""
        left, right, top = x - width / 2, x + width / 2, bottom + height
        for away in (STEP, 2 * STEP):
            corners = [(left, top - STEP), (left, top), (right, top), (right, bottom), (right - STEP, bottom)]
            self.path(*((a + away, b + away) for a, b in corners), colour=colour, arrow=False)
        return self.box(x, bottom, text, colour, height, width)

    def text(self, x: float, y: float, text: str, colour: str = INK, align: str = "center") -> None:
        """Write around (x, y), or beginning or ending there."""
        self.axes.text(x, y, text, color=colour, fontsize=9.5, ha=align, va="center", linespacing=1.15, zorder=4)

    def path(self, *points: Point, colour: str = SOFT, arrow: bool = True) -> None:
        """Draw a line through the points, round at its corners, with a head at its end."""
        vertices, codes = [points[0]], [Path.MOVETO]
        for before, corner, after in zip(points, points[1:], points[2:], strict=False):
            vertices += [_near(corner, before), corner, _near(corner, after)]
            codes += [Path.LINETO, Path.CURVE3, Path.CURVE3]
        line = Path([*vertices, points[-1]], [*codes, Path.LINETO])
        style = "-|>,head_length=4,head_width=2" if arrow else "-"
        patch = FancyArrowPatch(path=line, arrowstyle=style, color=colour, linewidth=1.2, fill=arrow, zorder=3)
        self.axes.add_patch(patch)

    def finished(self) -> Figure:
        """Return the figure with its data: the boxes and where they stand, in inches."""
        own_data(self.figure, pd.DataFrame(self.boxes).round(4))
        return self.figure

    def rise(self, x: float, bottom: float, by: float = RISE) -> float:
        """Draw an arrow upwards, and return where it ends."""
        self.path((x, bottom), (x, bottom + by))
        return bottom + by

    def plus(self, x: float, y: float, radius: float = 0.1) -> None:
        """Draw the sign of a sum."""
        self.axes.add_patch(Circle((x, y), radius, facecolor=(*to_rgb(SOFT), 0.16), edgecolor=SOFT, zorder=3))
        for dx, dy in ((radius / 2, 0), (0, radius / 2)):
            self.path((x - dx, y - dy), (x + dx, y + dy), arrow=False)


def _near(corner: Point, other: Point, radius: float = 0.08) -> Point:
    """The point between a corner and another point at which the corner begins to be round."""
    share = min(radius / math.dist(corner, other), 0.5)
    return corner[0] + share * (other[0] - corner[0]), corner[1] + share * (other[1] - corner[1])


@dataclass(frozen=True)
class Sublayer:
    """What the box of a sub-layer says, what it is, and what can be noted beside it."""

    text: str
    colour: str = ACCENT
    reads_memory: bool = False
    note: str = ""


ENCODER = (
    Sublayer("multi-head\nself-attention", note="h maps, n × n"),
    Sublayer("feed-forward", SECOND, note="n × d_ff inside"),
)
DECODER = (
    Sublayer("masked multi-head\nself-attention", note="h maps, n × n"),
    Sublayer("multi-head\ncross-attention", reads_memory=True, note="h maps, n × m"),
    Sublayer("feed-forward", SECOND, note="n × d_ff inside"),
)


@dataclass
class Column:
    """Encoder or decoder, drawn from its foot to its head.

    Args:
        canvas: where it is drawn.
        x: its middle.
        outside: the side of the residual connections; the memory comes from the other one.
        noted: whether shapes are noted.
    """

    canvas: Canvas
    x: float
    outside: int
    noted: bool = False
    y: float = 0.0

    def embedding(self, tokens: str) -> None:
        """Draw the way from tokens to sums of embeddings and positions."""
        self.canvas.text(self.x, 0.12, tokens, SOFT)
        top = self.canvas.box(self.x, self.canvas.rise(self.x, 0.24), "embedding", THIRD)
        self.y = self.canvas.rise(self.x, top, 0.14) + 0.1
        side = LEFT if self.noted else self.outside
        self.canvas.path((self.x + side * 0.52, self.y), (self.x + side * 0.1, self.y))
        self.canvas.plus(self.x, self.y)
        self.canvas.text(self.x + side * 0.57, self.y, "positions", SOFT, "left" if side == RIGHT else "right")
        self._note(self.y, "n × d_model")
        self.y += 0.1

    def layer(self, sublayers: Sequence[Sublayer], number_at: int) -> list[Point]:
        """Draw one layer, say that there are N, and return the corners at which it waits for a memory."""
        bottom, outer, inner = self.y + 0.1, WIDE / 2 + AROUND + 0.12, WIDE / 2 + 0.12
        self.y += 0.06
        waiting = [self._sublayer(sublayer) for sublayer in sublayers]
        left, right = (outer, inner) if self.outside == LEFT else (inner, outer)
        self.canvas.panel(self.x - left, bottom, self.x + right, self.y + 0.12)
        edge = self.x + number_at * (0.1 + (left if number_at == LEFT else right))
        middle = bottom + 0.75
        self.canvas.text(edge, middle, "N ×", align="left" if number_at == RIGHT else "right")
        self.y += 0.12
        return [corner for corner in waiting if corner]

    def _sublayer(self, sublayer: Sublayer) -> Point | None:
        """Draw a sub-layer and the path around it; return the corner at which it waits for the memory."""
        canvas, x, start = self.canvas, self.x, self.y
        split, fork = start + 0.17, start + 0.31
        attends = sublayer.colour == ACCENT
        foot = start + (0.5 if attends else 0.36)
        corner = None
        if sublayer.reads_memory:
            outer = x + self.outside * FORK
            canvas.path((x, start), (x, split + 0.05), (outer, split + 0.05), (outer, foot))
            corner = (x, fork + 0.03)
        else:
            canvas.path((x, start), (x, foot))
            for to in (x - FORK, x + FORK) if attends else ():
                canvas.path((x, fork - 0.06), (x, fork), (to, fork), (to, foot))
        top = canvas.box(x, foot, sublayer.text, sublayer.colour, TALL)
        self._note(foot + TALL / 2, sublayer.note)
        norm = canvas.rise(x, top, 0.16)
        beside = x + self.outside * (WIDE / 2 + AROUND)
        middle, edge = norm + SLIM / 2, x + self.outside * WIDE / 2
        canvas.path((x, split), (beside, split), (beside, middle), (edge, middle))
        self.y = canvas.box(x, norm, "add & norm", SOFT)
        self._note(norm + SLIM / 2, "n × d_model")
        return corner

    def head(self) -> None:
        """Draw the way from the last layer to the next token's distribution."""
        top = self.canvas.box(self.x, self.canvas.rise(self.x, self.y), "linear", THIRD)
        self._note(top - SLIM / 2, "n × vocabulary")
        top = self.canvas.box(self.x, self.canvas.rise(self.x, top, 0.16), "softmax", SOFT)
        self.canvas.text(self.x, self.canvas.rise(self.x, top) + 0.11, "next token's probabilities", SOFT)

    def receive(self, corner: Point, *before: Point) -> None:
        """Draw the memory's way to the keys and the values of a cross-attention."""
        x, y = corner
        foot = y + 0.16
        inner = x - self.outside * FORK
        self.canvas.path(*before, (x, y), (x, foot), colour=ACCENT)
        self.canvas.path((inner - self.outside * 0.12, y), (inner, y), (inner, foot), colour=ACCENT)

    def _note(self, y: float, text: str) -> None:
        if self.noted:
            away = WIDE / 2 + 0.2 + (AROUND if self.outside == RIGHT else 0)
            self.canvas.text(self.x + away, y, text, SOFT, "left")


def encoder_diagram() -> Figure:
    """Draw the encoder, the left half of the paper's Figure 1, with shapes."""
    with book_style():
        canvas = Canvas(3.36, 4.3)
        column = Column(canvas, 1.4, LEFT, noted=True)
        column.embedding("source tokens")
        column.layer(ENCODER, number_at=LEFT)
        canvas.text(1.4, canvas.rise(1.4, column.y, 0.22) + 0.1, "memory", ACCENT)
    return canvas.finished()


def decoder_diagram() -> Figure:
    """Draw the decoder, the right half of the paper's Figure 1, with shapes."""
    with book_style():
        canvas = Canvas(4.05, 6.75)
        column = Column(canvas, 1.85, RIGHT, noted=True)
        column.embedding("target tokens, shifted right")
        (corner,) = column.layer(DECODER, number_at=LEFT)
        column.receive(corner, (0.1, corner[1]))
        canvas.text(0.1, corner[1] + 0.13, "memory", ACCENT, "left")
        canvas.text(0.1, corner[1] - 0.13, "m × d_model", SOFT, "left")
        column.head()
    return canvas.finished()


def transformer_diagram() -> Figure:
    """Draw encoder and decoder, the paper's Figure 1; what crosses from one to the other is in colour."""
    with book_style():
        canvas = Canvas(4.9, 6.75)
        encoder, decoder = Column(canvas, 1.4, LEFT), Column(canvas, 3.5, RIGHT)
        encoder.embedding("source tokens")
        encoder.layer(ENCODER, number_at=LEFT)
        decoder.embedding("target tokens, shifted right")
        (corner,) = decoder.layer(DECODER, number_at=RIGHT)
        decoder.head()
        above, lane = encoder.y + 0.16, 2.45
        way = [(encoder.x, encoder.y), (encoder.x, above), (lane, above), (lane, corner[1])]
        decoder.receive(corner, *way)
        canvas.text(encoder.x, above + 0.12, "memory", ACCENT)
    return canvas.finished()


def attention_diagram() -> Figure:
    """Draw scaled dot-product attention, the left half of the paper's Figure 2, with shapes."""
    with book_style():
        canvas = Canvas(4.25, 3.5)
        query, key, value = 0.65, 1.45, 2.35
        beside, note = (query + key) / 2, 2.95
        for x, name, shape in ((query, "Q", "n × d_k"), (key, "K", "m × d_k"), (value, "V", "m × d_v")):
            canvas.text(x, 0.33, name, ACCENT)
            canvas.text(x, 0.12, shape, SOFT)
        foot = 0.7
        for x in (query, key):
            canvas.path((x, 0.45), (x, foot))
        y = canvas.box(beside, foot, "Q Kᵀ", ACCENT)
        for words in ("÷ √d_k", "mask, if there is one", "softmax"):
            y = canvas.box(beside, canvas.rise(beside, y), words, SOFT)
        weights, left, width = y + 0.3, beside - WIDE / 2, value + 0.25 - (beside - WIDE / 2)
        canvas.path((beside, y), (beside, weights))
        canvas.path((value, 0.45), (value, weights))
        top = canvas.box(left + width / 2, weights, "weights · V", ACCENT, width=width)
        canvas.text(left + width / 2, canvas.rise(left + width / 2, top) + 0.11, "output", ACCENT)
        canvas.text(note, foot + SLIM / 2, "scores, n × m", SOFT, "left")
        canvas.text(note, y - SLIM / 2, "weights, n × m", SOFT, "left")
        canvas.text(note, top - SLIM / 2, "n × d_v", SOFT, "left")
    return canvas.finished()


def multi_head_diagram() -> Figure:
    """Draw multi-head attention, the right half of the paper's Figure 2, with shapes."""
    with book_style():
        canvas = Canvas(5.6, 3.25)
        places, note, back = (0.75, 1.85, 2.95), 3.85, 2 * STEP
        middle, width = places[1], places[2] - places[0] + 0.9
        for x, name in zip(places, "QKV", strict=True):
            canvas.text(x, 0.12, name, ACCENT)
            canvas.path((x, 0.24), (x, 0.5))
            projected = canvas.pile(x, 0.5, f"linear, W_{name}", THIRD, width=0.9)
            canvas.path((x, projected + back), (x, 1.22))
        heads = canvas.pile(middle, 1.22, "attention", ACCENT, height=0.36, width=width)
        canvas.path((middle, heads + back), (middle, 2.02))
        joined = canvas.box(middle, 2.02, "side by side", SOFT, width=width)
        top = canvas.box(middle, canvas.rise(middle, joined), "linear, W_O", THIRD, width=width)
        canvas.text(middle, canvas.rise(middle, top) + 0.11, "output", ACCENT)
        canvas.text(note, 0.12, "n or m × d_model", SOFT, "left")
        canvas.text(note, projected - SLIM / 2, "h times, d_k or d_v wide", SOFT, "left")
        canvas.text(note, heads - 0.18, "h heads, n × d_v", SOFT, "left")
        canvas.text(note, joined - SLIM / 2, "n × h·d_v", SOFT, "left")
        canvas.text(note, top - SLIM / 2, "n × d_model", SOFT, "left")
    return canvas.finished()

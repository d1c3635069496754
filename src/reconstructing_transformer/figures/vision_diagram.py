"""The Vision Transformer (Dosovitskiy et al. 2021, Figure 1), drawn anew, with shapes and the equations' numbers.

It is read from below, like the diagrams of Part I, and has their colours.
"""

from dataclasses import dataclass

from matplotlib.figure import Figure

from reconstructing_transformer.figures.diagrams import (
    AROUND,
    FORK,
    LEFT,
    RIGHT,
    RISE,
    SLIM,
    TALL,
    WIDE,
    Canvas,
)
from reconstructing_transformer.figures.style import ACCENT, INK, SECOND, SOFT, THIRD, book_style

X = 1.95  # the middle of the column
EQUATION = 0.1  # where the equations' numbers stand
SHAPE = X + WIDE / 2 + 0.28  # where shapes stand


@dataclass
class PreNorm:
    """The column of a Vision Transformer, drawn from its foot to its head."""

    canvas: Canvas
    y: float = 0.0

    def note(self, y: float, equation: str, shape: str) -> None:
        """Say which equation stands at a height, and what shape the sequence has there."""
        self.canvas.text(EQUATION, y, equation, INK, "left")
        self.canvas.text(SHAPE, y, shape, SOFT, "left")

    def embedding(self) -> None:
        """Draw the way from patches to z_0."""
        canvas = self.canvas
        canvas.text(X, 0.12, "patches", SOFT)
        canvas.text(SHAPE, 0.12, "N × P²C", SOFT, "left")
        top = canvas.box(X, canvas.rise(X, 0.24), "linear, E", THIRD)
        self.note(top - SLIM / 2, "", "N × D")
        foot = canvas.rise(X, top, 0.24)
        join = canvas.box(X, foot, "one after the other", SOFT)
        middle = foot + SLIM / 2
        canvas.path((X - WIDE / 2 - 0.24, middle), (X - WIDE / 2, middle))
        canvas.text(X - WIDE / 2 - 0.29, middle, "class\ntoken", ACCENT, "right")
        self.note(middle, "", "(N + 1) × D")
        self.y = canvas.rise(X, join, 0.14) + 0.1
        canvas.path((X - 0.52, self.y), (X - 0.1, self.y))
        canvas.plus(X, self.y)
        canvas.text(X - 0.57, self.y, "positions", SOFT, "right")
        self.note(self.y, "Eq. 1", "z₀")
        self.y += 0.1

    def layer(self) -> None:
        """Draw one layer, and say that there are L."""
        bottom = self.y + 0.1
        self.y += 0.06
        self._sublayer("multi-head\nself-attention", ACCENT, "Eq. 2", "k maps, (N + 1)²")
        self._sublayer("MLP", SECOND, "Eq. 3", "(N + 1) × d_ff inside")
        self.canvas.panel(X - WIDE / 2 - AROUND - 0.12, bottom, X + WIDE / 2 + 0.12, self.y + 0.08)
        self.canvas.text(X - WIDE / 2 - AROUND - 0.22, bottom + 0.16, "L ×", align="right")
        self.y += 0.08

    def _sublayer(self, text: str, colour: str, equation: str, shape: str) -> None:
        """Draw norm and sub-layer, and the path around both that meets them in a sum."""
        canvas, start = self.canvas, self.y
        split, foot = start + 0.17, start + 0.33
        canvas.path((X, start), (X, foot))
        top = canvas.box(X, foot, "norm", SOFT)
        attends = colour == ACCENT
        below = canvas.rise(X, top, 0.32 if attends else RISE)
        for side in (LEFT, RIGHT) if attends else ():
            fork = top + 0.13
            canvas.path((X, fork - 0.06), (X, fork), (X + side * FORK, fork), (X + side * FORK, below))
        top = canvas.box(X, below, text, colour, TALL)
        self.note(below + TALL / 2, "", shape)
        plus = canvas.rise(X, top, 0.14) + 0.1
        beside = X - WIDE / 2 - AROUND
        canvas.path((X, split), (beside, split), (beside, plus), (X - 0.1, plus))
        canvas.plus(X, plus)
        self.note(plus, equation, "(N + 1) × D")
        self.y = plus + 0.1

    def head(self) -> None:
        """Draw the way from the class token's vector to the logits."""
        canvas = self.canvas
        foot = canvas.rise(X, self.y, 0.36)
        canvas.text(X + 0.1, foot - 0.13, "place 0 alone", ACCENT, "left")
        top = canvas.box(X, foot, "norm", SOFT)
        self.note(foot + SLIM / 2, "Eq. 4", "y, D")
        top = canvas.box(X, canvas.rise(X, top), "linear", THIRD)
        self.note(top - SLIM / 2, "", "classes")
        canvas.text(X, canvas.rise(X, top) + 0.11, "logits", SOFT)


def vision_transformer_diagram() -> Figure:
    """Draw the Vision Transformer, with shapes on the right and the equations' numbers on the left."""
    with book_style():
        canvas = Canvas(4.45, 6.6)
        column = PreNorm(canvas)
        column.embedding()
        column.layer()
        column.head()
    return canvas.finished()

"""From the decoder of 2017 to LLaMA-2, drawn as six columns: what is new in each is red, all else is grey."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from reconstructing_transformer.figures.diagrams import AROUND, Canvas
from reconstructing_transformer.figures.style import ACCENT, INK, SOFT, book_style

APART = 1.3  # from the middle of a column to that of the next
BROAD, FLAT, HIGH = 1.0, 0.26, 0.44  # of boxes
GAP = 0.15  # between a box and the next one


@dataclass(frozen=True)
class Rung:
    """What one column says, and which of its parts are new.

    Args:
        name: what stands below it.
        attention: the words in its box.
        feed_forward: the words in its box.
        norm: the words in each of its boxes.
        norm_first: whether the norms stand before the sub-layers.
        sinusoids: whether positions are added to the embeddings.
        new: some of `attention`, `feed_forward`, `norm`, `positions`.
    """

    name: str
    attention: str = "multi-head\nattention"
    feed_forward: str = "ReLU\nnetwork"
    norm: str = "LayerNorm"
    norm_first: bool = True
    sinusoids: bool = True
    new: tuple[str, ...] = ()

    def colour(self, part: str) -> str:
        """Red for what is new."""
        return ACCENT if part in self.new else SOFT


RUNGS = (
    Rung("2017", norm_first=False),
    Rung("pre-norm", new=("norm",)),
    Rung("rms-norm", norm="RMSNorm", new=("norm",)),
    Rung("rotary", "rotary\nmulti-head", norm="RMSNorm", sinusoids=False, new=("attention", "positions")),
    Rung("swiglu", "rotary\nmulti-head", "SwiGLU\nnetwork", "RMSNorm", sinusoids=False, new=("feed_forward",)),
    Rung("llama", "rotary\ngrouped", "SwiGLU\nnetwork", "RMSNorm", sinusoids=False, new=("attention",)),
)


def _around(canvas: Canvas, x: float, start: float, rung: Rung, part: str) -> float:
    """Draw a sub-layer, its norm, and the path around them; return the height that it ends at."""
    split, words = start + 0.07, getattr(rung, part)

    def norm(y: float) -> float:
        return canvas.box(x, canvas.rise(x, y, GAP), rung.norm, rung.colour("norm"), FLAT, BROAD)

    top = norm(start) if rung.norm_first else start
    top = canvas.box(x, canvas.rise(x, top, GAP), words, rung.colour(part), HIGH, BROAD)
    plus = canvas.rise(x, top, 0.1) + 0.08
    beside = x - BROAD / 2 - AROUND / 2
    canvas.path((x, split), (beside, split), (beside, plus), (x - 0.08, plus))
    canvas.plus(x, plus, 0.08)
    return plus + 0.08 if rung.norm_first else norm(plus + 0.08)


def _column(canvas: Canvas, x: float, rung: Rung) -> None:
    canvas.text(x, 0.14, rung.name, ACCENT if rung.new else INK)
    top = canvas.box(x, 0.34, "embedding", SOFT, FLAT, BROAD)
    foot = top + GAP
    if rung.sinusoids:
        top = canvas.box(x, canvas.rise(x, top, GAP), "+ sinusoids", SOFT, FLAT, BROAD)
    elif "positions" in rung.new:
        canvas.path((x, top), (x, foot), arrow=False)
        canvas.text(x, foot + FLAT / 2, "no sinusoids", ACCENT)
        top = foot + FLAT
    else:
        canvas.path((x, top), (x, foot + FLAT), arrow=False)
        top = foot + FLAT
    bottom = top + 0.04
    top = _around(canvas, x, top, rung, "attention")
    top = _around(canvas, x, top, rung, "feed_forward")
    canvas.panel(x - BROAD / 2 - 0.13, bottom, x + BROAD / 2 + 0.07, top + 0.07)
    if rung.norm_first:
        top = canvas.box(x, canvas.rise(x, top, GAP + 0.08), rung.norm, rung.colour("norm"), FLAT, BROAD)
    canvas.text(x, canvas.rise(x, top, GAP + 0.08) + 0.12, "logits", SOFT)


def steps_diagram(rungs: Sequence[Rung] = RUNGS) -> Figure:
    """Draw the ladder of six language models, from left to right.

    Args:
        rungs: what each of them is made of.

    Returns:
        The figure, with its boxes as data.
    """
    with book_style():
        canvas = Canvas(APART * len(rungs) + 0.1, 4.45)
        for place, rung in enumerate(rungs):
            _column(canvas, APART * (place + 0.5) + 0.07, rung)
    return canvas.finished()

"""The curves of a run's page: what was logged, over the steps, drawn in the page's own colours."""

from dataclasses import dataclass

import matplotlib.pyplot as plt
import pandas as pd

from reconstructing_transformer.figures.figure import still
from reconstructing_transformer.figures.style import COLOURS, RULE, book_style
from reconstructing_transformer.figures.vector import in_page
from reconstructing_transformer.tracking.forms import one_line
from reconstructing_transformer.tracking.record import RunRecord

POINTS = 400  # of a curve on a page; the record has all of them
PANELS = {"loss": ("loss", "perplexity"), "score": ("accuracy", "f1", "bleu", "chrf", "score", "exact")}


@dataclass(frozen=True)
class Curves:
    """One drawing of a run's page.

    Args:
        title: what is drawn.
        alt: the same, for who cannot see it.
        svg: the drawing, as it stands in the page.
        thinned: whether only some of the points are drawn.
    """

    title: str
    alt: str
    svg: str
    thinned: bool


def _curve(record: RunRecord, name: str) -> pd.Series:
    points = {row["step"]: row[name] for row in record.history if name in row and "step" in row}
    return pd.Series(points, name=name, dtype=float).sort_index()


def _thin(curve: pd.Series) -> pd.Series:
    """At most so many points of a curve as a page can show; the last one is among them."""
    if len(curve) <= POINTS:
        return curve
    stride = -(-len(curve) // POINTS)
    return curve.iloc[sorted({*range(0, len(curve), stride), len(curve) - 1})]


def _label(name: str) -> str:
    r"""A name for a legend: no formula to matplotlib, which reads `$…$` as one and leaves out what begins with `_`."""
    return one_line(name).lstrip("_").replace("$", r"\$") or "value"


def _draw(title: str, curves: list[pd.Series], alt: str) -> str:
    with book_style():
        figure, axes = plt.subplots(figsize=(7.2, 2.9))
        for place, curve in enumerate(curves):
            marker = "." if len(curve) <= 30 else ""
            colour = COLOURS[place % len(COLOURS)]
            axes.plot(curve.index, curve, color=colour, marker=marker, linewidth=1.6, label=_label(str(curve.name)))
        axes.set_xlabel("step")
        axes.set_ylabel(_label(title))
        axes.grid(axis="y", color=RULE)
        if len(curves) > 1:
            axes.legend()
        for _ in range(2):
            figure.draw_without_rendering()
        figure.set_layout_engine("none")
        svg = in_page(figure, alt)
    plt.close(figure)
    return still(svg)


def curves_of(record: RunRecord) -> list[Curves]:
    """Draw what a run logged: its losses, and its scores.

    Args:
        record: the run.

    Returns:
        A drawing for each of the two that the run has logged more than once.
    """
    names = dict.fromkeys(name for row in record.history for name in row)
    drawings = []
    for panel, words in PANELS.items():
        whole = [_curve(record, name) for name in names if any(word in name.lower() for word in words)]
        whole = [curve for curve in whole if len(curve) > 1]
        if not whole:
            continue
        thin = [_thin(curve) for curve in whole]
        title = one_line(str(whole[0].name)) if len(whole) == 1 else panel
        said = ", ".join(f"{curve.name} goes from {curve.iloc[0]:.3g} to {curve.iloc[-1]:.3g}" for curve in whole)
        alt = one_line(f"{panel} over {int(max(curve.index.max() for curve in whole)):,} steps: {said}")
        thinned = any(len(short) < len(long) for short, long in zip(thin, whole, strict=True))
        drawings.append(Curves(title, alt, _draw(title, thin, alt), thinned))
    return drawings

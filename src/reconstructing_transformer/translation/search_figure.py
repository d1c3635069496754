"""A beam search as a tree that one can read: what was kept, what was cut, and how likely it all was."""

import math
from collections.abc import Sequence

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Rectangle

from reconstructing_transformer.figures import ACCENT, INK, SECOND, SOFT, THIRD, book_style, labelled
from reconstructing_transformer.figures.data import Data
from reconstructing_transformer.translation.beam import Candidate
from reconstructing_transformer.translation.tokeniser import END, Tokeniser
from reconstructing_transformer.translation.translator import END_LABEL

WIDE, TALL, STRIP = 0.8, 0.42, 0.08  # of a candidate's box and of the colour at its side, in inches
ACROSS, DOWN = 0.87, 0.68  # from one candidate to the next, and from one step to the next
LETTERS = 9  # that have room in a box
BORDERS = {"live": SOFT, "ended": THIRD, "dropped": "none"}

Place = tuple[int, int]  # step, candidate
Point = tuple[float, float]


def percent(probability: float) -> str:
    """Write a probability in few digits.

    Args:
        probability: from 0 to 1.

    Returns:
        `31 %`, `3.1 %` or `0.3 %`; what is less than that is `< 0.1 %`.
    """
    if probability < 0.001:
        return "< 0.1 %"
    return f"{100 * probability:.{0 if probability >= 0.0995 else 1}f} %"


def _places(tree: Sequence[Sequence[Candidate]], middle: float) -> dict[Place, Point]:
    """Where each candidate stands: in the order of the parents, so that few lines cross; then the likeliest first."""
    places: dict[Place, Point] = {}
    for step, candidates in enumerate(tree):
        parents = [middle if one.parent is None else places[step - 1, one.parent][0] for one in candidates]
        order = sorted(range(len(candidates)), key=lambda index: (parents[index], index))
        left = middle - ACROSS * (len(candidates) - 1) / 2
        places |= {(step, index): (left + ACROSS * slot, -DOWN * (step + 1)) for slot, index in enumerate(order)}
    return dict(sorted(places.items()))


def _way(tree: Sequence[Sequence[Candidate]], tokens: Sequence[int]) -> set[Place]:
    """The candidates that a sentence passes through, as far as it is in the tree."""
    way: list[Place] = []
    for step, (candidates, token) in enumerate(zip(tree, [*tokens, END], strict=False)):
        before = way[-1][1] if way else None
        here = [index for index, one in enumerate(candidates) if (one.parent, one.token) == (before, token)]
        if not here:
            break
        way.append((step, here[0]))
    return set(way)


def _box(axes: Axes, place: Point, word: str, candidate: Candidate) -> None:
    """Draw a candidate. Only one that was not cut has a border."""
    (x, y), probability = place, math.exp(candidate.log_probability)
    left, bottom, kept = x - WIDE / 2, y - TALL / 2, candidate.fate != "dropped"
    if round(probability, 3):  # of less than that nobody would see anything
        colour = (*to_rgb(ACCENT), probability)
        axes.add_patch(Rectangle((left + 0.045, bottom + 0.06), STRIP, TALL - 0.12, facecolor=colour))
    border = FancyBboxPatch((left, bottom), WIDE, TALL, "round,pad=0,rounding_size=0.05", facecolor="none")
    border.set(edgecolor=BORDERS[candidate.fate], linewidth=1.2)
    axes.add_patch(border)
    centre = {"ha": "center", "va": "center"}
    short = word if len(word) <= LETTERS else f"{word[: LETTERS - 1]}…"
    size = 9.5 if len(short) < LETTERS - 1 else 8.2
    axes.text(x + STRIP / 2, y + 0.09, short, color=INK if kept else SOFT, fontsize=size, **centre)
    axes.text(x + STRIP / 2, y - 0.1, percent(probability), color=SOFT, fontsize=8.5, **centre)


def _labels(tree: Sequence[Sequence[Candidate]], tokeniser: Tokeniser) -> list[list[str]]:
    return [
        [END_LABEL if one.token == END else tokeniser.tokens([one.token])[0] for one in candidates]
        for candidates in tree
    ]


def search_data(tree: Sequence[Sequence[Candidate]], tokeniser: Tokeniser) -> dict[str, Data]:
    """What `draw_search` draws, for who takes it home.

    Args:
        tree: what `search_tree` returned.
        tokeniser: the model's.

    Returns:
        The tree as a table, each candidate with its parent, its token and its fate; and the probability of each, with
        all that stands above it. Candidates are called `1a`, `1b` and so on, after the step and from the likeliest on.
    """

    def name(step: int, index: int | None) -> str:
        return "begin" if index is None else f"{step + 1}{chr(ord('a') + index)}"

    rows = [
        {"candidate": name(step, index), "parent": name(step - 1, one.parent), "token": word, "fate": one.fate}
        for step, (candidates, words) in enumerate(zip(tree, _labels(tree, tokeniser), strict=True))
        for index, (one, word) in enumerate(zip(candidates, words, strict=True))
    ]
    likely = [math.exp(one.log_probability) for candidates in tree for one in candidates]
    names = [row["candidate"] for row in rows]
    return {"tree": pd.DataFrame(rows), "probabilities": labelled(likely, candidate=names)}


def draw_search(
    tree: Sequence[Sequence[Candidate]], tokeniser: Tokeniser, best: Sequence[int], beside: Sequence[int] = ()
) -> Figure:
    """Draw what a beam search had to choose from, a row a step, and what it chose.

    Args:
        tree: what `search_tree` returned.
        tokeniser: the model's.
        best: tokens of the translation that was found, without END; the way to it is drawn in the accent's colour.
        beside: tokens of another one, say the greedy one; its way is drawn in the second colour, as far as it goes.

    Returns:
        The figure; `search_data` has its data.
    """
    pieces = _labels(tree, tokeniser)
    width, height = ACROSS * max(map(len, tree)) + 0.1, DOWN * len(tree) + 0.6
    places, ways = _places(tree, width / 2), ((_way(tree, beside), SECOND), (_way(tree, best), ACCENT))
    with book_style():
        figure = plt.figure(figsize=(width, height), layout="none")
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(0, width), ylim=(0.3 - height, 0.3))
        axes.set_axis_off()
        axes.text(width / 2, 0.1, "begin", color=SOFT, ha="center", va="center", fontsize=9.5)
        for (step, index), (x, y) in places.items():
            one = tree[step][index]
            above = (width / 2, 0.0) if one.parent is None else places[step - 1, one.parent]
            top = above[1] if one.parent is None else above[1] - TALL / 2
            colours = [colour for way, colour in ways if (step, index) in way]
            colour = colours[-1] if colours else (*to_rgb(SOFT), 0.4) if one.fate == "dropped" else SOFT
            axes.plot([above[0], x], [top, y + TALL / 2], color=colour, linewidth=2.2 if colours else 1.2)
            _box(axes, (x, y), pieces[step][index], one)
    return figure

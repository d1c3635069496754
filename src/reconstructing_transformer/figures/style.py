"""One palette and one style for all figures. On a page each colour becomes a CSS variable, so that it can turn dark."""

from contextlib import AbstractContextManager

import matplotlib as mpl

INK = "#1d1b19"
SOFT = "#6a645d"
RULE = "#e6e0d6"
CELL = "#f1ebe0"
ACCENT = "#b4441f"
SECOND = "#1f4e79"
THIRD = "#2f6d4f"

# Colour → the CSS variable that stands for it on a page.
VARIABLES = {
    INK: "--ink",
    SOFT: "--soft",
    RULE: "--rule",
    CELL: "--cell",
    ACCENT: "--accent",
    SECOND: "--second",
    THIRD: "--third",
}
# Colour → its counterpart on dark paper, as in `book.css`.
DARK = {
    INK: "#ece7df",
    SOFT: "#a89f94",
    RULE: "#35322d",
    CELL: "#2b2824",
    ACCENT: "#f08a5d",
    SECOND: "#8db8e8",
    THIRD: "#7cc6a0",
}
DARK_PAPER = "#171614"
COLOURS = [ACCENT, SECOND, THIRD, SOFT]

STYLE = {
    "figure.figsize": (7.2, 3.6),
    "figure.facecolor": "none",
    "figure.constrained_layout.use": True,
    "savefig.facecolor": "none",
    "axes.facecolor": "none",
    "axes.edgecolor": RULE,
    "axes.labelcolor": SOFT,
    "axes.titlecolor": INK,
    "axes.titlesize": 11.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 10,
    "axes.labelsize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": mpl.cycler(color=COLOURS),
    "axes.grid": False,
    "axes.axisbelow": True,
    "grid.color": RULE,
    "text.color": INK,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.labelcolor": SOFT,
    "ytick.labelcolor": SOFT,
    "xtick.labelsize": 10.5,
    "ytick.labelsize": 10.5,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "xtick.minor.size": 0,
    "ytick.minor.size": 0,
    "legend.frameon": False,
    "legend.fontsize": 10.5,
    "lines.linewidth": 2,
    "lines.solid_capstyle": "round",
    "path.simplify": False,  # every point of a curve is in the file, so that it can be read back
    "font.family": "sans-serif",
    "svg.fonttype": "none",
    "svg.hashsalt": "reconstructing-transformer",
}


def book_style() -> AbstractContextManager[None]:
    """Return a context in which matplotlib draws in the book's style."""
    return mpl.rc_context(STYLE)

"""A matplotlib figure as vector graphics inside the page."""

import hashlib
import io
import re
from dataclasses import dataclass
from html import escape

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from reconstructing_transformer.figures.style import VARIABLES, book_style

USED = re.compile(r"(?:xlink:href=\"|url\()#([\w-]+)")
IDENTIFIER = re.compile(r'(?<=\s)id="([\w.-]+)"')
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"


def _svg_of(figure: Figure) -> str:
    buffer = io.StringIO()
    with book_style():
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def _own_identifiers(svg: str) -> str:
    """Keep only the ids that something refers to, and make them unlike those of every other figure on the page."""
    key = hashlib.sha256(svg.encode()).hexdigest()[:8]
    used = set(USED.findall(svg))
    svg = IDENTIFIER.sub(lambda found: f'id="f{key}-{found[1]}"' if found[1] in used else "", svg)
    return USED.sub(lambda found: found[0].replace(f"#{found[1]}", f"#f{key}-{found[1]}"), svg)


def _own_colours(svg: str) -> str:
    for colour, variable in VARIABLES.items():
        svg = re.sub(colour, f"var({variable}, {colour})", svg, flags=re.IGNORECASE)
    return svg


def _in_page(svg: str, alt: str) -> str:
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r"font: ([^;\"]*?)'?[\w ]+'?(?:, [^;\"]*)?sans-serif", rf"font: \1{FONT}", svg)
    width = re.search(r'width="([\d.]+)pt"', svg)
    height = re.search(r'height="([\d.]+)pt"', svg)
    assert width is not None
    assert height is not None
    pixels = [round(float(found[1]) * 4 / 3) for found in (width, height)]
    attributes = f'role="img" aria-label="{escape(alt)}" width="{pixels[0]}" height="{pixels[1]}"'
    svg = re.sub(r'\s(?:width|height)="[\d.]+pt"', "", svg, count=2)
    return svg.replace("<svg", f"<svg {attributes}", 1)


@dataclass(frozen=True)
class VectorFigure:
    """What a cell shows: the figure as vector graphics whose colours are the page's own."""

    svg: str
    alt: str

    def _repr_html_(self) -> str:
        return f'<div class="vector-figure" tabindex="0">{self.svg}</div>'

    def __repr__(self) -> str:
        """Say in text what the figure shows."""
        return f"[figure: {self.alt}]"


def show(figure: Figure, *, alt: str) -> VectorFigure:
    """Show a matplotlib figure in a page, light and dark.

    Args:
        figure: the figure, drawn inside `book_style()` and with the book's palette.
        alt: what the figure shows, for who cannot see it.

    Returns:
        An object that a notebook displays when it is the last value of a cell.

    Raises:
        ValueError: `alt` is empty.
    """
    if not alt.strip():
        raise ValueError("a figure needs `alt`: a sentence that says what it shows; an empty one was given")
    svg = _in_page(_own_colours(_own_identifiers(_svg_of(figure))), alt)
    plt.close(figure)
    return VectorFigure(svg, alt)

"""A matplotlib figure as vector graphics: inside the page in the page's own colours, and as files to take home."""

import hashlib
import io
import re
from html import escape

import matplotlib as mpl
from matplotlib.figure import Figure

from reconstructing_transformer.figures.style import DARK, DARK_PAPER, VARIABLES, book_style

USED = re.compile(r"(?:xlink:href=\"|url\()#([\w-]+)")
IDENTIFIER = re.compile(r'(?<=\s)id="([\w.-]+)"')
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
UNDATED = {  # a file that says when it was made would be another one in each build
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    "png": {"Software": None},
}


def _saved(figure: Figure, form: str, settings: dict[str, object], **more: object) -> bytes:
    buffer = io.BytesIO()
    with book_style(), mpl.rc_context({"figure.constrained_layout.use": False, **settings}):  # it is laid out already
        figure.savefig(buffer, format=form, metadata=UNDATED[form], **more)
    return buffer.getvalue()


def _svg_of(figure: Figure, fonts: str) -> str:
    text = _saved(figure, "svg", {"svg.fonttype": fonts}).decode()
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


def in_page(figure: Figure, alt: str) -> str:
    """Return a figure as an `<svg>` for a page: its colours are the page's, its text is text, its size is its own.

    Args:
        figure: the figure, drawn with the book's palette.
        alt: what it shows, for who cannot see it.
    """
    svg = _own_colours(_own_identifiers(_svg_of(figure, "none")))
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


def _dark(svg: str) -> str:
    """Turn a light drawing dark: each colour of the palette becomes its counterpart, on dark paper."""
    for light, dark in DARK.items():
        svg = re.sub(light, dark, svg, flags=re.IGNORECASE)
    start = svg.index(">", svg.index("<svg")) + 1
    return f'{svg[:start]}\n <rect width="100%" height="100%" fill="{DARK_PAPER}"/>{svg[start:]}'


def _with_title(svg: str, alt: str) -> str:
    start = svg.index(">", svg.index("<svg")) + 1
    return f"{svg[:start]}\n <title>{escape(alt)}</title>{svg[start:]}"


def drawing_files(figure: Figure, name: str, alt: str) -> dict[str, bytes]:
    """Draw a figure into files. The same figure gives the same bytes.

    Args:
        figure: the figure, drawn with the book's palette.
        name: what the files' names begin with.
        alt: what it shows; SVG files carry it as their title.

    Returns:
        Contents by file name: SVG, light and dark, whose letters are outlines, so that they look alike anywhere; PDF;
        and PNG on white, two pixels to each of the page's.
    """
    svg = _with_title(_svg_of(figure, "path"), alt)
    return {
        f"{name}.svg": svg.encode(),
        f"{name}-dark.svg": _dark(svg).encode(),
        f"{name}.pdf": _saved(figure, "pdf", {"pdf.fonttype": 42}),
        f"{name}.png": _saved(figure, "png", {}, dpi=2 * 96, facecolor="white"),
    }


def axes_places(figure: Figure) -> list[dict[str, object]]:
    """Say where each of a figure's axes lies in its SVG file, and what its edges stand for.

    Whoever has a figure's file can so read values off it. Lengths are the SVG's own units, from its upper left corner.

    Args:
        figure: a figure that has been drawn.

    Returns:
        For each of its axes: left, top, right and bottom; the limits and the scales of x and y.
    """
    width, height = (72 * inches for inches in figure.get_size_inches())
    places = []
    for axes in figure.axes:
        box = axes.get_position()
        edges = [box.x0 * width, (1 - box.y1) * height, box.x1 * width, (1 - box.y0) * height]
        places.append(
            {
                "box": [round(float(edge), 4) for edge in edges],
                "xlim": [float(limit) for limit in axes.get_xlim()],
                "ylim": [float(limit) for limit in axes.get_ylim()],
                "scales": [axes.get_xscale(), axes.get_yscale()],
            }
        )
    return places

"""The one call that makes a figure of the book: drawing, data, words, and the files that a reader can take home."""

import base64
import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from plotly.graph_objects import Figure as PlotlyFigure

from reconstructing_transformer.figures.data import Data, Label, LabelledTensor, data_files
from reconstructing_transformer.figures.style import book_style
from reconstructing_transformer.figures.vector import axes_places, drawing_files, in_page
from reconstructing_transformer.figures.view import AttentionView

MIME = "application/vnd.reconstructing-transformer.figure+json"
NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
ROLE = re.compile(r"\{[\w:-]+\}`([^`<]+?)(?:\s*<[^`>]+>)?`")
OWN_DATA = "_book_data"  # where a drawing function of this package leaves what it has drawn


@dataclass(frozen=True)
class BookFigure:
    """What a cell shows: a figure that can be numbered, cited and taken home.

    Args:
        id: its name, for as long as there is the book.
        caption: what one sees, in MyST Markdown.
        alt: what it shows, for who cannot see it.
        svg: the drawing inside the page.
        files: what can be taken home: contents by file name.
        plot: the same, to be pointed at: a Plotly figure as JSON; empty where there is none.
        view: the weights to be explored, as HTML around the drawing; empty where there are none.
    """

    id: str
    caption: str
    alt: str
    svg: str
    files: dict[str, bytes]
    plot: str = ""
    view: str = ""

    def _repr_html_(self) -> str:
        caption = escape(ROLE.sub(r"\1", self.caption))
        return (
            f'<figure style="background: #fffdf9; color: #1d1b19; padding: 1em">{self.svg}'
            f"<figcaption>{caption}</figcaption></figure>"
        )

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        payload = {
            "id": self.id,
            "caption": self.caption,
            "alt": self.alt,
            "svg": self.svg,
            "plot": self.plot,
            "view": self.view,
        }
        payload["files"] = {name: base64.b64encode(content).decode() for name, content in self.files.items()}
        return {MIME: payload, "text/html": self._repr_html_(), "text/plain": repr(self)}

    def __repr__(self) -> str:
        """Say in text what the figure shows."""
        return f"[figure {self.id}: {self.alt}]"


def own_data(figure: Figure, data: Data, name: str = "") -> None:
    """Leave with a figure what has been drawn into it, for `show` to write down.

    Args:
        figure: the figure.
        data: what has been drawn.
        name: which of several parts it is.
    """
    figure.__dict__.setdefault(OWN_DATA, []).append((name, data))


def _stacked(drawn: list[tuple[str, Data]]) -> Data | dict[str, Data]:
    """One tensor of maps with the same queries and keys; else each by its name."""
    tensors = [data for _, data in drawn if isinstance(data, LabelledTensor)]
    if len(drawn) == 1:
        return drawn[0][1]
    if len(tensors) == len(drawn) and all(tensor.axes == tensors[0].axes for tensor in tensors):
        axes: dict[str, list[Label]] = {"map": [name for name, _ in drawn], **tensors[0].axes}
        return LabelledTensor(np.stack([tensor.values for tensor in tensors]), axes)
    return {f"map-{i}": data for i, (_, data) in enumerate(drawn, start=1)}


def _data_of(figure: Figure, given: Data | Mapping[str, Data] | None) -> Data | Mapping[str, Data]:
    drawn = figure.__dict__.get(OWN_DATA, [])
    if given is None and not drawn:
        raise ValueError("a figure needs `data`: a table or a labelled tensor of what is drawn; none was given")
    if given is None:
        return _stacked(drawn)
    if not drawn:
        return given
    own = _stacked(drawn)
    more = given if isinstance(given, Mapping) else {"data": given}
    return {**(own if isinstance(own, dict) else {"maps": own}), **more}


def still(svg: str) -> str:
    """Return the drawing as it stands in a page: what is too wide for a phone scrolls."""
    return f'<div class="vector-figure" tabindex="0">{svg}</div>'


def figures_folder() -> Path:
    """Return where figures are saved: the folder that `RECONSTRUCT_FIGURES` names, else `figures` in the current."""
    return Path(os.environ.get("RECONSTRUCT_FIGURES") or "figures")


def save(figure: BookFigure, folder: Path) -> None:
    """Write a figure's files: each whole, or not at all.

    Args:
        figure: the figure.
        folder: where to; it is made where it is missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in figure.files.items():
        temporary = folder / f".{name}.{os.getpid()}.part"
        temporary.write_bytes(content)
        temporary.replace(folder / name)


def _check_words(id: str, caption: str, alt: str) -> None:  # noqa: A002
    if not NAME.fullmatch(id):
        raise ValueError(
            f"the id of a figure is of lower-case letters, digits and hyphens, `loss-curve` say; got {id!r}"
        )
    if not alt.strip():
        raise ValueError("a figure needs `alt`: a sentence that says what it shows; an empty one was given")
    if not caption.strip():
        raise ValueError("a figure needs `caption`: what one sees, and what it means; an empty one was given")


def show(
    figure: Figure,
    id: str,  # noqa: A002 (what it is called in the book)
    *,
    caption: str,
    alt: str,
    data: Data | Mapping[str, Data] | None = None,
    plot: PlotlyFigure | None = None,
    view: AttentionView | None = None,
) -> BookFigure:
    """Make a figure of the book: save it as SVG, PDF, PNG and data, and show it, numbered, light and dark.

    Args:
        figure: the drawing, made inside `book_style()` with the book's palette.
        id: its name. It is its address, too, and stays when the figure moves to another chapter.
        caption: what one sees, in MyST Markdown.
        alt: what it shows, for who cannot see it.
        data: the numbers that are drawn: a table, a tensor with named axes (`labelled`), or several by name. The maps
            of `attention_map` and the diagrams bring their own.
        plot: the same to be pointed at, made by `line_plot`: it takes the drawing's place on a page that is looked at.
        view: the weights to be explored; `show_attention` makes them.

    Returns:
        An object that a notebook displays when it is the last value of a cell. Its files are in `figures_folder()`.

    Raises:
        ValueError: the id is no id, or caption, alt or data are missing.
        TypeError: the data are nothing that can be written down.
    """
    caption = " ".join(caption.split())
    _check_words(id, caption, alt)
    with book_style():
        for _ in range(2):  # lays it out, once for all files; a title finds its place when the labels have theirs
            figure.draw_without_rendering()
    figure.set_layout_engine("none")
    files = drawing_files(figure, id, alt) | data_files(id, _data_of(figure, data))
    described = [
        {"name": name, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in files.items()
    ]
    facts = {"id": id, "caption": caption, "alt": alt, "files": described, "axes": axes_places(figure)}
    files[f"{id}.meta.json"] = (json.dumps(facts, indent=1, ensure_ascii=False) + "\n").encode()
    interactive = plot.to_json() if plot is not None else ""
    svg = in_page(figure, alt)
    explored = view.html(still(svg), id=id, label=alt) if view is not None else ""
    made = BookFigure(id, caption, alt, svg, files, interactive, explored)
    plt.close(figure)
    save(made, figures_folder())
    return made

"""The permanent page of each figure, and the pages that redirect where a figure had another name."""

import csv
import io
import json
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.builders.html import StandaloneHTMLBuilder

from reconstructing_transformer.sphinx.figures import (
    ShownFigure,
    bibtex_of,
    captions_of,
    cite_panel,
    figure_page,
    figures_of,
    load_ledger,
    plain_title,
)
from reconstructing_transformer.sphinx.highlight import highlight_python

ROWS = 40  # of a table on a page; the file has all of them
CELLS = 2000  # of a tensor on a page
Page = tuple[str, dict[str, Any], str]


def _table(label: str, heads: list[str], rows: list[list[str]], more: int = 0) -> str:
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in heads)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    rest = f'<p class="soft">and {more:,} rows more, in the file</p>' if more > 0 else ""
    return (
        f'<div class="table-wrap" tabindex="0" role="region" aria-label="{escape(label)}"><table class="data">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>{rest}"
    )


def _csv_as_html(name: str, text: str) -> str:
    heads, *rows = csv.reader(io.StringIO(text))
    return _table(f"Data: {name}", heads, rows[:ROWS], len(rows) - ROWS)


def _number(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else "" if value is None else str(value)


def _matrices(values: Any, axes: list[dict[str, Any]], above: str = "") -> Iterator[tuple[str, Any]]:  # noqa: ANN401
    """The matrices that a tensor is made of, each with its place in the axes above."""
    if len(axes) <= 2:
        yield above, values
        return
    first, *rest = axes
    for label, part in zip(first["labels"], values, strict=True):
        yield from _matrices(part, rest, f"{above}, {first['name']} {label}".removeprefix(", "))


def _json_as_html(name: str, text: str) -> str:
    tensor = json.loads(text)
    axes = tensor["axes"]
    shape = " × ".join(f"{escape(axis['name'])} ({len(axis['labels'])})" for axis in axes)
    parts = [f'<p class="soft">A tensor: {shape}.</p>']
    size = 1
    for axis in axes:
        size *= len(axis["labels"])
    if size > CELLS:
        return parts[0] + '<p class="soft">It is too large to be printed here; the file has all of it.</p>'
    *_, last = axes
    for place, matrix in _matrices(tensor["values"], axes):
        if len(axes) == 1:
            labels, rows = [""], [[_number(value) for value in matrix]]
        else:
            labels, rows = axes[-2]["labels"], [[_number(value) for value in row] for row in matrix]
        titled = f"<h3>{escape(place)}</h3>" if place else ""
        corner = f"{axes[-2]['name']} ↓ {last['name']} →" if len(axes) > 1 else last["name"]
        heads = [corner, *map(str, last["labels"])]
        table = [[str(label), *row] for label, row in zip(labels, rows, strict=True)]
        parts.append(titled + _table(f"Data: {name} {place}", heads, table))
    return "".join(parts)


class Writer:
    """Writes the permanent pages."""

    def __init__(self, app: Sphinx) -> None:
        assert isinstance(app.builder, StandaloneHTMLBuilder)
        self.app, self.builder = app, app.builder
        self.domain = figures_of(app.env)

    def _files(self, figure: ShownFigure) -> str:
        items = []
        for kind, name in figure.downloads():
            size = f"{figure.files[name][0] / 1000:,.1f} kB"
            items.append(
                f'<li><a href="{escape(name)}" download>{escape(kind)}</a> <span class="soft">{size}</span></li>'
            )
        return f'<ul class="files">{"".join(items)}</ul>'

    def _data(self, figure: ShownFigure) -> str:
        folder = Path(self.app.doctreedir) / ".figures" / figure.id
        parts = []
        for kind, name in figure.downloads():
            if not kind.startswith("Data"):
                continue
            text = (folder / name).read_text(encoding="utf-8")
            parts.append(_csv_as_html(name, text) if name.endswith(".csv") else _json_as_html(name, text))
        return "".join(parts)

    def page(self, figure: ShownFigure) -> Page:
        """Return a figure's page."""
        number = self.domain.number(figure)
        chapter = f"{self.builder.get_relative_uri(figure.page, figure.docname)}#"
        title = escape(self.app.env.titles[figure.docname].astext())
        caption = captions_of(self.app)[figure.id]
        words = self.builder.render_partial(caption.paragraph)["fragment"]
        cite = cite_panel("Cite this figure", bibtex_of(self.app, figure), f"BibTeX of Figure {number}")
        code = f'<div class="highlight"><pre tabindex="0"><code>{highlight_python(figure.code, {})}</code></pre></div>'
        body = (
            '<div class="figure-page">'
            f'<p class="kicker">Figure {number}</p><h1>{escape(plain_title(caption))}</h1>'
            f'<figure class="book-figure"><div class="vector-figure" tabindex="0">{figure.svg}</div>'
            f"<figcaption>{words}</figcaption></figure>"
            f'<p>It stands in <a href="{escape(chapter + figure.anchor)}">{title}</a>.</p>'
            f'<div class="take-home">{cite.replace("<details", "<details open", 1)}</div>'
            f"<h2>Files</h2>{self._files(figure)}<h2>Data</h2>{self._data(figure)}"
            f'<h2>Source</h2><p>The cell that draws it, <a href="{escape(f"{chapter}source-{figure.id}")}">in its '
            f"place</a>:</p>{code}</div>"
        )
        return figure.page, {"title": f"Figure {number}", "body": body}, "page.html"


def collect_pages(app: Sphinx) -> Iterator[Page]:
    """Make the permanent pages, and those that redirect."""
    writer = Writer(app)
    for figure in writer.domain.in_order():
        yield writer.page(figure)
    for old, target in load_ledger(Path(app.srcdir)).redirects.items():
        body = f'<h1>This figure has another name</h1><p>It is <a href="{escape(target)}.html">here</a> now.</p>'
        context = {"title": "This figure has another name", "body": body, "redirect": f"{target}.html"}
        yield figure_page(old), context, "page.html"

"""Reference pages made from the papers and the evidence: all equations, all symbols, all deviations."""

import json
import re
from collections.abc import Iterator
from html import escape
from itertools import groupby
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.builders.html import StandaloneHTMLBuilder
from sphinx.util.docutils import SphinxDirective
from sphinx.writers.html5 import HTML5Translator

from reconstructing_transformer.equations import Equation, Paper
from reconstructing_transformer.sphinx.card import inline_markdown, power_of_ten
from reconstructing_transformer.sphinx.domain import BookDomain, anchor
from reconstructing_transformer.sphinx.figures import ShownFigure, captions_of, figures_of, plain_title
from reconstructing_transformer.sphinx.math import katex_of
from reconstructing_transformer.sphinx.project import Project, project_of
from reconstructing_transformer.sphinx.sources import source_page


class ReferenceTable(nodes.General, nodes.Element):
    """Stands for a generated table; it is made when the page is written, when all chapters have been read."""


class _ReferenceDirective(SphinxDirective):
    kind = ""

    def run(self) -> list[nodes.Node]:
        """Leave a place for the table."""
        table = ReferenceTable(kind=self.kind)
        self.set_source_info(table)
        return [table]


class EquationIndex(_ReferenceDirective):
    """`equation-index`: paper → equation → function → check → chapters."""

    kind = "equations"


class NotationIndex(_ReferenceDirective):
    """`notation-index`: every symbol, its meaning, shape and Python name."""

    kind = "notation"


class DeviationIndex(_ReferenceDirective):
    """`deviation-index`: every place where the code leaves a paper, with the reason."""

    kind = "deviations"


class FigureIndex(_ReferenceDirective):
    """`figure-index`: every figure, by chapter. A book with this page keeps the addresses of all its figures."""

    kind = "figures"

    def run(self) -> list[nodes.Node]:
        """Leave a place for the gallery."""
        figures_of(self.env).galleries.add(self.env.docname)
        return super().run()


class Writer:
    """Writes the tables of one page."""

    def __init__(self, translator: HTML5Translator) -> None:
        self.builder: StandaloneHTMLBuilder = translator.builder
        self.app: Sphinx = self.builder.app
        self.project: Project = project_of(self.app)
        self.domain: BookDomain = self.builder.env.domains["book"]
        self.docname = translator.docnames[0]
        self.katex = katex_of(translator)

    def _code_link(self, module: str, qualname: str, line: int) -> str:
        address = f"{self.builder.get_relative_uri(self.docname, source_page(module))}#L{line}"
        return f'<a href="{escape(address)}"><code>{escape(qualname)}</code></a>'

    def _chapters(self, equation: Equation) -> str:
        links = []
        for docname in self.domain.chapters(equation.id):
            address = f"{self.builder.get_relative_uri(self.docname, docname)}#{anchor(equation.id)}"
            title = self.builder.env.titles[docname].astext()
            links.append(f'<a href="{escape(address)}">{escape(title)}</a>')
        return ", ".join(links) or '<span class="soft">in a chapter to come</span>'

    def _table(self, caption: str, heads: list[str], rows: list[list[str]]) -> str:
        head = "".join(f'<th scope="col">{text}</th>' for text in heads)
        body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
        label = escape(caption, quote=True)
        return (
            f'<div class="table-wrap" tabindex="0" role="region" aria-label="{label}"><table class="reference">'
            f"<caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
        )

    def _equation_entry(self, paper: Paper, equation: Equation) -> str:
        evidence = self.project.evidence
        place = f"{escape(paper.short)}, {escape(equation.place)}" + (f", p. {equation.page}" if equation.page else "")
        functions = ", ".join(
            self._code_link(fact.module, fact.qualname, fact.line) for fact in evidence.implementations_of(equation.id)
        )
        checks = "".join(
            f"<li>{escape(result.reference)}: {_closeness(result.max_error)} on {result.cases} cases</li>"
            for result in evidence.results_of(equation.id)
        )
        math = self.katex.render(equation.plain_latex, True)
        where = f"{escape(equation.label)} · {place}" if equation.number else place
        return (
            f'<section class="equation-entry" id="{escape(equation.id)}">'
            f"<h3>{escape(equation.title)}</h3>"
            f'<p class="where">{where} · <code>{escape(equation.id)}</code></p>'
            f'<div class="math-block" tabindex="0">{math}</div>'
            f"<dl><dt>Computed by</dt><dd>{functions}</dd><dt>Agrees with</dt><dd><ul>{checks}</ul></dd>"
            f"<dt>Shown in</dt><dd>{self._chapters(equation)}</dd></dl></section>"
        )

    def equations(self) -> str:
        """Return every paper with its equations, what computes them, what they agree with, and where they are shown."""
        parts = []
        for paper in self.project.papers.values():
            entries = "".join(self._equation_entry(paper, equation) for equation in paper.equations)
            parts.append(
                f"<h2>{escape(paper.title)}</h2><p>{escape(', '.join(paper.authors))}, {paper.year}</p>{entries}"
            )
        return "".join(parts)

    def _symbol_rows(self, paper: Paper) -> Iterator[list[str]]:
        merged: dict[tuple[str, str, str], tuple[set[str], list[str]]] = {}
        for equation in paper.equations:
            for name, symbol in equation.symbols.items():
                key = (symbol.latex, symbol.meaning, symbol.shape or "")
                names, places = merged.setdefault(key, (set(), []))
                places.append(f'<a href="{self._entry(equation)}">{escape(equation.label)}</a>')
                for fact in self.project.evidence.implementations_of(equation.id):
                    python = fact.names.get(name, name)
                    if python is not None:
                        names.add(python)
        for (latex, meaning, shape), (names, places) in sorted(merged.items(), key=lambda entry: entry[0][0].lower()):
            python = ", ".join(f"<code>{escape(name)}</code>" for name in sorted(names)) or "—"
            size = f"<code>{escape(shape)}</code>" if shape else "—"
            yield [self.katex.render(latex, False), escape(meaning), size, python, ", ".join(places)]

    def _entry(self, equation: Equation) -> str:
        page = next(
            (name for name in self.builder.env.found_docs if name.endswith("reference/equations")), self.docname
        )
        return escape(f"{self.builder.get_relative_uri(self.docname, page)}#{equation.id}")

    def notation(self) -> str:
        """Return every symbol with its meaning, shape, Python name and equations."""
        heads = ["Symbol", "Meaning", "Shape", "In Python", "Equations"]
        return "".join(
            self._table(f"The symbols of {paper.short}", heads, list(self._symbol_rows(paper)))
            for paper in self.project.papers.values()
        )

    def deviations(self) -> str:
        """Return every deviation with its equation, its function and its reason."""
        heads = ["Deviation", "Reason", "<code>torch.nn.Transformer</code>", "Equation", "Code"]
        rows = []
        for fact in self.project.evidence.deviations:
            found = self.project.find(fact.equation)
            assert found is not None, "a deviation from an unknown equation has stopped the build"
            paper, equation = found
            rows.append(
                [
                    f"<b>{escape(fact.title)}</b>",
                    inline_markdown(fact.reason, self.katex),
                    inline_markdown(fact.pytorch, self.katex) if fact.pytorch else "as here",
                    f'<a href="{self._entry(equation)}">{escape(equation.label)}</a>, {escape(paper.short)}',
                    self._code_link(fact.module, fact.qualname, fact.line),
                ]
            )
        return self._table("Where the code leaves the papers", heads, rows)

    def _thumbnail(self, figure: ShownFigure) -> str:
        page = self.builder.get_relative_uri(self.docname, figure.page)
        folder = page.rsplit("/", 1)[0]
        size = " ".join(re.findall(r' ((?:width|height)="\d+")', figure.svg[:3000])[:2])  # nothing moves when it comes
        images = "".join(
            f'<img class="only-{theme}" src="{escape(f"{folder}/{figure.id}{ending}.svg")}" {size} '
            'alt="" loading="lazy">'
            for theme, ending in (("light", ""), ("dark", "-dark"))
        )
        number = figures_of(self.builder.env).number(figure)
        words = f"<b>Fig. {number}</b> {escape(plain_title(captions_of(self.app)[figure.id]))}"
        return f'<li><a href="{escape(page)}"><span class="frame">{images}</span><span>{words}</span></a></li>'

    def figures(self) -> str:
        """Return every figure, small, by chapter."""
        parts = []
        for docname, group in groupby(figures_of(self.builder.env).in_order(), key=lambda figure: figure.docname):
            title = escape(self.builder.env.titles[docname].astext())
            chapter = escape(self.builder.get_relative_uri(self.docname, docname))
            thumbnails = "".join(map(self._thumbnail, group))
            parts.append(f'<h2><a href="{chapter}">{title}</a></h2><ul class="gallery">{thumbnails}</ul>')
        return "".join(parts)


def _closeness(error: float) -> str:
    return "to the last bit" if error == 0 else f"to {power_of_ten(error)}"


def visit_table(translator: HTML5Translator, node: ReferenceTable) -> None:
    """Write a reference table as HTML."""
    translator.body.append(getattr(Writer(translator), node["kind"])())
    raise nodes.SkipNode


def skip(translator: nodes.NodeVisitor, node: ReferenceTable) -> None:
    """Leave the tables out where they cannot be shown."""
    raise nodes.SkipNode


def equations_json(app: Sphinx, error: Exception | None) -> None:
    """Write `equations.json`: what the book knows of each equation, for other programs."""
    if error is not None or not isinstance(app.builder, StandaloneHTMLBuilder):
        return
    project = project_of(app)
    domain = app.env.domains["book"]
    assert isinstance(domain, BookDomain)
    entries = [
        {
            "id": equation.id,
            "paper": paper.id,
            "title": equation.title,
            "number": equation.number,
            "section": equation.section,
            "page": equation.page,
            "latex": equation.plain_latex,
            "symbols": {name: symbol.model_dump() for name, symbol in equation.symbols.items()},
            "implementation": [
                {
                    "name": fact.name,
                    "source": f"{app.builder.get_target_uri(source_page(fact.module))}#L{fact.line}",
                    "names": fact.names,
                }
                for fact in project.evidence.implementations_of(equation.id)
            ],
            "checks": [
                result.model_dump(mode="json", exclude={"file", "line", "failure"})
                for result in project.evidence.results_of(equation.id)
            ],
            "chapters": [app.builder.get_target_uri(docname) for docname in domain.chapters(equation.id)],
        }
        for paper, equation in project.all()
    ]
    target = Path(app.outdir) / "equations.json"
    temporary = target.with_suffix(".part")
    temporary.write_text(json.dumps(entries, indent=2, ensure_ascii=False), encoding="utf-8")
    temporary.replace(target)

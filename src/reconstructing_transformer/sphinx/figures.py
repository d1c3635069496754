"""Figures on the page: numbered and captioned, with what a reader needs to cite them and to take them home.

A cell's `show(…)` hands over drawing, words, data and files in one output. Here it becomes a figure of the page; its
files go to the site's folder `figures/`, its permanent page stands beside them.
"""

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from html import escape
from itertools import groupby
from pathlib import Path
from typing import Any, ClassVar

import yaml
from docutils import nodes
from docutils.utils import new_document
from myst_nb.core.render import MimeData, MimeRenderPlugin, NbElementRenderer, create_figure_context
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.builders.html import StandaloneHTMLBuilder
from sphinx.domains import Domain
from sphinx.environment import BuildEnvironment
from sphinx.util import docname_join, logging
from sphinx.writers.html5 import HTML5Translator

from reconstructing_transformer.figures.catalogue import Catalogue, FigureEntry, FigureFile
from reconstructing_transformer.figures.citation import figure_bibtex
from reconstructing_transformer.figures.figure import MIME, still
from reconstructing_transformer.sphinx.project import book_of
from reconstructing_transformer.sphinx.stop import BuildStop

LOGGER = logging.getLogger(__name__)
FOLDER = "figures"
LEDGER = "book/figures.yml"
SENTENCE = re.compile(r"(?<=[.!?])(?<!al\.)(?<!Fig\.)(?<!Eq\.)\s+(?=[A-Z“‘(])")
ORDER = (".svg", "-dark.svg", ".pdf", ".png", ".csv", ".data.json", ".meta.json")


class LedgerError(BuildStop):
    """The ledger of figures and the book disagree."""

    category = "Figures and their ledger"


@dataclass
class ShownFigure:
    """A figure, as the chapter that shows it has handed it over."""

    id: str
    docname: str
    caption: str
    alt: str
    svg: str
    files: dict[str, tuple[int, str]]
    code: str = ""

    @property
    def anchor(self) -> str:
        """Its address within its chapter."""
        return anchor(self.id)

    @property
    def page(self) -> str:
        """The name of its permanent page."""
        return figure_page(self.id)

    def downloads(self) -> list[tuple[str, str]]:
        """What can be taken home: a word for each file, and its name."""
        return sorted(((_kind(self.id, name), name) for name in self.files), key=lambda pair: _rank(pair[1]))


def anchor(figure_id: str) -> str:
    """Return the label of a figure, for `{numref}`, and its address on its page."""
    return f"fig-{figure_id}"


def figure_page(figure_id: str) -> str:
    """Return the name of a figure's permanent page."""
    return f"{FOLDER}/{figure_id}"


def _rank(name: str) -> int:
    return next((i for i, ending in reversed(list(enumerate(ORDER))) if name.endswith(ending)), len(ORDER))


def _kind(figure_id: str, name: str) -> str:
    rest = name.removeprefix(figure_id)
    words = {".svg": "SVG", "-dark.svg": "SVG, dark", ".pdf": "PDF", ".png": "PNG", ".meta.json": "Description"}
    if rest in words:
        return words[rest]
    part, _, form = rest.partition(".")
    called = f", {part.strip('-').replace('-', ' ')}" if part else ""
    return f"Data{called} ({'CSV' if form == 'csv' else 'JSON'})"


class FigureDomain(Domain):
    """The figures of the book, by id."""

    name = "figures"
    label = "Figures"
    initial_data: dict[str, Any] = {"shown": {}, "galleries": set()}  # noqa: RUF012 (Sphinx's own shape)
    data_version = 1

    @property
    def shown(self) -> dict[str, ShownFigure]:
        """The figures by their ids."""
        return self.data["shown"]

    @property
    def galleries(self) -> set[str]:
        """The pages that list all figures."""
        return self.data["galleries"]

    def note(self, figure: ShownFigure, location: tuple[str, int]) -> bool:
        """Remember a figure, and say whether it is the only one of its name."""
        other = self.shown.get(figure.id)
        if other is not None and other.docname != figure.docname:
            words = "two figures have the id “%s”: one here, one in %s; give one of them another"
            LOGGER.warning(words, figure.id, other.docname, location=location)
            return False
        self.shown[figure.id] = figure
        return True

    def clear_doc(self, docname: str) -> None:
        """Forget a page that is read again."""
        for figure_id in [name for name, figure in self.shown.items() if figure.docname == docname]:
            del self.shown[figure_id]
        self.galleries.discard(docname)

    def merge_domaindata(self, docnames: Iterable[str], otherdata: dict[str, Any]) -> None:
        """Take over what another process has read."""
        self.shown.update({name: figure for name, figure in otherdata["shown"].items() if figure.docname in docnames})
        self.galleries.update(otherdata["galleries"] & set(docnames))

    def resolve_any_xref(self, *arguments: object) -> list[tuple[str, nodes.Element]]:
        """Leave references to the other domains: a figure is referred to by `numref`."""
        return []

    def number(self, figure: ShownFigure) -> str:
        """Return a figure's number, `9.1` say."""
        numbers = self.env.toc_fignumbers.get(figure.docname, {}).get("figure", {}).get(figure.anchor, ())
        return ".".join(map(str, numbers))

    def in_order(self) -> list[ShownFigure]:
        """Return all figures, in the book's order."""

        def place(figure: ShownFigure) -> list[int]:
            return [int(part) for part in self.number(figure).split(".") if part] or [0]

        return sorted(self.shown.values(), key=lambda figure: (place(figure), figure.id))


def figures_of(env: BuildEnvironment) -> FigureDomain:
    """Return the book's figures."""
    domain = env.domains["figures"]
    assert isinstance(domain, FigureDomain)
    return domain


# Reading ------------------------------------------------------------------------------------------------------------


class TakeHome(nodes.General, nodes.Element):
    """Stands for the line below a figure: cite, download, source."""


def _staging(env: BuildEnvironment) -> Path:
    return Path(env.doctreedir) / ".figures"


def _stage(env: BuildEnvironment, figure_id: str, files: dict[str, str]) -> dict[str, tuple[int, str]]:
    """Lay a figure's files where the site will take them from."""
    folder = _staging(env) / figure_id
    folder.mkdir(parents=True, exist_ok=True)
    facts = {}
    for name, encoded in files.items():
        content = base64.b64decode(encoded)
        (folder / name).write_bytes(content)
        facts[name] = (len(content), hashlib.sha256(content).hexdigest())
    return facts


def _drawing(payload: dict[str, str]) -> str:
    """What stands in the page: the drawing, or what is pointed at, with the drawing until then and on paper."""
    if payload["view"]:
        return payload["view"]
    if not payload["plot"]:
        return still(payload["svg"])
    island = payload["plot"].replace("<", "\\u003c")  # nothing in it can end the script element
    return (
        f'<book-plot aria-label="{escape(payload["alt"])}"><script type="application/json">{island}</script>'
        f'<div class="static-figure">{still(payload["svg"])}</div></book-plot>'
    )


class FigureRenderer(MimeRenderPlugin):
    """Turns the output of `show(…)` into a figure of the page."""

    mime_priority_overrides: ClassVar = [("html", MIME, 1)]

    @staticmethod
    def handle_mime(renderer: NbElementRenderer, data: MimeData, inline: bool) -> list[nodes.Element] | None:
        """Make the figure, and remember it."""
        if data.mime_type != MIME or inline:
            return None
        payload = data.content if isinstance(data.content, dict) else json.loads(data.string)
        parser, line = renderer.renderer, data.line or 0
        env: BuildEnvironment = parser.sphinx_env
        around = nodes.Element()
        options = {"name": anchor(payload["id"]), "caption": payload["caption"], "classes": "book-figure"}
        with parser.current_node_context(around), create_figure_context(parser, options, line):
            parser.current_node.append(nodes.raw("", _drawing(payload), format="html"))
        (figure,) = around.children
        shown = ShownFigure(
            id=payload["id"],
            docname=env.docname,
            caption=payload["caption"],
            alt=payload["alt"],
            svg=payload["svg"],
            files=_stage(env, payload["id"], payload["files"]),
        )
        if figures_of(env).note(shown, (env.docname, line)):
            figure += TakeHome(figure=shown.id)
        return [figure]


def note_cells(app: Sphinx, doctree: nodes.document) -> None:
    """Give the cell that draws a figure an address, and remember its code."""
    shown = figures_of(app.env).shown
    for cell in doctree.findall(lambda node: isinstance(node, nodes.container) and "cell" in node.get("classes", [])):
        ids = [home["figure"] for home in cell.findall(TakeHome)]
        source = next((part for part in cell.findall(nodes.container) if "cell_input" in part["classes"]), None)
        if not ids or source is None:
            continue
        source["ids"].append(f"source-{ids[0]}")
        code = next(iter(source.findall(nodes.literal_block)), None)
        shown[ids[0]].code = code.astext() if code is not None else ""


# The ledger ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Ledger:
    """The ids that figures have or have had: addresses that have been given out are kept."""

    figures: list[str] = field(default_factory=list)
    redirects: dict[str, str] = field(default_factory=dict)


def load_ledger(root: Path) -> Ledger:
    """Read `book/figures.yml`; without one there is nothing to keep."""
    path = root / LEDGER
    if not path.is_file():
        return Ledger()
    content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    unknown = set(content) - {"figures", "redirects"}
    if unknown:
        raise LedgerError(f"{LEDGER} has the key {sorted(unknown)[0]!r}; it knows `figures` and `redirects`")
    return Ledger(list(content.get("figures") or []), dict(content.get("redirects") or {}))


def _disagreements(ledger: Ledger, shown: Iterable[str]) -> Iterator[str]:
    there = set(shown)
    for lost in [name for name in ledger.figures if name not in there and name not in ledger.redirects]:
        yield (
            f"the figure “{lost}” is gone, but its address {FOLDER}/{lost}.html has been given out. "
            f"Bring it back, or redirect it in {LEDGER}: `redirects: {{{lost}: ANOTHER}}`"
        )
    for new in sorted(there - set(ledger.figures)):
        yield f"the figure “{new}” is new: add it to `figures` in {LEDGER}, and its address is kept from now on"
    for old, target in ledger.redirects.items():
        if target not in there:
            yield f"{LEDGER} redirects “{old}” to “{target}”, which is no figure of the book"
        if old in there:
            yield f"{LEDGER} redirects “{old}”, but there is a figure of that name"


def check_ledger(app: Sphinx, env: BuildEnvironment) -> None:
    """Stop where an address that has been given out would be lost.

    Only a book that shows all its figures, on a page with `figure-index`, can know.

    Raises:
        LedgerError: a figure is gone without a redirect, new without an entry, or redirected to nothing.
    """
    if not figures_of(env).galleries:
        return
    found = list(_disagreements(load_ledger(Path(app.srcdir)), figures_of(env).shown))
    if found:
        raise LedgerError("\n".join(found))


# Writing ------------------------------------------------------------------------------------------------------------


def _plain(node: nodes.Node) -> str:
    """The text of a caption, with formulas between dollars."""
    if isinstance(node, nodes.math):
        return f"${node.astext()}$"
    return "".join(map(_plain, node.children)) if node.children else node.astext()


@dataclass(frozen=True)
class Caption:
    """A caption whose references are resolved, as seen from the figure's own page, and its first sentence."""

    paragraph: nodes.Element
    title: str


def plain_title(caption: Caption) -> str:
    r"""Return the title for places that show no formulas: `$d_{\\text{model}}$` as d_model."""
    return re.sub(r"[${}\\]", "", re.sub(r"\\(?:text|mathrm)(?=\{)", "", caption.title))


def _resolved(app: Sphinx, figure: ShownFigure, doctree: nodes.document) -> Caption:
    shown = next(node for node in doctree.findall(nodes.figure) if figure.anchor in node["ids"])
    caption = next(iter(shown.findall(nodes.caption)))
    document = new_document("", doctree.settings)
    document += nodes.paragraph("", "", *(child.deepcopy() for child in caption.children))
    for reference in document.findall(pending_xref):  # to be seen from another page than they were written on
        if reference.get("reftype") == "doc":
            reference["reftarget"] = "/" + docname_join(figure.docname, reference["reftarget"])
        reference["refdoc"] = figure.page
    app.env.resolve_references(document, figure.page, app.builder)
    paragraph = document.children[0]
    assert isinstance(paragraph, nodes.Element)
    return Caption(paragraph, SENTENCE.split(_plain(paragraph).strip(), maxsplit=1)[0].rstrip("."))


def captions_of(app: Sphinx) -> dict[str, Caption]:
    """Return the captions of all figures, by their ids. What they refer to is known when all pages have been read."""
    if not hasattr(app, "reconstruct_captions"):
        captions = {}
        ordered = sorted(figures_of(app.env).shown.values(), key=lambda figure: figure.docname)
        for docname, group in groupby(ordered, key=lambda figure: figure.docname):
            doctree = app.env.get_doctree(docname)
            captions |= {figure.id: _resolved(app, figure, doctree) for figure in group}
        app.reconstruct_captions = captions  # type: ignore[attr-defined]
    return app.reconstruct_captions  # type: ignore[attr-defined]


def bibtex_of(app: Sphinx, figure: ShownFigure) -> str:
    """Return how to cite a figure."""
    number = figures_of(app.env).number(figure)
    return figure_bibtex(book_of(app), figure.id, number, captions_of(app)[figure.id].title, f"{figure.page}.html")


def cite_panel(words: str, bibtex: str, label: str) -> str:
    """Return a folded citation with a button that copies it."""
    return (
        f'<details class="cite"><summary>{words}</summary><div class="cite-panel">'
        f'<pre tabindex="0" aria-label="{escape(label)}">{escape(bibtex.strip())}</pre>'
        '<button type="button" class="copy-citation" aria-label="Copy" hidden></button></div></details>'
    )


def visit_take_home(translator: HTML5Translator, node: TakeHome) -> None:
    """Write the line below a figure."""
    builder: StandaloneHTMLBuilder = translator.builder
    figure = figures_of(builder.env).shown[node["figure"]]
    docname = translator.docnames[0]
    number = f"Figure {figures_of(builder.env).number(figure)}"
    page = builder.get_relative_uri(docname, figure.page)
    folder = page.rsplit("/", 1)[0]
    links = "".join(
        f'<a href="{escape(f"{folder}/{name}")}" download>{escape(kind)}</a>'
        for kind, name in figure.downloads()
        if kind not in {"SVG, dark", "Description"}
    )
    cite = cite_panel("Cite", bibtex_of(builder.app, figure), f"BibTeX of {number}")
    translator.body.append(
        f'<div class="take-home" role="group" aria-label="{number}: download and cite">{links}'
        f'<a href="#source-{escape(figure.id)}">Source</a><a href="{escape(page)}">Page</a>{cite}</div>'
    )
    raise nodes.SkipNode


def skip(translator: nodes.NodeVisitor, node: TakeHome) -> None:
    """Leave the line out where nothing can be clicked."""
    raise nodes.SkipNode


def entries(app: Sphinx) -> list[FigureEntry]:
    """Return the catalogue of the book's figures."""
    book, domain = book_of(app), figures_of(app.env)
    uri = app.builder.get_target_uri
    return [
        FigureEntry(
            id=figure.id,
            number=domain.number(figure),
            title=captions_of(app)[figure.id].title,
            caption=figure.caption,
            alt=figure.alt,
            chapter=app.env.titles[figure.docname].astext(),
            chapter_url=book.address(f"{uri(figure.docname)}#{figure.anchor}"),
            url=book.address(uri(figure.page)),
            files=[
                FigureFile(name=name, url=book.address(f"{FOLDER}/{name}"), bytes=size, sha256=digest)
                for name, (size, digest) in sorted(figure.files.items(), key=lambda item: (_rank(item[0]), item[0]))
            ],
            bibtex=bibtex_of(app, figure),
        )
        for figure in domain.in_order()
    ]


def write_files(app: Sphinx, error: Exception | None) -> None:
    """Put the figures' files, `figures.json` and `figures.bib` into the site."""
    if error is not None or not isinstance(app.builder, StandaloneHTMLBuilder):
        return
    site = Path(app.outdir)
    (site / FOLDER).mkdir(exist_ok=True)
    for figure in figures_of(app.env).shown.values():
        for name in figure.files:
            (site / FOLDER / name).write_bytes((_staging(app.env) / figure.id / name).read_bytes())
    catalogue = entries(app)
    texts = {
        "figures.json": Catalogue.dump_json(catalogue, indent=1).decode() + "\n",
        "figures.bib": "\n".join(entry.bibtex for entry in catalogue),
    }
    for name, text in texts.items():
        temporary = site / f"{name}.part"
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(site / name)

"""The domain `book`: which page shows which equation, and references from prose to equations."""

from collections.abc import Iterable, Iterator
from typing import Any

from docutils import nodes
from docutils.nodes import Element
from sphinx.addnodes import pending_xref
from sphinx.builders import Builder
from sphinx.domains import Domain
from sphinx.environment import BuildEnvironment
from sphinx.roles import XRefRole
from sphinx.util.nodes import make_refnode

from reconstructing_transformer.sphinx.project import project_of


def anchor(equation_id: str) -> str:
    """Return the address of an equation's card on its page."""
    return f"equation-{equation_id}"


class BookDomain(Domain):
    """Equations, and where the book shows them."""

    name = "book"
    label = "Reconstructing the Transformer"
    initial_data: dict[str, Any] = {"shown": {}}  # noqa: RUF012 (Sphinx's own shape)
    data_version = 1

    @property
    def shown(self) -> dict[str, list[str]]:
        """The pages that show each equation, by its id; the first is its home."""
        return self.data["shown"]

    def note_shown(self, equation_id: str, docname: str) -> None:
        """Remember that a page shows an equation."""
        pages = self.shown.setdefault(equation_id, [])
        if docname not in pages:
            pages.append(docname)

    def clear_doc(self, docname: str) -> None:
        """Forget a page that is read again."""
        for pages in self.shown.values():
            if docname in pages:
                pages.remove(docname)

    def merge_domaindata(self, docnames: Iterable[str], otherdata: dict[str, Any]) -> None:
        """Take over what another process has read."""
        for equation_id, pages in otherdata["shown"].items():
            for docname in pages:
                if docname in docnames:
                    self.note_shown(equation_id, docname)

    def _reading_order(self, docname: str) -> Iterator[str]:
        yield docname
        for below in self.env.toctree_includes.get(docname, []):
            yield from self._reading_order(below)

    def chapters(self, equation_id: str) -> list[str]:
        """Return the pages that show an equation, in the book's order; the first is the equation's home."""
        pages = self.shown.get(equation_id, [])
        order = list(self._reading_order(self.env.config.root_doc)) if len(pages) > 1 else pages
        return [docname for docname in order if docname in pages]

    def resolve_xref(
        self,
        env: BuildEnvironment,
        fromdocname: str,
        builder: Builder,
        typ: str,
        target: str,
        node: pending_xref,
        contnode: Element,
    ) -> Element | None:
        """Turn a reference into a link to the equation's card, named as the paper names the equation."""
        found = project_of(builder.app).find(target)
        pages = self.chapters(target)
        if found is None or not pages:
            return None
        if not node.get("refexplicit"):
            contnode = nodes.inline("", found[1].label, classes=["equation-reference"])
        return make_refnode(builder, fromdocname, pages[0], anchor(target), contnode, found[1].title)

    def resolve_any_xref(self, *arguments: object) -> list[tuple[str, Element]]:
        """Leave references of any kind to the other domains."""
        return []


class EquationReference(XRefRole):
    """The role `equation`: a reference to an equation's card, by the equation's id."""

    def __init__(self) -> None:
        super().__init__(warn_dangling=True)

    def process_link(
        self, env: BuildEnvironment, refnode: Element, has_explicit_title: bool, title: str, target: str
    ) -> tuple[str, str]:
        """Send the reference to the domain `book`."""
        refnode["refdomain"], refnode["reftype"] = "book", "equation"
        return title, target

"""The package's source as pages of the site: the cards link into them by line, and no other host is needed."""

from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer
from sphinx.application import Sphinx

from reconstructing_transformer.sphinx import project as projects


def source_page(module: str) -> str:
    """Return the name of a module's page."""
    return f"source/{module.replace('.', '/')}"


class _Lines(HtmlFormatter):
    """Gives each line an address, `L31`, and a link to itself."""

    def wrap(self, source: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str]]:
        yield 0, '<pre tabindex="0">'
        number = 0
        for kind, line in source:
            number += kind
            link = f'<a class="ln" href="#L{number}" aria-label="Line {number}" data-line="{number}"></a>'
            yield kind, f'<span class="line" id="L{number}">{link}{line}</span>' if kind else line
        yield 0, "</pre>"


def _module_name(path: Path, root: Path) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _page(module: str, path: Path) -> tuple[str, dict[str, Any], str]:
    text = path.read_text(encoding="utf-8")
    code = highlight(text, PythonLexer(), _Lines())
    below = '<span class="kicker">Source</span>'
    body = f'<div class="source-page">{below}<h1><code>{escape(module)}</code></h1>{code}</div>'
    return source_page(module), {"title": module, "body": body, "is_source": True}, "page.html"


def collect_pages(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Make a page of each module of the package, and of each further file that the evidence names."""
    root = projects.PACKAGE.parent
    own = {_module_name(path, root): path for path in sorted(projects.PACKAGE.rglob("*.py"))}
    evidence = projects.project_of(app).evidence
    named = {fact.module: fact.file for fact in evidence.implementations}
    for module, path in {**own, **named}.items():
        yield _page(module, path)

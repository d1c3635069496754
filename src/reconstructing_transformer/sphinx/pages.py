"""What a page of the site carries around its text: styles, fonts, scripts, its place in the book, where it runs."""

import json
import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config

from reconstructing_transformer.figures.citation import book_bibtex, chapter_bibtex
from reconstructing_transformer.figures.style import VARIABLES
from reconstructing_transformer.sphinx import vendor
from reconstructing_transformer.sphinx.execution import is_chapter
from reconstructing_transformer.sphinx.figures import cite_panel
from reconstructing_transformer.sphinx.launch import launch_menu, source_of
from reconstructing_transformer.sphinx.math import Katex
from reconstructing_transformer.sphinx.notebooks import branch_name, notebook_name
from reconstructing_transformer.sphinx.project import book_of

# The theme gives a table's name to what it wraps around it, and leaves it to the table, too.
TWICE = re.compile(r'(<div class="table-wrapper[^"]*" id="([^"]+)">\s*<table[^>]*) id="\2"')
DARK_CODE = "reconstructing_transformer.sphinx.colours.Ink"


def web_folder(app: Sphinx) -> Path:
    """Return the folder of the site's own styles, scripts and templates."""
    return Path(app.srcdir) / app.config.reconstruct_web


def add_templates(app: Sphinx, config: Config) -> None:
    """Let the site's own templates stand before the theme's."""
    config.templates_path.insert(0, str(web_folder(app) / "templates"))


def prepare_web(app: Sphinx) -> None:
    """Install the web libraries, start the math renderer, and lay ready what the site takes with it."""
    web = web_folder(app)
    modules = vendor.install(web)
    app.reconstruct_katex = Katex(web)  # type: ignore[attr-defined]
    if app.builder.format != "html":
        return
    app.config.pygments_dark_style = DARK_CODE  # the theme brings the setting, too late for `_config.yml`
    vendored = Path(app.doctreedir).parent / ".vendored"
    vendor.copy_assets(modules, vendored)
    app.config.html_static_path += [str(web / "static"), str(vendored)]


def end_web(app: Sphinx, error: Exception | None) -> None:
    """End the math renderer."""
    if hasattr(app, "reconstruct_katex"):
        app.reconstruct_katex.close()


def _part_and_chapter(app: Sphinx, docname: str) -> str:
    """Return “Part I · Chapter 2” for a chapter, by the parts of `_toc.yml`."""
    site_map = getattr(app.config, "external_site_map", None)
    if site_map is None:
        return ""
    for part in site_map.root.subtrees:
        for chapter in part.items:
            if str(chapter) == docname:
                number = app.env.toc_secnumbers.get(docname, {}).get("", ())
                chapter_number = f"Chapter {number[0]}" if number else ""
                caption = (part.caption or "").split(":")[0]
                return " · ".join(words for words in (caption, chapter_number) if words)
    return ""


def _citations(app: Sphinx, docname: str) -> str:
    """Return how to cite a chapter, and the book, folded."""
    book = book_of(app)
    number = ".".join(map(str, app.env.toc_secnumbers.get(docname, {}).get("", ())))
    title, page = app.env.titles[docname].astext(), app.builder.get_target_uri(docname)
    chapter = cite_panel("Cite this chapter", chapter_bibtex(book, number, title, page), "BibTeX of this chapter")
    return chapter + cite_panel("Cite the book", book_bibtex(book), "BibTeX of the book")


def _launch(app: Sphinx, docname: str, context: dict[str, Any]) -> str:
    """Return where a chapter can be run, folded."""
    return launch_menu(source_of(app), branch_name(docname), context["pathto"](notebook_name(docname), 1))


def accessible(body: str) -> str:
    """Mend what the libraries' HTML keeps from readers with a keyboard or a screen reader."""
    body = body.replace(' aria-label="Toggle hidden content"', "")  # what is folded says itself what it is
    body = re.sub(r' role="(?:list|doc-biblioentry)"', "", body)  # misplaced, and deprecated
    body = TWICE.sub(r"\1", body)
    return re.sub(r"<pre(?![^>]*tabindex)", '<pre tabindex="0"', body)  # wide code scrolls


def add_context(
    app: Sphinx, pagename: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> str | None:
    """Tell the template the page's place in the book, where it runs, and which fonts it needs at once."""
    context["body"] = body = accessible(context.get("body") or "")
    fonts = ["source-serif-4.woff2"]
    if 'class="katex' in body:
        fonts += ["KaTeX_Main-Regular.woff2", "KaTeX_Math-Italic.woff2"]
    else:
        context["css_files"] = [
            css for css in context["css_files"] if "katex" not in str(getattr(css, "filename", css))
        ]
    context["preloaded_fonts"] = [context["pathto"](f"_static/fonts/{font}", 1) for font in fonts]
    context["kicker"] = _part_and_chapter(app, pagename) if doctree is not None else ""
    known = pagename in app.env.found_docs
    if "<attention-view" in body:
        app.add_js_file("attention-view.js", loading_method="defer")
        app.add_css_file("attention-view.css", priority=901)
    if "<book-plot" in body:
        app.add_js_file("book-plot.js", loading_method="defer", **{"data-colours": json.dumps(VARIABLES)})
    chapter = known and is_chapter(Path(app.env.doc2path(pagename)))
    context["launch"] = _launch(app, pagename, context) if chapter else ""
    book = book_of(app)
    context["copyright"] = f"{context['copyright']} · Version {book.version}, {book.date}"  # at the foot of each page
    context["citations"] = _citations(app, pagename) if chapter else ""
    return None

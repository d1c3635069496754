"""Each chapter as a notebook to download: the same cells, with the book's own directives put into plain Markdown."""

import re
from pathlib import Path

import jupytext
from nbformat import NotebookNode
from sphinx.application import Sphinx

from reconstructing_transformer.sphinx.execution import is_chapter
from reconstructing_transformer.sphinx.project import Project, project_of

CARD = re.compile(
    r"^(?P<fence>`{3,}|:{3,})\{equation\}[ \t]+(?P<id>\S+)[ \t]*\n(?:.*\n)*?(?P=fence)[ \t]*$", re.MULTILINE
)
BOX = re.compile(
    r"^(?P<fence>`{3,}|:{3,})\{[\w-]+\}[ \t]*(?P<title>.*)\n(?P<body>(?:.*\n)*?)(?P=fence)[ \t]*$", re.MULTILINE
)
OPTION = re.compile(r"\A(?::[\w-]+:.*\n)+")
TARGET = re.compile(r"^\([\w-]+\)=\n", re.MULTILINE)
ROLE_WITH_TITLE = re.compile(r"\{[\w:-]+\}`([^`<]+?)\s*<[^`>]+>`")
EQUATION_ROLE = re.compile(r"\{equation\}`([^`]+)`")
ROLE = re.compile(r"\{[\w:-]+\}`([^`]+)`")
FOLDER = "notebooks"


def notebook_name(docname: str) -> str:
    """Return the address of a chapter's notebook in the site."""
    return f"{FOLDER}/{docname}.ipynb"


def _card_as_markdown(project: Project, equation_id: str) -> str:
    found = project.find(equation_id)
    if found is None:  # the page has warned of it
        return equation_id
    paper, equation = found
    functions = ", ".join(f"`{fact.name}`" for fact in project.evidence.implementations_of(equation_id))
    place = f"**{equation.label}** of {paper.short}, {equation.place}"
    return f"$$\n{equation.plain_latex}\n$$\n\n{place}; computed by {functions}."


def _box_as_markdown(found: re.Match[str]) -> str:
    """An admonition becomes a quotation, which every notebook program shows."""
    body = OPTION.sub("", found["body"]).strip()
    text = f"**{found['title']}**\n\n{body}" if found["title"] else body
    return "\n".join(f"> {line}".rstrip() for line in text.splitlines())


def plain_markdown(text: str, project: Project) -> str:
    """Put the book's directives and roles into Markdown that Jupyter shows without an extension."""

    def label(found: re.Match[str]) -> str:
        known = project.find(found[1])
        return known[1].label if known else found[1]

    text = TARGET.sub("", text)
    text = CARD.sub(lambda found: _card_as_markdown(project, found["id"]), text)
    text = BOX.sub(_box_as_markdown, text)
    text = ROLE_WITH_TITLE.sub(r"\1", text)
    text = EQUATION_ROLE.sub(label, text)
    return ROLE.sub(r"\1", text)


def as_notebook(project: Project, path: Path) -> NotebookNode:
    """Turn a chapter into a notebook that runs as it is."""
    notebook = jupytext.read(path)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = plain_markdown(cell.source, project)
        cell.metadata.pop("mystnb", None)
    return notebook


def write_notebooks(app: Sphinx, error: Exception | None) -> None:
    """Write the chapters' notebooks into the site."""
    if error is not None or app.builder.format != "html":
        return
    for docname in app.env.found_docs:
        path = Path(app.env.doc2path(docname))
        if is_chapter(path):
            target = Path(app.outdir) / notebook_name(docname)
            target.parent.mkdir(parents=True, exist_ok=True)
            jupytext.write(as_notebook(project_of(app), path), target)

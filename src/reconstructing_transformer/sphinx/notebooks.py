"""Each chapter as a notebook to download: the same cells, with the book's own directives put into plain Markdown."""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import jupytext
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell
from sphinx.application import Sphinx
from sphinx.directives.code import LiteralIncludeReader

from reconstructing_transformer.sphinx.execution import is_chapter
from reconstructing_transformer.sphinx.launch import PACKAGE, Source, distributions_of, extras_of, source_of
from reconstructing_transformer.sphinx.project import Project, project_of
from reconstructing_transformer.tracking.quote import quote
from reconstructing_transformer.tracking.summary import ResultError
from reconstructing_transformer.tracking.table import result_table

if TYPE_CHECKING:
    from reconstructing_transformer.sphinx.runs import Runs

CARD = re.compile(
    r"^(?P<fence>`{3,}|:{3,})\{equation\}[ \t]+(?P<id>\S+)[ \t]*\n(?:.*\n)*?(?P=fence)[ \t]*$", re.MULTILINE
)
BOX = re.compile(
    r"^(?P<fence>`{3,}|:{3,})\{[\w-]+\}[ \t]*(?P<title>.*)\n(?P<body>(?:.*\n)*?)(?P=fence)[ \t]*$", re.MULTILINE
)
CODE = re.compile(
    r"^(?P<fence>`{3,}|:{3,})\{literalinclude\}[ \t]+(?P<file>\S+)[ \t]*\n(?P<options>(?::.*\n)*)(?P=fence)[ \t]*$",
    re.MULTILINE,
)
RESULTS = re.compile(
    r"^(?P<fence>`{3,}|:{3,})\{results\}[ \t]+(?P<project>\S+)[ \t]*\n(?P<options>(?::.*\n)*)(?P=fence)[ \t]*$",
    re.MULTILINE,
)
OPTION = re.compile(r"\A(?::[\w-]+:.*\n)+")
OPTIONS = re.compile(r"^:([\w-]+):[ \t]*(.*)$", re.MULTILINE)
TARGET = re.compile(r"^\([\w-]+\)=\n", re.MULTILINE)
ROLE_WITH_TITLE = re.compile(r"\{[\w:-]+\}`([^`<]+?)\s*<[^`>]+>`")
DOC_ROLE = re.compile(r"\{doc\}`([^`<]+)`")
RUN_ROLE = re.compile(r"\{run\}`([^`]+)`")
EQUATION_ROLE = re.compile(r"\{equation\}`([^`]+)`")
ROLE = re.compile(r"\{[\w:-]+\}`([^`]+)`")
FOLDER = "notebooks"
BOOK = "book/"  # the folder of the chapters in the repository, which their notebooks have no need of
SETUP = """\
# @title Install what this chapter needs, where it is missing
from importlib.metadata import distributions

needed = {{{names}}}
there = {{(one.metadata["Name"] or "").lower().replace("_", "-") for one in distributions()}}
if not needed <= there:
    {install}"""


def notebook_name(docname: str) -> str:
    """Return the address of a chapter's notebook in the site."""
    return f"{FOLDER}/{docname}.ipynb"


def branch_name(docname: str) -> str:
    """Return the name of a chapter's notebook in the branch that Colab and Binder open: `vision/patches.ipynb`."""
    return f"{docname.removeprefix(BOOK)}.ipynb"


def _card_as_markdown(project: Project, equation_id: str) -> str:
    found = project.find(equation_id)
    if found is None:  # the page has warned of it
        return equation_id
    paper, equation = found
    functions = ", ".join(f"`{fact.name}`" for fact in project.evidence.implementations_of(equation_id))
    computed = f"; computed by {functions}" if functions else ""  # a build that does not prove has gathered none
    place = f"**{equation.label}** of {paper.short}, {equation.place}"
    return f"$$\n{equation.plain_latex}\n$$\n\n{place}{computed}."


def _box_as_markdown(found: re.Match[str]) -> str:
    """An admonition becomes a quotation, which every notebook program shows."""
    body = OPTION.sub("", found["body"]).strip()
    text = f"**{found['title']}**\n\n{body}" if found["title"] else body
    return "\n".join(f"> {line}".rstrip() for line in text.splitlines())


def _code_as_markdown(found: re.Match[str], folder: Path) -> str:
    """What the page takes from a file of the source stands in the notebook as it is."""
    options = {name: words.strip().strip("\"'") for name, words in OPTIONS.findall(found["options"])}
    chosen = options | ({"dedent": int(options["dedent"])} if "dedent" in options else {})
    reader = LiteralIncludeReader(str(folder / found["file"]), chosen, SimpleNamespace(source_encoding="utf-8"))
    return f"```{options.get('language', 'python')}\n{reader.read()[0].rstrip()}\n```"


def _title_of(docname: str, folder: Path) -> str:
    """A chapter's title; where there is no such page, the reference as it is."""
    page = folder / f"{docname}.md"
    found = re.search(r"^# (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE) if page.is_file() else None
    return f"“{found[1]}”" if found else docname


def _results_as_markdown(found: re.Match[str], runs: "Runs") -> str:
    options = dict(OPTIONS.findall(found["options"]))
    metrics = options.get("metrics", "")
    chosen = tuple(one.strip() for one in (metrics.split(",") if "," in metrics else metrics.split()))
    form = runs.form(found["project"])
    models = tuple(options.get("models", "").replace(",", " ").split())
    if options.get("seeds", "").strip() == "any":
        models = runs.trained(found["project"], models)
    return result_table(runs.of(found["project"]), form, chosen or None, models).markdown()


def _number(text: str, runs: "Runs") -> str:
    try:
        return quote(text, runs.models, runs.published).text
    except ResultError:  # the page has warned of it
        return text


def plain_markdown(text: str, project: Project, folder: Path | None = None, runs: "Runs | None" = None) -> str:
    """Put the book's directives and roles into Markdown that Jupyter shows without an extension.

    Args:
        text: the Markdown of a cell.
        project: the papers and their evidence.
        folder: of the chapter; from here it names other pages, and the files that it takes code from.
        runs: the frozen records, for the numbers and tables that it takes from them.
    """

    def label(found: re.Match[str]) -> str:
        known = project.find(found[1])
        return known[1].label if known else found[1]

    text = TARGET.sub("", text)
    text = CARD.sub(lambda found: _card_as_markdown(project, found["id"]), text)
    if folder is not None:
        text = CODE.sub(lambda found: _code_as_markdown(found, folder), text)
        text = DOC_ROLE.sub(lambda found: _title_of(found[1], folder), text)
    if runs is not None:
        text = RESULTS.sub(lambda found: _results_as_markdown(found, runs), text)
        text = RUN_ROLE.sub(lambda found: _number(found[1], runs), text)
    text = BOX.sub(_box_as_markdown, text)
    text = ROLE_WITH_TITLE.sub(r"\1", text)
    text = EQUATION_ROLE.sub(label, text)
    return ROLE.sub(r"\1", text)


def setup_cell(source: Source, docname: str) -> NotebookNode:
    """Return the first cell of a notebook that has left the book: it installs what is missing, and else does nothing.

    Args:
        source: where the package is installed from.
        docname: the chapter: its part says which extras it needs.
    """
    extras = extras_of(docname)
    requirement = source.requirement(extras)
    if requirement is None:
        chosen = f".[{','.join(extras)}]" if extras else "."
        words = f"This notebook comes from a local build. In the folder of the book, run: pip install '{chosen}'"
        install = f'raise ModuleNotFoundError("{words}")'
    else:
        install = f'%pip install --quiet "{requirement}"'
    names = ", ".join(f'"{name}"' for name in [PACKAGE, *distributions_of(extras)])
    cell = new_code_cell(SETUP.format(names=names, install=install))
    cell.id = "setup"
    cell.metadata.update({"cellView": "form", "jupyter": {"source_hidden": True}, "tags": ["setup"]})  # folded
    return cell


def as_notebook(project: Project, path: Path, runs: "Runs | None" = None) -> NotebookNode:
    """Turn a chapter into a notebook that runs as it is.

    Args:
        project: the papers and their evidence.
        path: of the chapter.
        runs: the frozen records.
    """
    notebook = jupytext.read(path)
    for number, cell in enumerate(notebook.cells, 1):
        cell.id = f"cell-{number}"  # not by lot: what has not changed is written as it was
        if cell.cell_type == "markdown":
            cell.source = plain_markdown(cell.source, project, path.parent, runs)
        cell.metadata.pop("mystnb", None)
    return notebook


def write_notebooks(app: Sphinx, error: Exception | None) -> None:
    """Write the chapters' notebooks into the site, each with the cell that installs what it needs."""
    if error is not None or app.builder.format != "html":
        return
    for docname in app.env.found_docs:
        path = Path(app.env.doc2path(docname))
        if is_chapter(path):
            notebook = as_notebook(project_of(app), path, app.reconstruct_runs)  # type: ignore[attr-defined]
            notebook.cells.insert(0, setup_cell(source_of(app), docname))
            target = Path(app.outdir) / notebook_name(docname)
            target.parent.mkdir(parents=True, exist_ok=True)
            jupytext.write(notebook, target)

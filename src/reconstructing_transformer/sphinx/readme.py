"""The results in the README, made from the frozen records as the book's own tables are.

    python -m reconstructing_transformer.sphinx.readme

fills in what stands between these two lines, where the names are those of `results` directives of chapters:

    <!-- results mnist-results multi30k-results -->
    <!-- /results -->
"""

import dataclasses
import re
from pathlib import Path
from typing import Annotated

import typer

from reconstructing_transformer._data import write_whole
from reconstructing_transformer.sphinx.lab import chapters
from reconstructing_transformer.sphinx.notebooks import OPTIONS, RESULTS, plain_markdown
from reconstructing_transformer.sphinx.project import NO_PROJECT
from reconstructing_transformer.sphinx.results import ANY, metrics_option
from reconstructing_transformer.sphinx.runs import FOLDER, Runs, ShownTable, read_runs
from reconstructing_transformer.tracking.table import ResultTable

MARKED = re.compile(r"(?P<begin><!-- results (?P<names>[^>]+) -->\n)(?P<body>.*?)(?P<end><!-- /results -->)", re.DOTALL)
LEFT_OUT = {"Training time", "Seeds"}  # of the page's table: they need the page's width


class ReadmeError(ValueError):
    """The README asks for what the book does not have."""


@dataclasses.dataclass(frozen=True)
class Shown:
    """A result table of a chapter, with its caption."""

    table: ShownTable
    caption: str


def shown_tables(root: Path) -> dict[str, Shown]:
    """Return the result tables that chapters show, by name.

    Args:
        root: the book's folder.
    """
    found = {}
    for page in chapters(root):
        for directive in RESULTS.finditer((root / f"{page}.md").read_text(encoding="utf-8")):
            options = dict(OPTIONS.findall(directive["options"]))
            project = directive["project"]
            name = options.get("name", f"results-{project}")
            models = tuple(options["models"].replace(",", " ").split())
            metrics, growing = metrics_option(options.get("metrics", "")), options.get("seeds", "").strip() == ANY
            table = ShownTable(name, page, project, models, metrics, growing)
            found[name] = Shown(table, plain_markdown(options.get("caption", ""), NO_PROJECT))
    return found


def _narrow(table: ResultTable) -> ResultTable:
    """Leave out the columns that need the page's width, and the notes that explain them; the page has both."""
    wanted = [place for place, column in enumerate(table.columns) if column.group not in LEFT_OUT]
    return dataclasses.replace(
        table,
        columns=tuple(table.columns[place] for place in wanted),
        rows=tuple(tuple(row[place] for place in wanted) for row in table.rows),
        notes=(),
    )


def _written(shown: Shown, runs: Runs) -> str:
    return f"**{shown.caption}** [Chapter]({shown.table.docname}.md)\n\n{_narrow(shown.table.made(runs)).markdown()}"


def filled(text: str, root: Path) -> str:
    """Return a README with its results as the records have them today.

    Args:
        text: the README.
        root: the book's folder.

    Raises:
        ReadmeError: it has no place for results, or asks for a table that no chapter shows.
    """
    if not MARKED.search(text):
        raise ReadmeError("the README has no place for results: <!-- results NAME … --> and <!-- /results -->")
    tables, runs = shown_tables(root), read_runs(root / FOLDER)

    def body(found: re.Match[str]) -> str:
        names = found["names"].split()
        if unknown := [name for name in names if name not in tables]:
            raise ReadmeError(f"no chapter shows the table {', '.join(unknown)}; there are: {', '.join(tables)}")
        return found["begin"] + "\n".join(f"\n{_written(tables[name], runs)}" for name in names) + "\n" + found["end"]

    return MARKED.sub(body, text)


def main(root: Annotated[Path, typer.Option(help="The book's folder.")] = Path()) -> None:
    """Write the README's results anew."""
    path = root / "README.md"
    old = path.read_text(encoding="utf-8")
    try:
        new = filled(old, root)
    except ReadmeError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error
    if new != old:
        write_whole(path, new.encode())
    typer.echo("README.md: its results are written anew" if new != old else "README.md: its results are today's")


if __name__ == "__main__":
    typer.run(main)

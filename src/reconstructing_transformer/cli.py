"""`reconstruct`: what the book can do from the command line."""

import difflib
import json
from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from reconstructing_transformer.equations import Evidence, PaperError, gather, load_papers
from reconstructing_transformer.figures.catalogue import CatalogueError, FigureEntry, load_catalogue

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode="markdown")


figures_app = typer.Typer(no_args_is_help=True, help="The figures of a built site: list them, cite one.")
app.add_typer(figures_app, name="figures")
Site = Annotated[Path, typer.Option(help="Folder of a built site.")]


@app.callback()
def reconstruct() -> None:
    """Reconstructing the Transformer: the papers' equations, tied to code and proof."""


def _table(evidence: Evidence) -> Table:
    table = Table(title="Equations, compared with references that our code did not produce", box=SIMPLE_HEAD)
    table.add_column("equation")
    table.add_column("code, and what it is compared with", overflow="fold")
    table.add_column("largest error", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for result in evidence.results:
        verdict = "[green]agrees[/]" if result.passed else "[bold red]fails[/]"
        code = escape(result.implementation.removeprefix("reconstructing_transformer."))
        pair = f"{code}\n[dim]{escape(result.reference)}, {result.cases} cases[/]"
        error = f"{result.max_error:.1e}\n[dim]allowed {result.tolerance:.0e}[/]"
        table.add_row(result.equation, pair, error, verdict)
    return table


@app.command()
def verify(
    equation: Annotated[str | None, typer.Argument(help="Id of one equation, `vaswani2017-1` say; else all.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the measurements as JSON.")] = False,
) -> None:
    """Compare each equation's code with independent references, on random cases.

    Exit code 0: paper, code and checks agree; 1: something does not; 2: the question can't be asked.
    """
    complain = Console(stderr=True)
    try:
        papers = load_papers()
    except PaperError as error:
        complain.print(f"[red]error[/] {escape(str(error))}")
        raise typer.Exit(2) from error
    known = [entry.id for paper in papers.values() for entry in paper.equations]
    if equation is not None and equation not in known:
        complain.print(f"[red]error[/] no equation “{escape(equation)}”; there are {', '.join(known)}", soft_wrap=True)
        raise typer.Exit(2)
    evidence = gather(papers, only=equation)
    if as_json:
        keys = {"equation", "implementation", "reference", "cases", "max_error", "tolerance", "passed"}
        measured = [result.model_dump(mode="json", include=keys) for result in evidence.results]
        typer.echo(json.dumps(measured, indent=2))
    else:
        Console().print(_table(evidence))
    for problem in evidence.problems:
        complain.print(f"[red]drift[/] {escape(str(problem))}", soft_wrap=True)
    if evidence.problems:
        raise typer.Exit(1)


def _figures(site: Path) -> list[FigureEntry]:
    try:
        return load_catalogue(site)
    except CatalogueError as error:
        Console(stderr=True).print(f"[red]error[/] {escape(str(error))}", soft_wrap=True)
        raise typer.Exit(2) from error


@figures_app.command("list")
def list_figures(
    site: Site = Path("_build/html"),
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole catalogue as JSON.")] = False,
) -> None:
    """List the figures of a built site: number, id, title, chapter."""
    entries = _figures(site)
    if as_json:
        typer.echo(json.dumps([entry.model_dump() for entry in entries], indent=2, ensure_ascii=False))
        return
    table = Table(box=SIMPLE_HEAD)
    table.add_column("figure", justify="right", no_wrap=True)
    table.add_column("id", no_wrap=True)
    table.add_column("what it shows", overflow="fold")
    table.add_column("chapter", overflow="fold")
    for entry in entries:
        table.add_row(entry.number, entry.id, escape(entry.title), escape(entry.chapter))
    Console().print(table)


@figures_app.command("cite")
def cite_figure(
    figure: Annotated[str, typer.Argument(help="The figure's id, as `reconstruct figures list` shows it.")],
    site: Site = Path("_build/html"),
) -> None:
    """Print how to cite a figure, as BibTeX. Exit code 2: there is no such figure, or no built site."""
    entries = {entry.id: entry for entry in _figures(site)}
    if figure not in entries:
        near = difflib.get_close_matches(figure, entries, n=3) or list(entries)
        message = f"no figure “{figure}”; did you mean {', '.join(near)}?"
        Console(stderr=True).print(f"[red]error[/] {escape(message)}", soft_wrap=True)
        raise typer.Exit(2)
    typer.echo(entries[figure].bibtex, nl=False)

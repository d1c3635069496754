"""`reconstruct figures`: the figures of a built site."""

import difflib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from reconstructing_transformer.cli.complaints import complain

if TYPE_CHECKING:
    from reconstructing_transformer.figures.catalogue import FigureEntry

figures_app = typer.Typer(no_args_is_help=True, help="The figures of a built site: list them, cite one.")
Site = Annotated[Path, typer.Option(help="Folder of a built site.")]


def _figures(site: Path) -> list["FigureEntry"]:
    from reconstructing_transformer.figures.catalogue import CatalogueError, load_catalogue

    try:
        return load_catalogue(site)
    except CatalogueError as error:
        complain(str(error))


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
        complain(f"no figure “{figure}”; did you mean {', '.join(near)}?")
    typer.echo(entries[figure].bibtex, nl=False)

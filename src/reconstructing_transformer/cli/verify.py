"""`reconstruct verify`: do paper, code and checks agree?"""

import json
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from reconstructing_transformer.cli.complaints import complain
from reconstructing_transformer.equations import Evidence, PaperError, gather, load_papers


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


def verify(
    equation: Annotated[str | None, typer.Argument(help="Id of one equation, `vaswani2017-1` say; else all.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the measurements as JSON.")] = False,
) -> None:
    """Compare each equation's code with independent references, on random cases.

    Exit code 0: paper, code and checks agree; 1: something does not; 2: the question can't be asked.
    """
    try:
        papers = load_papers()
    except PaperError as error:
        complain(str(error))
    known = [entry.id for paper in papers.values() for entry in paper.equations]
    if equation is not None and equation not in known:
        complain(f"no equation “{equation}”; there are {', '.join(known)}")
    evidence = gather(papers, only=equation)
    if as_json:
        keys = {"equation", "implementation", "reference", "cases", "max_error", "tolerance", "passed"}
        measured = [result.model_dump(mode="json", include=keys) for result in evidence.results]
        typer.echo(json.dumps(measured, indent=2))
    else:
        Console().print(_table(evidence))
    for problem in evidence.problems:
        Console(stderr=True).print(f"[red]drift[/] {escape(str(problem))}", soft_wrap=True)
    if evidence.problems:
        raise typer.Exit(1)

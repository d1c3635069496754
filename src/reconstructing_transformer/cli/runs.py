"""`reconstruct runs`: the records of trainings."""

from collections.abc import Callable, Sequence
from enum import StrEnum
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from reconstructing_transformer.cli.complaints import complain

if TYPE_CHECKING:
    from reconstructing_transformer.tracking.record import RunRecord
    from reconstructing_transformer.tracking.store import Stored
    from reconstructing_transformer.tracking.wandb_record import WandbRun

runs_app = typer.Typer(
    no_args_is_help=True, help="Records of trainings: make them from W&B, look at them, freeze them for the book."
)
Into = Annotated[Path | None, typer.Option("--folder", help="Where records go; `runs` of this checkout by itself.")]
From = Annotated[
    list[Path] | None,
    typer.Option("--folder", help="Where to look, more than once if need be; `runs` and `book/runs` by itself."),
]


class Form(StrEnum):
    """How a table is written."""

    text = "text"
    csv = "csv"
    latex = "latex"
    markdown = "markdown"


def _runs(folder: Path | None = None) -> Path:
    from reconstructing_transformer.tracking.store import RUNS, checkout_root

    return folder or checkout_root(Path.cwd()) / RUNS


def _frozen() -> Path:
    from reconstructing_transformer.tracking.store import FROZEN, checkout_root

    return checkout_root(Path.cwd()) / FROZEN


def _stored(folders: Sequence[Path] | None) -> list["Stored"]:
    from reconstructing_transformer.tracking.record import RecordError
    from reconstructing_transformer.tracking.store import stored_records

    try:
        return stored_records(folders or [_runs(), _frozen()])
    except RecordError as error:
        complain(str(error))


def _keep(run: "WandbRun", folder: Path) -> "RunRecord":
    """Make a run's record and write it; say where.

    Raises:
        ValueError: it can't be made, or must not be written.
    """
    from reconstructing_transformer.tracking.store import keep_record
    from reconstructing_transformer.tracking.wandb_record import record_of

    record = record_of(run)
    typer.echo(f"{keep_record(record, folder)}: {record.status}")
    return record


@runs_app.command("pull")
def pull(
    project: Annotated[str, typer.Argument(metavar="ENTITY/PROJECT", help="As in the address of its W&B page.")],
    folder: Into = None,
) -> None:
    """Make records from the runs of a W&B project, through W&B's public API.

    Only runs that `reconstruct train` made can become records: of others nobody knows command, seed, data and metrics
    exactly. They are named and left out. Exit code 2: not one record could be made.
    """
    from reconstructing_transformer.tracking.pull import PullError, pull_runs

    kept, left_out = 0, 0
    try:
        for run in pull_runs(project):
            try:
                _keep(run, _runs(folder))
                kept += 1
            except ValueError as error:
                typer.echo(f"left out: {error}", err=True)
                left_out += 1
    except ModuleNotFoundError as error:
        _needs_tracking(error)
    except PullError as error:
        complain(str(error))
    if not kept:
        complain(f"{project}: no record was made; it has {left_out or 'no'} runs")


@runs_app.command("import")
def import_run(
    path: Annotated[
        Path, typer.Argument(help="W&B's folder of a run, `runs/wandb/offline-run-…`, or its .wandb file.")
    ],
    folder: Into = None,
) -> None:
    """Make a record from W&B's folder of an offline run, and of its resumptions beside it.

    A log that was cut, because the training was killed, gives what is whole; the record then says “running”.
    """
    from reconstructing_transformer.tracking.wandb_log import read_offline_run

    try:
        read = read_offline_run(path)
        record = _keep(read.run, _runs(folder))
    except ModuleNotFoundError as error:
        _needs_tracking(error)
    except ValueError as error:
        complain(str(error))
    if read.cut:
        rows = len(record.history)
        typer.echo(f"{read.cut}; the record holds what is whole: {rows} rows of its history", err=True)


def _needs_tracking(error: ModuleNotFoundError) -> None:
    complain(f"“{error.name}” is not installed; install it: pip install 'reconstructing-transformer[tracking]'")


@runs_app.command("list")
def list_runs(folder: From = None) -> None:
    """List the runs that have a record, project by project: how they ended, what they measured, where they lie."""
    for project, runs in groupby(_stored(folder), key=lambda one: one.record.project):
        table = Table(title=Text(project), title_justify="left", box=SIMPLE_HEAD)
        for head in ("run", "state", "metrics", "in"):
            table.add_column(head, overflow="fold")
        for one in runs:
            metrics = "\n".join(f"{name} {metric.value:.4f}" for name, metric in one.record.metrics.items())
            table.add_row(*(Text(part) for part in (one.record.id, one.state, metrics, str(_short(one.path)))))
        Console().print(table)


def _short(path: Path) -> Path:
    """A record's folder, from here where it lies below."""
    folder, here = path.parents[1], Path.cwd()
    return folder.relative_to(here) if folder.is_relative_to(here) else folder


@runs_app.command("show")
def show(run: Annotated[str, typer.Argument(metavar="ID", help="The run's id.")], folder: From = None) -> None:
    """Print a record, as JSON."""
    from reconstructing_transformer.tracking.record import RecordError
    from reconstructing_transformer.tracking.store import StoreError, find_record

    try:
        typer.echo(find_record(run, folder or [_runs(), _frozen()]).record.model_dump_json(indent=1))
    except (RecordError, StoreError) as error:
        complain(str(error))


@runs_app.command("table")
def table(
    project: Annotated[str, typer.Argument(help="The project, `vision-transformer` say.")],
    form: Annotated[Form, typer.Option("--format", help="How it is written.")] = Form.text,
    folder: From = None,
) -> None:
    """Print a project's result table, made from its finished runs. The book's own: `--folder book/runs`."""
    from reconstructing_transformer.tracking.published import FILE, PublishedError, read_published
    from reconstructing_transformer.tracking.summary import ResultError
    from reconstructing_transformer.tracking.table import result_table

    records = [one.record for one in _stored(folder)]
    finished = [record for record in records if record.project == project and record.status == "finished"]
    if not finished:
        known = ", ".join(sorted({record.project for record in records})) or "none"
        complain(f"project “{project}” has no finished run; projects with records: {known}")
    try:
        published = read_published(_frozen() / FILE).get(project)
        made = result_table(finished, published)
    except (PublishedError, ResultError) as error:
        complain(str(error))
    write: dict[Form, Callable[[], str]] = {
        Form.text: made.text, Form.csv: made.csv, Form.latex: made.latex, Form.markdown: made.markdown,
    }  # fmt: skip
    typer.echo(write[form](), nl=False)


@runs_app.command("freeze")
def freeze(
    runs: Annotated[list[str], typer.Argument(metavar="ID…", help="Ids of finished runs.")],
    folder: Into = None,
    into: Annotated[
        Path | None, typer.Option(help="The book's records; `book/runs` of this checkout by itself.")
    ] = None,
    release: Annotated[
        bool, typer.Option("--release", help="Copy the weights, too, into `book/models`, a folder a model.")
    ] = False,
) -> None:
    """Copy records of finished runs into `book/runs`, where the book's tables are made from; all of them or none."""
    from reconstructing_transformer.tracking.record import RecordError
    from reconstructing_transformer.tracking.store import StoreError, freeze_records, release_weights

    try:
        for run in runs if release else ():
            typer.echo(release_weights(run, _runs(folder), (into or _frozen()).parent / "models"))
        for path in freeze_records(runs, _runs(folder), into or _frozen()):
            typer.echo(path)
    except (RecordError, StoreError) as error:
        complain(str(error))

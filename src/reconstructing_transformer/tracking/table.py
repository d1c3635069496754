"""The result table: one row a model, mean ± standard deviation over seeds, and what was published beside it.

Every form of it, the page's and the terminal's, CSV, LaTeX and Markdown, is made from the same cells. Means and
deviations are rounded to the fixed number of decimals that `published.yml` gives a metric, four without it, so that
ours and the published figures can be compared digit by digit; the deviation is that of the sample (n − 1).
"""

import html
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import pandas as pd

from reconstructing_transformer.tracking.forms import duration, one_line, score, spread
from reconstructing_transformer.tracking.published import Published, PublishedProject
from reconstructing_transformer.tracking.record import RunRecord
from reconstructing_transformer.tracking.summary import Measured, ModelSummary, ResultError, summarise

NONE = "—"
MARKDOWN = re.compile(r"([\\`*_{}\[\]|#])")


@dataclass(frozen=True)
class Column:
    """A column of the table.

    Args:
        group: what stands above it and above its neighbours of the same group.
        head: its own name.
        number: whether it holds numbers.
    """

    group: str
    head: str
    number: bool = True

    @property
    def title(self) -> str:
        """Its name where there is only one line for names: what is published stands beside what it is compared with."""
        return self.head if self.head == "published" else self.group


@dataclass(frozen=True)
class Cell:
    """What a cell says, and what its row is sorted by; None stands last."""

    text: str
    value: float | int | str | None


@dataclass(frozen=True)
class ResultTable:
    """A result table, ready to be written in any form.

    Args:
        project: whose runs these are.
        models: the models, in the order of the rows.
        columns: the columns.
        rows: a cell for each column, a row a model.
        notes: what must be known to read the numbers.
        frame: the numbers, unrounded: for programs.
        decimals: of the columns of `frame` that are rounded when they are written.
    """

    project: str
    models: tuple[ModelSummary, ...]
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...]
    frame: pd.DataFrame
    decimals: dict[str, int]

    @property
    def texts(self) -> list[list[str]]:
        """What the cells say."""
        return [[cell.text for cell in row] for row in self.rows]

    def groups(self) -> list[tuple[str, list[Column]]]:
        """Return the columns by what stands above them."""
        return [(name, list(columns)) for name, columns in groupby(self.columns, key=lambda column: column.group)]

    def text(self) -> str:
        """Write the table for a terminal, with its notes and the runs of each row."""
        lines = [[column.title for column in self.columns], *self.texts]
        widths = [max(len(line[place]) for line in lines) for place in range(len(self.columns))]
        rule = ["-" * width for width in widths]
        table = [
            "  ".join(
                text.rjust(width) if column.number else text.ljust(width)
                for text, width, column in zip(line, widths, self.columns, strict=True)
            ).rstrip()
            for line in [lines[0], rule, *lines[1:]]
        ]
        return "\n".join([*table, "", *self.notes, *self._run_lines()]) + "\n"

    def csv(self) -> str:
        """Write the numbers as CSV: mean and deviation in columns of their own, rounded as they are shown."""
        rounded = self.frame.copy()
        for name, decimals in self.decimals.items():
            rounded[name] = [None if pd.isna(value) else f"{value:.{decimals}f}" for value in rounded[name]]
        buffer = io.StringIO()
        rounded.to_csv(buffer, index=False, lineterminator="\n")
        return buffer.getvalue()

    def latex(self) -> str:
        """Write the table for LaTeX with the package `booktabs`; notes and runs are comments above it."""
        heads = [(column.group, column.head if column.head != column.group else "") for column in self.columns]
        frame = pd.DataFrame(self.texts, columns=pd.MultiIndex.from_tuples(heads))
        columns = "".join("r" if column.number else "l" for column in self.columns)
        body = frame.to_latex(index=False, escape=True, column_format=columns, multicolumn_format="c")
        for sign, command in {"±": r"$\pm$", "−": "$-$", NONE: "---"}.items():
            body = body.replace(sign, command)
        comments = [f"% {line}" for line in [*self.notes, *self._run_lines()]]
        return "\n".join([*comments, body])

    def markdown(self) -> str:
        """Write the table as Markdown, with its notes below."""
        heads = [_plain(column.title) for column in self.columns]
        rule = ["---:" if column.number else ":---" for column in self.columns]
        cells = [[_plain(text) for text in row] for row in self.texts]
        lines = ["| " + " | ".join(row) + " |" for row in [heads, rule, *cells]]
        return "\n".join([*lines, "", *(f"{_plain(note)}  " for note in self.notes)]).rstrip() + "\n"

    def _run_lines(self) -> Iterator[str]:
        for model in self.models:
            yield f"Runs of {model.label}: " + ", ".join(f"{run.id} (seed {run.seed})" for run in model.runs)


def _plain(text: str) -> str:
    """Text that Markdown takes for text."""
    return MARKDOWN.sub(r"\\\1", html.escape(text, quote=False))


class _Builder:
    """Makes the columns of one table, one after the other."""

    def __init__(self, models: Sequence[ModelSummary], published: PublishedProject) -> None:
        self.models, self.published = models, published
        self.columns: list[Column] = []
        self.cells: list[list[Cell]] = []
        self.numbers: dict[str, list[object]] = {}
        self.decimals: dict[str, int] = {}

    def add(self, column: Column, cells: Sequence[Cell]) -> None:
        self.columns.append(column)
        self.cells.append(list(cells))

    def pair(self, name: str, ours: Sequence[Cell], theirs: Sequence[Cell]) -> None:
        """Ours and the published figures, where there are any."""
        beside = any(cell.value is not None for cell in theirs)
        self.add(Column(name, "ours" if beside else name), ours)
        if beside:
            self.add(Column(name, "published"), theirs)

    def metric(self, name: str) -> list[Measured]:
        measured = [model.measured(name) for model in self.models]
        decimals = self.published.decimals(name)
        theirs = [model.published.metrics.get(name) for model in self.models]
        self.pair(
            self.published.metric_label(name),
            [Cell(spread(one.mean, one.sd, decimals), one.mean) for one in measured],
            [Cell(NONE if value is None else score(value, decimals), value) for value in theirs],
        )
        columns = {name: [one.mean for one in measured], f"{name} sd": [one.sd for one in measured]}
        columns[f"{name} published"] = theirs
        self.numbers |= {key: values for key, values in columns.items() if any(value is not None for value in values)}
        self.decimals |= dict.fromkeys(columns.keys() & self.numbers.keys(), decimals)
        return measured

    def time(self) -> None:
        one_device = len({model.device for model in self.models}) == 1
        ours = [
            Cell(duration(model.seconds) + ("" if one_device else f", {model.device}"), model.seconds)
            for model in self.models
        ]
        one_of_theirs = len(_conditions(self.models)) == 1
        theirs = []
        for model in self.models:
            seconds = model.published.seconds
            beside = "" if one_of_theirs else "".join(f", {words}" for words in _published_conditions(model))
            theirs.append(Cell(NONE if seconds is None else duration(seconds) + beside, seconds))
        self.pair("Training time", ours, theirs)
        self.numbers["seconds"] = [model.seconds for model in self.models]
        self.decimals["seconds"] = 1
        if any(cell.value is not None for cell in theirs):
            self.numbers["seconds published"] = [cell.value for cell in theirs]
            self.decimals["seconds published"] = 1
        self.numbers["device"] = [model.device for model in self.models]


def _published_conditions(model: ModelSummary) -> list[str]:
    published = model.published
    epochs = [] if published.epochs is None else [f"{published.epochs} epochs"]
    return epochs + ([published.device] if published.device else [])


def _conditions(models: Sequence[ModelSummary]) -> set[tuple[str, ...]]:
    """Under what conditions others have trained the models that they have published."""
    return {tuple(_published_conditions(model)) for model in models if model.published != Published()}


def _parameters(model: ModelSummary) -> Cell:
    theirs = model.published.parameters
    differs = theirs is not None and theirs != model.parameters
    return Cell(f"{model.parameters:,}" + (f" (published: {theirs:,})" if differs else ""), model.parameters)


def _notes(
    models: Sequence[ModelSummary], published: PublishedProject, measured: dict[str, list[Measured]]
) -> list[str]:
    single = " One run has no deviation." if any(len(model.runs) == 1 for model in models) else ""
    notes = [f"Mean ± sample standard deviation over n runs that differ in their seed.{single}"]
    for name, columns in measured.items():
        meanings = {(one.definition, one.split): model.label for one, model in zip(columns, models, strict=True)}
        if len(meanings) > 1:
            words = "; ".join(f"“{text}” on {split} ({label})" for (text, split), label in meanings.items())
            raise ResultError(f"{models[0].project}: the models measure different things as “{name}”: {words}")
        ((definition, split),) = meanings
        notes.append(f"{published.metric_label(name)}, on {split}: {definition.rstrip('.')}.")
    devices = {model.device for model in models}
    where = f", on {devices.pop()}" if len(devices) == 1 else ""
    notes.append(f"Training time: mean wall time of a run{where}.")
    conditions = _conditions(models)
    shared = f" ({', '.join(conditions.pop())})" if len(conditions) == 1 and any(conditions) else ""
    if published.source and any(model.published.metrics for model in models):
        notes.append(f"Published: {published.source}{shared}.")
    for model in models:
        if differing := model.differences():
            notes.append(f"The runs of {model.label} differ in {', '.join(differing)}, too.")
    return [one_line(note) for note in notes]


def result_table(
    records: Sequence[RunRecord],
    published: PublishedProject | None = None,
    metrics: Sequence[str] | None = None,
    models: Sequence[str] | None = None,
) -> ResultTable:
    """Make the result table of a project.

    Args:
        records: the finished runs of one project.
        published: names and order of models and metrics, and figures that others have published.
        metrics: which metrics to show; without it those that `published` names, or else all that every run has.
        models: which models to show; all without it.

    Returns:
        The table, a row a model, in the order of `published`.

    Raises:
        ResultError: the records don't make a result: see `summarise`; or they lack a model or a metric that is asked
            for; or models define a metric differently.
    """
    known = published or PublishedProject()
    summaries = summarise(records, known)
    if not summaries:
        raise ResultError("there is no record to make a result table from; train, and freeze the run's record")
    if missing := [name for name in models or () if name not in summaries]:
        raise ResultError(f"no run of {', '.join(missing)}; there are runs of {', '.join(summaries)}")
    chosen = [summary for name, summary in summaries.items() if models is None or name in models]
    shared = [name for name in chosen[0].metric_names if all(name in model.metric_names for model in chosen)]
    names = list(metrics or known.metrics or shared)
    builder = _Builder(chosen, known)
    builder.add(Column("Model", "Model", number=False), [Cell(model.label, model.label) for model in chosen])
    builder.add(Column("Parameters", "Parameters"), [_parameters(model) for model in chosen])
    builder.numbers |= {"model": [model.model for model in chosen], "label": [model.label for model in chosen]}
    builder.numbers["parameters"] = [model.parameters for model in chosen]
    measured = {name: builder.metric(name) for name in names}
    builder.time()
    builder.add(Column("n", "n"), [Cell(str(len(model.runs)), len(model.runs)) for model in chosen])
    seeds = [", ".join(map(str, model.seeds)) for model in chosen]
    builder.add(Column("Seeds", "Seeds", number=False), [Cell(text, text) for text in seeds])
    builder.numbers |= {"n": [len(model.runs) for model in chosen], "seeds": [text.replace(",", "") for text in seeds]}
    builder.numbers["runs"] = [" ".join(run.id for run in model.runs) for model in chosen]
    return ResultTable(
        project=chosen[0].project,
        models=tuple(chosen),
        columns=tuple(builder.columns),
        rows=tuple(zip(*builder.cells, strict=True)),
        notes=tuple(_notes(chosen, known, measured)),
        frame=pd.DataFrame(builder.numbers),
        decimals=builder.decimals,
    )

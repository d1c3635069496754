"""Finished runs of a project, model by model: what all seeds share, and what they measured."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from pydantic import JsonValue

from reconstructing_transformer.tracking.forms import one_line
from reconstructing_transformer.tracking.published import Published, PublishedProject
from reconstructing_transformer.tracking.record import Device, RunRecord


class ResultError(ValueError):
    """Records that no result can be made from. The message names project, model, runs and what to do."""


@dataclass(frozen=True)
class Measured:
    """One metric over the seeds of a model.

    Args:
        values: one a run, in the order of the seeds.
        definition: what exactly was measured; the same in each run.
        split: on what.
    """

    values: tuple[float, ...]
    definition: str
    split: str

    @property
    def n(self) -> int:
        """How many runs there are."""
        return len(self.values)

    @property
    def mean(self) -> float:
        """Their mean."""
        return statistics.fmean(self.values)

    @property
    def sd(self) -> float | None:
        """The sample standard deviation, with n − 1 in the denominator; one run has none."""
        return statistics.stdev(self.values) if self.n > 1 else None


@dataclass(frozen=True)
class ModelSummary:
    """A model with its finished runs, sorted by seed.

    Args:
        project: the project's name.
        model: the model's name in the records.
        label: its name on a page.
        published: what others have published of it.
        runs: its runs, one a seed.
    """

    project: str
    model: str
    label: str
    published: Published
    runs: tuple[RunRecord, ...]

    @property
    def parameters(self) -> int:
        """How many parameters each of the runs has trained."""
        return self.runs[0].parameters

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds, in order."""
        return tuple(run.seed for run in self.runs)

    @property
    def seconds(self) -> float:
        """Mean wall time of a run."""
        return statistics.fmean(run.wall_seconds for run in self.runs)

    @property
    def device(self) -> str:
        """What the runs ran on; several devices where they ran on several."""
        return "; ".join(dict.fromkeys(device_words(run.device) for run in self.runs))

    @property
    def metric_names(self) -> list[str]:
        """The metrics that each of the runs has."""
        return [name for name in self.runs[0].metrics if all(name in run.metrics for run in self.runs)]

    def measured(self, metric: str) -> Measured:
        """Return a metric over all seeds.

        Raises:
            ResultError: a run lacks it.
        """
        lacking = [run.id for run in self.runs if metric not in run.metrics]
        if lacking:
            known = ", ".join(self.metric_names) or "none"
            raise ResultError(f"{self._name}: no metric “{metric}” in run {', '.join(lacking)}; metrics are {known}")
        metrics = [run.metrics[metric] for run in self.runs]
        return Measured(tuple(float(one.value) for one in metrics), metrics[0].definition, metrics[0].split)

    def config(self, key: str) -> JsonValue:
        """Return a value of the configuration that all runs share.

        Args:
            key: its name; dots lead into what is nested.

        Raises:
            ResultError: there is no such key, or the runs have different values.
        """
        values = [_look_up(run.config, key, self._name) for run in self.runs]
        if any(value != values[0] for value in values):
            raise ResultError(f"{self._name}: its runs have different `{key}`: {', '.join(map(str, values))}")
        return values[0]

    def differences(self) -> list[str]:
        """Return the keys of the configuration, beside the seed, in which the runs differ."""
        first, missing = self.runs[0].config, object()
        keys = dict.fromkeys(key for run in self.runs for key in run.config if key != "seed")
        return [
            key for key in keys if any(run.config.get(key, missing) != first.get(key, missing) for run in self.runs)
        ]

    @property
    def _name(self) -> str:
        return f"{self.project}/{self.model}"


def _look_up(config: dict[str, JsonValue], key: str, name: str) -> JsonValue:
    value: JsonValue = config
    for part in key.split("."):
        if not isinstance(value, dict) or part not in value:
            known = ", ".join(value) if isinstance(value, dict) else "nothing below it"
            raise ResultError(f"{name}: no `{key}` in the configuration of its runs; there is {known}")
        value = value[part]
    return value


def device_words(device: Device) -> str:
    """Say in a few words what a training ran on."""
    threads = f"{device.threads} thread{'s' * (device.threads != 1)}"
    many = f"{device.processes} processes" if device.processes > 1 else ""
    each = (threads + " each" if many else threads) if device.kind == "cpu" else ""
    precision = "" if device.precision == "no" else device.precision
    return ", ".join(words for words in (one_line(device.name), many, each, precision) if words)


def _check(name: str, runs: Sequence[RunRecord]) -> None:
    for run in runs:
        if run.status != "finished":
            raise ResultError(
                f"{name}: run {run.id} has the status “{run.status}”: results are made from finished runs only. "
                "Take its record away, or let it finish and freeze it again"
            )
    sizes = {run.parameters: run.id for run in runs}
    if len(sizes) > 1:
        words = ", ".join(f"{size:,} (run {run})" for size, run in sizes.items())
        raise ResultError(f"{name}: its runs disagree on the number of parameters: {words}. They are not one model")
    for seed, same in groupby(runs, key=lambda run: run.seed):
        ids = [run.id for run in same]
        if len(ids) > 1:
            raise ResultError(f"{name}: {len(ids)} runs have the seed {seed}: {', '.join(ids)}. Keep the record of one")
    for metric in dict.fromkeys(metric for run in runs for metric in run.metrics):
        there = [(run.metrics[metric], run.id) for run in runs if metric in run.metrics]
        meanings = {(one.definition, one.split): run for one, run in there}
        if len(meanings) > 1:
            words = "; ".join(f"“{text}” on {split} in run {run}" for (text, split), run in meanings.items())
            raise ResultError(f"{name}: its runs measure different things as “{metric}”: {words}")


def summarise(records: Sequence[RunRecord], published: PublishedProject | None = None) -> dict[str, ModelSummary]:
    """Sum up the finished runs of a project, model by model.

    Args:
        records: of one project.
        published: names, order and published figures of its models.

    Returns:
        The models by name, in the order of `published`.

    Raises:
        ResultError: a run is not finished; two runs of a model have the same seed, or differ in their number of
            parameters or in what they call by the same metric's name; or the records are of several projects.
    """
    known = published or PublishedProject()
    if len(projects := sorted({record.project for record in records})) > 1:
        raise ResultError(f"a result is made from the records of one project; got {', '.join(projects)}")
    ordered = sorted(records, key=lambda record: (known.place(record.model), record.seed, record.id))
    models = {}
    for model, group in groupby(ordered, key=lambda record: record.model):
        runs = tuple(group)
        _check(f"{projects[0]}/{model}", runs)
        models[model] = ModelSummary(projects[0], model, known.label(model), known.published(model), runs)
    return models

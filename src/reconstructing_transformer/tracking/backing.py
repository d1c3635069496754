"""Does a record back a number that stands in prose? A measured number that none backs was typed by hand, or is old."""

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from pydantic import JsonValue

from reconstructing_transformer.tracking.published import PublishedProject
from reconstructing_transformer.tracking.summary import ModelSummary

# A decimal with two decimals or more, or a percentage. Not: a part of a word, of a version, of a
# section's number, of an address at arXiv.
NUMBER = re.compile(
    r"(?<![\w.,§])(?<!arXiv:)(?:\d{1,3}(?:,\d{3})+|\d+)(?:(?P<decimals>\.\d+))?(?P<percent>[\s\u202f]?%)?(?![\w]|[.,]\d)"
)


@dataclass(frozen=True)
class Number:
    """A number that looks measured, as it stands in a text."""

    text: str
    value: float
    decimals: int
    percent: bool


def numbers_in(text: str) -> list[Number]:
    """Return the numbers of a text that look measured: decimals with two decimals or more, and percentages."""
    found = []
    for match in NUMBER.finditer(text):
        decimals, percent = len(match["decimals"] or ".") - 1, match["percent"] is not None
        if decimals >= 2 or percent:
            digits = match[0].removesuffix(match["percent"] or "").replace(",", "")
            found.append(Number(match[0], float(digits), decimals, percent))
    return found


def _numbers(value: JsonValue) -> Iterator[float]:
    """All numbers of a configuration, however deep."""
    if isinstance(value, dict):
        for part in value.values():
            yield from _numbers(part)
    elif isinstance(value, list):
        for part in value:
            yield from _numbers(part)
    elif isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        yield float(value)


def _of_model(model: ModelSummary) -> Iterator[float]:
    for metric in model.metric_names:
        one = model.measured(metric)
        yield from (one.mean, *([] if one.sd is None else [one.sd]))
    theirs = model.published
    yield from theirs.metrics.values()
    yield from (float(fact) for fact in (theirs.seconds, theirs.epochs, theirs.parameters) if fact is not None)
    seconds = [model.seconds, *([] if theirs.seconds is None else [theirs.seconds])]
    for run in model.runs:
        yield from (metric.value for metric in run.metrics.values())
        yield from _numbers(run.config)
        seconds.append(run.wall_seconds)
    for time in seconds:
        yield from (time, time / 60, time / 3600)


@dataclass(frozen=True)
class Backing:
    """The numbers of some projects.

    Args:
        values: means, deviations and single values of metrics, configurations, times, and what has been published.
    """

    values: frozenset[float] = field(default_factory=frozenset)

    def backs(self, number: Number) -> bool:
        """Whether one of them is this number, at the precision with which it is printed; a share as a percentage."""
        half = 0.5 * 10**-number.decimals * (1 + 1e-9)
        return any(
            abs(abs(value) - number.value) <= half or (number.percent and abs(abs(100 * value) - number.value) <= half)
            for value in self.values
        )


def backing(models: Iterable[ModelSummary], published: Iterable[PublishedProject] = ()) -> Backing:
    """Collect the numbers that records and published figures back.

    Args:
        models: of all projects that a page uses.
        published: of the same projects: it also has models that we have not trained.
    """
    values = {value for model in models for value in _of_model(model)}
    for project in published:
        values |= {value for entry in project.models.values() for value in entry.published.metrics.values()}
    return Backing(frozenset(values))

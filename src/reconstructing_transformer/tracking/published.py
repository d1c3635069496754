"""`book/runs/published.yml`: how tables name and order models and metrics, and what others have published for them."""

from pathlib import Path
from typing import Annotated

import yaml
from pydantic import Field, FiniteFloat, TypeAdapter, ValidationError

from reconstructing_transformer.tracking.record import Slug, Strict

FILE = "published.yml"
Words = Annotated[str, Field(min_length=1)]


class PublishedError(ValueError):
    """The file of published figures says something that can't be right. The message names file, place and rule."""


class MetricForm(Strict):
    """How a metric is shown.

    Args:
        label: what stands above its column.
        decimals: of means and standard deviations, wherever they are shown.
    """

    label: Words | None = None
    decimals: int = Field(default=4, ge=0, le=12)


class Published(Strict):
    """What others have published of a model. What they don't say is left out."""

    parameters: int | None = Field(default=None, ge=0)
    metrics: dict[str, FiniteFloat] = Field(default_factory=dict)
    seconds: float | None = Field(default=None, ge=0)
    epochs: int | None = Field(default=None, ge=0)
    device: Words | None = None


class ModelEntry(Strict):
    """A model's name on a page, and what has been published of it."""

    label: Words
    published: Published = Published()


class PublishedProject(Strict):
    """A project's metrics and models, in the order in which tables show them."""

    source: Words | None = Field(default=None, description="Where the published figures stand.")
    metrics: dict[str, MetricForm] = Field(default_factory=dict)
    models: dict[Slug, ModelEntry] = Field(default_factory=dict)

    def label(self, model: str) -> str:
        """Return a model's name; the one that its records use where the file gives none."""
        return self.models[model].label if model in self.models else model

    def published(self, model: str) -> Published:
        """Return what has been published of a model, which may be nothing."""
        return self.models[model].published if model in self.models else Published()

    def decimals(self, metric: str) -> int:
        """Return how many decimals a metric is shown with: four, if the file doesn't say."""
        return self.metrics.get(metric, MetricForm()).decimals

    def metric_label(self, metric: str) -> str:
        """Return what stands above a metric's column."""
        label = self.metrics.get(metric, MetricForm()).label
        return label or (metric[:1].upper() + metric[1:] if metric.islower() else metric)

    def place(self, model: str) -> tuple[int, str]:
        """Return what models are sorted by: the file's order, and after it their names."""
        order = list(self.models)
        return (order.index(model) if model in order else len(order), model)


_Projects = TypeAdapter(dict[Slug, PublishedProject])


def read_published(path: Path) -> dict[str, PublishedProject]:
    """Read what has been published, by project.

    Args:
        path: `book/runs/published.yml`. A file that isn't there says nothing of any project.

    Returns:
        The projects.

    Raises:
        PublishedError: the file is no YAML, or has a key or a value that it must not have.
    """
    if not path.is_file():
        return {}
    try:
        return _Projects.validate_python(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
    except yaml.YAMLError as error:
        raise PublishedError(f"{path}: not readable as YAML: {error}") from error
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise PublishedError(f"{path}: {faults}") from error

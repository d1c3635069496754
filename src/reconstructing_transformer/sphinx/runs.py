"""What a build knows of runs: the frozen records, the published figures, and which pages show tables of them."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from docutils import nodes
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from sphinx.application import Sphinx
from sphinx.builders.html import StandaloneHTMLBuilder
from sphinx.domains import Domain
from sphinx.environment import BuildEnvironment

from reconstructing_transformer.sphinx.pages import web_folder
from reconstructing_transformer.sphinx.stop import BuildStop
from reconstructing_transformer.tracking.forms import duration, size
from reconstructing_transformer.tracking.published import FILE, PublishedError, PublishedProject, read_published
from reconstructing_transformer.tracking.quote import Quote
from reconstructing_transformer.tracking.record import RecordError, RunRecord, read_records
from reconstructing_transformer.tracking.summary import ModelSummary, ResultError, summarise
from reconstructing_transformer.tracking.table import ResultTable, result_table

FOLDER = "book/runs"


class RunsError(BuildStop):
    """The frozen records make no results."""

    category = "Run records"


@dataclass(frozen=True)
class Runs:
    """The frozen runs of the book.

    Args:
        folder: where the records lie.
        records: all of them, by project, model and seed.
        published: names, order and published figures, by project.
        models: the models that have been trained, by project and name.
    """

    folder: Path
    records: list[RunRecord]
    published: dict[str, PublishedProject]
    models: dict[str, dict[str, ModelSummary]]

    def of(self, project: str) -> list[RunRecord]:
        """Return the records of a project."""
        return [record for record in self.records if record.project == project]

    def trained(self, project: str, models: tuple[str, ...]) -> tuple[str, ...]:
        """Return those of some models that have a run; all of them where none has."""
        return tuple(model for model in models if model in self.models.get(project, {})) or models

    def form(self, project: str) -> PublishedProject:
        """Return how a project's models and metrics are named and ordered."""
        return self.published.get(project, PublishedProject())

    def files(self, project: str) -> list[Path]:
        """Return the files that a project's results are made from."""
        return [self.folder / FILE, *(self.folder / project / record.file_name for record in self.of(project))]


def read_runs(folder: Path) -> Runs:
    """Read the frozen records of a folder.

    Args:
        folder: of the records and of the published figures, `book/runs`.

    Raises:
        RunsError: a file is no record, or the records of a model are none of one model: see `summarise`.
    """
    try:
        records, published = read_records(folder), read_published(folder / FILE)
        projects = dict.fromkeys(record.project for record in records)
        models = {
            project: summarise([record for record in records if record.project == project], published.get(project))
            for project in projects
        }
    except (RecordError, PublishedError, ResultError) as error:
        raise RunsError(str(error)) from error
    return Runs(folder, records, published, models)


def load_runs(app: Sphinx) -> None:
    """Read the book's frozen records: see `read_runs`."""
    app.reconstruct_runs = read_runs(Path(app.srcdir) / FOLDER)  # type: ignore[attr-defined]


def runs_of(app: Sphinx) -> Runs:
    """Return what `load_runs` has read."""
    return app.reconstruct_runs  # type: ignore[attr-defined]


def note_files(env: BuildEnvironment, project: str) -> None:
    """Let a page be read again when a record of a project or the published figures have changed.

    A record that is added or taken away changes the build's fingerprint, and then every page is read again.
    """
    for path in runs_of(env.app).files(project):
        if path.is_file():
            env.note_dependency(str(path))


def run_page(record: RunRecord) -> str:
    """Return the name of a run's own page."""
    return f"runs/{record.project}/{record.id}"


def render(app: Sphinx, name: str, **context: Any) -> str:  # noqa: ANN401
    """Fill in one of the site's templates. Whatever comes from a record is text: it is escaped."""
    if not hasattr(app, "reconstruct_templates"):
        templates = Environment(
            loader=FileSystemLoader(web_folder(app) / "templates"),
            autoescape=True,
            trim_blocks=True,
            lstrip_blocks=True,
            undefined=StrictUndefined,
        )
        templates.filters |= {"duration": duration, "size": size}
        app.reconstruct_templates = templates  # type: ignore[attr-defined]
    return app.reconstruct_templates.get_template(name).render(**context)  # type: ignore[attr-defined]


# Which pages show what ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ShownTable:
    """A result table, as a page asks for it.

    Args:
        name: what it is called.
        docname: the page.
        project: whose runs it shows.
        models: the models that it names.
        metrics: its columns; those of `published.yml` where it names none.
        growing: whether a model without a run is left out: for a table that is there before all trainings are.
    """

    name: str
    docname: str
    project: str
    models: tuple[str, ...]
    metrics: tuple[str, ...]
    growing: bool = False

    def made(self, runs: Runs) -> ResultTable:
        """Make the table.

        Raises:
            ResultError: the records don't make it.
        """
        form, models = runs.form(self.project), self.models
        if self.growing:
            models = runs.trained(self.project, models)
        return result_table(runs.of(self.project), form, self.metrics or None, models)

    def row(self, model: str) -> str:
        """Return the address of a model's row on the page."""
        return f"{self.name}-{model}"

    def file(self, ending: str) -> str:
        """Return the name of a file that the table can be taken home as; it lies beside the page."""
        folder, slash, _ = self.docname.rpartition("/")
        return f"{folder}{slash}{self.name}.{ending}"


class RunDomain(Domain):
    """The result tables of the book, by name, and the pages that list all runs."""

    name = "runs"
    label = "Runs"
    initial_data: dict[str, Any] = {"tables": {}, "listings": set()}  # noqa: RUF012 (Sphinx's own shape)
    data_version = 1

    @property
    def tables(self) -> dict[str, ShownTable]:
        """The tables by their names."""
        return self.data["tables"]

    @property
    def listings(self) -> set[str]:
        """The pages that list all runs."""
        return self.data["listings"]

    def note(self, table: ShownTable) -> None:
        """Remember a table. Of two with one name Sphinx itself warns: the name is a label."""
        self.tables.setdefault(table.name, table)

    def clear_doc(self, docname: str) -> None:
        """Forget a page that is read again."""
        for name in [name for name, table in self.tables.items() if table.docname == docname]:
            del self.tables[name]
        self.listings.discard(docname)

    def merge_domaindata(self, docnames: Iterable[str], otherdata: dict[str, Any]) -> None:
        """Take over what another process has read."""
        for table in otherdata["tables"].values():
            if table.docname in docnames:
                self.note(table)
        self.listings.update(otherdata["listings"] & set(docnames))

    def resolve_any_xref(self, *arguments: object) -> list[tuple[str, nodes.Element]]:
        """Leave references to the other domains: a table is referred to by `numref`."""
        return []


def tables_of(env: BuildEnvironment) -> RunDomain:
    """Return the book's result tables."""
    domain = env.domains["runs"]
    assert isinstance(domain, RunDomain)
    return domain


def table_number(app: Sphinx, table: ShownTable) -> str:
    """Return what a table is called in the book: `Table 12.1`."""
    numbers = app.env.toc_fignumbers.get(table.docname, {}).get("table", {}).get(table.name, ())
    return " ".join(["Table", ".".join(map(str, numbers))]).strip()


def place_of(builder: StandaloneHTMLBuilder, docname: str, project: str, quote: Quote) -> str:
    """Return where a quoted number can be looked up: in a table, of this page if it has one, or on the run's page."""
    runs, domain = runs_of(builder.app), tables_of(builder.env)
    tables = sorted(domain.tables.values(), key=lambda table: (table.docname != docname, table.docname, table.name))
    if quote.run is None:
        for table in tables:
            if table.project == project and quote.model in table.models:
                return f"{builder.get_relative_uri(docname, table.docname)}#{table.row(quote.model)}"
        for index in sorted(domain.listings):
            return f"{builder.get_relative_uri(docname, index)}#{project}-{quote.model}"
    model = runs.models[project][quote.model]
    record = next((run for run in model.runs if run.id == quote.run), model.runs[0])
    return builder.get_relative_uri(docname, run_page(record))

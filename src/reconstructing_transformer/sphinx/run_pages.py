"""Each run's own page, the page that lists them all, and the records for other programs."""

import json
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

from docutils import nodes
from pydantic import TypeAdapter
from sphinx.application import Sphinx
from sphinx.builders.html import StandaloneHTMLBuilder
from sphinx.util.docutils import SphinxDirective
from sphinx.writers.html5 import HTML5Translator

from reconstructing_transformer.sphinx.results import online
from reconstructing_transformer.sphinx.run_curves import curves_of
from reconstructing_transformer.sphinx.runs import (
    FOLDER,
    note_files,
    render,
    run_page,
    runs_of,
    table_number,
    tables_of,
)
from reconstructing_transformer.tracking.forms import score
from reconstructing_transformer.tracking.record import RunRecord
from reconstructing_transformer.tracking.summary import ModelSummary, device_words

Page = tuple[str, dict[str, Any], str]


class RunIndexTable(nodes.General, nodes.Element):
    """Stands for the list of all runs."""


class RunIndex(SphinxDirective):
    """`run-index`: every frozen run, by project and model."""

    def run(self) -> list[nodes.Node]:
        """Leave a place for the list."""
        tables_of(self.env).listings.add(self.env.docname)
        for project in runs_of(self.env.app).models:
            note_files(self.env, project)
        return [RunIndexTable()]


def visit_index(translator: HTML5Translator, node: RunIndexTable) -> None:
    """Write the list of all runs."""
    builder: StandaloneHTMLBuilder = translator.builder
    runs, docname = runs_of(builder.app), translator.docnames[0]
    projects = []
    for project, models in runs.models.items():
        form = runs.form(project)
        metrics = list(form.metrics) or list(
            dict.fromkeys(name for model in models.values() for name in model.metric_names)
        )
        rows = [
            {
                "model": model,
                "run": run,
                "first": run is model.runs[0],
                "metrics": [
                    score(run.metrics[name].value, form.decimals(name)) if name in run.metrics else "—"
                    for name in metrics
                ],
                "device": device_words(run.device),
                "page": builder.get_relative_uri(docname, run_page(run)),
                "online": online(run),
            }
            for model in models.values()
            for run in model.runs
        ]
        devices = {row["device"] for row in rows}
        projects.append(
            {
                "name": project,
                "metrics": [form.metric_label(name) for name in metrics],
                "device": devices.pop() if len(devices) == 1 else "",
                "rows": rows,
            }
        )
    translator.body.append(render(builder.app, "run-index.html", projects=projects, folder=FOLDER))
    raise nodes.SkipNode


def skip(translator: nodes.NodeVisitor, node: RunIndexTable) -> None:
    """Leave the list out where it cannot be shown."""
    raise nodes.SkipNode


def _written(value: object) -> str:
    """A value of a configuration as it stands in the record; a text without quotation marks."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _page(app: Sphinx, record: RunRecord, model: ModelSummary) -> Page:
    builder = app.builder
    assert isinstance(builder, StandaloneHTMLBuilder)
    name, form = run_page(record), runs_of(app).form(record.project)
    tables = [
        {
            "page": f"{builder.get_relative_uri(name, table.docname)}#{table.row(record.model)}",
            "number": table_number(app, table),
            "chapter": app.env.titles[table.docname].astext(),
        }
        for table in tables_of(app.env).tables.values()
        if table.project == record.project and record.model in table.models
    ]
    siblings = [
        {"seed": run.seed, "page": builder.get_relative_uri(name, run_page(run)), "here": run is record}
        for run in model.runs
    ]
    body = render(
        app,
        "run-page.html",
        run=record,
        model=model,
        device=device_words(record.device),
        metrics=[
            (form.metric_label(key), score(one.value, form.decimals(key)), one) for key, one in record.metrics.items()
        ],
        config=[(key, _written(value)) for key, value in record.config.items()],
        online=online(record),
        curves=curves_of(record),
        tables=tables,
        siblings=siblings,
        listings=[builder.get_relative_uri(name, index) for index in sorted(tables_of(app.env).listings)],
        file=record.file_name,
    )
    return name, {"title": escape(f"Run {record.name}"), "body": body}, "page.html"


def collect_pages(app: Sphinx) -> Iterator[Page]:
    """Make a page of each frozen run."""
    for models in runs_of(app).models.values():
        for model in models.values():
            for record in model.runs:
                yield _page(app, record, model)


def write_files(app: Sphinx, error: Exception | None) -> None:
    """Put the records into the site, one by one and all in `runs.json`, and the schema that they obey.

    The page of a run whose record was taken away goes with it.
    """
    if error is not None or not isinstance(app.builder, StandaloneHTMLBuilder):
        return
    site, records = Path(app.outdir), runs_of(app).records
    schema = RunRecord.model_json_schema()
    texts = {
        "run-record.schema.json": json.dumps(schema, indent=1, ensure_ascii=False) + "\n",
        "runs.json": TypeAdapter(list[RunRecord]).dump_json(records, indent=1).decode() + "\n",
        **{f"runs/{run.project}/{run.file_name}": run.model_dump_json(indent=1) + "\n" for run in records},
    }
    kept = {site / f"{run_page(run)}{ending}" for run in records for ending in (".html", ".json")}
    for old in {path for path in (site / "runs").glob("*/*") if path.suffix in {".html", ".json"}} - kept:
        old.unlink()
    for name, text in texts.items():
        target = site / name
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f"{target.name}.part")
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(target)

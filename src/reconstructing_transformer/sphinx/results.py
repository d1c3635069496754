"""The directive `results`: the result table of a project, numbered, sortable, to be taken home as CSV and LaTeX."""

import re
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.parsers.rst import directives
from markupsafe import Markup
from sphinx.application import Sphinx
from sphinx.builders.html import StandaloneHTMLBuilder
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective
from sphinx.writers.html5 import HTML5Translator

from reconstructing_transformer.sphinx.runs import (
    FOLDER,
    ShownTable,
    note_files,
    render,
    run_page,
    runs_of,
    tables_of,
)
from reconstructing_transformer.tracking.record import RunRecord
from reconstructing_transformer.tracking.summary import ModelSummary, ResultError

LOGGER = logging.getLogger(__name__)
NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")


class ResultsTable(nodes.General, nodes.Element):
    """Stands for a result table; its child is the caption."""


def caption_of(node: nodes.Node) -> str:
    """Return what references call a table."""
    return node.astext()


ANY = "any"


def seeds_option(text: str) -> tuple[int | None, dict[str, int]]:
    """Read how many seeds each model of a table has: `3`, or `3, deep-vit 5` where one has more than the others.

    `any` is for a table that grows while its models are trained: it shows what there is, one run at least.

    Raises:
        ValueError: it is neither.
    """
    if text.strip() == ANY:
        return None, {}
    first, *others = [part.split() for part in text.split(",")]
    if len(first) != 1 or any(len(part) != 2 for part in others):
        raise ValueError(f"`:seeds:` is a number, `3`, or a number with exceptions, `3, deep-vit 5`; got “{text}”")
    return directives.positive_int(first[0]), {model: directives.positive_int(count) for model, count in others}


def metrics_option(text: str) -> tuple[str, ...]:
    """Read which metrics a table shows: `accuracy f1`, or with commas where a name has blanks in it."""
    return tuple(part.strip() for part in (text.split(",") if "," in text else text.split()) if part.strip())


class ResultsDirective(SphinxDirective):
    """`results`: the table of a project, of the models and the number of seeds that it says.

    A table says what it needs, so that a record that is lost is missed: by name, in the build that misses it.
    """

    required_arguments = 1
    option_spec = {  # noqa: RUF012 (docutils' own shape)
        "models": directives.unchanged_required,
        "seeds": seeds_option,
        "metrics": directives.unchanged_required,
        "caption": directives.unchanged_required,
        "name": directives.unchanged_required,
    }

    def run(self) -> list[nodes.Node]:
        """Check that the records make the table, and leave a place for it."""
        project = self.arguments[0]
        name = self.options.get("name", f"results-{project}")
        if not NAME.fullmatch(name):
            raise self.error(f"the name of a table is of lower-case letters, digits and hyphens; got “{name}”")
        for option in ("models", "seeds"):
            if option not in self.options:
                raise self.error(
                    f"the table “{name}” must say which models it shows, `:models: cnn deep-vit`, and how many seeds "
                    f"each has, `:seeds: 3`: so that a lost record is missed; `:{option}:` is missing"
                )
        note_files(self.env, project)
        models = tuple(self.options["models"].replace(",", " ").split())
        metrics = metrics_option(self.options.get("metrics", ""))
        table = ShownTable(name, self.env.docname, project, models, metrics, self.options["seeds"][0] is None)
        if self._faulty(table):
            return []
        tables_of(self.env).note(table)
        return [self._node(table)]

    def _faulty(self, table: ShownTable) -> bool:
        """Warn of all that the table misses."""
        runs = runs_of(self.env.app)
        trained = runs.models.get(table.project, {})
        usual, exceptions = self.options["seeds"]
        faults = [f"`:seeds:` names {model}, which `:models:` lacks" for model in exceptions.keys() - set(table.models)]
        if table.growing and not trained.keys() & set(table.models):
            faults.append(f"needs a finished run of one of {', '.join(table.models)}, and there is none")
        for model in table.models:
            needed, there = exceptions.get(model, usual), trained[model].seeds if model in trained else ()
            if needed is not None and len(there) != needed:
                had = f"seed{'s' * (len(there) != 1)} {', '.join(map(str, there))}" if there else "no run of it"
                faults.append(
                    f"needs {needed} finished run{'s' * (needed != 1)} of {model}, and {FOLDER}/{table.project} has "
                    f"{len(there)} ({had}). Bring back the record that is lost, or let `:models:` and `:seeds:` say "
                    "what there is"
                )
        if not faults:
            try:
                table.made(runs)
            except ResultError as error:
                faults.append(str(error))
        for fault in faults:
            LOGGER.warning("the table “%s” %s", table.name, fault, location=self.get_location())
        return bool(faults)

    def _node(self, table: ShownTable) -> ResultsTable:
        caption = self.options.get("caption", f"Results of {table.project}.")
        children, messages = self.state.inline_text(caption, self.lineno)
        node = ResultsTable("", nodes.inline("", "", *children, *messages, classes=["caption-text"]), table=table.name)
        node["project"], node["names"] = table.project, [nodes.fully_normalize_name(table.name)]
        self.set_source_info(node)
        self.state.document.note_explicit_target(node, node)
        return node


# Writing ------------------------------------------------------------------------------------------------------------


def online(record: RunRecord) -> str | None:
    """Return a run's page on W&B, where readers can open it."""
    return str(record.url) if record.url is not None and record.url.scheme == "https" else None


def _seed_links(builder: StandaloneHTMLBuilder, docname: str, model: ModelSummary) -> list[dict[str, Any]]:
    return [
        {
            "seed": run.seed,
            "id": run.id,
            "page": builder.get_relative_uri(docname, run_page(run)),
            "online": online(run),
        }
        for run in model.runs
    ]


def visit_results(translator: HTML5Translator, node: ResultsTable) -> None:
    """Begin with the caption, which is written as all text is."""
    node["start"] = len(translator.body)
    translator.add_fignumber(node)


def depart_results(translator: HTML5Translator, node: ResultsTable) -> None:
    """Put the caption into the table."""
    caption = "".join(translator.body[node["start"] :])
    del translator.body[node["start"] :]
    builder: StandaloneHTMLBuilder = translator.builder
    docname = translator.docnames[0]
    shown = tables_of(builder.env).tables[node["table"]]
    table = shown.made(runs_of(builder.app))
    places = iter(range(len(table.columns)))
    groups = [(name, [(next(places), column) for column in columns]) for name, columns in table.groups()]
    listings = sorted(tables_of(builder.env).listings)
    html = render(
        builder.app,
        "result-table.html",
        shown=shown,
        anchor=node["ids"][0],
        index=builder.get_relative_uri(docname, listings[0]) if listings else "",
        table=table,
        groups=groups,
        two_lines=any(len(columns) > 1 for _, columns in groups),
        label=f"Results: {node.astext()}",
        caption=Markup(caption),
        rows=[
            (model, cells, _seed_links(builder, docname, model))
            for model, cells in zip(table.models, table.rows, strict=True)
        ],
        files=[(kind, shown.file(ending).rpartition("/")[2]) for kind, ending in (("CSV", "csv"), ("LaTeX", "tex"))],
    )
    translator.body.append(html)


def leave_out(translator: nodes.NodeVisitor, node: ResultsTable) -> None:
    """Leave the table out where it cannot be shown."""
    raise nodes.SkipNode


def write_tables(app: Sphinx, error: Exception | None) -> None:
    """Lay each table beside its page, as CSV and as LaTeX."""
    if error is not None or not isinstance(app.builder, StandaloneHTMLBuilder):
        return
    for shown in tables_of(app.env).tables.values():
        table = shown.made(runs_of(app))
        for ending, text in (("csv", table.csv()), ("tex", table.latex())):
            target = Path(app.outdir) / shown.file(ending)
            temporary = target.with_suffix(".part")
            temporary.write_text(text, encoding="utf-8")
            temporary.replace(target)


def add_files(
    app: Sphinx, pagename: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Give the pages that show runs their style, and those with a table what sorts it."""
    body = context.get("body") or ""
    if 'class="result-table"' in body:
        app.add_js_file("results.js", loading_method="defer")
    if 'class="result-table"' in body or 'class="run-page"' in body or 'class="run-index"' in body:
        app.add_css_file("results.css", priority=901)

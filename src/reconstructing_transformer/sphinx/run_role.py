"""The role `run`, which quotes a number of the records; no other measured number may stand beside it."""

from pathlib import Path

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.builders.html import StandaloneHTMLBuilder
from sphinx.util import logging
from sphinx.util.docutils import SphinxRole
from sphinx.writers.html5 import HTML5Translator

from reconstructing_transformer.sphinx.results import ResultsTable
from reconstructing_transformer.sphinx.runs import note_files, place_of, runs_of
from reconstructing_transformer.tracking.backing import Number, backing, numbers_in
from reconstructing_transformer.tracking.quote import Quote, quote
from reconstructing_transformer.tracking.summary import ResultError

LOGGER = logging.getLogger(__name__)
# What stands in these was not typed as a measured number: code, formulas, references.
ELSEWHERE = (nodes.literal, nodes.literal_block, nodes.math, nodes.math_block, nodes.raw, nodes.comment, pending_xref)


class RunQuote(nodes.Inline, nodes.TextElement):
    """A number that was taken from the records."""


class RunRole(SphinxRole):
    """`run`: a number of a project's runs, see `tracking.quote`."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Look the number up."""
        runs = runs_of(self.env.app)
        try:
            found = quote(self.text, runs.models, runs.published)
        except ResultError as error:
            LOGGER.warning("{run}`%s`: %s", self.text, error, location=self.get_location())
            return [nodes.literal(self.text, self.text)], []
        project = self.text.strip().split("/")[0]
        note_files(self.env, project)
        return [RunQuote(self.text, found.text, quote=found, project=project)], []


def visit_quote(translator: HTML5Translator, node: RunQuote) -> None:
    """Begin the link to where the number can be looked up; it says what the number is."""
    builder: StandaloneHTMLBuilder = translator.builder
    found: Quote = node["quote"]
    place = place_of(builder, translator.docnames[0], node["project"], found)
    translator.body.append(translator.starttag(node, "a", "", CLASS="run-quote", href=place, title=found.title))


def depart_quote(translator: HTML5Translator, node: RunQuote) -> None:
    """End the link."""
    translator.body.append("</a>")


def text_only(translator: nodes.NodeVisitor, node: RunQuote) -> None:
    """Where nothing can be clicked, the number stands alone."""


# No number without a run --------------------------------------------------------------------------------------------


def _is_prose(text: nodes.Text) -> bool:
    around: nodes.Node | None = text.parent
    while around is not None:
        if isinstance(around, (*ELSEWHERE, RunQuote)):
            return False
        if isinstance(around, nodes.container) and "cell" in around.get("classes", []):
            return False
        around = around.parent
    return True


def _line(path: Path, node: nodes.Node, number: Number) -> int:
    """The line on which a number stands: the node knows where its paragraph begins."""
    around: nodes.Node | None = node
    while around is not None and not around.line:
        around = around.parent
    start = around.line if around is not None and around.line else 1
    lines = path.read_text(encoding="utf-8").splitlines()
    return next((i for i, line in enumerate(lines[start - 1 :], start) if number.text in line), start)


def check_numbers(app: Sphinx, doctree: nodes.document) -> None:
    """Warn of numbers that look measured and that no record backs, on the pages that show or quote runs."""
    users = list(doctree.findall(lambda node: isinstance(node, ResultsTable | RunQuote)))
    projects = dict.fromkeys(node["project"] for node in users)
    if not projects:
        return
    runs, env = runs_of(app), app.env
    models = [model for project in projects for model in runs.models.get(project, {}).values()]
    backed = backing(models, [runs.form(project) for project in projects])
    path = Path(env.doc2path(env.docname))
    for text in doctree.findall(nodes.Text):
        for number in numbers_in(text.astext()):
            if not backed.backs(number) and _is_prose(text):
                LOGGER.warning(
                    "number %s is backed by no run record of %s: quote a measured number by the role {run}, and write "
                    "one that was not measured as math, $…$",
                    number.text,
                    ", ".join(projects),
                    location=(env.docname, _line(path, text, number)),
                )

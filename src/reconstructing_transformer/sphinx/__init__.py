"""The Sphinx extension that puts equations, code and proof on a page. This file only registers."""

from sphinx.application import Sphinx
from sphinx.util.typing import ExtensionMetadata

from reconstructing_transformer.sphinx import (
    card,
    domain,
    execution,
    figure_pages,
    figures,
    launch,
    math,
    notebooks,
    pages,
    policy,
    project,
    reference,
    results,
    run_pages,
    run_role,
    runs,
    strict,
)
from reconstructing_transformer.sphinx.sources import collect_pages


def _add_settings(app: Sphinx) -> None:
    # Jupyter Book hands this over even where the extension that knows it, which loads from other hosts, is left out.
    app.add_config_value("comments_config", {}, "env", dict)
    app.add_config_value("reconstruct_papers", "book/papers", "env", str)
    app.add_config_value("reconstruct_modules", None, "env", (list, type(None)))
    app.add_config_value("reconstruct_web", "book/web", "env", str)
    app.add_config_value("reconstruct_shared", "", "", str)
    app.add_config_value("reconstruct_strict", True, "", bool)
    app.add_config_value("reconstruct_fingerprint", "", "env", str)
    app.add_config_value("reconstruct_site_fingerprint", "", "env", str)
    app.add_config_value("reconstruct_book", "", "html", str)
    app.add_config_value("reconstruct_repository", "", "html", str)


def _add_equations(app: Sphinx) -> None:
    app.add_domain(domain.BookDomain)
    app.add_role("equation", domain.EquationReference())
    app.add_directive("equation", card.EquationDirective)
    children = (card.visit_children, card.depart_children)
    app.add_node(card.EquationCard, html=(card.visit_card, None), latex=children, text=children, man=children)
    skipped = (reference.skip, None)
    app.add_node(reference.ReferenceTable, html=(reference.visit_table, None), latex=skipped, text=skipped, man=skipped)
    app.add_directive("equation-index", reference.EquationIndex)
    app.add_directive("notation-index", reference.NotationIndex)
    app.add_directive("deviation-index", reference.DeviationIndex)


def _add_figures(app: Sphinx) -> None:
    app.add_domain(figures.FigureDomain)
    skipped = (figures.skip, None)
    app.add_node(figures.TakeHome, html=(figures.visit_take_home, None), latex=skipped, text=skipped, man=skipped)
    app.add_directive("figure-index", reference.FigureIndex)
    app.connect("doctree-read", figures.note_cells)
    app.connect("env-updated", figures.check_ledger)
    app.connect("html-collect-pages", figure_pages.collect_pages)
    app.connect("build-finished", figures.write_files)


def _add_runs(app: Sphinx) -> None:
    app.add_domain(runs.RunDomain)
    app.add_directive("results", results.ResultsDirective)
    app.add_directive("run-index", run_pages.RunIndex)
    app.add_role("run", run_role.RunRole())
    table = (results.visit_results, results.depart_results)
    left_out, skipped = (results.leave_out, None), (run_pages.skip, None)
    app.add_enumerable_node(
        results.ResultsTable, "table", results.caption_of, html=table, latex=left_out, text=left_out, man=left_out
    )
    app.add_node(run_pages.RunIndexTable, html=(run_pages.visit_index, None), latex=skipped, text=skipped, man=skipped)
    plain = (run_role.text_only, run_role.text_only)
    quoted = (run_role.visit_quote, run_role.depart_quote)
    app.add_node(run_role.RunQuote, html=quoted, latex=plain, text=plain, man=plain)
    app.connect("builder-inited", runs.load_runs)
    app.connect("doctree-read", run_role.check_numbers)
    app.connect("html-collect-pages", run_pages.collect_pages)
    app.connect("html-page-context", results.add_files)
    app.connect("build-finished", results.write_tables)
    app.connect("build-finished", run_pages.write_files)


def _add_site(app: Sphinx) -> None:
    app.add_html_math_renderer(math.RENDERER, (math.visit_inline, None), (math.visit_display, None))
    app.add_css_file("katex.css")
    app.add_css_file("book.css", priority=900)
    app.add_js_file("book.js", loading_method="defer")
    app.add_post_transform(strict.AlternativeText)


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register settings, nodes and events."""
    _add_settings(app)
    _add_equations(app)
    _add_figures(app)
    _add_runs(app)
    _add_site(app)
    app.connect("config-inited", project.load_citation)
    app.connect("config-inited", project.set_fingerprints)
    app.connect("config-inited", launch.load_source)
    app.connect("config-inited", pages.add_templates)
    app.connect("builder-inited", project.load_project)
    app.connect("builder-inited", pages.prepare_web)
    app.connect("env-before-read-docs", execution.execute_chapters)
    app.connect("html-collect-pages", collect_pages)
    app.connect("html-page-context", pages.add_context)
    app.connect("build-finished", reference.equations_json)
    app.connect("build-finished", notebooks.write_notebooks)
    app.connect("build-finished", pages.end_web)
    app.connect("build-finished", policy.write_policies, priority=800)  # when nothing else writes to a page
    app.connect("build-finished", strict.fail_on_warnings, priority=900)
    return {"version": "1", "env_version": 2, "parallel_read_safe": True, "parallel_write_safe": True}

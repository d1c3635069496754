"""The equation card: equation, code, symbols, proof and deviations on one panel."""

from dataclasses import dataclass
from html import escape

from docutils import nodes
from docutils.parsers.rst import directives
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin
from sphinx.builders.html import StandaloneHTMLBuilder
from sphinx.util.docutils import SphinxDirective
from sphinx.writers.html5 import HTML5Translator

from reconstructing_transformer.equations import CheckResult, Equation, Paper
from reconstructing_transformer.equations.evidence import DeviationFact, ImplementationFact
from reconstructing_transformer.equations.papers import SYMBOL
from reconstructing_transformer.sphinx.domain import BookDomain, anchor
from reconstructing_transformer.sphinx.highlight import highlight_python
from reconstructing_transformer.sphinx.math import Katex, katex_of
from reconstructing_transformer.sphinx.project import project_of
from reconstructing_transformer.sphinx.sources import source_page

SIDE_BY_SIDE = 64  # characters of code that fit beside a formula
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


class EquationCard(nodes.General, nodes.Element):
    """Stands for the card in the document; what it shows is looked up when the page is written."""


class EquationDirective(SphinxDirective):
    """`equation`: show an equation of a paper as a card, by its id.

    With `home: false` the card does not count as the equation's home: the front page shows one so.
    """

    required_arguments = 1
    option_spec = {"home": directives.unchanged}  # noqa: RUF012 (docutils' own shape)

    def run(self) -> list[nodes.Node]:
        """Note which page shows the equation, and what the page depends on."""
        equation_id = self.arguments[0]
        project = project_of(self.env.app)
        found = project.find(equation_id)
        if found is None:
            known = ", ".join(equation.id for _, equation in project.all())
            raise self.error(f"{equation_id}: no paper's file has this equation; there are {known}")
        paper, equation = found
        is_home = self.options.get("home", "true") != "false"
        domain = self.env.get_domain("book")
        assert isinstance(domain, BookDomain)
        if is_home:
            domain.note_shown(equation_id, self.env.docname)
        self.env.note_dependency(str(paper.path))
        implementations = project.evidence.implementations_of(equation_id)
        for fact in implementations:
            self.env.note_dependency(str(fact.file))
        card = EquationCard(equation=equation_id, ids=[anchor(equation_id)] if is_home else [])
        card += nodes.math_block(equation.plain_latex, equation.plain_latex)
        card += [nodes.literal_block(fact.code, fact.code, language="python") for fact in implementations]
        self.set_source_info(card)
        return [card]


def inline_markdown(text: str, katex: Katex) -> str:
    """Render a line of Markdown, with its `$…$` as math."""
    markdown = MarkdownIt().use(dollarmath_plugin, renderer=lambda tex, _: katex.render(tex, False))
    return markdown.renderInline(text)


def power_of_ten(number: float) -> str:
    """Write a small number for readers: 4.4e-16 as 4.4 × 10⁻¹⁶."""
    if number == 0:
        return "the last bit"
    mantissa, exponent = f"{number:.1e}".split("e")
    return f"{mantissa} × 10{str(int(exponent)).translate(SUPERSCRIPTS)}"


def _source_link(builder: StandaloneHTMLBuilder, docname: str, fact: ImplementationFact | DeviationFact) -> str:
    return f"{builder.get_relative_uri(docname, source_page(fact.module))}#L{fact.line}"


def proof_sentence(result: CheckResult) -> str:
    """Say what a check measured, as HTML."""
    reference = escape(result.reference).replace(".", ".<wbr>").replace("_", "_<wbr>")
    how_close = "<b>to the last bit</b>" if result.max_error == 0 else f"to <b>{power_of_ten(result.max_error)}</b>"
    return f"Agrees with <b>{reference}</b> {how_close} on {result.cases} random cases, in this build."


@dataclass
class CardWriter:
    """Writes one card as HTML."""

    translator: HTML5Translator
    paper: Paper
    equation: Equation
    implementations: list[ImplementationFact]
    results: list[CheckResult]
    deviations: list[DeviationFact]

    def _math(self, tex: str, plain: str, display: bool) -> str:
        """Render with marked symbols; what a reader copies is plain LaTeX."""
        rendered = katex_of(self.translator).render(tex, display)
        return rendered.replace(escape(tex, quote=False), escape(plain, quote=False))

    def _header(self) -> str:
        paper, equation = self.paper, self.equation
        place = f"{escape(paper.short)}, {escape(equation.place)}"
        page = f", p. {equation.page}" if equation.page else ""
        return f"<header><b>{escape(equation.label)}</b> <span>{place}{page}</span></header>"

    def _equation(self) -> str:
        rendered = self._math(self.equation.marked_latex, self.equation.plain_latex, display=True)
        note = f'<p class="note">{escape(self.equation.note)}</p>' if self.equation.note else ""
        return f'<div class="formula"><div class="eq" tabindex="0">{rendered}</div>{note}</div>'

    def _code(self, fact: ImplementationFact) -> str:
        builder = self.translator.builder
        docname = self.translator.docnames[0]
        link = _source_link(builder, docname, fact)
        label = f"{fact.file.name}, line {fact.line}"
        code = highlight_python(fact.code, fact.names)
        return (
            f'<figure class="code"><figcaption><a href="{escape(link)}">{escape(label)}</a></figcaption>'
            f'<div class="highlight"><pre tabindex="0"><code>{code}</code></pre></div></figure>'
        )

    def _symbols(self) -> str:
        entries = []
        for name, symbol in self.equation.symbols.items():
            tex = SYMBOL.sub("", symbol.latex)
            math = self._math(rf"\htmlData{{sym={name}}}{{{tex}}}", tex, display=False)
            shape = f" <code>{escape(symbol.shape)}</code>" if symbol.shape else ""
            words = f"{math} <span>{escape(symbol.meaning)}</span>{shape}"
            entries.append(f'<li><button type="button" class="symbol" data-sym="{escape(name)}">{words}</button></li>')
        return f'<ul class="symbols" aria-label="Symbols">{"".join(entries)}</ul>'

    def _proof(self) -> str:
        lines = "".join(
            f'<p class="proof"><i aria-hidden="true"></i><span>{proof_sentence(r)}</span></p>' for r in self.results
        )
        return f'<div class="proofs">{lines}</div>'

    def _deviations(self) -> str:
        if not self.deviations:
            return ""
        katex = katex_of(self.translator)
        entries = "".join(
            f"<li><b>{escape(fact.title)}.</b> {inline_markdown(fact.reason, katex)}</li>" for fact in self.deviations
        )
        count = len(self.deviations)
        title = "Where our code leaves the paper" + (f" ({count})" if count > 1 else "")
        return f'<details class="deviations"><summary>{title}</summary><ul>{entries}</ul></details>'

    def _is_wide(self) -> bool:
        """Whether formula and code need a row each: they must be readable without scrolling, side by side or not."""
        longest = max((len(line) for fact in self.implementations for line in fact.code.splitlines()), default=0)
        return longest > SIDE_BY_SIDE or r"\begin{aligned}" in self.equation.latex

    def write(self, identifier: str) -> str:
        """Return the card."""
        name = escape(f"{self.equation.label} of {self.paper.short}: {self.equation.title}")
        attributes = f' id="{identifier}"' if identifier else ""
        code = "".join(self._code(fact) for fact in self.implementations)
        layout = "stacked" if self._is_wide() else "two"
        return (
            f'<section class="equation-card" aria-label="{name}"{attributes}>{self._header()}'
            f'<div class="{layout}">{self._equation()}<div class="codes">{code}</div></div>'
            f"{self._symbols()}{self._proof()}{self._deviations()}</section>"
        )


def visit_card(translator: HTML5Translator, node: EquationCard) -> None:
    """Write the card as HTML."""
    project = project_of(translator.builder.app)
    found = project.find(node["equation"])
    assert found is not None, "the directive has seen that the equation exists"
    paper, equation = found
    evidence = project.evidence
    writer = CardWriter(
        translator,
        paper,
        equation,
        evidence.implementations_of(equation.id),
        evidence.results_of(equation.id),
        evidence.deviations_of(equation.id),
    )
    translator.body.append(writer.write(node["ids"][0] if node["ids"] else ""))
    raise nodes.SkipNode


def visit_children(translator: nodes.NodeVisitor, node: EquationCard) -> None:
    """On paper and in plain text a card is its equation and its code."""


def depart_children(translator: nodes.NodeVisitor, node: EquationCard) -> None:
    """Do nothing more."""

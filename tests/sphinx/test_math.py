"""Math is set while the book is built, or refused; it is never left to the reader's browser."""

from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from reconstructing_transformer.equations import load_papers
from reconstructing_transformer.sphinx import vendor
from reconstructing_transformer.sphinx.math import Katex, MathError

WEB = Path(__file__).parents[2] / "book" / "web"


@pytest.fixture(scope="module")
def katex():
    vendor.install(WEB)
    renderer = Katex(WEB)
    yield renderer
    renderer.close()


def test_math_is_html_for_eyes_and_mathml_for_ears(katex):
    page = BeautifulSoup(katex.render(r"\frac{x}{2}", True), "html.parser")
    assert page.find(class_="katex-html")["aria-hidden"] == "true"
    assert page.find("math").find("mfrac") is not None
    assert page.find("annotation").get_text() == r"\frac{x}{2}"


def test_math_in_a_line_is_no_display(katex):
    assert "katex-display" in katex.render("x", True)
    assert "katex-display" not in katex.render("x", False)


def test_a_symbols_name_is_carried_into_the_page(katex):
    page = BeautifulSoup(katex.render(r"\htmlData{sym=W_O}{W^O}", True), "html.parser")
    assert page.find(attrs={"data-sym": "W_O"}).get_text() == "WO"


UNREADABLE = [r"\nosuchcommand", r"\frac{1}{", "x_1_2", "é"]
UNWANTED = [r"\href{https://example.org}{x}", r"\includegraphics{x.png}", r"\htmlClass{a}{x}"]


@pytest.mark.parametrize("tex", UNREADABLE + UNWANTED)
def test_math_that_cannot_be_read_is_refused(katex, tex):
    with pytest.raises(MathError):
        katex.render(tex, False)


def test_the_renderer_goes_on_after_a_refusal(katex):
    with pytest.raises(MathError, match="nosuchcommand"):
        katex.render(r"\nosuchcommand", True)
    assert "katex" in katex.render("a + b", True)


def test_every_equation_and_symbol_of_the_papers_can_be_set(katex):
    for paper in load_papers().values():
        for equation in paper.equations:
            page = BeautifulSoup(katex.render(equation.marked_latex, True), "html.parser")
            shown = {mark["data-sym"] for mark in page.select("[data-sym]")}
            assert shown == set(equation.symbols), equation.id
            assert katex.render(equation.plain_latex, True)


def test_a_renderer_that_was_closed_starts_again(katex):
    own = Katex(WEB)
    own.render("x", True)
    own.close()
    assert "katex" in own.render("y", True)
    own.close()

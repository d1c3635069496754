"""A paper's file is read as it is meant, or refused with a message that says where and why."""

import re

import pytest

from reconstructing_transformer.equations import PaperError, load_papers
from reconstructing_transformer.equations.papers import papers_folder as folder_of_the_book
from reconstructing_transformer.equations.papers import read_paper


def test_a_paper_is_read_with_its_place_in_print(toy_papers):
    paper = toy_papers["toy2020"]
    first, second = paper.equations
    assert (paper.title, paper.short, paper.authors, paper.year) == ("On Toys", "Toy 2020", ["Ada Toy"], 2020)
    assert (first.id, first.number, first.section, first.page) == ("toy2020-1", 1, "2.1", 3)
    assert (second.number, second.section, second.page) == (None, "2.2", None)


def test_an_equation_has_the_symbols_that_it_shows_in_their_order(toy_papers):
    first, second = toy_papers["toy2020"].equations
    assert list(first.symbols) == ["x", "a"]
    assert list(second.symbols) == ["x"]


def test_an_equations_own_symbol_goes_before_the_papers(papers_folder, paper_text):
    own = paper_text.replace("      a: {", "      x: {latex: X, meaning: another}\n      a: {")
    (papers_folder / "toy2020.yml").write_text(own, encoding="utf-8")
    first, second = load_papers(papers_folder)["toy2020"].equations
    assert first.symbols["x"].latex == "X"
    assert second.symbols["x"].latex == "x"


def test_an_equation_is_named_by_its_number_or_else_its_title(toy_papers):
    assert [equation.label for equation in toy_papers["toy2020"].equations] == ["Eq. 1", "Halving"]


def test_plain_latex_knows_nothing_of_our_symbols(toy_papers):
    assert toy_papers["toy2020"].equations[0].plain_latex == r"D({x}) = {\alpha}\,{x}"


def test_marked_latex_carries_each_symbols_name(toy_papers):
    marked = toy_papers["toy2020"].equations[0].marked_latex
    assert marked == r"D(\htmlData{sym=x}{x}) = \htmlData{sym=a}{\alpha}\,\htmlData{sym=x}{x}"


def test_a_paper_knows_the_line_on_which_an_equation_begins(toy_papers, paper_text):
    paper = toy_papers["toy2020"]
    lines = paper_text.splitlines()
    assert lines[paper.line_of("toy2020-1") - 1] == "  - id: toy2020-1"
    assert lines[paper.line_of("toy2020-half") - 1] == "  - id: toy2020-half"
    assert paper.line_of("toy2020-7") == 1


def test_a_paper_does_not_change_after_reading(toy_papers):
    with pytest.raises(ValueError, match="frozen"):
        toy_papers["toy2020"].title = "On Something Else"


# What is wrong, the text that is replaced, what stands there instead, and what the message must name.
FAULTS = {
    "an unknown key": ("    page: 3", "    pages: 3", ["equations.0.pages", "Extra inputs"]),
    "an unknown key of the paper": ("year: 2020", "year: 2020\nvenue: ICT", ["venue", "Extra inputs"]),
    "an unknown key of a symbol": ("meaning: the factor", "means: the factor", ["equations.0.symbols.a.means"]),
    "a symbol without an entry": (r"\frac{\sym{x}}{2}", r"\frac{\sym{z}}{2}", ["toy2020-half", "symbols", "z"]),
    "an equation's symbol that it does not show": (r"\sym{a}\,", r"2\,", ["toy2020-1", "a", r"\sym{…}"]),
    "a paper's symbol that no equation shows": (
        "symbols:\n  x:",
        "symbols:\n  y: {latex: y, meaning: idle}\n  x:",
        ["toy2020", "symbols y"],
    ),
    "two equations with one id": ("id: toy2020-half", "id: toy2020-1", ["toy2020", "share an id"]),
    "the prefix of another paper": ("id: toy2020-half", "id: other2020-half", ["other2020-half", "“toy2020-”"]),
    "an id that is none": ("id: toy2020-half", "id: Halving!", ["equations.1.id", "pattern"]),
    "the name of another paper": (
        "id: toy2020\n",
        "id: toy2020-9\n",
        ["toy2020-1", "“toy2020-9-”"],
    ),
    "no title": ("title: On Toys\n", "", ["title", "Field required"]),
    "no author": ("authors: [Ada Toy]", "authors: []", ["authors"]),
    "an empty LaTeX": (r"latex: H(\sym{x}) = \frac{\sym{x}}{2}", "latex: ''", ["equations.1.latex"]),
    "broken YAML": ("symbols:\n  x: {", "symbols:\n  x: {{", ["not readable as YAML", "line 7"]),
    "a list where a paper should be": (None, "- 1\n- 2\n", ["paper"]),
    "nothing": (None, "", ["paper"]),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_paper_is_refused_for(fault, papers_folder, paper_text):
    old, new, named = FAULTS[fault]
    assert old is None or paper_text.count(old) >= 1
    text = new if old is None else paper_text.replace(old, new, 1)
    path = papers_folder / "toy2020.yml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(PaperError, match=re.escape(str(path))) as caught:
        load_papers(papers_folder)
    message = str(caught.value).removeprefix(str(path))
    assert all(word in message for word in named), message


def test_a_paper_is_refused_under_another_name(papers_folder):
    path = (papers_folder / "toy2020.yml").rename(papers_folder / "toy2021.yml")
    with pytest.raises(PaperError, match=r"toy2021\.yml: .*toy2020.* must be named toy2020\.yml"):
        read_paper(path)


def test_a_folder_without_papers_is_refused(tmp_path):
    with pytest.raises(PaperError, match=re.escape(f"{tmp_path}: no paper's file")):
        load_papers(tmp_path)


def test_without_a_folder_the_books_own_papers_are_read():
    assert "vaswani2017" in load_papers()
    assert (folder_of_the_book() / "vaswani2017.yml").is_file()

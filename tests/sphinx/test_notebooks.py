"""A downloaded notebook is plain Markdown: nothing of the book's own language is left in it."""

import pytest

from reconstructing_transformer.equations import Evidence
from reconstructing_transformer.equations.papers import Paper
from reconstructing_transformer.sphinx.notebooks import notebook_name, plain_markdown
from reconstructing_transformer.sphinx.project import Project

PAPER = {
    "id": "toy2020",
    "title": "On Toys",
    "short": "Toy 2020",
    "authors": ["Ada Toy"],
    "year": 2020,
    "equations": [
        {
            "id": "toy2020-1",
            "title": "Doubling",
            "number": 1,
            "section": "2.1",
            "latex": r"2\,\sym{x}",
            "symbols": {"x": {"latex": "x", "meaning": "a number"}},
        }
    ],
}


@pytest.fixture
def plain():
    project = Project({"toy2020": Paper.model_validate(PAPER)}, Evidence())
    return lambda text: plain_markdown(text, project)


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("By {equation}`toy2020-1`, so.", "By Eq. 1, so."),
        ("By {equation}`the rule <toy2020-1>`, so.", "By the rule, so."),
        ("See {doc}`the next chapter <next>`.", "See the next chapter."),
        ("See {numref}`fig-x`.", "See fig-x."),
        ("As {cite:t}`ada` says {cite:p}`ada`.", "As ada says ada."),
        ("(target)=\n# Title", "# Title"),
        ("Math $x_1$ and `code` and **bold**.", "Math $x_1$ and `code` and **bold**."),
        ("```python\nx = {1}\n```", "```python\nx = {1}\n```"),
    ],
)
def test_a_role_becomes_what_a_reader_sees(plain, written, shown):
    assert plain(written) == shown


@pytest.mark.parametrize("fence", ["```", "````", ":::"])
def test_a_card_becomes_the_equation_and_its_place(plain, fence):
    shown = plain(f"Before.\n\n{fence}{{equation}} toy2020-1\n:home: false\n{fence}\n\nAfter.")
    assert shown.startswith("Before.\n\n$$\n2\\,{x}\n$$\n\n**Eq. 1** of Toy 2020, §2.1; computed by ")
    assert shown.endswith("\n\nAfter.")


@pytest.mark.parametrize("fence", ["```", ":::"])
def test_a_box_becomes_a_quotation(plain, fence):
    shown = plain(f"{fence}{{admonition}} Try it\n:class: exercise\nWhat is\n\nthis?\n{fence}\n")
    assert shown == "> **Try it**\n>\n> What is\n>\n> this?\n"


def test_a_box_without_a_title_becomes_a_quotation(plain):
    assert plain(":::{note}\nMind this.\n:::\n") == "> Mind this.\n"


def test_an_unknown_equation_stays_its_id(plain):
    assert plain("By {equation}`toy2020-9`.") == "By toy2020-9."
    assert plain("```{equation} toy2020-9\n```") == "toy2020-9"


def test_a_notebook_lies_where_its_chapter_lies():
    assert notebook_name("book/vision/patches") == "notebooks/book/vision/patches.ipynb"

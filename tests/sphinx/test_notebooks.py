"""A downloaded notebook is plain Markdown: nothing of the book's own language is left in it."""

from pathlib import Path

import pytest

from reconstructing_transformer.equations import Evidence
from reconstructing_transformer.equations.evidence import ImplementationFact
from reconstructing_transformer.equations.papers import Paper
from reconstructing_transformer.sphinx.notebooks import notebook_name, plain_markdown
from reconstructing_transformer.sphinx.project import NO_PROJECT, Project
from reconstructing_transformer.sphinx.runs import read_runs

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


CHECKOUT = Path(__file__).parents[2]


@pytest.fixture
def plain_beside(tmp_path):
    return lambda text: plain_markdown(text, NO_PROJECT, tmp_path)


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
    assert shown == "Before.\n\n$$\n2\\,{x}\n$$\n\n**Eq. 1** of Toy 2020, §2.1.\n\nAfter."


def test_a_card_names_the_function_where_it_was_gathered():
    fact = ImplementationFact(
        equation="toy2020-1", module="toys", qualname="double", file=Path(), line=1, last_line=1, code="", names={}
    )
    project = Project({"toy2020": Paper.model_validate(PAPER)}, Evidence(implementations=[fact]))
    assert plain_markdown("```{equation} toy2020-1\n```", project).endswith("§2.1; computed by `toys.double`.")


@pytest.mark.parametrize("fence", ["```", ":::"])
def test_a_box_becomes_a_quotation(plain, fence):
    shown = plain(f"{fence}{{admonition}} Try it\n:class: exercise\nWhat is\n\nthis?\n{fence}\n")
    assert shown == "> **Try it**\n>\n> What is\n>\n> this?\n"


def test_a_box_without_a_title_becomes_a_quotation(plain):
    assert plain(":::{note}\nMind this.\n:::\n") == "> Mind this.\n"


def test_code_that_a_page_takes_from_a_file_stands_in_the_notebook(plain_beside, tmp_path):
    (tmp_path / "toys.py").write_text("def double(x):\n    twice = 2 * x\n    return twice\n\n\nother = 1\n")
    whole = plain_beside("```{literalinclude} toys.py\n:language: python\n:pyobject: double\n```")
    assert whole == "```python\ndef double(x):\n    twice = 2 * x\n    return twice\n```"
    end = plain_beside('```{literalinclude} toys.py\n:pyobject: double\n:start-at: "return"\n:dedent: 4\n```')
    assert end == "```python\nreturn twice\n```"


def test_another_chapter_is_called_by_its_title(plain_beside, tmp_path):
    (tmp_path / "next.md").write_text("---\nx: 1\n---\n\n# What follows\n\n# Not this\n")
    assert plain_beside("See {doc}`next`, and {doc}`there <next>`.") == "See “What follows”, and there."
    assert plain_beside("See {doc}`nowhere`.") == "See nowhere."


@pytest.fixture(scope="module")
def runs():
    return read_runs(CHECKOUT / "book" / "runs")


def test_a_number_of_a_run_is_a_number(runs):
    text = "With {run}`vision-transformer/cnn/parameters` weights; {run}`vision-transformer/none/n`."
    assert plain_markdown(text, NO_PROJECT, runs=runs) == "With 1,199,882 weights; vision-transformer/none/n."


def test_a_table_of_results_is_a_table(runs):
    text = "```{results} vision-transformer\n:models: cnn deep-vit\n:seeds: 3\n:metrics: accuracy\n```"
    lines = plain_markdown(text, NO_PROJECT, runs=runs).splitlines()
    assert [line.split(" | ")[0] for line in lines[:5]] == ["| Model", "| :---", "| CNN baseline", "| Deep ViT", ""]
    assert "F1" not in lines[0]


def test_an_unknown_equation_stays_its_id(plain):
    assert plain("By {equation}`toy2020-9`.") == "By toy2020-9."
    assert plain("```{equation} toy2020-9\n```") == "toy2020-9"


def test_a_notebook_lies_where_its_chapter_lies():
    assert notebook_name("book/vision/patches") == "notebooks/book/vision/patches.ipynb"

"""A broken book is not built: the build names file and line, and says so again until the cause is gone."""

import re

import pytest

CELL = "```{code-cell} ipython3\n"

# Page → its text, what the build must quote of the faulty line, and what it must say of it.
WARNINGS = {
    "figure": ("Words.\n\nSee {numref}`fig-nowhere`.\n", "{numref}", "undefined label: 'fig-nowhere'"),
    "document": ("See {doc}`nowhere`.\n", "{doc}", "unknown document: 'nowhere'"),
    "label": ("See {ref}`nowhere-label`.\n", "{ref}", "undefined label: 'nowhere-label'"),
    "link": ("See [there](nowhere.md).\n", "[there]", "nowhere.md"),
    "image": ("Words.\n\n![](picture.png)\n", "![]", "image without alternative text: picture.png"),
    "citation": ("As {cite:t}`nobody` says.\n", "{cite:t}", 'could not find bibtex key "nobody"'),
    "card": ("Words.\n\n```{equation} toy2020-9\n```\n", "{equation}", "toy2020-9: no paper's file has this equation"),
    "equation": ("By {equation}`toy2020-8`.\n", "{equation}", "reference target not found: toy2020-8"),
    "inline": ("Inline $\\nosuchcommand x$ math.\n", "nosuchcommand", "math that KaTeX cannot read"),
    "display": ("Words.\n\n$$ % here\n\\frac{1}{\n$$\n", "% here", "math that KaTeX cannot read"),
    "directive": ("Words.\n\n```{nosuchdirective}\n```\n", "{nosuchdirective}", "nosuchdirective"),
    "plot": (
        f"{CELL}import matplotlib.pyplot as plt\n```\n\nWords.\n\n{CELL}y = [1, 2]\nplt.plot(y);\n```\n",
        "plt.plot(y)",
        "image without alternative text",
    ),
    "noise": (f"{CELL}import sys\nprint('careful', file=sys.stderr)\n```\n", "sys.stderr", "stderr was found"),
}


@pytest.fixture(scope="session")
def unclean(built_twice, chapter):
    """A book with every fault of which a build warns, a page each."""

    def prepare(book):
        texts = {name: chapter(name.title(), text) for name, (text, _, _) in WARNINGS.items()}
        book.write("picture.png", "")
        book.pages(index="# Toys\n\n```{equation} toy2020-1\n```\n", **texts)

    return built_twice("unclean", prepare)


both_times = pytest.mark.parametrize("time", [0, 1], ids=["at first", "again"])


@both_times
@pytest.mark.parametrize("page", WARNINGS)
def test_a_fault_is_reported_with_file_and_line(unclean, page, time):
    _, quoted, said = WARNINGS[page]
    line = unclean.book.line(f"{page}.md", quoted)
    lines = unclean.runs[time].output.splitlines()
    mine = [text for text in lines if re.match(rf"\S*/{page}\.md:{line}: (WARNING|ERROR): ", text)]
    assert len(mine) == 1, [text for text in lines if f"{page}.md" in text]
    assert said in mine[0]


@both_times
def test_a_book_with_faults_is_not_built(unclean, time):
    assert unclean.runs[time].code == 1
    assert f"the book is not clean: {len(WARNINGS)} warning(s)" in unclean.runs[time].output


@pytest.fixture(scope="session")
def failing(built_twice, chapter):
    """A book of which two chapters fail and one does not."""
    return built_twice(
        "failing",
        lambda book: book.pages(
            index="# Toys\n\n```{equation} toy2020-1\n```\n",
            good=chapter("Good", f"{CELL}1 + 1\n```\n"),
            later=chapter("Later", f"{CELL}x = 1\n```\n\nWords.\n\n{CELL}:tags: [hide-input]\n\nx\n\nx / 0\nx\n```\n"),
            inside=chapter("Inside", f"{CELL}def f():\n    raise KeyError('deep')\n\nf()  # here\n```\n"),
        ),
    )


@both_times
@pytest.mark.parametrize(
    ("page", "quoted", "error"), [("later", "x / 0", "ZeroDivisionError"), ("inside", "# here", "KeyError")]
)
def test_a_failing_cell_is_named_by_chapter_and_line(failing, page, quoted, error, time):
    run = failing.runs[time]
    assert run.code == 1
    assert f"{page}.md:{failing.book.line(f'{page}.md', quoted)}: a cell failed" in run.output
    assert error in run.output


@both_times
def test_a_chapter_that_runs_is_not_blamed(failing, time):
    assert "good.md:" not in failing.runs[time].output


def test_the_failure_is_the_last_thing_that_is_said(failing):
    _, _, last = failing.runs[0].output.rpartition("A chapter does not run:")
    assert last.count("a cell failed") == 2
    assert last.rstrip().endswith(("KeyError: 'deep'", "ZeroDivisionError: division by zero"))


HALF = r"""  - id: toy2020-half
    title: Halving
    section: "2.2"
    latex: \frac{\sym{x}}{2}
    symbols:
      x: {latex: x, meaning: a number}
  - id: toy2020-third
    title: A third
    section: "2.3"
    latex: x / 3
"""
THIRD = '@implements("toy2020-third", z="x")\ndef third(x):\n    return x / 3\n\n\n'

# What has drifted, the file and the words on the line that are named, and what is said.
DRIFT = {
    "no implementation": ("papers/toy2020.yml", "id: toy2020-half", "toy2020-half: no function implements"),
    "no check": ("papers/toy2020.yml", "id: toy2020-third", "toy2020-third: no check compares toys.third"),
    "a failing check": ("toys.py", "def double_is_a_sum", "toy2020-1: toys.double does not agree with toy.library"),
    "an unknown symbol": ("toys.py", "def third", "toy2020-third: toys.third maps the symbol “z”"),
    "an unknown equation": ("toys.py", "def third", "toy2020-9: no such equation"),
}


@pytest.fixture(scope="session")
def drifted(built_twice):
    """A book whose paper, code and checks disagree in every way."""

    def prepare(book):
        paper = (book.root / "papers/toy2020.yml").read_text(encoding="utf-8")
        book.write("papers/toy2020.yml", paper + HALF)
        book.replace("toys.py", "factor = 2", "factor = 3")
        book.replace("toys.py", '@check("toy2020-1"', f'@implements("toy2020-9")\n{THIRD}@check("toy2020-1"')
        book.pages(index="# Toys\n")

    return built_twice("drifted", prepare)


@both_times
@pytest.mark.parametrize("drift", DRIFT)
def test_drift_is_named_with_its_place(drifted, drift, time):
    file, quoted, said = DRIFT[drift]
    run = drifted.runs[time]
    assert run.code == 1
    assert f"{file}:{drifted.book.line(file, quoted)}: {said}" in run.output


@both_times
def test_a_book_that_drifts_shows_no_pages(drifted, time):
    assert "Drift between paper, code and check" in drifted.runs[time].output
    assert not drifted.book.html.joinpath("index.html").exists()


@both_times
def test_a_papers_file_that_cannot_be_right_is_named(built_twice, time):
    def prepare(book):
        book.replace("papers/toy2020.yml", "    page: 3", "    pages: 3")
        book.pages(index="# Toys\n")

    run = built_twice("misprinted", prepare).runs[time]
    assert run.code == 1
    assert "papers/toy2020.yml: equations.0.pages: Extra inputs are not permitted" in run.output

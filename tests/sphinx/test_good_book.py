"""A book without faults is built; what it shows is today's code, today's outputs and today's proof."""

import json
import re
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urldefrag

import nbformat
import pytest
from bs4 import BeautifulSoup

CHAPTER = """Of {cite:t}`ada`, {equation}`toy2020-1`; see {doc}`plain` and {equation}`the rule <toy2020-1>`. Math $y^2$.

```{equation} toy2020-1
```

:::{admonition} Try it
:class: exercise
What is double $y$?
:::

```{code-cell} ipython3
from toys import double

print("double of 21:", double(21))
```
"""


@dataclass
class Built:
    """A good book: its runs, and its site after the first and after the last of them."""

    first: Path
    last: Path
    runs: dict[str, dict]
    changed_by_second: list[str]

    def page(self, name: str, site: Path | None = None) -> BeautifulSoup:
        return BeautifulSoup(((site or self.first) / name).read_text(encoding="utf-8"), "html.parser")


def times_of(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*.html")}


@pytest.fixture(scope="session")
def good(once, new_book, chapter):
    """A good book, built, built again, and built once more after its function was changed."""

    def work(folder):
        book = new_book(folder)
        book.pages(
            index="# Toys\n\n```{equation} toy2020-1\n:home: false\n```\n",
            doubling=chapter("Doubling", CHAPTER),
            plain="# Plain\n\nNo math here.\n",
            equations="# Equations\n\n```{equation-index}\n```\n",
            notation="# Notation\n\n```{notation-index}\n```\n",
            deviations="# Deviations\n\n```{deviation-index}\n```\n",
            bibliography="# Bibliography\n\n```{bibliography}\n```\n",
        )
        runs = {"first": asdict(book.build())}
        before = times_of(book.html)
        shutil.copytree(book.html, folder.with_name("book-good-first"), dirs_exist_ok=True)
        runs["second"] = asdict(book.build())
        after = times_of(book.html)
        book.replace("toys.py", "factor = 2", "factor = 1 + 1.0")
        runs["third"] = asdict(book.build())
        return {"runs": runs, "changed": [name for name in after if after[name] != before.get(name)]}

    folder, answer = once("good", work)
    return Built(folder.with_name("book-good-first"), folder / "_build" / "html", answer["runs"], answer["changed"])


@pytest.fixture(scope="session")
def card(good):
    """The card of the one equation, on the chapter that explains it."""
    return good.page("doubling.html").find(id="equation-toy2020-1")


@pytest.mark.parametrize("run", ["first", "second", "third"])
def test_a_good_book_is_built(good, run):
    assert good.runs[run]["code"] == 0, good.runs[run]["output"]
    assert "WARNING" not in good.runs[run]["output"]


def test_a_second_build_reads_executes_and_writes_no_page(good):
    said = good.runs["second"]["output"]
    assert "0 added, 0 changed, 0 removed" in said
    assert "executing" not in said
    assert [name for name in good.changed_by_second if "/source/" not in name and "search" not in name] == []


def test_a_second_build_takes_less_time_than_the_first(good):
    assert good.runs["second"]["seconds"] < good.runs["first"]["seconds"]


def test_a_changed_function_changes_the_code_on_the_page(good):
    before, after = (good.page("doubling.html", site).find(class_="equation-card") for site in (good.first, good.last))
    assert "factor = 2\n" in before.pre.get_text()
    assert "factor = 1 + 1.0\n" in after.pre.get_text()


def test_a_changed_function_changes_the_outputs_of_chapters(good):
    before, after = (good.page("doubling.html", site).find(class_="cell_output") for site in (good.first, good.last))
    assert before.get_text().strip() == "double of 21: 42"
    assert after.get_text().strip() == "double of 21: 42.0"


def test_a_changed_function_changes_its_source_page_and_the_front_page(good):
    assert "factor = 1 + 1.0" in good.page("source/toys.html", good.last).pre.get_text()
    assert "factor = 1 + 1.0" in good.page("index.html", good.last).find(class_="equation-card").get_text()


def symbols_in(part) -> set[str]:
    return {element["data-sym"] for element in part.select("[data-sym]")}


def test_a_card_marks_the_symbols_in_formula_code_and_list(card):
    assert symbols_in(card.find(class_="formula")) == {"x", "a"}
    assert symbols_in(card.find("pre")) == {"x", "a"}
    assert symbols_in(card.find(class_="symbols")) == {"x", "a"}
    marked = {(mark["data-sym"], mark.get_text()) for mark in card.select("pre [data-sym]")}
    assert marked == {("x", "x"), ("a", "factor")}


def test_a_card_shows_the_code_without_docstring_and_decorators(card):
    assert card.find("pre").get_text() == "def double(x):\n    factor = 2\n    return factor * x"


def test_a_card_names_the_place_in_the_paper(card):
    assert card.header.get_text() == "Eq. 1 Toy 2020, §2.1, p. 3"
    assert card["aria-label"] == "Eq. 1 of Toy 2020: Doubling"


def test_a_card_says_what_each_symbol_means_and_its_shape(card):
    texts = [" ".join(button.stripped_strings) for button in card.select(".symbols button")]
    assert any("a number" in text for text in texts)
    assert any("the factor" in text and "1 × 1" in text for text in texts)


def test_a_card_says_what_this_build_measured(card):
    sentence = card.find(class_="proof").get_text()
    assert sentence == "Agrees with toy.library.addition to the last bit on 7 random cases, in this build."


def test_a_card_tells_where_the_code_leaves_the_paper(card):
    deviation = card.find("details").find("li")
    assert deviation.get_text() == "Factor. The paper leaves it open."
    assert deviation.em.get_text() == "open"


def test_what_is_copied_from_a_card_is_plain_latex(card):
    assert card.find("annotation").get_text() == r"D({x}) = {\alpha}\,{x}"
    assert "htmlData" not in str(card)


def test_a_card_links_to_the_line_of_the_source(good, card):
    address, line = urldefrag(card.find("figcaption").a["href"])
    target = good.page(address).find(id=line)
    assert target.get_text().strip() == "def double(x):"


def test_the_front_pages_card_is_not_the_equations_home(good):
    assert good.page("index.html").find(id="equation-toy2020-1") is None
    assert len(good.page("index.html").select(".equation-card")) == 1


def test_references_from_prose_lead_to_the_card(good):
    links = good.page("doubling.html").article.find_all("a", href=re.compile("equation-toy2020-1$"))
    assert {link.get_text() for link in links} == {"Eq. 1", "the rule"}


def test_equations_json_tells_other_programs_what_the_pages_show(good):
    (entry,) = json.loads((good.first / "equations.json").read_text(encoding="utf-8"))
    assert (entry["id"], entry["paper"], entry["title"]) == ("toy2020-1", "toy2020", "Doubling")
    assert (entry["number"], entry["section"], entry["page"]) == (1, "2.1", 3)
    assert entry["latex"] == r"D({x}) = {\alpha}\,{x}"
    assert entry["symbols"]["a"] == {"latex": r"\alpha", "meaning": "the factor", "shape": "1 × 1"}
    (implementation,) = entry["implementation"]
    assert (implementation["name"], implementation["names"]) == ("toys.double", {"x": "x", "a": "factor"})
    address, line = urldefrag(implementation["source"])
    assert "def double" in good.page(address).find(id=line).get_text()
    (check,) = entry["checks"]
    assert (check["reference"], check["cases"], check["passed"]) == ("toy.library.addition", 7, True)
    assert check["max_error"] <= check["tolerance"]
    assert str(Path(__file__).parents[2]) not in json.dumps(entry)
    assert entry["chapters"] == ["doubling.html"]


def test_the_reference_pages_list_equations_symbols_and_deviations(good):
    entry = good.page("equations.html").find(id="toy2020-1")
    assert "Doubling" in entry.get_text()
    assert "toy.library.addition" in entry.get_text()
    assert entry.find("a", href="doubling.html#equation-toy2020-1") is not None
    rows = [row.get_text(" ") for row in good.page("notation.html").select("tbody tr")]
    assert any("the factor" in row and "factor" in row and "Eq. 1" in row for row in rows)
    (row,) = good.page("deviations.html").select("tbody tr")
    assert "Factor" in row.get_text()
    assert "toys.html#L" in str(row)


def test_a_chapters_notebook_is_written_without_directives(good):
    notebook = nbformat.read(good.first / "notebooks" / "doubling.ipynb", as_version=4)
    nbformat.validate(notebook)
    prose = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    assert not re.search(r"\{[\w:-]+\}`|```\{|:::|^\(.*\)=$", prose, re.MULTILINE)
    assert "Of ada, Eq. 1; see “Plain” and the rule." in prose
    assert "$$\nD({x}) = {\\alpha}\\,{x}\n$$" in prose
    assert "computed by `toys.double`" in prose
    assert "> **Try it**\n>\n> What is double $y$?" in prose
    setup, *code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    assert setup == notebook.cells[0].source
    assert '"reconstructing-transformer"' in setup
    assert code == ['from toys import double\n\nprint("double of 21:", double(21))']


def test_a_chapter_says_where_it_can_be_run_and_other_pages_do_not(good):
    menu = good.page("doubling.html").select_one("details.launch")
    assert menu.select_one("a[download]")["href"] == "notebooks/doubling.ipynb"
    assert "open doubling.ipynb" in menu.get_text()
    assert good.page("plain.html").select("details.launch") == []


def test_a_page_says_which_version_of_the_book_it_is_of(good):
    assert "Version 1.2.3, 2020-02-29" in good.page("plain.html").select_one("footer").get_text()


def test_only_chapters_have_a_notebook(good):
    assert [path.name for path in (good.first / "notebooks").rglob("*")] == ["doubling.ipynb"]


def test_no_page_loads_anything_from_another_host(good):
    for path in good.first.rglob("*.html"):
        page = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
        for element in page.select("[src], link[href]"):
            address = element.get("src") or element.get("href")
            assert "//" not in address, f"{path.name}: {element}"
        assert not re.search(r"@import|url\(['\"]?(https?:)?//", str(page)), path.name


def test_no_style_loads_anything_from_another_host(good):
    for path in good.first.rglob("*.css"):
        assert not re.search(r"(@import|url\()\s*['\"]?(https?:)?//", path.read_text(encoding="utf-8")), path.name


def test_a_page_without_math_does_not_load_its_style(good):
    assert "katex.css" not in str(good.page("plain.html").head)
    assert "katex.css" in str(good.page("doubling.html").head)


def test_everything_that_a_page_names_is_there(good):
    for path in good.first.rglob("*.html"):
        page = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
        for element in page.select("script[src], link[href], a[href], img[src]"):
            address = urldefrag(element.get("src") or element.get("href"))[0].partition("?")[0]
            if address and ":" not in address:
                assert (path.parent / address).resolve().is_file(), f"{path.name}: {address}"

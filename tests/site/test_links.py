"""Whatever a page names is there: pages, lines of source, figures, notebooks."""

from functools import cache
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

import nbformat
import pytest
import yaml
from bs4 import BeautifulSoup

CHECKOUT = Path(__file__).parents[2]
LINKING = {"a": "href", "link": "href", "script": "src", "img": "src", "source": "src", "iframe": "src"}


@pytest.fixture(scope="session")
def parsed(site):
    """A page of the site, parsed."""
    return cache(lambda address: BeautifulSoup((site / address).read_text(encoding="utf-8"), "html.parser"))


@pytest.fixture(scope="session")
def anchors(parsed):
    """The places of a page to which a link can lead."""

    def collect(address: str) -> set[str]:
        page = parsed(address)
        return {place["id"] for place in page.select("[id]")} | {place["name"] for place in page.select("a[name]")}

    return cache(collect)


def contents() -> list[str]:
    """The pages of the table of contents, in the book's order."""
    toc = yaml.safe_load((CHECKOUT / "_toc.yml").read_text(encoding="utf-8"))

    def below(entry: dict) -> list[str]:
        own = [entry["file"]] if "file" in entry else []
        deeper = [*entry.get("parts", []), *entry.get("chapters", []), *entry.get("sections", [])]
        return own + [file for child in deeper for file in below(child)]

    return [toc["root"], *below(toc)]


def chapters() -> list[str]:
    """The pages of the book that run."""
    return [name for name in contents() if "jupytext:" in (CHECKOUT / f"{name}.md").read_text(encoding="utf-8")[:600]]


def test_every_link_leads_somewhere(site, parsed, anchors, address):
    broken = []
    for element in parsed(address).find_all(list(LINKING)):
        link = element.get(LINKING[element.name])
        if not link or urlsplit(link).scheme or urlsplit(link).netloc:
            continue
        target, anchor = urldefrag(urljoin(address, link))
        target = unquote(urlsplit(target).path)
        if not (site / target).is_file():
            broken.append(f"{link}: no such file")
        elif anchor and target.endswith(".html") and unquote(anchor) not in anchors(target):
            broken.append(f"{link}: no such place on the page")
    assert broken == []


def test_no_id_is_used_twice(parsed, address):
    ids = [place["id"] for place in parsed(address).select("[id]")]
    assert sorted({name for name in ids if ids.count(name) > 1}) == []


def test_links_to_other_hosts_are_secure(parsed, address):
    others = {link["href"] for link in parsed(address).select("a[href^='http:']")}
    assert others == set()


def test_every_page_has_a_title_and_a_language(parsed, address):
    page = parsed(address)
    assert page.title.get_text().strip()
    assert page.html["lang"] == "en"


def test_every_equation_leads_to_the_line_of_its_function(site, equations, parsed):
    for equation in equations.values():
        for implementation in equation["implementation"]:
            address, anchor = urldefrag(implementation["source"])
            line = parsed(address).find(id=anchor).get_text()
            name = implementation["name"].rpartition(".")[2]
            assert line.strip().startswith((f"def {name}(", f"class {name}")), line


def test_every_page_of_the_table_of_contents_is_built(site):
    assert [name for name in contents() if not (site / f"{name}.html").is_file()] == []


def test_the_sites_root_leads_to_the_first_page(reader):
    reader.goto("index.html")
    reader.wait_for_url(f"**/{contents()[0]}.html")


@pytest.mark.parametrize(("direction", "order"), [("next", 1), ("prev", -1)])
def test_a_reader_can_leaf_through_the_whole_book(parsed, direction, order):
    pages = contents()[::order]
    for here, there in pairwise(pages):
        link = parsed(f"{here}.html").select_one(f".related-pages a.{direction}-page")
        assert link is not None, f"{here} has no link to the page “{there}”"
        assert urljoin(f"{here}.html", link["href"]) == f"{there}.html"
    assert parsed(f"{pages[-1]}.html").select_one(f".related-pages a.{direction}-page") is None


def test_every_page_of_the_table_of_contents_is_in_the_sidebar(parsed):
    here = f"{contents()[0]}.html"
    listed = {urljoin(here, link["href"]) for link in parsed(here).select(".sidebar-tree a.reference")}
    assert {f"{name}.html" for name in contents()[1:]} <= listed


@pytest.mark.parametrize("chapter", chapters())
def test_every_chapter_can_be_taken_home_as_a_notebook(site, parsed, chapter):
    (link,) = parsed(f"{chapter}.html").select("a[download][href$='.ipynb']")
    notebook = nbformat.read(site / urljoin(f"{chapter}.html", link["href"]), as_version=4)
    nbformat.validate(notebook)
    assert any(cell.cell_type == "code" for cell in notebook.cells)
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    assert text.startswith("# ")
    assert "```{" not in text
    assert ":::" not in text


def test_pages_that_do_not_run_offer_no_notebook(parsed):
    for name in set(contents()) - set(chapters()):
        assert parsed(f"{name}.html").select("a[download]") == [], name

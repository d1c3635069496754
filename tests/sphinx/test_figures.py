"""A figure of a cell becomes a figure of the page, with files, citation and an address that stays."""

import hashlib
import json
from dataclasses import asdict

import pytest
from bs4 import BeautifulSoup
from pybtex.database import parse_string

CELL = """```{{code-cell}} ipython3
---
tags: [hide-input]
---
import matplotlib.pyplot as plt
import pandas as pd
from reconstructing_transformer.figures import book_style, show

points = pd.DataFrame({{"x": [1, 2], "y": [3.5, 4.5]}})
with book_style():
    figure, axes = plt.subplots()
    axes.plot(points.x, points.y)

show(figure, "{id}", caption=r"{caption}", alt="A <line> rises", data=points)
```
"""
CAPTION = r"A line of $x^2$, as in {cite:t}`ada` et al. and {doc}`plain`. It rises."
WORDS = "\nSee {numref}`fig-line`.\n"


def figure_cell(name: str = "line", caption: str = CAPTION) -> str:
    return CELL.format(id=name, caption=caption)


def pages(chapter, **more: str) -> dict[str, str]:
    return {
        "index": "# Toys\n\n```{equation} toy2020-1\n```\n",
        "drawing": chapter("Drawing", figure_cell() + WORDS),
        "plain": "# Plain\n\nNo figure here.\n",
        "bibliography": "# Bibliography\n\n```{bibliography}\n```\n",
        "gallery": "# Figures\n\n```{figure-index}\n```\n",
        **more,
    }


LEDGER = "figures: [line]\nredirects: {stroke: line}\n"
URL = "https://example.org/toys"


@pytest.fixture(scope="session")
def drawn(once, new_book, chapter):
    """A book with a figure: built, built again, and built with an address on the web."""

    def work(folder):
        book = new_book(folder)
        book.pages(**pages(chapter))
        book.write("book/figures.yml", LEDGER)
        runs, figures = [], []
        for environment in ({}, {}, {"BOOK_URL": URL}):
            runs.append(asdict(book.build(**environment)))
            files = sorted((book.html / "figures").glob("*"))
            figures.append({path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files})
            kept = folder.with_name(f"book-drawn-{len(runs)}.json")
            kept.write_text((book.html / "figures.json").read_text(encoding="utf-8"), encoding="utf-8")
        return {"runs": runs, "figures": figures}

    folder, answer = once("drawn", work)
    answer["html"] = folder / "_build" / "html"
    answer["catalogues"] = [
        json.loads(folder.with_name(f"book-drawn-{number}.json").read_text(encoding="utf-8")) for number in (1, 2, 3)
    ]
    return answer


@pytest.fixture(scope="session")
def read(drawn):
    def page(name: str) -> BeautifulSoup:
        return BeautifulSoup((drawn["html"] / name).read_text(encoding="utf-8"), "html.parser")

    return page


def test_a_book_with_a_figure_is_built(drawn):
    for run in drawn["runs"]:
        assert run["code"] == 0, run["output"]
        assert "WARNING" not in run["output"]


def test_the_figure_has_number_caption_and_address(read):
    figure = read("drawing.html").select_one("figure.book-figure#fig-line")
    assert figure.select_one(".caption-number").get_text().strip() == "Fig. 1.1"
    assert figure.select_one(".caption-text .katex")
    assert figure.select_one(".caption-text a")["href"].startswith("bibliography.html#")
    assert figure.svg["aria-label"] == "A <line> rises"


def test_prose_refers_to_the_figure_by_its_number(read):
    assert read("drawing.html").select_one('p a[href="#fig-line"]:not(.headerlink)').get_text() == "Fig. 1.1"


def test_below_the_figure_stands_what_can_be_done_with_it(read, drawn):
    home = read("drawing.html").select_one("#fig-line .take-home")
    links = {link.get_text(): link["href"] for link in home.select("a")}
    assert links == {
        "SVG": "figures/line.svg",
        "PDF": "figures/line.pdf",
        "PNG": "figures/line.png",
        "Data (CSV)": "figures/line.csv",
        "Source": "#source-line",
        "Page": "figures/line.html",
    }
    for kind in ("SVG", "PDF", "PNG", "Data (CSV)", "Page"):
        assert (drawn["html"] / links[kind]).is_file()


def test_source_leads_to_the_cell(read):
    assert 'show(figure, "line"' in read("drawing.html").select_one("#source-line").get_text()


@pytest.mark.parametrize(("build", "address"), [(0, None), (2, f"{URL}/figures/line.html")])
def test_a_figure_is_cited_with_number_version_date_and_address(drawn, build, address):
    (entry,) = drawn["catalogues"][build]
    (cited,) = parse_string(entry["bibtex"], "bibtex").entries.values()
    assert cited.fields["title"] == "Figure 1.1: A line of $x^2$, as in Toy [2020] et al. and Plain"
    assert str(cited.persons["author"][0]) == "Toy, Ada"
    assert cited.fields["note"].startswith("Version 1.2.3, 2020-02-29")
    assert ("a local build" in cited.fields["note"]) == (address is None)
    assert cited.fields.get("url") == address


def test_a_new_address_is_written_into_every_page(read):
    for page in ("drawing.html", "figures/line.html"):
        panels = [panel.get_text() for panel in read(page).select(".cite-panel pre")]
        assert any(f"{URL}/figures/line.html" in panel for panel in panels)


def test_the_same_figure_gives_the_same_files(drawn):
    first, again, _ = drawn["figures"]
    assert first == again
    assert drawn["catalogues"][0] == drawn["catalogues"][1]


def test_the_catalogue_lists_the_files_as_they_are(drawn):
    (entry,) = drawn["catalogues"][2]
    assert (entry["number"], entry["chapter"], entry["alt"]) == ("1.1", "Drawing", "A <line> rises")
    for file in entry["files"]:
        content = (drawn["html"] / "figures" / file["name"]).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (file["bytes"], file["sha256"])
        assert file["url"] == f"{URL}/figures/{file['name']}"


def test_the_permanent_page_shows_all_there_is(read):
    page = read("figures/line.html")
    assert page.select_one(".kicker").get_text() == "Figure 1.1"
    assert page.select_one("figure svg")
    caption = page.select_one("figcaption")
    assert caption.get_text().count("It rises.") == 1
    assert [link["href"].split("#")[0] for link in caption.select("a")] == ["../bibliography.html", "../plain.html"]
    assert page.select_one('a[href="../drawing.html#fig-line"]').get_text() == "Drawing"
    cells = [[cell.get_text() for cell in row.select("th, td")] for row in page.select("table.data tr")]
    assert cells == [["x", "y"], ["1", "3.5"], ["2", "4.5"]]
    assert 'show(figure, "line"' in page.select("pre")[-1].get_text()


def test_a_name_that_was_given_up_leads_to_the_new_one(read):
    page = read("figures/stroke.html")
    assert page.select_one('meta[http-equiv="refresh"]')["content"] == "0; url=line.html"
    assert page.select_one('article a[href="line.html"]')


def test_the_gallery_shows_each_figure_by_chapter(read):
    page = read("gallery.html")
    assert page.select_one("article h2 a")["href"] == "drawing.html"
    entry = page.select_one(".gallery li a")
    assert entry["href"] == "figures/line.html"
    assert entry.get_text().startswith("Fig. 1.1 A line of")
    assert [image["src"] for image in entry.select("img")] == ["figures/line.svg", "figures/line-dark.svg"]


def test_chapter_and_book_are_cited_at_the_chapters_end(read):
    chapter, book = read("drawing.html").select(".cite-chapter pre")
    (cited,) = parse_string(chapter.get_text(), "bibtex").entries.values()
    assert (cited.type, cited.fields["chapter"], cited.fields["title"]) == ("incollection", "1", "Drawing")
    assert cited.fields["url"] == f"{URL}/drawing.html"
    (cited,) = parse_string(book.get_text(), "bibtex").entries.values()
    assert (cited.type, cited.fields["url"]) == ("book", f"{URL}/")
    assert not read("plain.html").select(".cite-chapter")


# Book → its ledger, further pages, and what the build must say.
LOST = {
    "gone": ("figures: [line, lost]\n", {}, "the figure “lost” is gone"),
    "new": ("figures: []\n", {}, "the figure “line” is new: add it to `figures` in book/figures.yml"),
    "astray": ("figures: [line]\nredirects: {a: b}\n", {}, "redirects “a” to “b”, which is no figure"),
    "taken": ("figures: [line]\nredirects: {line: line}\n", {}, "redirects “line”, but there is a figure of that name"),
    "key": ("figurs: [line]\n", {}, "has the key 'figurs'"),
    "twice": (LEDGER, {"again": figure_cell()}, "two figures have the id “line”"),
    "words": (LEDGER, {"again": figure_cell(caption=" ")}, "a figure needs `caption`"),
}


@pytest.fixture(scope="session")
def broken(built_twice, chapter):
    def build(name: str):
        ledger, more, _ = LOST[name]
        further = {page: chapter(page.title(), text) for page, text in more.items()}

        def prepare(book):
            book.pages(**pages(chapter, **further))
            book.write("book/figures.yml", ledger)

        return built_twice(f"ledger-{name}", prepare)

    return build


@pytest.mark.parametrize("name", LOST)
def test_a_book_that_loses_or_doubles_a_figure_is_not_built(broken, name):
    for run in broken(name).runs:
        assert run.code == 1
        assert LOST[name][2] in run.output


def test_an_address_that_is_none_stops_the_build(new_book, tmp_path, chapter):
    book = new_book(tmp_path / "book")
    book.pages(**pages(chapter))
    run = book.build(BOOK_URL="example.org")
    assert run.code == 1
    assert "BOOK_URL must be the site's address, https://example.org/book/ say; it is 'example.org'" in run.output

"""Result tables answer to pointer and keyboard; the site's runs are those of `book/runs`, and no others."""

import csv
import json
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup
from playwright.sync_api import Page, expect

from reconstructing_transformer.tracking.record import RunRecord, write_record
from tests.records import PROJECT, PUBLISHED, a_record, three_seeds
from tests.site.reading import serve
from tests.site.test_every_page import Window, look_at
from tests.sphinx.conftest import TinyBook

CHECKOUT = Path(__file__).parents[2]
URL = "https://wandb.example.org/toys/runs/wide-1"
RESULTS = f"""# Results

The small one reaches {{run}}`{PROJECT}/small/accuracy`; see {{numref}}`toy-results`.

```{{results}} {PROJECT}
:name: toy-results
:models: small deep wide
:seeds: 3, wide 1
:caption: Toys.
```
"""
TOY_PAGES = ["results.html", "runs.html", f"runs/{PROJECT}/deep-1.html"]
SMALL, DEEP, WIDE = "Small toy", "Deep toy", "wide"


# A site with a table whose numbers are known ------------------------------------------------------------------------


@pytest.fixture(scope="session")
def toy_site(once, tmp_path_factory) -> Path:
    """A small site with three models, of which one has a published figure and one a run online."""

    def build() -> dict[str, Any]:
        book = TinyBook(tmp_path_factory.mktemp("toy-site"))
        for record in [*three_seeds(), a_record("wide", 1, 0.98, url=URL, wall_seconds=9.0)]:
            write_record(record, book.root / "book" / "runs" / PROJECT)
        book.write("book/runs/published.yml", PUBLISHED)
        book.pages(index="# Toys\n", results=RESULTS, runs="# Runs\n\n```{run-index}\n```\n")
        done = book.build()
        return {"code": done.code, "output": done.output, "html": str(book.html)}

    answer = once("toy-site", build)
    assert answer["code"] == 0, answer["output"]
    return Path(answer["html"])


@pytest.fixture(scope="session")
def toy_host(toy_site) -> Iterator[str]:
    with serve(toy_site) as address:
        yield address


@pytest.fixture
def table(reader: Page, toy_host) -> Page:
    """The table at a desk."""
    reader.goto(f"{toy_host}/results.html")
    return reader


def models(page: Page) -> list[str]:
    return page.locator("table.results tbody th").all_inner_texts()


def sorter(page: Page, title: str):
    return page.get_by_role("button", name=f"{title}: sort")


def test_rows_stand_in_the_books_order_until_someone_sorts_them(table):
    assert models(table) == [SMALL, DEEP, WIDE]
    assert table.locator("[aria-sort]").count() == 0


def test_a_click_puts_the_best_first_and_a_second_one_last(table):
    sorter(table, "Accuracy, ours").click()
    assert models(table) == [DEEP, WIDE, SMALL]
    expect(table.locator("th[aria-sort]")).to_have_attribute("aria-sort", "descending")
    sorter(table, "Accuracy, ours").click()
    assert models(table) == [SMALL, WIDE, DEEP]
    expect(table.locator("th[aria-sort]")).to_have_attribute("aria-sort", "ascending")


def test_names_are_sorted_from_a_to_z(table):
    sorter(table, "Model").click()
    assert models(table) == [DEEP, SMALL, WIDE]
    expect(table.locator("th[aria-sort]")).to_have_attribute("aria-sort", "ascending")


def test_times_are_sorted_as_times(table):
    sorter(table, "Training time, ours").click()
    assert models(table) == [DEEP, SMALL, WIDE]


@pytest.mark.parametrize("clicks", [1, 2])
def test_what_nobody_has_published_stands_last_either_way(table, clicks):
    for _ in range(clicks):
        sorter(table, "Accuracy, published").click()
    assert models(table)[0] == SMALL


def test_a_row_takes_all_its_cells_along(table):
    before = {row.split("\t")[0]: row for row in table.locator("table.results tbody tr").all_inner_texts()}
    sorter(table, "Parameters").click()
    after = {row.split("\t")[0]: row for row in table.locator("table.results tbody tr").all_inner_texts()}
    assert before == after


def test_the_keyboard_sorts_too(table):
    sorter(table, "Parameters").focus()
    table.keyboard.press("Enter")
    assert models(table) == [DEEP, SMALL, WIDE]
    table.keyboard.press("Space")
    assert models(table) == [WIDE, SMALL, DEEP]
    assert table.evaluate("document.activeElement.textContent.trim()") == "Parameters"


def test_sorting_moves_nothing_but_rows(table):
    places = "[...document.querySelectorAll('table.results thead th')].map((head) => head.getBoundingClientRect().x)"
    before = table.evaluate(places)
    for title in ("Model", "n", "Accuracy, published"):
        sorter(table, title).click()
        assert table.evaluate(places) == before


def test_without_javascript_the_table_is_there_without_buttons(open_context, toy_host):
    with open_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(f"{toy_host}/results.html")
        assert models(page) == [SMALL, DEEP, WIDE]
        assert page.locator("table.results button").count() == 0


def test_on_a_phone_the_table_scrolls_and_the_models_name_stays(open_context, toy_host):
    with open_context(width=390, height=800) as context:
        page = context.new_page()
        page.goto(f"{toy_host}/results.html")
        frame = page.locator(".result-table .table-wrap")
        frame.focus()
        frame.evaluate("(frame) => { frame.scrollLeft = 200; }")
        assert frame.evaluate("(frame) => frame.scrollLeft") == 200
        edges = [page.locator(place).first.bounding_box()["x"] for place in ("tbody th", ".result-table .table-wrap")]
        assert edges[0] == pytest.approx(edges[1], abs=1)
        assert page.evaluate("document.scrollingElement.scrollWidth") == 390


@pytest.mark.parametrize("width", [1300, 390])
@pytest.mark.parametrize("toy_page", TOY_PAGES, ids=["table", "list", "run"])
def test_pages_of_runs_stand_alone_and_serve_everybody(open_context, toy_host, toy_page, width):
    with open_context(width) as context:
        seen = look_at(Window(context.new_page(), toy_host), f"{toy_host}/{toy_page}")
    for fault in ("strangers", "faults", "violations", "contrast in light", "contrast in dark", "overflow"):
        assert seen[fault] == [], fault
    assert sum(shift["value"] for shift in seen["shifts"]) < 0.02, seen["shifts"]
    assert seen["bytes"] < 300_000


def test_the_command_of_a_run_can_be_copied(open_context, toy_host):
    with open_context(permissions=["clipboard-read", "clipboard-write"]) as context:
        page = context.new_page()
        page.goto(f"{toy_host}/{TOY_PAGES[2]}")
        page.locator(".command .copy-citation").click()
        assert page.evaluate("navigator.clipboard.readText()") == "reconstruct train toy --model small --seed 1"


# The runs of the book -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def frozen() -> dict[str, dict[str, Any]]:
    """What `book/runs` holds, as it lies there: by project and id."""
    paths = sorted((CHECKOUT / "book" / "runs").glob("*/*.json"))
    return {f"{path.parent.name}/{path.stem}": json.loads(path.read_text(encoding="utf-8")) for path in paths}


def test_the_site_has_the_frozen_runs_and_no_others(site, frozen):
    pages = {path.relative_to(site / "runs").with_suffix("").as_posix() for path in (site / "runs").rglob("*.html")}
    assert pages == frozen.keys()
    listed = json.loads((site / "runs.json").read_text(encoding="utf-8"))
    assert {f"{run['project']}/{run['id']}" for run in listed} == frozen.keys()
    assert all(RunRecord.model_validate(run) for run in listed)


def test_the_list_of_runs_names_each_of_them_or_says_that_there_are_none(site, frozen):
    page = BeautifulSoup((site / "book/reference/runs.html").read_text(encoding="utf-8"), "html.parser")
    links = [link["href"] for link in page.select(".run-index .name a:not([rel])")]
    assert sorted(links) == sorted(f"../../runs/{name}.html" for name in frozen)
    assert ("No run has been frozen yet." in page.article.get_text()) == (not frozen)


def test_every_table_of_the_book_holds_what_the_frozen_records_hold(site, addresses, frozen):
    for address in addresses:
        page = BeautifulSoup((site / address).read_text(encoding="utf-8"), "html.parser")
        for figure in page.select("figure.result-table"):
            file = (site / address).parent / figure.select_one(".take-home a[href$='.csv']")["href"]
            rows = list(csv.DictReader(file.read_text(encoding="utf-8").splitlines()))
            shown = [[cell.get_text() for cell in row.select("th, td")] for row in figure.select("tbody tr")]
            assert len(rows) == len(shown) > 0
            for row, cells in zip(rows, shown, strict=True):
                check_row(row, cells, [run for run in frozen.values() if run["id"] in row["runs"].split()])


def check_row(row: dict[str, str], cells: list[str], runs: list[dict[str, Any]]) -> None:
    """Compare a row with the records themselves."""
    assert len(runs) == int(row["n"])
    assert cells[0] == row["label"]
    assert (
        {run["parameters"] for run in runs} == {int(row["parameters"])} == {int(cells[1].split()[0].replace(",", ""))}
    )
    for name in runs[0]["metrics"].keys() & row.keys():
        values = [run["metrics"][name]["value"] for run in runs]
        half = 0.5 * 10 ** -len(row[name].partition(".")[2]) * (1 + 1e-9)
        assert float(row[name]) == pytest.approx(statistics.fmean(values), abs=half)
        text = row[name] if len(values) == 1 else f"{row[name]} ± {row[f'{name} sd']}"
        assert text in cells
        if len(values) > 1:
            assert float(row[f"{name} sd"]) == pytest.approx(statistics.stdev(values), abs=half)

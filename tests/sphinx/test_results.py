"""Tables and numbers of runs on the page: what the records hold, and nothing that they don't."""

import csv
import io
import json
import re
from dataclasses import asdict, replace

import jsonschema
import pytest
from bs4 import BeautifulSoup

from reconstructing_transformer.sphinx.results import seeds_option
from reconstructing_transformer.sphinx.runs import ShownTable, read_runs
from reconstructing_transformer.tracking.published import read_published
from reconstructing_transformer.tracking.record import RunRecord, read_records, write_record
from reconstructing_transformer.tracking.summary import ResultError
from reconstructing_transformer.tracking.table import result_table
from tests.records import PROJECT, PUBLISHED, a_record, three_seeds

SCRIPT = "<script>alert(1)</script>"
URL = "https://wandb.example.org/toys/runs/small-1"
TABLE = f"""
```{{results}} {PROJECT}
:name: toy-results
:models: deep small
:seeds: 3
:caption: Toys on $x^2$, by {{run}}`{PROJECT}/small/n` seeds.
```
"""
PROSE = f"""The small one reaches {{run}}`{PROJECT}/small/accuracy` ({{run}}`{PROJECT}/small/accuracy:percent`),
the deep one {{run}}`{PROJECT}/deep/accuracy:both`; seed 2 alone has {{run}}`{PROJECT}/deep@2/accuracy`.
See {{numref}}`toy-results`.
Published is {{run}}`{PROJECT}/small/published-accuracy`, {{run}}`{PROJECT}/small/accuracy:gain` more is ours.

By hand, and backed: 0.9720, 0.97, 99.05%, 97.2 %, a rate of 0.0015. Not measured: $0.31415$, `0.27182`, version 1.23.4,
§3.14, arXiv:2010.11929.
"""


def records() -> list[RunRecord]:
    """Three seeds of two models; one is online, and one has names that mean harm."""
    kept = [record for record in three_seeds() if record.id not in {"small-1", "small-2"}]
    online = a_record("small", 1, 0.97, url=URL)
    harmful = a_record(
        "small",
        2,
        0.972,
        name=SCRIPT,
        notes=f"{SCRIPT} {{{{ 7 * 7 }}}} **bold**",
        tags=(SCRIPT,),
        config={SCRIPT: SCRIPT, "seed": 2},
        command=f"echo '{SCRIPT}'",
        history=[{"step": float(step), f"$loss {SCRIPT}": 1.0 / (step + 1)} for step in range(3)],
        versions={SCRIPT: SCRIPT},
    )
    return [online, harmful, *kept]


def with_runs(book, some: list[RunRecord] | None = None) -> None:
    """Lay records into a book."""
    for record in records() if some is None else some:
        write_record(record, book.root / "book" / "runs" / record.project)
    book.write("book/runs/published.yml", PUBLISHED)


def pages(**more: str) -> dict[str, str]:
    return {
        "index": "# Toys\n\nA number of no run on a page that shows no run: 0.1234.\n",
        "results": f"# Results\n\n{PROSE}{TABLE}",
        "other": f"# Other\n\nFrom afar: {{run}}`{PROJECT}/small/accuracy`.\n",
        "runs": "# Runs\n\n```{run-index}\n```\n",
        **more,
    }


@pytest.fixture(scope="session")
def shown(once, new_book):
    """A book with a result table, built twice."""

    def work(folder):
        book = new_book(folder)
        with_runs(book)
        book.pages(**pages())
        return {"runs": [asdict(book.build()) for _ in range(2)]}

    folder, answer = once("results", work)
    return {"root": folder, "html": folder / "_build" / "html", **answer}


@pytest.fixture(scope="session")
def read(shown):
    def page(name: str) -> BeautifulSoup:
        return BeautifulSoup((shown["html"] / name).read_text(encoding="utf-8"), "html.parser")

    return page


@pytest.fixture(scope="session")
def table(shown):
    """The table as `reconstruct runs table` makes it from the same records."""
    folder = shown["root"] / "book" / "runs"
    made = read_records(folder)
    return result_table(made, read_published(folder / "published.yml")[PROJECT])


def test_a_book_with_results_is_built(shown):
    for run in shown["runs"]:
        assert run["code"] == 0, run["output"]
        assert "WARNING" not in run["output"]


def test_a_second_build_reads_no_page_again(shown):
    assert "0 added, 0 changed, 0 removed" in shown["runs"][1]["output"]


def test_the_table_on_the_page_is_the_one_that_the_command_prints(read, table):
    rows = read("results.html").select("#toy-results tbody tr")
    assert [[cell.get_text() for cell in row.select("th, td")] for row in rows] == table.texts
    for line, row in zip(table.text().splitlines()[2:], rows, strict=False):
        assert [cell.get_text() for cell in row.select("th, td")] == re.split(r"  +", line)


def test_the_table_can_be_taken_home_as_the_command_writes_it(read, shown, table):
    links = {link.get_text(): link["href"] for link in read("results.html").select(".take-home a")}
    assert links == {"CSV": "toy-results.csv", "LaTeX": "toy-results.tex", "All runs": f"runs.html#{PROJECT}"}
    assert (shown["html"] / links["CSV"]).read_text(encoding="utf-8") == table.csv()
    assert (shown["html"] / links["LaTeX"]).read_text(encoding="utf-8") == table.latex()


def test_the_table_is_numbered_and_has_a_caption_with_math(read):
    page = read("results.html")
    assert page.select_one("#toy-results caption .caption-number").get_text().strip() == "Table 1.1"
    assert page.select_one("#toy-results caption .katex")
    assert page.select_one("#toy-results caption .run-quote").get_text() == "3"
    assert page.select_one('p a.reference[href="#toy-results"]').get_text() == "Table 1.1"


def test_every_cell_has_heads_for_those_who_cannot_see_the_table(read):
    grid = read("results.html").select_one("#toy-results table")
    first, second = grid.select("thead tr")
    assert sum(int(head.get("colspan", 1)) for head in first.select("th")) == len(
        grid.select("tbody tr")[0].select("th, td")
    )
    assert sum(int(head["colspan"]) for head in first.select("[colspan]")) == len(second.select("th"))
    assert all(head["scope"] in {"col", "colgroup"} for head in grid.select("thead th"))
    assert [head["scope"] for head in grid.select("tbody th")] == ["row", "row"]


def test_a_seed_leads_to_its_run_online_or_to_the_books_own_page(read, shown):
    links = {link["aria-label"]: link["href"] for link in read("results.html").select("#toy-results .seeds a")}
    assert links["Small toy, run with seed 1"] == URL
    assert links["Small toy, run with seed 3"] == f"runs/{PROJECT}/small-3.html"
    for href in links.values():
        assert href == URL or (shown["html"] / href).is_file()


def test_prose_quotes_the_records_and_leads_to_them(read):
    quotes = {quote.get_text(): quote for quote in read("results.html").select("p .run-quote")}
    assert list(quotes) == ["0.9720", "97.20%", "0.9905 ± 0.0006", "0.9904", "0.9500", "+0.0220"]
    assert quotes["0.9720"]["href"] == "#toy-results-small"
    assert quotes["0.9904"]["href"] == f"runs/{PROJECT}/deep-2.html"
    assert "mean of 3 runs (seeds 1, 2, 3). torchmetrics MulticlassAccuracy" in quotes["0.9720"]["title"]


def test_a_quotation_on_another_page_leads_to_the_table(read):
    href = read("other.html").select_one(".run-quote")["href"]
    page, _, place = href.partition("#")
    assert read(page).find("tr", id=place).th.get_text() == "Small toy"


@pytest.mark.parametrize("page", ["results.html", "runs.html", f"runs/{PROJECT}/small-2.html"])
def test_names_from_elsewhere_are_text(shown, page):
    html = (shown["html"] / page).read_text(encoding="utf-8")
    assert SCRIPT not in html
    if page != "results.html":
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html


def test_a_runs_page_says_all_that_the_record_says(read, shown):
    page = read(f"runs/{PROJECT}/small-2.html")
    record = json.loads((shown["root"] / f"book/runs/{PROJECT}/small-2.json").read_text(encoding="utf-8"))
    assert page.title.get_text().startswith(f"Run {SCRIPT}")
    assert page.h1.get_text() == record["name"]
    text = page.article.get_text()
    for words in (record["command"], record["notes"], *record["tags"], record["commit"], "Toy CPU, 2 threads", "1,234"):
        assert words in text
    for metric in record["metrics"].values():
        assert metric["definition"] in text
        assert f"{metric['value']:.4f}" in text
    for facts in (record["config"], record["versions"], record["dataset"]["checksums"]):
        for name, value in facts.items():
            assert name in text
            assert str(value) in text


def test_a_run_can_be_started_again_by_what_is_copied(read):
    command = read(f"runs/{PROJECT}/deep-1.html").select_one(".command")
    assert command.pre.get_text() == "reconstruct train toy --model small --seed 1"
    assert command.select_one("button.copy-citation")


def test_a_runs_curves_are_drawn_and_described(read):
    drawings = read(f"runs/{PROJECT}/deep-1.html").select("figure")
    assert [drawing.svg["aria-label"].split(" over")[0] for drawing in drawings] == ["loss", "score"]
    assert "train/loss goes from 2.3 to 0.383" in drawings[0].svg["aria-label"]
    lines = [
        line["d"]
        for line in drawings[0].select("path[d]")
        if "--accent" in line["style"] or "--second" in line["style"]
    ]
    losses = [[float(y) for y in re.findall(r"[ML] \S+ (\S+)", line)] for line in lines]
    curves = [heights for heights in losses if len(set(heights)) > 2]
    assert sorted(map(len, curves)) == [3, 6]
    assert all(heights == sorted(heights) for heights in curves)  # a loss that falls goes down the page


def test_a_run_can_be_taken_home_as_its_record(shown, read):
    link = read(f"runs/{PROJECT}/deep-1.html").select_one(".files a")["href"]
    target = shown["html"] / "runs" / PROJECT / link
    assert RunRecord.model_validate_json(target.read_bytes()).id == "deep-1"


def test_all_runs_are_listed_with_a_link_to_each(read, shown):
    rows = read("runs.html").select(".run-index tbody tr")
    assert [row.select_one(".name a").get_text() for row in rows] == [
        "small 1",
        SCRIPT,
        "small 3",
        "deep 1",
        "deep 2",
        "deep 3",
    ]
    assert all((shown["html"] / row.select_one(".name a")["href"]).is_file() for row in rows)
    assert [link["href"] for link in read("runs.html").select(".name a[rel]")] == [URL]


def test_the_records_are_published_under_the_schema_that_stands_beside_them(shown):
    all_of_them = json.loads((shown["html"] / "runs.json").read_text(encoding="utf-8"))
    schema = json.loads((shown["html"] / "run-record.schema.json").read_text(encoding="utf-8"))
    assert {run["id"] for run in all_of_them} == {record.id for record in records()}
    for run in all_of_them:
        jsonschema.validate(run, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**all_of_them[0], "seed": "one"}, schema)


def test_the_csv_holds_what_the_records_hold(shown):
    rows = list(csv.DictReader(io.StringIO((shown["html"] / "toy-results.csv").read_text(encoding="utf-8"))))
    accuracies = [record.metrics["accuracy"].value for record in records() if record.model == "small"]
    assert float(rows[0]["accuracy"]) == pytest.approx(sum(accuracies) / 3, abs=5e-5)
    assert rows[0]["runs"].split() == ["small-1", "small-2", "small-3"]


# What must fail -----------------------------------------------------------------------------------------------------


def test_a_deleted_record_fails_the_next_build_and_names_the_table(new_book, tmp_path):
    book = new_book(tmp_path / "book")
    with_runs(book)
    book.pages(**pages())
    assert book.build().code == 0
    (book.root / f"book/runs/{PROJECT}/deep-2.json").unlink()
    for run in (book.build(), book.build()):
        assert run.code == 1
        line = book.line("results.md", "```{results}")
        assert re.search(
            rf"results\.md:{line}: WARNING: the table “toy-results” needs 3 finished runs of deep", run.output
        )
        assert "has 2 (seeds 1, 3)" in run.output
    write_record(a_record("deep", 2, 0.9904, wall_seconds=4_000.0), book.root / "book/runs" / PROJECT)
    assert book.build().code == 0


def test_a_growing_table_shows_the_models_that_have_a_run(tmp_path):
    for record in records():
        if record.model == "small":
            write_record(record, tmp_path / PROJECT)
    runs = read_runs(tmp_path)
    table = ShownTable("grows", "results", PROJECT, ("deep", "small"), (), growing=True)
    assert [model.model for model in table.made(runs).models] == ["small"]
    with pytest.raises(ResultError, match="no run of deep"):
        replace(table, growing=False).made(runs)


def test_how_many_seeds_a_table_has_is_a_number_with_exceptions_or_any():
    assert seeds_option("3, deep 5") == (3, {"deep": 5})
    assert seeds_option("any") == (None, {})
    with pytest.raises(ValueError, match="three"):
        seeds_option("three")


# Page → its text, what the build must quote of the faulty line, and what it must say of it.
FAULTS = {
    "number": (
        f"Words.\n\nIt is\n0.9931, not {{run}}`{PROJECT}/small/accuracy`.\n",
        "0.9931",
        "number 0.9931 is backed by no run",
    ),
    "share": (
        f"Nearly 31% (of {{run}}`{PROJECT}/small/n`).\n",
        "31%",
        "number 31% is backed by no run record of toy-vision",
    ),
    "project": ("By {run}`toys/small/accuracy`.\n", "{run}", "no project with runs “toys”; there are toy-vision"),
    "model": (f"By {{run}}`{PROJECT}/smal/accuracy`.\n", "{run}", "there are small, deep; did you mean “small”?"),
    "metric": (f"By {{run}}`{PROJECT}/small/acuracy`.\n", "{run}", "there are accuracy, f1, parameters"),
    "form": (f"By {{run}}`{PROJECT}/small/accuracy:half`.\n", "{run}", "has no form “half”"),
    "grammar": ("By {run}`accuracy`.\n", "{run}", "a run is quoted as PROJECT/MODEL/WHAT"),
    "more": (
        f"Words.\n\n```{{results}} {PROJECT}\n:models: small\n:seeds: 2\n```\n",
        "```{results}",
        "the table “results-toy-vision” needs 2 finished runs of small, and book/runs/toy-vision has 3",
    ),
    "nobody": (
        "Words.\n\n```{results} nobody\n:models: small\n:seeds: 1\n:name: of-nobody\n```\n",
        "```{results}",
        "the table “of-nobody” needs 1 finished run of small, and book/runs/nobody has 0 (no run of it)",
    ),
    "nothing": (
        "Words.\n\n```{results} nobody\n:models: small\n:seeds: any\n:name: of-nothing\n```\n",
        "```{results}",
        "the table “of-nothing” needs a finished run of one of small, and there is none",
    ),
    "measure": (
        f"Words.\n\n```{{results}} {PROJECT}\n:models: small\n:seeds: 3\n:metrics: bleu\n:name: measure\n```\n",
        "```{results}",
        "no metric “bleu”",
    ),
    "silent": (f"Words.\n\n```{{results}} {PROJECT}\n:models: small\n```\n", "```{results}", "`:seeds:` is missing"),
    "twice": (f"Words.\n{TABLE}", "```{results}", "duplicate label toy-results, other instance in"),
}


@pytest.fixture(scope="session")
def faulty(built_twice):
    """A book with every fault of which a build warns, a page each."""

    def prepare(book):
        with_runs(book)
        book.pages(**pages(**{name: f"# {name.title()}\n\n{text}" for name, (text, _, _) in FAULTS.items()}))

    return built_twice("results-faulty", prepare)


@pytest.mark.parametrize("time", [0, 1], ids=["at first", "again"])
@pytest.mark.parametrize("page", FAULTS)
def test_a_fault_is_reported_with_file_and_line(faulty, page, time):
    _, quoted, said = FAULTS[page]
    line = faulty.book.line(f"{page}.md", quoted)
    lines = faulty.runs[time].output.splitlines()
    mine = [text for text in lines if re.match(rf"\S*/{page}\.md:{line}: (WARNING|ERROR): ", text)]
    assert len(mine) == 1, [text for text in lines if f"{page}.md" in text]
    assert said in mine[0]


@pytest.mark.parametrize("time", [0, 1], ids=["at first", "again"])
def test_a_book_with_faults_is_not_built(faulty, time):
    assert faulty.runs[time].code == 1
    assert f"the book is not clean: {len(FAULTS)} warning(s)" in faulty.runs[time].output


# What lies in book/runs, and what the build must say of it.
SPOILT = {
    "running": (lambda: [a_record(status="running")], "run small-1 has the status “running”"),
    "double": (lambda: [a_record(), a_record(id="small-again")], "2 runs have the seed 1: small-1, small-again"),
    "sizes": (lambda: [a_record(), a_record(seed=2, parameters=7)], "disagree on the number of parameters: 1,234"),
}


@pytest.mark.parametrize("name", SPOILT)
def test_records_that_make_no_result_stop_the_build(built_twice, name):
    def prepare(book):
        with_runs(book, SPOILT[name][0]())
        book.pages(index="# Toys\n")

    for run in built_twice(f"runs-{name}", prepare).runs:
        assert run.code == 1
        assert SPOILT[name][1] in run.output


def test_what_was_published_is_read_again_when_it_changes(new_book, tmp_path):
    book = new_book(tmp_path / "book")
    with_runs(book)
    book.pages(**pages())
    assert book.build().code == 0
    book.replace("book/runs/published.yml", "accuracy: 0.95,", "accuracy: 0.9512,")
    assert book.build().code == 0
    page = BeautifulSoup((book.html / "results.html").read_text(encoding="utf-8"), "html.parser")
    assert "0.9512" in page.select_one("#toy-results tbody tr").get_text()
    assert "0.9512" in (book.html / "toy-results.csv").read_text(encoding="utf-8")


def test_the_page_of_a_run_goes_with_its_record(new_book, tmp_path):
    book = new_book(tmp_path / "book")
    with_runs(book)
    book.pages(index="# Toys\n\n```{run-index}\n```\n")
    assert book.build().code == 0
    files = [book.html / "runs" / PROJECT / f"deep-3.{ending}" for ending in ("html", "json")]
    assert all(file.is_file() for file in files)
    (book.root / f"book/runs/{PROJECT}/deep-3.json").unlink()
    assert book.build().code == 0
    assert not any(file.exists() for file in files)
    assert "deep-3" not in (book.html / "index.html").read_text(encoding="utf-8")
    assert {run["id"] for run in json.loads((book.html / "runs.json").read_text(encoding="utf-8"))} == {
        record.id for record in records()
    } - {"deep-3"}


def test_a_book_without_runs_says_so(built_twice):
    built = built_twice("no-runs", lambda book: book.pages(index="# Toys\n\n```{run-index}\n```\n"))
    assert [run.code for run in built.runs] == [0, 0], built.runs[0].output
    page = BeautifulSoup((built.book.html / "index.html").read_text(encoding="utf-8"), "html.parser")
    assert "No run has been frozen yet." in page.article.get_text()
    assert json.loads((built.book.html / "runs.json").read_text(encoding="utf-8")) == []

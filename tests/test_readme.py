"""README and CONTRIBUTING render, their results are those of the records, and what they tell one to type is there."""

import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from bs4 import BeautifulSoup
from markdown_it import MarkdownIt
from PIL import Image

from reconstructing_transformer.cli import app
from reconstructing_transformer.sphinx.readme import ReadmeError, filled, shown_tables

CHECKOUT = Path(__file__).parents[1]
PAGES = ["README.md", "CONTRIBUTING.md"]
MADE_LATER = ("_build/", ".venv", "runs/", "/")  # by a build, a set-up, a training
BRANCHES = {"notebooks"}
FILE = re.compile(r"\.?[\w-]+(?:/[\w.-]+)*(?:/|\.(?:md|yml|json|py|toml|bib|cff|txt|css))|\.?\w[\w-]*/[\w./-]+")
PROGRAMS = {"make", "reconstruct", "python", "torchrun", "docker", "jupyter-book", ".venv/bin/python"}


def text(page: str) -> str:
    return (CHECKOUT / page).read_text(encoding="utf-8")


def rendered(page: str) -> BeautifulSoup:
    return BeautifulSoup(MarkdownIt("commonmark").enable("table").render(text(page)), "html.parser")


def commands(page: str) -> list[str]:
    """What the page tells one to type: lines of its code and code within its prose that begin with a program."""
    lines = [line for code in rendered(page).select("code") for line in code.get_text().splitlines()]
    whole = [line.split("  #")[0].split(" # ")[0].strip() for line in lines]
    return [line for line in whole if line.split(" ")[0] in PROGRAMS and " " in line]


def all_commands() -> list[tuple[str, str]]:
    return [(page, command) for page in PAGES for command in dict.fromkeys(commands(page))]


# Rendering --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES)
def test_a_page_renders_with_one_title_and_no_markup_left_in_its_prose(page):
    soup = rendered(page)
    assert len(soup.select("h1")) == 1
    for code in soup.select("pre, code"):
        code.decompose()
    assert re.findall(r"```|\*\*|\]\(|^#+ |\{[a-z:]+\}`|\|---", soup.get_text(), re.MULTILINE) == []


@pytest.mark.parametrize("page", PAGES)
def test_a_link_leads_to_a_file_that_is_there(page):
    targets = [link["href"] for link in rendered(page).select("a[href]")]
    local = [target.partition("#")[0] for target in targets if not target.startswith(("http://", "https://"))]
    assert [target for target in local if target and not (CHECKOUT / target).exists()] == []


def test_the_picture_is_there_by_day_and_by_night_and_is_small():
    source = re.findall(r'(?:src|srcset)="([^"]+)"', text("README.md"))
    assert len(source) == 2
    for name in source:
        assert (CHECKOUT / name).stat().st_size < 100_000
        with Image.open(CHECKOUT / name) as picture:
            assert picture.width > 1000
    assert re.search(r'alt="[^"]{50,}"', text("README.md"))


# Results ----------------------------------------------------------------------------------------------------------


def test_the_results_are_those_of_the_records():
    assert filled(text("README.md"), CHECKOUT) == text("README.md"), "run `make readme`"


def test_every_project_with_records_has_a_table_in_the_readme():
    (names,) = re.findall(r"<!-- results (.+) -->", text("README.md"))
    shown = {shown_tables(CHECKOUT)[name].table.project for name in names.split()}
    assert shown == {one.table.project for one in shown_tables(CHECKOUT).values()}


def test_a_result_that_was_altered_is_put_right():
    altered = text("README.md").replace("| CNN baseline | 1,199,882 | 0.9", "| CNN baseline | 1,199,882 | 1.9")
    assert altered != text("README.md")
    assert filled(altered, CHECKOUT) == text("README.md")


def test_a_readme_without_a_place_for_results_is_refused():
    with pytest.raises(ReadmeError, match="no place for results"):
        filled("# Toys\n", CHECKOUT)


def test_a_table_that_no_chapter_shows_is_refused_and_the_known_ones_are_named():
    with pytest.raises(ReadmeError, match=r"toys; there are: .*mnist-results"):
        filled("<!-- results mnist-results toys -->\n<!-- /results -->\n", CHECKOUT)


# Commands ---------------------------------------------------------------------------------------------------------


def targets() -> set[str]:
    return set(re.findall(r"^([a-z]+):", text("Makefile"), re.MULTILINE))


def made(words: list[str]) -> list[str]:
    """What is wrong with a call of make."""
    unknown = [word for word in words if "=" not in word and word not in targets()]
    named = [word.partition("=") for word in words if "=" in word]
    unknown += [name for name, _, _ in named if f"$({name})" not in text("Makefile")]
    chapters = [value for name, _, value in named if name == "NAME" and not (CHECKOUT / f"book/{value}.md").is_file()]
    return unknown + chapters


def reconstructed(words: list[str]) -> list[str]:
    """What is wrong with a call of `reconstruct`: a command or an option that is not there."""
    command: Any = typer.main.get_command(app)
    while words and hasattr(command, "commands"):
        if words[0] not in command.commands:
            return [words[0]]
        command, words = command.commands[words[0]], words[1:]
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    return [word for word in words if word.startswith("--") and word.partition("=")[0] not in {*known, "--help"}]


def module_run(words: list[str]) -> list[str]:
    """What is wrong with `-m MODULE …`."""
    module, *rest = words
    if module == "reconstructing_transformer":
        return reconstructed([word for word in rest if word != "…"])
    if module == "pytest":
        return [word for word in rest if not (CHECKOUT / word).exists()]
    place = CHECKOUT / ("" if module.startswith("tests") else "src") / module.replace(".", "/")
    return [] if place.with_suffix(".py").is_file() else [module]


def faults(command: str) -> list[str]:
    program, *words = shlex.split(command.replace("…", ""))
    if program == "make":
        return made(words)
    if program == "reconstruct":
        return reconstructed(words)
    if "-m" in words:
        return module_run(words[words.index("-m") + 1 :])
    if program == "docker":
        image = words[-1].rpartition("/")[2]
        return [] if (CHECKOUT / "docker" / image / "Dockerfile").is_file() else [image]
    assert command == "jupyter-book build ."
    return []


@pytest.mark.parametrize(("page", "command"), all_commands())
def test_a_command_is_there(page, command):
    assert faults(command) == []


def test_both_pages_tell_one_to_type_something():
    assert {"make book", "make test", "make lab", "make readme"} <= {command for _, command in all_commands()}
    assert len(all_commands()) > 25


@pytest.mark.parametrize(
    "wrong",
    [
        "make boook",
        "make chapter NAME=vision/nothing",
        "make images SIZE=1",
        "reconstruct trian vision",
        "reconstruct train vision --modle cnn",
        "python -m tests.nothing",
        "torchrun -m reconstructing_transformer train visions",
        "docker run reconstructing-transformer/nothing",
    ],
)
def test_a_command_that_is_not_there_is_found(wrong):
    assert faults(wrong)


# Files and folders ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES)
def test_a_file_that_is_named_is_there(page):
    below = [CHECKOUT, CHECKOUT / "src" / "reconstructing_transformer"]
    parts = ["checks.py", "figures.json", "figures.bib"]  # of every part; of the site
    prose = [code.get_text() for code in rendered(page).select(":not(pre) > code")]
    named = [name for name in prose if FILE.fullmatch(name) and not name.startswith(MADE_LATER) and name not in parts]
    assert len(named) > 5
    assert [name for name in named if not any((folder / name).exists() for folder in below)] == []


def test_every_part_of_the_contents_is_described():
    contents = yaml.safe_load(text("_toc.yml"))
    parts = [part["caption"].split(":")[0] for part in contents["parts"] if part["caption"].startswith("Part ")]
    assert [part for part in parts if f"{part} " not in text("README.md")] == []


def test_figures_that_are_named_are_in_the_book():
    known = yaml.safe_load(text("book/figures.yml"))["figures"]
    named = [words for _, command in all_commands() if (words := re.findall(r"figures cite (\S+)", command))]
    assert named
    assert [name for names in named for name in names if name not in known] == []


def test_the_code_of_the_readme_runs():
    blocks = [code.get_text() for code in rendered("README.md").select("pre code")]
    (example,) = [block for block in blocks if block.startswith("import torch")]
    scope: dict[str, Any] = {}
    exec(example, scope)
    assert scope["output"].shape == (1, 10, 512)
    assert scope["weights"].shape == (1, 8, 10, 10)


def test_make_lists_its_targets():
    done = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=CHECKOUT, capture_output=True, text=True, check=True
    )
    for target in ("book", "test", "lab", "readme", "images"):
        assert f"make {target} " in done.stdout

"""Where a chapter runs: the menu leads to the notebook, to Colab, to Binder and to Docker; the first cell installs."""

import pytest
from bs4 import BeautifulSoup

from reconstructing_transformer.sphinx.launch import (
    LaunchError,
    Source,
    distributions_of,
    extras_of,
    launch_menu,
    repository_address,
)
from reconstructing_transformer.sphinx.notebooks import branch_name, setup_cell

REVISION = "1234567890123456789012345678901234567890"
PUBLISHED = Source("https://github.com/Ada/toys", REVISION)
LOCAL = Source(None, REVISION)


def menu(source: Source) -> BeautifulSoup:
    return BeautifulSoup(launch_menu(source, "vision/patches.ipynb", "../notebooks/a.ipynb"), "html.parser")


@pytest.mark.parametrize(
    "written", ["https://github.com/Ada/toys", "https://github.com/Ada/toys/", f"{PUBLISHED.address}.git"]
)
def test_an_address_may_be_written_as_git_writes_it(written):
    assert repository_address(written) == "https://github.com/Ada/toys"


@pytest.mark.parametrize("nothing", ["", None])
def test_a_build_may_have_no_repository(nothing):
    assert repository_address(nothing) is None


@pytest.mark.parametrize(
    "written", ["Ada/toys", "http://github.com/Ada/toys", "https://github.com/Ada", 'https://github.com/Ada/t"oys', "x"]
)
def test_what_colab_and_binder_cannot_open_is_refused_with_the_form_that_is_needed(written):
    with pytest.raises(LaunchError, match=r"https://github\.com/OWNER/NAME"):
        repository_address(written)


def test_the_menu_of_a_published_book_leads_to_the_real_notebook_of_the_branch():
    links = {link.get_text(): link["href"] for link in menu(PUBLISHED).select("a")}
    assert links == {
        "Download notebook": "../notebooks/a.ipynb",
        "Open in Colab": "https://colab.research.google.com/github/Ada/toys/blob/notebooks/vision/patches.ipynb",
        "Open in Binder": "https://mybinder.org/v2/gh/Ada/toys/notebooks?labpath=vision%2Fpatches.ipynb",
    }


def test_a_local_build_links_to_no_repository_and_says_why():
    assert [link.get_text() for link in menu(LOCAL).select("a")] == ["Download notebook"]
    assert "local build" in menu(LOCAL).get_text()


@pytest.mark.parametrize("source", [PUBLISHED, LOCAL])
def test_the_docker_command_can_be_copied_and_opens_this_machine_alone(source):
    command = menu(source).select_one(".cite-panel pre").get_text()
    assert command.splitlines()[-1].startswith("docker run --rm --publish 127.0.0.1:8888:8888 ")
    assert menu(source).select_one(".cite-panel button.copy-citation")
    assert command == source.docker()


def test_an_image_has_a_name_that_registries_take():
    assert PUBLISHED.docker().endswith(" ghcr.io/ada/toys/generic")


def test_the_menu_opens_without_a_script():
    (details,) = menu(PUBLISHED).select("details")
    assert details.find("summary").get_text() == "Run this chapter"
    assert not details.has_attr("open")


@pytest.mark.parametrize(
    ("docname", "extras"),
    [
        ("book/transformer/masks", ()),
        ("book/translation/search", ("translation", "tracking")),
        ("book/vision/patches", ("vision", "tracking")),
        ("book/llama/lora", ("llama", "tracking")),
        ("plain", ()),
        ("book/plain", ()),
    ],
)
def test_a_chapter_needs_its_parts_extras(docname, extras):
    assert extras_of(docname) == extras


def test_extras_add_their_own_packages_and_not_those_that_come_anyway():
    assert {"sacrebleu", "spacy"} <= set(distributions_of(("translation",)))
    assert "torchmetrics" not in distributions_of(("translation",))
    assert "torch" not in distributions_of(("translation",))
    assert distributions_of(()) == []


def test_a_notebook_of_the_branch_lies_where_its_chapter_lies_in_the_book():
    assert branch_name("book/vision/patches") == "vision/patches.ipynb"
    assert branch_name("plain") == "plain.ipynb"


# The first cell -------------------------------------------------------------------------------------------------------


class Shell:
    """Stands for the notebook's program: it hears what a cell would install."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def run(self, source: Source, docname: str, installed: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
        found = [type("Found", (), {"metadata": {"Name": name}}) for name in installed]
        monkeypatch.setattr("importlib.metadata.distributions", lambda: found)
        code = setup_cell(source, docname).source
        before, magic, after = code.partition("%pip ")
        exec(f"{before}pip({after!r})" if magic else code, {"pip": self.lines.append})


@pytest.fixture
def shell() -> Shell:
    return Shell()


ALL = {"Reconstructing_Transformer", *distributions_of(("vision", "tracking"))}


def test_the_first_cell_does_nothing_in_the_books_environment(shell, monkeypatch):
    shell.run(PUBLISHED, "book/vision/patches", ALL, monkeypatch)
    assert shell.lines == []


@pytest.mark.parametrize("missing", ["Reconstructing_Transformer", "torchmetrics", "wandb"])
def test_the_first_cell_installs_package_and_extras_at_the_version_where_anything_is_missing(
    missing, shell, monkeypatch
):
    shell.run(PUBLISHED, "book/vision/patches", ALL - {missing}, monkeypatch)
    requirement = f"reconstructing-transformer[vision,tracking] @ git+https://github.com/Ada/toys@{REVISION}"
    assert shell.lines == [f'install --quiet "{requirement}"']


def test_part_one_needs_no_extras(shell, monkeypatch):
    shell.run(PUBLISHED, "book/transformer/masks", {"torch"}, monkeypatch)
    assert shell.lines == [f'install --quiet "reconstructing-transformer @ git+https://github.com/Ada/toys@{REVISION}"']


def test_the_first_cell_of_a_local_build_says_what_to_install(shell, monkeypatch):
    with pytest.raises(ModuleNotFoundError, match=r"pip install '\.\[vision,tracking\]'"):
        shell.run(LOCAL, "book/vision/patches", {"torch"}, monkeypatch)
    shell.run(LOCAL, "book/vision/patches", ALL, monkeypatch)


def test_the_first_cell_is_folded():
    cell = setup_cell(PUBLISHED, "book/vision/patches")
    assert cell.metadata["cellView"] == "form"
    assert cell.metadata["jupyter"] == {"source_hidden": True}
    assert cell.source.startswith("# @title ")

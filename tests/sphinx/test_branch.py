"""The branch that Colab and Binder open has each notebook, and what Binder must install."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from reconstructing_transformer.sphinx.branch import requirements, write_branch
from reconstructing_transformer.sphinx.launch import Source

CHECKOUT = Path(__file__).parents[2]
REVISION = "1234567890123456789012345678901234567890"
SOURCE = Source("https://github.com/Ada/toys", REVISION)


@pytest.fixture
def site(tmp_path):
    folder = tmp_path / "html"
    for name in ("vision/patches", "transformer/masks"):
        path = folder / "notebooks" / "book" / f"{name}.ipynb"
        path.parent.mkdir(parents=True)
        path.write_text("{}")
    return folder


def test_the_branch_has_the_notebooks_where_the_links_lead(site, tmp_path):
    write_branch(site, tmp_path / "branch", "Toys", SOURCE, "https://toys.example/")
    found = {path.relative_to(tmp_path / "branch").as_posix() for path in (tmp_path / "branch").rglob("*.*")}
    assert found == {
        "README.md", "binder/requirements.txt", "binder/runtime.txt", "transformer/masks.ipynb", "vision/patches.ipynb",
    }  # fmt: skip
    text = (tmp_path / "branch" / "README.md").read_text()
    assert "[Toys](https://toys.example/)" in text
    assert REVISION in text
    for name in ("vision/patches.ipynb", "transformer/masks.ipynb"):
        assert f"[{name}]({name}): [Colab]({SOURCE.colab(name)}), [Binder]({SOURCE.binder(name)})" in text


def test_binder_installs_the_package_with_all_parts_at_the_commit():
    index, line = requirements(SOURCE).splitlines()
    assert index.startswith("--extra-index-url https://download.pytorch.org/")
    wanted = Requirement(line)
    assert wanted.name == "reconstructing-transformer"
    assert {"translation", "vision", "llama", "tracking"} <= wanted.extras
    assert wanted.extras.isdisjoint({"book", "test", "lab"})
    assert wanted.url == f"git+https://github.com/Ada/toys@{REVISION}"


def run(*arguments: str, repository: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "reconstructing_transformer.sphinx.branch", *arguments, "--root", str(CHECKOUT)]
    settings = {"BOOK_REPOSITORY": repository, "COLUMNS": "200"}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | settings)


def test_the_workflow_writes_the_branch_anew(site, tmp_path):
    (tmp_path / "branch").mkdir()
    (tmp_path / "branch" / "old.ipynb").write_text("{}")
    done = run(str(site), str(tmp_path / "branch"), repository="https://github.com/Ada/toys")
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "branch" / "old.ipynb").exists()
    assert (tmp_path / "branch" / "vision" / "patches.ipynb").is_file()


def test_a_branch_needs_a_repository_and_a_site(site, tmp_path):
    done = run(str(tmp_path), str(tmp_path / "branch"), repository="https://github.com/Ada/toys")
    assert (done.returncode, "make book" in done.stderr) == (2, True)

"""A chapter runs in an empty folder where the package and its requirements are installed, and nothing else is."""

from pathlib import Path

import pytest
from packaging.requirements import Requirement

from reconstructing_transformer.sphinx.launch import extras_of
from tests.notebooks.anywhere import build_wheel, chapters, environment, needed_by, run

# One a part, the quick ones; `python -m tests.notebooks.anywhere` runs all.
QUICK = ["transformer/why-attention", "translation/how-good", "vision/results"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("anywhere")


@pytest.fixture(scope="module")
def wheel(folder) -> Path:
    return build_wheel(folder)


@pytest.mark.parametrize("chapter", QUICK)
def test_a_chapter_runs_from_an_empty_folder(chapter, folder, wheel):
    home = environment(folder, wheel, extras_of(f"book/{chapter}"))
    assert run(chapter, home, folder) == ""


def test_the_environment_has_what_the_extras_bring_and_no_more(folder, wheel):
    plain = environment(folder, wheel, ())
    translation = environment(folder, wheel, ("translation", "tracking"))
    for home, there, missing in ((plain, "torch", "sacrebleu"), (translation, "sacrebleu", "sphinx")):
        (site,) = home.glob("lib/python*/site-packages")
        assert (site / there).is_dir()
        assert not (site / missing).exists()
        assert (site / "reconstructing_transformer" / "models").is_dir()
        assert not (site / "reconstructing_transformer").is_symlink()


def test_what_fails_is_said(folder, wheel, monkeypatch):
    home = environment(folder, wheel, ())
    monkeypatch.setattr("tests.notebooks.anywhere.CHECKOUT", folder)
    (folder / "book").mkdir()
    cell = "---\njupytext:\n  text_representation: {extension: .md, format_name: myst}\n"
    kernel = "kernelspec: {display_name: Python 3, language: python, name: python3}\n---\n\n"
    (folder / "book" / "toy.md").write_text(f"{cell}{kernel}# Toy\n\n```{{code-cell}} ipython3\n1 / 0\n```\n")
    assert "ZeroDivisionError" in run("toy", home, folder)


def test_requirements_are_followed_to_the_end():
    found = needed_by([Requirement("matplotlib")])
    assert {"matplotlib", "numpy", "pillow", "python-dateutil", "six"} - found.keys() <= {"six"}
    assert "torch" not in found


def test_the_quick_chapters_are_chapters_of_three_parts():
    assert set(QUICK) <= set(chapters())
    assert len({chapter.partition("/")[0] for chapter in QUICK}) == 3

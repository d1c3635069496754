"""A toy paper and a toy module beside it: the smallest things between which drift is possible."""

import itertools
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from reconstructing_transformer.equations import load_papers

PAPER = r"""id: toy2020
title: On Toys
short: Toy 2020
authors: [Ada Toy]
year: 2020
symbols:
  x: {latex: x, meaning: a number}
equations:
  - id: toy2020-1
    title: Doubling
    number: 1
    section: 2.1
    page: 3
    latex: D(\sym{x}) = \sym{a}\,\sym{x}
    symbols:
      a: {latex: '\alpha', meaning: the factor, shape: 1 × 1}
  - id: toy2020-half
    title: Halving
    section: "2.2"
    latex: H(\sym{x}) = \frac{\sym{x}}{2}
"""

MODULE = '''from reconstructing_transformer.equations import check, deviation, implements


@deviation("toy2020-1", title="Factor", reason="The paper leaves it *open*.")
@implements("toy2020-1", a="factor")
def double(x):
    """Twice a number."""
    factor = 2
    return factor * x


@implements("toy2020-half")
def half(x):
    return x / 2


@check("toy2020-1", of=double, reference="addition", tolerance=1e-12, cases=7)
def double_is_a_sum(rng):
    x = rng.random()
    return abs(double(x) - (x + x))


@check("toy2020-half", of=half, reference="multiplication", tolerance=1e-12)
def half_is_a_product(rng):
    x = rng.random()
    return abs(half(x) - 0.5 * x)
'''

numbers = itertools.count()


@pytest.fixture
def paper_text() -> str:
    return PAPER


@pytest.fixture
def module_text() -> str:
    return MODULE


@pytest.fixture
def papers_folder(tmp_path) -> Path:
    """A folder with the toy paper."""
    folder = tmp_path / "papers"
    folder.mkdir()
    (folder / "toy2020.yml").write_text(PAPER, encoding="utf-8")
    return folder


@pytest.fixture
def toy_papers(papers_folder):
    return load_papers(papers_folder)


@pytest.fixture
def write_module(tmp_path, monkeypatch) -> Callable[[str], str]:
    """Write a module under a name that no other has, and return the name."""

    def write(text: str) -> str:
        name = f"toys_{next(numbers)}"
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, name, raising=False)
        return name

    return write

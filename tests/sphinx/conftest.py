"""Tiny books, built as a reader's machine builds the real one: by `jupyter-book build`, in a process of its own."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from filelock import FileLock

CHECKOUT = Path(__file__).parents[2]
COLOUR = re.compile(r"\x1b\[[0-9;]*m")

PAPER = r"""id: toy2020
title: On Toys
short: Toy 2020
authors: [Ada Toy]
year: 2020
equations:
  - id: toy2020-1
    title: Doubling
    number: 1
    section: "2.1"
    page: 3
    latex: D(\sym{x}) = \sym{a}\,\sym{x}
    symbols:
      x: {latex: x, meaning: a number}
      a: {latex: '\alpha', meaning: the factor, shape: 1 × 1}
"""

MODULE = '''"""Toys."""

from reconstructing_transformer.equations import check, deviation, implements


@deviation("toy2020-1", title="Factor", reason="The paper leaves it *open*.")
@implements("toy2020-1", a="factor")
def double(x):
    """Twice a number."""
    factor = 2
    return factor * x


@check("toy2020-1", of=double, reference="toy.library.addition", tolerance=1e-12, cases=7)
def double_is_a_sum(rng):
    x = rng.random()
    return abs(double(x) - (x + x))
'''

CITATION = """cff-version: 1.2.0
title: Toys
version: 1.2.3
date-released: 2020-02-29
authors:
  - {family-names: Toy, given-names: Ada}
"""

CHAPTER_HEAD = """---
jupytext:
  text_representation:
    extension: .md
    format_name: myst
kernelspec:
  display_name: Python 3
  language: python
  name: python3
---

# {title}

"""


@dataclass
class Run:
    """What a build said and how it ended."""

    code: int
    output: str
    seconds: float


class TinyBook:
    """A book in a folder of its own, with the settings of the real one."""

    def __init__(self, root: Path, new: bool = True) -> None:
        self.root = root
        if not new:
            return
        root.mkdir(parents=True, exist_ok=True)
        self.write("papers/toy2020.yml", PAPER)
        self.write("toys.py", MODULE)
        self.write("CITATION.cff", CITATION)
        self.write("references.bib", "@article{ada, author={Toy, Ada}, title={On Toys}, journal={Toys}, year={2020}}\n")
        self._settings()

    def _settings(self) -> None:
        config = yaml.safe_load((CHECKOUT / "_config.yml").read_text(encoding="utf-8"))
        config["title"] = config["sphinx"]["config"]["html_title"] = "Toys"
        config["bibtex_bibfiles"] = ["references.bib"]
        config["html"]["favicon"] = str(CHECKOUT / config["html"]["favicon"])
        config["sphinx"]["config"] |= {
            "reconstruct_papers": "papers",
            "reconstruct_modules": ["toys"],
            "reconstruct_web": str(CHECKOUT / "book" / "web"),
        }
        self.write("_config.yml", yaml.safe_dump(config))

    @property
    def html(self) -> Path:
        """The built site."""
        return self.root / "_build" / "html"

    def write(self, name: str, text: str) -> None:
        """Write a file of the book."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def pages(self, **texts: str) -> "TinyBook":
        """Write the pages, and a table of contents that lists them below the first."""
        for name, text in texts.items():
            self.write(f"{name}.md", text)
        first, *others = texts
        part = {"caption": "Part I: Toys", "numbered": True, "chapters": [{"file": name} for name in others]}
        contents = {"format": "jb-book", "root": first, **({"parts": [part]} if others else {})}
        self.write("_toc.yml", yaml.safe_dump(contents))
        return self

    def replace(self, name: str, old: str, new: str) -> None:
        """Change a file of the book."""
        text = (self.root / name).read_text(encoding="utf-8")
        assert old in text
        self.write(name, text.replace(old, new))

    def line(self, name: str, quoted: str) -> int:
        """The line of a file that says `quoted`."""
        lines = (self.root / name).read_text(encoding="utf-8").splitlines()
        (number,) = [number for number, line in enumerate(lines, 1) if quoted in line]
        return number

    def build(self, **environment: str) -> Run:
        """Build the book, with further environment variables if there are any."""
        started = time.perf_counter()
        done = subprocess.run(
            [str(Path(sys.executable).with_name("jupyter-book")), "build", "."],
            cwd=self.root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
            env={**os.environ, "PYTHONPATH": str(self.root), "PYTHONWARNINGS": "default", "COLUMNS": "400",
                 **environment},
        )  # fmt: skip
        return Run(done.returncode, COLOUR.sub("", done.stdout), time.perf_counter() - started)


@dataclass
class Twice:
    """A book that was built twice, without a change between."""

    book: TinyBook
    runs: list[Run]


@pytest.fixture(scope="session")
def once(tmp_path_factory) -> Callable[[str, Callable[[Path], dict[str, Any]]], tuple[Path, dict[str, Any]]]:
    """Do something in a named folder once for all processes of a test run, and give each the same answer."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def do(name: str, work: Callable[[Path], dict[str, Any]]) -> tuple[Path, dict[str, Any]]:
        folder, kept = shared / f"book-{name}", shared / f"book-{name}.json"
        with FileLock(f"{kept}.lock"):
            if not kept.exists():
                shutil.rmtree(folder, ignore_errors=True)
                kept.write_text(json.dumps(work(folder)), encoding="utf-8")
        return folder, json.loads(kept.read_text(encoding="utf-8"))

    return do


@pytest.fixture(scope="session")
def built_twice(once) -> Callable[[str, Callable[[TinyBook], object]], Twice]:
    """Build a book twice: what is wrong with it must be said both times."""

    def build(name: str, prepare: Callable[[TinyBook], object]) -> Twice:
        def work(folder: Path) -> dict[str, Any]:
            book = TinyBook(folder)
            prepare(book)
            return {"runs": [asdict(book.build()) for _ in range(2)]}

        folder, answer = once(name, work)
        return Twice(TinyBook(folder, new=False), [Run(**run) for run in answer["runs"]])

    return build


@pytest.fixture(scope="session")
def new_book() -> type[TinyBook]:
    """Start a book in a folder."""
    return TinyBook


@pytest.fixture(scope="session")
def chapter() -> Callable[[str, str], str]:
    """A chapter, which is executed, with some text below its title."""
    return lambda title, text: CHAPTER_HEAD.format(title=title) + text

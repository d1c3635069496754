"""Copies of the chapters to work in: they follow their chapters, and whoever worked in one keeps it."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import nbformat
import pytest
import yaml

from reconstructing_transformer.sphinx.lab import chapters, write_copies

CHECKOUT = Path(__file__).parents[2]
CHAPTER = """---
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

```{{code-cell}} ipython3
1 + 1
```
"""


@pytest.fixture
def book(tmp_path):
    """A book of two chapters and a page that doesn't run."""
    root = tmp_path / "toys"
    for name in ("one", "two"):
        (root / "book" / "part").mkdir(parents=True, exist_ok=True)
        (root / "book" / "part" / f"{name}.md").write_text(CHAPTER.format(title=name.capitalize()))
    (root / "book" / "plain.md").write_text("# Plain\n")
    (root / "book" / "papers").symlink_to(CHECKOUT / "book" / "papers")
    (root / "book" / "runs").mkdir()
    pages = [{"file": f"book/{name}"} for name in ("part/one", "part/two", "plain")]
    (root / "_toc.yml").write_text(yaml.safe_dump({"root": "book/index", "parts": [{"chapters": pages}]}))
    return root


@pytest.fixture
def lab(tmp_path):
    return tmp_path / "lab"


def titles(lab: Path) -> dict[str, str]:
    found = {path.relative_to(lab).as_posix(): nbformat.read(path, as_version=4) for path in lab.rglob("*.ipynb")}
    return {name: notebook.cells[0].source for name, notebook in found.items()}


def work_in(notebook: Path) -> str:
    text = notebook.read_text().replace("1 + 1", "1 + 2")
    notebook.write_text(text)
    return text


def test_only_what_runs_is_copied(book, lab):
    assert chapters(book) == ["book/part/one", "book/part/two"]
    assert write_copies(book, lab) == []
    assert titles(lab) == {"part/one.ipynb": "# One", "part/two.ipynb": "# Two"}


def test_writing_twice_changes_nothing(book, lab):
    write_copies(book, lab)
    before = (lab / "part/one.ipynb").read_bytes()
    assert write_copies(book, lab) == []
    assert (lab / "part/one.ipynb").read_bytes() == before


def test_a_copy_that_nobody_touched_follows_its_chapter(book, lab):
    write_copies(book, lab)
    (book / "book/part/one.md").write_text(CHAPTER.format(title="One, again"))
    assert write_copies(book, lab) == []
    assert titles(lab)["part/one.ipynb"] == "# One, again"


def test_work_is_kept_and_named_only_when_the_chapter_has_changed(book, lab):
    write_copies(book, lab)
    mine = work_in(lab / "part/one.ipynb")
    assert write_copies(book, lab) == []
    (book / "book/part/one.md").write_text(CHAPTER.format(title="One, again"))
    assert write_copies(book, lab) == ["part/one.ipynb"]
    assert write_copies(book, lab) == ["part/one.ipynb"]
    assert (lab / "part/one.ipynb").read_text() == mine


def test_a_copy_that_was_deleted_comes_back(book, lab):
    write_copies(book, lab)
    work_in(lab / "part/one.ipynb")
    (lab / "part/one.ipynb").unlink()
    write_copies(book, lab)
    assert "1 + 1" in (lab / "part/one.ipynb").read_text()


def test_no_source_is_written(book, lab):
    before = {path: path.read_bytes() for path in book.rglob("*") if path.is_file()}
    write_copies(book, lab)
    assert {path: path.read_bytes() for path in book.rglob("*") if path.is_file()} == before


def test_a_folder_that_is_no_book_is_named(tmp_path):
    command = [sys.executable, "-m", "reconstructing_transformer.sphinx.lab", "into", "--root", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 2
    assert str(tmp_path) in done.stderr
    assert "--root" in done.stderr


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def test_jupyterlab_serves_the_copies(book, lab, tmp_path):
    write_copies(book, lab)
    port = free_port()
    options = [f"--port={port}", "--no-browser", "--allow-root", "--IdentityProvider.token=toys"]
    folders = {"JUPYTER_CONFIG_DIR": str(tmp_path / "config"), "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime")}
    server = subprocess.Popen(
        [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={lab}", *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **folders},
    )
    address = f"http://127.0.0.1:{port}/api/contents/part/one.ipynb?token=toys"
    try:
        answer = None
        for _ in range(240):
            try:
                with urllib.request.urlopen(address, timeout=5) as response:
                    answer = json.load(response)
                break
            except (urllib.error.URLError, ConnectionError):
                assert server.poll() is None, server.stderr.read()
                time.sleep(0.5)
        assert answer is not None, "JupyterLab did not answer"
        assert answer["type"] == "notebook"
        assert answer["content"]["cells"][0]["source"] == "# One"
    finally:
        server.terminate()
        server.communicate(timeout=30)

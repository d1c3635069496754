"""The chapters as notebooks to work in: copies, so that no output is ever written into a chapter's source.

    python -m reconstructing_transformer.sphinx.lab FOLDER

A copy that was worked in is kept as it is; one that was not follows its chapter.
"""

import hashlib
import json
from pathlib import Path
from typing import Annotated

import nbformat
import typer
import yaml

from reconstructing_transformer._data import write_whole
from reconstructing_transformer.equations import Evidence, load_papers
from reconstructing_transformer.sphinx.execution import is_chapter
from reconstructing_transformer.sphinx.notebooks import as_notebook, branch_name
from reconstructing_transformer.sphinx.project import Project
from reconstructing_transformer.sphinx.runs import FOLDER, read_runs

MADE = ".made.json"  # what was written, by the hash of each notebook: whatever differs from it is somebody's work


def chapters(root: Path) -> list[str]:
    """Return the pages of a book's table of contents that run.

    Args:
        root: the folder of `_toc.yml`.
    """
    contents = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))
    pages = [chapter["file"] for part in contents.get("parts", []) for chapter in part["chapters"]]
    return [page for page in pages if is_chapter(root / f"{page}.md")]


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _notebooks(root: Path) -> dict[str, bytes]:
    """Each chapter's notebook, by its name."""
    project = Project(load_papers(root / "book" / "papers"), Evidence())
    runs = read_runs(root / FOLDER)
    made = {}
    for page in chapters(root):
        notebook = as_notebook(project, root / f"{page}.md", runs)
        made[branch_name(page)] = (nbformat.writes(notebook) + "\n").encode()
    return made


def write_copies(root: Path, into: Path) -> list[str]:
    """Write a copy of each chapter as a notebook, and leave those alone that were worked in.

    Args:
        root: the book's folder.
        into: where the copies go, `vision/patches.ipynb` and so on.

    Returns:
        The copies that were kept although their chapter has changed since.
    """
    ledger = into / MADE
    known = json.loads(ledger.read_text(encoding="utf-8")) if ledger.is_file() else {}
    kept = []
    for name, data in _notebooks(root).items():
        path = into / name
        if path.is_file() and _digest(path.read_bytes()) not in {known.get(name), _digest(data)}:
            if known.get(name) != _digest(data):
                kept.append(name)
            continue
        write_whole(path, data)
        known[name] = _digest(data)
    write_whole(ledger, json.dumps(known, indent=1).encode())
    return kept


def main(
    into: Annotated[Path, typer.Argument(help="Where the notebooks go.")],
    root: Annotated[Path, typer.Option(help="The book's folder, which has _toc.yml.")] = Path(),
) -> None:
    """Write the chapters as notebooks to work in."""
    if not (root / "_toc.yml").is_file():
        typer.echo(f"{root.resolve()} is no book: it has no _toc.yml. Name the book's folder: --root", err=True)
        raise typer.Exit(2)
    for name in write_copies(root, into):
        typer.echo(f"kept as you left it: {into / name}; the chapter has changed since. Delete it to get it anew")


if __name__ == "__main__":
    typer.run(main)

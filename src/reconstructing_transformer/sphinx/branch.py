"""The branch that Colab and Binder open: each chapter as a real notebook, and what Binder must install.

    python -m reconstructing_transformer.sphinx.branch _build/html FOLDER

A workflow writes it from the site, as one commit without a past.
"""

import os
import shutil
from importlib.metadata import metadata
from pathlib import Path
from typing import Annotated

import typer
import yaml

from reconstructing_transformer.sphinx.launch import PACKAGE, Source, repository_address, revision_of
from reconstructing_transformer.sphinx.notebooks import BOOK, FOLDER

TOOLS = {"book", "lab", "test"}  # extras that no chapter needs
PYTORCH = "https://download.pytorch.org/whl/cpu"  # Binder's machines have no GPU
README = """# Notebooks

The chapters of [{title}]({home}), each as a notebook. This branch is written by a workflow from commit
{revision}; the chapters' sources are in the branch `main`.

{chapters}
"""


def requirements(source: Source) -> str:
    """Return what Binder installs: the package with what all parts need, at the commit that the notebooks are of."""
    extras = tuple(sorted(set(metadata(PACKAGE).get_all("Provides-Extra") or []) - TOOLS))
    return f"--extra-index-url {PYTORCH}\n{source.requirement(extras)}\n"


def _index(folder: Path, source: Source) -> str:
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.ipynb"))
    return "\n".join(
        f"- [{name}]({name}): [Colab]({source.colab(name)}), [Binder]({source.binder(name)})" for name in names
    )


def write_branch(site: Path, into: Path, title: str, source: Source, home: str) -> None:
    """Write the branch's files.

    Args:
        site: the built site, with its notebooks.
        into: where they go; must not be there yet.
        title: the book's.
        source: where the book's source lies; its address must be known.
        home: the site's address, or the repository's.
    """
    shutil.copytree(site / FOLDER / BOOK, into)
    (into / "binder").mkdir()
    (into / "binder" / "requirements.txt").write_text(requirements(source), encoding="utf-8")
    (into / "binder" / "runtime.txt").write_text("python-3.11\n", encoding="utf-8")
    text = README.format(title=title, home=home, revision=source.revision, chapters=_index(into, source))
    (into / "README.md").write_text(text, encoding="utf-8")


def main(
    site: Annotated[Path, typer.Argument(help="The built site.")],
    into: Annotated[Path, typer.Argument(help="Where the branch's files go.")],
    root: Annotated[Path, typer.Option(help="The book's folder.")] = Path(),
) -> None:
    """Write the files of the branch that Colab and Binder open."""
    settings = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))
    known = settings["sphinx"]["config"].get("reconstruct_repository")
    address = repository_address(os.environ.get("BOOK_REPOSITORY") or known)
    if address is None:
        typer.echo("the repository is not known: set BOOK_REPOSITORY=https://github.com/OWNER/NAME", err=True)
        raise typer.Exit(2)
    if not (site / FOLDER / BOOK).is_dir():
        typer.echo(f"{site} has no notebooks; build the site with `make book`", err=True)
        raise typer.Exit(2)
    shutil.rmtree(into, ignore_errors=True)
    home = os.environ.get("BOOK_URL") or address
    write_branch(site, into, settings["title"], Source(address, revision_of(root)), home)


if __name__ == "__main__":
    typer.run(main)

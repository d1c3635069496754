"""Runs chapters as a reader runs them elsewhere: from an empty folder, with the package installed and nothing else.

    python -m tests.notebooks.anywhere                        # all chapters
    python -m tests.notebooks.anywhere vision/patches         # some

The package is installed from a wheel of this checkout into an environment of its own, together with what the first
cell of the chapter's notebook would install: the packages that the package and the part's extras require, no others.
They are links to those of the environment that runs this, so that it costs neither time nor space.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import venv
import zipfile
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

import nbformat
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from reconstructing_transformer.sphinx.launch import PACKAGE, Source, extras_of
from reconstructing_transformer.sphinx.notebooks import as_notebook, setup_cell
from reconstructing_transformer.sphinx.project import NO_PROJECT

CHECKOUT = Path(__file__).parents[2]
NOTEBOOK_PROGRAM = "ipykernel"  # whoever opens a notebook has it
RUN = """
import sys, nbformat
from nbclient import NotebookClient

notebook = nbformat.read("chapter.ipynb", as_version=4)
NotebookClient(notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": "."}}).execute()
code = [cell for cell in notebook.cells if cell.cell_type == "code"]
noise = [o.text for cell in code for o in cell.outputs if o.output_type == "stream" and o.name == "stderr"]
sys.exit("".join(noise) or 0)
"""


def chapters() -> list[str]:
    """The chapters of the table of contents that run, as in `vision/patches`."""
    toc = yaml.safe_load((CHECKOUT / "_toc.yml").read_text(encoding="utf-8"))
    pages = [chapter["file"] for part in toc["parts"] for chapter in part["chapters"]]
    head = [(page, (CHECKOUT / f"{page}.md").read_text(encoding="utf-8")[:600]) for page in pages]
    return [page.removeprefix("book/") for page, text in head if "jupytext:" in text]


def build_wheel(folder: Path) -> Path:
    """Build the wheel of this checkout."""
    command = ["-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--disable-pip-version-check"]
    subprocess.run([sys.executable, *command, "--wheel-dir", str(folder), str(CHECKOUT)], check=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def needed_by(requirements: list[Requirement]) -> dict[str, Distribution]:
    """All packages that some requirements bring with them, theirs included, by name."""
    found: dict[str, Distribution] = {}
    seen: set[tuple[str, str]] = set()
    waiting = [(one, extra) for one in requirements for extra in ("", *one.extras)]
    while waiting:
        requirement, extra = waiting.pop()
        name = canonicalize_name(requirement.name)
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        try:
            found[name] = distribution(name)
        except PackageNotFoundError:  # the lock decides what this platform needs
            continue
        for line in found[name].requires or []:
            below = Requirement(line)
            if below.marker is None or below.marker.evaluate({"extra": extra}):
                waiting += [(below, one) for one in ("", *below.extras)]
    return found


def link(package: Distribution, site: Path) -> None:
    """Let an environment see a package of this one: each file or folder that it has at the top."""
    for file in package.files or []:
        top = file.parts[0]
        if top in {"..", "__pycache__"} or (site / top).exists():
            continue
        source = Path(str(package.locate_file(top)))
        if source.is_dir() and not (source / "__init__.py").exists() and not top.endswith((".dist-info", ".libs")):
            link_below(package, top, site)  # several packages may share it: a namespace
        elif source.exists():
            (site / top).symlink_to(source)


def link_below(package: Distribution, top: str, site: Path) -> None:
    """Link the files of a package within a folder that is not its alone."""
    for file in package.files or []:
        target = site / file
        if file.parts[0] == top and not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(Path(str(package.locate_file(file))))


def environment(folder: Path, wheel: Path, extras: tuple[str, ...]) -> Path:
    """Make an environment with the package, its requirements, and a notebook program's kernel.

    Returns:
        Its folder.
    """
    home = folder / "-".join(["env", *extras])
    if home.is_dir():
        return home
    venv.create(home, symlinks=True)
    (site,) = home.glob("lib/python*/site-packages")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    (metadata,) = site.glob("*.dist-info")
    lines = Distribution.at(metadata).requires or []
    own = [Requirement(line) for line in lines]
    chosen = [one for one in own if one.marker is None or any(one.marker.evaluate({"extra": x}) for x in ("", *extras))]
    for package in needed_by([*chosen, Requirement(NOTEBOOK_PROGRAM)]).values():
        link(package, site)
    kernel = home / "share" / "jupyter" / "kernels" / "python3"
    kernel.mkdir(parents=True)
    command = [str(home / "bin" / "python"), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": command, "display_name": "Python 3", "language": "python"}
    (kernel / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")
    return home


def run(chapter: str, home: Path, folder: Path) -> str:
    """Run a chapter's notebook in an empty folder, with the kernel of an environment.

    Returns:
        What went wrong; nothing if nothing did.
    """
    notebook = as_notebook(NO_PROJECT, CHECKOUT / "book" / f"{chapter}.md")
    notebook.cells.insert(0, setup_cell(Source(None, ""), f"book/{chapter}"))  # must find that nothing is missing
    empty = Path(tempfile.mkdtemp(dir=folder, prefix="empty-"))
    nbformat.write(notebook, empty / "chapter.ipynb")
    outside = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "RECONSTRUCT_FIGURES"}}
    settings = {"JUPYTER_PATH": str(home / "share" / "jupyter"), "IPYTHONDIR": str(folder / "ipython")}
    program = subprocess.run(
        [sys.executable, "-c", RUN], cwd=empty, capture_output=True, text=True, check=False, env=outside | settings
    )
    shutil.rmtree(empty)
    return program.stderr.strip() if program.returncode else ""


def main(names: list[str]) -> int:
    """Run chapters, say how each ended, and return how many failed."""
    if unknown := set(names) - set(chapters()):
        sys.exit(f"no chapter {', '.join(sorted(unknown))}; there are: {', '.join(chapters())}")
    failed = 0
    with tempfile.TemporaryDirectory(prefix="anywhere-") as made:
        folder = Path(made)
        wheel = build_wheel(folder)
        print(f"{PACKAGE}: {wheel.name}, {wheel.stat().st_size / 1e6:.1f} MB", flush=True)
        for chapter in names or chapters():
            begun = time.perf_counter()
            fault = run(chapter, environment(folder, wheel, extras_of(f"book/{chapter}")), folder)
            print(f"{'FAILS' if fault else 'runs '}  {time.perf_counter() - begun:5.1f} s  {chapter}", flush=True)
            if fault:
                failed += 1
                print(fault, file=sys.stderr, flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(min(main(sys.argv[1:]), 1))

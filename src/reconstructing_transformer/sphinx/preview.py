"""Looking at the book while writing it: one chapter alone, or all of it, rebuilt when a file is saved."""

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer
import yaml
from jupyter_book.config import get_final_config

ROOT = Path(__file__).parents[3]
BUILD = ROOT / "_build"
IGNORED = [".venv", "_build", "node_modules", ".git", "__pycache__", ".ruff_cache", ".pytest_cache"]

app = typer.Typer(no_args_is_help=True, add_completion=False)


def _write_sphinx_configuration(folder: Path) -> None:
    """Write the `conf.py` that Jupyter Book keeps to itself, for tools that know only Sphinx."""
    settings, _ = get_final_config(
        user_yaml=ROOT / "_config.yml", sourcedir=ROOT, cli_config={"latex_individualpages": False}
    )
    settings["external_toc_path"] = str(ROOT / "_toc.yml")
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"{name} = {value!r}" for name, value in sorted(settings.items())]
    (folder / "conf.py").write_text("\n".join(lines) + "\n", encoding="utf-8")


@app.command()
def serve(port: Annotated[int, typer.Option(help="Port on this machine.")] = 8000) -> None:
    """Show the book in a browser, and rebuild it whenever a file is saved."""
    configuration = BUILD / "serve"
    _write_sphinx_configuration(configuration)
    ignored = [f"--re-ignore=(^|/){name.replace('.', '[.]')}(/|$)" for name in IGNORED]
    places = ["-c", str(configuration), "-d", str(configuration / "doctrees"), f"--port={port}", *ignored]
    command = [sys.executable, "-m", "sphinx_autobuild", *places, str(ROOT), str(configuration / "html")]
    raise typer.Exit(subprocess.run(command, cwd=ROOT, check=False).returncode)


def _chapter_path(name: str) -> Path:
    path = ROOT / "book" / f"{name.removeprefix('book/').removesuffix('.md')}.md"
    if not path.is_file():
        chapters = sorted(
            str(found.relative_to(ROOT / "book").with_suffix("")) for found in (ROOT / "book").glob("*/*.md")
        )
        typer.echo(f"no chapter “{name}”; there are:\n  " + "\n  ".join(chapters), err=True)
        raise typer.Exit(2)
    return path


@app.command()
def chapter(name: Annotated[str, typer.Argument(help="The chapter, as in `transformer/why-attention`.")]) -> None:
    """Execute and build one chapter. References to other chapters stay open; a failing cell is a failure."""
    path = _chapter_path(name)
    folder = BUILD / "chapter"
    folder.mkdir(parents=True, exist_ok=True)
    page = path.relative_to(ROOT).with_suffix("").as_posix()
    settings = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    settings["sphinx"]["config"] |= {"reconstruct_shared": "_build", "reconstruct_strict": False, "nitpicky": False}
    (folder / "_config.yml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    (folder / "_toc.yml").write_text(yaml.safe_dump({"format": "jb-book", "root": page}), encoding="utf-8")
    files = ["--config", str(folder / "_config.yml"), "--toc", str(folder / "_toc.yml"), "--path-output", str(folder)]
    command = [str(Path(sys.executable).with_name("jupyter-book")), "build", str(ROOT), "--quiet", *files]
    code = subprocess.run(command, cwd=ROOT, check=False).returncode
    if code == 0:
        typer.echo(f"The chapter is built. Open file://{folder}/_build/html/{page}.html")
    raise typer.Exit(code)


if __name__ == "__main__":
    app()

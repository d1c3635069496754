"""`reconstruct data`: fetch what chapters and trainings read, so that it is there when there is no network."""

from pathlib import Path
from typing import Annotated

import typer

from reconstructing_transformer._data import DataUnavailableError
from reconstructing_transformer.cli.complaints import complain

data_app = typer.Typer(no_args_is_help=True, help="Data and pre-trained weights: fetch them before they are needed.")
ALSO = {"smollm2": "smollm2-135m"}
NAMES = ("mnist", "multi30k", "tatoeba", "trec", "newsgroups", "smollm2-135m", "stories260k")

PARTS = {"mnist": "vision", "multi30k": "translation", "tatoeba": "translation"}


def _fetched(name: str) -> str:
    """Fetch it, and say in a line what and where."""
    if name in ("smollm2-135m", "stories260k"):
        from reconstructing_transformer.llama.sources import fetch

        return f"{name}: {fetch(name)}"
    if name in ("trec", "newsgroups"):
        from reconstructing_transformer.llama.tasks import load_task

        task = load_task(name)
        return f"{name}: {len(task.train) + len(task.validation):,} and {len(task.test):,} texts, from {task.source}"
    if name == "mnist":
        from reconstructing_transformer.vision.data import load_mnist

        mnist = load_mnist()
        return f"mnist: {len(mnist.train) + len(mnist.validation):,} and {len(mnist.test):,} digits"
    from reconstructing_transformer.translation import load_corpus

    corpus = load_corpus(name)
    return f"{name}: {len(corpus.train):,}, {len(corpus.validation):,} and {len(corpus.test):,} pairs"


@data_app.command("fetch")
def fetch_data(
    names: Annotated[list[str], typer.Argument(help=f"Any of {', '.join(NAMES)}.")],
) -> None:
    """Fetch data sets and weights into the cache, checked by their hashes. What is there already is left as it is."""
    wanted = [ALSO.get(name, name) for name in names]
    unknown = [name for name in wanted if name not in NAMES]
    if unknown:
        complain(f"there is nothing called {', '.join(unknown)}; there are {', '.join(NAMES)}")
    missing = []
    for name in wanted:
        try:
            typer.echo(_fetched(name))
        except DataUnavailableError as error:
            missing.append(str(error))
        except ModuleNotFoundError as error:
            part = PARTS.get(name, "llama")
            missing.append(f"{name} needs {error.name}; install it by pip install 'reconstructing-transformer[{part}]'")
    if missing:
        complain(" ".join(missing))


@data_app.command("write-stories260k")
def write_stories(
    files: Annotated[Path | None, typer.Option("--from", help="Folder of llama2.c's two files; else the hub.")] = None,
    into: Annotated[Path, typer.Option(help="Where the checkpoint goes.")] = Path("book/data/stories260k"),
) -> None:
    """Write stories260K anew, from the files that llama2.c published."""
    from reconstructing_transformer.llama.stories import StoriesError, find_files, write_checkpoint

    try:
        found = find_files(files)
    except (StoriesError, OSError) as error:
        complain(f"stories260K's files can't be read: {error}")
    write_checkpoint(found, into)
    typer.echo(f"stories260k: {into}")

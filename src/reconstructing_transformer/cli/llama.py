"""`reconstruct train steps`: Part IV's ladder from the decoder of 2017 to LLaMA-2, from the command line."""

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from reconstructing_transformer.cli.complaints import complain
from reconstructing_transformer.cli.recipes import Runs, changed, typed


def train_steps(
    model: Annotated[str, typer.Option(help="2017, pre-norm, rms-norm, rotary, swiglu or llama.")] = "llama",
    seed: Annotated[int, typer.Option(help="Decides fresh weights and the order of the text.")] = 1,
    steps: Annotated[int | None, typer.Option(help="Steps of the optimiser.")] = None,
    windows: Annotated[int | None, typer.Option(help="Windows of text a step, over all processes.")] = None,
    context: Annotated[int | None, typer.Option(help="Pieces of a window.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="At its peak.")] = None,
    warmup: Annotated[float | None, typer.Option(help="Share of the steps in which the rate rises.")] = None,
    d_model: Annotated[int | None, typer.Option("--d-model", help="Width of the model.")] = None,
    layers: Annotated[int | None, typer.Option(help="Number of layers.")] = None,
    heads: Annotated[int | None, typer.Option(help="Number of query heads.")] = None,
    vocabulary: Annotated[int | None, typer.Option(help="Pieces of the text.")] = None,
    precision: Annotated[str | None, typer.Option(help="no, fp16 or bf16.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the training that was interrupted.")] = False,
    runs: Runs = Path("runs"),
) -> None:
    """Train one of six small language models on newsgroup posts. What is not given is the recipe of the book's table.

    On several processors: `torchrun --nproc_per_node=2 -m reconstructing_transformer train steps …`.
    """
    given = {
        "seed": seed, "steps": steps, "windows": windows, "context": context, "learning_rate": learning_rate,
        "warmup": warmup, "d_model": d_model, "N": layers, "h": heads, "vocabulary": vocabulary,
        "precision": precision,
    }  # fmt: skip
    from reconstructing_transformer.llama.steps_recipe import RECIPES

    recipe = changed(RECIPES, model, given)
    from reconstructing_transformer.llama.steps_training import PROJECT, TrainingError, train
    from reconstructing_transformer.llama.tasks import DataError, load_task
    from reconstructing_transformer.tracking.checkpoint import CheckpointError
    from reconstructing_transformer.tracking.lock import RunError
    from reconstructing_transformer.tracking.record import read_record

    try:
        folder = train(recipe, load_task("newsgroups"), runs=runs, command=typed(), resume=resume)
    except (DataError, TrainingError, CheckpointError, RunError) as error:
        complain(str(error))
    if os.environ.get("RANK", "0") == "0":
        record = read_record(runs / PROJECT / f"{folder.name}.json")
        measured = ", ".join(f"{name} {metric.value:.3f}" for name, metric in record.metrics.items())
        Console().print(f"{measured}\nweights and tokeniser: {folder}\nrecord: {folder}.json", soft_wrap=True)

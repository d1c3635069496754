"""`reconstruct train vision`, `reconstruct evaluate vision`, `reconstruct classify`: Part III from the command line."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from reconstructing_transformer.cli.complaints import complain
from reconstructing_transformer.cli.recipes import Runs, changed, typed


def train_vision(
    model: Annotated[
        str, typer.Option(help="small-vit, deep-vit, large-vit, paper-vit, cnn or feed-forward.")
    ] = "deep-vit",
    seed: Annotated[int, typer.Option(help="Decides fresh weights, order and augmentation.")] = 1,
    epochs: Annotated[int | None, typer.Option(help="Times that each digit is seen.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Images a step, over all processes.")] = None,
    micro_batch: Annotated[int | None, typer.Option(help="Images that a process takes at once.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="At its peak.")] = None,
    augmentation: Annotated[float | None, typer.Option(help="Strength; 0 for none.")] = None,
    averaging: Annotated[float | None, typer.Option(help="Decay of the weights' running mean; 0 for none.")] = None,
    dropout: Annotated[float | None, typer.Option(help="Share that is dropped.")] = None,
    examples: Annotated[int | None, typer.Option(help="Train on that many digits only.")] = None,
    precision: Annotated[str | None, typer.Option(help="no, fp16 or bf16.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the training that was interrupted.")] = False,
    runs: Runs = Path("runs"),
) -> None:
    """Train one of the five models on MNIST. What is not given is the recipe behind the book's table.

    On several processors: `torchrun --nproc_per_node=2 -m reconstructing_transformer train vision …`.
    """
    given = {
        "seed": seed, "epochs": epochs, "batch_size": batch_size, "micro_batch": micro_batch,
        "learning_rate": learning_rate, "augmentation": augmentation, "averaging": averaging, "dropout": dropout,
        "examples": examples, "precision": precision,
    }  # fmt: skip
    from reconstructing_transformer.vision.recipe import RECIPES

    recipe = changed(RECIPES, model, given)
    from reconstructing_transformer.tracking.checkpoint import CheckpointError
    from reconstructing_transformer.tracking.lock import RunError
    from reconstructing_transformer.tracking.record import read_record
    from reconstructing_transformer.vision.data import DataError, load_mnist
    from reconstructing_transformer.vision.training import PROJECT, TrainingError, train

    try:
        folder = train(recipe, load_mnist(), runs=runs, command=typed(), resume=resume)
    except (DataError, TrainingError, CheckpointError, RunError) as error:
        complain(str(error))
    if os.environ.get("RANK", "0") == "0":
        record = read_record(runs / PROJECT / f"{folder.name}.json")
        measured = ", ".join(f"{name} {metric.value:.4f}" for name, metric in record.metrics.items())
        Console().print(f"{measured}\nweights and card: {folder}\nrecord: {folder}.json", soft_wrap=True)


def evaluate_vision(
    model: Annotated[str, typer.Argument(help="A released model's name, or a folder that a training wrote.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Judge a trained model by MNIST's test set."""
    from reconstructing_transformer.vision.data import DataError, load_mnist
    from reconstructing_transformer.vision.evaluation import logits_of, scores
    from reconstructing_transformer.vision.pretrained import PretrainedError, from_pretrained

    try:
        network, test = from_pretrained(model), load_mnist().test
    except (PretrainedError, DataError) as error:
        complain(str(error))
    found = scores(logits_of(network, test), test.labels)
    if as_json:
        typer.echo(json.dumps(found))
    else:
        for name, value in found.items():
            typer.echo(f"{name} {value:.4f}")


def classify(
    image: Annotated[Path, typer.Argument(help="A picture of one digit: PNG, JPEG, …")],
    model: Annotated[str, typer.Option(help="A released model's name, or a folder of one.")] = "deep-vit",
    as_json: Annotated[bool, typer.Option("--json", help="Print all ten probabilities as JSON.")] = False,
) -> None:
    """Say which digit a picture shows. Exit code 2: it is no picture of one."""
    import torch

    from reconstructing_transformer.vision.pictures import PictureError, read_picture
    from reconstructing_transformer.vision.pretrained import PretrainedError, from_pretrained
    from reconstructing_transformer.vision.transforms import normalise

    try:
        digit = read_picture(image)
        network = from_pretrained(model)
    except (PictureError, PretrainedError) as error:
        complain(str(error))
    with torch.no_grad():
        shares = network(normalise(digit[None])).softmax(-1)[0].tolist()
    likeliest = max(range(10), key=shares.__getitem__)
    if as_json:
        typer.echo(json.dumps({"digit": likeliest, "probabilities": shares}))
        return
    typer.echo(likeliest)
    if sys.stdout.isatty():  # to look at; what a program reads is the digit alone
        for number, share in enumerate(shares):
            typer.echo(f"  {number}  {share:6.1%}  {'█' * round(40 * share)}")

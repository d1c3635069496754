"""`reconstruct train translation`, `reconstruct evaluate translation`: Part II's trainings from the command line."""

import json
import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from reconstructing_transformer.cli.complaints import complain
from reconstructing_transformer.cli.recipes import Runs, changed, typed

Corpora = Annotated[str | None, typer.Option(help="multi30k, tatoeba or numbers.")]


def train_translation(
    corpus: Corpora = None,
    model: Annotated[
        str | None, typer.Option(help="multi30k-base, multi30k-small, …; the first of the corpus without it.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Decides fresh weights, order and dropout.")] = 1,
    epochs: Annotated[int | None, typer.Option(help="Times that each pair is seen.")] = None,
    batch_tokens: Annotated[int | None, typer.Option(help="Target tokens a step, over all processes.")] = None,
    micro_tokens: Annotated[int | None, typer.Option(help="Tokens that a process takes at once.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="At its peak.")] = None,
    schedule: Annotated[str | None, typer.Option(help="linear, or the paper's inverse square root.")] = None,
    warmup: Annotated[float | None, typer.Option(help="Share of the steps in which the rate rises.")] = None,
    dropout: Annotated[float | None, typer.Option(help="Share that is dropped.")] = None,
    label_smoothing: Annotated[float | None, typer.Option(help="Share spread over the vocabulary.")] = None,
    averaged: Annotated[int | None, typer.Option(help="Checkpoints whose mean is kept; 1 for the last.")] = None,
    vocabulary: Annotated[int | None, typer.Option(help="Pieces of both languages together.")] = None,
    precision: Annotated[str | None, typer.Option(help="no, fp16 or bf16.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the training that was interrupted.")] = False,
    runs: Runs = Path("runs"),
) -> None:
    """Train the encoder-decoder from German to English. What is not given is the recipe behind the book's table.

    On several processors: `torchrun --nproc_per_node=2 -m reconstructing_transformer train translation …`.
    """
    from reconstructing_transformer.translation.recipe import RECIPES

    if model is None:
        model = next((name for name, recipe in RECIPES.items() if recipe.corpus == (corpus or "multi30k")), None)
        if model is None:
            complain(f"no corpus “{corpus}”; there are {', '.join(dict.fromkeys(r.corpus for r in RECIPES.values()))}")
    given = {
        "corpus": corpus, "seed": seed, "epochs": epochs, "batch_tokens": batch_tokens, "micro_tokens": micro_tokens,
        "learning_rate": learning_rate, "schedule": schedule, "warmup": warmup, "dropout": dropout,
        "label_smoothing": label_smoothing, "averaged": averaged, "vocabulary": vocabulary, "precision": precision,
    }  # fmt: skip
    recipe = changed(RECIPES, model, given)
    from reconstructing_transformer.tracking.checkpoint import CheckpointError
    from reconstructing_transformer.tracking.lock import RunError
    from reconstructing_transformer.tracking.record import read_record
    from reconstructing_transformer.translation.corpora import CorpusError, load_corpus
    from reconstructing_transformer.translation.training import PROJECT, TrainingError, train

    try:
        folder = train(recipe, load_corpus(recipe.corpus), runs=runs, command=typed(), resume=resume)
    except (CorpusError, TrainingError, CheckpointError, RunError) as error:
        complain(str(error))
    if os.environ.get("RANK", "0") == "0":
        record = read_record(runs / PROJECT / f"{folder.name}.json")
        measured = ", ".join(f"{name} {metric.value:.2f}" for name, metric in record.metrics.items())
        Console().print(f"{measured}\nweights and card: {folder}\nrecord: {folder}.json", soft_wrap=True)


def evaluate_translation(
    model: Annotated[str, typer.Argument(help="A released model's name, or a folder that a training wrote.")],
    corpus: Annotated[str, typer.Option(help="Whose test set: multi30k, tatoeba or numbers.")] = "tatoeba",
    beam_size: Annotated[int, typer.Option(min=1, help="Beginnings that are followed; 1 is greedy.")] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Judge a trained translator by a corpus's test set: BLEU and chrF, with their signatures."""
    from reconstructing_transformer.translation import CorpusError, PretrainedError, Translator, bleu, chrf, load_corpus

    try:
        translator = Translator.from_pretrained(model)
        german, english = zip(*load_corpus(corpus).test, strict=True)
    except (PretrainedError, CorpusError, ValueError) as error:
        complain(str(error))
    written = [str(translation) for translation in translator.translate(german, beam_size=beam_size)]
    found = {"bleu": bleu(written, english), "chrf": chrf(written, english)}
    if as_json:
        typer.echo(json.dumps({name: score._asdict() for name, score in found.items()}))
    else:
        for name, score in found.items():
            typer.echo(f"{name} {score.value:.2f}  ({score.signature})")

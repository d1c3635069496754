"""`reconstruct train llama`, `reconstruct classify-text`: Part IV's fine-tuning from the command line."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from reconstructing_transformer.cli.complaints import complain
from reconstructing_transformer.cli.recipes import Runs, changed, typed

if TYPE_CHECKING:
    from reconstructing_transformer.llama.recipe import Recipe


def train_llama(
    model: Annotated[
        str, typer.Option(help="smollm2-135m, a hub's id (meta-llama/Llama-2-7b-hf, say), or a folder.")
    ] = "smollm2-135m",
    task: Annotated[str, typer.Option(help="trec or newsgroups.")] = "trec",
    method: Annotated[str, typer.Option(help="lora, qlora, full, head; or a baseline: svm, naive-bayes.")] = "lora",
    seed: Annotated[int, typer.Option(help="Decides the fresh weights, the order and the dropout.")] = 1,
    epochs: Annotated[int | None, typer.Option(help="Times that each text is seen.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Texts a step, over all processes.")] = None,
    micro_batch: Annotated[int | None, typer.Option(help="Texts that a process takes at once.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="At its peak.")] = None,
    rank: Annotated[int | None, typer.Option(help="r of LoRA.")] = None,
    alpha: Annotated[int | None, typer.Option(help="α of LoRA.")] = None,
    max_length: Annotated[int | None, typer.Option(help="Tokens of a text; what is beyond is cut off.")] = None,
    examples: Annotated[int | None, typer.Option(help="Train on that many texts only.")] = None,
    precision: Annotated[str | None, typer.Option(help="no or bf16; bf16 where the device has it.")] = None,
    gradient_checkpointing: Annotated[bool | None, typer.Option(help="Less memory for more time.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the training that was interrupted.")] = False,
    plan_only: Annotated[bool, typer.Option("--plan", help="Say what it would do and need, and load nothing.")] = False,
    runs: Runs = Path("runs"),
) -> None:
    """Fine-tune a LLaMA-like model as a classifier. What is not given is the recipe behind the book's table.

    On several GPUs: `torchrun --nproc_per_node=2 -m reconstructing_transformer train llama …`.
    """
    from reconstructing_transformer.llama.baselines import BASELINES
    from reconstructing_transformer.llama.recipe import best_precision, recipe_of

    given = {
        "model": model, "seed": seed, "epochs": epochs, "batch_size": batch_size, "micro_batch": micro_batch,
        "learning_rate": learning_rate, "rank": rank, "alpha": alpha, "max_length": max_length, "examples": examples,
        "precision": precision or best_precision(), "gradient_checkpointing": gradient_checkpointing,
    }  # fmt: skip
    if method in BASELINES:
        _baseline(task, method, seed, runs)
        return
    try:
        recipe = changed({"": recipe_of(task, method)}, "", given)
    except ValueError as error:
        complain(str(error))
    if plan_only:
        _plan(recipe)
        return
    from reconstructing_transformer.llama.downloads import DataError
    from reconstructing_transformer.llama.fine_tuning import FineTuningError, train
    from reconstructing_transformer.llama.tasks import load_task
    from reconstructing_transformer.tracking.checkpoint import CheckpointError
    from reconstructing_transformer.tracking.lock import RunError

    console = Console(stderr=True)
    try:
        folder = train(recipe, load_task(task), runs=runs, command=typed(), resume=resume, tell=console.print)
    except (DataError, FineTuningError, CheckpointError, RunError) as error:
        complain(str(error))
    if os.environ.get("RANK", "0") == "0":
        _report(folder.with_name(f"{folder.name}.json"))
        typer.echo(f"weights: {folder}")


def _plan(recipe: "Recipe") -> None:
    """Say what a fine-tuning would do: nothing is loaded, and of LLaMA-2 nothing is asked."""
    from reconstructing_transformer.llama.classifiers import FineTuningError
    from reconstructing_transformer.llama.downloads import DataError
    from reconstructing_transformer.llama.plan import check_it_fits, plan, published_config
    from reconstructing_transformer.llama.tasks import LABELS

    try:
        needed = plan(recipe, published_config(recipe.model, LABELS[recipe.task]))
        typer.echo(needed.text())
        check_it_fits(recipe, needed)
    except (FineTuningError, DataError) as error:
        complain(str(error))


def _baseline(task: str, method: str, seed: int, runs: Path) -> None:
    from reconstructing_transformer.llama.baselines import train_baseline
    from reconstructing_transformer.llama.downloads import DataError
    from reconstructing_transformer.llama.tasks import load_task

    try:
        texts = load_task(task)
    except DataError as error:
        complain(str(error))
    path = train_baseline(texts, method, seed, runs=runs, command=typed())
    _report(path)


def _report(path: Path) -> None:
    """Say what a record's run has measured."""
    from reconstructing_transformer.tracking.record import read_record

    measured = ", ".join(f"{name} {metric.value:.4f}" for name, metric in read_record(path).metrics.items())
    Console().print(f"{measured}\nrecord: {path}", soft_wrap=True)


def classify_text(
    texts: Annotated[list[str], typer.Argument(help="One text or several, each in quotes.")],
    model: Annotated[
        str, typer.Option(help="A released adapter's name, or a folder that a training wrote.")
    ] = "trec-lora",
    as_json: Annotated[bool, typer.Option("--json", help="Print all probabilities as JSON.")] = False,
) -> None:
    """Say what kind of question a text is, by the book's adapter on SmolLM2; or its class, by an adapter of yours."""
    from reconstructing_transformer.llama.classifiers import FineTuningError
    from reconstructing_transformer.llama.classify import TextClassifier
    from reconstructing_transformer.llama.downloads import DataError

    if any(not text.strip() for text in texts):
        complain("an empty text has no class; give at least one word")
    try:
        shares = TextClassifier.from_pretrained(model)(texts)
    except (FineTuningError, DataError) as error:
        complain(str(error))
    if as_json:
        typer.echo(json.dumps([{"text": text, "probabilities": one} for text, one in zip(texts, shares, strict=True)]))
        return
    for text, one in zip(texts, shares, strict=True):
        likeliest = max(one, key=one.__getitem__)
        typer.echo(f"{likeliest} {one[likeliest]:.3f}" + (f"  {text}" if len(texts) > 1 else ""))

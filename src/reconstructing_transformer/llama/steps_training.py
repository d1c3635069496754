"""Training a model of the ladder: on one processor or several, once or in pieces, always with the same result."""

import math
import random
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list
from jaxtyping import Int
from safetensors.torch import save
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional

from reconstructing_transformer._data import digest, write_whole
from reconstructing_transformer.llama.steps import STEPS, StepModel
from reconstructing_transformer.llama.steps_recipe import Recipe
from reconstructing_transformer.llama.steps_text import Stream, learn_pieces, readable, stream
from reconstructing_transformer.llama.tasks import Task
from reconstructing_transformer.tracking.checkpoint import (
    CHECKPOINT,
    find_interrupted,
    load_checkpoint,
    save_checkpoint,
)
from reconstructing_transformer.tracking.environment import describe_device
from reconstructing_transformer.tracking.optimiser import adamw
from reconstructing_transformer.tracking.processes import progress_bar, start_processes
from reconstructing_transformer.tracking.record import Dataset
from reconstructing_transformer.tracking.run import Run, new_run_id, track

PROJECT = "llama-steps"
WEIGHTS, TOKENISER = "model.safetensors", "tokenizer.json"
EVERY = 20  # steps between two rows of the history
WATCHED = 100  # steps between two looks at the validation posts, and two checkpoints
TEST_POSTS = 500  # of those that can be read, drawn by lot, always the same
VALIDATION_POSTS = 100
DEFINITION = (
    "negative base-2 logarithm of the probability of the posts and of each one's end, divided by their bytes of UTF-8; "
    "in windows of the training's length, each of which begins without memory"
)


class TrainingError(RuntimeError):
    """A training can't begin, or can't go on. The message says why and what to do."""


@dataclass(frozen=True)
class Texts:
    """What a model of the ladder learns from and is judged by, and the pieces that all of it is written in."""

    tokeniser: Tokenizer
    train: Stream
    validation: Stream
    test: Stream


def read_texts(task: Task, vocabulary: int) -> Texts:
    """Learn the pieces from a task's training texts, and write the three splits in them.

    Args:
        task: the newsgroups; their labels are not looked at.
        vocabulary: number of pieces.

    Returns:
        The texts; of validation and test, some of the posts are taken.
    """
    train, validation, test = (readable(part.texts) for part in (task.train, task.validation, task.test))
    tokeniser = learn_pieces(train, vocabulary)
    watched = validation[:VALIDATION_POSTS]  # they are shuffled already
    drawn = random.Random(0).sample(test, min(TEST_POSTS, len(test)))  # and these are in the order of their groups
    return Texts(tokeniser, *(stream(posts, tokeniser) for posts in (train, watched, drawn)))


@torch.no_grad()
def bits_per_byte(model: nn.Module, text: Stream, context: int) -> float:
    """What a model needs to write a text down: bits for each byte.

    Args:
        model: gives logits of the next piece.
        text: the posts.
        context: pieces that the model sees at most.

    Returns:
        The bits of all pieces, divided by the bytes.
    """
    model.eval()
    device = next(model.parameters()).device
    windows = text.windows(context)
    rest = text.pieces[len(windows) * context :]  # what doesn't fill a window
    nats = 0.0
    for batch in [*windows.split(32), rest[None]] if len(rest) > 1 else windows.split(32):
        t = batch.to(device)
        logits = model(t[:, :-1]).flatten(0, 1).float()
        nats += functional.cross_entropy(logits, t[:, 1:].flatten(), reduction="sum").item()
    return nats / math.log(2) / text.bytes


class Trainer:
    """A model on its way from fresh weights to the last step's.

    Which windows a step reads is decided by its number and the seed alone, so that a training that was interrupted goes
    on exactly as it would have.

    Args:
        recipe: what decides the outcome.
        text: what it learns from.
        accelerator: device, processes and precision; one for this machine where None.
    """

    def __init__(self, recipe: Recipe, text: Stream, accelerator: Accelerator | None = None) -> None:
        self.recipe = recipe
        self.accelerator = accelerator or start_processes(recipe.precision)
        if recipe.windows % self.accelerator.num_processes:
            raise TrainingError(
                f"{recipe.windows} windows can't be shared by {self.accelerator.num_processes} processes; make "
                "--windows a multiple of their number"
            )
        self.windows = text.windows(recipe.context)
        if len(self.windows) < recipe.windows:
            raise TrainingError(f"{len(self.windows)} windows of text don't fill one step of {recipe.windows}")
        torch.manual_seed(recipe.seed)
        self.model = StepModel(
            STEPS[recipe.model], recipe.vocabulary, recipe.N, recipe.d_model, recipe.h, recipe.context
        ).to(self.accelerator.device)
        self.optimiser = adamw(self.model, recipe.learning_rate, recipe.weight_decay, betas=(0.9, 0.95))
        self.wrapped, self._prepared = self.accelerator.prepare(self.model, self.optimiser)
        self.step = 0
        self.cpu_seconds = 0.0

    @property
    def steps_per_epoch(self) -> int:
        """Steps after which each window has been read; those that don't fill a last step wait for another epoch."""
        return len(self.windows) // self.recipe.windows

    def _batch(self) -> Int[Tensor, "windows n"]:
        """This process's share of the windows of the next step."""
        epoch, place = divmod(self.step, self.steps_per_epoch)
        order = torch.Generator().manual_seed(self.recipe.seed * 1_000_003 + epoch)
        size = self.recipe.windows
        chosen = torch.randperm(len(self.windows), generator=order)[place * size : (place + 1) * size]
        share = size // self.accelerator.num_processes
        mine = chosen[share * self.accelerator.process_index :][:share]
        return self.windows[mine].to(self.accelerator.device)

    def train_step(self) -> tuple[float, float]:
        """One step of the optimiser.

        Returns:
            The mean loss in nats a piece, over all processes, and the norm of the gradient before it is clipped.

        Raises:
            TrainingError: the loss is no number any more.
        """
        began = time.process_time()
        for group in self.optimiser.param_groups:
            group["lr"] = self.recipe.rate(self.step)
        self.wrapped.train()
        t = self._batch()
        with self.accelerator.autocast():
            logits = self.wrapped(t[:, :-1])
        loss = functional.cross_entropy(logits.flatten(0, 1).float(), t[:, 1:].flatten())
        self.accelerator.backward(loss)
        norm = self.accelerator.clip_grad_norm_(self.wrapped.parameters(), self.recipe.clip)
        self._prepared.step()
        self._prepared.zero_grad()
        self.step += 1
        self.cpu_seconds += time.process_time() - began
        mean = self.accelerator.reduce(loss.detach(), reduction="mean").item()
        if not math.isfinite(mean):
            raise TrainingError(f"the loss became {mean} at step {self.step}. Lower --learning-rate")
        return mean, float(norm)

    def save(self, path: Path, **progress: Any) -> None:  # noqa: ANN401 (whatever JSON has)
        """Write a checkpoint, from the first process alone.

        Args:
            path: the file.
            progress: what else must be known to go on.
        """
        if self.accelerator.is_main_process:
            about = {"step": self.step, "cpu_seconds": self.cpu_seconds, "recipe": self.recipe.model_dump(), **progress}
            save_checkpoint(path, {"model": self.model}, self.optimiser, about)

    def load(self, path: Path) -> dict[str, Any]:
        """Go back to a checkpoint.

        Args:
            path: the file.

        Returns:
            What `save` was told.

        Raises:
            CheckpointError: the file is no checkpoint of this model.
        """
        progress = load_checkpoint(path, {"model": self.model}, self.optimiser)
        self.step, self.cpu_seconds = progress["step"], progress["cpu_seconds"]
        return progress


def _steps_until_watched(trainer: Trainer, run: Run, show: Any) -> None:  # noqa: ANN401 (a function with keywords)
    recipe, recent = trainer.recipe, []
    begun, before = time.monotonic(), trainer.step
    while trainer.step < recipe.steps:
        recent.append(trainer.train_step())
        if trainer.step % EVERY == 0 or trainer.step == recipe.steps:
            loss, norm = (sum(values) / len(recent) for values in zip(*recent, strict=True))
            rate = (trainer.step - before) * recipe.windows * recipe.context / (time.monotonic() - begun)
            lr = recipe.rate(trainer.step - 1)
            run.log({"loss": loss, "gradient norm": norm, "learning rate": lr}, step=trainer.step)
            show(completed=trainer.step, epoch=trainer.step // trainer.steps_per_epoch + 1, loss=loss, rate=rate)
            recent.clear()
        if trainer.step % WATCHED == 0:
            return


def _judge(trainer: Trainer, texts: Texts, run: Run) -> None:
    """Measure what the table shows; the test posts are read this one time."""
    for name, split, text in (
        ("bits per byte", "test", texts.test),
        ("validation bits per byte", "validation", texts.validation),
    ):
        run.measure(
            name, bits_per_byte(trainer.model, text, trainer.recipe.context), definition=DEFINITION, split=split
        )
    pieces = trainer.step * trainer.recipe.windows * trainer.recipe.context
    run.measure(
        "microseconds per piece",
        1e6 * trainer.cpu_seconds / pieces,
        definition="processor time of the first process in all training steps, divided by the pieces of all steps",
        split="train",
    )


def train(recipe: Recipe, task: Task, *, runs: Path, command: str, resume: bool = False) -> Path:
    """Train a model of the ladder from the first step to the last, judge it by the test posts, and keep its record.

    Args:
        recipe: what decides the outcome.
        task: the newsgroups.
        runs: folder of the records; the run's own folder is `runs/llama-steps/ID`.
        command: what was typed, for the record.
        resume: go on with the training of this recipe that was interrupted last.

    Returns:
        The run's folder, with weights and tokeniser; its record lies beside it.

    Raises:
        TrainingError: the loss is no number any more, or the text is too short.
        CheckpointError: there is nothing to resume, or the checkpoint is broken.
    """
    torch.set_flush_denormal(True)  # numbers too small to matter make a processor slow
    accelerator = start_processes(recipe.precision)
    texts = read_texts(task, recipe.vocabulary)
    trainer = Trainer(recipe, texts.train, accelerator)
    folder = find_interrupted(recipe.model_dump(), runs / PROJECT) if resume else None
    before = trainer.load(folder / CHECKPOINT) if folder else {"history": (), "elapsed": 0.0}
    ids = [folder.name if folder else new_run_id(recipe.model, recipe.seed)]
    broadcast_object_list(ids)
    pieces = texts.tokeniser.to_str(pretty=True).encode()
    with track(
        project=PROJECT,
        model=recipe.model,
        seed=recipe.seed,
        command=command,
        parameters=sum(parameter.numel() for parameter in trainer.model.parameters()),
        config=recipe.model_dump(exclude={"model", "seed"}),
        dataset=Dataset(
            name="20 newsgroups, as plain text",
            checksums={**task.checksums, TOKENISER: digest(pieces, "sha256")},
            splits={"train": texts.train.posts, "validation": texts.validation.posts, "test": texts.test.posts},
        ),
        device=describe_device(accelerator.device.type, accelerator.num_processes, recipe.precision),
        folder=runs,
        run_id=ids[0],
        elapsed=before["elapsed"],
        history=before["history"],
        is_main=accelerator.is_main_process,
    ) as run:
        folder = runs / PROJECT / run.id
        with progress_bar(accelerator, recipe.steps, trainer.step, "pieces") as show:
            while trainer.step < recipe.steps:
                _steps_until_watched(trainer, run, show)
                seen = bits_per_byte(trainer.model, texts.validation, recipe.context)
                run.log({"validation bits per byte": seen}, step=trainer.step)
                show(seen=f"{seen:.3f}")
                trainer.save(folder / CHECKPOINT, history=list(run.history), elapsed=run.elapsed)
        _judge(trainer, texts, run)
        if accelerator.is_main_process:
            write_whole(folder / TOKENISER, pieces)
            tensors = {name: tensor.detach().cpu() for name, tensor in trainer.model.state_dict().items()}
            write_whole(folder / WEIGHTS, save(tensors, metadata={"format": "pt"}))
            run.keep(folder / WEIGHTS)
            (folder / CHECKPOINT).unlink(missing_ok=True)
    accelerator.wait_for_everyone()
    accelerator.end_training()
    return folder

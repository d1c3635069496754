"""Training a model on MNIST: on one processor or several, once or in pieces, always with the same result."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list
from torch import nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from reconstructing_transformer._data import write_whole
from reconstructing_transformer.tracking.checkpoint import (
    CHECKPOINT,
    find_interrupted,
    load_checkpoint,
    save_checkpoint,
)
from reconstructing_transformer.tracking.environment import describe_device
from reconstructing_transformer.tracking.optimiser import adamw
from reconstructing_transformer.tracking.processes import progress_bar, start_processes
from reconstructing_transformer.tracking.record import Dataset, read_record
from reconstructing_transformer.tracking.run import Run, new_run_id, track
from reconstructing_transformer.vision.data import FILES, Digits, Mnist
from reconstructing_transformer.vision.evaluation import DEFINITIONS, scores, shared_logits
from reconstructing_transformer.vision.pretrained import CARD, model_card, save_pretrained
from reconstructing_transformer.vision.recipe import Recipe
from reconstructing_transformer.vision.transforms import augmentation
from reconstructing_transformer.vision.zoo import build

PROJECT = "vision-transformer"
EVERY = 50  # steps between two rows of the history


class TrainingError(RuntimeError):
    """A training can't begin, or can't go on. The message says why and what to do."""


class Trainer:
    """A model on its way from fresh weights to the last epoch's.

    What an epoch does is decided by its number and the seed alone: the order of the images, and how each is moved. So a
    training that was interrupted goes on exactly as it would have, and several processes, each of which takes its share
    of every batch, do what one does.

    Args:
        recipe: what decides the outcome.
        digits: what it learns from.
        accelerator: device, processes and precision; one for this machine where None.
        model: one to train in place of the recipe's own, which must return ten logits.
    """

    def __init__(
        self, recipe: Recipe, digits: Digits, accelerator: Accelerator | None = None, model: nn.Module | None = None
    ) -> None:
        self.recipe = recipe
        self.accelerator = accelerator or start_processes(recipe.precision)
        if recipe.batch_size % self.accelerator.num_processes:
            raise TrainingError(
                f"a batch of {recipe.batch_size} images can't be shared by {self.accelerator.num_processes} processes; "
                "make --batch-size a multiple of their number"
            )
        self.digits = digits.at(slice(recipe.examples)).to(self.accelerator.device)
        if len(self.digits) < recipe.batch_size:
            raise TrainingError(f"{len(self.digits)} images don't fill one batch of {recipe.batch_size}")
        torch.manual_seed(recipe.seed)
        self.model = (model or build(recipe.model, recipe.dropout)).to(self.accelerator.device)
        averaging = get_ema_multi_avg_fn(recipe.averaging)
        self.averaged = AveragedModel(self.model, multi_avg_fn=averaging) if recipe.averaging else None
        self.optimiser = adamw(self.model, recipe.learning_rate, recipe.weight_decay)
        self.wrapped, self._prepared = self.accelerator.prepare(self.model, self.optimiser)
        self.move = augmentation(recipe.augmentation)
        self.epoch = 0
        self.step = 0

    @property
    def steps_per_epoch(self) -> int:
        """Steps of one epoch; images that don't fill a last batch have their turn in another epoch."""
        return len(self.digits) // self.recipe.batch_size

    @property
    def result(self) -> nn.Module:
        """The model as it is judged and kept: with the running mean of its weights, where there is one."""
        return self.averaged.module if self.averaged is not None else self.model

    def _batches(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """This process's share of each batch of the epoch: numbers and labels."""
        torch.manual_seed(self.recipe.seed * 1_000_003 + self.epoch)  # and all devices, for augmentation and dropout
        device, size = self.accelerator.device, self.recipe.batch_size
        share = size // self.accelerator.num_processes
        mine = slice(share * self.accelerator.process_index, share * (self.accelerator.process_index + 1))
        order = torch.randperm(len(self.digits)).to(device)  # drawn on the CPU: the same on every device
        for chosen in order[: size * self.steps_per_epoch].split(size):
            batch = self.digits.at(chosen)
            # Every process moves the whole batch, so that it draws what a single process would draw.
            yield self.move(batch.images)[mine], batch.labels[mine]

    def train_step(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """One step of the optimiser, on a share of a batch: forwards and backwards in micro-batches, then the step.

        Args:
            images: of this process.
            labels: of this process.

        Returns:
            The mean loss of the share, on its device.
        """
        recipe, total = self.recipe, self.recipe.epochs * self.steps_per_epoch
        for group in self.optimiser.param_groups:
            group["lr"] = recipe.rate(self.step, total)
        self.wrapped.train()
        loss_of_share = torch.zeros((), device=images.device)
        pieces = list(zip(images.split(recipe.micro_batch), labels.split(recipe.micro_batch), strict=True))
        for number, (piece, right) in enumerate(pieces, start=1):
            last = number == len(pieces)
            with contextlib.nullcontext() if last else self.accelerator.no_sync(self.wrapped):
                with self.accelerator.autocast():
                    logits = self.wrapped(piece)
                loss = functional.cross_entropy(
                    logits.float(), right, label_smoothing=recipe.label_smoothing, reduction="sum"
                ) / len(labels)
                self.accelerator.backward(loss)
            loss_of_share += loss.detach()
        self.accelerator.clip_grad_norm_(self.wrapped.parameters(), recipe.clip)
        self._prepared.step()
        self._prepared.zero_grad()
        if self.averaged is not None:
            self.averaged.update_parameters(self.model)
        self.step += 1
        return loss_of_share

    def train_epoch(self) -> Iterator[float]:
        """Go once over all images, and yield each step's loss, over all processes.

        Raises:
            TrainingError: the loss is no number any more.
        """
        for images, labels in self._batches():
            loss = self.accelerator.reduce(self.train_step(images, labels), reduction="mean").item()
            if not torch.isfinite(torch.tensor(loss)):
                raise TrainingError(
                    f"the loss became {loss} at step {self.step}; the checkpoint of epoch {self.epoch} is kept. "
                    "Lower --learning-rate"
                )
            yield loss
        self.epoch += 1

    def _modules(self) -> dict[str, nn.Module]:
        return {"model": self.model} | ({"averaged": self.averaged} if self.averaged is not None else {})

    def save(self, path: Path, **progress: Any) -> None:  # noqa: ANN401 (whatever JSON has)
        """Write a checkpoint, from the first process alone.

        Args:
            path: the file.
            progress: what else must be known to go on.
        """
        if self.accelerator.is_main_process:
            about = {"epoch": self.epoch, "step": self.step, "recipe": self.recipe.model_dump(), **progress}
            save_checkpoint(path, self._modules(), self.optimiser, about)

    def load(self, path: Path) -> dict[str, Any]:
        """Go back to a checkpoint.

        Args:
            path: the file.

        Returns:
            What `save` was told.

        Raises:
            CheckpointError: the file is no checkpoint of this model.
        """
        progress = load_checkpoint(path, self._modules(), self.optimiser)
        self.epoch, self.step = progress["epoch"], progress["step"]
        return progress


def _one_epoch(trainer: Trainer, run: Run, show: Any) -> None:  # noqa: ANN401 (a function with keywords)
    recipe, losses, begun = trainer.recipe, [], time.monotonic()
    for loss in trainer.train_epoch():
        losses.append(loss)
        if trainer.step % EVERY and len(losses) < trainer.steps_per_epoch:
            continue
        rate = len(losses) * recipe.batch_size / (time.monotonic() - begun)
        lr = recipe.rate(trainer.step - 1, recipe.epochs * trainer.steps_per_epoch)
        recent = sum(losses[-EVERY:]) / len(losses[-EVERY:])
        run.log({"loss": recent, "learning rate": lr, "images per second": rate}, step=trainer.step)
        show(completed=trainer.step, epoch=trainer.epoch + 1, loss=recent, rate=rate)


def _shared_id(recipe: Recipe) -> str:
    """An id for a new run, the same on all processes."""
    ids = [new_run_id(recipe.model, recipe.seed)]
    broadcast_object_list(ids)
    return ids[0]


def train(recipe: Recipe, mnist: Mnist, *, runs: Path, command: str, resume: bool = False) -> Path:
    """Train a model from the first epoch to the last, judge it once by the test set, and keep all that is known of it.

    Args:
        recipe: what decides the outcome.
        mnist: the digits.
        runs: folder of the records; the run's own folder is `runs/vision-transformer/ID`.
        command: what was typed, for the record.
        resume: go on with the training of this recipe that was interrupted last.

    Returns:
        The run's folder, with weights, configuration and model card; its record lies beside it.

    Raises:
        TrainingError: there is nothing to resume, or the loss is no number any more.
        CheckpointError: the checkpoint is broken.
    """
    torch.set_flush_denormal(True)  # numbers too small to matter make a processor slow
    accelerator = start_processes(recipe.precision)
    trainer = Trainer(recipe, mnist.train, accelerator)
    validation, test = (digits.to(accelerator.device) for digits in (mnist.validation, mnist.test))
    folder = find_interrupted(recipe.model_dump(), runs / PROJECT) if resume else None
    before = trainer.load(folder / CHECKPOINT) if folder else {"history": (), "elapsed": 0.0}
    with track(
        project=PROJECT,
        model=recipe.model,
        seed=recipe.seed,
        command=command,
        parameters=sum(parameter.numel() for parameter in trainer.model.parameters()),
        config=recipe.model_dump(exclude={"model", "seed"}),
        dataset=Dataset(
            name="MNIST",
            checksums=FILES,
            splits={"train": len(trainer.digits), "validation": len(validation), "test": len(test)},
        ),
        device=describe_device(accelerator.device.type, accelerator.num_processes, recipe.precision),
        folder=runs,
        run_id=folder.name if folder else _shared_id(recipe),
        elapsed=before["elapsed"],
        history=before["history"],
        is_main=accelerator.is_main_process,
    ) as run:
        folder = runs / PROJECT / run.id
        with progress_bar(accelerator, recipe.epochs * trainer.steps_per_epoch, trainer.step, "images") as show:
            while trainer.epoch < recipe.epochs:
                _one_epoch(trainer, run, show)
                seen = scores(shared_logits(trainer.result, validation, accelerator), validation.labels)
                run.log({"validation accuracy": seen["accuracy"], "epoch": trainer.epoch}, step=trainer.step)
                show(seen=f"{seen['accuracy']:.4f}")
                trainer.save(folder / CHECKPOINT, history=list(run.history), elapsed=run.elapsed)
        logits = shared_logits(trainer.result, test, accelerator)  # the one time that the test set is touched
        for name, value in scores(logits, test.labels).items():
            run.measure(name, value, definition=DEFINITIONS[name], split="test")
        run.measure("validation accuracy", seen["accuracy"], definition=DEFINITIONS["accuracy"], split="validation")
        if accelerator.is_main_process:
            run.keep(save_pretrained(trainer.result, folder, recipe))
    if accelerator.is_main_process:
        write_whole(folder / CARD, model_card(read_record(folder.with_name(f"{folder.name}.json"))).encode())
        (folder / CHECKPOINT).unlink(missing_ok=True)
    accelerator.wait_for_everyone()
    accelerator.end_training()
    return folder

"""Training a translator: on one processor or several, once or in pieces, always with the same result."""

import contextlib
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list
from torch.optim.swa_utils import AveragedModel

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
from reconstructing_transformer.translation.batches import Batch, collate, share, token_batches
from reconstructing_transformer.translation.corpora import Corpus
from reconstructing_transformer.translation.evaluation import bleu, chrf, perplexity, translate_all
from reconstructing_transformer.translation.model import TranslationModel
from reconstructing_transformer.translation.objective import Objective
from reconstructing_transformer.translation.pretrained import CARD, Config, model_card, save_pretrained
from reconstructing_transformer.translation.recipe import Recipe
from reconstructing_transformer.translation.tokeniser import Tokeniser

PROJECT = "machine-translation"
EVERY = 20  # steps between two rows of the history


class TrainingError(RuntimeError):
    """A training can't begin, or can't go on. The message says why and what to do."""


def learn_tokeniser(recipe: Recipe, corpus: Corpus) -> tuple[Tokeniser, int]:
    """Learn a vocabulary from the training split, and number the pieces of English first.

    Args:
        recipe: its size.
        corpus: the pairs.

    Returns:
        The tokeniser, and how many of its pieces English uses.
    """
    german, english = zip(*corpus.train, strict=True)
    return Tokeniser.train([*german, *english], recipe.vocabulary).numbered_for(english)


class Trainer:
    """A translator on its way from fresh weights to the last epoch's.

    As in Part III, what an epoch does is decided by its number and the seed alone. So a training that was interrupted
    goes on exactly as it would have, and several processes do what one does (up to their dropout, which each draws by
    itself).

    Args:
        recipe: what decides the outcome.
        corpus: the pairs to learn from.
        tokeniser: the one that `learn_tokeniser` learned.
        target_tokens: how many of its pieces, counted from 0, the target language uses.
        accelerator: device, processes and precision; one for this machine where None.
    """

    def __init__(
        self,
        recipe: Recipe,
        corpus: Corpus,
        tokeniser: Tokeniser,
        target_tokens: int,
        accelerator: Accelerator | None = None,
    ) -> None:
        self.recipe = recipe
        self.accelerator = accelerator or start_processes(recipe.precision)
        german, english = zip(*corpus.train, strict=True)
        self.pairs = list(zip(tokeniser.encode(german), tokeniser.encode(english), strict=True))
        self.source_lengths, self.target_lengths = (list(map(len, side)) for side in zip(*self.pairs, strict=True))
        torch.manual_seed(recipe.seed)
        self.model = TranslationModel(
            len(tokeniser), target_tokens, recipe.N, recipe.d_model, recipe.d_ff, recipe.h, recipe.dropout,
            recipe.norm_first,
        ).to(self.accelerator.device)  # fmt: skip
        self.averaged = AveragedModel(self.model)  # the plain mean of what it is shown, at the ends of the last epochs
        self.optimiser = adamw(self.model, recipe.learning_rate, recipe.weight_decay, betas=(0.9, 0.98))
        self.wrapped, self._prepared = self.accelerator.prepare(
            Objective(self.model, recipe.label_smoothing), self.optimiser
        )
        self.epoch = 0
        self.step = 0
        self.steps = sum(len(self._epoch(epoch)) for epoch in range(recipe.epochs))

    @property
    def result(self) -> TranslationModel:
        """The model as it is judged and kept: the mean of the last checkpoints (§6.1), where the recipe wants one."""
        return self.averaged.module if self.averaged.n_averaged else self.model

    def _epoch(self, epoch: int) -> list[list[int]]:
        budget, seed = self.recipe.batch_tokens, self.recipe.seed
        return token_batches(self.source_lengths, self.target_lengths, budget, seed=seed, epoch=epoch)

    def _pieces(self, chosen: list[int]) -> list[Batch]:
        """This process's share of a batch, in micro-batches."""
        mine = share(chosen, self.accelerator.process_index, self.accelerator.num_processes)
        room = self.recipe.micro_tokens * self.accelerator.num_processes
        pieces = max(1, math.ceil(self.recipe.batch_tokens / room))
        size = max(1, math.ceil(len(mine) / pieces))
        return [
            collate([self.pairs[index] for index in mine[start : start + size]]).to(self.accelerator.device)
            for start in range(0, max(1, len(mine)), size)
        ]

    def train_step(self, chosen: list[int]) -> tuple[float, int]:
        """One step of the optimiser: forwards and backwards in micro-batches, then the step.

        Args:
            chosen: the sentences of the batch, of all processes.

        Returns:
            The loss of all processes, in nats a token, and the number of those tokens.
        """
        recipe = self.recipe
        for group in self.optimiser.param_groups:
            group["lr"] = recipe.rate(self.step, self.steps)
        self.wrapped.train()
        tokens = sum(self.target_lengths[index] + 1 for index in chosen)
        total = torch.zeros((), device=self.accelerator.device)
        pieces = self._pieces(chosen)
        for number, piece in enumerate(pieces, start=1):
            with contextlib.nullcontext() if number == len(pieces) else self.accelerator.no_sync(self.wrapped):
                with self.accelerator.autocast():
                    loss = self.wrapped(piece.source, piece.target) / tokens
                # The processes' gradients are averaged, and ours are to be added.
                self.accelerator.backward(loss * self.accelerator.num_processes)
            total += loss.detach()
        self.accelerator.clip_grad_norm_(self.wrapped.parameters(), recipe.clip)
        self._prepared.step()
        self._prepared.zero_grad()
        self.step += 1
        return self.accelerator.reduce(total, reduction="sum").item(), tokens

    def train_epoch(self) -> Iterator[tuple[float, int]]:
        """Go once over all pairs, and yield each step's loss and number of tokens.

        Raises:
            TrainingError: the loss is no number any more.
        """
        torch.manual_seed(self.recipe.seed * 1_000_003 + self.epoch * 101 + self.accelerator.process_index)  # dropout
        for chosen in self._epoch(self.epoch):
            loss, tokens = self.train_step(chosen)
            if not math.isfinite(loss):
                raise TrainingError(
                    f"the loss became {loss} at step {self.step}; the checkpoint of epoch {self.epoch} is kept. "
                    "Lower --learning-rate"
                )
            yield loss, tokens
        self.epoch += 1
        if self.recipe.averaged > 1 and self.epoch > self.recipe.epochs - self.recipe.averaged:
            self.averaged.update_parameters(self.model)

    def save(self, path: Path, **progress: Any) -> None:  # noqa: ANN401 (whatever JSON has)
        """Write a checkpoint, from the first process alone.

        Args:
            path: the file.
            progress: what else must be known to go on.
        """
        if self.accelerator.is_main_process:
            about = {"epoch": self.epoch, "step": self.step, "recipe": self.recipe.model_dump(), **progress}
            save_checkpoint(path, {"model": self.model, "averaged": self.averaged}, self.optimiser, about)

    def load(self, path: Path) -> dict[str, Any]:
        """Go back to a checkpoint.

        Args:
            path: the file.

        Returns:
            What `save` was told.

        Raises:
            CheckpointError: the file is no checkpoint of this model.
        """
        progress = load_checkpoint(path, {"model": self.model, "averaged": self.averaged}, self.optimiser)
        self.epoch, self.step = progress["epoch"], progress["step"]
        return progress


def _one_epoch(trainer: Trainer, run: Run, show: Any) -> None:  # noqa: ANN401 (a function with keywords)
    recent: list[tuple[float, int]] = []
    begun, written = time.monotonic(), 0
    for loss, tokens in trainer.train_epoch():
        recent.append((loss, tokens))
        written += tokens
        if trainer.step % EVERY:
            continue
        rate = written / (time.monotonic() - begun)
        mean = sum(loss for loss, _ in recent) / len(recent)
        lr = trainer.recipe.rate(trainer.step - 1, trainer.steps)
        run.log({"loss": mean, "learning rate": lr, "target tokens per second": rate}, step=trainer.step)
        show(completed=trainer.step, epoch=trainer.epoch + 1, loss=mean, rate=rate)
        recent.clear()


def _judge(trainer: Trainer, tokeniser: Tokeniser, corpus: Corpus, run: Run, folder: Path) -> None:
    """Translate the test set, once, in each of the ways that the book compares, and keep what was written."""
    german, english = zip(*corpus.test, strict=True)
    ways = {"": (trainer.result, 5), " greedy": (trainer.result, 1)}
    if trainer.averaged.n_averaged:
        ways[" without averaging"] = (trainer.model, 5)
    for way, (model, beam_size) in ways.items():
        translated = translate_all(model, tokeniser, german, beam_size=beam_size)
        lines = "".join(f"{' '.join(sentence.split())}\n" for sentence in translated)
        write_whole(folder / f"test{way.replace(' ', '-')}.en", lines.encode())
        measured = bleu(translated, english)
        how = f"beam {beam_size}, length penalty 0.6" if beam_size > 1 else "greedy"
        run.measure(f"bleu{way}", measured.value, definition=f"{measured.signature}, {how}", split="test")
        if not way:
            others = {"chrf": chrf(translated, english), "bleu lower-cased": bleu(translated, english, lowercase=True)}
            for name, score in others.items():
                run.measure(name, score.value, definition=f"{score.signature}, {how}", split="test")


def train(recipe: Recipe, corpus: Corpus, *, runs: Path, command: str, resume: bool = False) -> Path:
    """Train a translator from the first epoch to the last, judge it by the test set, and keep all that is known of it.

    Args:
        recipe: what decides the outcome.
        corpus: the pairs.
        runs: folder of the records; the run's own folder is `runs/machine-translation/ID`.
        command: what was typed, for the record.
        resume: go on with the training of this recipe that was interrupted last.

    Returns:
        The run's folder, with weights, tokeniser, configuration, card, and what was written of the test set; its record
        lies beside it.

    Raises:
        TrainingError: the loss is no number any more.
        CheckpointError: there is nothing to resume, or the checkpoint is broken.
    """
    torch.set_flush_denormal(True)  # numbers too small to matter make a processor slow
    accelerator = start_processes(recipe.precision)
    tokeniser, target_tokens = learn_tokeniser(recipe, corpus)
    trainer = Trainer(recipe, corpus, tokeniser, target_tokens, accelerator)
    watched = [
        (source, target)
        for source, target in zip(
            *(tokeniser.encode(side) for side in zip(*corpus.validation, strict=True)), strict=True
        )
    ]
    folder = find_interrupted(recipe.model_dump(), runs / PROJECT) if resume else None
    before = trainer.load(folder / CHECKPOINT) if folder else {"history": (), "elapsed": 0.0}
    ids = [folder.name if folder else new_run_id(recipe.name, recipe.seed)]
    broadcast_object_list(ids)
    with track(
        project=PROJECT,
        model=recipe.name,
        seed=recipe.seed,
        command=command,
        parameters=sum(parameter.numel() for parameter in trainer.model.parameters()),
        config=recipe.model_dump(exclude={"name", "seed"}),
        dataset=Dataset(
            name=corpus.name,
            checksums=corpus.checksums,
            splits={"train": len(corpus.train), "validation": len(corpus.validation), "test": len(corpus.test)},
        ),
        device=describe_device(accelerator.device.type, accelerator.num_processes, recipe.precision),
        folder=runs,
        run_id=ids[0],
        elapsed=before["elapsed"],
        history=before["history"],
        is_main=accelerator.is_main_process,
    ) as run:
        folder = runs / PROJECT / run.id
        with progress_bar(accelerator, trainer.steps, trainer.step, "target tokens") as show:
            while trainer.epoch < recipe.epochs:
                _one_epoch(trainer, run, show)
                hesitation = perplexity(trainer.result, watched)
                run.log({"validation perplexity": hesitation, "epoch": trainer.epoch}, step=trainer.step)
                show(seen=f"{hesitation:.2f}")
                trainer.save(folder / CHECKPOINT, history=list(run.history), elapsed=run.elapsed)
        run.measure(
            "validation perplexity",
            perplexity(trainer.result, watched),
            definition="e to the mean negative log-probability a piece of the target, END included, unsmoothed",
            split="validation",
        )
        if accelerator.is_main_process:
            _judge(trainer, tokeniser, corpus, run, folder)
            config = Config(
                vocabulary=len(tokeniser), target_tokens=target_tokens, longest=max(trainer.source_lengths),
                **recipe.model_dump(include={"N", "d_model", "d_ff", "h", "norm_first"}),
            )  # fmt: skip
            run.keep(save_pretrained(trainer.result, tokeniser, config, folder, half=True))
    if accelerator.is_main_process:
        record = read_record(folder.with_name(f"{folder.name}.json"))
        write_whole(folder / CARD, model_card(record, corpus.licence, corpus.attribution).encode())
        (folder / CHECKPOINT).unlink(missing_ok=True)
    accelerator.wait_for_everyone()
    accelerator.end_training()
    return folder

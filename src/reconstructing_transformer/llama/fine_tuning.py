"""Fine-tuning a pre-trained model for a task, by LoRA, QLoRA, whole, or its head alone; judged once by the test set."""

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import broadcast_object_list
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import PreTrainedTokenizerBase

from reconstructing_transformer._data import write_whole
from reconstructing_transformer.llama.card import describe
from reconstructing_transformer.llama.classifiers import (
    HEAD,
    FineTuningError,
    load_config,
    load_pretrained,
    load_tokeniser,
    prepare,
    trainable,
)
from reconstructing_transformer.llama.classify import ABOUT
from reconstructing_transformer.llama.hf_trainer import PlainTrainer, encoded
from reconstructing_transformer.llama.plan import check_it_fits, plan
from reconstructing_transformer.llama.recipe import Recipe
from reconstructing_transformer.llama.resources import PEAK_MEMORY, peak_memory
from reconstructing_transformer.llama.scores import DEFINITIONS, scores
from reconstructing_transformer.llama.sources import MODELS
from reconstructing_transformer.llama.tasks import Examples, Task, describe_dataset
from reconstructing_transformer.tracking.checkpoint import CHECKPOINT, find_interrupted, load_checkpoint
from reconstructing_transformer.tracking.environment import describe_device
from reconstructing_transformer.tracking.processes import start_processes
from reconstructing_transformer.tracking.record import read_record
from reconstructing_transformer.tracking.run import Run, new_run_id, track

PROJECT = "llama-fine-tuning"
# Where only the head is trained, what the frozen model says of the texts to learn from is a part of it.
SECONDS = "processor time of the training alone, all threads of the first process (time.process_time)"


class HeadOnFeatures(nn.Module):
    """The head of a frozen model, on what that model says of a text once and for all.

    Args:
        score: the linear layer; it is trained in place.
    """

    def __init__(self, score: nn.Linear) -> None:
        super().__init__()
        self.score = score

    def forward(self, features: Tensor, labels: Tensor | None = None) -> dict[str, Tensor]:
        """Logits of each text, and the loss where labels are given."""
        logits = self.score(features)
        loss = {} if labels is None else {"loss": nn.functional.cross_entropy(logits, labels)}
        return {**loss, "logits": logits}


@torch.no_grad()
def features(model: nn.Module, data: list[dict[str, Any]], tokeniser: PreTrainedTokenizerBase, at_once: int) -> Tensor:
    """What the decoder says above the last token of each text: all that a head on a frozen model sees.

    Args:
        model: the classifier.
        data: texts as `encoded` gives them.
        tokeniser: to fill up a batch.
        at_once: texts a batch.

    Returns:
        A row of `d_model` numbers a text, in the order given.
    """
    model.eval()
    order = sorted(range(len(data)), key=lambda place: len(data[place]["input_ids"]))
    rows: list[Tensor] = []
    for begin in range(0, len(order), at_once):
        chosen = [data[place]["input_ids"] for place in order[begin : begin + at_once]]
        batch = tokeniser.pad({"input_ids": chosen}, return_tensors="pt").to(next(model.parameters()).device)
        hidden = model.model(**batch).last_hidden_state
        last = batch["attention_mask"].sum(-1) - 1
        rows.extend(hidden[torch.arange(len(last)), last].float().cpu())
    back = torch.empty(len(order), dtype=torch.long)
    back[torch.tensor(order)] = torch.arange(len(order))
    return torch.stack(rows)[back]


def _rows(known: Tensor, examples: Examples) -> list[dict[str, Any]]:
    return [{"features": row, "labels": label} for row, label in zip(known, examples.labels, strict=True)]


def _shared_id(recipe: Recipe) -> str:
    ids = [new_run_id(recipe.name, recipe.seed)]
    broadcast_object_list(ids)
    return ids[0]


class _Training:
    """One fine-tuning: the model, the texts as numbers, and what there is to do with them."""

    def __init__(self, recipe: Recipe, task: Task, tell: Callable[[str], None]) -> None:
        self.recipe, self.task, self.tell = recipe, task, tell
        self.train_texts = task.train.first(recipe.examples)
        self.tokeniser = load_tokeniser(recipe.model)
        config = load_config(recipe.model, task.labels, self.tokeniser.pad_token_id)
        check_it_fits(recipe, plan(recipe, config))
        self.whole = load_pretrained(recipe, config)
        self.model = prepare(self.whole, recipe)
        self.trainable = trainable(self.model)
        self.before = 0.0  # seconds of the processor, for what a frozen model says of the texts to learn from

    def _data(self) -> tuple[nn.Module, list[Any], list[Any], list[Any], PreTrainedTokenizerBase | None]:
        parts = (self.train_texts, self.task.validation, self.task.test)
        texts = [encoded(part, self.tokeniser, self.recipe.max_length) for part in parts]
        if self.recipe.method != "head":
            return self.model, *texts, self.tokeniser
        began = time.process_time()
        known = [features(self.whole, text, self.tokeniser, self.recipe.micro_batch) for text in texts[:2]]
        self.before = time.process_time() - began
        known += [features(self.whole, texts[2], self.tokeniser, self.recipe.micro_batch)]
        train, validation, test = (_rows(*pair) for pair in zip(known, parts, strict=True))
        return HeadOnFeatures(self.whole.get_submodule(HEAD)), train, validation, test, None

    def go(self, run: Run, folder: Path, *, resume: bool) -> None:
        """Train, judge and keep."""
        model, train, validation, test, tokeniser = self._data()
        trainer = PlainTrainer(model, self.recipe, folder, run, (train, validation), tokeniser, self.tell)
        trainer.go_on(resume)
        seconds = self.before + trainer.processor_seconds
        seen, told = trainer.predict(validation), trainer.predict(test)  # the one time that the test set is touched
        for name, value in scores(told.predictions, told.label_ids).items():
            run.measure(name, value, definition=DEFINITIONS[name], split="test")
        right = scores(seen.predictions, seen.label_ids)["accuracy"]
        run.measure("validation accuracy", right, definition=DEFINITIONS["accuracy"], split="validation")
        run.measure("peak memory", peak_memory(), definition=PEAK_MEMORY, split="training")
        run.measure("processor minutes", seconds / 60, definition=SECONDS, split="training")
        if trainer.is_world_process_zero() or trainer.is_fsdp_enabled:
            self._keep(trainer, run, folder)

    def _keep(self, trainer: PlainTrainer, run: Run, folder: Path) -> None:
        """Adapters in peft's form, a whole model in transformers', a head as its one matrix; and the tokeniser."""
        if self.recipe.method == "head":
            weights = folder / "head.safetensors"
            save_file({f"{HEAD}.weight": self.whole.get_submodule(HEAD).weight.detach().cpu().contiguous()}, weights)
        else:
            trainer.accelerator.unwrap_model(trainer.model).save_pretrained(folder)
            names = ("adapter_model.safetensors", "model.safetensors")
            found = [folder / name for name in names if (folder / name).is_file()]
            weights = found[0] if found else sorted(folder.glob("*.safetensors"))[0]
        if self.recipe.model not in MODELS:
            self.tokeniser.save_pretrained(folder)
        told = {"model": self.recipe.model, "labels": self.task.labels, "max_length": self.recipe.max_length}
        write_whole(folder / ABOUT, (json.dumps(told, indent=2) + "\n").encode())
        run.keep(weights)


def train(
    recipe: Recipe, task: Task, *, runs: Path, command: str, resume: bool = False, tell: Callable[[str], None] = print
) -> Path:
    """Fine-tune a model from the first epoch to the last, judge it once by the test set, and keep what is known of it.

    Args:
        recipe: what decides the outcome.
        task: the texts and their classes.
        runs: folder of the records; the run's own folder is `runs/llama-fine-tuning/ID`.
        command: what was typed, for the record.
        resume: go on with the fine-tuning of this recipe that was interrupted last.
        tell: what is told of each row of the history, as words.

    Returns:
        The run's folder, with adapter, head or model; its record lies beside it.

    Raises:
        FineTuningError: the model can't be had, or the loss is no number any more.
        CheckpointError: there is nothing to resume, or the checkpoint is broken.
        DataError: the book's own weights can't be had.
    """
    torch.set_flush_denormal(True)  # numbers too small to matter make a processor slow
    folder = find_interrupted(recipe.model_dump(), runs / PROJECT) if resume else None
    accelerator = start_processes(recipe.precision)
    about = load_checkpoint(folder / CHECKPOINT, {}) if folder else {"history": (), "elapsed": 0.0}
    training = _Training(recipe, task, tell if accelerator.is_main_process else lambda words: None)
    with track(
        project=PROJECT,
        model=recipe.name,
        seed=recipe.seed,
        command=command,
        parameters=training.trainable,
        config=recipe.model_dump(exclude={"seed"}) | {"labels": list(task.labels)},
        dataset=describe_dataset(task, len(training.train_texts)),
        device=describe_device(accelerator.device.type, accelerator.num_processes, recipe.precision),
        folder=runs,
        run_id=folder.name if folder else _shared_id(recipe),
        elapsed=about["elapsed"],
        history=about["history"],
        is_main=accelerator.is_main_process,
    ) as run:
        folder = runs / PROJECT / run.id
        folder.mkdir(parents=True, exist_ok=True)
        training.go(run, folder, resume=resume)
    if accelerator.is_main_process:
        describe(folder, read_record(folder.with_name(f"{folder.name}.json")))
        (folder / CHECKPOINT).unlink(missing_ok=True)
        for leftover in folder.glob("checkpoint-*"):
            shutil.rmtree(leftover)
    accelerator.wait_for_everyone()
    return folder


__all__ = ["PROJECT", "FineTuningError", "HeadOnFeatures", "features", "train"]

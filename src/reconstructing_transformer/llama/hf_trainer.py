"""transformers' Trainer, with our records and with checkpoints that hold no pickle."""

import json
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import (
    DataCollatorWithPadding,
    PreTrainedTokenizerBase,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from reconstructing_transformer._data import write_whole
from reconstructing_transformer.llama.classifiers import FineTuningError
from reconstructing_transformer.llama.recipe import Recipe
from reconstructing_transformer.llama.scores import scores
from reconstructing_transformer.llama.tasks import Examples
from reconstructing_transformer.tracking.checkpoint import CHECKPOINT, load_checkpoint, save_checkpoint
from reconstructing_transformer.tracking.run import Run

EVERY = 10  # steps between two rows of the history
STATE = "trainer_state.json"


def encoded(examples: Examples, tokeniser: PreTrainedTokenizerBase, max_length: int) -> list[dict[str, Any]]:
    """Texts as numbers, each with its label. An empty text becomes one token, for a class must be said of it, too.

    Args:
        examples: the texts.
        tokeniser: of the model.
        max_length: tokens at most.
    """
    numbers = tokeniser(list(examples.texts), truncation=True, max_length=max_length)["input_ids"]
    return [
        {"input_ids": ids or [tokeniser.pad_token_id], "labels": label}
        for ids, label in zip(numbers, examples.labels, strict=True)
    ]


class _Recorder(TrainerCallback):
    """What the Trainer logs goes into the run; each epoch begins with a seed of its own, so that it can be resumed."""

    def __init__(self, run: Run, seed: int, said: Callable[[str], None]) -> None:
        self.run, self.seed, self.said = run, seed, said

    def on_epoch_begin(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:  # noqa: ANN401
        torch.manual_seed(self.seed * 1_000_003 + round(state.epoch or 0))

    def on_log(self, args: Any, state: TrainerState, control: TrainerControl, logs: Any = None, **_: Any) -> None:  # noqa: ANN401
        if "loss" in logs:
            row = {"loss": logs["loss"], "learning rate": logs["learning_rate"], "gradient norm": logs["grad_norm"]}
            self.run.log({name: float(value) for name, value in row.items()}, step=state.global_step)
            self.said(f"step {state.global_step}/{state.max_steps}  loss {row['loss']:.3f}")
        elif "eval_accuracy" in logs:
            row = {"validation accuracy": logs["eval_accuracy"], "validation loss": logs["eval_loss"]}
            self.run.log({**row, "epoch": round(state.epoch or 0)}, step=state.global_step)
            self.said(f"step {state.global_step}/{state.max_steps}  validation accuracy {logs['eval_accuracy']:.4f}")


class PlainTrainer(Trainer):
    """The Trainer, whose checkpoint is one safetensors file: what moves, the optimiser's memory, how far it has come.

    Args:
        model: the model to train.
        recipe: what decides the outcome.
        folder: of the run.
        run: where the history goes.
        data: texts to learn from and to watch by, as `encoded` gives them.
        tokeniser: of the model; None for data without tokens.
        said: what is told of each row of the history.
    """

    def __init__(
        self,
        model: nn.Module,
        recipe: Recipe,
        folder: Path,
        run: Run,
        data: tuple[Sequence[Any], Sequence[Any]],
        tokeniser: PreTrainedTokenizerBase | None,
        said: Callable[[str], None] = print,
    ) -> None:
        self.recipe, self.folder, self.run = recipe, folder, run
        self._worked, self._began = 0.0, time.process_time()  # of those before this process; of this one
        super().__init__(
            model=model,
            args=arguments(recipe, folder, len(data[0]), grouped=tokeniser is not None),
            train_dataset=data[0],
            eval_dataset=data[1],
            processing_class=tokeniser,
            data_collator=DataCollatorWithPadding(tokeniser) if tokeniser is not None else None,
            compute_metrics=lambda told: scores(told.predictions, told.label_ids),
            callbacks=[_Recorder(run, recipe.seed, said)],
        )
        self.remove_callback(PrinterCallback)

    def training_step(self, *given: Any, **named: Any) -> Tensor:  # noqa: ANN401
        """One step forwards and backwards, of which the loss must be a number.

        Raises:
            FineTuningError: it isn't.
        """
        loss = super().training_step(*given, **named)
        if not math.isfinite(loss.item()):
            raise FineTuningError(
                f"the loss became {loss.item()} at step {self.state.global_step + 1}; the checkpoint of the last epoch "
                "is kept. Lower --learning-rate"
            )
        return loss

    @property
    def processor_seconds(self) -> float:
        """What the training has taken of the processor, in all processes that worked on it one after the other."""
        return self._worked + time.process_time() - self._began

    def _moving(self) -> nn.Module:
        """The parameters that move, under names that are the same in every process."""
        moving = nn.Module()
        for name, parameter in self.accelerator.unwrap_model(self.model).named_parameters():
            if parameter.requires_grad:
                moving.register_parameter(name.replace(".", "/"), parameter)
        return moving

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:  # noqa: ANN401
        if self.is_fsdp_enabled:
            return super()._save_checkpoint(model, trial)  # shards, by torch.distributed.checkpoint
        if self.is_world_process_zero():
            rates = {k: v for k, v in self.lr_scheduler.state_dict().items() if k != "lr_lambdas"}
            progress = {
                "recipe": self.recipe.model_dump(), "history": list(self.run.history), "elapsed": self.run.elapsed,
                "processor_seconds": self.processor_seconds,
                "state": json.loads(json.dumps(vars(self.state), default=lambda _: None)), "rates": rates,
            }  # fmt: skip
            save_checkpoint(self.folder / CHECKPOINT, {"moving": self._moving()}, self.optimizer.optimizer, progress)
        self.accelerator.wait_for_everyone()
        return None

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        if self.is_fsdp_enabled:
            return super()._load_from_checkpoint(resume_from_checkpoint, model)
        load_checkpoint(Path(resume_from_checkpoint) / CHECKPOINT, {"moving": self._moving()})
        return None

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint is None or self.is_fsdp_enabled:
            return super()._load_optimizer_and_scheduler(checkpoint)
        path = Path(checkpoint) / CHECKPOINT
        progress = load_checkpoint(path, {"moving": self._moving()}, self.optimizer.optimizer)
        self.lr_scheduler.load_state_dict({**self.lr_scheduler.state_dict(), **progress["rates"]})
        return None

    def _load_rng_state(self, checkpoint: str | None) -> None:
        """Nothing: each epoch begins with its own seed."""

    def go_on(self, resume: bool) -> None:
        """Train to the end, from the beginning or from the run's checkpoint.

        Args:
            resume: from the checkpoint.
        """
        if resume and not self.is_fsdp_enabled:
            progress = load_checkpoint(self.folder / CHECKPOINT, {})
            state, self._worked = progress["state"], progress["processor_seconds"]
            write_whole(self.folder / STATE, json.dumps({**state, "stateful_callbacks": {}}).encode())
        self._began = time.process_time()
        self.train(resume_from_checkpoint=str(self.folder) if resume else None)
        (self.folder / STATE).unlink(missing_ok=True)


def arguments(recipe: Recipe, folder: Path, examples: int, *, grouped: bool) -> TrainingArguments:
    """The recipe in the Trainer's words.

    Args:
        recipe: ours.
        folder: of the run.
        examples: how many there are to learn from.
        grouped: whether texts of like length share a batch.

    Raises:
        FineTuningError: the batch can't be shared by the processes.
    """
    import os

    processes = int(os.environ.get("WORLD_SIZE", "1"))
    if recipe.batch_size % processes:
        raise FineTuningError(
            f"a batch of {recipe.batch_size} texts can't be shared by {processes} processes; make --batch-size a "
            "multiple of their number"
        )
    share = recipe.batch_size // processes
    pieces = -(-share // recipe.micro_batch)
    if share % pieces:
        raise FineTuningError(f"--micro-batch {recipe.micro_batch} does not divide a process's {share} texts a step")
    steps = recipe.epochs * max(1, -(-examples // recipe.batch_size))
    cpu = not torch.accelerator.is_available()
    sharded = os.environ.get("ACCELERATE_USE_FSDP", "").lower() == "true"
    return TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=recipe.epochs,
        per_device_train_batch_size=share // pieces,
        gradient_accumulation_steps=pieces,
        per_device_eval_batch_size=recipe.micro_batch,
        learning_rate=recipe.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=round(recipe.warmup * steps),
        weight_decay=recipe.weight_decay,
        max_grad_norm=recipe.clip,
        bf16=recipe.precision == "bf16",
        use_cpu=cpu,
        activation_checkpointing=recipe.gradient_checkpointing and not sharded,
        train_sampling_strategy="group_by_length" if grouped else "random",
        eval_strategy="epoch",
        save_strategy="epoch",
        logging_steps=EVERY,
        logging_nan_inf_filter=False,
        report_to=[],
        disable_tqdm=True,
        seed=recipe.seed,
        remove_unused_columns=False,
        dataloader_pin_memory=not cpu,
        ddp_find_unused_parameters=False if processes > 1 else None,
        save_total_limit=1,
    )

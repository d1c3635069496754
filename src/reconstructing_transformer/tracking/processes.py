"""Devices and processes, by accelerate; and a bar that shows how far they are."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn


def start_processes(precision: str = "no") -> Accelerator:
    """Find the device of this process, and the other processes where `torchrun` has started several.

    Args:
        precision: `no`, `fp16` or `bf16`: accelerate's mixed precision.

    Returns:
        The accelerator. Where there is none but the processor, it is told so: it would not look for other processes.
    """
    if AcceleratorState._shared_state and AcceleratorState().mixed_precision != precision:
        AcceleratorState._reset_state()  # a notebook may train in one precision, then in another
    return Accelerator(cpu=not torch.accelerator.is_available(), mixed_precision=precision)


@contextmanager
def progress_bar(accelerator: Accelerator, steps: int, done: int, unit: str) -> Iterator[Any]:
    """Show the loss, the speed and the time left on the first process; on the others there is nothing to see.

    Args:
        accelerator: of the training.
        steps: all of its steps.
        done: those that were taken before.
        unit: what its speed is counted in.

    Yields:
        A function that takes what is new: `completed`, `epoch`, `loss`, `rate`, `seen`.
    """
    columns = (
        TextColumn("epoch {task.fields[epoch]}"),
        BarColumn(bar_width=20),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn(f"loss {{task.fields[loss]:.3f}}  {{task.fields[rate]:,.0f}} {unit}/s  val. {{task.fields[seen]}}"),
        TimeRemainingColumn(),
    )
    quiet = not accelerator.is_main_process
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=quiet, redirect_stdout=False, redirect_stderr=False) as bar:
        task = bar.add_task("train", total=steps, completed=done, epoch=0, loss=float("nan"), rate=0.0, seen="–")
        yield lambda **fields: bar.update(task, **fields)

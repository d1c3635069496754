"""Devices and processes, by accelerate."""

import torch
from accelerate import Accelerator


def start_processes(precision: str = "no") -> Accelerator:
    """Find the device of this process, and the other processes where `torchrun` has started several.

    Args:
        precision: `no`, `fp16` or `bf16`: accelerate's mixed precision.

    Returns:
        The accelerator. Where there is none but the processor, it is told so: it would not look for other processes.
    """
    return Accelerator(cpu=not torch.accelerator.is_available(), mixed_precision=precision)

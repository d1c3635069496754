"""The optimiser that every part trains with."""

import torch
from torch import nn


def adamw(
    model: nn.Module, learning_rate: float, weight_decay: float, betas: tuple[float, float] = (0.9, 0.999)
) -> torch.optim.AdamW:
    """AdamW (Loshchilov & Hutter 2019), whose weight decay leaves biases and gains alone.

    Args:
        model: its parameters; those of one dimension are left alone.
        learning_rate: at the start.
        weight_decay: of the others.
        betas: decay of the running means of gradients and of their squares.

    Returns:
        The optimiser.
    """
    parameters = list(model.parameters())
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=learning_rate, betas=betas, fused=True)

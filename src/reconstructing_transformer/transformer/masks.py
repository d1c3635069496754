"""Masks: which keys a query may attend to. True means yes, everywhere in this book."""

import torch
from jaxtyping import Bool, Int
from torch import Tensor


def causal_mask(n: int, device: torch.device | None = None) -> Bool[Tensor, "n n"]:
    """Let each position attend to itself and to what came before it (§3.2.3).

    Args:
        n: length of the sequence.
        device: where the mask is made; torch's default where None.

    Returns:
        The mask, True on and below the diagonal.
    """
    return torch.ones(n, n, dtype=torch.bool, device=device).tril()


def padding_mask(tokens: Int[Tensor, "*batch m"], pad: int) -> Bool[Tensor, "*batch 1 m"]:
    """Let each query attend to the keys that are tokens, and not to those that fill up the batch.

    Args:
        tokens: the indices that the keys come from.
        pad: the index that stands for “nothing here”.

    Returns:
        The mask, the same for all queries: hence the axis of length 1.
    """
    return (tokens != pad).unsqueeze(-2)


def check_mask(mask: Tensor, shape: tuple[int, ...]) -> None:
    """Refuse a mask that attention would misread.

    Args:
        mask: the mask as it was given.
        shape: the shape of the scores that it is for: (…, n, m).

    Raises:
        TypeError: the mask is not boolean.
        ValueError: the mask cannot be broadcast to the scores' shape.
    """
    if mask.dtype != torch.bool:
        raise TypeError(
            f"a mask must be boolean, True where a query may attend to a key; got {mask.dtype}. "
            "From a mask that is added to the scores (0 or −inf), make one with `mask == 0`"
        )
    fits = len(mask.shape) <= len(shape) and all(
        ours in (1, theirs) for ours, theirs in zip(mask.shape[::-1], shape[::-1], strict=False)
    )
    if not fits:
        raise ValueError(
            f"a mask of shape {tuple(mask.shape)} does not fit scores of shape {tuple(shape)}: its last two axes are "
            "queries and keys, and each axis must have the scores' length, or 1"
        )

"""Search for the translation that the model finds likeliest: what all searches share, and the greedy one."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from reconstructing_transformer.transformer import Transformer
from reconstructing_transformer.translation.cache import CachedDecoder, RecomputingDecoder, StepDecoder
from reconstructing_transformer.translation.largest import largest
from reconstructing_transformer.translation.tokeniser import BEGIN, END, PAD

LONGER = 50  # tokens that a translation may have more than its source (Vaswani et al. 2017, §6.1)
NEVER = slice(PAD, BEGIN + 1)  # tokens that no translation has


def limits(
    model: Transformer,
    source: Int[Tensor, "sentences m"],
    source_mask: Bool[Tensor, "#sentences 1 m"] | None = None,
    most: int | None = None,
) -> Int[Tensor, " sentences"]:
    """How many tokens each translation may have, END included.

    Args:
        model: it has encoded a number of positions, which no translation exceeds.
        source: what it reads.
        source_mask: True where a token of the source may be attended to; everywhere where None.
        most: the same limit for all; where None, the length of each source and 50 more, as in the paper (§6.1).

    Returns:
        One number a sentence.

    Raises:
        ValueError: `most` is not positive, or more than the model has positions.
    """
    positions = model.positions.PE.size(0)
    if most is not None:
        if not 0 < most <= positions:
            raise ValueError(f"a translation can have 1 to {positions} tokens, the model's positions; got most={most}")
        return torch.full((len(source),), most, device=source.device)
    if source_mask is None:
        lengths = torch.full((len(source),), source.size(1), device=source.device)
    else:
        lengths = source_mask.expand(len(source), -1, -1).sum((1, 2))
    return (lengths + LONGER).clamp(max=positions)


@contextmanager
def at_rest(model: Transformer) -> Iterator[None]:
    """Put a model into evaluation mode, and back, and compute no gradients.

    Args:
        model: the model.
    """
    training = model.training
    if training:
        model.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        if training:
            model.train()


def start(
    model: Transformer,
    source: Int[Tensor, "sentences m"],
    source_mask: Bool[Tensor, "#sentences 1 m"] | None,
    cached: bool,
) -> StepDecoder:
    """Read the source, and get ready to write.

    Args:
        model: it should be in evaluation mode.
        source: what it reads.
        source_mask: True where a token of the source may be attended to; everywhere where None.
        cached: whether keys and values are kept, or computed anew at each step.

    Returns:
        A decoder that has written nothing yet.
    """
    return (CachedDecoder if cached else RecomputingDecoder)(model, source, source_mask)


def still_open(over: Bool[Tensor, " sentences"], step: int) -> Int[Tensor, " open"] | None:
    """Which sentences to go on with, where it is time to drop those that are over.

    A GPU works ahead of the program; to ask it whether a sentence is over makes the program wait. There we ask at every
    eighth step. And to drop a few sentences out of many costs more than it saves.

    Args:
        over: whether a sentence is over.
        step: number of the step, from 0.

    Returns:
        The indices of the sentences that are not over, or None where all are to be kept for now.
    """
    if over.device.type != "cpu" and step % 8 != 7:
        return None
    left = (~over).nonzero().squeeze(1)
    return left if len(left) <= 7 * len(over) // 8 else None


def greedy(
    model: Transformer,
    source: Int[Tensor, "sentences m"],
    source_mask: Bool[Tensor, "#sentences 1 m"] | None = None,
    *,
    most: int | None = None,
    cached: bool = True,
) -> list[list[int]]:
    """Translate by writing, at each step, the token that the model finds likeliest.

    Args:
        model: it is put into evaluation mode, and back.
        source: what it reads.
        source_mask: True where a token of the source may be attended to, a `padding_mask`; everywhere where None.
        most: how many tokens a translation may have, END included; where None, 50 more than its source has.
        cached: whether keys and values are kept; otherwise all that is written is computed anew at each step, and the
            result is the same.

    Returns:
        The tokens of each translation, without BEGIN and END.

    Raises:
        ValueError: `most` is not positive, or more than the model has positions.
    """
    with at_rest(model):
        limit = limits(model, source, source_mask, most)
        if len(source) == 0:
            return []
        decoder = start(model, source, source_mask, cached)
        written = source.new_full((len(source), int(limit.max())), END)
        rows = torch.arange(len(source), device=source.device)
        tokens, over = source.new_full((len(source), 1), BEGIN), torch.zeros_like(rows, dtype=torch.bool)
        for step in range(written.size(1)):
            scores = model.logits(decoder.step(tokens))
            scores[..., NEVER] = -torch.inf
            _, _, tokens = largest(scores, 1)
            tokens = tokens.masked_fill(over.unsqueeze(1), END)
            written[rows, step] = tokens.squeeze(1)
            over = (tokens.squeeze(1) == END) | (step + 1 >= limit)
            if (left := still_open(over, step)) is not None:
                if len(left) == 0:
                    break
                decoder.keep(left)
                rows, tokens, over, limit = rows[left], tokens[left], over[left], limit[left]
        return [row[: row.index(END)] if END in row else row for row in written.tolist()]

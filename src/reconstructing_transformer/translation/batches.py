"""Batches by tokens, not by sentences: what is long goes with what is long, and little is padded."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from reconstructing_transformer.translation.tokeniser import BEGIN, END, PAD

WINDOW = 8_192  # sentences; batches of a wider one would be more alike, of a narrower one emptier


@dataclass(frozen=True)
class Batch:
    """Sentences that are computed together, padded at their ends to the longest.

    Args:
        source: the pieces of each sentence, then END.
        target: BEGIN, the pieces of each translation, then END. The decoder reads all but its last column, and
            predicts all but its first.
    """

    source: Int[Tensor, "n source_length"]
    target: Int[Tensor, "n target_length"]

    def __len__(self) -> int:
        return len(self.source)

    @property
    def predicted(self) -> int:
        """Number of tokens that the decoder has to predict, padding not counted."""
        return int((self.target[:, 1:] != PAD).sum())

    def to(self, device: torch.device) -> "Batch":
        """The same sentences on another device."""
        return Batch(self.source.to(device, non_blocking=True), self.target.to(device, non_blocking=True))


def _lengths(source_lengths: Sequence[int], target_lengths: Sequence[int]) -> Int[np.ndarray, "n 2"]:
    """Positions that each sentence takes: its pieces, and one for END, of which the decoder's BEGIN is the shadow."""
    if len(source_lengths) != len(target_lengths):
        raise ValueError(
            f"each sentence has a source and a target; got {len(source_lengths):,} sources, {len(target_lengths):,} "
            "targets"
        )
    return (
        np.stack([np.asarray(source_lengths, dtype=np.int64), np.asarray(target_lengths, dtype=np.int64)], axis=1) + 1
    )


def _cut(order: Int[np.ndarray, " m"], lengths: Int[np.ndarray, "n 2"], budget: int) -> Iterator[list[int]]:
    """Cut sentences, in their order, where one more would make the padded batch larger than the budget."""
    batch: list[int] = []
    widest = 0
    for index in order.tolist():
        wider = max(widest, int(lengths[index].max()))
        if batch and wider * (len(batch) + 1) > budget:
            yield batch
            batch, wider = [], int(lengths[index].max())
        batch.append(index)
        widest = wider
    if batch:
        yield batch


def token_batches(
    source_lengths: Sequence[int],
    target_lengths: Sequence[int],
    budget: int,
    *,
    seed: int = 0,
    epoch: int = 0,
    window: int = WINDOW,
) -> list[list[int]]:
    """Put the sentences of one epoch into batches, each sentence into one.

    All are shuffled; within each window of the shuffled order they are sorted by length and cut into batches; the
    batches are shuffled. So neighbours in length meet, but others in each epoch, and the lengths come in no order.

    Args:
        source_lengths: number of pieces of each source, without begin and end.
        target_lengths: number of pieces of each target, without begin and end.
        budget: most tokens that either side of a batch may have, with END and padding.
        seed: of the training; with the epoch it decides everything.
        epoch: number of the epoch.
        window: number of sentences that are sorted together.

    Returns:
        The indices of each batch's sentences, the shorter ones first.

    Raises:
        ValueError: the budget can't hold the longest sentence, the window is empty, or the lengths don't match.
    """
    lengths = _lengths(source_lengths, target_lengths)
    if window < 1:
        raise ValueError(f"a window has at least one sentence; got {window}")
    if len(lengths) and (longest := int(lengths.max())) > budget:
        where = int(lengths.max(axis=1).argmax())
        raise ValueError(
            f"sentence {where} takes {longest:,} tokens, END included; a batch of at most {budget:,} can't hold it: "
            "raise the budget, or leave the sentence out"
        )
    rng = np.random.default_rng([seed, epoch])
    shuffled = rng.permutation(len(lengths))
    batches: list[list[int]] = []
    for start in range(0, len(shuffled), window):
        part = shuffled[start : start + window]
        # By the longer side, which fills the budget, then by both together: pairs of like shape lie side by side.
        order = np.lexsort((lengths[part].sum(axis=1), lengths[part].max(axis=1)))
        batches += _cut(part[order], lengths, budget)
    return [batches[place] for place in rng.permutation(len(batches))]


def padding_share(
    batches: Iterable[Sequence[int]], source_lengths: Sequence[int], target_lengths: Sequence[int]
) -> float:
    """How much of what is computed is padding, over both sides.

    Args:
        batches: indices of sentences.
        source_lengths: number of pieces of each source, without begin and end.
        target_lengths: number of pieces of each target, without begin and end.

    Returns:
        The share of padding among all positions, from 0 to 1; 0 where there is no position.
    """
    lengths = _lengths(source_lengths, target_lengths)
    real = padded = 0
    for batch in batches:
        if len(batch):
            of_batch = lengths[np.asarray(batch)]
            real += int(of_batch.sum())
            padded += len(batch) * int(of_batch.max(axis=0).sum())
    return 1 - real / padded if padded else 0.0


def share(batch: Sequence[int], index: int, count: int) -> list[int]:
    """One process's share of a batch. Sentences are dealt out like cards, so that all have as many, and as long ones.

    Args:
        batch: indices of sentences, sorted by length, as `token_batches` returns them.
        index: of the process.
        count: of the processes.

    Returns:
        Its sentences: none where the batch has fewer of them than there are processes.

    Raises:
        ValueError: there is no such process.
    """
    if not 0 <= index < count:
        raise ValueError(f"of {count} processes, one has an index from 0 to {count - 1}; got {index}")
    return list(batch[index::count])


def _padded(rows: Sequence[Sequence[int]], width: int) -> Int[Tensor, "n {width}"]:
    padded = np.full((len(rows), width), PAD, dtype=np.int64)
    for place, row in enumerate(rows):
        padded[place, : len(row)] = row
    return torch.from_numpy(padded)


def collate(pairs: Sequence[tuple[Sequence[int], Sequence[int]]]) -> Batch:
    """Make a batch of encoded sentences and their translations.

    Args:
        pairs: pieces of source and target, without begin and end. None at all make a batch of no sentences.

    Returns:
        The batch.
    """
    sources = [[*source, END] for source, _ in pairs]
    targets = [[BEGIN, *target, END] for _, target in pairs]
    widths = [max(map(len, rows), default=least) for rows, least in ((sources, 1), (targets, 2))]
    return Batch(_padded(sources, widths[0]), _padded(targets, widths[1]))

"""Batches hold what they may and little padding; every sentence is met once an epoch, in an order of its own."""

import random

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from reconstructing_transformer.translation.batches import collate, padding_share, share, token_batches
from reconstructing_transformer.translation.tokeniser import BEGIN, END, PAD, Tokeniser


def captions(count: int = 29_000) -> tuple[list[int], list[int]]:
    """Lengths as Multi30k's: sources around 15 pieces, targets of about the same length."""
    rng = random.Random(0)
    sources = [min(52, max(3, round(rng.lognormvariate(2.63, 0.37)))) for _ in range(count)]
    return sources, [max(3, round(source * rng.lognormvariate(-0.03, 0.2))) for source in sources]


LENGTHS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=200)


@given(lengths=LENGTHS, budget=st.integers(41, 300), window=st.integers(1, 250), epoch=st.integers(0, 3))
def test_every_sentence_is_in_one_batch_and_no_batch_is_over_the_budget(lengths, budget, window, epoch):
    sources, targets = [source for source, _ in lengths], [target for _, target in lengths]
    batches = token_batches(sources, targets, budget, seed=1, epoch=epoch, window=window)
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    for indices in batches:
        batch = collate([([5] * sources[index], [5] * targets[index]) for index in indices])
        assert batch.source.numel() <= budget
        assert batch.target[:, 1:].numel() <= budget
    assert 0 <= padding_share(batches, sources, targets) < 1


def test_seed_and_epoch_decide_the_batches_and_each_epoch_has_its_own():
    sources, targets = captions(2_000)

    def drawn(seed: int, epoch: int) -> list[list[int]]:
        return token_batches(sources, targets, 1_000, seed=seed, epoch=epoch, window=500)

    assert drawn(1, 1) == drawn(1, 1)
    kinds = {tuple(map(tuple, drawn(seed, epoch))) for seed in (1, 2) for epoch in (0, 1, 2)}
    assert len(kinds) == 6
    neighbours = [{frozenset(batch) for batch in drawn(1, epoch)} for epoch in (0, 1)]
    assert len(neighbours[0] & neighbours[1]) < 5


def test_lengths_come_in_no_order():
    sources, targets = captions(5_000)
    widths = torch.tensor(
        [float(max(sources[index] for index in batch)) for batch in token_batches(sources, targets, 1_000)]
    )
    places = torch.arange(len(widths), dtype=torch.float32)
    assert abs(torch.corrcoef(torch.stack([widths, places]))[0, 1]) < 0.2


@pytest.mark.parametrize("budget", [1_024, 2_048, 4_096])
def test_little_of_what_is_computed_is_padding(budget):
    sources, targets = captions()
    assert padding_share(token_batches(sources, targets, budget), sources, targets) < 0.15
    order = random.Random(0).sample(range(len(sources)), len(sources))
    by_chance = [order[start : start + 128] for start in range(0, len(order), 128)]
    assert padding_share(by_chance, sources, targets) > 0.4


def test_little_of_what_is_computed_for_multi30k_is_padding(multi30k):
    tokeniser = Tokeniser.train([text for pair in multi30k.train for text in pair])
    sources, targets = ([len(ids) for ids in tokeniser.encode(side)] for side in zip(*multi30k.train, strict=True))
    assert padding_share(token_batches(sources, targets, 4_096), sources, targets) < 0.15


def test_padding_is_counted_on_both_sides():
    # One END a sentence and side: 2 + 4 and 3 + 3 positions are real, of 2 × 3 and 2 × 4.
    assert padding_share([[0, 1]], [1, 2], [3, 2]) == pytest.approx(1 - 12 / 14)
    assert padding_share([[0], [1]], [1, 2], [3, 2]) == 0
    assert padding_share([], [], []) == 0


def test_a_sentence_that_no_batch_can_hold_is_named():
    with pytest.raises(ValueError, match=r"sentence 1 takes 101 tokens.*100"):
        token_batches([5, 100], [5, 5], 100)


def test_lengths_that_do_not_belong_together_and_empty_windows_are_refused():
    with pytest.raises(ValueError, match="2 sources, 1"):
        token_batches([5, 5], [5], 100)
    with pytest.raises(ValueError, match="window"):
        token_batches([5], [5], 100, window=0)


def test_no_sentences_make_no_batches():
    assert token_batches([], [], 100) == []


@given(st.lists(st.integers(), unique=True), st.integers(1, 5))
def test_processes_share_a_batch_without_rest(batch, count):
    shares = [share(batch, index, count) for index in range(count)]
    assert sorted(index for part in shares for index in part) == sorted(batch)
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


@pytest.mark.parametrize("index", [-1, 2])
def test_a_process_that_there_is_not_gets_no_share(index):
    with pytest.raises(ValueError, match="2 processes"):
        share([1, 2, 3], index, 2)


def test_a_batch_has_begin_and_end_where_the_model_needs_them():
    batch = collate([([7, 8], [9]), ([7], [9, 8, 7])])
    assert batch.source.tolist() == [[7, 8, END], [7, END, PAD]]
    assert batch.target.tolist() == [[BEGIN, 9, END, PAD, PAD], [BEGIN, 9, 8, 7, END]]
    assert batch.source.dtype == torch.int64
    assert len(batch) == 2
    assert batch.predicted == 6


def test_a_batch_of_nobody_has_no_rows():
    batch = collate([])
    assert (batch.source.shape, batch.target.shape) == ((0, 1), (0, 2))
    assert batch.predicted == 0
    assert batch.to(torch.device("cpu")).source.shape == (0, 1)

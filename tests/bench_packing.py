"""Training speed of the translator, side by side: our batches and loss beside padded random batches, the same model.

A round lets each train on a few thousand real target tokens of Multi30k, in turns, on one thread; what counts is
processor time, so that whoever else uses the machine counts less.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn

from reconstructing_transformer.tracking.optimiser import adamw
from reconstructing_transformer.transformer import padding_mask
from reconstructing_transformer.translation import RECIPES, TranslationModel, load_corpus
from reconstructing_transformer.translation.batches import collate
from reconstructing_transformer.translation.tokeniser import PAD
from reconstructing_transformer.translation.training import Trainer, learn_tokeniser

ROUNDS = 7
STEPS = {"multi30k-base": 2, "multi30k-small": 3}
RANDOM = 128  # sentences of a random batch, as in the best-known tutorial


def our_steps(trainer: Trainer, steps: int) -> Callable[[], int]:
    """Return a function that trains for a round as `reconstruct train translation` does."""

    def forever() -> Iterator[tuple[float, int]]:
        while True:
            yield from trainer.train_epoch()

    losses = forever()
    return lambda: sum(next(losses)[1] for _ in range(steps))


def usual_steps(trainer: Trainer, steps: int) -> Callable[[], int]:
    """Return a function that trains the same model on random batches, padded, with a score for every token."""
    recipe = trainer.recipe
    model = TranslationModel(
        recipe.vocabulary, None, recipe.N, recipe.d_model, recipe.d_ff, recipe.h, recipe.dropout, recipe.norm_first
    )
    optimiser = adamw(model, recipe.learning_rate, recipe.weight_decay)
    loss_of = nn.CrossEntropyLoss(ignore_index=PAD, label_smoothing=recipe.label_smoothing)

    def train() -> int:
        tokens = 0
        for _ in range(steps):
            batch = collate([trainer.pairs[index] for index in torch.randperm(len(trainer.pairs))[:RANDOM].tolist()])
            mask = padding_mask(batch.source, PAD)
            logits = model(batch.source, batch.target[:, :-1], mask)
            optimiser.zero_grad()
            loss_of(logits.flatten(0, 1), batch.target[:, 1:].flatten()).backward()
            nn.utils.clip_grad_norm_(model.parameters(), recipe.clip)
            optimiser.step()
            tokens += batch.predicted
        return tokens

    return train


def packing_speed() -> dict[str, dict[str, Any]]:
    """Target tokens a second of each, and ours over the usual one's: medians, with the least and the most."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    corpus, result = load_corpus("multi30k"), {}
    for name, steps in STEPS.items():
        recipe = RECIPES[name]
        trainer = Trainer(recipe, corpus, *learn_tokeniser(recipe, corpus))
        training = {"ours": our_steps(trainer, steps), "padded random batches": usual_steps(trainer, 2 * steps)}
        rates: dict[str, list[float]] = {who: [] for who in training}
        for number in range(ROUNDS + 1):
            for who, train in training.items():
                begun = time.process_time()
                tokens = train()
                if number:  # the first round warms up
                    rates[who].append(tokens / (time.process_time() - begun))
        ratios = sorted(a / b for a, b in zip(*rates.values(), strict=True))
        result[name] = {
            "target tokens per second": {who: statistics.median(found) for who, found in rates.items()},
            "ours over padded random batches": {
                "median": statistics.median(ratios), "least": ratios[0], "most": ratios[-1]
            },
        }  # fmt: skip
    torch.set_num_threads(threads)
    return result

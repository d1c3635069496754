"""How good a translation is: BLEU and chrF as the field counts them, and how sure one can be of a difference."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from sacrebleu.metrics import BLEU, CHRF
from sacrebleu.metrics.base import Metric
from sacrebleu.significance import PairedTest
from torch.nn import functional

from reconstructing_transformer.transformer import padding_mask
from reconstructing_transformer.translation.batches import collate, token_batches
from reconstructing_transformer.translation.beam import beam_search
from reconstructing_transformer.translation.model import TranslationModel
from reconstructing_transformer.translation.search import greedy
from reconstructing_transformer.translation.tokeniser import PAD, UNKNOWN, Tokeniser


class Score(NamedTuple):
    """A score, and the signature that says exactly how it was counted."""

    value: float
    signature: str


def _scored(metric: Metric, translations: Sequence[str], references: Sequence[str]) -> Score:
    found = metric.corpus_score(list(translations), [list(references)])
    return Score(found.score, f"sacreBLEU {found.name}: {metric.get_signature().format()}")


def bleu(translations: Sequence[str], references: Sequence[str], lowercase: bool = False) -> Score:
    """BLEU of a test set, cased unless asked otherwise, with sacreBLEU's own tokenisation 13a.

    Args:
        translations: what the model wrote, as a reader sees it.
        references: what people wrote.
        lowercase: whether letters' case is ignored, as in some older results.

    Returns:
        The score, from 0 to 100, and its signature.
    """
    return _scored(BLEU(lowercase=lowercase), translations, references)


def chrf(translations: Sequence[str], references: Sequence[str]) -> Score:
    """chrF2, the F-score of character n-grams.

    Args:
        translations: what the model wrote.
        references: what people wrote.

    Returns:
        The score, from 0 to 100, and its signature.
    """
    return _scored(CHRF(), translations, references)


def paired_bootstrap(
    baseline: Sequence[str], other: Sequence[str], references: Sequence[str], samples: int = 1000
) -> tuple[float, float]:
    """Ask how easily a difference in BLEU could be an accident of the test set (Koehn 2004), by sacreBLEU.

    Args:
        baseline: translations of one system.
        other: of another.
        references: what people wrote.
        samples: test sets of the same size that are drawn from this one.

    Returns:
        The difference in BLEU, the other's minus the baseline's, and p: the share of samples with a difference as large
        once the mean difference is taken away.
    """
    if list(baseline) == list(other):
        return 0.0, 1.0  # sacreBLEU counts differences larger than the one that was found, and would call this certain
    metrics = {"BLEU": BLEU(references=[list(references)])}
    systems = [("baseline", list(baseline)), ("other", list(other))]
    _, results = PairedTest(systems, metrics, references=None, test_type="bs", n_samples=samples)()
    ours, theirs = results["BLEU"]
    return theirs.score - ours.score, float(theirs.p_value if theirs.p_value is not None else math.nan)


@torch.no_grad()
def perplexity(
    model: TranslationModel, pairs: Sequence[tuple[Sequence[int], Sequence[int]]], budget: int = 4096
) -> float:
    """How many tokens the model hesitates between, on the average: e to the mean negative log-probability.

    Args:
        model: it is put into evaluation mode, and back.
        pairs: pieces of sources and targets.
        budget: padded tokens that are computed at once.

    Returns:
        The perplexity a piece, END included, without label smoothing. A piece that the target language never had in
        training, so that the model has no score for it, counts as unknown.
    """
    training, device = model.training, next(model.parameters()).device
    model.eval()
    lengths = [[len(side) for side in sides] for sides in zip(*pairs, strict=True)]
    total, tokens = 0.0, 0
    for chosen in token_batches(*lengths, budget):
        batch = collate([pairs[index] for index in chosen]).to(device)
        mask, written = padding_mask(batch.source, PAD), batch.target[:, 1:]
        real = written != PAD
        written = written.masked_fill(written >= model.target_tokens, UNKNOWN)
        states = model.decode(batch.target[:, :-1], model.encode(batch.source, mask), mask)[real]
        total += functional.cross_entropy(model.logits(states).float(), written[real], reduction="sum").item()
        tokens += batch.predicted
    model.train(training)
    return math.exp(total / tokens)


def translate_all(
    model: TranslationModel,
    tokeniser: Tokeniser,
    sentences: Sequence[str],
    *,
    beam_size: int = 4,
    alpha: float = 0.6,
    batch: int = 64,
) -> list[str]:
    """Translate many sentences, those of like length together.

    Args:
        model: it is put into evaluation mode, and back.
        tokeniser: its own.
        sentences: of the source language.
        beam_size: how many beginnings are followed; with 1 the search is greedy.
        alpha: of the length penalty.
        batch: sentences that are translated at once.

    Returns:
        One translation for each sentence, in their order.
    """
    device = next(model.parameters()).device
    encoded = tokeniser.encode(sentences)
    order = sorted(range(len(encoded)), key=lambda index: len(encoded[index]))
    written: list[list[int]] = [[] for _ in encoded]
    for start in range(0, len(order), batch):
        chosen = order[start : start + batch]
        source = collate([(encoded[index], []) for index in chosen]).source.to(device)
        mask = padding_mask(source, PAD)
        if beam_size == 1:
            found = greedy(model, source, mask)
        else:
            found = [best[0].tokens for best in beam_search(model, source, mask, beam_size=beam_size, alpha=alpha)]
        for index, tokens in zip(chosen, found, strict=True):
            written[index] = tokens
    return tokeniser.decode(written)

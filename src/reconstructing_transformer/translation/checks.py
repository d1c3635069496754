"""Checks: each equation of this part's papers against a reference that this package did not produce.

A reference is sacreBLEU, or the formula as it is printed, written out in NumPy's float64. Each check draws one random
case and returns the largest absolute error.
"""

import math

import numpy as np
import torch
from sacrebleu.metrics import BLEU
from sacrebleu.metrics.bleu import BLEUScore

from reconstructing_transformer.equations import check
from reconstructing_transformer.transformer.checks import LETTER_BY_LETTER
from reconstructing_transformer.translation.beam import score
from reconstructing_transformer.translation.papineni import (
    Sentence,
    brevity_penalty,
    corpus_bleu,
    modified_precision,
    reference_length,
)


@check("wu2016-14", of=score, reference=LETTER_BY_LETTER, tolerance=1e-12)
def score_is_the_formula(rng: np.random.Generator) -> float:
    """Hypotheses of several lengths, the coverage penalty included, with β = 0."""
    alpha, beta = rng.uniform(0, 2), 0.0
    lengths = rng.integers(1, 60, size=4)
    X = int(rng.integers(1, 10))
    log_P, expected = [], []
    for Y in lengths.tolist():
        P = rng.uniform(0.1, 1, size=Y)
        p = rng.dirichlet(np.ones(X), size=Y).T  # p[i, j]: how much word j attends to word i of the source
        cp = beta * sum(math.log(min(sum(p[i, j] for j in range(Y)), 1.0)) for i in range(X))
        lp = math.pow(5 + Y, alpha) / math.pow(5 + 1, alpha)
        log_P.append(np.log(P).sum())
        expected.append(sum(math.log(factor) for factor in P) / lp + cp)
    ours = score(torch.tensor(log_P, dtype=torch.float64), torch.from_numpy(lengths).double(), alpha)
    return float(np.abs(ours.numpy() - expected).max())


def draw_corpus(rng: np.random.Generator) -> tuple[list[Sentence], list[list[Sentence]]]:
    """Draw references, as many for each sentence, and candidates that have something in common with them."""
    translations, words = int(rng.integers(1, 4)), [*"abcdefgh"]
    candidates, references = [], []
    for _ in range(rng.integers(1, 6)):
        own = [rng.choice(words, size=rng.integers(1, 15)).tolist() for _ in range(translations)]
        start, stop = sorted(rng.integers(0, 16, size=2))
        noise = rng.choice(words, size=rng.integers(0, 4)).tolist()
        candidates.append([*own[0][start:stop], *noise])
        references.append(own)
    return candidates, references


def by_sacrebleu(candidates: list[Sentence], references: list[list[Sentence]], N: int) -> BLEUScore:
    """What sacreBLEU counts on words as they are, without smoothing."""
    metric = BLEU(tokenize="none", smooth_method="none", max_ngram_order=N, force=True)
    sides = [[" ".join(reference) for reference in own] for own in zip(*references, strict=True)]
    return metric.corpus_score([" ".join(candidate) for candidate in candidates], sides)


SACREBLEU = "sacrebleu.metrics.BLEU"


@check("papineni2002-precision", of=modified_precision, reference=SACREBLEU, tolerance=1e-12)
def precision_is_sacrebleus(rng: np.random.Generator) -> float:
    """Of n-grams of all lengths, with one to three references."""
    candidates, references = draw_corpus(rng)
    theirs = by_sacrebleu(candidates, references, 5).precisions
    ours = [modified_precision(candidates, references, n) for n in range(1, 6)]
    return max(abs(mine - percent / 100) for mine, percent in zip(ours, theirs, strict=True))


@check("papineni2002-bp", of=brevity_penalty, reference=SACREBLEU, tolerance=1e-12)
def penalty_is_sacrebleus(rng: np.random.Generator) -> float:
    """Of candidates longer or shorter than their references."""
    candidates, references = draw_corpus(rng)
    ours = brevity_penalty(sum(map(len, candidates)), reference_length(candidates, references))
    return abs(ours - by_sacrebleu(candidates, references, 4).bp)


@check("papineni2002-bleu", of=corpus_bleu, reference=SACREBLEU, tolerance=1e-12)
def bleu_is_sacrebleus(rng: np.random.Generator) -> float:
    """Of a few sentences, with n-grams up to one to five words."""
    candidates, references = draw_corpus(rng)
    N = int(rng.integers(1, 6))
    return abs(corpus_bleu(candidates, references, N) - by_sacrebleu(candidates, references, N).score / 100)

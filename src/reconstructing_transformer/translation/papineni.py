"""BLEU, as the paper defines it (Papineni et al. 2002). What the book measures is measured by sacreBLEU."""

import math
from collections import Counter
from collections.abc import Sequence
from functools import reduce
from operator import or_

from reconstructing_transformer.equations import deviation, implements

Sentence = Sequence[str]


def ngrams(sentence: Sentence, n: int) -> Counter[tuple[str, ...]]:
    """Count the sequences of n words that follow each other in a sentence.

    Args:
        sentence: its words.
        n: length of the sequences.

    Returns:
        How often each occurs.
    """
    return Counter(tuple(sentence[start : start + n]) for start in range(len(sentence) - n + 1))


@deviation(
    "papineni2002-precision",
    title="Not a single n-gram",
    reason="The formula is $0/0$ where no candidate has as many as $n$ words. We say $p_n = 0$, as sacreBLEU does.",
)
@implements("papineni2002-precision", p="p_n")
def modified_precision(candidates: Sequence[Sentence], references: Sequence[Sequence[Sentence]], n: int) -> float:
    """p_n = Σ Count_clip / Σ Count over all candidates' n-grams, §2.1 of Papineni et al. 2002.

    Args:
        candidates: the translations, each a list of words.
        references: what people wrote: for each candidate one or more translations.
        n: length of the n-grams.

    Returns:
        The share of the candidates' n-grams that occur in a reference. Each counts as often as it occurs in the
        reference that has most of it, and not once more.
    """
    found = written = 0
    for C, translations in zip(candidates, references, strict=True):
        Count = ngrams(C, n)
        Max_Ref_Count = reduce(or_, (ngrams(reference, n) for reference in translations))
        Count_clip = Count & Max_Ref_Count  # the smaller number of each
        found += Count_clip.total()
        written += Count.total()
    p_n = 0.0
    if written:
        p_n = found / written
    return p_n


@deviation(
    "papineni2002-bp",
    title="Nothing written",
    reason="For $c = 0$ the exponent is infinite, or $0/0$. We say $\\text{BP} = 0$.",
)
@implements("papineni2002-bp")
def brevity_penalty(c: int, r: int) -> float:
    """BP = 1 if c > r, e^(1 − r/c) if c ≤ r, §2.3 of Papineni et al. 2002.

    Args:
        c: words of all candidates together.
        r: words that they should have had, the `reference_length`.

    Returns:
        What BLEU is multiplied by.
    """
    BP = 1.0
    if c <= r:
        BP = math.exp(1 - r / c) if c else 0.0
    return BP


@deviation(
    "papineni2002-bp",
    title="The shorter one of two that are as close",
    reason="A candidate's part of $r$ is the length of the reference that is closest to it. Where a shorter and a "
    "longer one are as close, the paper is silent; we take the shorter one, as sacreBLEU does.",
)
def reference_length(candidates: Sequence[Sentence], references: Sequence[Sequence[Sentence]]) -> int:
    """The length that the candidates should have had: of each one's references, that of the closest.

    Args:
        candidates: the translations.
        references: for each candidate one or more.

    Returns:
        The sum over all candidates, the paper's r.
    """
    return sum(
        min((abs(len(reference) - len(C)), len(reference)) for reference in translations)[1]
        for C, translations in zip(candidates, references, strict=True)
    )


@implements("papineni2002-bleu")
def corpus_bleu(candidates: Sequence[Sentence], references: Sequence[Sequence[Sentence]], N: int = 4) -> float:
    """BLEU = BP · exp(Σ w_n log p_n) with w_n = 1/N, §2.3 of Papineni et al. 2002.

    Args:
        candidates: the translations, each a list of words.
        references: what people wrote: for each candidate one or more translations.
        N: length of the longest n-grams.

    Returns:
        A number from 0 to 1. It is 0 if no n-gram of some length is right, for the logarithm of 0 is −∞.

    Raises:
        ValueError: there are not as many candidates as sets of references, or a candidate has no reference.
    """
    if len(candidates) != len(references):
        raise ValueError(f"each candidate has references; got {len(candidates)} candidates, {len(references)} sets")
    if any(len(translations) == 0 for translations in references):
        raise ValueError("each candidate needs at least one reference; got one that has none")
    BP = brevity_penalty(sum(len(C) for C in candidates), reference_length(candidates, references))
    p = [modified_precision(candidates, references, n) for n in range(1, N + 1)]
    w = 1 / N
    BLEU = 0.0
    if min(p) > 0:
        BLEU = BP * math.exp(sum(w * math.log(p_n) for p_n in p))
    return BLEU

"""Beam search: to follow several translations at once, and to keep the best (Wu et al. 2016, §7)."""

import math
from typing import Literal, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from reconstructing_transformer.equations import deviation, implements
from reconstructing_transformer.transformer import Transformer
from reconstructing_transformer.translation.largest import largest
from reconstructing_transformer.translation.search import NEVER, at_rest, limits, start, still_open
from reconstructing_transformer.translation.tokeniser import BEGIN, END


class Hypothesis(NamedTuple):
    """A translation that a search has found."""

    tokens: list[int]
    """Its tokens, without BEGIN and END."""

    score: float
    """What hypotheses are ranked by: the log-probability over the length penalty."""

    log_probability: float
    """log P(Y|X) in nats, that of END included."""

    ended: bool
    """Whether it came to its end; otherwise it was cut off at the limit."""


class Candidate(NamedTuple):
    """A beam with one more token: what a step of the search chooses from."""

    parent: int | None
    """Which of the candidates of the step before it continues; None at the first step."""

    token: int
    """The token."""

    log_probability: float
    """Of all its tokens so far, in nats."""

    fate: Literal["live", "ended", "dropped"]
    """Whether the search went on with it, or it came to its end, or others were better."""


@deviation(
    "wu2016-14",
    title="No coverage penalty",
    reason="We leave out $cp$, that is, we set $\\beta = 0$. It rewards a hypothesis whose attention has covered the "
    "whole source. That takes one attention for granted; the Transformer has many, and none of them need be an "
    "alignment. Vaswani et al. (2017, §6.1) use the length penalty and name no other.",
)
@deviation(
    "wu2016-14",
    title="The end counts",
    reason="The paper does not say whether the end of the sentence is one of the $|Y|$ tokens. We count it, since its "
    "probability is a factor of $P(Y|X)$.",
)
@implements("wu2016-14", P="log_P", s=None, X=None, cp=None, beta=None, p=None)
def score(
    log_P: Float[Tensor, "*batch"] | float, Y: Float[Tensor, "*#batch"] | int, alpha: float
) -> Float[Tensor, "*batch"] | float:
    """s(Y, X) = log(P(Y|X))/lp(Y) with lp(Y) = (5 + |Y|)^α/(5 + 1)^α, Eq. 14 of Wu et al. 2016 for β = 0.

    Args:
        log_P: log-probabilities of hypotheses.
        Y: how many tokens each has, END included.
        alpha: how much longer hypotheses are favoured; 0 is not at all.

    Returns:
        The scores, by which hypotheses of different lengths are compared.
    """
    lp = (5 + Y) ** alpha / (5 + 1) ** alpha
    return log_P / lp


class _Step(NamedTuple):
    """What one step of a search decided, for the sentences that were left."""

    sentences: Int[Tensor, " left"]
    log_p: Float[Tensor, "left candidates"]
    parents: Int[Tensor, "left candidates"]
    tokens: Int[Tensor, "left candidates"]
    ends: Bool[Tensor, "left candidates"]
    live: Int[Tensor, "left beams"]
    over: Bool[Tensor, " left"]


def _search(
    model: Transformer,
    source: Int[Tensor, "sentences m"],
    source_mask: Bool[Tensor, "#sentences 1 m"] | None,
    beam_size: int,
    alpha: float,
    most: int | None,
    best: int,
    cached: bool,
) -> list[_Step]:
    """Search for the translations of a batch, and return all that was decided on the way, on the CPU."""
    limit = limits(model, source, source_mask, most)
    decoder = start(model, source, source_mask, cached)
    sentences = torch.arange(len(source), device=source.device)
    tokens, parents = source.new_full((len(source), 1), BEGIN), None
    dtype = torch.promote_types(model.positions.PE.dtype, torch.float32)  # half precision is too coarse for sums
    live = torch.zeros(len(source), 1, dtype=dtype, device=source.device)
    top = live.new_full((len(source), best), -torch.inf)
    found, over = torch.zeros_like(sentences), torch.zeros_like(sentences, dtype=torch.bool)
    steps: list[_Step] = []
    for step in range(int(limit.max()) if len(source) else 0):
        log_p = model.logits(decoder.step(tokens, parents)).log_softmax(-1, dtype=dtype)
        log_p[..., NEVER] = -torch.inf
        log_p += live.unsqueeze(-1)
        # Of twice as many candidates as beams, at most half come to their end: enough are left to go on with.
        log_P, beam, token = largest(log_p, min(2 * beam_size, log_p[0].numel()))
        is_end = token == END
        ends = is_end & log_P.isfinite()
        ends[:, beam_size:] = False
        found = found + ends.sum(-1)
        scores = score(log_P, step + 1, alpha).masked_fill(~ends, -torch.inf)
        top = torch.cat([top, scores], dim=1).topk(best).values
        live, kept = log_P.masked_fill(is_end, -torch.inf).topk(min(beam_size, log_P.size(1)))
        parents, tokens = beam.gather(1, kept), token.gather(1, kept)
        # A longer hypothesis is never likelier, and none has a larger penalty than the longest: that bounds its score.
        hopeless = score(live[:, 0], limit.to(dtype), alpha) <= top[:, -1]
        over = over | hopeless | (found >= beam_size) | (step + 1 >= limit)
        # Where there are fewer candidates than beams, the rest has no probability, nor any descendant that has.
        steps.append(_Step(sentences, log_P, beam, token, ends, kept.masked_fill(live.isinf(), -1), over))
        if (left := still_open(over, step)) is not None:
            if len(left) == 0:
                break
            decoder.keep(left)
            sentences, tokens, parents, live, top, found, over, limit = (
                state[left] for state in (sentences, tokens, parents, live, top, found, over, limit)
            )
    return steps


class _Record:
    """All that a search decided, step by step, as plain lists.

    Args:
        steps: what `_search` returned.
    """

    def __init__(self, steps: list[_Step]) -> None:
        self.steps = [_Step(*(decided.tolist() for decided in step)) for step in steps]
        self.rows = [{sentence: row for row, sentence in enumerate(step.sentences)} for step in self.steps]

    def tokens(self, sentence: int, number: int, candidate: int) -> list[int]:
        """The tokens of a candidate of a step, gathered from the last to the first."""
        tokens = []
        while True:
            step, row = self.steps[number], self.rows[number][sentence]
            tokens.append(step.tokens[row][candidate])
            if number == 0:
                return tokens[::-1]
            number -= 1
            candidate = self.steps[number].live[self.rows[number][sentence]][step.parents[row][candidate]]

    def hypotheses(self, sentence: int, alpha: float, best: int) -> list[Hypothesis]:
        """The best translations of a sentence: those that came to their end, then those that were cut off."""
        found = []
        for number, step in enumerate(self.steps):
            row = self.rows[number][sentence]
            chosen = [(True, place) for place, end in enumerate(step.ends[row]) if end]
            if step.over[row]:
                chosen += [(False, place) for place in step.live[row] if place >= 0]
            for ended, place in chosen:
                log_P = step.log_p[row][place]
                if math.isfinite(log_P):
                    found.append((ended, score(log_P, number + 1, alpha), log_P, number, place))
            if step.over[row]:  # it may have stayed in the batch, but what came then is not its own
                break
        hypotheses = []
        for ended, points, log_P, number, place in sorted(found, key=lambda one: one[:2], reverse=True)[:best]:
            tokens = self.tokens(sentence, number, place)
            hypotheses.append(Hypothesis(tokens[:-1] if ended else tokens, points, log_P, ended))
        return hypotheses


def beam_search(
    model: Transformer,
    source: Int[Tensor, "sentences m"],
    source_mask: Bool[Tensor, "#sentences 1 m"] | None = None,
    *,
    beam_size: int = 4,
    alpha: float = 0.6,
    most: int | None = None,
    best: int = 1,
    cached: bool = True,
) -> list[list[Hypothesis]]:
    """Translate by following the likeliest beginnings of translations at once.

    Each step continues each of `beam_size` beginnings, its beams, by each token. Of all these candidates the likeliest
    are kept. One that ends is a hypothesis if it is among the first `beam_size`; the others are the next step's beams.
    A sentence is done when `beam_size` hypotheses are found, or at its limit, or as soon as no beam can overtake the
    best hypotheses any more, however likely its tokens may be.

    Args:
        model: it is put into evaluation mode, and back.
        source: what it reads.
        source_mask: True where a token of the source may be attended to, a `padding_mask`; everywhere where None.
        beam_size: how many beginnings are followed. With one, the search is the greedy one.
        alpha: of the length penalty; 0.6 is the paper's (§6.1).
        most: how many tokens a translation may have, END included; where None, 50 more than its source has.
        best: how many translations of each sentence are wanted.
        cached: whether keys and values are kept; otherwise all that is written is computed anew at each step, and the
            result is the same.

    Returns:
        The translations of each sentence, the best one first: hypotheses that came to their end, by their scores, and
        if these are too few, those that were cut off at the limit.

    Raises:
        ValueError: the beam size is not positive, `best` is more than it, alpha is negative, or `most` is out of range.
    """
    _check(beam_size, alpha, best)
    with at_rest(model):
        steps = _search(model, source, source_mask, beam_size, alpha, most, best, cached)
    record = _Record(steps)
    return [record.hypotheses(sentence, alpha, best) for sentence in range(len(source))]


def search_tree(
    model: Transformer,
    source: Int[Tensor, " m"],
    *,
    beam_size: int = 4,
    alpha: float = 0.6,
    most: int | None = None,
    best: int = 1,
) -> list[list[Candidate]]:
    """Watch a beam search: what it had to choose from at each step, and what it chose.

    Args:
        model: it is put into evaluation mode, and back.
        source: one sentence.
        beam_size: how many beginnings are followed.
        alpha: of the length penalty.
        most: how many tokens a translation may have, END included; where None, 50 more than its source has.
        best: how many translations are wanted.

    Returns:
        The candidates of each step, twice as many as beams where there are so many, the likeliest first.

    Raises:
        ValueError: as in `beam_search`.
    """
    _check(beam_size, alpha, best)
    with at_rest(model):
        steps = _search(model, source.unsqueeze(0), None, beam_size, alpha, most, best, cached=True)
    tree: list[list[Candidate]] = []
    before = None
    for step in steps:
        log_P, parents, tokens, ends = (decided[0].tolist() for decided in step[1:5])
        live = step.live[0].tolist()
        fates = ["ended" if end else "live" if place in live else "dropped" for place, end in enumerate(ends)]
        origins = [None if before is None else before[parent] for parent in parents]
        candidates = map(Candidate, origins, tokens, log_P, fates)
        tree.append([candidate for candidate in candidates if math.isfinite(candidate.log_probability)])
        before = live
    return tree


def _check(beam_size: int, alpha: float, best: int) -> None:
    """Refuse what no search can do."""
    if beam_size < 1:
        raise ValueError(f"a beam search follows at least one beginning; got beam_size={beam_size}")
    if not 1 <= best <= beam_size:
        raise ValueError(f"beam_size={beam_size} finds 1 to {beam_size} translations of a sentence; got best={best}")
    if not alpha >= 0:
        raise ValueError(f"a length penalty rises with the length, or stays the same: alpha is 0 or more; got {alpha}")

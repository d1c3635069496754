"""Interventions: change the weights of cross-attention while a translator writes, and see what becomes of its words."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import torch
from einops import rearrange
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from reconstructing_transformer.transformer import MultiHeadAttention, Transformer
from reconstructing_transformer.transformer.attention import softmax
from reconstructing_transformer.translation.search import at_rest

Change = Callable[[int, Tensor], Tensor]
"""Gets the number of a layer, from 0, and its weights, of shape (sentences, h, n, m), and returns others."""


class ChangedAttention(nn.Module):
    """An attention whose weights are changed before the values are mixed by them. All else is as it was.

    Args:
        attention: the attention.
        change: what is done to its weights, of shape (sentences, h, n, m).
    """

    def __init__(self, attention: MultiHeadAttention, change: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.attention, self.change = attention, change

    def forward(
        self,
        Q: Float[Tensor, "sentences n d_model"],
        K: Float[Tensor, "sentences m d_model"],
        V: Float[Tensor, "sentences m d_model"],
        mask: Bool[Tensor, "#sentences #n m"] | None = None,
    ) -> tuple[Float[Tensor, "sentences n d_model"], Float[Tensor, "sentences h n m"]]:
        """Attend as `MultiHeadAttention` does, but for the weights.

        Args:
            Q: n queries.
            K: m keys.
            V: m values, one a key.
            mask: True where a query may attend to a key; everywhere where None.

        Returns:
            The output and the weights, as they are after the change.
        """
        own = self.attention
        Q, K, V = (
            rearrange(project(x), "s n (h d) -> s h n d", h=own.h)
            for project, x in ((own.W_Q, Q), (own.W_K, K), (own.W_V, V))
        )
        scores = Q @ K.transpose(-2, -1) / math.sqrt(Q.size(-1))
        weights = self.change(softmax(scores, None if mask is None else mask.unsqueeze(-3)))
        return own.W_O(rearrange(weights @ V, "s h n d -> s n (h d)")), weights


@contextmanager
def changed_cross_attention(model: Transformer, change: Change) -> Iterator[None]:
    """Change the weights of all cross-attentions of a model while the block runs.

    It is the whole model that is run in the block, `decode` say; the search with caches has its own way to attend.

    Args:
        model: the model.
        change: called for each layer.
    """
    layers = model.decoder.layers
    kept = [layer.cross_attention for layer in layers]
    for number, layer in enumerate(layers):
        layer.cross_attention = ChangedAttention(kept[number], partial(change, number))
    try:
        yield
    finally:
        for layer, attention in zip(layers, kept, strict=True):
            layer.cross_attention = attention


def without(weights: Float[Tensor, "*heads n m"], places: Bool[Tensor, "*#heads #n m"]) -> Float[Tensor, "*heads n m"]:
    """Take the weight from some places and give it to the others, in the proportion in which they had theirs.

    It is what a mask would have made of the scores.

    Args:
        weights: attention weights.
        places: True where no weight shall be; not at all places of a row.

    Returns:
        Weights whose rows sum to one.
    """
    left = weights.masked_fill(places, 0)
    return left / left.sum(-1, keepdim=True).clamp(min=torch.finfo(weights.dtype).tiny)


def log_probabilities(
    model: Transformer,
    source: Int[Tensor, "sentences m"],
    target: Int[Tensor, "sentences n"],
    source_mask: Bool[Tensor, "sentences 1 m"] | None = None,
) -> Float[Tensor, "sentences n_1"]:
    """The logarithm of the probability of each token of a target, given the source and the tokens before.

    Args:
        model: it is put into evaluation mode, and back.
        source: tokens of the source.
        target: tokens of the target, from BEGIN on.
        source_mask: True where a token of the source may be attended to; everywhere where None.

    Returns:
        In nats, of each token but BEGIN.
    """
    with at_rest(model):
        states = model.decode(target[:, :-1], model.encode(source, source_mask), source_mask)
        return model.logits(states).log_softmax(-1).gather(-1, target[:, 1:, None]).squeeze(-1)

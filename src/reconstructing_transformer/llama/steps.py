"""From the decoder of 2017 to LLaMA-2 in five steps: six small language models, each one change from the one before."""

import math
from dataclasses import dataclass, replace

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn

from reconstructing_transformer.llama.attention import GroupedQueryAttention
from reconstructing_transformer.llama.feed_forward import SwiGLU
from reconstructing_transformer.llama.normalisation import RMSNorm
from reconstructing_transformer.llama.rotary import rotary_angles, rotate
from reconstructing_transformer.transformer import (
    Embedding,
    LayerNorm,
    MultiHeadAttention,
    PositionalEncoding,
    PositionwiseFeedForward,
    Residual,
    causal_mask,
)


@dataclass(frozen=True)
class Step:
    """What a model of the ladder is made of; the defaults are those of 2017.

    Args:
        name: which of the six it is.
        change: what is new in it, in a word.
        norm_first: pre-norm instead of post-norm.
        norm: the class of its normalisations.
        rotary: rotary positions in each attention instead of sinusoidal ones that are added once.
        feed_forward: the class of its feed-forward networks.
        width: width of their inner layers, as a multiple of d_model.
        grouped: grouped-query attention, two query heads to a key head and no biases, instead of multi-head attention.
    """

    name: str = "2017"
    change: str = "the decoder of 2017, without the attention to a source"
    norm_first: bool = False
    norm: type[nn.Module] = LayerNorm
    rotary: bool = False
    feed_forward: type[nn.Module] = PositionwiseFeedForward
    width: float = 4.0
    grouped: bool = False


_2017 = Step()
_PRE_NORM = replace(_2017, name="pre-norm", change="norms before the sub-layers", norm_first=True)
_RMS_NORM = replace(_PRE_NORM, name="rms-norm", change="RMSNorm for LayerNorm", norm=RMSNorm)
_ROTARY = replace(_RMS_NORM, name="rotary", change="rotary positions for sinusoidal ones", rotary=True)
# Three matrices for two: each is 8/3 of d_model wide instead of 4.
_SWIGLU = replace(_ROTARY, name="swiglu", change="SwiGLU for the ReLU network", feed_forward=SwiGLU, width=8 / 3)
# What the smaller matrices of keys and values save goes into the feed-forward networks, as LLaMA-2's authors did.
_LLAMA = replace(_SWIGLU, name="llama", change="grouped queries, no biases", grouped=True, width=3.0)
STEPS: dict[str, Step] = {step.name: step for step in (_2017, _PRE_NORM, _RMS_NORM, _ROTARY, _SWIGLU, _LLAMA)}


class Rotated(nn.Module):
    """A projection to the queries or keys of all heads, each of which is then rotated by its position.

    Args:
        projection: W_Q or W_K of a multi-head attention.
        h: its number of heads.
    """

    def __init__(self, projection: nn.Linear, h: int) -> None:
        super().__init__()
        self.projection = projection
        self.h = h

    def forward(self, x: Float[Tensor, "*batch n d_model"]) -> Float[Tensor, "*batch n d_model"]:
        """Project, and rotate pair by pair.

        Args:
            x: one vector a position.

        Returns:
            The rotated queries or keys of all heads, side by side.
        """
        heads = rearrange(self.projection(x), "... n (h d_k) -> ... h n d_k", h=self.h)
        return rearrange(rotate(heads, _angles(x, self.h)), "... h n d_k -> ... n (h d_k)")


def _angles(x: Tensor, h: int) -> Tensor:
    """The angles of h heads that read x from its first position on."""
    return rotary_angles(torch.arange(x.size(-2), device=x.device), x.size(-1) // h)


def inner_width(step: Step, d_model: int) -> int:
    """Width of a feed-forward network's inner layer: the step's share of d_model, rounded up to a multiple of 8.

    Args:
        step: which gives the share.
        d_model: width of the model.
    """
    return 8 * math.ceil(step.width * d_model / 8)


def _attention(step: Step, d_model: int, h: int) -> nn.Module:
    if step.grouped:
        return GroupedQueryAttention(d_model, h, h // 2)
    attention = MultiHeadAttention(d_model, h)
    if step.rotary:
        attention.W_Q, attention.W_K = Rotated(attention.W_Q, h), Rotated(attention.W_K, h)
    return attention


class StepLayer(nn.Module):
    """Attention to what came before, then the feed-forward network, each within a residual connection.

    Args:
        step: what it is made of.
        d_model: width of the model.
        h: number of query heads.
    """

    def __init__(self, step: Step, d_model: int, h: int) -> None:
        super().__init__()
        self.around_attention, self.around_feed_forward = (
            Residual(d_model, dropout=0.0, norm_first=step.norm_first) for _ in range(2)
        )
        for around in (self.around_attention, self.around_feed_forward):
            around.norm = step.norm(d_model)
        self.attention = _attention(step, d_model, h)
        self.grouped = step.grouped
        self.feed_forward = step.feed_forward(d_model, inner_width(step, d_model))

    def forward(self, x: Float[Tensor, "batch n d_model"]) -> Float[Tensor, "batch n d_model"]:
        """Let each position look back, then think for itself.

        Args:
            x: one vector a position.

        Returns:
            One vector a position.
        """
        x = self.around_attention(x, self._attend)
        return self.around_feed_forward(x, self.feed_forward)

    def _attend(self, x: Tensor) -> Tensor:
        if self.grouped:
            return self.attention(x, _angles(x, self.attention.h))
        return self.attention(x, x, x, causal_mask(x.size(-2), x.device))[0]


class StepModel(nn.Module):
    """A language model of the ladder. All matrices but the embedding start Xavier-uniform, in each of the six.

    Args:
        step: what it is made of.
        vocabulary: number of pieces.
        N: number of layers.
        d_model: width of the model.
        h: number of query heads.
        max_length: length of the longest context.
    """

    def __init__(
        self, step: Step, vocabulary: int, N: int = 4, d_model: int = 128, h: int = 4, max_length: int = 1024
    ) -> None:
        super().__init__()
        self.embedding = Embedding(vocabulary, d_model)
        self.positions = nn.Identity() if step.rotary else PositionalEncoding(d_model, 0.0, max_length)
        self.layers = nn.ModuleList(StepLayer(step, d_model, h) for _ in range(N))
        self.norm = step.norm(d_model) if step.norm_first else nn.Identity()
        for matrix in self.layers.parameters():
            if matrix.ndim == 2:
                nn.init.xavier_uniform_(matrix)

    def forward(self, t: Int[Tensor, "batch n"]) -> Float[Tensor, "batch n vocabulary"]:
        """Predict, at each position, the piece that follows.

        Args:
            t: numbers of the pieces.

        Returns:
            The logits of the next piece.
        """
        x = self.positions(self.embedding(t))
        for layer in self.layers:
            x = layer(x)
        return self.embedding.logits(self.norm(x))

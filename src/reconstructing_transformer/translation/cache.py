"""A decoder that writes a token at a time and remembers what it has computed: keys and values are made once."""

from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional

from reconstructing_transformer.transformer import Transformer
from reconstructing_transformer.transformer.attention import fused_attention
from reconstructing_transformer.transformer.decoder import DecoderLayer

ROOM = 32  # steps that a cache holds at first; it doubles when they are full


@runtime_checkable
class StepDecoder(Protocol):
    """Writes translations of several sentences, of each in several versions, its beams, a token at a time."""

    def step(
        self, tokens: Int[Tensor, "sentences beams"], parents: Int[Tensor, "sentences beams"] | None = None
    ) -> Float[Tensor, "sentences beams d_model"]:
        """Append a token to each beam, and compute the vector that predicts the next one.

        Args:
            tokens: what is appended.
            parents: which of the beams of the step before each beam continues; each its own where None.
        """
        ...

    def keep(self, sentences: Int[Tensor, " kept"]) -> None:
        """Go on with some of the sentences only, those of these indices."""
        ...


class CachedLayer:
    """A decoder layer of a model, with the keys and values of what it has read.

    The residual connections and the feed-forward network are the model's own; the attentions are too, but for their
    keys and values, which are not computed anew.

    Args:
        layer: the model's layer.
        memory: the encoder's output.
        memory_mask: True where a place of the memory may be attended to; everywhere where None.
    """

    def __init__(
        self,
        layer: DecoderLayer,
        memory: Float[Tensor, "sentences m d_model"],
        memory_mask: Bool[Tensor, "sentences 1 1 m"] | None,
    ) -> None:
        own, cross = layer.self_attention, layer.cross_attention
        self.layer, self.h = layer, own.h
        # One product makes queries, keys and values: a product of so few rows costs little more than its call.
        self.W_QKV = torch.cat([own.W_Q.weight, own.W_K.weight, own.W_V.weight])
        biased = own.W_Q.bias is not None
        self.b_QKV = torch.cat([own.W_Q.bias, own.W_K.bias, own.W_V.bias]) if biased else None
        self.memory_K = self._heads(cross.W_K(memory)).contiguous()
        self.memory_V = self._heads(cross.W_V(memory)).contiguous()
        self.memory_mask = memory_mask
        # Keys and values of all beams of a sentence, one behind the other, in the order in which they were computed.
        self.KV = memory.new_empty(2, len(memory), self.h, ROOM, memory.size(-1) // self.h)

    def _heads(self, x: Float[Tensor, "sentences n d_model"]) -> Float[Tensor, "sentences h n d_k"]:
        return x.unflatten(-1, (self.h, -1)).transpose(1, 2)

    def step(
        self,
        x: Float[Tensor, "sentences beams d_model"],
        filled: int,
        visible: Bool[Tensor, "sentences 1 beams known"] | None,
    ) -> Float[Tensor, "sentences beams d_model"]:
        """Compute what the layer makes of each beam's newest position.

        Args:
            x: one vector a beam.
            filled: number of keys that the cache holds, the same for all sentences.
            visible: True where a beam descends from what a key was computed of, itself included; all where None.

        Returns:
            One vector a beam.
        """

        def attend_to_itself(x: Tensor) -> Tensor:
            QKV = functional.linear(x, self.W_QKV, self.b_QKV).unflatten(-1, (3, self.h, -1)).permute(2, 0, 3, 1, 4)
            known = filled + x.size(1)
            self._make_room(known)
            self.KV[:, :, :, filled:known] = QKV[1:]
            K, V = self.KV[:, :, :, :known]
            heads, _ = fused_attention(QKV[0], K, V, visible)
            return self.layer.self_attention.W_O(heads.transpose(1, 2).flatten(2))

        def attend_to_memory(x: Tensor) -> Tensor:
            cross = self.layer.cross_attention
            # The beams of a sentence are so many queries to one memory: it need not be copied for each.
            heads, _ = fused_attention(self._heads(cross.W_Q(x)), self.memory_K, self.memory_V, self.memory_mask)
            return cross.W_O(heads.transpose(1, 2).flatten(2))

        x = self.layer.around_self_attention(x, attend_to_itself)
        x = self.layer.around_cross_attention(x, attend_to_memory)
        return self.layer.around_feed_forward(x, self.layer.feed_forward)

    def _make_room(self, known: int) -> None:
        if known > (room := self.KV.size(3)):
            larger = self.KV.new_empty(*self.KV.shape[:3], max(known, 2 * room), self.KV.size(4))
            larger[:, :, :, :room] = self.KV
            self.KV = larger

    def keep(self, sentences: Int[Tensor, " kept"]) -> None:
        """Forget the other sentences."""
        self.memory_K, self.memory_V = self.memory_K[sentences], self.memory_V[sentences]
        self.memory_mask = None if self.memory_mask is None else self.memory_mask[sentences]
        self.KV = self.KV[:, sentences]


class CachedDecoder:
    """The model's decoder with caches: a step costs the same number of products, however much is written already.

    Keys and values of the memory are computed once a sentence; those of the target when a token is appended, and they
    are never moved. When beams are abandoned and others branch, only a mask changes that says which beam descends from
    which key.

    Args:
        model: it should be in evaluation mode, and its weights must stay as they are.
        source: what it reads.
        source_mask: True where a token of the source may be attended to; everywhere where None.
    """

    def __init__(
        self,
        model: Transformer,
        source: Int[Tensor, "sentences m"],
        source_mask: Bool[Tensor, "#sentences 1 m"] | None = None,
    ) -> None:
        self.model = model
        mask = None
        if source_mask is not None and not source_mask.all():  # a mask that hides nothing only costs time
            mask = source_mask.expand(len(source), -1, -1).unsqueeze(1)
        memory = model.encode(source, source_mask)
        self.layers = [CachedLayer(layer, memory, mask) for layer in model.decoder.layers]
        self.length = 0
        self.filled = 0
        self.visible: Bool[Tensor, "sentences beams known"] | None = None

    def step(
        self, tokens: Int[Tensor, "sentences beams"], parents: Int[Tensor, "sentences beams"] | None = None
    ) -> Float[Tensor, "sentences beams d_model"]:
        """Append a token to each beam, and compute the vector that predicts the next one.

        Args:
            tokens: what is appended.
            parents: which of the beams of the step before each beam continues; each its own where None.

        Returns:
            One vector a beam: what `model.decode` would return at its last position.
        """
        visible = self._look_back(*tokens.shape, parents)
        x = self.model.target_embedding(tokens) + self.model.positions.PE[self.length]
        for layer in self.layers:
            x = layer.step(x, self.filled, visible)
        self.length += 1
        self.filled += tokens.size(1)
        return self.model.decoder.norm(x)

    def _look_back(
        self, sentences: int, beams: int, parents: Int[Tensor, "sentences beams"] | None
    ) -> Bool[Tensor, "sentences 1 beams known"] | None:
        """Let each beam see what its parent saw, and itself; None where there has been one beam only, all along."""
        if beams == 1 and self.filled == self.length:
            return None
        before = self.visible
        if before is None:
            before = torch.ones(sentences, 1, self.filled, dtype=torch.bool, device=self.model.positions.PE.device)
        if parents is not None:
            before = before.gather(1, parents.unsqueeze(-1).expand(-1, -1, self.filled))
        itself = torch.eye(beams, dtype=torch.bool, device=before.device).expand(sentences, -1, -1)
        self.visible = torch.cat([before, itself], dim=-1)  # a bit a key: to copy it costs nothing
        return self.visible.unsqueeze(1)

    def keep(self, sentences: Int[Tensor, " kept"]) -> None:
        """Go on with some of the sentences only.

        Args:
            sentences: their indices.
        """
        for layer in self.layers:
            layer.keep(sentences)
        if self.visible is not None:
            self.visible = self.visible[sentences]


class RecomputingDecoder:
    """The model's decoder without caches: each step passes all that is written through `model.decode` again.

    It returns what `CachedDecoder` returns, and is here to be compared with it.

    Args:
        model: it should be in evaluation mode.
        source: what it reads.
        source_mask: True where a token of the source may be attended to; everywhere where None.
    """

    def __init__(
        self,
        model: Transformer,
        source: Int[Tensor, "sentences m"],
        source_mask: Bool[Tensor, "#sentences 1 m"] | None = None,
    ) -> None:
        self.model = model
        self.memory = model.encode(source, source_mask)
        self.mask = None if source_mask is None else source_mask.expand(len(source), -1, -1)
        self.written = source.new_empty(len(source), 1, 0)

    def step(
        self, tokens: Int[Tensor, "sentences beams"], parents: Int[Tensor, "sentences beams"] | None = None
    ) -> Float[Tensor, "sentences beams d_model"]:
        """Append a token to each beam, and compute the vector that predicts the next one.

        Args:
            tokens: what is appended.
            parents: which of the beams of the step before each beam continues; each its own where None.

        Returns:
            One vector a beam.
        """
        before, beams = self.written, tokens.size(1)
        if parents is not None:
            before = before.gather(1, parents.unsqueeze(-1).expand(-1, -1, before.size(-1)))
        self.written = torch.cat([before, tokens.unsqueeze(-1)], dim=-1)
        memory = self.memory.repeat_interleave(beams, 0)
        mask = None if self.mask is None else self.mask.repeat_interleave(beams, 0)
        return self.model.decode(self.written.flatten(0, 1), memory, mask)[:, -1].unflatten(0, (-1, beams))

    def keep(self, sentences: Int[Tensor, " kept"]) -> None:
        """Go on with some of the sentences only.

        Args:
            sentences: their indices.
        """
        self.memory, self.written = self.memory[sentences], self.written[sentences]
        self.mask = None if self.mask is None else self.mask[sentences]

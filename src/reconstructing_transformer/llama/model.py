"""The whole LLaMA-2 (Touvron et al. 2023b): embedding, N layers, a norm, and the way back to the vocabulary."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from reconstructing_transformer.llama.attention import GroupedQueryAttention
from reconstructing_transformer.llama.cache import KeyValueCache
from reconstructing_transformer.llama.feed_forward import SwiGLU
from reconstructing_transformer.llama.normalisation import RMSNorm
from reconstructing_transformer.llama.rotary import rotary_angles


class LlamaError(ValueError):
    """A checkpoint that this model can't be. The message says what came, what was expected, what to do."""


class LlamaConfig(BaseModel):
    """Everything that decides the shape of a LLaMA."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    vocabulary: int = Field(ge=1)
    d_model: int = Field(ge=2)
    d_ff: int = Field(ge=1)
    N: int = Field(ge=1, description="layers")
    h: int = Field(ge=1, description="query heads")
    g: int = Field(ge=1, description="key/value heads")
    d_k: int = Field(ge=2, description="width of a head")
    base: float = Field(default=10_000.0, gt=0, description="of the rotary angles")
    epsilon: float = Field(default=1e-5, ge=0)
    longest: int = Field(default=2_048, ge=1, description="tokens that it was trained to read")
    tied: bool = Field(default=False, description="whether embedding and output are one matrix")

    @classmethod
    def from_hugging_face(cls, told: dict[str, Any]) -> "LlamaConfig":
        """Read what a `config.json` says.

        Args:
            told: its content.

        Raises:
            LlamaError: the model isn't a LLaMA, or has something that ours hasn't.
        """
        kind = told.get("model_type")
        if kind != "llama":
            raise LlamaError(f"this is a checkpoint of model_type {kind!r}; only “llama” can be read")
        rope = told.get("rope_parameters") or told.get("rope_scaling") or {}
        other = {
            "hidden_act": told.get("hidden_act", "silu") != "silu",
            "attention_bias": bool(told.get("attention_bias")),
            "mlp_bias": bool(told.get("mlp_bias")),
            "rope scaling": rope.get("rope_type", rope.get("type", "default")) != "default",
        }
        if any(other.values()):
            raise LlamaError(
                f"the checkpoint asks for {', '.join(name for name, asked in other.items() if asked)}, which LLaMA-2 "
                "has not and this model neither; load it by transformers"
            )
        h = told["num_attention_heads"]
        return cls(
            vocabulary=told["vocab_size"],
            d_model=told["hidden_size"],
            d_ff=told["intermediate_size"],
            N=told["num_hidden_layers"],
            h=h,
            g=told.get("num_key_value_heads") or h,
            d_k=told.get("head_dim") or told["hidden_size"] // h,
            base=rope.get("rope_theta") or told.get("rope_theta") or 10_000.0,
            epsilon=told.get("rms_norm_eps", 1e-6),
            longest=told.get("max_position_embeddings", 2_048),
            tied=bool(told.get("tie_word_embeddings")),
        )

    @classmethod
    def from_folder(cls, folder: Path) -> "LlamaConfig":
        """Read the `config.json` of a folder.

        Args:
            folder: of a checkpoint.

        Raises:
            LlamaError: it has none, or one of another model.
        """
        path = folder / "config.json"
        try:
            return cls.from_hugging_face(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, json.JSONDecodeError, KeyError) as error:
            raise LlamaError(f"{path} can't be read as the configuration of a LLaMA: {error!r}") from error


class Layer(nn.Module):
    """One layer: attention, then the gated network, each behind a norm and beside a residual connection."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.attention_norm = RMSNorm(config.d_model, config.epsilon)
        self.attention = GroupedQueryAttention(config.d_model, config.h, config.g, config.d_k)
        self.feed_forward_norm = RMSNorm(config.d_model, config.epsilon)
        self.feed_forward = SwiGLU(config.d_model, config.d_ff)

    def forward(
        self, x: Float[Tensor, "b n d"], angles: Float[Tensor, "n half"], cache: KeyValueCache | None, number: int
    ) -> Float[Tensor, "b n d"]:
        """Add to each token what attention and network have to say."""
        x = x + self.attention(self.attention_norm(x), angles, cache, number)
        return x + self.feed_forward(self.feed_forward_norm(x))


class Llama(nn.Module):
    """A decoder that says how likely each token of the vocabulary is to come next.

    Args:
        config: its shape.
    """

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocabulary, config.d_model)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.N))
        self.norm = RMSNorm(config.d_model, config.epsilon)
        self.output = nn.Linear(config.d_model, config.vocabulary, bias=False)
        if config.tied:
            self.output.weight = self.embedding.weight

    def hidden(
        self, tokens: Int[Tensor, "b n"], cache: KeyValueCache | None = None
    ) -> Iterator[Float[Tensor, "b n d_model"]]:
        """The residual stream: what stands at each token after the embedding, and after each layer."""
        begin, n = (cache.length if cache else 0), tokens.size(-1)
        positions = torch.arange(begin, begin + n, device=tokens.device)
        angles = rotary_angles(positions, self.config.d_k, self.config.base)
        x = self.embedding(tokens)
        yield x
        for number, layer in enumerate(self.layers):
            x = layer(x, angles, cache, number)
            yield x
        if cache is not None:
            cache.advance(n)

    def read_out(self, x: Float[Tensor, "b n d_model"]) -> Float[Tensor, "b n vocabulary"]:
        """What a residual stream says of the next token: the last norm, then the way back to the vocabulary."""
        return self.output(self.norm(x))

    def forward(
        self, tokens: Int[Tensor, "b n"], cache: KeyValueCache | None = None
    ) -> Float[Tensor, "b n vocabulary"]:
        """Logits of the token that follows each of these.

        Args:
            tokens: numbers of the vocabulary.
            cache: of the tokens before these; it is extended.

        Returns:
            A row of logits a token.
        """
        for x in self.hidden(tokens, cache):
            last = x
        return self.read_out(last)

    @classmethod
    def from_pretrained(cls, name: str | Path, dtype: torch.dtype = torch.float32) -> "Llama":
        """Load a Hugging Face checkpoint: a folder, a `.gguf` file, or a hub's id.

        Args:
            name: where it is.
            dtype: of the weights.

        Raises:
            LlamaError: it is no LLaMA, has a pickle for its weights, or can't be had.
        """
        from reconstructing_transformer.llama.pretrained import load

        return load(cls, name, dtype)

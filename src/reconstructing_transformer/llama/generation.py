"""Writing on: one token after the other, the likeliest or one drawn by lot."""

from collections.abc import Iterator

import torch
from jaxtyping import Float, Int
from torch import Tensor

from reconstructing_transformer.llama.cache import KeyValueCache
from reconstructing_transformer.llama.model import Llama


def choose(
    logits: Float[Tensor, " vocabulary"],
    temperature: float = 0.0,
    top_k: int | None = None,
    top_p: float | None = None,
    generator: torch.Generator | None = None,
) -> int:
    """Choose the next token.

    Args:
        logits: of the whole vocabulary.
        temperature: 0 takes the likeliest; 1 draws by the model's own probabilities; above, more evenly.
        top_k: draw among that many likeliest only.
        top_p: draw among the likeliest that together have at least this share.
        generator: of the lot.

    Returns:
        The token's number.

    Raises:
        ValueError: the temperature is negative, or top_k or top_p leaves nothing to draw from.
    """
    if temperature < 0 or (top_k is not None and top_k < 1) or (top_p is not None and not 0 < top_p <= 1):
        raise ValueError(f"temperature must be ≥ 0, top_k ≥ 1, top_p in (0, 1]; got {temperature}, {top_k}, {top_p}")
    if temperature == 0:
        return int(logits.argmax())
    shares, tokens = (logits.float() / temperature).softmax(-1).sort(descending=True)
    if top_k is not None:
        shares[top_k:] = 0
    if top_p is not None:
        shares[shares.cumsum(-1) - shares >= top_p] = 0
    return int(tokens[torch.multinomial(shares, 1, generator=generator)])


@torch.inference_mode()
def generate(
    model: Llama,
    tokens: Int[Tensor, " n"],
    most: int,
    *,
    end: int | None = None,
    temperature: float = 0.0,
    top_k: int | None = None,
    top_p: float | None = None,
    seed: int = 0,
) -> Iterator[int]:
    """Write on after a beginning, with a cache: each step reads the one token that is new.

    Args:
        model: the model.
        tokens: the beginning, one token at least.
        most: how many tokens to write.
        end: the token after which nothing is written.
        temperature: see `choose`.
        top_k: see `choose`.
        top_p: see `choose`.
        seed: of the lot.

    Yields:
        Tokens, one after the other; the end itself isn't one of them.

    Raises:
        ValueError: there is no beginning.
    """
    if not len(tokens):
        raise ValueError("there must be one token at least to write on from; give the begin-of-text token")
    generator = torch.Generator(device=tokens.device).manual_seed(seed)
    cache, new = KeyValueCache(), tokens[None]
    for _ in range(most):
        token = choose(model(new, cache)[0, -1], temperature, top_k, top_p, generator)
        if token == end:
            return
        yield token
        new = tokens.new_tensor([[token]])

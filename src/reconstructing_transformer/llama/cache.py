"""The cache of keys and values: what has been read need not be read again for each word that is written."""

import torch
from jaxtyping import Float
from torch import Tensor


class KeyValueCache:
    """Keys (turned by their positions) and values of all tokens so far, layer by layer.

    Room is made in blocks, so that writing n tokens copies each of them about once and not n times.
    """

    BLOCK = 64

    def __init__(self) -> None:
        self._room: dict[int, tuple[Tensor, Tensor]] = {}
        self.length = 0

    def extend(
        self, layer: int, K: Float[Tensor, "batch g n d"], V: Float[Tensor, "batch g n d"]
    ) -> tuple[Float[Tensor, "batch g m d"], Float[Tensor, "batch g m d"]]:
        """Add the keys and values of new tokens to a layer's.

        Args:
            layer: its number.
            K: keys of the new tokens, g heads of them.
            V: their values.

        Returns:
            Keys and values of all tokens, old and new. They are views: read them, don't write.
        """
        begin, end = self.length, self.length + K.size(-2)
        held = self._room.get(layer)
        if held is None or held[0].size(-2) < end:
            size = -(-end // self.BLOCK) * self.BLOCK
            grown = tuple(new.new_empty((*new.shape[:-2], size, new.size(-1))) for new in (K, V))
            if held is not None:
                for room, old in zip(grown, held, strict=True):
                    room[..., :begin, :] = old[..., :begin, :]
            held = self._room[layer] = grown
        for room, new in zip(held, (K, V), strict=True):
            room[..., begin:end, :] = new
        return held[0][..., :end, :], held[1][..., :end, :]

    def advance(self, n: int) -> None:
        """Say that all layers have added n tokens."""
        self.length += n

    @property
    def numbers(self) -> int:
        """How many numbers the cache holds for the tokens so far, without the room that is still free."""
        return sum(room[..., : self.length, :].numel() for pair in self._room.values() for room in pair)

    def clear(self) -> None:
        """Forget everything."""
        self._room.clear()
        self.length = 0


def cache_numbers(layers: int, key_value_heads: int, d_head: int, tokens: int) -> int:
    """How many numbers a cache holds: a key and a value for each layer, key/value head and token.

    Args:
        layers: of the model.
        key_value_heads: g.
        d_head: width of a head.
        tokens: read and written.
    """
    return 2 * layers * key_value_heads * d_head * tokens


def causal(n: int, m: int, device: torch.device) -> Tensor:
    """Which of m tokens each of the last n may attend to: those up to itself.

    Args:
        n: tokens that ask.
        m: tokens in all; the last n of them ask.
        device: of the mask.

    Returns:
        True where it may, (n, m).
    """
    return torch.ones(n, m, dtype=torch.bool, device=device).tril(m - n)

"""Grouped-query attention (Ainslie et al. 2023) with rotary positions and a cache, as LLaMA has it."""

from einops import rearrange, repeat
from jaxtyping import Bool, Float
from torch import Tensor, nn

from reconstructing_transformer.equations import implements
from reconstructing_transformer.llama.cache import KeyValueCache, causal
from reconstructing_transformer.llama.rotary import rotate
from reconstructing_transformer.transformer.attention import fused_attention, scaled_dot_product_attention
from reconstructing_transformer.transformer.recording import is_recording, note


@implements("ainslie2023-gqa")
def grouped_query_attention(
    Q: Float[Tensor, "*batch h n d_k"],
    K: Float[Tensor, "*batch g m d_k"],
    V: Float[Tensor, "*batch g m d_k"],
    mask: Bool[Tensor, "n m"] | None = None,
    need_weights: bool = False,
) -> tuple[Float[Tensor, "*batch h n d_k"], Float[Tensor, "*batch h n m"] | None]:
    """head_i = Attention(Q_i, K_j, V_j) with j = ⌈i·g/h⌉: h/g query heads look at the same keys and values.

    Args:
        Q: queries of h heads.
        K: keys of g heads; g divides h.
        V: values of g heads.
        mask: True where a query may attend to a key; everywhere where None.
        need_weights: whether the weights are wanted; a recording wants them, too.

    Returns:
        The heads' outputs, and the weights of each query head where they were formed.

    Raises:
        ValueError: g does not divide h.
    """
    h, g = Q.size(-3), K.size(-3)
    if h % g:
        raise ValueError(f"g key/value heads must divide h query heads; got h={h} and g={g}")
    K, V = (repeat(shared, "... g m d_k -> ... (g times) m d_k", times=h // g) for shared in (K, V))
    attention = scaled_dot_product_attention if need_weights or is_recording() else fused_attention
    return attention(Q, K, V, mask)


class GroupedQueryAttention(nn.Module):
    """Attention of a LLaMA layer: h query heads on g key/value heads, turned by their positions, without biases.

    Args:
        d_model: width of the model.
        h: query heads.
        g: key/value heads; g = h is the attention of 2017, g = 1 multi-query attention.
        d_k: width of a head; d_model/h where None.
    """

    def __init__(self, d_model: int, h: int, g: int, d_k: int | None = None) -> None:
        super().__init__()
        if h % g:
            raise ValueError(f"g key/value heads must divide h query heads; got h={h} and g={g}")
        d_k = d_k or d_model // h
        self.h, self.g = h, g
        self.W_Q = nn.Linear(d_model, h * d_k, bias=False)
        self.W_K = nn.Linear(d_model, g * d_k, bias=False)
        self.W_V = nn.Linear(d_model, g * d_k, bias=False)
        self.W_O = nn.Linear(h * d_k, d_model, bias=False)

    def forward(
        self,
        x: Float[Tensor, "batch n d_model"],
        angles: Float[Tensor, "n half"],
        cache: KeyValueCache | None = None,
        layer: int = 0,
    ) -> Float[Tensor, "batch n d_model"]:
        """Let each token attend to itself and to those before it.

        Args:
            x: the tokens' vectors.
            angles: of the tokens' positions, as `rotary_angles` gives them.
            cache: of the tokens before; it is extended by these.
            layer: number of the layer, under which the cache keeps its own.

        Returns:
            What each token takes over.
        """
        Q = rotate(rearrange(self.W_Q(x), "b n (h d_k) -> b h n d_k", h=self.h), angles)
        K = rotate(rearrange(self.W_K(x), "b n (g d_k) -> b g n d_k", g=self.g), angles)
        V = rearrange(self.W_V(x), "b n (g d_k) -> b g n d_k", g=self.g)
        if cache is not None:
            K, V = cache.extend(layer, K, V)
        heads, _ = grouped_query_attention(Q, K, V, causal(Q.size(-2), K.size(-2), x.device))
        note(heads=heads)
        return self.W_O(rearrange(heads, "b h n d_k -> b n (h d_k)"))

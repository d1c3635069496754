"""Multi-head attention (Vaswani et al. 2017, §3.2.2)."""

from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn

from reconstructing_transformer.equations import deviation, implements
from reconstructing_transformer.transformer.attention import fused_attention, scaled_dot_product_attention
from reconstructing_transformer.transformer.recording import is_recording, note


@deviation(
    "vaswani2017-multi-head",
    title="Where the matrices start",
    reason="The paper does not say. Each of the four matrices starts Xavier-uniform by itself, and so do those of the "
    "feed-forward network; all biases start at zero.",
    pytorch="Starts $W^Q$, $W^K$ and $W^V$ as one matrix, $3\\,d_{\\text{model}}$ wide, which makes their numbers "
    "smaller by a factor of $\\sqrt 2$. The feed-forward network's biases start uniform.",
)
class MultiHeadAttention(nn.Module):
    """Several attentions side by side, each on its own projection of queries, keys and values.

    The projections W_i^Q of the paper's h heads stand side by side in one matrix W_Q, which projects for all heads at
    once; W_K and W_V likewise. The matrices start Xavier-uniform, the biases at zero.

    Args:
        d_model: width of the model.
        h: number of heads; each is d_k = d_v = d_model/h wide.
        bias: whether the four projections add a bias.

    Raises:
        ValueError: d_model is no multiple of h.
    """

    def __init__(self, d_model: int, h: int, bias: bool = True) -> None:
        super().__init__()
        if d_model % h:
            raise ValueError(
                f"d_model must be a multiple of h, so that all heads are equally wide; got d_model={d_model} and h={h}"
            )
        self.h = h
        self.W_Q = nn.Linear(d_model, d_model, bias)
        self.W_K = nn.Linear(d_model, d_model, bias)
        self.W_V = nn.Linear(d_model, d_model, bias)
        self.W_O = nn.Linear(d_model, d_model, bias)
        for projection in (self.W_Q, self.W_K, self.W_V, self.W_O):
            nn.init.xavier_uniform_(projection.weight)
            if bias:
                nn.init.zeros_(projection.bias)

    @deviation(
        "vaswani2017-multi-head",
        title="Biases",
        reason="The formula has none. Like `torch.nn.MultiheadAttention` we let each of the four projections add one, "
        "so that weights can be copied from PyTorch and back; `bias=False` gives the formula as it is printed.",
    )
    @implements("vaswani2017-multi-head")
    def forward(
        self,
        Q: Float[Tensor, "*batch n d_model"],
        K: Float[Tensor, "*batch m d_model"],
        V: Float[Tensor, "*batch m d_model"],
        mask: Bool[Tensor, "*#batch #n #m"] | None = None,
        need_weights: bool = False,
    ) -> tuple[Float[Tensor, "*batch n d_model"], Float[Tensor, "*batch h n m"] | None]:
        """MultiHead(Q, K, V) = Concat(head_1, …, head_h) W^O, with head_i = Attention(QW_i^Q, KW_i^K, VW_i^V).

        Args:
            Q: n queries.
            K: m keys.
            V: m values, one a key.
            mask: True where a query may attend to a key, in all heads alike; everywhere where None.
            need_weights: whether the weights are wanted. Where not, a kernel is used that never forms them, unless a
                recording is on.

        Returns:
            The output, and the weights of each head, or None where they were not formed.

        Raises:
            TypeError: the mask is not boolean.
            ValueError: the mask does not fit the queries and keys.
        """
        Q = rearrange(self.W_Q(Q), "... n (h d_k) -> ... h n d_k", h=self.h)
        K = rearrange(self.W_K(K), "... m (h d_k) -> ... h m d_k", h=self.h)
        V = rearrange(self.W_V(V), "... m (h d_v) -> ... h m d_v", h=self.h)
        mask = None if mask is None else mask.unsqueeze(-3)  # one mask for all heads
        attention = scaled_dot_product_attention if need_weights or is_recording() else fused_attention
        heads, weights = attention(Q, K, V, mask)
        note(heads=heads)
        return self.W_O(rearrange(heads, "... h n d_v -> ... n (h d_v)")), weights

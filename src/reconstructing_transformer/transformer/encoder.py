"""The encoder (Vaswani et al. 2017, §3.1)."""

from jaxtyping import Bool, Float
from torch import Tensor, nn

from reconstructing_transformer.equations import deviation
from reconstructing_transformer.transformer.feed_forward import PositionwiseFeedForward
from reconstructing_transformer.transformer.multi_head import MultiHeadAttention
from reconstructing_transformer.transformer.normalisation import LayerNorm
from reconstructing_transformer.transformer.residual import Residual


class EncoderLayer(nn.Module):
    """Self-attention, then the feed-forward network, each within a residual connection.

    Args:
        d_model: width of the model.
        d_ff: width of the feed-forward network's inner layer.
        h: number of heads.
        dropout: share of each sub-layer's output that is dropped in training.
        norm_first: pre-norm instead of the paper's post-norm.

    Raises:
        ValueError: d_model is no multiple of h.
    """

    def __init__(self, d_model: int, d_ff: int, h: int, dropout: float = 0.1, norm_first: bool = False) -> None:
        super().__init__()
        self.self_attention = MultiHeadAttention(d_model, h)
        self.feed_forward = PositionwiseFeedForward(d_model, d_ff)
        self.around_self_attention = Residual(d_model, dropout, norm_first)
        self.around_feed_forward = Residual(d_model, dropout, norm_first)

    def forward(
        self, x: Float[Tensor, "*batch n d_model"], mask: Bool[Tensor, "*#batch #n n"] | None = None
    ) -> Float[Tensor, "*batch n d_model"]:
        """Let each position look at all others, then think for itself.

        Args:
            x: one vector a position.
            mask: True where a position may attend to another; everywhere where None.

        Returns:
            One vector a position.
        """
        x = self.around_self_attention(x, lambda x: self.self_attention(x, x, x, mask)[0])
        return self.around_feed_forward(x, self.feed_forward)


@deviation(
    "vaswani2017-residual",
    title="A last norm, by choice",
    reason="The paper's stacks end with their last layer, that is, with its normalisation. So do ours, encoder and "
    "decoder alike. With pre-norm a layer ends in a bare sum, and we normalise what comes out on top. `final_norm` "
    "overrules both.",
    pytorch="Ends both stacks in one more `LayerNorm`, with post-norm, too.",
)
class Encoder(nn.Module):
    """A stack of encoder layers.

    Args:
        N: number of layers.
        d_model: width of the model.
        d_ff: width of the feed-forward networks' inner layer.
        h: number of heads.
        dropout: share of each sub-layer's output that is dropped in training.
        norm_first: pre-norm instead of the paper's post-norm.
        final_norm: whether the output of the last layer is normalised once more. Where None, it is with pre-norm, whose
            layers end in a sum that nothing has normalised, and is not with post-norm, as in the paper. True gives the
            stack that `torch.nn.Transformer` builds.

    Raises:
        ValueError: d_model is no multiple of h.
    """

    def __init__(
        self,
        N: int,
        d_model: int,
        d_ff: int,
        h: int,
        dropout: float = 0.1,
        norm_first: bool = False,
        final_norm: bool | None = None,
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(EncoderLayer(d_model, d_ff, h, dropout, norm_first) for _ in range(N))
        self.norm = LayerNorm(d_model) if (norm_first if final_norm is None else final_norm) else nn.Identity()

    def forward(
        self, x: Float[Tensor, "*batch n d_model"], mask: Bool[Tensor, "*#batch #n n"] | None = None
    ) -> Float[Tensor, "*batch n d_model"]:
        """Pass the sequence through all layers.

        Args:
            x: one vector a position.
            mask: True where a position may attend to another; everywhere where None.

        Returns:
            One vector a position: the memory that the decoder reads.
        """
        for layer in self.layers:
            x = layer(x, mask)
        return self.norm(x)

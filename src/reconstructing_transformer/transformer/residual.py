"""The residual connection around each sub-layer (Vaswani et al. 2017, §3.1 and §5.4)."""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor, nn

from reconstructing_transformer.equations import deviation, implements
from reconstructing_transformer.transformer.normalisation import LayerNorm


class Residual(nn.Module):
    """Add what a sub-layer computes to what it was given, and normalise the sum.

    Args:
        d_model: width of the model.
        dropout: share of the sub-layer's output that is dropped in training, before it is added (§5.4).
        norm_first: normalise what goes into the sub-layer (pre-norm) instead of the sum (post-norm, the paper's).
    """

    def __init__(self, d_model: int, dropout: float = 0.1, norm_first: bool = False) -> None:
        super().__init__()
        self.norm = LayerNorm(d_model)
        self.dropout = nn.Dropout(dropout)
        self.norm_first = norm_first

    @deviation(
        "vaswani2017-residual",
        title="Pre-norm, by choice",
        reason="With `norm_first=True` a layer computes $x + \\mathrm{Sublayer}(\\mathrm{LayerNorm}(x))$. No "
        "normalisation then stands in the way from the last layer back to the first, gradients are even from layer to "
        "layer, and training needs less warm-up (Xiong et al. 2020). What the last layer sums up is normalised "
        "at the end of the stack. The paper's post-norm is the default.",
    )
    @deviation(
        "vaswani2017-residual",
        title="Dropout, in training",
        reason="The formula has none. §5.4 adds it: some of each sub-layer's output is dropped before it is added, and "
        "some of the sums of embeddings and positions. We drop there, and nowhere else.",
        pytorch="Drops some of the attention weights, too, and some of what the ReLU lets through. It has no "
        "embeddings, and so nothing to drop behind them.",
    )
    @implements("vaswani2017-residual", Sublayer="sublayer")
    def forward(
        self, x: Float[Tensor, "*batch n d_model"], sublayer: Callable[[Tensor], Tensor]
    ) -> Float[Tensor, "*batch n d_model"]:
        """LayerNorm(x + Sublayer(x)), §3.1 of Vaswani et al. 2017.

        Args:
            x: what goes into the sub-layer.
            sublayer: attention or the feed-forward network; it keeps the shape.

        Returns:
            The normalised sum, or with pre-norm x + Sublayer(LayerNorm(x)).
        """
        if self.norm_first:
            return x + self.dropout(sublayer(self.norm(x)))
        return self.norm(x + self.dropout(sublayer(x)))

"""The Transformer of Part I, with a last layer that knows which tokens English is written with."""

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from reconstructing_transformer.equations import deviation
from reconstructing_transformer.transformer import Transformer


@deviation(
    "vaswani2017-embedding",
    title="No score for tokens that the target language never uses",
    reason="German and English share one vocabulary and one matrix, as in the paper. About half of its tokens never "
    "occur in English, and to score them costs as much as to score the others. `TranslationModel` numbers the tokens "
    "of the target language first, and its logits are those of the first rows of $E$.",
)
class TranslationModel(Transformer):
    """A Transformer with shared embeddings that scores the first `target_tokens` tokens of its vocabulary.

    Args:
        vocabulary: number of tokens of both languages together.
        target_tokens: how many of them, counted from 0, the target language uses; all where None.
        N: number of layers, of the encoder and of the decoder.
        d_model: width of the model.
        d_ff: width of the feed-forward networks' inner layer.
        h: number of heads.
        dropout: share of each sub-layer's output, and of the sums of embeddings and positions, dropped in training.
        norm_first: pre-norm instead of the paper's post-norm.
        max_length: length of the longest sequence.

    Raises:
        ValueError: d_model is odd, or no multiple of h; or the target language has more tokens than the vocabulary.
    """

    def __init__(
        self,
        vocabulary: int,
        target_tokens: int | None = None,
        N: int = 3,
        d_model: int = 256,
        d_ff: int = 1024,
        h: int = 4,
        dropout: float = 0.1,
        norm_first: bool = True,
        max_length: int = 512,
    ) -> None:
        super().__init__(
            vocabulary,
            N=N,
            d_model=d_model,
            d_ff=d_ff,
            h=h,
            dropout=dropout,
            norm_first=norm_first,
            max_length=max_length,
        )
        self.target_tokens = vocabulary if target_tokens is None else target_tokens
        if not 0 < self.target_tokens <= vocabulary:
            raise ValueError(f"the target language uses some of the {vocabulary} tokens; got {target_tokens} of them")

    def logits(self, x: Float[Tensor, "*batch d_model"]) -> Float[Tensor, "*batch target_tokens"]:
        """Score each token of the target language as the next one.

        Args:
            x: vectors that `decode` returned, all or some.

        Returns:
            One score a token: the softmax of them is the model's distribution.
        """
        return functional.linear(x, self.target_embedding.E[: self.target_tokens])

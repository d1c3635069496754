"""The Transformer (Vaswani et al. 2017): encoder and decoder between shared embeddings."""

from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from reconstructing_transformer.equations import deviation
from reconstructing_transformer.transformer.decoder import Decoder
from reconstructing_transformer.transformer.embedding import Embedding
from reconstructing_transformer.transformer.encoder import Encoder
from reconstructing_transformer.transformer.masks import causal_mask
from reconstructing_transformer.transformer.positions import PositionalEncoding


@deviation(
    "vaswani2017-embedding",
    title="Two vocabularies, two matrices",
    reason="Source and target share one matrix, as in the paper, unless they are given vocabularies of their own "
    "(`target_vocabulary`). Then the decoder's embedding and the projection before the softmax share one, and the "
    "encoder has another.",
    pytorch="Has neither embeddings nor a map to the vocabulary: whoever calls it brings them.",
)
class Transformer(nn.Module):
    """The whole model; its defaults are the paper's base model.

    Args:
        vocabulary: number of tokens, of the source where the target has its own vocabulary.
        target_vocabulary: number of the target's tokens; None where source and target share vocabulary and embedding.
        N: number of layers, of the encoder and of the decoder.
        d_model: width of the model.
        d_ff: width of the feed-forward networks' inner layer.
        h: number of heads.
        dropout: share of each sub-layer's output, and of the sums of embeddings and positions, dropped in training.
        norm_first: pre-norm instead of the paper's post-norm.
        final_norm: whether each stack ends in a normalisation; where None, it does with pre-norm alone.
        max_length: length of the longest sequence.

    Raises:
        ValueError: d_model is odd, or no multiple of h.
    """

    def __init__(
        self,
        vocabulary: int,
        target_vocabulary: int | None = None,
        N: int = 6,
        d_model: int = 512,
        d_ff: int = 2048,
        h: int = 8,
        dropout: float = 0.1,
        norm_first: bool = False,
        final_norm: bool | None = None,
        max_length: int = 1024,
    ) -> None:
        super().__init__()
        shared = target_vocabulary is None
        self.source_embedding = Embedding(vocabulary, d_model)
        self.target_embedding = self.source_embedding if shared else Embedding(target_vocabulary, d_model)
        self.positions = PositionalEncoding(d_model, dropout, max_length)
        self.encoder = Encoder(N, d_model, d_ff, h, dropout, norm_first, final_norm)
        self.decoder = Decoder(N, d_model, d_ff, h, dropout, norm_first, final_norm)

    def encode(
        self, source: Int[Tensor, "*batch m"], source_mask: Bool[Tensor, "*#batch 1 m"] | None = None
    ) -> Float[Tensor, "*batch m d_model"]:
        """Read the source.

        Args:
            source: its tokens.
            source_mask: True where a token may be attended to, a `padding_mask`; everywhere where None.

        Returns:
            The memory, one vector a token.
        """
        return self.encoder(self.positions(self.source_embedding(source)), source_mask)

    def decode(
        self,
        target: Int[Tensor, "*batch n"],
        memory: Float[Tensor, "*batch m d_model"],
        source_mask: Bool[Tensor, "*#batch 1 m"] | None = None,
    ) -> Float[Tensor, "*batch n d_model"]:
        """Read the target from left to right, and the memory along with it.

        No position sees a later one. Padding behind the end of a target therefore needs no mask: it is not seen.

        Args:
            target: its tokens, from the beginning-of-sentence token on.
            memory: what `encode` made of the source.
            source_mask: the mask that was passed to `encode`.

        Returns:
            One vector a token, from which `logits` predicts the next token.
        """
        mask = causal_mask(target.size(-1), target.device)
        return self.decoder(self.positions(self.target_embedding(target)), memory, mask, source_mask)

    def logits(self, x: Float[Tensor, "*batch d_model"]) -> Float[Tensor, "*batch vocabulary"]:
        """Score each token of the target's vocabulary as the next one.

        Args:
            x: vectors that `decode` returned, all or some.

        Returns:
            One score a token: the softmax of them is the model's distribution.
        """
        return self.target_embedding.logits(x)

    def forward(
        self,
        source: Int[Tensor, "*batch m"],
        target: Int[Tensor, "*batch n"],
        source_mask: Bool[Tensor, "*#batch 1 m"] | None = None,
    ) -> Float[Tensor, "*batch n vocabulary"]:
        """Predict, at each position of the target, the token that follows.

        Args:
            source: tokens of the source.
            target: tokens of the target, from the beginning-of-sentence token on.
            source_mask: True where a token of the source may be attended to; everywhere where None.

        Returns:
            The logits of the next token.
        """
        return self.logits(self.decode(target, self.encode(source, source_mask), source_mask))

"""The model of “Attention Is All You Need” (Vaswani et al. 2017), one component a file.

Tensors and sizes are called what the paper calls them. In the shapes, n counts queries, m keys and values, and `*batch`
is any number of axes in front. A mask is boolean, True where a query may attend to a key, wherever one is taken.
"""

from reconstructing_transformer.transformer.attention import fused_attention, scaled_dot_product_attention, softmax
from reconstructing_transformer.transformer.decoder import Decoder, DecoderLayer
from reconstructing_transformer.transformer.embedding import Embedding
from reconstructing_transformer.transformer.encoder import Encoder, EncoderLayer
from reconstructing_transformer.transformer.feed_forward import PositionwiseFeedForward
from reconstructing_transformer.transformer.label_smoothing import LabelSmoothing
from reconstructing_transformer.transformer.masks import causal_mask, padding_mask
from reconstructing_transformer.transformer.model import Transformer
from reconstructing_transformer.transformer.multi_head import MultiHeadAttention
from reconstructing_transformer.transformer.normalisation import LayerNorm, layer_norm
from reconstructing_transformer.transformer.positions import PositionalEncoding, positional_encoding
from reconstructing_transformer.transformer.recording import Intermediates, Recording, is_recording, note, record
from reconstructing_transformer.transformer.residual import Residual
from reconstructing_transformer.transformer.schedule import learning_rate

__all__ = [
    "Decoder",
    "DecoderLayer",
    "Embedding",
    "Encoder",
    "EncoderLayer",
    "Intermediates",
    "LabelSmoothing",
    "LayerNorm",
    "MultiHeadAttention",
    "PositionalEncoding",
    "PositionwiseFeedForward",
    "Recording",
    "Residual",
    "Transformer",
    "causal_mask",
    "fused_attention",
    "is_recording",
    "layer_norm",
    "learning_rate",
    "note",
    "padding_mask",
    "positional_encoding",
    "record",
    "scaled_dot_product_attention",
    "softmax",
]

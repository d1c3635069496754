"""The Vision Transformer (Dosovitskiy et al. 2021) on MNIST, with a convolutional and a feed-forward baseline.

Tensors and sizes are called what the paper calls them: P is the width of a patch, N the number of patches, D the
width of the model, L the number of its layers.
"""

from reconstructing_transformer.vision.attention import MultiHeadSelfAttention
from reconstructing_transformer.vision.data import DataError, Digits, Mnist, load_mnist
from reconstructing_transformer.vision.evaluation import logits_of, scores
from reconstructing_transformer.vision.model import EncoderLayer, LinearPooler, VisionTransformer
from reconstructing_transformer.vision.patches import PatchEmbedding, cut
from reconstructing_transformer.vision.pretrained import PretrainedError, from_pretrained, save_pretrained
from reconstructing_transformer.vision.recipe import RECIPES, Recipe
from reconstructing_transformer.vision.rollout import attention_rollout
from reconstructing_transformer.vision.transforms import augmentation, normalise
from reconstructing_transformer.vision.zoo import (
    MODELS,
    build,
    convolutional_baseline,
    deep_vit,
    feed_forward_baseline,
    large_vit,
    paper_vit,
    small_vit,
)

__all__ = [
    "MODELS",
    "RECIPES",
    "DataError",
    "Digits",
    "EncoderLayer",
    "LinearPooler",
    "Mnist",
    "MultiHeadSelfAttention",
    "PatchEmbedding",
    "PretrainedError",
    "Recipe",
    "VisionTransformer",
    "attention_rollout",
    "augmentation",
    "build",
    "convolutional_baseline",
    "cut",
    "deep_vit",
    "feed_forward_baseline",
    "from_pretrained",
    "large_vit",
    "load_mnist",
    "logits_of",
    "normalise",
    "paper_vit",
    "save_pretrained",
    "scores",
    "small_vit",
]

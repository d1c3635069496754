"""The models for MNIST: five with exactly as many parameters as the original project's, and one as in the paper."""

from collections.abc import Callable

from torch import nn

from reconstructing_transformer.vision.model import VisionTransformer


def _vit(D: int, L: int, heads: int, d_ff: int, dropout: float) -> VisionTransformer:
    """What the original project's three have in common: patches of 4 × 4, fixed positions, a linear pooler."""
    return VisionTransformer(
        D=D,
        L=L,
        heads=heads,
        d_ff=d_ff,
        pooling="linear",
        positions="fixed",
        activation="relu",
        dropout=dropout,
        patch_bias=False,
    )


def small_vit(dropout: float = 0.0) -> VisionTransformer:
    """Two layers, 16 wide, with an MLP of 2,048: 150,490 parameters.

    Args:
        dropout: share of each sub-layer's output that is dropped in training.

    Returns:
        The model.
    """
    return _vit(D=16, L=2, heads=2, d_ff=2048, dropout=dropout)


def deep_vit(dropout: float = 0.0) -> VisionTransformer:
    """Six layers, 64 wide, with an MLP of 256: 502,346 parameters.

    Args:
        dropout: share of each sub-layer's output that is dropped in training.

    Returns:
        The model.
    """
    return _vit(D=64, L=6, heads=4, d_ff=256, dropout=dropout)


def large_vit(dropout: float = 0.0) -> VisionTransformer:
    """Four layers, 64 wide, with an MLP of 2,048: 1,327,050 parameters.

    Args:
        dropout: share of each sub-layer's output that is dropped in training.

    Returns:
        The model.
    """
    return _vit(D=64, L=4, heads=4, d_ff=2048, dropout=dropout)


def paper_vit(dropout: float = 0.0) -> VisionTransformer:
    """The paper's own form, as deep and wide as the deep one: class token, learned positions, GELU, last norm.

    Args:
        dropout: share of each sub-layer's output, and of z_0, that is dropped in training.

    Returns:
        The model.
    """
    return VisionTransformer(D=64, L=6, heads=4, d_ff=256, dropout=dropout)


def convolutional_baseline(dropout: float = 0.0) -> nn.Sequential:
    """Two convolutions, a max-pooling and two linear maps: 1,199,882 parameters.

    Args:
        dropout: share of what goes into each linear map that is dropped in training.

    Returns:
        The model.
    """
    return nn.Sequential(
        nn.Conv2d(1, 32, kernel_size=3),
        nn.ReLU(),
        nn.Conv2d(32, 64, kernel_size=3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(dropout),
        nn.Linear(64 * 12 * 12, 128),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(128, 10),
    )


def feed_forward_baseline(dropout: float = 0.0) -> nn.Sequential:
    """Three linear maps of all pixels at once: 104,938 parameters.

    Args:
        dropout: share of what goes into the second and the third map that is dropped in training.

    Returns:
        The model.
    """
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(28 * 28, 128),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(128, 32),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(32, 10),
    )


MODELS: dict[str, Callable[..., nn.Module]] = {
    "small-vit": small_vit,
    "deep-vit": deep_vit,
    "large-vit": large_vit,
    "paper-vit": paper_vit,
    "cnn": convolutional_baseline,
    "feed-forward": feed_forward_baseline,
}


def build(name: str, dropout: float = 0.0) -> nn.Module:
    """Make one of the models, with fresh weights.

    Args:
        name: one of `MODELS`.
        dropout: share that is dropped in training.

    Returns:
        The model.

    Raises:
        ValueError: there is no such model.
    """
    if name not in MODELS:
        raise ValueError(f"no model “{name}”; there are {', '.join(MODELS)}")
    return MODELS[name](dropout)

"""The Transformer, equation by equation: the code that the book explains."""

from reconstructing_transformer import _torchvision

_torchvision.install()

"""The Transformer, equation by equation: the code that the book explains."""

import warnings

from reconstructing_transformer import _torchvision

warnings.filterwarnings("ignore", "IProgress not found")  # tqdm asks for widgets in a notebook; nobody misses them
_torchvision.install()

"""MNIST, loaded once for all tests of this part."""

import pytest

from reconstructing_transformer.vision import Mnist, load_mnist


@pytest.fixture(scope="session")
def mnist() -> Mnist:
    return load_mnist()

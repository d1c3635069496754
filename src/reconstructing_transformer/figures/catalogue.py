"""`figures.json`: what a built site says of its figures, for other programs and for `reconstruct figures`."""

from pathlib import Path

from pydantic import BaseModel, TypeAdapter, ValidationError


class CatalogueError(Exception):
    """There is no catalogue, or it can't be read."""


class FigureFile(BaseModel):
    """One of the files that a figure can be taken home as."""

    name: str
    url: str
    bytes: int
    sha256: str


class FigureEntry(BaseModel):
    """A figure of the book.

    Args:
        id: its name.
        number: its number, `9.1` say.
        title: what it shows, in a sentence.
        caption: its caption, in MyST Markdown.
        alt: what it shows, for who cannot see it.
        chapter: the title of the chapter that it stands in.
        chapter_url: where it stands there.
        url: its permanent page.
        files: what can be taken home.
        bibtex: how to cite it.
    """

    id: str
    number: str
    title: str
    caption: str
    alt: str
    chapter: str
    chapter_url: str
    url: str
    files: list[FigureFile]
    bibtex: str


Catalogue = TypeAdapter(list[FigureEntry])


def load_catalogue(site: Path) -> list[FigureEntry]:
    """Read the figures of a built site.

    Args:
        site: its folder.

    Returns:
        The figures, in the book's order.

    Raises:
        CatalogueError: it is no built site, or its catalogue is no catalogue.
    """
    path = site / "figures.json"
    if not path.is_file():
        raise CatalogueError(f"{path} is missing: build the book first (`make book`), or name a built site's folder")
    try:
        return Catalogue.validate_json(path.read_bytes())
    except ValidationError as error:
        raise CatalogueError(
            f"{path} is no catalogue of figures: {error.errors()[0]['msg']}; build the book anew"
        ) from error

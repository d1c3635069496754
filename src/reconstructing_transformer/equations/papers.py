"""The papers' files: each equation written once, with its place in the paper and its symbols."""

import re
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, ValidationError, model_validator

SYMBOL = re.compile(r"\\sym\{([A-Za-z_]\w*)\}")
IDENTIFIER = r"^[a-z]+\d{4}[a-z]?(-[a-z0-9-]+)?$"


def _text(value: object) -> object:
    """YAML reads `3.3` as a number; a section is text."""
    return str(value) if isinstance(value, int | float) else value


Text = Annotated[str, BeforeValidator(_text), Field(min_length=1)]


class PaperError(ValueError):
    """A paper's file says something that cannot be right. The message names file and entry."""


class Record(BaseModel):
    """What all entries of a paper's file share: no unknown keys, no changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Symbol(Record):
    """A symbol of an equation: its LaTeX, what it means, and its shape where it has one."""

    latex: Text
    meaning: Text
    shape: Text | None = None


class Equation(Record):
    r"""One equation of a paper.

    `latex` refers to symbols by `\sym{name}`, so that a symbol's own LaTeX stands in one place too.
    """

    id: str = Field(pattern=IDENTIFIER)
    title: Text
    number: int | None = None
    section: Text
    page: int | None = None
    latex: Text
    note: Text | None = None
    symbols: dict[str, Symbol] = {}

    @property
    def place(self) -> str:
        """Where in the paper it stands: a section's number has its sign, an appendix its own name."""
        return f"§{self.section}" if self.section[0].isdigit() else self.section

    @property
    def label(self) -> str:
        """How the book names the equation: by the paper's number, or by its title where the paper gives none."""
        return self.title if self.number is None else f"Eq. {self.number}"

    @property
    def plain_latex(self) -> str:
        """The equation as ordinary LaTeX, for other programs."""
        return SYMBOL.sub(lambda found: f"{{{self.symbols[found[1]].latex}}}", self.latex)

    @property
    def marked_latex(self) -> str:
        r"""The equation with each symbol marked for KaTeX, which turns `\htmlData` into an attribute."""
        return SYMBOL.sub(lambda found: rf"\htmlData{{sym={found[1]}}}{{{self.symbols[found[1]].latex}}}", self.latex)


class Paper(Record):
    """A paper with its equations. Symbols that several equations share stand beside them, once."""

    id: str = Field(pattern=IDENTIFIER)
    title: Text
    short: Text
    authors: list[Text] = Field(min_length=1)
    year: int
    arxiv: Text | None = None
    symbols: dict[str, Symbol] = {}
    equations: list[Equation] = Field(min_length=1)
    _path: Path = PrivateAttr(default=Path())

    @property
    def path(self) -> Path:
        """The file that the paper was read from."""
        return self._path

    def line_of(self, equation_id: str) -> int:
        """The line of the paper's file on which an equation begins, 1 where it is not there."""
        for number, line in enumerate(self._path.read_text(encoding="utf-8").splitlines(), 1):
            if re.match(rf"\s*-?\s*id:\s*{re.escape(equation_id)}\s*$", line):
                return number
        return 1

    @model_validator(mode="after")
    def _settle_symbols(self) -> "Paper":
        """Give each equation the symbols that it shows, in the order in which it shows them."""
        unused = set(self.symbols)
        settled = []
        for equation in self.equations:
            if not equation.id.startswith(f"{self.id}-"):
                raise ValueError(f"{equation.id}: the id of an equation begins with its paper's, “{self.id}-”")
            shown = list(dict.fromkeys(SYMBOL.findall(equation.latex)))
            known = {**self.symbols, **equation.symbols}
            if missing := [name for name in shown if name not in known]:
                raise ValueError(f"{equation.id}: no entry in `symbols` for {', '.join(missing)}")
            if idle := [name for name in equation.symbols if name not in shown]:
                raise ValueError(rf"{equation.id}: `symbols` has {', '.join(idle)}, which no \sym{{…}} shows")
            unused -= set(shown) - set(equation.symbols)
            settled.append(equation.model_copy(update={"symbols": {name: known[name] for name in shown}}))
        if unused:
            raise ValueError(f"{self.id}: no equation shows the symbols {', '.join(sorted(unused))}")
        if len({equation.id for equation in settled}) < len(settled):
            raise ValueError(f"{self.id}: two equations share an id")
        object.__setattr__(self, "equations", settled)
        return self


def papers_folder() -> Path:
    """Where the papers' files lie: in the book of a checkout, or inside the package if it came as a wheel."""
    packaged = Path(__file__).parent / "papers"
    checkout = Path(__file__).parents[3] / "book" / "papers"
    return packaged if packaged.is_dir() else checkout


def read_paper(path: Path) -> Paper:
    """Read one paper's file.

    Raises:
        PaperError: the file is no YAML, or breaks a rule of `Paper`. The message names file, place and rule.
    """
    try:
        paper = Paper.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except yaml.YAMLError as error:
        raise PaperError(f"{path}: not readable as YAML: {error}") from error
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(str(part) for part in fault['loc']) or 'paper'}: {fault['msg'].removeprefix('Value error, ')}"
            for fault in error.errors()
        )
        raise PaperError(f"{path}: {faults}") from error
    if paper.id != path.stem:
        raise PaperError(f"{path}: the file of paper “{paper.id}” must be named {paper.id}.yml")
    paper._path = path
    return paper


def load_papers(folder: Path | None = None) -> dict[str, Paper]:
    """Read every paper's file of a folder, by id.

    Raises:
        PaperError: the folder holds none, or a file of it cannot be read.
    """
    folder = folder or papers_folder()
    papers = {path.stem: read_paper(path) for path in sorted(folder.glob("*.yml"))}
    if not papers:
        raise PaperError(f"{folder}: no paper's file (*.yml) lies here")
    return papers

"""What a build knows of the project: its folders, its papers, its evidence, and the fingerprint that dates them."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.util import logging

from reconstructing_transformer.equations import Equation, Evidence, Paper, PaperError, gather, load_papers
from reconstructing_transformer.figures.citation import Book, CitationError, load_book
from reconstructing_transformer.sphinx.stop import BuildStop

LOGGER = logging.getLogger(__name__)
PACKAGE = Path(__file__).parents[1]


class DriftError(BuildStop):
    """Paper, code and checks disagree. The message names each place."""

    category = "Drift between paper, code and check"


@dataclass(frozen=True)
class Project:
    """The papers and the evidence that a build shows."""

    papers: dict[str, Paper]
    evidence: Evidence

    def find(self, equation_id: str) -> tuple[Paper, Equation] | None:
        """Return an equation with its paper, or None where no paper has it."""
        for paper in self.papers.values():
            for equation in paper.equations:
                if equation.id == equation_id:
                    return paper, equation
        return None

    def all(self) -> list[tuple[Paper, Equation]]:
        """Return every equation with its paper, in the papers' order."""
        return [(paper, equation) for paper in self.papers.values() for equation in paper.equations]


NO_PROJECT = Project({}, Evidence())  # for what shows no equation


def _digest(paths: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in sorted(set(paths)):
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _files(folder: Path, pattern: str) -> list[Path]:
    found = folder.rglob(pattern) if folder.is_dir() else []
    return [path for path in found if path.is_file() and "node_modules" not in path.parts]


def _source_of(modules: list[str] | None, root: Path) -> list[Path]:
    """The code whose outputs and sources the book shows: all but the Sphinx extension, which nothing imports."""
    own = [path for path in _files(PACKAGE, "*.py") if path.relative_to(PACKAGE).parts[0] != "sphinx"]
    further = [root / name.replace(".", "/") for name in modules or []]
    return own + [path for base in further for path in [base.with_suffix(".py"), *base.rglob("*.py")] if path.is_file()]


def fingerprint(config: Config, root: Path) -> str:
    """Return a hash of all that a chapter's output depends on beside the chapter itself."""
    book = root / "book"
    return _digest(
        [
            *_source_of(config.reconstruct_modules, root),
            *_files(root / config.reconstruct_papers, "*.yml"),
            *_files(book / "runs", "*.json"),
            *_files(book / "models", "*"),
            *(path for path in [root / "requirements.txt"] if path.is_file()),
        ]
    )


def build_folder(app: Sphinx) -> Path:
    """Return the folder that keeps what builds can share: executed chapters, evidence."""
    shared = app.config.reconstruct_shared
    return Path(app.srcdir) / shared if shared else Path(app.outdir).parent


def set_fingerprints(app: Sphinx, config: Config) -> None:
    """Date the build: a change of code, lock, records or weights makes every page be read and executed again."""
    root = Path(app.srcdir)
    config.reconstruct_fingerprint = fingerprint(config, root)
    config.reconstruct_site_fingerprint = _digest(
        [*_files(PACKAGE / "sphinx", "*.py"), *_files(root / "book/web", "*.*")]
    )
    config.nb_execution_cache_path = str(build_folder(app) / ".jupyter_cache" / config.reconstruct_fingerprint)


class BookError(BuildStop):
    """What the book says of itself is not as it should be."""

    category = "Citation"


def load_citation(app: Sphinx, config: Config) -> None:
    """Read what citations say of the book. A new commit or address writes all pages anew.

    Raises:
        BookError: `CITATION.cff` lacks something, or `BOOK_URL` is no address.
    """
    try:
        book = load_book(Path(app.srcdir))
    except CitationError as error:
        raise BookError(str(error)) from error
    app.reconstruct_book = book  # type: ignore[attr-defined]
    config.reconstruct_book = repr(book)


def load_project(app: Sphinx) -> None:
    """Read the papers, gather the evidence (or take this very state's from the last build), and stop if they drift.

    Raises:
        DriftError: an equation has no implementation or no check, a check fails, or the code names what no paper has.
    """
    try:
        papers = load_papers(Path(app.srcdir) / app.config.reconstruct_papers)
    except PaperError as error:
        raise DriftError(str(error)) from error
    here = hashlib.sha256(str(PACKAGE).encode()).hexdigest()[:8]  # evidence names files: a checkout that moved has none
    kept = build_folder(app) / ".evidence" / f"{app.config.reconstruct_fingerprint}-{here}.json"
    if kept.is_file():
        evidence = Evidence.model_validate_json(kept.read_text(encoding="utf-8"))
    else:
        evidence = gather(papers, app.config.reconstruct_modules)
    if evidence.problems:
        raise DriftError("\n".join(str(problem) for problem in evidence.problems))
    kept.parent.mkdir(parents=True, exist_ok=True)
    temporary = kept.with_suffix(".part")
    temporary.write_text(evidence.model_dump_json(), encoding="utf-8")
    temporary.replace(kept)
    app.reconstruct_project = Project(papers, evidence)  # type: ignore[attr-defined]


def project_of(app: Sphinx) -> Project:
    """Return what `load_project` has read."""
    return app.reconstruct_project  # type: ignore[attr-defined]


def book_of(app: Sphinx) -> Book:
    """Return what citations say of the book."""
    return app.reconstruct_book  # type: ignore[attr-defined]

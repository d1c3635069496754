"""Where a chapter can be run: as a notebook, in Colab, in Binder, by Docker. Links and a command; nothing is loaded."""

import os
import re
import subprocess
from dataclasses import dataclass
from html import escape
from importlib.metadata import metadata, requires
from pathlib import Path
from urllib.parse import quote

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from sphinx.application import Sphinx
from sphinx.config import Config

from reconstructing_transformer.sphinx.stop import BuildStop

PACKAGE = "reconstructing-transformer"
BRANCH = "notebooks"  # holds each chapter as a real notebook; a workflow writes it
ADDRESS = re.compile(r"https://github\.com/[A-Za-z0-9][\w.-]*/[\w.-]+")
PORT = 8888


class LaunchError(BuildStop):
    """The repository's address is none."""

    category = "Repository"


@dataclass(frozen=True)
class Source:
    """Where the book's source lies, for Colab, Binder and `pip install`.

    Args:
        address: of the repository, `https://github.com/OWNER/NAME`; None for a build that knows of none.
        revision: the commit that the build was made of; the version's tag where there is no git.
    """

    address: str | None
    revision: str

    @property
    def name(self) -> str:
        """`OWNER/NAME`."""
        return (self.address or "").removeprefix("https://github.com/")

    def requirement(self, extras: tuple[str, ...]) -> str | None:
        """Return what `pip install` is given to install the package at this revision, or None without an address."""
        if self.address is None:
            return None
        chosen = f"[{','.join(extras)}]" if extras else ""
        return f"{PACKAGE}{chosen} @ git+{self.address}@{self.revision}"

    def colab(self, notebook: str) -> str:
        """Return the address at which Colab opens a notebook of the branch."""
        return f"https://colab.research.google.com/github/{self.name}/blob/{BRANCH}/{quote(notebook)}"

    def binder(self, notebook: str) -> str:
        """Return the address at which Binder opens a notebook of the branch."""
        return f"https://mybinder.org/v2/gh/{self.name}/{BRANCH}?labpath={quote(notebook, safe='')}"

    def docker(self) -> str:
        """Return the command that opens all chapters in JupyterLab: in the released image, or in one built here."""
        run = f"docker run --rm --publish 127.0.0.1:{PORT}:{PORT}"
        if self.address is not None:
            return f"{run} ghcr.io/{self.name.lower()}/generic"
        tag = f"{PACKAGE}/generic"
        return f"docker build --file docker/generic/Dockerfile --tag {tag} .\n{run} {tag}"


def repository_address(text: str | None) -> str | None:
    """Read the repository's address, as the setting or `BOOK_REPOSITORY` gives it.

    Raises:
        LaunchError: it is no repository on GitHub, which is what Colab and Binder open.
    """
    if not text:
        return None
    address = text.rstrip("/").removesuffix(".git")
    if not ADDRESS.fullmatch(address):
        raise LaunchError(
            "the repository must be given as https://github.com/OWNER/NAME, by `reconstruct_repository` in _config.yml "
            f"or by BOOK_REPOSITORY; it is {text!r}"
        )
    return address


def revision_of(root: Path) -> str:
    """Return the commit that a folder holds; where there is no git, the tag of the package's version."""
    command = ["git", "-C", str(root), "rev-parse", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        done = None
    found = done.stdout.strip() if done is not None and done.returncode == 0 else ""
    return found or f"v{metadata(PACKAGE)['Version']}"


def load_source(app: Sphinx, config: Config) -> None:
    """Find out where the book's source lies. `BOOK_REPOSITORY` goes before the setting: a fork's build names the fork.

    Raises:
        LaunchError: what was given is no address of a repository.
    """
    address = repository_address(os.environ.get("BOOK_REPOSITORY") or config.reconstruct_repository)
    config.reconstruct_repository = address or ""  # an address that changes writes all pages anew
    app.reconstruct_source = Source(address, revision_of(Path(app.srcdir)))  # type: ignore[attr-defined]


def source_of(app: Sphinx) -> Source:
    """Return what `load_source` has found."""
    return app.reconstruct_source  # type: ignore[attr-defined]


# What a chapter needs -------------------------------------------------------------------------------------------------


def extras_of(docname: str) -> tuple[str, ...]:
    """Return the extras of the package that a chapter needs: its part's, and what reads run records.

    Args:
        docname: `book/vision/patches`; the folder is the part.
    """
    part = docname.split("/")[-2] if docname.count("/") > 1 else ""
    return (part, "tracking") if part in (metadata(PACKAGE).get_all("Provides-Extra") or []) else ()


def distributions_of(extras: tuple[str, ...]) -> list[str]:
    """Return the names of the packages that extras add, in pip's spelling, where this platform has them."""
    chosen = set()
    for line in requires(PACKAGE) or []:
        requirement = Requirement(line)
        marker = requirement.marker
        if marker and not marker.evaluate({"extra": ""}) and any(marker.evaluate({"extra": one}) for one in extras):
            chosen.add(canonicalize_name(requirement.name))
    return sorted(chosen)


# The menu -------------------------------------------------------------------------------------------------------------


def _link(words: str, href: str, note: str, attributes: str = "") -> str:
    return f'<li><a href="{escape(href)}"{attributes}>{words}</a> <span>{note}</span></li>'


def launch_menu(source: Source, notebook: str, download: str) -> str:
    """Return the menu of a chapter, folded: download, Colab, Binder, Docker.

    Args:
        source: where the book's source lies.
        notebook: the chapter's notebook in the branch, `vision/patches.ipynb`.
        download: its address in the site, as seen from the page.
    """
    items = [_link("Download notebook", download, "its first cell installs what is missing", " download")]
    if source.address is None:
        items.append(
            "<li>Colab and Binder <span>open the notebooks of a published book; this is a local build, which knows of "
            "no repository</span></li>"
        )
    else:
        items.append(_link("Open in Colab", source.colab(notebook), "on Google’s machines; needs an account there"))
        items.append(_link("Open in Binder", source.binder(notebook), "on public machines; starting takes minutes"))
    command = (
        '<div class="cite-panel"><pre tabindex="0" aria-label="Docker command">'
        f"{escape(source.docker())}</pre>"
        '<button type="button" class="copy-citation" aria-label="Copy" hidden></button></div>'
    )
    items.append(f"<li>Run in Docker <span>JupyterLab; open {escape(notebook)}</span>{command}</li>")
    return f'<details class="launch"><summary>Run this chapter</summary><ul>{"".join(items)}</ul></details>'

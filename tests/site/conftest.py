"""The built site, served as a web server serves it, and a real browser to read it with.

`make book` builds the site into `_build/html`. RECONSTRUCT_SITE names another folder.
"""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from playwright.sync_api import Browser, BrowserContext, Page

from tests.site.reading import launch, serve

SITE = Path(os.environ.get("RECONSTRUCT_SITE") or Path(__file__).parents[2] / "_build" / "html")


def leads_on(path: Path) -> bool:
    """Whether a page only leads to another one, as the one does at the site's root."""
    return "http-equiv" in (head := path.read_text(encoding="utf-8")[:500]) and "refresh" in head.lower()


def pages() -> list[str]:
    """Every page of the site, by its address."""
    return sorted(path.relative_to(SITE).as_posix() for path in SITE.rglob("*.html") if not leads_on(path))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that asks for `address` is run for every page of the site."""
    if "address" in metafunc.fixturenames:
        metafunc.parametrize("address", pages() or ["index.html"], scope="session")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say at the end what tests have measured."""
    for report in terminalreporter.stats.get("passed", []):
        for name, words in report.user_properties:
            if name == "said" and report.when == "call":
                terminalreporter.write_line(words)


@pytest.fixture(scope="session")
def site() -> Path:
    """The folder of the built site."""
    if not (SITE / "index.html").is_file():
        pytest.fail(f"there is no site in {SITE}; build it with `make book`", pytrace=False)
    return SITE


@pytest.fixture(scope="session")
def addresses(site) -> list[str]:
    """The addresses of all pages."""
    return pages()


@pytest.fixture(scope="session")
def host(site) -> Iterator[str]:
    """The address of a server that serves the site."""
    with serve(site) as address:
        yield address


@pytest.fixture(scope="session")
def browser(tmp_path_factory) -> Iterator[Browser]:
    """Chromium, one for each process of the test run."""
    try:
        with launch(shared_folder(tmp_path_factory) / "chromium.lock") as chromium:
            yield chromium
    except LookupError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="session")
def open_context(browser, host) -> Callable[..., Any]:
    """Open a window of some width, for a reader who prefers light or dark."""

    @contextmanager
    def open_with(
        width: int = 1300, height: int = 900, scheme: str = "light", **options: Any
    ) -> Iterator[BrowserContext]:
        context = browser.new_context(
            base_url=f"{host}/", viewport={"width": width, "height": height}, color_scheme=scheme, **options
        )
        context.set_default_timeout(10_000)
        yield context
        context.close()

    return open_with


@pytest.fixture
def reader(open_context) -> Iterator[Page]:
    """A page at a desk, in light."""
    with open_context() as context:
        yield context.new_page()


# What is done once for all processes -------------------------------------------------------------------------------


def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session")
def once(tmp_path_factory) -> Callable[[str, Callable[[], dict[str, Any]]], dict[str, Any]]:
    """Do something once for all processes of a test run, and give each the same answer."""
    folder = shared_folder(tmp_path_factory)

    def do(name: str, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        kept = folder / f"site-{name.replace('/', '-')}.json"
        with FileLock(f"{kept}.lock"):
            if not kept.exists():
                kept.write_text(json.dumps(work()), encoding="utf-8")
        return json.loads(kept.read_text(encoding="utf-8"))

    return do


# What the book says of its pages -----------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def equations(site) -> dict[str, dict[str, Any]]:
    """What `equations.json` tells of each equation, by id."""
    return {entry["id"]: entry for entry in json.loads((site / "equations.json").read_text(encoding="utf-8"))}

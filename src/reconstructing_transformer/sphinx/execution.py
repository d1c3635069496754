"""Chapters that have to be executed are executed side by side, before they are read one by one."""

import logging as standard_logging
import os
import re
from pathlib import Path

from jupyter_cache import get_cache
from jupyter_cache.base import JupyterCacheAbstract
from jupyter_cache.executors import load_executor
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

from reconstructing_transformer.sphinx.project import build_folder
from reconstructing_transformer.sphinx.stop import BuildStop

LOGGER = logging.getLogger(__name__)
READER = {"name": "myst_nb_md", "type": "plugin"}
# Quiet, and a cell's output in one piece: pieces that end where a timer has struck would be broken lines on the page.
KERNEL = """c.IPKernelApp.log_level = 40
from ipykernel.iostream import OutStream
OutStream.flush_interval = 3600
"""
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class ChapterError(BuildStop):
    """A cell of a chapter has failed."""

    category = "A chapter does not run"


def is_chapter(path: Path) -> bool:
    """Whether a page is a notebook: its front matter names jupytext."""
    return path.suffix == ".md" and "jupytext:" in path.read_text(encoding="utf-8")[:600]


def settle_kernels(folder: Path) -> None:
    """Give each kernel one thread, so that chapters run side by side and sums come out alike, and keep it quiet."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ["RECONSTRUCT_FIGURES"] = str(folder / ".figures")
    profile = folder / ".ipython" / "profile_default"
    profile.mkdir(parents=True, exist_ok=True)
    (profile / "ipython_kernel_config.py").write_text(KERNEL, encoding="utf-8")
    os.environ["IPYTHONDIR"] = str(profile.parent)


def failing_line(path: Path, traceback: str) -> int:
    """Return the line on which a cell failed, from the traceback that quotes the cell; 1 if it quotes none."""
    lines = [line.rstrip() for line in path.read_text(encoding="utf-8").splitlines()]
    quoted = traceback.split("-" * 18)
    cell = [line.rstrip() for line in quoted[1].strip("\n").splitlines()] if len(quoted) > 2 else []
    for start in range(len(lines) - len(cell) + 1):
        if cell and lines[start : start + len(cell)] == cell:
            within = re.search(r"Cell In\[\d+\], line (\d+)", traceback)
            return start + (int(within[1]) if within else 1)
    return 1


def run_side_by_side(cache: JupyterCacheAbstract, uris: list[str], timeout: int) -> dict[str, str]:
    """Execute chapters in parallel and cache what succeeds.

    Returns:
        The traceback of each chapter that failed, by its URI.
    """
    executor = load_executor("local-parallel", cache, logger=standard_logging.getLogger("jupyter_cache"))
    done = executor.run_and_cache(filter_uris=uris, timeout=timeout)
    return {
        uri: COLOUR.sub("", cache.get_project_record(uri).traceback or "no traceback was kept")
        for uri in [*done.errored, *done.excepted]
    }


def execute_chapters(app: Sphinx, env: BuildEnvironment, docnames: list[str]) -> None:
    """Execute the chapters that this build is going to read and that the cache does not hold yet.

    Raises:
        ChapterError: a cell has failed. The message names the chapter, the line, and Python's own words.
    """
    if app.config.nb_execution_mode != "cache":
        return
    settle_kernels(build_folder(app))
    paths = [
        path for path in (Path(env.doc2path(docname)) for docname in docnames) if path.is_file() and is_chapter(path)
    ]
    if not paths:
        return
    cache = get_cache(app.config.nb_execution_cache_path)
    records = [cache.add_nb_to_project(str(path), read_data=READER) for path in paths]
    missing = [record for record in records if cache.get_cached_project_nb(record.uri) is None]
    # Chapters with the same cells share one place in the cache, and two processes must not write to it at once.
    by_cells = {cache.create_hashed_notebook(cache.get_project_notebook(one.uri).nb)[1]: one for one in missing}
    wanted = list(by_cells.values())
    if not wanted:
        return
    LOGGER.info("executing %d chapter(s): %s", len(wanted), ", ".join(Path(record.uri).stem for record in wanted))
    failed = run_side_by_side(cache, [record.uri for record in wanted], app.config.nb_execution_timeout)
    if stillborn := [uri for uri, traceback in failed.items() if "CellExecutionError" not in traceback]:
        # Not a cell but the kernel failed: two that start at once can reach for the same port.
        failed |= dict.fromkeys(stillborn, "")
        failed |= run_side_by_side(cache, stillborn, app.config.nb_execution_timeout)
    faults = [
        f"{uri}:{failing_line(Path(uri), traceback)}: a cell failed\n{traceback}"
        for uri, traceback in failed.items()
        if traceback
    ]
    if faults:
        raise ChapterError("\n".join(faults))

"""A notebook that a reader takes home runs from its first cell to its last, far from the book."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SITE = Path(os.environ.get("RECONSTRUCT_SITE") or Path(__file__).parents[2] / "_build" / "html")
RUN = """
import sys, nbformat
from nbclient import NotebookClient

notebook = nbformat.read(sys.argv[1], as_version=4)
NotebookClient(notebook, timeout=600, kernel_name="python3").execute()
code = [cell for cell in notebook.cells if cell.cell_type == "code"]
noise = [o.text for cell in code for o in cell.outputs if o.output_type == "stream" and o.name == "stderr"]
print(len(code), "cells;", "noise:", *noise or ["none"])
"""


def notebooks() -> list[str]:
    return sorted(path.relative_to(SITE).as_posix() for path in (SITE / "notebooks").rglob("*.ipynb"))


@pytest.mark.parametrize("name", notebooks() or ["notebooks"])
def test_a_notebook_runs_where_nothing_of_the_book_is(site, name, tmp_path):
    shutil.copy(site / name, tmp_path / "chapter.ipynb")
    done = subprocess.run(
        [sys.executable, "-c", RUN, "chapter.ipynb"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", "IPYTHONDIR": str(tmp_path / "ipython")},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("cells; noise: none\n"), done.stdout

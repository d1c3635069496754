"""A failing cell is found in its chapter by what the traceback quotes."""

import pytest

from reconstructing_transformer.sphinx.execution import failing_line, is_chapter

CHAPTER = """---
jupytext:
  text_representation:
    format_name: myst
---

# Title

```{code-cell} ipython3
x = 1
```

```{code-cell} ipython3
:tags: [hide-input]

y = 0

x / y
```
"""
RULE = "-" * 18
CELL = "y = 0\n\nx / y"


@pytest.fixture
def chapter(tmp_path):
    path = tmp_path / "chapter.md"
    path.write_text(CHAPTER, encoding="utf-8")
    return path


def line_of(text: str) -> int:
    return CHAPTER.splitlines().index(text) + 1


def test_the_line_that_failed_is_found(chapter):
    traceback = f"Error in\n{RULE}\n{CELL}\n{RULE}\n\nCell In[2], line 3\n----> 3 x / y"
    assert failing_line(chapter, traceback) == line_of("x / y")


def test_the_outermost_line_of_the_cell_counts(chapter):
    traceback = f"Error in\n{RULE}\n{CELL}\n{RULE}\n\nCell In[2], line 1\n\nCell In[1], line 1, in f()"
    assert failing_line(chapter, traceback) == line_of("y = 0")


def test_without_a_line_the_cells_first_is_named(chapter):
    assert failing_line(chapter, f"Error in\n{RULE}\n{CELL}\n{RULE}\nKernel died") == line_of("y = 0")


@pytest.mark.parametrize("traceback", ["", "no traceback was kept", f"{RULE}\nnot in the chapter\n{RULE}\n"])
def test_a_traceback_that_quotes_no_cell_points_at_the_chapters_start(chapter, traceback):
    assert failing_line(chapter, traceback) == 1


def test_a_chapter_is_a_page_whose_front_matter_names_jupytext(chapter, tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# Title\n\nWords.\n", encoding="utf-8")
    script = tmp_path / "script.py"
    script.write_text("# jupytext:\n", encoding="utf-8")
    assert is_chapter(chapter)
    assert not is_chapter(page)
    assert not is_chapter(script)

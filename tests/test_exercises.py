"""Exercises are numbered as their chapters are, and whoever speaks of one means one that is there."""

import re
from pathlib import Path

import pytest
import yaml

CHECKOUT = Path(__file__).parents[1]
HEADING = re.compile(r"^:{3,}\{admonition\} Exercise (\d+\.\d+): \S", re.MULTILINE)
MENTION = re.compile(r"\bExercise\s+(\d+\.\d+)")


def chapters() -> dict[int, Path]:
    """The numbered chapters: they are counted through all parts."""
    toc = yaml.safe_load((CHECKOUT / "_toc.yml").read_text(encoding="utf-8"))
    pages = [chapter["file"] for part in toc["parts"] if part.get("numbered") for chapter in part["chapters"]]
    return {number: CHECKOUT / f"{page}.md" for number, page in enumerate(pages, start=1)}


def text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize("number", chapters())
def test_the_exercises_of_a_chapter_have_its_number_and_are_counted_from_one(number):
    found = HEADING.findall(text(chapters()[number]))
    assert len(found) >= 3
    assert found == [f"{number}.{place}" for place in range(1, len(found) + 1)]


def test_every_exercise_that_is_spoken_of_is_there():
    there = {exercise for path in chapters().values() for exercise in HEADING.findall(text(path))}
    for path in chapters().values():
        assert set(MENTION.findall(text(path))) <= there, path.name

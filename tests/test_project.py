"""What holds for the project as a whole: where imports may go, and what an installation brings."""

import re
import subprocess
import sys
import tomllib
from importlib.metadata import distributions
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[1]
NAME = r"[A-Za-z0-9][A-Za-z0-9._-]*"


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.fixture(scope="module")
def lock() -> dict[str, str]:
    """The packages of `requirements.txt`, and what stands behind each name."""
    text = (CHECKOUT / "requirements.txt").read_text(encoding="utf-8")
    lines = [line.partition("#")[0].strip() for line in text.splitlines()]
    found = [re.fullmatch(rf"({NAME})(.*)", line) for line in lines if line and not line.startswith("-")]
    return {normal(match[1]): match[2].strip() for match in found if match}


@pytest.fixture(scope="module")
def project() -> dict:
    return tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))


def test_imports_go_down_only():
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([program, "--no-cache"], cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


def test_every_package_is_pinned_to_one_public_version(lock):
    loose = {name: pin for name, pin in lock.items() if not re.fullmatch(r"==\d+(\.\w+)*(\s*;.*)?", pin)}
    assert len(lock) > 50
    assert loose == {}


def test_no_package_is_pinned_to_a_build_of_one_machine(lock):
    assert {name: pin for name, pin in lock.items() if "+" in pin or "@" in pin} == {}


def test_the_lock_holds_every_package_that_the_project_names(lock, project):
    groups = [project["project"]["dependencies"], *project["project"]["optional-dependencies"].values()]
    named = {normal(re.match(NAME, requirement)[0]) for group in groups for requirement in group}
    assert sorted(named - lock.keys()) == []


def test_what_is_installed_is_what_the_lock_says(lock):
    installed = {normal(one.metadata["Name"]): one.version.partition("+")[0] for one in distributions()}
    wanted = {name: pin.partition(";")[0].removeprefix("==").strip() for name, pin in lock.items()}
    differs = {name: (version, installed[name]) for name, version in wanted.items() if name in installed}
    assert {name: pair for name, pair in differs.items() if pair[0] != pair[1]} == {}

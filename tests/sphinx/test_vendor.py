"""The web libraries are those of the lockfile, and the site carries all that it needs of them."""

import re
import subprocess
from pathlib import Path

import pytest

from reconstructing_transformer.sphinx import vendor

WEB = Path(__file__).parents[2] / "book" / "web"


@pytest.fixture
def web(tmp_path):
    """A folder with a lockfile, in which nothing has been installed."""
    (tmp_path / "package-lock.json").write_text("{}", encoding="utf-8")
    return tmp_path


@pytest.fixture
def npm(monkeypatch):
    """Count the calls of npm, which answers as told."""
    calls = []

    def answer(code: int, words: str = "") -> list:
        def run(arguments, folder):
            calls.append(arguments)
            (folder / "node_modules").mkdir(exist_ok=True)
            return subprocess.CompletedProcess(arguments, code, "", words)

        monkeypatch.setattr(vendor, "_npm", run)
        return calls

    return answer


def test_libraries_are_installed_by_the_lockfile_and_only_once(web, npm):
    calls = npm(0)
    assert vendor.install(web) == web / "node_modules"
    vendor.install(web)
    assert [arguments[0] for arguments in calls] == ["ci"]


def test_libraries_are_installed_again_when_the_lock_changes(web, npm):
    calls = npm(0)
    vendor.install(web)
    (web / "package-lock.json").write_text('{"lockfileVersion": 3}', encoding="utf-8")
    vendor.install(web)
    assert len(calls) == 2


def test_no_librarys_own_script_runs(web, npm):
    calls = npm(0)
    vendor.install(web)
    assert "--ignore-scripts" in calls[0]


def test_a_failed_installation_says_what_npm_said_and_is_tried_again(web, npm):
    calls = npm(1, "ENOTFOUND registry.example.org")
    for _ in range(2):
        with pytest.raises(vendor.VendorError, match=r"npm registry reachable\?\nENOTFOUND"):
            vendor.install(web)
    assert len(calls) == 2


def test_every_font_that_a_style_names_lies_in_the_site(tmp_path):
    vendor.copy_assets(vendor.install(WEB), tmp_path)
    for style in (tmp_path / "katex.css", WEB / "static" / "book.css"):
        named = re.findall(r"url\([\"']?([^)\"']+)", style.read_text(encoding="utf-8"))
        assert named
        assert [name for name in named if not (tmp_path / name).is_file()] == []


def test_fonts_are_carried_in_one_format(tmp_path):
    vendor.copy_assets(vendor.install(WEB), tmp_path)
    assert {path.suffix for path in (tmp_path / "fonts").iterdir()} == {".woff2"}

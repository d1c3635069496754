"""`reconstruct figures` tells people and programs what figures a built site has."""

import json

import pytest
from typer.testing import CliRunner

from reconstructing_transformer import cli

runner = CliRunner()

ENTRY = {
    "id": "one-line",
    "number": "1.2",
    "title": "A line [that] rises",
    "caption": "A line.",
    "alt": "A line rises",
    "chapter": "Lines",
    "chapter_url": "lines.html#fig-one-line",
    "url": "figures/one-line.html",
    "files": [{"name": "one-line.svg", "url": "figures/one-line.svg", "bytes": 3, "sha256": "0" * 64}],
    "bibtex": "@misc{key,\n    title = {A}\n}\n",
}


@pytest.fixture
def site(tmp_path):
    (tmp_path / "figures.json").write_text(json.dumps([ENTRY]), encoding="utf-8")
    return str(tmp_path)


def test_figures_are_listed(site):
    done = runner.invoke(cli.app, ["figures", "list", "--site", site])
    assert done.exit_code == 0
    for words in ("1.2", "one-line", "A line [that] rises", "Lines"):
        assert words in done.stdout


def test_figures_are_listed_for_programs(site):
    done = runner.invoke(cli.app, ["figures", "list", "--json", "--site", site])
    assert json.loads(done.stdout) == [ENTRY]


def test_a_figure_is_cited(site):
    done = runner.invoke(cli.app, ["figures", "cite", "one-line", "--site", site])
    assert (done.exit_code, done.stdout) == (0, ENTRY["bibtex"])


def test_a_figure_that_is_not_there_has_neighbours(site):
    done = runner.invoke(cli.app, ["figures", "cite", "one-lin", "--site", site])
    assert done.exit_code == 2
    assert "no figure “one-lin”; did you mean one-line?" in done.stderr


@pytest.mark.parametrize(
    ("content", "said"), [(None, "build the book first"), ("[{}]", "no catalogue of figures"), ("x", "no catalogue")]
)
def test_a_site_without_catalogue_is_no_site(tmp_path, content, said):
    if content is not None:
        (tmp_path / "figures.json").write_text(content, encoding="utf-8")
    done = runner.invoke(cli.app, ["figures", "list", "--site", str(tmp_path)])
    assert done.exit_code == 2
    assert said in done.stderr.replace("\n", " ")

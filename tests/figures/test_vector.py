"""A figure on a page has the page's own colours, a text for those who cannot see it, and the same bytes every time."""

import re

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from reconstructing_transformer.figures import ACCENT, INK, book_style, show
from reconstructing_transformer.figures.style import VARIABLES


@pytest.fixture(autouse=True)
def headless(monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "agg")
    plt.switch_backend("agg")


def curve(heights=(1, 3, 2), title: str = "A title"):
    with book_style():
        figure, axes = plt.subplots()
        axes.plot(heights, marker="o")
        axes.fill_between(range(len(heights)), heights, hatch="/", color=ACCENT, alpha=0.2)
        axes.set_title(title)
    return figure


def shown(figure=None, alt: str = "A curve"):
    data = pd.DataFrame({"y": [1, 3, 2]})
    return show(figure or curve(), "a-curve", caption="A curve.", alt=alt, data=data)


def test_the_text_is_what_a_screen_reader_says():
    svg = shown(alt='Rises, then falls: "1 < 3"').svg
    assert 'role="img"' in svg
    assert 'aria-label="Rises, then falls: &quot;1 &lt; 3&quot;"' in svg


def test_where_there_is_no_page_the_text_stands_for_the_figure():
    assert repr(shown(alt="Rises, then falls")) == "[figure a-curve: Rises, then falls]"


def test_the_same_figure_has_the_same_bytes():
    assert shown().svg == shown().svg


def test_a_figure_carries_no_date_and_no_version():
    svg = shown().svg
    assert "<metadata" not in svg
    assert "Matplotlib" not in svg


def test_two_figures_on_a_page_share_no_id():
    first, second = (shown(curve(heights)).svg for heights in [(1, 3, 2), (2, 3, 1)])
    ids = [set(re.findall(r'\sid="([^"]+)"', svg)) for svg in (first, second)]
    assert ids[0]
    assert ids[0].isdisjoint(ids[1])


def test_every_reference_inside_a_figure_leads_somewhere():
    svg = shown().svg
    ids = re.findall(r'\sid="([^"]+)"', svg)
    used = set(re.findall(r'href="#([^"]+)"', svg)) | set(re.findall(r"url\(#([^)]+)\)", svg))
    assert len(ids) == len(set(ids))
    assert used == set(ids)


def test_the_books_colours_become_the_pages():
    svg = shown().svg
    for colour in (INK, ACCENT):
        assert f"var({VARIABLES[colour]}, {colour})" in svg
        assert len(re.findall(colour, svg)) == len(re.findall(rf"var\({VARIABLES[colour]}, {colour}\)", svg))


def test_a_foreign_colour_stays():
    figure = curve()
    figure.axes[0].axhline(2, color="#123456")
    assert "#123456" in shown(figure).svg


def test_a_figure_has_no_ground_of_its_own():
    assert not re.search(r"fill: #ffffff", shown().svg)


def test_words_in_a_figure_are_text():
    svg = shown(curve(title="A title to find")).svg
    assert ">A title to find</text>" in svg


def test_a_figure_is_as_wide_as_it_was_drawn():
    svg = shown().svg
    assert 'width="691" height="346"' in svg
    assert "viewBox" in svg


def test_a_figure_that_was_shown_is_closed():
    figure = curve()
    shown(figure)
    assert not plt.fignum_exists(figure.number)

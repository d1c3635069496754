"""A plot shows what its table holds, in the book's colours."""

import pandas as pd
import pytest

from reconstructing_transformer.figures import ACCENT, SECOND, line_plot

TABLE = pd.DataFrame({"step": [1, 2, 3], "loss, <i>seed</i> 0": [3.0, 2.5, 2.25], "floor": [1.0, None, 1.0]})


def test_a_curve_is_a_column_and_gaps_are_left_out():
    first, floor = line_plot(TABLE, ylabel="loss").data
    assert (list(first.x), list(first.y)) == ([1, 2, 3], [3.0, 2.5, 2.25])
    assert (list(floor.x), list(floor.y)) == ([1, 3], [1.0, 1.0])


def test_names_are_text_and_never_markup():
    plot = line_plot(TABLE, ylabel="<b>loss</b>")
    assert plot.data[0].name == "loss, &lt;i&gt;seed&lt;/i&gt; 0"
    assert "<i>" not in plot.data[0].hovertemplate
    assert plot.layout.yaxis.title.text == "&lt;b&gt;loss&lt;/b&gt;"


def test_guides_are_dotted_or_dashed_and_curves_are_not():
    curves = list(TABLE.columns[1:])
    assert [line.line.dash for line in line_plot(TABLE, ylabel="loss", dashed=["floor"]).data] == ["solid", "dash"]
    assert [line.line.dash for line in line_plot(TABLE, ylabel="loss", dotted=curves).data] == ["dot", "dot"]


def test_colours_are_the_books_and_begin_anew():
    assert [line.line.color for line in line_plot(TABLE, ylabel="loss").data] == [ACCENT, SECOND]
    assert [line.line.color for line in line_plot(TABLE, ylabel="loss", colours=[ACCENT]).data] == [ACCENT, ACCENT]


def test_axes_are_as_asked():
    plot = line_plot(TABLE, ylabel="loss", xlabel="time", log=True, ylim=(0, 4))
    assert (plot.layout.xaxis.type, plot.layout.yaxis.type, plot.layout.yaxis.range) == ("log", "log", None)
    assert plot.layout.xaxis.title.text == "time"
    assert list(line_plot(TABLE, ylabel="loss", ylim=(0, 4)).layout.yaxis.range) == [0, 4]


def test_what_the_page_carries_is_small():
    assert len(line_plot(TABLE, ylabel="loss").to_json()) < 2000


@pytest.mark.parametrize(
    ("table", "options", "said"),
    [(TABLE[["step"]], {}, "no curve"), (TABLE, {"dashed": ["flor"]}, "no column 'flor'")],
)
def test_a_table_without_what_is_asked_for_is_refused(table, options, said):
    with pytest.raises(ValueError, match=said):
        line_plot(table, ylabel="loss", **options)

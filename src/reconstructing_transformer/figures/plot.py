"""The interactive twin of a drawing with curves: the same table, for a reader who wants to point at a value."""

from collections.abc import Sequence
from html import escape
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from reconstructing_transformer.figures.style import COLOURS, RULE, SOFT

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"


def _axis(label: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    line = {"zeroline": False, "linecolor": RULE, "gridcolor": RULE, "tickcolor": RULE}
    return {"title": {"text": escape(label), "standoff": 8}, "automargin": True, **line, **more}


def line_plot(
    table: pd.DataFrame,
    *,
    ylabel: str,
    xlabel: str = "",
    colours: Sequence[str] = COLOURS,
    dotted: Sequence[str] = (),
    dashed: Sequence[str] = (),
    log: bool = False,
    ylim: tuple[float | int, float | int] | None = None,
    height: int = 340,
) -> go.Figure:
    """Plot the columns of a table over its first one, for a page: a reader points at a curve and reads its value.

    Args:
        table: x in its first column, a curve in each other; gaps are left out.
        ylabel: what stands at the y axis.
        xlabel: what stands at the x axis; the first column's name without it.
        colours: of the curves in their order, from the book's palette; they begin anew where there are more curves.
        dotted: columns that are drawn as dotted lines: levels to compare with.
        dashed: columns that are drawn as dashed lines: floors and other bounds.
        log: whether both axes are logarithmic.
        ylim: lowest and highest y that is shown; all without it.
        height: in pixels.

    Returns:
        The plot, for `show(…, plot=…)`.

    Raises:
        ValueError: the table has no curve, or `dotted` or `dashed` name a column that it lacks.
    """
    x, *curves = table.columns
    unknown = {*dotted, *dashed} - set(curves)
    if not curves or unknown:
        wrong = f"no column {sorted(unknown)[0]!r}" if unknown else "no curve"
        raise ValueError(f"a plot needs a table of x and at least one curve; {wrong} in {list(table.columns)}")
    dashes = dict.fromkeys(dotted, "dot") | dict.fromkeys(dashed, "dash")
    plot = go.Figure(layout={"template": "none"})
    for i, name in enumerate(curves):
        kept = table[[x, name]].dropna()
        line = {"color": colours[i % len(colours)], "width": 1.6, "dash": dashes.get(name, "solid")}
        label = escape(str(name))
        hover = f"{label}<br>{escape(xlabel or str(x))} %{{x}}: <b>%{{y:.4~g}}</b><extra></extra>"
        plot.add_scatter(
            x=kept[x].tolist(), y=kept[name].tolist(), name=label, mode="lines", line=line, hovertemplate=hover
        )
    kind = {"type": "log"} if log else {}
    limits = {"range": list(ylim)} if ylim and not log else {}
    plot.update_layout(
        height=height,
        margin={"l": 8, "r": 12, "t": 12, "b": 8},
        font={"family": FONT, "size": 13.5, "color": SOFT},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        hovermode="closest",
        hoverlabel={"font": {"family": FONT}},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        showlegend=len(curves) > 1,
        xaxis=_axis(xlabel or str(x), showgrid=False, **kind),
        yaxis=_axis(ylabel, **kind, **limits),
    )
    return plot

"""Attention weights, drawn: a row a query, a column a key, a cell as full of colour as its weight."""

import re

import matplotlib.pyplot as plt
import pytest
import torch
from matplotlib.colors import to_hex

from reconstructing_transformer.figures import ACCENT, attention_map, draw_attention, show
from reconstructing_transformer.figures.style import CELL


@pytest.fixture(autouse=True)
def headless():
    plt.switch_backend("agg")
    yield
    plt.close("all")


@pytest.fixture
def weights():
    return torch.tensor([[0.25, 0.75, 0.0], [1.0, 0.0, 0.0]])


@pytest.fixture
def axes():
    return plt.figure().subplots()


def shades(axes) -> dict[tuple[int, int], float]:
    """How full of the accent each cell is, by row and column; empty cells are left out."""
    full = [patch for patch in axes.patches if to_hex(patch.get_facecolor()) == ACCENT]
    return {(int(patch.get_y()), int(patch.get_x())): round(patch.get_facecolor()[3], 3) for patch in full}


def test_each_cell_is_as_full_as_its_weight(axes, weights):
    attention_map(axes, weights, ["a", "b"], ["x", "y", "z"])
    assert shades(axes) == {(0, 0): 0.25, (0, 1): 0.75, (1, 0): 1.0}


def test_each_cell_has_a_ground_be_it_empty_or_not(axes, weights):
    attention_map(axes, weights, ["a", "b"], ["x", "y", "z"])
    (ground,) = [patch for patch in axes.patches if to_hex(patch.get_facecolor()) == CELL]
    corners = {(int(y), int(x)) for x, y in ground.get_path().vertices}
    assert corners == {(row, column) for row in range(2) for column in range(3)}


def test_queries_stand_at_the_rows_and_keys_at_the_columns(axes, weights):
    attention_map(axes, weights, ["a", "b"], ["x", "y", "z"], title="One head")
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["x", "y", "z"]
    assert "One head" in [axes.get_title(loc) for loc in ("left", "center")]


def test_the_first_query_is_at_the_top(axes, weights):
    attention_map(axes, weights, ["a", "b"], ["x", "y", "z"])
    assert axes.get_ylim() == (2, 0)


def test_weights_are_printed_where_asked_for(axes, weights):
    attention_map(axes, weights, ["a", "b"], ["x", "y", "z"], digits=2)
    assert [text.get_text() for text in axes.texts] == ["0.25", "0.75", "0.00", "1.00", "0.00", "0.00"]


@pytest.mark.parametrize(("queries", "keys"), [("a", "xyz"), ("ab", "xy"), ("abc", "xy")])
def test_names_that_do_not_fit_the_weights_are_refused(axes, weights, queries, keys):
    with pytest.raises(ValueError, match=r"shape 2 × 3 need 2 names of queries and 3 of keys"):
        attention_map(axes, weights, list(queries), list(keys))


def test_weights_with_a_gradient_can_be_drawn(axes, weights):
    attention_map(axes, weights.requires_grad_(), ["a", "b"], ["x", "y", "z"])
    assert len(shades(axes)) == 3


def test_each_head_has_a_map_and_a_name(weights):
    figure = draw_attention(torch.stack([weights, weights, weights]), ["a", "b"], ["x", "y", "z"])
    assert [axes.get_title("left") for axes in figure.axes] == ["head 1", "head 2", "head 3"]


def test_a_head_can_be_named(weights):
    figure = draw_attention(weights[None], ["a", "b"], ["x", "y", "z"], titles=["layer 2, head 1"])
    assert [axes.get_title("left") for axes in figure.axes] == ["layer 2, head 1"]


def test_the_maps_colours_are_the_pages(weights):
    figure = draw_attention(weights[None], ["a", "b"], ["x", "y", "z"])
    svg = show(figure, "map", caption="A map.", alt="Two queries and three keys").svg
    assert "var(--accent, " in svg
    assert "var(--cell, " in svg
    assert not re.search(r"fill: #(?!ffffff)", svg)

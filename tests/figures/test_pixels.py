"""A picture of pixels is drawn in the palette, each pixel where it belongs and as full as it is."""

import matplotlib.pyplot as plt
import pytest
import torch
from matplotlib.colors import to_rgb

from reconstructing_transformer.figures.pixels import LEVELS, draw_pixels
from reconstructing_transformer.figures.style import ACCENT, SECOND


@pytest.fixture
def axes():
    figure, axes = plt.subplots()
    yield axes
    plt.close(figure)


def fullness_at(axes, x: float, y: float) -> float:
    """How full of colour the drawing is at a point, 0 where nothing was drawn."""
    return sum(patch.get_facecolor()[3] for patch in axes.patches if patch.get_path().contains_point((x, y)))


def test_each_pixel_is_as_full_as_its_number(axes):
    picture = torch.rand(4, 6, generator=torch.Generator().manual_seed(0))
    draw_pixels(axes, picture)
    for y in range(4):
        for x in range(6):
            assert fullness_at(axes, x + 0.5, y + 0.5) == pytest.approx(picture[y, x].item(), abs=0.51 / LEVELS)


def test_the_first_row_is_on_top_and_nothing_is_around_it(axes):
    draw_pixels(axes, torch.eye(3))
    assert axes.get_xlim() == (0, 3)
    assert axes.get_ylim() == (3, 0)
    assert not axes.get_xticks().size
    assert not any(spine.get_visible() for spine in axes.spines.values())


def test_what_is_empty_is_not_drawn_and_what_is_alike_is_one_path(axes):
    picture = torch.zeros(28, 28)
    picture[3:9, 4:7] = 1
    draw_pixels(axes, picture)
    assert len(axes.patches) == 1
    draw_pixels(axes, torch.zeros(28, 28))
    assert len(axes.patches) == 1


@pytest.mark.parametrize("colour", [ACCENT, SECOND])
def test_the_colour_is_the_palettes(axes, colour):
    draw_pixels(axes, torch.ones(2, 2), colour)
    assert axes.patches[0].get_facecolor() == (*to_rgb(colour), 1)


@pytest.mark.parametrize("wrong", [-0.1, 1.5, 255.0, float("nan")])
def test_numbers_that_are_no_fullness_are_refused(axes, wrong):
    with pytest.raises(ValueError, match=r"lies in 0\.\.1; got .*scale or clamp"):
        draw_pixels(axes, torch.tensor([[0.5, wrong]]))

"""Code can be read by day and by night."""

import pytest

from reconstructing_transformer.sphinx.colours import Ink, Paper


def luminance(colour: str) -> float:
    channels = [int(colour.removeprefix("#")[start : start + 2], 16) / 255 for start in (0, 2, 4)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_black_on_white_has_the_greatest_contrast():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)


@pytest.mark.parametrize("style", [Paper, Ink])
def test_every_colour_of_code_stands_out_from_its_ground(style):
    ratios = {str(token): contrast(look["color"], style.background_color) for token, look in style if look["color"]}
    assert len(ratios) > 10
    assert {token: ratio for token, ratio in ratios.items() if ratio < 4.5} == {}

"""The chapter's cross-attention is explored by keyboard, by mouse and by finger, and its weights are the model's.

A map of cross-attention is no square. Its rows are pieces of what was written, its columns pieces of what was read.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from playwright.sync_api import Locator, Page, expect

from reconstructing_transformer.translation import Translator

PAGE = "book/translation/cross-attention.html"
SENTENCES = {
    "separable-verb": "Ich rufe dich morgen an.",
    "verb-final": "Ich weiß, dass du das Buch gelesen hast.",
    "compound": "Der Busfahrer hat seine Sonnenbrille vergessen.",
}
FIGURES = pytest.mark.parametrize("figure", SENTENCES)


@dataclass(frozen=True)
class Weights:
    """The data that a figure's reader takes home: weights, and what their rows and columns are."""

    values: torch.Tensor
    written: list[str]
    read: list[str]


@pytest.fixture
def weights(site, figure) -> Weights:
    content = json.loads((site / "figures" / f"{figure}.data.json").read_text(encoding="utf-8"))
    names = {axis["name"]: axis["labels"] for axis in content["axes"]}
    assert list(names) == ["layer", "head", "query", "key"]
    return Weights(torch.tensor(content["values"]), names["query"], names["key"])


def view_of(page: Page, figure: str) -> Locator:
    """Open the chapter at a figure, and wait until it can be explored."""
    page.goto(f"{PAGE}#view-{figure}")
    view = page.locator(f"#view-{figure}")
    view.scroll_into_view_if_needed()
    expect(view.locator(".stage")).to_be_visible()
    return view


def tab_to(page: Page, view: Locator, selector: str) -> None:
    """Press Tab until something in the view has the focus: few times, for the page was opened at the view."""
    for _ in range(8):
        page.keyboard.press("Tab")
        if view.evaluate("(view, selector) => view.querySelector(`${selector}:focus`) !== null", selector):
            return
    pytest.fail(f"Tab does not reach {selector}")


def press(page: Page, key: str, times: int = 1) -> None:
    for _ in range(times):
        page.keyboard.press(key)


def assert_read(view: Locator, weights: Weights, layer: int, head: int, row: int, column: int) -> None:
    expect(view.locator(".reading .pair")).to_have_text(f"{weights.written[row]} → {weights.read[column]}")
    expect(view.locator(".reading .where")).to_have_text(f"layer {layer + 1}, head {head + 1}")
    shown = float(view.locator(".reading .weight").inner_text())
    assert abs(shown - float(weights.values[layer, head, row, column])) <= 1 / 255


@FIGURES
def test_rows_are_what_was_written_and_columns_what_was_read_by_the_released_translator(weights, figure):
    (translation,) = Translator.from_pretrained().translate([SENTENCES[figure]], return_attention=True)
    (seen,) = translation.attention
    assert (weights.written, weights.read) == (list(seen.target), list(seen.source))
    torch.testing.assert_close(weights.values, seen.cross, rtol=0, atol=1e-4)


def test_not_all_maps_are_square(site):
    sizes = [
        {axis["name"]: len(axis["labels"]) for axis in json.loads(Path(file).read_text(encoding="utf-8"))["axes"]}
        for file in (site / "figures" / f"{figure}.data.json" for figure in SENTENCES)
    ]
    assert any(size["query"] != size["key"] for size in sizes)


@FIGURES
def test_the_keyboard_alone_reaches_every_head_and_every_corner(reader, weights, figure):
    view = view_of(reader, figure)
    tab_to(reader, view, "[role=radio]")
    press(reader, "ArrowDown", 2)
    press(reader, "ArrowRight", 3)
    expect(view.locator(":focus")).to_have_accessible_name("layer 3, head 4")
    tab_to(reader, view, ".cells")
    press(reader, "Home")
    press(reader, "ArrowDown")
    press(reader, "ArrowRight", 2)
    assert_read(view, weights, 2, 3, 1, 2)
    press(reader, "End")
    press(reader, "ArrowDown", len(weights.written))
    assert_read(view, weights, 2, 3, len(weights.written) - 1, len(weights.read) - 1)


@FIGURES
def test_the_table_has_a_row_for_each_piece_written_and_a_column_for_each_piece_read(reader, weights, figure):
    view = view_of(reader, figure)
    view.get_by_role("radio", name="layer 2, head 3").click()
    view.get_by_text("Show as a table").click()
    expect(view.locator("thead th")).to_have_text(["query", *weights.read])
    expect(view.locator("tbody th")).to_have_text(weights.written)
    shown = torch.tensor([float(text) for text in view.locator("td").all_inner_texts()])
    torch.testing.assert_close(shown, weights.values[1, 2].ravel(), rtol=0, atol=1 / 255)


def place(view: Locator, weights: Weights, row: int, column: int) -> tuple[float, float]:
    box = view.locator(".cells canvas").bounding_box()
    assert box is not None
    n, m = weights.values.shape[-2:]
    return box["x"] + (column + 0.5) * box["width"] / m, box["y"] + (row + 0.5) * box["height"] / n


@FIGURES
def test_the_mouse_reads_the_weight_that_it_points_at(reader, weights, figure):
    view = view_of(reader, figure)
    for row, column in ((0, 0), (2, 1), (len(weights.written) - 1, len(weights.read) - 1)):
        view.locator(".cells canvas").scroll_into_view_if_needed()
        reader.mouse.move(*place(view, weights, row, column))
        assert_read(view, weights, 0, 0, row, column)


@FIGURES
def test_a_finger_on_a_phone_reads_the_weight_that_it_touches(open_context, weights, figure):
    with open_context(390, 844, has_touch=True, is_mobile=True, device_scale_factor=2) as context:
        page = context.new_page()
        view = view_of(page, figure)
        view.get_by_role("radio", name="layer 3, head 2").tap()
        view.locator(".cells canvas").scroll_into_view_if_needed()
        page.touchscreen.tap(*place(view, weights, 2, 1))
        assert_read(view, weights, 2, 1, 2, 1)
        assert page.evaluate("document.documentElement.scrollWidth") == 390

"""A reader explores attention: by mouse, by touch and by keyboard, light and dark, and what is read is the weight."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import pytest
import torch
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from reconstructing_transformer.figures.view import AttentionView, Start, attention_view, patch_image
from tests.bench_attention_view import OWN, attention_view_frames, large_view, weight, write_page
from tests.site.reading import serve

ENGLISH = ["the", "forty-two", "small", "cats", "sleep", "today", "</s>"]
GERMAN = ["die", "zweiundvierzig", "kleinen", "Katzen", "schlafen", "</s>"]
STATIC = '<svg role="img" aria-label="A static figure" width="300" height="200"><rect width="300" height="200"/></svg>'
LIGHT = {"accent": (168, 61, 25), "cell": (241, 235, 224)}
DARK = {"accent": (240, 138, 93), "cell": (43, 40, 36)}


def heads(*shape: int) -> torch.Tensor:
    return (3 * torch.randn(*shape, generator=torch.Generator().manual_seed(3))).softmax(-1)


CROSS = heads(3, 4, 7, 6)
PATCHES = heads(2, 2, 17, 17)
ROLLOUT = heads(17, 17)
PIXELS = torch.rand(8, 8, generator=torch.Generator().manual_seed(4))


def cross(**options: Any) -> AttentionView:
    return attention_view(CROSS, ENGLISH, GERMAN, **options)


def image() -> AttentionView:
    return attention_view(PATCHES, image=patch_image(PIXELS, 2), rollout=ROLLOUT)


def html(view: AttentionView, name: str = "first") -> str:
    return view.html(STATIC, id=name, label="Attention weights")


# Opening a page ----------------------------------------------------------------------------------------------------

Opener = Callable[..., Any]


@pytest.fixture
def opened(browser, tmp_path) -> Opener:
    """Open a page with figures, in a window of some width. At its end, the page has made no error and no request."""

    @contextmanager
    def open_page(*figures: str, width: int = 1300, js: bool = True, **options: Any) -> Iterator[Page]:
        write_page(tmp_path, *figures)
        with serve(tmp_path) as address:
            size = {"width": width, "height": 900}
            context = browser.new_context(viewport=size, java_script_enabled=js, **options)
            context.set_default_timeout(10_000)
            page = context.new_page()
            complaints: list[str] = []
            page.on("console", lambda message: complaints.append(message.text) if message.type != "log" else None)
            page.on("pageerror", lambda error: complaints.append(str(error)))
            asked: set[str] = set()
            page.on("request", lambda request: asked.add(request.url))
            page.goto(address)
            yield page
            context.close()
        assert complaints == []
        expected = ["", "book.css", *(name for name in OWN if js or name.endswith(".css"))]
        assert {url for url in asked if not url.startswith("data:")} == {f"{address}/{name}" for name in expected}

    return open_page


@pytest.fixture
def desk(opened) -> Iterator[Page]:
    """A page at a desk, with three layers of four heads."""
    with opened(html(cross())) as page:
        expect(view_of(page).locator(".stage")).to_be_visible()
        yield page


def phone(opened: Opener, *figures: str, **options: Any) -> Any:
    return opened(*figures, width=390, has_touch=True, is_mobile=True, device_scale_factor=2, **options)


def view_of(page: Page, name: str = "first") -> Locator:
    return page.locator(f"#view-{name}")


# What a reader does and sees ---------------------------------------------------------------------------------------


def place(page: Page, query: int, key: int, n: int = 7, m: int = 6) -> tuple[float, float]:
    """Where a cell of the map lies."""
    page.locator(".cells canvas").scroll_into_view_if_needed()
    box = page.locator(".cells canvas").bounding_box()
    assert box is not None
    return box["x"] + (key + 0.5) * box["width"] / m, box["y"] + (query + 0.5) * box["height"] / n


def point(page: Page, query: int, key: int) -> None:
    page.mouse.move(*place(page, query, key))


def assert_read(page: Page, query: str, key: str, weight: torch.Tensor | float, where: str | None = None) -> None:
    expect(page.locator(".reading .pair")).to_have_text(f"{query} → {key}")
    assert abs(float(page.locator(".reading .weight").inner_text()) - float(weight)) <= 1 / 255
    if where is not None:
        expect(page.locator(".reading .where")).to_have_text(where)


def assert_nothing_read(page: Page) -> None:
    expect(page.locator(".reading .weight")).to_be_hidden()


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def tab_to(page: Page, selector: str) -> None:
    for _ in range(20):
        press(page, "Tab")
        if page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
            return
    pytest.fail(f"Tab does not reach {selector}")


def colours(canvas: Locator, places: list[tuple[float, float]]) -> list[tuple[int, int, int, int]]:
    """The colours of a canvas at some places, given as shares of its width and height."""
    read = """(canvas, places) => {
      const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", { willReadFrequently: true });
      copy.drawImage(canvas, 0, 0);
      return places.map(([x, y]) => [
        ...copy.getImageData(Math.floor(x * canvas.width), Math.floor(y * canvas.height), 1, 1).data]);
    }"""
    return [tuple(colour) for colour in canvas.evaluate(read, places)]


# By mouse ----------------------------------------------------------------------------------------------------------


def test_pointing_at_a_cell_reads_its_weight(desk):
    for query, key in [(0, 0), (2, 4), (6, 5), (3, 1)]:
        point(desk, query, key)
        assert_read(desk, ENGLISH[query], GERMAN[key], CROSS[0, 0, query, key], "layer 1, head 1")


def test_a_chosen_head_is_read(desk):
    desk.get_by_role("radio", name="layer 3, head 2").click()
    point(desk, 2, 1)
    assert_read(desk, "small", "zweiundvierzig", CROSS[2, 1, 2, 1], "layer 3, head 2")
    expect(desk.get_by_role("radio", checked=True)).to_have_accessible_name("layer 3, head 2")


def test_what_is_pointed_at_is_marked_in_lines_and_map(desk):
    point(desk, 3, 4)
    expect(desk.locator(".lines text.on")).to_have_text(["schlafen", "cats"])
    expect(desk.locator(".cells text.on:visible")).to_have_text(["schlafen"])
    cell, canvas = desk.locator(".cells .cell").bounding_box(), desk.locator(".cells canvas").bounding_box()
    assert abs((cell["x"] - canvas["x"]) / canvas["width"] - 4 / 6) < 0.03
    assert abs((cell["y"] - canvas["y"]) / canvas["height"] - 3 / 7) < 0.03


def test_the_line_that_is_pointed_at_lights_up(desk):
    lit = desk.locator(".lines canvas").last
    middle = [(0.5, i / 200) for i in range(200)]
    assert not any(alpha for *_, alpha in colours(lit, middle))
    point(desk, 3, 4)
    assert_read(desk, "cats", "schlafen", CROSS[0, 0, 3, 4])
    assert any(alpha for *_, alpha in colours(lit, middle))


def test_a_query_among_the_lines_reads_its_strongest_key(desk):
    desk.locator(".lines text", has_text="sleep").hover(force=True)
    strongest = int(CROSS[0, 0, 4].argmax())
    assert_read(desk, "sleep", GERMAN[strongest], CROSS[0, 0, 4, strongest])


def test_a_key_among_the_lines_reads_its_strongest_query(desk):
    desk.locator(".lines text", has_text="kleinen").hover(force=True)
    strongest = int(CROSS[0, 0, :, 2].argmax())
    assert_read(desk, ENGLISH[strongest], "kleinen", CROSS[0, 0, strongest, 2])


def test_the_reading_ends_when_the_pointer_leaves(desk):
    assert_nothing_read(desk)
    point(desk, 3, 4)
    assert_read(desk, "cats", "schlafen", CROSS[0, 0, 3, 4])
    desk.mouse.move(2, 2)
    assert_nothing_read(desk)


def test_the_same_cell_is_read_in_another_head(desk):
    point(desk, 3, 4)
    desk.get_by_role("radio", name="layer 2, head 4").click()
    assert_read(desk, "cats", "schlafen", CROSS[1, 3, 3, 4], "layer 2, head 4")


def test_a_click_pins_the_query_and_another_lets_it_go(desk):
    desk.mouse.click(*place(desk, 2, 1))
    point(desk, 5, 3)
    assert_read(desk, "small", "Katzen", CROSS[0, 0, 2, 3])
    desk.mouse.move(2, 2)
    strongest = int(CROSS[0, 0, 2].argmax())
    assert_read(desk, "small", GERMAN[strongest], CROSS[0, 0, 2, strongest])
    desk.mouse.click(*place(desk, 2, 1))
    point(desk, 5, 3)
    assert_read(desk, "today", "Katzen", CROSS[0, 0, 5, 3])


def test_the_button_pins_and_lets_go(desk):
    pin = desk.get_by_role("button", name="Pin query")
    point(desk, 4, 2)
    pin.click()
    expect(pin).to_have_attribute("aria-pressed", "true")
    point(desk, 0, 2)
    assert_read(desk, "sleep", "kleinen", CROSS[0, 0, 4, 2])
    pin.click()
    expect(pin).to_have_attribute("aria-pressed", "false")


def test_a_view_starts_as_it_was_told(opened):
    with opened(html(cross(start=Start(2, 1, query=4)))) as page:
        strongest = int(CROSS[2, 1, 4].argmax())
        assert_read(page, "sleep", GERMAN[strongest], CROSS[2, 1, 4, strongest], "layer 3, head 2")
        expect(page.get_by_role("button", name="Pin query")).to_have_attribute("aria-pressed", "true")


def test_one_head_needs_no_grid(opened):
    with opened(html(attention_view(CROSS[0, :1], ENGLISH, GERMAN))) as page:
        point(page, 3, 4)
        assert_read(page, "cats", "schlafen", CROSS[0, 0, 3, 4], "")
        expect(page.get_by_role("radiogroup")).to_have_count(0)


# By keyboard -------------------------------------------------------------------------------------------------------


def test_the_keyboard_alone_chooses_a_head_and_reads_a_weight(desk):
    tab_to(desk, "[role=radio]")
    press(desk, "ArrowDown", "ArrowDown", "ArrowRight")
    expect(desk.locator(":focus")).to_have_accessible_name("layer 3, head 2")
    expect(desk.locator(":focus")).to_be_checked()
    tab_to(desk, ".cells")
    press(desk, "Home", "ArrowDown", "ArrowDown", "ArrowRight")
    assert_read(desk, "small", "zweiundvierzig", CROSS[2, 1, 2, 1], "layer 3, head 2")


def test_only_one_head_is_in_the_order_of_tabs(desk):
    assert desk.locator("[role=radio]").evaluate_all("(all) => all.map((one) => one.tabIndex).sort().join()") == (
        ",".join(["-1"] * 11 + ["0"])
    )


def test_the_grid_ends_at_its_edges(desk):
    tab_to(desk, "[role=radio]")
    press(desk, "ArrowUp", "ArrowLeft")
    expect(desk.locator(":focus")).to_have_accessible_name("layer 1, head 1")
    press(desk, "End", "ArrowRight", "ArrowDown")
    expect(desk.locator(":focus")).to_have_accessible_name("layer 2, head 4")
    press(desk, "Home")
    expect(desk.locator(":focus")).to_have_accessible_name("layer 2, head 1")


def test_the_map_ends_at_its_edges(desk):
    tab_to(desk, ".cells")
    press(desk, "ArrowUp", "Home", "ArrowLeft")
    assert_read(desk, "the", "die", CROSS[0, 0, 0, 0])
    press(desk, *["ArrowDown"] * 9, "End", "ArrowRight")
    assert_read(desk, "</s>", "</s>", CROSS[0, 0, 6, 5])


def test_enter_pins_and_escape_lets_go(desk):
    pin = desk.get_by_role("button", name="Pin query")
    tab_to(desk, ".cells")
    press(desk, "ArrowDown", "Enter")
    expect(pin).to_have_attribute("aria-pressed", "true")
    point(desk, 5, 3)
    assert_read(desk, "forty-two", "Katzen", CROSS[0, 0, 1, 3])
    press(desk, "ArrowDown")
    assert_read(desk, "small", "Katzen", CROSS[0, 0, 2, 3])
    press(desk, "Escape")
    expect(pin).to_have_attribute("aria-pressed", "false")
    press(desk, "Enter")
    expect(pin).to_have_attribute("aria-pressed", "true")
    press(desk, "Enter")
    expect(pin).to_have_attribute("aria-pressed", "false")


def test_the_lines_have_the_same_keys(desk):
    tab_to(desk, ".lines")
    press(desk, "ArrowDown", "End")
    assert_read(desk, "forty-two", "</s>", CROSS[0, 0, 1, 5])


def test_the_focus_can_be_seen(desk):
    for selector in ("[role=radio]", ".lines", ".cells", "summary"):
        tab_to(desk, selector)
        assert desk.locator(":focus").evaluate("(node) => getComputedStyle(node).outlineStyle") == "solid"


def test_arrows_that_are_used_do_not_turn_the_books_page(desk):
    desk.evaluate("document.addEventListener('keydown', (event) => { document.title += event.key; })")
    tab_to(desk, ".cells")
    desk.evaluate("document.title = 'kept'")
    press(desk, "ArrowLeft", "ArrowRight")
    tab_to(desk, "summary")
    assert "Arrow" not in desk.title()


def test_what_is_read_is_said_once_it_rests(desk):
    status = desk.get_by_role("status")
    expect(status).to_be_empty()
    tab_to(desk, ".cells")
    press(desk, "Home", "ArrowDown", "ArrowRight")
    weight = f"{round(255 * float(CROSS[0, 0, 1, 1])) / 255:.3f}"
    expect(status).to_have_text(f"query forty-two, key zweiundvierzig, weight {weight}, layer 1, head 1")
    press(desk, "Enter")
    expect(status).to_have_text(re.compile("head 1, pinned$"))


# Numbers -----------------------------------------------------------------------------------------------------------


def test_the_table_has_every_weight_of_the_chosen_head(desk):
    expect(desk.get_by_role("table")).to_have_count(0)
    desk.get_by_role("radio", name="layer 2, head 3").click()
    desk.get_by_text("Show as a table").click()
    expect(desk.locator("table caption")).to_have_text("layer 2, head 3")
    expect(desk.locator("thead th")).to_have_text(["query", *GERMAN])
    expect(desk.locator("tbody th")).to_have_text(ENGLISH)
    shown = torch.tensor([float(text) for text in desk.locator("td").all_inner_texts()]).view(7, 6)
    torch.testing.assert_close(shown, CROSS[1, 2], rtol=0, atol=1 / 255)
    desk.get_by_role("radio", name="layer 1, head 3").click()
    expect(desk.locator("table caption")).to_have_text("layer 1, head 3")


# Light and dark ----------------------------------------------------------------------------------------------------


def sharp() -> AttentionView:
    """Weights of one, in the first column, and of zero."""
    weights = torch.zeros(1, 2, 7, 6)
    weights[..., 0] = 1
    return attention_view(weights, ENGLISH, GERMAN)


def assert_colours(page: Page, expected: dict[str, tuple[int, ...]]) -> None:
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    full, empty = colours(page.locator(".cells canvas"), [(0.5 / 6, 0.5), (3.5 / 6, 0.5)])
    assert full == (*expected["accent"], 255)
    assert empty == (*expected["cell"], 255)


def test_the_map_follows_the_readers_system(opened):
    with opened(html(sharp()), color_scheme="light") as page:
        expect(page.locator(".cells canvas")).to_be_visible()
        assert_colours(page, LIGHT)
        page.emulate_media(color_scheme="dark")
        assert_colours(page, DARK)


def test_the_map_follows_the_pages_switch(opened):
    with opened(html(sharp()), color_scheme="light") as page:
        expect(page.locator(".cells canvas")).to_be_visible()
        page.evaluate("document.body.dataset.theme = 'dark'")
        assert_colours(page, DARK)
        page.evaluate("document.body.dataset.theme = 'light'")
        assert_colours(page, LIGHT)


def test_nothing_moves_for_who_prefers_that(opened):
    with opened(html(cross()), reduced_motion="reduce") as page:
        expect(page.locator(".stage")).to_be_visible()
        moving = """[...document.querySelectorAll(".attention-view *")].filter(
          (node) => getComputedStyle(node).transitionDuration !== "0s").length"""
        assert page.evaluate(moving) == 0


# Accessibility -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1300, 390])
def test_axe_finds_nothing(opened, scheme, width):
    with opened(
        html(cross(start=Start(1, 1, query=2))), html(image(), "second"), width=width, color_scheme=scheme
    ) as page:
        page.mouse.wheel(0, 5000)
        expect(page.locator("attention-view.is-live")).to_have_count(2)
        for summary in page.get_by_text("Show as a table").all():
            summary.click()
        expect(page.locator("table")).to_have_count(2)
        found = Axe().run(page, options={"rules": {"target-size": {"enabled": True}}})
        assert [violation["id"] for violation in found.response["violations"]] == []


def test_two_views_on_a_page_share_no_id(opened):
    with opened(html(cross()), html(cross(), "second")) as page:
        page.mouse.wheel(0, 5000)
        expect(page.locator("attention-view.is-live")).to_have_count(2)
        ids = page.evaluate("[...document.querySelectorAll('[id]')].map((node) => node.id)")
        assert len(ids) == len(set(ids)) == 2


def test_two_views_on_a_page_do_not_disturb_each_other(opened):
    with opened(html(cross()), html(cross(start=Start(1, 2)), "second")) as page:
        page.mouse.wheel(0, 5000)
        second = view_of(page, "second")
        second.get_by_role("radio", name="layer 3, head 1").click()
        expect(second.get_by_role("radio", checked=True)).to_have_accessible_name("layer 3, head 1")
        expect(view_of(page).get_by_role("radio", checked=True)).to_have_accessible_name("layer 1, head 1")


# On a phone --------------------------------------------------------------------------------------------------------


def width_of(page: Page) -> int:
    return page.evaluate("document.documentElement.scrollWidth")


def test_a_tap_reads_a_weight(opened):
    with phone(opened, html(cross())) as page:
        page.get_by_role("radio", name="layer 2, head 4").tap()
        page.touchscreen.tap(*place(page, 3, 4))
        assert_read(page, "cats", "schlafen", CROSS[1, 3, 3, 4], "layer 2, head 4")
        page.get_by_role("button", name="Pin query").tap()
        page.touchscreen.tap(*place(page, 5, 0))
        assert_read(page, "today", "die", CROSS[1, 3, 5, 0])
        expect(page.get_by_role("button", name="Pin query")).to_have_attribute("aria-pressed", "true")


def test_a_finger_drags_over_the_map(opened):
    with phone(opened, html(cross())) as page:
        session = page.context.new_cdp_session(page)
        for kind, key in [("touchStart", 0), *(("touchMove", key) for key in (0.4, 0.8, 1, 2, 3, 4))]:
            x, y = place(page, 3, key)
            session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})
        assert_read(page, "cats", "schlafen", CROSS[0, 0, 3, 4])
        x, y = place(page, 1, 2)
        session.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [{"x": x, "y": y}]})
        assert_read(page, "forty-two", "kleinen", CROSS[0, 0, 1, 2])
        session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        assert_read(page, "forty-two", "kleinen", CROSS[0, 0, 1, 2])


def test_a_finger_on_the_map_still_scrolls_the_page(opened):
    with phone(opened, html(cross()), html(cross(), "second")) as page:
        page.locator(".cells canvas").first.wait_for()
        box = page.locator(".cells canvas").first.bounding_box()
        session = page.context.new_cdp_session(page)
        for kind, up in [("touchStart", 0), *(("touchMove", up) for up in range(10, 130, 10))]:
            finger = {"x": box["x"] + 50, "y": box["y"] + 150 - up}
            session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [finger]})
        session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        page.wait_for_function("scrollY > 80")


def test_lines_and_map_take_turns(opened):
    with phone(opened, html(cross())) as page:
        expect(page.locator(".cells")).to_be_visible()
        expect(page.locator(".lines")).to_be_hidden()
        page.get_by_role("button", name="Lines").tap()
        expect(page.locator(".cells")).to_be_hidden()
        page.locator(".lines text", has_text="sleep").tap(force=True)
        strongest = int(CROSS[0, 0, 4].argmax())
        assert_read(page, "sleep", GERMAN[strongest], CROSS[0, 0, 4, strongest])
        page.get_by_role("button", name="Map").tap()
        expect(page.locator(".cells")).to_be_visible()
        expect(page.locator(".lines")).to_be_hidden()


@pytest.mark.parametrize("width", [320, 390, 600, 820, 1024, 1300])
@pytest.mark.parametrize("make", [cross, image, large_view])
def test_nothing_is_wider_than_the_page(opened, make, width):
    with opened(html(make()), width=width) as page:
        expect(page.locator(".stage")).to_be_visible()
        assert width_of(page) <= width
        inside, right = page.locator(".live").bounding_box(), 0.0
        for part in page.locator(".stage :is(.heads, .lines, .cells, .patched, .reading):visible").all():
            box = part.bounding_box()
            right = max(right, box["x"] + box["width"])
        assert right <= inside["x"] + inside["width"] + 1


def test_a_window_that_changes_its_width_changes_the_arrangement(opened):
    with opened(html(cross())) as page:
        expect(page.get_by_role("button", name="Lines")).to_be_hidden()
        page.set_viewport_size({"width": 390, "height": 900})
        expect(page.get_by_role("button", name="Lines")).to_be_visible()
        assert width_of(page) == 390
        page.set_viewport_size({"width": 1300, "height": 900})
        expect(page.get_by_role("button", name="Lines")).to_be_hidden()
        point(page, 3, 4)
        assert_read(page, "cats", "schlafen", CROSS[0, 0, 3, 4])


# Many tokens and odd tokens ----------------------------------------------------------------------------------------


def assert_labels_apart(page: Page) -> None:
    for column in ("end", "start"):
        labels = page.locator(f".lines text[text-anchor={column}]:visible").all()
        heights = sorted((box["y"] + box["height"] / 2) for box in (label.bounding_box() for label in labels))
        assert len(heights) >= 1
        assert all(below - above >= 13 for above, below in pairwise(heights))


@pytest.mark.parametrize("width", [390, 1300])
def test_labels_of_forty_tokens_do_not_run_into_each_other(opened, width):
    with opened(html(large_view()), width=width) as page:
        page.locator(".stage").wait_for()
        if width == 390:
            page.get_by_role("button", name="Lines").click()
        assert_labels_apart(page)
        page.locator(".lines").focus()
        press(page, *["ArrowDown"] * 7, *["ArrowRight"] * 9)
        expect(page.locator(".lines text.on:visible")).to_have_count(2)
        assert_labels_apart(page)


def test_no_token_becomes_markup(opened):
    odd = ["<img src=x onerror=document.title=1>", "</script>", "a&amp;b", "", " the", "\n", "ü" * 40, "👩‍🔬", "שלום"]
    view = attention_view(heads(1, 2, 9, 9), odd)
    with opened(html(view)) as page:
        tab_to(page, ".cells")
        for shown in [odd[0], "</script>", "a&amp;b", "∅", "␣the", "↵", "ü" * 40, "👩‍🔬", "שלום"]:
            expect(page.locator(".pair bdi").first).to_have_text(shown)
            press(page, "ArrowDown")
        page.get_by_text("Show as a table").click()
        expect(page.locator("tbody th").first).to_have_text(odd[0])
        expect(page.locator("attention-view img")).to_have_count(0)
        assert page.title() == "Attention"
        expect(page.locator(".lines text").nth(6)).to_have_text("ü" * 11 + "…")


# Images ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def picture(opened) -> Iterator[Page]:
    """A page with an image of 4 × 4 patches and a class token."""
    with opened(html(image())) as page:
        expect(page.locator(".patches")).to_be_visible()
        yield page


def patch_at(page: Page, row: int, column: int) -> tuple[float, float]:
    box = page.locator(".patches").bounding_box()
    assert box is not None
    return box["x"] + (column - 0.5) * box["width"] / 4, box["y"] + (row - 0.5) * box["height"] / 4


def test_the_class_token_asks_first(picture):
    strongest = int(PATCHES[0, 0, 0].argmax())
    assert_read(picture, "class token", image().keys[strongest], PATCHES[0, 0, 0, strongest])
    picture.mouse.move(*patch_at(picture, 2, 3))
    assert_read(picture, "class token", "patch 2,3", PATCHES[0, 0, 0, 7], "layer 1, head 1")
    expect(picture.get_by_role("button", name="class token")).to_have_attribute("aria-pressed", "true")


def test_a_click_on_a_patch_makes_it_the_query(picture):
    picture.mouse.click(*patch_at(picture, 4, 1))
    picture.mouse.move(*patch_at(picture, 1, 2))
    assert_read(picture, "patch 4,1", "patch 1,2", PATCHES[0, 0, 13, 2])
    chip = picture.get_by_role("button", name="class token")
    chip.hover()
    assert_read(picture, "patch 4,1", "class token", PATCHES[0, 0, 13, 0])
    chip.click()
    picture.mouse.move(*patch_at(picture, 1, 2))
    assert_read(picture, "class token", "patch 1,2", PATCHES[0, 0, 0, 2])


def test_rollout_is_one_more_head(picture):
    picture.get_by_role("radio", name="rollout").click()
    picture.mouse.move(*patch_at(picture, 3, 3))
    assert_read(picture, "class token", "patch 3,3", ROLLOUT[0, 11], "rollout")


def test_the_keyboard_walks_over_the_patches(picture):
    tab_to(picture, "[role=radio]")
    press(picture, "ArrowDown", "ArrowRight", "ArrowDown")
    expect(picture.locator(":focus")).to_have_accessible_name("rollout")
    press(picture, "ArrowUp", "ArrowRight")
    tab_to(picture, ".patches")
    press(picture, *["ArrowUp"] * 4)
    assert_read(picture, "class token", "class token", PATCHES[1, 1, 0, 0])
    press(picture, "ArrowDown", "ArrowDown", "End")
    assert_read(picture, "class token", "patch 2,4", PATCHES[1, 1, 0, 8])
    press(picture, "Enter", "Home")
    assert_read(picture, "patch 2,4", "patch 2,1", PATCHES[1, 1, 8, 5])
    press(picture, "Escape")
    assert_read(picture, "class token", "patch 2,1", PATCHES[1, 1, 0, 5])


def test_an_image_without_a_class_token_ends_at_its_edges(opened):
    weights = heads(1, 16, 16)
    view = attention_view(weights, image=patch_image(PIXELS, 2, class_token=False))
    with opened(html(view)) as page:
        expect(page.get_by_role("button")).to_have_count(0)
        tab_to(page, ".patches")
        press(page, *["ArrowUp"] * 4, "Home", "ArrowRight", "ArrowUp")
        assert_read(page, "patch 1,1", "patch 1,2", weights[0, 0, 1])


def test_a_finger_chooses_a_patch(opened):
    with phone(opened, html(image())) as page:
        page.locator(".patches").scroll_into_view_if_needed()
        page.touchscreen.tap(*patch_at(page, 4, 1))
        strongest = int(PATCHES[0, 0, 13].argmax())
        assert_read(page, "patch 4,1", image().keys[strongest], PATCHES[0, 0, 13, strongest])


def test_the_strongest_patch_has_the_most_colour(picture):
    middles = [((i % 4 + 0.5) / 4, (i // 4 + 0.5) / 4) for i in range(16)]
    alphas = [alpha for *_, alpha in colours(picture.locator(".patches canvas"), middles)]
    shares = PATCHES[0, 0, 0, 1:] / PATCHES[0, 0, 0, 1:].max()
    torch.testing.assert_close(torch.tensor(alphas) / 255, 0.8 * shares, rtol=0, atol=0.02)
    assert max(alphas) < 0.85 * 255  # the image is seen through it


# The static figure -------------------------------------------------------------------------------------------------


def test_without_javascript_the_figure_stays(opened):
    with opened(html(cross()), js=False) as page:
        expect(page.get_by_role("img", name="A static figure")).to_be_visible()
        expect(page.locator(".live")).to_have_count(0)


LOOK = """(figure) => [...figure.querySelectorAll("*")].map((node) => {
  const { fill, stroke, font, margin } = getComputedStyle(node);
  const { width, height } = node.getBoundingClientRect();
  return [node.localName, fill, stroke, font, margin, width, height].join();
})"""


def test_the_views_style_leaves_the_figure_alone(opened):
    figure = f"<div><p>A line</p>{STATIC.replace('<rect', '<text y=99>text</text><rect')}</div>"
    alone = f'<div class="static-figure">{figure}</div>'
    with opened(cross().html(figure, id="first", label="b"), alone, js=False) as page:
        inside, outside = [each.evaluate(LOOK) for each in page.locator(".static-figure").all()]
        assert inside == outside


def test_on_paper_the_figure_returns(desk):
    expect(desk.locator(".static-figure")).to_be_hidden()
    desk.emulate_media(media="print")
    expect(desk.locator(".static-figure")).to_be_visible()
    expect(desk.locator(".live")).to_be_hidden()


def test_the_figure_stays_until_a_reader_comes_near(opened):
    with opened('<div style="height: 4000px"></div>', html(cross())) as page:
        expect(page.locator("attention-view.is-live")).to_have_count(0)
        expect(page.locator(".static-figure")).to_be_visible()
        page.mouse.wheel(0, 4000)
        expect(page.locator("attention-view.is-live")).to_have_count(1)


def test_a_link_to_a_view_that_is_far_away_opens_it(opened):
    with opened('<div style="height: 4000px"></div>', html(cross())) as page:
        page.evaluate("location.hash = 'view-first'")
        expect(page.locator("attention-view.is-live")).to_have_count(1)


def test_a_focus_in_the_figure_goes_on_to_the_view(opened):
    figure = cross().html(f'<div tabindex="0">{STATIC}</div>', id="first", label="Attention weights")
    with opened('<div style="height: 4000px"><a href="#">A link</a></div>', figure) as page:
        page.locator("a").focus()
        press(page, "Tab")
        expect(page.locator(".surface:focus")).to_have_count(1)


def test_the_page_does_not_jump_when_a_view_opens(opened):
    tall = cross().html(STATIC.replace("200", "600"), id="first", label="Attention weights")
    with opened(tall, js=False) as page:
        expected = page.locator("figcaption").bounding_box()
    with opened(tall) as page:
        expect(page.locator("attention-view.is-live")).to_have_count(1)
        assert page.locator("figcaption").bounding_box() == expected


def test_weights_that_are_cut_off_leave_the_figure(browser, tmp_path):
    broken = re.sub(r'"weights":"[^"]{8}', '"weights":"', html(cross()))
    write_page(tmp_path, broken)
    with serve(tmp_path) as address:
        page = browser.new_page()
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(address)
        page.wait_for_timeout(300)
        assert errors == ["498 weights for 3 × 4 maps of 42"]
        expect(page.locator(".static-figure")).to_be_visible()
        page.close()


# Size and speed ----------------------------------------------------------------------------------------------------


def test_the_view_weighs_at_most_twelve_kilobytes():
    assert weight() <= 12


def test_frames_can_be_measured(browser, record_property):
    found = attention_view_frames(browser)
    assert all(value > 0 for value in found.values())
    record_property("said", "attention view: " + ", ".join(f"{name} {value:.1f}" for name, value in found.items()))

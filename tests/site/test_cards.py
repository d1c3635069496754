"""Point at a symbol, and every occurrence of it lights up: in the formula, in the code and in the list of symbols."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

PARTS = {"formula": ".formula", "code": ".codes", "list": ".symbols"}

# Every place in a card that carries a symbol: its symbol, whether it is lit, and the colour behind it.
PLACES = """(card) => [...card.querySelectorAll("[data-sym]:not(button)")].map((node) => ({
  symbol: node.dataset.sym,
  lit: node.classList.contains("lit"),
  ground: getComputedStyle(node).backgroundColor,
  part: node.closest(".formula") ? "formula" : node.closest(".codes") ? "code" : "list",
}))"""


@pytest.fixture(scope="session")
def chapter(equations) -> str:
    """The chapter that explains attention."""
    return equations["vaswani2017-1"]["chapters"][0]


@pytest.fixture
def card(reader, chapter) -> Locator:
    """The card of attention, with the pointer elsewhere."""
    reader.emulate_media(reduced_motion="reduce")
    return open_card(reader, chapter)


def open_card(page: Page, address: str) -> Locator:
    page.goto(address)
    card = page.locator("#equation-vaswani2017-1")
    card.scroll_into_view_if_needed()
    page.mouse.move(2, 2)
    return card


def assert_only_lit(card: Locator, symbol: str | None) -> None:
    """All places of one symbol have another ground than before, and no place of another symbol has."""
    expect(card.locator(f"[data-sym='{symbol}']:not(.lit)" if symbol else ".lit")).to_have_count(0)
    places = card.evaluate(PLACES)
    lit = {place["symbol"] for place in places if place["lit"]}
    assert lit == ({symbol} if symbol else set())
    dark = {place["ground"] for place in places if not place["lit"]}
    assert dark == {"rgba(0, 0, 0, 0)"}
    if symbol:
        assert {place["part"] for place in places if place["lit"]} == set(PARTS)
        assert dark.isdisjoint({place["ground"] for place in places if place["lit"]})


def test_nothing_is_lit_before_something_is_pointed_at(card):
    assert_only_lit(card, None)


@pytest.mark.parametrize("part", PARTS)
def test_pointing_at_a_symbol_lights_all_its_occurrences(card, part):
    card.locator(f"{PARTS[part]} [data-sym='Q']").last.hover()
    assert_only_lit(card, "Q")


def test_pointing_at_another_symbol_lights_that_one(card):
    card.locator(".codes [data-sym='Q']").first.hover()
    card.locator(".codes [data-sym='V']").first.hover()
    assert_only_lit(card, "V")


def test_the_light_goes_out_when_the_pointer_leaves_the_symbol(card):
    card.locator(".formula [data-sym='Q']").first.hover()
    assert_only_lit(card, "Q")
    card.locator("header").hover()
    assert_only_lit(card, None)


def test_the_light_goes_out_when_the_pointer_leaves_the_card(card, reader):
    card.locator(".symbols button[data-sym='Q']").hover()
    assert_only_lit(card, "Q")
    reader.mouse.move(2, 2)
    assert_only_lit(card, None)


def tab_to(page: Page, symbol: str) -> None:
    for _ in range(200):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.matches('#equation-vaswani2017-1 .symbol')") and (
            page.evaluate("document.activeElement.dataset.sym") == symbol
        ):
            return
    pytest.fail(f"Tab does not reach the symbol {symbol}")


def test_the_keyboard_lights_symbols_too(card, reader):
    tab_to(reader, "Q")
    assert_only_lit(card, "Q")
    reader.keyboard.press("Tab")
    assert_only_lit(card, "K")
    reader.keyboard.press("Shift+Tab")
    assert_only_lit(card, "Q")


def test_escape_puts_the_light_out(card, reader):
    tab_to(reader, "K")
    assert_only_lit(card, "K")
    reader.keyboard.press("Escape")
    assert_only_lit(card, None)


def test_the_light_goes_out_when_the_keyboard_leaves_the_card(card, reader):
    last = card.locator(".symbols button").last
    last.focus()
    assert_only_lit(card, last.get_attribute("data-sym"))
    reader.evaluate("document.activeElement.blur()")
    assert_only_lit(card, None)


def test_after_pointing_the_symbol_that_has_the_focus_is_lit_again(card, reader):
    tab_to(reader, "Q")
    card.locator(".codes [data-sym='V']").first.hover()
    assert_only_lit(card, "V")
    reader.mouse.move(2, 2)
    assert_only_lit(card, "Q")


def test_a_finger_lights_symbols_too(open_context, chapter):
    with open_context(390, has_touch=True, is_mobile=True, reduced_motion="reduce") as context:
        card = open_card(context.new_page(), chapter)
        card.locator(".symbols button[data-sym='K']").tap()
        assert_only_lit(card, "K")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_is_lit_can_be_read(card, reader, scheme):
    reader.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    card.locator(".codes [data-sym='Q']").first.hover()
    assert_only_lit(card, "Q")
    found = Axe().run(reader, context=".equation-card", options={"runOnly": ["color-contrast"]})
    assert found.response["violations"] == []


def test_every_card_of_the_book_lights_every_symbol_that_its_equation_has(reader, equations):
    for name, equation in equations.items():
        if not equation["chapters"]:
            continue
        reader.goto(equation["chapters"][0])
        card = reader.locator(f"#equation-{name}")
        places = card.evaluate(PLACES)
        for part in ("formula", "list"):
            assert {place["symbol"] for place in places if place["part"] == part} == set(equation["symbols"]), name
        in_code = {symbol for each in equation["implementation"] for symbol, python in each["names"].items() if python}
        assert {place["symbol"] for place in places if place["part"] == "code"} == in_code, name

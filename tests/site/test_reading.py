"""A reader finds what is sought, reads by day and by night, and prints what is to be kept."""

import re

import pytest
from playwright.sync_api import Page, expect


@pytest.fixture(scope="session")
def chapter(equations) -> str:
    """The chapter that explains attention."""
    return equations["vaswani2017-1"]["chapters"][0]


def ground(page: Page) -> int:
    """How light the page is, from 0 to 255."""
    colour = page.evaluate(
        """() => {
          const context = document.createElement("canvas").getContext("2d");
          context.fillStyle = getComputedStyle(document.body).backgroundColor;
          context.fillRect(0, 0, 1, 1);
          return [...context.getImageData(0, 0, 1, 1).data];
        }"""
    )
    return sum(colour[:3]) // 3


def test_search_finds_softmax(reader, chapter):
    reader.goto(chapter)
    reader.locator("input[name='q']").first.fill("softmax")
    reader.keyboard.press("Enter")
    results = reader.locator("#search-results li a")
    expect(results.first).to_be_visible()
    results.first.click()
    reader.wait_for_url(lambda url: "search.html" not in url)
    assert "softmax" in reader.locator("article").inner_text().lower()


def test_search_says_so_when_nothing_is_found(reader):
    reader.goto("search.html?q=xyzzyplugh")
    expect(reader.locator("#search-results")).to_contain_text(re.compile("did not match any|no results", re.IGNORECASE))


def test_a_page_follows_the_readers_preference(open_context, chapter):
    with open_context(scheme="light") as day, open_context(scheme="dark") as night:
        light, dark = day.new_page(), night.new_page()
        for page in (light, dark):
            page.goto(chapter)
        assert ground(light) > 240
        assert ground(dark) < 40


def test_a_page_follows_a_preference_that_changes(reader, chapter):
    reader.goto(chapter)
    reader.emulate_media(color_scheme="dark")
    assert ground(reader) < 40
    reader.emulate_media(color_scheme="light")
    assert ground(reader) > 240


def test_the_button_goes_before_the_preference_and_is_remembered(reader, chapter):
    reader.goto(chapter)
    button = reader.locator(".theme-toggle:visible").first
    seen = set()
    for _ in range(3):
        button.click()
        seen.add("light" if ground(reader) > 240 else "dark")
        if ground(reader) < 40:
            reader.reload()
            assert ground(reader) < 40
    assert seen == {"light", "dark"}


def test_figures_follow_the_page_into_the_dark(reader, addresses, site):
    shown = next(page for page in addresses if "vector-figure" in (site / page).read_text(encoding="utf-8"))
    reader.goto(shown)
    words = reader.locator(".vector-figure svg text").first
    by_day = words.evaluate("(node) => getComputedStyle(node).fill")
    reader.emulate_media(color_scheme="dark")
    assert words.evaluate("(node) => getComputedStyle(node).fill") != by_day


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_paper_there_is_the_text_and_nothing_to_click(reader, chapter, scheme):
    reader.goto(chapter)
    reader.emulate_media(media="print", color_scheme=scheme)
    for interface in (
        ".sidebar-drawer",
        ".toc-drawer",
        ".mobile-header",
        ".theme-toggle",
        ".related-pages",
        ".copybtn",
    ):
        for element in reader.locator(interface).all():
            expect(element).not_to_be_visible()
    expect(reader.locator("article h1")).to_be_visible()
    expect(reader.locator(".equation-card").first).to_be_visible()
    assert ground(reader) > 240


def test_code_is_not_cut_off_on_paper(reader, chapter):
    reader.set_viewport_size({"width": 700, "height": 1000})
    reader.goto(chapter)
    reader.emulate_media(media="print")
    too_wide = "(all) => all.filter((code) => code.scrollWidth > code.clientWidth + 1).map((code) => code.innerText)"
    assert reader.locator("article pre").evaluate_all(too_wide) == []


def test_the_menu_opens_on_a_phone(open_context, chapter):
    with open_context(390, has_touch=True) as context:
        page = context.new_page()
        page.goto(chapter)
        menu = page.locator(".sidebar-drawer")
        expect(menu).not_to_be_in_viewport()
        page.locator(".nav-overlay-icon").first.tap()
        expect(menu).to_be_in_viewport()


def test_the_first_tab_leads_past_the_menu(reader, chapter):
    reader.goto(chapter)
    reader.keyboard.press("Tab")
    assert reader.evaluate("document.activeElement.classList.contains('skip-to-content')")
    reader.keyboard.press("Enter")
    assert reader.evaluate("location.hash") == "#furo-main-content"

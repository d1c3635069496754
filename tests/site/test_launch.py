"""Above each chapter's title stands where it can be run; with and without JavaScript, by keyboard too."""

import pytest
from playwright.sync_api import expect


@pytest.fixture(scope="session")
def chapter(equations) -> str:
    """The chapter that explains attention."""
    return equations["vaswani2017-1"]["chapters"][0]


def test_the_menu_is_folded_until_the_keyboard_opens_it(reader, chapter):
    reader.goto(chapter)
    download = reader.locator(".launch a[download]")
    expect(download).not_to_be_visible()
    reader.locator(".launch > summary").focus()
    reader.keyboard.press("Enter")
    expect(download).to_be_visible()
    reader.keyboard.press("Tab")
    expect(download).to_be_focused()


def test_the_menu_opens_without_javascript(open_context, chapter):
    with open_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(chapter)
        page.locator(".launch > summary").click()
        expect(page.locator(".launch pre")).to_be_visible()
        expect(page.locator(".launch pre")).to_contain_text("docker run ")
        expect(page.locator(".launch button")).not_to_be_visible()


def test_the_docker_command_is_copied_as_it_stands(open_context, chapter):
    with open_context(permissions=["clipboard-read", "clipboard-write"]) as context:
        page = context.new_page()
        page.goto(chapter)
        page.locator(".launch > summary").click()
        page.locator(".launch button").click()
        expect(page.locator(".launch button")).to_have_attribute("aria-label", "Copied")
        shown = page.locator(".launch pre").text_content()
        assert page.evaluate("navigator.clipboard.readText()") == shown


def test_the_menu_is_as_wide_as_a_phone_at_most(open_context, chapter):
    with open_context(390, has_touch=True) as context:
        page = context.new_page()
        page.goto(chapter)
        page.locator(".launch > summary").tap()
        box = page.locator(".launch").bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390


def test_every_notebook_leads_back_from_exactly_one_chapter(site, addresses):
    pages = [page for page in addresses if not page.startswith("source/")]  # which quote what writes the menu
    shown = [page for page in pages if 'class="launch"' in (site / page).read_text(encoding="utf-8")]
    notebooks = {path.relative_to(site / "notebooks").with_suffix(".html").as_posix() for path in site.rglob("*.ipynb")}
    assert set(shown) == notebooks

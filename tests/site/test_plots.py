"""A plot answers when it is pointed at. Until it comes near, without JavaScript and on paper its drawing is there."""

import re

import pytest
from playwright.sync_api import Page, expect

LIBRARY = "vendor/plotly-basic.min.js"
MIDDLE_POINT = """(plot) => {
  const points = plot.calcdata[0], { x, y } = points[Math.floor(points.length / 2)];
  const { xaxis, yaxis } = plot._fullLayout;
  return [xaxis.c2p(x), yaxis.c2p(y)];
}"""
COLOUR = "(node) => getComputedStyle(node).stroke"


@pytest.fixture(scope="session")
def plotted(addresses, site) -> str:
    """A page with a plot that does not stand at its top."""
    return next(page for page in addresses if "<book-plot" in (site / page).read_text(encoding="utf-8"))


def come_near(page: Page) -> None:
    page.locator("book-plot").first.scroll_into_view_if_needed()
    expect(page.locator("book-plot .live-figure .scatterlayer").first).to_be_visible()


def test_the_library_is_fetched_when_a_plot_comes_near_and_not_before(reader, plotted):
    fetched: list[str] = []
    reader.on("request", lambda request: fetched.append(request.url))
    reader.goto(plotted, wait_until="networkidle")
    assert not [url for url in fetched if url.endswith(LIBRARY)]
    expect(reader.locator("book-plot .static-figure").first).to_be_visible()
    come_near(reader)
    assert len([url for url in fetched if url.endswith(LIBRARY)]) == 1
    expect(reader.locator("book-plot .static-figure").first).not_to_be_visible()


def test_pages_without_plots_carry_nothing_of_it(addresses, site):
    for page in addresses:
        text = (site / page).read_text(encoding="utf-8")
        assert bool(re.search(r'src="[^"]*book-plot\.js', text)) == ("<book-plot" in text), page


def test_nothing_moves_when_the_plot_takes_its_place(reader, plotted):
    reader.goto(plotted)
    plot = reader.locator("book-plot").first
    reader.evaluate("document.fonts.ready")
    before = plot.bounding_box()["height"]
    come_near(reader)
    assert abs(plot.bounding_box()["height"] - before) < 60


def test_pointing_at_a_curve_reads_its_value(reader, plotted):
    reader.goto(plotted)
    come_near(reader)
    reader.wait_for_timeout(300)
    box = reader.locator("book-plot .nsewdrag").first.bounding_box()
    across, down = reader.locator("book-plot .js-plotly-plot").first.evaluate(MIDDLE_POINT)
    reader.mouse.move(box["x"] + across - 3, box["y"] + down)
    reader.mouse.move(box["x"] + across, box["y"] + down)
    expect(reader.locator("book-plot .hoverlayer").first).to_contain_text(re.compile(r"\d"))


def test_the_plot_follows_the_page_into_the_dark(reader, plotted):
    reader.goto(plotted)
    come_near(reader)
    curve = reader.locator("book-plot .scatterlayer path.js-line").first
    by_day = curve.evaluate(COLOUR)
    reader.emulate_media(color_scheme="dark")
    expect(curve).not_to_have_css("stroke", by_day)


def test_without_javascript_the_drawing_stays(open_context, plotted):
    with open_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(plotted)
        expect(page.locator("book-plot .static-figure svg").first).to_be_visible()


def test_on_paper_the_drawing_is_back(reader, plotted):
    reader.goto(plotted)
    come_near(reader)
    reader.emulate_media(media="print")
    expect(reader.locator("book-plot .static-figure svg").first).to_be_visible()
    expect(reader.locator("book-plot .live-figure").first).not_to_be_visible()


def test_without_the_library_the_drawing_stays(reader, plotted):
    reader.route(f"**/{LIBRARY}", lambda route: route.abort())
    reader.goto(plotted)
    reader.locator("book-plot").first.scroll_into_view_if_needed()
    reader.wait_for_timeout(500)
    expect(reader.locator("book-plot .static-figure svg").first).to_be_visible()

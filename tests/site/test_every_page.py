"""Every page stands alone: at a desk and on a phone, by day and by night, with and without JavaScript."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

WIDTHS = {"desk": 1300, "phone": 390}
LIGHTEST = {"equations": 300_000, "plots": 350_000}  # before a plot has come near
MANY = 2  # views of attention that a page may hold within that
VIEW = 40_000  # for each further one: all its maps are there as a drawing, for those who have no JavaScript

WATCH_SHIFTS = """
window.shifts = [];
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    if (!entry.hadRecentInput) {
      window.shifts.push({
        value: entry.value,
        what: entry.sources.map((source) => source.node?.outerHTML?.slice(0, 80) ?? "text"),
      });
    }
  }
}).observe({ type: "layout-shift", buffered: true });
"""
SETTLED = "document.fonts.ready.then(() => new Promise((done) => setTimeout(done, 100)))"
PAINTED = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
# The theme lets the text scroll inside the page on a phone: that is sideways too. Code, tables and formulas may scroll.
OVERFLOW = """() => {
  const frames = [...document.querySelectorAll("html, body, .page, .main, .content, .article-container, article")];
  const moves = (frame) => frame.tagName === "HTML" || getComputedStyle(frame).overflowX !== "visible";
  const wide = frames.filter((frame) => moves(frame) && frame.scrollWidth > frame.clientWidth + 1);
  if (wide.length === 0) return [];
  const cuts = (node) => /auto|scroll|hidden/.test(getComputedStyle(node).overflowX);
  const scrolls = (node) => !frames.includes(node) && (cuts(node) || scrolls(node.parentElement));
  const edge = Math.min(innerWidth, ...wide.map((frame) => frame.getBoundingClientRect().left + frame.clientWidth));
  const guilty = [...document.querySelectorAll("article *")]
    .filter((node) => node.getBoundingClientRect().right > edge + 1 && !scrolls(node.parentElement));
  return [
    ...wide.map((frame) => `${frame.tagName}.${frame.className}: ${frame.scrollWidth} wide, not ${frame.clientWidth}`),
    ...guilty.slice(0, 5).map((node) => node.outerHTML.slice(0, 120)),
  ];
}"""
SHOWN = """() => {
  const shown = (node) => node.checkVisibility({ opacityProperty: true, visibilityProperty: true })
    && node.getBoundingClientRect().width > 0;
  const kinds = {
    equations: ".katex-html", code: "pre", outputs: ".cell_output", cards: ".equation-card", tables: "article table",
    figures: "article figure, .vector-figure svg, article img:not(.only-dark)",
  };
  const inDetails = (node) => node.closest("details:not([open])");
  return Object.fromEntries(Object.entries(kinds).map(([kind, selector]) => {
    const all = [...document.querySelectorAll(selector)].filter((node) => !inDetails(node));
    return [kind, { all: all.length, shown: all.filter(shown).length }];
  }));
}"""
# Axe's time goes into thousands of coloured pieces of code, of formulas and of drawings, and most of them say nothing
# new. A drawing is one image to it, a formula one text, and so is code, but for its colours.
PLAIN = """() => {
  const plain = (node) => node.replaceChildren(node.textContent);
  document.querySelectorAll("article svg > *:not(title, desc)").forEach((node) => node.remove());
  document.querySelectorAll("article .katex-html").forEach(plain);
  const codes = [...document.querySelectorAll("article pre:not(:has(a))")];
  window.coloured = codes.map((code) => [code, [...code.childNodes]]);
  coloured.forEach(([code]) => plain(code));
}"""
# The colour of a piece of code is decided by its kind and by the panel that it stands on: one of each is enough.
THIN_OUT = """() => {
  coloured.forEach(([code, pieces]) => code.replaceChildren(...pieces));
  const seen = new Set();
  const panel = (node) => (node.tagName === "ARTICLE" ? "" : node.className + ">" + panel(node.parentElement));
  for (const code of document.querySelectorAll("article pre")) {
    const ground = panel(code);
    for (const piece of code.querySelectorAll("span:not(:has(*))")) {
      const kind = `${piece.className} ${piece.parentElement.className} ${ground}`;
      if (seen.has(kind)) piece.remove();
      seen.add(kind);
    }
    for (const line of code.querySelectorAll(".line:not(:has(span))")) line.remove();
  }
}"""
TEXT = "() => document.querySelector('article').innerText.replace(/\\s+/g, ' ').trim()"


class Window:
    """A window of the browser that keeps nothing from page to page, and what happens while a page is open in it."""

    def __init__(self, page: Page, host: str) -> None:
        self.page, self.host = page, host
        self.forget()
        page.add_init_script(WATCH_SHIFTS)
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("requestfailed", lambda request: self.faults.append(f"failed: {request.url}"))
        page.on("response", self._see)
        page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        page.on("console", self._hear)
        network = page.context.new_cdp_session(page)
        network.send("Network.enable")
        network.send("Network.setCacheDisabled", {"cacheDisabled": True})
        network.on("Network.loadingFinished", self._weigh)

    def forget(self) -> None:
        """Begin anew."""
        self.bytes = 0
        self.requests: list[str] = []
        self.faults: list[str] = []

    def open(self, address: str) -> Page:
        """Open a page as someone does who comes to it first, in the light."""
        self.page.goto("about:blank")
        self.forget()
        self.page.emulate_media(color_scheme="light")
        self.page.goto(address)
        self.page.evaluate(SETTLED)
        return self.page

    def _weigh(self, event: dict[str, Any]) -> None:
        self.bytes += round(event["encodedDataLength"])

    def _see(self, response: Any) -> None:
        if response.status >= 400:
            self.faults.append(f"{response.status}: {response.url}")

    def _hear(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.faults.append(f"console {message.type}: {message.text} ({message.location.get('url')})")

    def strangers(self) -> list[str]:
        """The requests that left the site."""
        mine = ("data:", "blob:", f"{self.host}/")
        return [url for url in self.requests if not url.startswith(mine)]


CONTRAST = {"runOnly": ["color-contrast"]}
ALL_BUT_CONTRAST = {"rules": {"color-contrast": {"enabled": False}}}


AXE = """(options) => axe.run(document, { resultTypes: ["violations"], ...options }).then(({ violations }) =>
  violations.map(({ id, impact, nodes }) => `${id} (${impact}, ${nodes.length} places): ` + nodes.slice(0, 4)
    .map((node) => `${node.target} ${node.html.slice(0, 120)} ${node.failureSummary.slice(0, 200)}`).join("; ")))"""


def violations(page: Page, rules: dict[str, Any]) -> list[str]:
    """What axe finds: the rule, and the first places where it is broken."""
    return page.evaluate(AXE, rules)


def look_at(window: Window, address: str) -> dict[str, Any]:
    """Open a page in the light, then look at it in the dark too."""
    page = window.open(address)
    seen = {"bytes": window.bytes, "shifts": page.evaluate("shifts"), "overflow": page.evaluate(OVERFLOW)}
    seen |= {"shown": page.evaluate(SHOWN), "text": page.evaluate(TEXT)}
    page.evaluate("document.querySelectorAll('article details').forEach((details) => { details.open = true })")
    seen["overflow"] += page.evaluate(OVERFLOW)
    page.evaluate(Axe().axe_script)
    page.evaluate(PLAIN)
    seen["violations"] = violations(page, ALL_BUT_CONTRAST)
    page.evaluate(THIN_OUT)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.evaluate(PAINTED)
        seen[f"contrast in {scheme}"] = violations(page, CONTRAST)
    return {**seen, "requests": window.requests, "strangers": window.strangers(), "faults": window.faults}


@pytest.fixture(scope="session")
def windows(open_context, host) -> Iterator[dict[str, Window]]:
    """A window at a desk, and one on a phone."""
    with ExitStack() as stack:
        contexts = {place: stack.enter_context(open_context(width)) for place, width in WIDTHS.items()}
        yield {place: Window(context.new_page(), host) for place, context in contexts.items()}


@pytest.fixture(scope="session")
def without_javascript(open_context) -> Iterator[Page]:
    """A window in which no script runs."""
    with open_context(java_script_enabled=False) as context:
        yield context.new_page()


@pytest.fixture(scope="session")
def seen(once, windows, without_javascript) -> Callable[[str], dict[str, Any]]:
    """What there was to see on a page: at a desk, on a phone, and without JavaScript."""

    def visit(address: str) -> dict[str, Any]:
        answer = {place: look_at(window, address) for place, window in windows.items()}
        without_javascript.goto(address)
        plain = {"shown": without_javascript.evaluate(SHOWN), "text": without_javascript.evaluate(TEXT)}
        return {**answer, "without JavaScript": plain}

    return lambda address: once(address, lambda: visit(address))


places = pytest.mark.parametrize("place", WIDTHS)


@places
def test_no_request_leaves_the_site(seen, address, place):
    assert seen(address)[place]["strangers"] == []


@places
def test_nothing_fails_and_the_console_is_silent(seen, address, place):
    assert seen(address)[place]["faults"] == []


@places
def test_everybody_can_use_it(seen, address, place):
    assert seen(address)[place]["violations"] == []


@places
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_read_it(seen, address, place, scheme):
    assert seen(address)[place][f"contrast in {scheme}"] == []


@places
def test_it_does_not_scroll_sideways(seen, address, place):
    assert seen(address)[place]["overflow"] == []


@places
def test_it_does_not_move_while_it_loads(seen, address, place):
    shifts = seen(address)[place]["shifts"]
    assert sum(shift["value"] for shift in shifts) < 0.02, shifts


def test_it_is_light(seen, address, site):
    html = (site / address).read_text(encoding="utf-8")
    views = max(0, html.count("<attention-view") - MANY)
    assert seen(address)["desk"]["bytes"] < LIGHTEST["plots" if "<book-plot" in html else "equations"] + views * VIEW


def test_it_loads_neither_mathjax_nor_font_awesome(seen, address, site):
    loaded = " ".join(urlsplit(url).path for url in seen(address)["desk"]["requests"])
    html = (site / address).read_text(encoding="utf-8")
    heads = " ".join(re.findall(r"<(?:script|link)[^>]*>", html))
    assert not re.search(r"mathjax|font-?awesome|fa-(?:solid|brands|regular)", f"{loaded} {heads}", re.IGNORECASE)


def test_it_shows_everything_without_javascript(seen, address):
    shown = seen(address)["without JavaScript"]["shown"]
    assert {kind: count for kind, count in shown.items() if count["shown"] < count["all"]} == {}
    assert shown == seen(address)["desk"]["shown"]


def test_it_says_the_same_without_javascript(seen, address):
    if address == "search.html":
        pytest.skip("who searches needs JavaScript; the page says so")
    assert seen(address)["without JavaScript"]["text"] == seen(address)["desk"]["text"]


def test_the_heaviest_page(seen, addresses, record_property):
    weights = {address: seen(address)["desk"]["bytes"] for address in addresses}
    heaviest = max(weights, key=weights.__getitem__)
    record_property("said", f"The heaviest page is {heaviest}: {weights[heaviest] / 1000:.0f} kB")
    assert weights[heaviest] > 10_000, "the site was not weighed"

"""Measures the attention view: what a frame costs while a reader drags over a large map, and what the view weighs.

No test asserts these times: they depend on the machine. The largest view that is promised to run without a stutter has
8 layers of 8 heads and 40 × 40 tokens.
"""

import gzip
import math
import re
import statistics
import tempfile
from itertools import pairwise
from pathlib import Path

import torch
from playwright.sync_api import Browser, Page

from reconstructing_transformer.figures.view import AttentionView, Start, attention_view
from tests.site.reading import serve

STATIC = Path(__file__).parents[1] / "book" / "web" / "static"
OWN = ("attention-view.css", "attention-view.js")
TOKENS = 40
HEAD = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Attention</title>
<meta name="viewport" content="width=device-width">
<link rel="icon" href="data:,">
<link rel="stylesheet" href="book.css"><link rel="stylesheet" href="attention-view.css">
<script src="attention-view.js" defer></script></head>
<body><main style="max-width: 60rem"><article><h1>Attention</h1>"""
TAIL = "</article></main></body></html>"

# The time from one frame to the next, kept until the page is closed.
WATCH = """() => {
  window.apart = [];
  let last = null;
  const frame = (now) => {
    if (last !== null) window.apart.push(now - last);
    last = now;
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
}"""


def write_page(folder: Path, *figures: str) -> None:
    """Write a page that has nothing but the book's style without its fonts, the view's two files, and figures."""
    for name in OWN:
        (folder / name).write_bytes((STATIC / name).read_bytes())
    style = (STATIC / "book.css").read_text(encoding="utf-8")
    (folder / "book.css").write_text(re.sub(r"@font-face \{.*?\}", "", style, flags=re.DOTALL), encoding="utf-8")
    body = "".join(f"<figure>{figure}<figcaption><p>A caption.</p></figcaption></figure>" for figure in figures)
    (folder / "index.html").write_text(f"{HEAD}{body}<p>And after.</p>{TAIL}", encoding="utf-8")


def large_view() -> AttentionView:
    """The largest view: each head looks a few tokens back, one sharper than the other."""
    generator = torch.Generator().manual_seed(0)
    place = torch.arange(TOKENS)
    back = torch.arange(8)[None, :, None, None]
    distance = (place[None, :] - place[:, None] + back).abs() / (1 + torch.arange(8)[:, None, None, None])
    scores = -distance + torch.randn(8, 8, TOKENS, TOKENS, generator=generator)
    return attention_view(scores.softmax(-1), [f"token{i}" for i in range(TOKENS)], start=Start(3, 3))


def weight() -> float:
    """Return the kilobytes that the view's files take on their way to a reader."""
    return sum(len(gzip.compress((STATIC / name).read_bytes(), compresslevel=6)) for name in OWN) / 1000


def drag(page: Page, moves: int = 400) -> dict[str, list[float]]:
    """Drag over the map in loops, with the button held.

    Returns:
        Two lists of milliseconds: `work`, what the page's main thread computed for each move, from the event to the
        end of the paint, and `apart`, what lay between a frame and the next.
    """
    page.locator("attention-view .cells").scroll_into_view_if_needed()
    box = page.locator("attention-view .cells canvas").bounding_box()
    assert box is not None
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})  # what others do on this machine does not count

    def mouse(kind: str, step: int) -> None:
        x = box["x"] + box["width"] * (0.5 + 0.49 * math.sin(step / 11))
        y = box["y"] + box["height"] * (0.5 + 0.49 * math.cos(step / 7))
        event = {"type": kind, "x": x, "y": y, "button": "left", "buttons": 1, "clickCount": 1}
        session.send("Input.dispatchMouseEvent", event)

    def worked() -> float:
        metrics = session.send("Performance.getMetrics")["metrics"]
        return 1000 * next(metric["value"] for metric in metrics if metric["name"] == "TaskDuration")

    mouse("mousePressed", 0)
    page.evaluate(WATCH)
    totals = [worked()]
    for step in range(moves):
        mouse("mouseMoved", step)
        totals.append(worked())
    apart = page.evaluate("apart")
    mouse("mouseReleased", moves)
    return {"work": [after - before for before, after in pairwise(totals)], "apart": apart}


def attention_view_frames(browser: Browser) -> dict[str, float]:
    """Measure the largest view in a browser.

    Args:
        browser: Chromium, as `tests.site.reading.launch` starts it.

    Returns:
        Milliseconds of the main thread's work for a frame, and from one frame to the next while dragging (median, 95th
        percentile, largest), milliseconds to show another head, and kilobytes of the view's two files, compressed.
    """
    with tempfile.TemporaryDirectory() as folder, serve(Path(folder)) as address:
        write_page(Path(folder), large_view().html("<p>A figure.</p>", id="large", label="A large view"))
        page = browser.new_page(viewport={"width": 1300, "height": 900})
        page.goto(address)
        page.locator("attention-view.is-live").wait_for()
        frames = drag(page)
        heads = page.evaluate(
            """() => {
              const view = document.querySelector("attention-view");
              return [...Array(64).keys()].map((head) => {
                const start = performance.now();
                view.choose(head);
                view.render(1);
                view.querySelector(".cells canvas").getContext("2d").getImageData(0, 0, 1, 1);
                return performance.now() - start;
              });
            }"""
        )
        page.close()
    found = {"kB, compressed": weight(), "another head, median (ms)": statistics.median(heads)}
    for name, key in (("work for a frame", "work"), ("from frame to frame", "apart")):
        times = sorted(frames[key])
        found[f"{name}, median (ms)"] = statistics.median(times)
        found[f"{name}, 95th percentile (ms)"] = times[int(0.95 * len(times))]
        found[f"{name}, largest (ms)"] = times[-1]
    return found

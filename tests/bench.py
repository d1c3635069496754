"""Measures the book against its budgets and writes `_build/bench.json`: `make bench`.

No test asserts a time: times depend on the machine. A claim of speed is a ratio of two things measured side by side.
"""

import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from jupyter_cache import get_cache
from playwright.sync_api import Browser
from rich.console import Console
from rich.table import Table
from torch import nn

from reconstructing_transformer.transformer import MultiHeadAttention
from tests.bench_attention_view import attention_view_frames
from tests.bench_packing import packing_speed
from tests.bench_translation import decoding_speed
from tests.bench_vision import training_throughput
from tests.site.reading import launch, serve

ROOT = Path(__file__).parents[1]
BUILD = ROOT / "_build" / "bench"
RESULT = ROOT / "_build" / "bench.json"
BUDGETS = {
    "cold build, dependencies installed (s)": 360,
    "build with nothing changed (s)": 10,
    "slowest chapter, executed alone (s)": 60,
    "heaviest page with equations, compressed (kB)": 300,
    "heaviest page with plots, before one comes near (kB)": 350,
    "slowest largest contentful paint, CPU 4 × slower (s)": 1.5,
    "largest layout shift": 0.02,
    "attention view, compressed (kB)": 12,
    "attention view, work for a frame while dragging, 95th percentile (ms)": 16,
}
LARGEST_PAINT = """() => new Promise(resolve => {
  let shift = 0, paint = 0;
  new PerformanceObserver(list => list.getEntries().forEach(entry => {
    shift += entry.hadRecentInput ? 0 : entry.value;
  })).observe({type: "layout-shift", buffered: true});
  new PerformanceObserver(list => list.getEntries().forEach(entry => {
    paint = entry.startTime;
  })).observe({type: "largest-contentful-paint", buffered: true});
  setTimeout(() => resolve([paint / 1000, shift]), 400);
})"""


def _seconds(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def ratio(ours: Callable[[], object], theirs: Callable[[], object], rounds: int = 31) -> float:
    """Return the median time of ours over theirs, measured in turns."""
    pairs = [(_seconds(ours), _seconds(theirs)) for _ in range(rounds + 3)][3:]
    return statistics.median(a for a, _ in pairs) / statistics.median(b for _, b in pairs)


def attention(batch: int, n: int, d_model: int = 256, h: int = 4) -> dict[str, float]:
    """Compare multi-head attention with PyTorch's, forward alone and forward with backward."""
    ours = MultiHeadAttention(d_model, h)
    theirs = nn.MultiheadAttention(d_model, h, batch_first=True)
    x = torch.randn(batch, n, d_model, requires_grad=True)

    def forward_ours(need_weights: bool = False) -> torch.Tensor:
        return ours(x, x, x, need_weights=need_weights)[0]

    def forward_theirs(need_weights: bool = False) -> torch.Tensor:
        return theirs(x, x, x, need_weights=need_weights, average_attn_weights=False)[0]

    return {
        "forward": ratio(forward_ours, forward_theirs),
        "forward and backward": ratio(
            lambda: forward_ours().sum().backward(), lambda: forward_theirs().sum().backward()
        ),
        "forward, with weights": ratio(lambda: forward_ours(True), lambda: forward_theirs(True)),
    }


def build() -> float:
    """Build the book beside the other one, and return the seconds that it took."""
    command = [str(Path(sys.executable).with_name("jupyter-book")), "build", str(ROOT), "--quiet"]
    return _seconds(lambda: subprocess.run([*command, "--path-output", str(BUILD)], cwd=ROOT, check=True))


def chapters() -> dict[str, float]:
    """Return the seconds that each chapter's execution took in the last build."""
    (folder,) = (BUILD / "_build" / ".jupyter_cache").iterdir()
    records = get_cache(folder).list_cache_records()
    return {Path(record.uri).stem: record.data["execution_seconds"] for record in records}


def visit(browser: Browser, address: str) -> tuple[float, float, float, int, int]:
    """Open a page on a slow processor: what it loads, its largest part's paint, its shift, its equations and plots."""
    page = browser.new_page(viewport={"width": 1300, "height": 900})
    session = page.context.new_cdp_session(page)
    loaded: list[float] = []
    session.on("Network.loadingFinished", lambda event: loaded.append(event["encodedDataLength"]))
    session.send("Network.enable")
    session.send("Emulation.setCPUThrottlingRate", {"rate": 4})
    page.goto(address, wait_until="networkidle")
    paint, shift = page.evaluate(LARGEST_PAINT)
    equations, plots = page.locator(".katex").count(), page.locator("book-plot").count()
    page.close()
    return sum(loaded) / 1000, paint, shift, equations, plots


def pages(site: Path, visits: int = 3) -> dict[str, dict[str, float]]:
    """Visit each page several times, each time as a newcomer: the most it loads and shifts, the median of its paint."""
    measured = {}
    with serve(site) as address, launch(BUILD / "chromium.lock") as browser:
        visit(browser, f"{address}/index.html")  # the browser itself wakes up
        for path in sorted(site.glob("book/**/*.html")):
            name = path.relative_to(site).as_posix()
            seen = [visit(browser, f"{address}/{name}") for _ in range(visits)]
            weights, paints, shifts, equations, plots = zip(*seen, strict=True)
            facts = {"kB": max(weights), "paint": statistics.median(paints), "shift": max(shifts)}
            measured[name] = facts | {"equations": equations[0], "plots": plots[0]}
    return measured


def book() -> dict[str, Any]:
    """Build the book cold and warm, visit its pages, and hold what was measured against the budgets."""
    shutil.rmtree(BUILD, ignore_errors=True)
    cold, unchanged = build(), build()
    executed, measured = chapters(), pages(BUILD / "_build" / "html")
    with launch(BUILD / "chromium.lock") as browser:
        view = attention_view_frames(browser)
    found = [
        cold,
        unchanged,
        max(executed.values()),
        max(page["kB"] for page in measured.values() if page["equations"] and not page["plots"]),
        max(page["kB"] for page in measured.values() if page["plots"]),
        max(page["paint"] for page in measured.values()),
        max(page["shift"] for page in measured.values()),
        view["kB, compressed"],
        view["work for a frame, 95th percentile (ms)"],
    ]
    budgets = [
        {"what": what, "budget": budget, "measured": value}
        for (what, budget), value in zip(BUDGETS.items(), found, strict=True)
    ]
    return {"budgets": budgets, "attention view": view, "chapters (s)": executed, "pages": measured}


def attention_sizes() -> dict[str, dict[str, float]]:
    """Our multi-head attention's time over that of PyTorch's, for sequences of the book's lengths."""
    torch.manual_seed(0)
    return {f"batch {batch}, length {n}": attention(batch, n) for batch, n in [(64, 16), (16, 128)]}


PARTS: dict[str, Callable[[], dict[str, Any]]] = {
    "book": book,
    "attention": attention_sizes,
    "vision": training_throughput,
    "decoding": decoding_speed,
    "packing": packing_speed,
}


def machine() -> dict[str, Any]:
    """What it was measured on."""
    return {
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "torch": torch.__version__,
    }


def show(result: dict[str, Any]) -> Table:
    """A table of what was measured."""
    table = Table("what", "budget", "measured", "")
    for row in result.get("book", {}).get("budgets", []):
        verdict = "within" if row["measured"] <= row["budget"] else "over"
        table.add_row(row["what"], f"{row['budget']:g}", f"{row['measured']:.3g}", verdict)
    for size, ratios in result.get("attention", {}).items():
        for what, value in ratios.items():
            table.add_row(f"attention, our time over PyTorch's, {size}, {what}", "", f"{value:.2f}", "")
    for model, found in result.get("vision", {}).items():
        for peer, ratio in found["ours over theirs"].items():
            spread = f"{ratio['least']:.2f} to {ratio['most']:.2f}"
            table.add_row(f"{model}, images/s in training over {peer}'s", "", f"{ratio['median']:.2f}", spread)
    for batch, found in result.get("decoding", {}).items():
        for ours, others in found["theirs over ours"].items():
            for other, ratio in others.items():
                spread = f"{ratio['least']:.2f} to {ratio['most']:.2f}"
                table.add_row(f"{batch}, {ours}: time of {other} over ours", "", f"{ratio['median']:.2f}", spread)
    for model, found in result.get("packing", {}).items():
        ratio = found["ours over padded random batches"]
        spread = f"{ratio['least']:.2f} to {ratio['most']:.2f}"
        table.add_row(f"{model}, target tokens/s over padded random batches", "", f"{ratio['median']:.2f}", spread)
    return table


def main() -> None:
    """Measure all parts, or those that are named, write, and show."""
    chosen = sys.argv[1:] or list(PARTS)
    if unknown := [part for part in chosen if part not in PARTS]:
        sys.exit(f"no part {', '.join(unknown)}; there are {', '.join(PARTS)}")
    result = {"machine": machine()} | {part: PARTS[part]() for part in chosen}
    RESULT.parent.mkdir(exist_ok=True)
    part = RESULT.with_suffix(".part")
    part.write_text(json.dumps(result, indent=2), encoding="utf-8")
    part.replace(RESULT)
    console = Console()
    console.print(show(result))
    console.print(f"written to {RESULT.relative_to(ROOT)}")


if __name__ == "__main__":
    main()

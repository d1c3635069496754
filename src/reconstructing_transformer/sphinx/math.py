"""Math without JavaScript: LaTeX becomes HTML and MathML while the book is built, by KaTeX."""

import json
import os
import subprocess
from functools import lru_cache
from pathlib import Path

from docutils import nodes
from sphinx.util import logging
from sphinx.writers.html5 import HTML5Translator

from reconstructing_transformer.sphinx.vendor import node_command

LOGGER = logging.getLogger(__name__)
RENDERER = "katex_at_build"


class MathError(ValueError):
    """KaTeX could not read an equation; the message is KaTeX's own."""


class Katex:
    """One Node process that renders equation after equation. A forked process starts its own."""

    def __init__(self, web: Path) -> None:
        self.web = web
        self._process: subprocess.Popen[str] | None = None
        self._owner = 0
        self.render = lru_cache(maxsize=4096)(self._render)

    def _start(self) -> subprocess.Popen[str]:
        if self._process is None or self._owner != os.getpid():
            command = [*node_command(), "render-math.mjs"]
            pipe = subprocess.PIPE
            self._process = subprocess.Popen(
                command, cwd=self.web, stdin=pipe, stdout=pipe, text=True, encoding="utf-8"
            )
            self._owner = os.getpid()
        return self._process

    def _render(self, tex: str, display: bool) -> str:
        process = self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps({"tex": tex, "display": display}) + "\n")
        process.stdin.flush()
        answer = json.loads(process.stdout.readline() or '{"error": "the renderer died"}')
        if "error" in answer:
            raise MathError(answer["error"])
        return answer["html"]

    def close(self) -> None:
        """End the process."""
        if self._process is not None and self._owner == os.getpid():
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            self._process.stdin.close()
            self._process.wait(timeout=10)
            self._process.stdout.close()
            self._process = None


def katex_of(translator: HTML5Translator) -> Katex:
    """Return the build's renderer."""
    return translator.builder.app.reconstruct_katex  # type: ignore[attr-defined]


def _html(translator: HTML5Translator, node: nodes.Node, display: bool) -> str:
    tex = node.astext().strip()
    environment = (
        r"\begin{aligned}" + tex + r"\end{aligned}" if display and r"\\" in tex and r"\begin" not in tex else tex
    )
    try:
        return katex_of(translator).render(environment, display)
    except MathError as error:
        LOGGER.warning("math that KaTeX cannot read: %s", error, location=node)
        return f"<code>{translator.encode(tex)}</code>"


def visit_inline(translator: HTML5Translator, node: nodes.math) -> None:
    """Render math in a line."""
    translator.body.append(f'<span class="math">{_html(translator, node, display=False)}</span>')
    raise nodes.SkipNode


def visit_display(translator: HTML5Translator, node: nodes.math_block) -> None:
    """Render math in a block of its own; it scrolls by itself where it is too wide for a phone."""
    identifier = f' id="{node["ids"][0]}"' if node.get("ids") else ""
    number = f'<span class="eqno">({translator.encode(str(node["number"]))})</span>' if node.get("number") else ""
    rendered = _html(translator, node, display=True)
    translator.body.append(f'<div class="math-block"{identifier} tabindex="0">{rendered}{number}</div>')
    raise nodes.SkipNode

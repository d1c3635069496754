"""What a page may load and run: its Content-Security-Policy, written into each page when the site is whole.

Nothing from another host, no script that the build did not write: a script inside a page runs by its hash, which is
taken here, after everything else has written to the page. Styles may stand in the page, for KaTeX's formulas and the
figures' drawings are made of them.
"""

import base64
import hashlib
import re
from pathlib import Path

from sphinx.application import Sphinx

from reconstructing_transformer._data import write_whole

HEAD = re.compile(r"<head[^>]*>\s*(<meta charset=[^>]*>)?", re.IGNORECASE)
META = '<meta http-equiv="Content-Security-Policy" content="{}">'
SCRIPT = re.compile(r"<script([^>]*)>(.*?)</script\s*>", re.DOTALL | re.IGNORECASE)
DATA = re.compile(r"""\btype\s*=\s*(?!["']?(?:module|text/javascript)\b)""", re.IGNORECASE)  # data does not run
SOURCE = re.compile(r"\bsrc\s*=", re.IGNORECASE)


def hash_of(script: str) -> str:
    """How a policy names a script that stands in a page.

    Args:
        script: what is between the tags, to the letter.
    """
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode('utf-8')).digest()).decode('ascii')}'"


def policy_of(page: str) -> str:
    """The policy for a page: itself, its own folder's files, and the scripts that stand in it now.

    Args:
        page: its HTML.
    """
    inside = {
        hash_of(script)
        for attributes, script in SCRIPT.findall(page)
        if not SOURCE.search(attributes) and not DATA.search(attributes)
    }
    rules = {
        "default-src": "'none'",
        "script-src": " ".join(["'self'", *sorted(inside)]),
        "style-src": "'self' 'unsafe-inline'",
        "img-src": "'self' data: blob:",
        "font-src": "'self' data:",
        "connect-src": "'self'",
        "form-action": "'self'",
        "base-uri": "'none'",
    }
    return "; ".join(f"{name} {allowed}" for name, allowed in rules.items())


def with_policy(page: str) -> str:
    """A page that says what it may load and run, before it loads or runs anything.

    Args:
        page: its HTML. One that has a policy stays as it is, and so does a page without a head, which only leads on.
    """
    found = HEAD.search(page)
    if found is None or "Content-Security-Policy" in page[found.start() : found.end() + 100]:
        return page
    return page[: found.end()] + META.format(policy_of(page)) + page[found.end() :]


def write_policies(app: Sphinx, error: Exception | None) -> None:
    """Give each page of the finished site its policy."""
    if error is not None or app.builder.format != "html":
        return
    for path in Path(app.outdir).rglob("*.html"):
        page = path.read_bytes().decode("utf-8")
        if (ruled := with_policy(page)) != page:
            write_whole(path, ruled.encode("utf-8"))

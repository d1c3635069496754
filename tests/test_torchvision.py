"""Importing torchvision and transformers works beside any torch, and costs nothing until it happens."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from reconstructing_transformer import _torchvision
from reconstructing_transformer._torchvision import TorchvisionFinder, declare_missing_operators, is_mismatched


def python(code: str) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh Python, which has imported nothing yet."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


@pytest.fixture
def finder(monkeypatch):
    """A finder that waits for torchvision, as in a Python that has not imported it."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        monkeypatch.delitem(sys.modules, name)
    waiting = TorchvisionFinder()
    monkeypatch.setattr(sys, "meta_path", [waiting, *sys.meta_path])
    return waiting


@pytest.fixture
def declared(monkeypatch):
    """Whether the operators were declared."""
    calls = []
    monkeypatch.setattr(_torchvision, "declare_missing_operators", lambda: calls.append("declared"))
    return calls


@pytest.fixture
def torchvision_of(tmp_path, monkeypatch):
    """Put a torchvision of some version before the installed one."""

    def write(version: str) -> Path:
        package = tmp_path / "torchvision"
        package.mkdir()
        (package / "__init__.py").write_text("")
        (package / "version.py").write_text(f"__version__ = '{version}'\n")
        monkeypatch.syspath_prepend(tmp_path)
        return package / "version.py"

    return write


def test_torchvision_works_once_the_package_is_imported():
    done = python(
        "import reconstructing_transformer, torch, torchvision\n"
        "from torchvision import datasets, models, utils\n"
        "from torchvision.transforms import v2\n"
        "resize = v2.Compose([v2.Resize(8), v2.ToDtype(torch.float32, scale=True)])\n"
        "print(tuple(resize(torch.zeros(3, 16, 16, dtype=torch.uint8)).shape))\n"
    )
    assert done.stdout.strip() == "(3, 8, 8)", done.stderr


def test_transformers_works_once_the_package_is_imported():
    done = python(
        "import reconstructing_transformer\n"
        "from transformers import LlamaConfig, LlamaForCausalLM\n"
        "from transformers import AutoImageProcessor\n"
        "print(LlamaForCausalLM.__name__, AutoImageProcessor.__name__)\n"
    )
    assert done.stdout.strip() == "LlamaForCausalLM AutoImageProcessor", done.stderr


@pytest.mark.parametrize("imported", ["reconstructing_transformer", "reconstructing_transformer.equations"])
def test_importing_the_package_loads_nothing_heavy(imported):
    done = python(
        f"import sys, {imported}\n"
        "print({'torch', 'torchvision', 'transformers', 'matplotlib', 'sphinx'} & sys.modules.keys() or 'nothing')"
    )
    assert done.stdout.strip() == "nothing", done.stderr


def test_the_finder_steps_aside_after_one_import():
    done = python(
        "import sys, reconstructing_transformer\n"
        "waiting = lambda: sum(type(finder).__name__ == 'TorchvisionFinder' for finder in sys.meta_path)\n"
        "before = waiting()\n"
        "import torchvision\n"
        "print(before, waiting())\n"
    )
    assert done.stdout.split() == ["1", "0"], done.stderr


def test_a_cuda_torchvision_beside_a_cpu_torch_is_mended(finder, declared, torchvision_of, monkeypatch):
    monkeypatch.setattr(torch.version, "cuda", None)
    version = torchvision_of("0.28.0+cu130")
    spec = finder.find_spec("torchvision")
    assert declared == ["declared"]
    assert spec is not None
    assert Path(spec.origin).parent == version.parent


def test_a_matching_cpu_pair_is_left_alone(finder, declared, torchvision_of, monkeypatch):
    monkeypatch.setattr(torch.version, "cuda", None)
    torchvision_of("0.28.0+cpu")
    assert finder.find_spec("torchvision") is not None
    assert declared == []


def test_a_matching_cuda_pair_is_left_alone(finder, declared, torchvision_of, monkeypatch):
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    torchvision_of("0.28.0+cu130")
    assert finder.find_spec("torchvision") is not None
    assert declared == []


def test_other_imports_are_none_of_the_finders_business(finder, declared):
    assert finder.find_spec("json") is None
    assert finder in sys.meta_path
    assert declared == []


def test_a_package_without_an_init_can_be_imported_while_the_finder_waits(finder, tmp_path, monkeypatch):
    inner = tmp_path / "package_without_init" / "inner.py"
    inner.parent.mkdir()
    inner.write_text("answer = 42\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert importlib.import_module("package_without_init.inner").answer == 42


def test_a_version_file_tells_whether_the_pair_matches(tmp_path, monkeypatch):
    file = tmp_path / "version.py"
    file.write_text("__version__ = '0.28.0+cu130'\n")
    monkeypatch.setattr(torch.version, "cuda", None)
    assert is_mismatched(file)
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    assert not is_mismatched(file)


def test_operators_that_torchvision_declared_itself_are_not_declared_again(monkeypatch):
    class Complete:
        nms = qnms = staticmethod(lambda: None)

    defined = []
    monkeypatch.setattr(torch.ops, "torchvision", Complete, raising=False)
    monkeypatch.setattr(torch.library, "define", lambda *arguments: defined.append(arguments))
    declare_missing_operators()
    assert defined == []


def test_waiting_twice_adds_one_finder(finder):
    before = list(sys.meta_path)
    _torchvision.install()
    assert sys.meta_path == before

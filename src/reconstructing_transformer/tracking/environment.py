"""Where a training ran: the processor, the libraries, the state of the code."""

import platform
import subprocess
from importlib import metadata
from pathlib import Path

from reconstructing_transformer.tracking.record import Device

PACKAGE = Path(__file__).parents[1]
LIBRARIES = (
    "torch", "torchvision", "accelerate", "transformers", "peft", "wandb", "numpy", "reconstructing-transformer",
)  # fmt: skip


def library_versions() -> dict[str, str]:
    """Versions of Python and of those libraries that can change what a training gives.

    Returns:
        Version by name, `python` first. What isn't installed isn't there.
    """
    versions = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def _said_by(*command: str) -> str | None:
    """What a program prints; None where it isn't there or fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def code_commit(package: Path = PACKAGE) -> str | None:
    """The git commit of the code that runs.

    Args:
        package: folder of the package. It counts as a checkout where it lies in `src` of one: an installation that
            happens to lie in somebody else's repository has no commit.

    Returns:
        The commit; `-dirty` at its end where a file of `src` or `book` differs from it, or one of `src` is not in it.
        None outside a checkout, or without git.
    """
    root = package.parents[1]
    top = _said_by("git", "-C", str(package), "rev-parse", "--show-toplevel")
    if top is None or package.parent.name != "src" or Path(top).resolve() != root.resolve():
        return None
    commit = _said_by("git", "-C", str(root), "rev-parse", "HEAD")
    if not commit:
        return None
    ask = ("git", "-C", str(root), "status", "--porcelain")
    differs = _said_by(*ask, "--", "src") or _said_by(*ask, "--untracked-files=no", "--", "book")
    return f"{commit}-dirty" if differs else commit


def _processor_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip() in ("model name", "Model") and value.strip():
            return value.strip()
    on_a_mac = _said_by("sysctl", "-n", "machdep.cpu.brand_string") if platform.system() == "Darwin" else None
    return on_a_mac or platform.processor() or platform.machine() or "unknown processor"


def describe_device(kind: str, processes: int, precision: str) -> Device:
    """Say what a training runs on.

    Args:
        kind: `cpu`, `cuda` or `mps`: the type of the torch device.
        processes: how many processes train side by side.
        precision: `no`, `fp16` or `bf16`: accelerate's mixed precision.

    Returns:
        The same with the accelerator's or processor's name, and with the threads of PyTorch in this process.
    """
    import torch

    name = torch.cuda.get_device_name() if kind == "cuda" else _processor_name()
    return Device(kind=kind, name=name, processes=processes, threads=torch.get_num_threads(), precision=precision)

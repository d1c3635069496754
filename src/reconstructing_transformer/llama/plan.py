"""What a fine-tuning would do, before a weight is loaded: layers in four bits, adapters, what moves, what it needs."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconstructing_transformer.llama.classifiers import (
    HEAD,
    FineTuningError,
    load_config,
    quantisation,
    trainable,
    with_adapters,
)
from reconstructing_transformer.llama.configurations import LLAMA_2_7B, LLAMA_2_13B, LLAMA_2_70B, configuration
from reconstructing_transformer.llama.recipe import Recipe
from reconstructing_transformer.llama.resources import GIB, free_memory

if TYPE_CHECKING:
    from torch import nn
    from transformers import PretrainedConfig

# The gated models whose sizes are published: a plan of them needs neither token nor network.
PUBLISHED = {
    "meta-llama/Llama-2-7b-hf": LLAMA_2_7B,
    "meta-llama/Llama-2-13b-hf": LLAMA_2_13B,
    "meta-llama/Llama-2-70b-hf": LLAMA_2_70B,
}
BITS = 4 + 8 / 64 + 32 / (64 * 256)  # NF4, a byte a block of 64, 32 bits for 256 such bytes (QLoRA, §3)


@dataclass(frozen=True)
class Plan:
    """A fine-tuning, counted.

    Args:
        parameters: of the whole classifier, adapters included.
        trainable: those that move.
        four_bit: those that are stored in four bits.
        targets: names of the layers that get an adapter, the same in each of the decoder's layers.
        weights: bytes of the weights.
        gradients: bytes of the gradients.
        optimiser: bytes of Adam's two means.
    """

    parameters: int
    trainable: int
    four_bit: int
    targets: tuple[str, ...]
    weights: int
    gradients: int
    optimiser: int

    @property
    def bytes(self) -> int:
        """What is needed before the first text is read."""
        return self.weights + self.gradients + self.optimiser

    def text(self) -> str:
        """The plan in a few lines."""
        lines = [
            f"parameters  {self.parameters:>15,}",
            f"that move   {self.trainable:>15,}",
            f"in four bits{self.four_bit:>15,}",
            f"adapters on {', '.join(self.targets) or 'nothing'}",
            f"memory      weights {self.weights / GIB:.2f} GiB, gradients {self.gradients / GIB:.2f} GiB, Adam "
            f"{self.optimiser / GIB:.2f} GiB; activations come on top",
        ]
        return "\n".join(lines)


def published_config(model: str, labels: tuple[str, ...]) -> "PretrainedConfig":
    """The configuration of a model: of LLaMA-2 from its published sizes, of others from folder or hub.

    Args:
        model: as `--model` takes it.
        labels: the classes.
    """
    if model in PUBLISHED:
        return configuration(PUBLISHED[model], num_labels=len(labels))
    return load_config(model, labels, 0)


def meta_model(recipe: Recipe, config: "PretrainedConfig") -> "nn.Module":
    """The model as it would be trained, on PyTorch's meta device: all shapes, and no numbers.

    Args:
        recipe: the method.
        config: of the classifier.
    """
    import torch
    from transformers import AutoModelForSequenceClassification
    from transformers.integrations.bitsandbytes import replace_with_bnb_linear

    with torch.device("meta"):
        model = AutoModelForSequenceClassification.from_config(config)
        if recipe.method == "qlora":
            model = replace_with_bnb_linear(
                model, modules_to_not_convert=[HEAD], quantization_config=quantisation(recipe.precision)
            )
        if recipe.method in ("qlora", "head"):
            for name, parameter in model.named_parameters():
                parameter.requires_grad = recipe.method == "head" and name.startswith(HEAD)
        return with_adapters(model, recipe) if recipe.method in ("lora", "qlora") else model


def plan(recipe: Recipe, config: "PretrainedConfig") -> Plan:
    """Count what a fine-tuning would hold.

    Args:
        recipe: the method, and the rank of its adapters.
        config: of the classifier.
    """
    from bitsandbytes.nn import Linear4bit

    model = meta_model(recipe, config)
    modules = dict(model.named_modules())
    four_bit = sum(module.weight.numel() for module in modules.values() if isinstance(module, Linear4bit))
    targets = sorted({name.split(".")[-3] for name in modules if name.endswith("lora_A.default")})
    parameters, moving = sum(parameter.numel() for parameter in model.parameters()), trainable(model)
    return Plan(
        parameters=parameters,
        trainable=moving,
        four_bit=four_bit,
        targets=tuple(targets),
        weights=(parameters - four_bit) * 4 + round(four_bit * BITS / 8),
        gradients=moving * 4,
        optimiser=moving * 8,
    )


def check_it_fits(recipe: Recipe, needed: Plan) -> None:
    """Refuse a fine-tuning that can't begin on this machine.

    Args:
        recipe: for the message.
        needed: as `plan` counts it.

    Raises:
        FineTuningError: weights, gradients and optimiser alone need more than is free.
    """
    free, where = free_memory()
    if needed.bytes > free:
        less = {"full": "--method lora or qlora", "lora": "--method qlora", "head": "--method qlora"}.get(recipe.method)
        raise FineTuningError(
            f"{recipe.model} by {recipe.method} needs {needed.bytes / GIB:.1f} GiB before the first text is read, and "
            f"{where} has {free / GIB:.1f} GiB free. Take {less + ', ' if less else ''}a smaller model, or more memory"
        )

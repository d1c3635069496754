"""A pre-trained decoder as a classifier: how each method loads it, and which of its parameters move."""

import contextlib
import io
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconstructing_transformer.llama.recipe import Recipe
from reconstructing_transformer.llama.sources import MODELS, fetch

if TYPE_CHECKING:
    from torch import nn
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

HEAD = "score"  # transformers' name of the layer above the last token


class FineTuningError(RuntimeError):
    """A fine-tuning can't begin, or can't go on. The message says why and what to do."""


def _pickles(folder: Path) -> list[str]:
    kinds = (".bin", ".pt", ".pth", ".pkl", ".ckpt")
    return sorted(path.name for path in folder.iterdir() if path.suffix in kinds)


def find_model(model: str) -> str:
    """Where transformers finds a model: the folder of one that the book knows, a folder of the user's, or a hub's id.

    Args:
        model: a name that `fetch` knows, a folder, or a hub's id.

    Raises:
        FineTuningError: the folder has its weights in a pickle, or has none.
        DataError: the book's own weights can't be had.
    """
    if model in MODELS:
        return str(fetch(model))
    folder = Path(model).expanduser()
    if folder.is_dir():
        if any(folder.glob("*.safetensors")):
            return str(folder)
        pickles = _pickles(folder)
        why = f"has its weights in {pickles[0]}, which is a pickle" if pickles else "has no weights (*.safetensors)"
        raise FineTuningError(
            f"{folder} {why}; a pickle can run code when it is opened, so none is. Convert it where you trust it: "
            "AutoModelForCausalLM.from_pretrained(folder).save_pretrained(new_folder)"
        )
    known = ", ".join(MODELS)
    if model.count("/") != 1 or model.startswith((".", "~", "/")):
        raise FineTuningError(
            f"there is no model “{model}”: no folder, no hub's id (owner/name), and not one of {known}"
        )
    return model


def _explained(model: str, error: Exception) -> FineTuningError:
    """What to do about a model that the hub does not give."""
    words = f"{type(error).__name__} {error} {error.__cause__!r}"
    if any(sign in words for sign in ("gated", "Gated", "401", "403", "not a valid model identifier")):
        return FineTuningError(
            f"the hub does not give {model} to you: it is gated, private or not there. For LLaMA-2, accept Meta's "
            "licence on the model's page, make a token that can read, and set HF_TOKEN to it; or take a model without "
            "a gate: --model smollm2-135m"
        )
    if "safetensors" in words:
        return FineTuningError(f"{model} has no weights as safetensors; others, which are pickles, are not opened")
    return FineTuningError(
        f"{model} can't be loaded ({type(error).__name__}: {str(error).splitlines()[0]}). Without a network, "
        "download it first, or name a folder that has config.json, *.safetensors and tokenizer.json"
    )


def load_tokeniser(model: str) -> "PreTrainedTokenizerBase":
    """The tokeniser of a model, with something to pad with.

    Args:
        model: as for `find_model`.

    Raises:
        FineTuningError: it can't be had.
    """
    from transformers import AutoTokenizer

    place = find_model(model)
    try:
        tokeniser = AutoTokenizer.from_pretrained(place)
    except (OSError, ValueError) as error:
        raise _explained(model, error) from error
    if tokeniser.pad_token is None:
        tokeniser.pad_token = tokeniser.eos_token
    tokeniser.padding_side = "right"
    return tokeniser


def load_config(model: str, labels: tuple[str, ...], pad: int | None) -> "PretrainedConfig":
    """The configuration of a model that tells these labels apart.

    Args:
        model: as for `find_model`.
        labels: the classes, in the order of their numbers.
        pad: number of the token that fills up a batch: what stands before it is the last word.
    """
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(
            find_model(model),
            num_labels=len(labels),
            id2label=dict(enumerate(labels)),
            label2id={label: number for number, label in enumerate(labels)},
            pad_token_id=pad,
        )
    except (OSError, ValueError) as error:
        raise _explained(model, error) from error


def quantisation(precision: str) -> Any:  # noqa: ANN401 (transformers' BitsAndBytesConfig, imported late)
    """QLoRA's storage: NF4 in blocks of 64, their scales quantised again; products in the training's own precision.

    Args:
        precision: `no` or `bf16`.
    """
    import torch
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16 if precision == "bf16" else torch.float32,
        llm_int8_skip_modules=[HEAD],
    )


def adapters(recipe: Recipe) -> Any:  # noqa: ANN401 (peft's LoraConfig, imported late)
    """LoRA on every linear layer of the decoder; the head is trained whole, for it is new.

    Args:
        recipe: rank, α and dropout.
    """
    from peft import LoraConfig, TaskType

    return LoraConfig(
        task_type=TaskType.SEQ_CLS,
        r=recipe.rank,
        lora_alpha=recipe.alpha,
        lora_dropout=recipe.dropout,
        target_modules="all-linear",
        modules_to_save=[HEAD],
    )


def _keep_one_layout(model: "PreTrainedModel") -> None:
    """Let no four-bit layer lay its weights out anew when it is first evaluated.

    On processors that multiply bf16, bitsandbytes does so for speed, keeps the new layout when training goes on, and
    has no gradient through it: after the first evaluation nothing would reach the layers below.

    Args:
        model: it is changed in place.
    """
    from bitsandbytes.nn import Linear4bit

    for module in model.modules():
        if isinstance(module, Linear4bit):
            module.support_avx512bf16_for_cpu = False


def load_pretrained(recipe: Recipe, config: "PretrainedConfig") -> "PreTrainedModel":
    """The pre-trained decoder under a fresh head, its weights as the method stores them.

    Args:
        recipe: model, method and precision.
        config: as `load_config` gives it.

    Raises:
        FineTuningError: the weights can't be had or read.
    """
    import torch
    from transformers import AutoModelForSequenceClassification
    from transformers.utils import logging as theirs

    four_bits = recipe.method == "qlora"
    device = "cuda" if torch.cuda.is_available() else "cpu"
    stored = {"quantization_config": quantisation(recipe.precision), "device_map": {"": device}} if four_bits else {}
    verbosity = theirs.get_verbosity()
    theirs.set_verbosity_error()  # it warns that the head is fresh, which it is meant to be
    torch.manual_seed(recipe.seed)
    try:
        with contextlib.redirect_stderr(io.StringIO()):  # bars of progress, which would stand in a log
            model = AutoModelForSequenceClassification.from_pretrained(
                find_model(recipe.model), config=config, dtype=torch.float32, use_safetensors=True, **stored
            )
    except (OSError, ValueError, RuntimeError) as error:
        raise _explained(recipe.model, error) from error
    finally:
        theirs.set_verbosity(verbosity)
    if four_bits:
        _keep_one_layout(model)
    return model


@contextlib.contextmanager
def old_names() -> Iterator[None]:
    """Let peft ask transformers by a name that is about to change, without a warning to whoever reads the output."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing", category=FutureWarning)
        yield


def with_adapters(model: "nn.Module", recipe: Recipe) -> "nn.Module":
    """The model inside peft's, with the recipe's adapters.

    Args:
        model: it is changed in place.
        recipe: rank, α and dropout.
    """
    from peft import get_peft_model

    with old_names():
        return get_peft_model(model, adapters(recipe))


def prepare(model: "PreTrainedModel", recipe: Recipe) -> "nn.Module":
    """Decide which parameters move: adapters and head, all of them, or the head alone.

    Args:
        model: as `load_pretrained` gives it; it is changed in place.
        recipe: the method.

    Returns:
        The model to train: peft's around it for the adapters.
    """
    import torch
    from peft import prepare_model_for_kbit_training

    torch.manual_seed(recipe.seed)
    if recipe.method == "qlora":
        model = prepare_model_for_kbit_training(model, use_gradient_checkpointing=recipe.gradient_checkpointing)
    if recipe.method in ("lora", "qlora"):
        return with_adapters(model, recipe)
    if recipe.method == "head":
        for name, parameter in model.named_parameters():
            parameter.requires_grad = name.startswith(HEAD)
    return model


def trainable(model: "nn.Module") -> int:
    """How many parameters of a model move.

    Args:
        model: any.
    """
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)

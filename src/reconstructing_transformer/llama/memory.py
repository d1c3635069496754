"""How much memory a fine-tuning takes, computed from a model's configuration: nothing is loaded, nothing is run.

A model is fine-tuned whole, by low-rank updates, by updates beside weights in four bits, or in its last layer alone.
Each takes memory for weights, for what learns, for gradients, for the optimiser's moments (Adam's two), and for the
activations that the way back needs. Activations are counted as PyTorch's autograd keeps them, on tensors that have
shapes and no numbers.
"""

from copy import deepcopy
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from reconstructing_transformer.llama.lora import adapted
from reconstructing_transformer.llama.qlora import quantised

if TYPE_CHECKING:
    from transformers import LlamaConfig, PreTrainedModel

Kind = Literal["full", "lora", "qlora", "head"]
LINEAR = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")  # all that a layer has
HEAD = "score"
MOMENTS = 2  # that Adam keeps of each number that learns


@dataclass(frozen=True)
class Method:
    """How a model is fine-tuned.

    Args:
        kind: `full`, `lora`, `qlora` or `head`.
        dtype: of the weights and of what is computed. What is new, updates and head, learns in 32 bits.
        rank: of the updates, which stand beside all linear layers.
        checkpointing: whether only the layers' inputs are kept, and the rest is computed again on the way back.
    """

    kind: Kind
    dtype: torch.dtype = torch.bfloat16
    rank: int = 8
    checkpointing: bool = False


@dataclass(frozen=True)
class Memory:
    """Bytes by what they are for.

    Args:
        weights: those that were learned before.
        updates: what is new: the low-rank updates, and the head.
        gradients: one for each number that learns.
        optimiser: Adam's two moments of each number that learns.
        activations: what the way back needs of the way there.
    """

    weights: int
    updates: int
    gradients: int
    optimiser: int
    activations: int

    @property
    def total(self) -> int:
        """All of them: the most that is held at once, at the end of the way there."""
        return sum(asdict(self).values())


def prepared(model: "PreTrainedModel", method: Method) -> "PreTrainedModel":
    """Make a classifier ready to be fine-tuned by a method: with our own layers, in place.

    Args:
        model: transformers' classifier.
        method: how.

    Returns:
        The same model, in which only that may learn which the method has learn.
    """
    if method.kind == "head":
        model.requires_grad_(False)
    elif method.kind == "lora":
        adapted(model, LINEAR, method.rank, 2 * method.rank)
    elif method.kind == "qlora":
        quantised(model, method.rank, 2 * method.rank, LINEAR, keep=(HEAD,))
    model.get_submodule(HEAD).requires_grad_(True)
    if method.checkpointing:
        model.activation_checkpointing_enable(activation_checkpointing_kwargs={"use_reentrant": False})
    return model.train()


def kept_for_the_way_back(model: nn.Module, batch: int, length: int) -> int:
    """Bytes that autograd keeps of one pass through the decoder, without the model's own weights.

    Args:
        model: transformers' classifier.
        batch: number of texts.
        length: of each, in tokens.
    """
    own = {tensor.untyped_storage()._cdata for tensor in (*model.parameters(), *model.buffers())}
    kept = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        # A causal mask is there on such tensors alone: a fused kernel with numbers to look at does without.
        if storage._cdata not in own and tensor.shape[1:] != (1, length, length):
            kept[storage._cdata] = storage  # what is kept twice counts once
        return tensor

    tokens = torch.zeros(batch, length, dtype=torch.long)
    with saved_tensors_hooks(keep, lambda tensor: tensor):
        model.model(input_ids=tokens)
    return sum(storage.nbytes() for storage in kept.values())


def activations(config: "LlamaConfig", method: Method, batch: int, length: int) -> int:
    """Bytes of activations: those of one layer and of two are counted, and what a layer adds is added for the others.

    With checkpointing, what the layers' inputs take, and once what a layer takes while it is computed again.

    Args:
        config: of the model.
        method: how it is fine-tuned.
        batch: number of texts.
        length: of each, in tokens.
    """
    from torch._subclasses.fake_tensor import FakeTensorMode
    from transformers import LlamaForSequenceClassification

    def counted(layers: int, checkpointing: bool) -> int:
        few = deepcopy(config)
        few.num_hidden_layers = layers
        with FakeTensorMode(allow_non_fake_inputs=True):
            model = LlamaForSequenceClassification(few)
            for parameter in model.parameters():
                parameter.data = parameter.data.to(method.dtype)
            plan = Method(method.kind, method.dtype, method.rank, checkpointing)
            return kept_for_the_way_back(prepared(model, plan), batch, length)

    one, two = (counted(layers, method.checkpointing) for layers in (1, 2))
    kept = one + (config.num_hidden_layers - 1) * (two - one)
    if method.checkpointing:
        kept += counted(2, False) - counted(1, False)
    return kept


def computed(config: "LlamaConfig", method: Method, batch: int, length: int, classes: int = 20) -> Memory:
    """The memory of a fine-tuning as a classifier, from the configuration alone.

    Args:
        config: of the model.
        method: how it is fine-tuned.
        batch: number of texts a step.
        length: of each, in tokens.
        classes: how many the classifier tells apart.

    Returns:
        Bytes by what they are for.
    """
    from transformers import LlamaForSequenceClassification

    config = deepcopy(config)
    config.num_labels = classes
    with torch.device("meta"):
        model = LlamaForSequenceClassification(config)
    model = prepared(model.to(method.dtype), method)
    parameters = dict(model.named_parameters())
    buffers = [buffer for name, buffer in model.named_buffers() if not name.endswith(("levels", "inv_freq"))]
    new = [name for name in parameters if HEAD in name or name.endswith((".A", ".B", ".L_1", ".L_2"))]
    size = method.dtype.itemsize if method.kind == "full" else torch.float32.itemsize
    learns = sum(parameter.numel() for parameter in parameters.values() if parameter.requires_grad)
    old = sum(parameter.nbytes for name, parameter in parameters.items() if name not in new)
    return Memory(
        weights=old + sum(buffer.nbytes for buffer in buffers),
        updates=size * sum(parameters[name].numel() for name in new),
        gradients=size * learns,
        optimiser=MOMENTS * size * learns,
        activations=activations(config, method, batch, length),
    )

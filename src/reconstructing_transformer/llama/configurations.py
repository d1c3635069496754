"""The sizes of models whose weights this book does not have: what their authors have published, in one place."""

from copy import deepcopy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import LlamaConfig, PreTrainedModel

LLAMA_2_7B = "llama-2-7b"
LLAMA_2_13B = "llama-2-13b"
LLAMA_2_70B = "llama-2-70b"
SMOLLM2_135M = "smollm2-135m"
STORIES_260K = "stories260k"

# d_model, d_ff, layers, query heads, key/value heads, vocabulary, length, one matrix for both embeddings
# LLaMA-2: Touvron et al. 2023, Table 1, and the config.json of meta-llama/Llama-2-*-hf.
SIZES = {
    LLAMA_2_7B: (4096, 11008, 32, 32, 32, 32000, 4096, False),
    LLAMA_2_13B: (5120, 13824, 40, 40, 40, 32000, 4096, False),
    LLAMA_2_70B: (8192, 28672, 80, 64, 8, 32000, 4096, False),
    SMOLLM2_135M: (576, 1536, 30, 9, 3, 49152, 8192, True),
    STORIES_260K: (64, 172, 5, 8, 4, 512, 512, True),
}
# What they have as language models, and the first as a classifier of 20 classes: held against the sizes by a test.
PARAMETERS = {
    LLAMA_2_7B: 6_738_415_616,
    LLAMA_2_13B: 13_015_864_320,
    LLAMA_2_70B: 68_976_648_192,
    SMOLLM2_135M: 134_515_008,
    STORIES_260K: 260_032,
}
LLAMA_2_7B_CLASSIFIER = 6_607_425_536


def configuration(name: str, **changes: Any) -> "LlamaConfig":  # noqa: ANN401
    """The configuration of a model, for transformers. It needs no weights and no network.

    Args:
        name: one of `SIZES`.
        **changes: what is to be different, `num_hidden_layers=2` say.

    Returns:
        A `LlamaConfig`.

    Raises:
        ValueError: there is no such model.
    """
    from transformers import LlamaConfig

    if name not in SIZES:
        raise ValueError(f"no sizes of a model “{name}”; there are {', '.join(SIZES)}")
    d_model, d_ff, layers, heads, kv_heads, vocabulary, length, tied = SIZES[name]
    known = {
        "hidden_size": d_model, "intermediate_size": d_ff, "num_hidden_layers": layers, "num_attention_heads": heads,
        "num_key_value_heads": kv_heads, "vocab_size": vocabulary, "max_position_embeddings": length,
        "tie_word_embeddings": tied, "rms_norm_eps": 1e-5, "pad_token_id": 0, "use_cache": False,
    }  # fmt: skip
    return LlamaConfig(**{**known, **changes})


def on_meta(config: "LlamaConfig", classes: int | None = None) -> "PreTrainedModel":
    """A model with shapes and no numbers: PyTorch's meta device holds no memory.

    Args:
        config: of the model.
        classes: how many the classifier tells apart; a language model where None.

    Returns:
        transformers' own model.
    """
    import torch
    from transformers import LlamaForCausalLM, LlamaForSequenceClassification

    with torch.device("meta"):
        if classes is None:
            return LlamaForCausalLM(config)
        config = deepcopy(config)
        config.num_labels = classes
        return LlamaForSequenceClassification(config)

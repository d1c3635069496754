"""stories260K: from the two files of llama2.c to a checkpoint that transformers reads.

The model and its 512 pieces were published as plain numbers (karpathy/tinyllamas on the Hugging Face hub, MIT). Read
here, they become `book/data/stories260k`; the conversion is held against transformers by a test.
"""

import json
import struct
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from reconstructing_transformer._data import digest

if TYPE_CHECKING:
    from tokenizers import Tokenizer

HUB = "karpathy/tinyllamas"
FILES = {
    "stories260K.bin": "sha256:b0a507e7ad0f626624f17112325e66691f9076d622e1d3274d103d00299f2696",
    "tok512.bin": "sha256:037cb335abb25d1fa9e8ecae30ed2a3a8ace9302862ebcdc05d51a6bbb10c312",
}
HEADER = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads",
          "vocab_size", "max_position_embeddings")  # fmt: skip


class StoriesError(RuntimeError):
    """The files of llama2.c can't be had, or are not these. The message says what to do."""


def find_files(folder: Path | None) -> dict[str, bytes]:
    """The two files, checked by their hashes: from a folder, or from the hub.

    Args:
        folder: that has them; the hub is asked where None.

    Returns:
        The bytes of each, by name.

    Raises:
        StoriesError: they can't be reached, or one is another file.
    """
    found = {}
    for name, expected in FILES.items():
        if folder is not None:
            path = folder / name
        else:
            from huggingface_hub import hf_hub_download

            path = Path(hf_hub_download(HUB, f"stories260K/{name}"))
        data = path.read_bytes()
        if (came := digest(data, "sha256")) != expected:
            raise StoriesError(f"{path} has the hash {came}, not {expected}: it was truncated or altered")
        found[name] = data
    return found


def _half_split(W: Tensor, heads: int) -> Tensor:
    """Rows of a head: from neighbouring pairs (llama2.c, the paper) to two halves (transformers)."""
    rows, d = W.shape
    return W.view(heads, rows // heads // 2, 2, d).transpose(1, 2).reshape(rows, d)


def read_model(data: bytes) -> tuple[dict[str, int], dict[str, Tensor]]:
    """Read llama2.c's first format: seven integers, then every weight as a 32-bit number, kind by kind.

    Args:
        data: the bytes of `stories260K.bin`.

    Returns:
        The sizes by transformers' names, and the weights by transformers' names.
    """
    sizes = dict(zip(HEADER, struct.unpack_from("<7i", data), strict=True))
    d, d_ff, N, h, g = (sizes[name] for name in HEADER[:5])
    vocabulary, length = sizes["vocab_size"], sizes["max_position_embeddings"]
    numbers = torch.from_numpy(np.frombuffer(data, dtype="<f4", offset=28).copy())
    place = 0

    def take(*shape: int) -> Tensor:
        nonlocal place
        count = int(np.prod(shape))
        place += count
        return numbers[place - count : place].view(*shape)

    d_kv = d // h * g
    weights = {"model.embed_tokens.weight": take(vocabulary, d)}
    kinds = {
        "input_layernorm": (d,), "self_attn.q_proj": (d, d), "self_attn.k_proj": (d_kv, d),
        "self_attn.v_proj": (d_kv, d), "self_attn.o_proj": (d, d), "post_attention_layernorm": (d,),
        "mlp.gate_proj": (d_ff, d), "mlp.down_proj": (d, d_ff), "mlp.up_proj": (d_ff, d),
    }  # fmt: skip
    heads = {"self_attn.q_proj": h, "self_attn.k_proj": g}
    for kind, shape in kinds.items():
        for layer, W in enumerate(take(N, *shape)):
            weights[f"model.layers.{layer}.{kind}.weight"] = _half_split(W, heads[kind]) if kind in heads else W
    weights["model.norm.weight"] = take(d)
    rest = len(numbers) - place  # the cosines and sines of all positions, which nobody needs any more
    if rest != length * (d // h):
        raise StoriesError(
            f"{rest} numbers are left over where {length * (d // h)} were expected: not llama2.c's format"
        )
    return sizes, weights


def read_pieces(data: bytes) -> list[tuple[bytes, float]]:
    """Read llama2.c's vocabulary: the pieces in the order of their numbers, each with its score.

    Args:
        data: the bytes of `tok512.bin`.
    """
    pieces, place = [], 4
    while place < len(data):
        score, length = struct.unpack_from("<fi", data, place)
        pieces.append((data[place + 8 : place + 8 + length], score))
        place += 8 + length
    return pieces


def tokeniser_of(pieces: list[tuple[bytes, float]]) -> "Tokenizer":
    """A SentencePiece vocabulary as the merges of byte-pair encoding: a piece's score is the rank of its merge.

    Args:
        pieces: as `read_pieces` gives them; `<unk>`, `<s>`, `</s>`, 256 bytes, then what was learned.

    Returns:
        A `tokenizers.Tokenizer`.
    """
    from tokenizers import AddedToken, Tokenizer, decoders, normalizers, processors
    from tokenizers.models import BPE

    names = [
        piece.decode().strip("\n") if 0 < number < 3 else piece.decode() for number, (piece, _) in enumerate(pieces)
    ]
    names = [name if number < 259 else name.replace(" ", "▁") for number, name in enumerate(names)]
    numbers = {name: number for number, name in enumerate(names)}
    scores = dict(zip(names, (score for _, score in pieces), strict=True))
    merges = [
        (name[:cut], name[cut:])
        for name in sorted(names[259:], key=lambda name: -scores[name])
        for cut in range(1, len(name))
        if name[:cut] in numbers and name[cut:] in numbers
    ]
    tokeniser = Tokenizer(BPE(numbers, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokeniser.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokeniser.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokeniser.add_special_tokens([AddedToken(name, special=True) for name in ("<unk>", "<s>", "</s>")])
    tokeniser.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A $B", special_tokens=[("<s>", 1)]
    )
    return tokeniser


def write_checkpoint(files: dict[str, bytes], folder: Path) -> None:
    """Write the checkpoint: config.json, model.safetensors, tokenizer.json, tokenizer_config.json.

    Args:
        files: as `find_files` gives them.
        folder: it is made where it isn't there.
    """
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    sizes, weights = read_model(files["stories260K.bin"])
    model = LlamaForCausalLM(LlamaConfig(**sizes, rms_norm_eps=1e-5, tie_word_embeddings=True))
    model.load_state_dict(weights | {"lm_head.weight": weights["model.embed_tokens.weight"]})
    model.save_pretrained(folder)
    PreTrainedTokenizerFast(
        tokenizer_object=tokeniser_of(read_pieces(files["tok512.bin"])),
        unk_token="<unk>", bos_token="<s>", eos_token="</s>",
    ).save_pretrained(folder)  # fmt: skip
    about = {"from": f"{HUB} on the Hugging Face hub, MIT, Andrej Karpathy", "files": FILES}
    (folder / "origin.json").write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")

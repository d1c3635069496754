"""Our LLaMA beside transformers' own, on the same real weights: the same logits, and the same words."""

from dataclasses import dataclass
from pathlib import Path

import torch

from reconstructing_transformer.llama.generation import generate
from reconstructing_transformer.llama.model import Llama


@dataclass(frozen=True)
class Parity:
    """What the comparison found.

    Args:
        parameters: of the model.
        largest_difference: between two logits.
        range: between the least and the greatest logit.
        agreed: how many tokens, from the first, both wrote alike.
        written: how many tokens they wrote.
        text: what was written on, by ours.
    """

    parameters: int
    largest_difference: float
    range: float
    agreed: int
    written: int
    text: str


@torch.inference_mode()
def compare(folder: Path, beginning: str, tokens: int = 100) -> Parity:
    """Load a checkpoint twice, let both read a text, and let both write on, taking the likeliest token each time.

    Args:
        folder: of a Hugging Face checkpoint with its tokeniser.
        beginning: the text.
        tokens: how many to write on.
    """
    from transformers import AutoTokenizer, LlamaForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()
    theirs = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    tokeniser = AutoTokenizer.from_pretrained(folder)
    ours = Llama.from_pretrained(folder)
    read = tokeniser(beginning, return_tensors="pt").input_ids
    a, b = ours(read), theirs(read).logits
    told = theirs.generate(
        read, attention_mask=torch.ones_like(read), max_new_tokens=tokens, min_new_tokens=tokens, do_sample=False,
        pad_token_id=0,
    )[0, read.size(1) :].tolist()  # fmt: skip
    said = list(generate(ours, read[0], tokens))
    alike = next((n for n, pair in enumerate(zip(said, told, strict=True)) if pair[0] != pair[1]), len(said))
    return Parity(
        parameters=sum(parameter.numel() for parameter in ours.parameters()),
        largest_difference=(a - b).abs().max().item(),
        range=(b.max() - b.min()).item(),
        agreed=alike,
        written=len(said),
        text=tokeniser.decode(said),
    )

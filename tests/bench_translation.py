"""Decoding speed, side by side: ours with and without caches, `MarianMTModel.generate`, and the usual loop.

All models have the same sizes and random weights, read the same sentences and write the same number of tokens, which
is forced. A round lets each of them write once, in turns, on one thread; what counts is processor time, so that whoever
else uses the machine counts less.
"""

import logging
import math
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from reconstructing_transformer.transformer import Transformer, positional_encoding
from reconstructing_transformer.translation.beam import beam_search
from reconstructing_transformer.translation.search import greedy
from reconstructing_transformer.translation.tokeniser import BEGIN, END, PAD, UNKNOWN

SENTENCES = {1: 7, 64: 5}  # batches, and rounds of each
SOURCE, WRITTEN, BEAMS = 16, 24, 5
VOCABULARY, N, D_MODEL, D_FF, HEADS = 8000, 3, 256, 1024, 4


class Endless(Transformer):
    """Never writes END, so that all write the same number of tokens."""

    def logits(self, x: Tensor) -> Tensor:
        scores = super().logits(x)
        scores[..., END] = -torch.inf
        return scores


class Usual(nn.Module):
    """The model of the tutorials: `torch.nn.Transformer` between an embedding and a generator."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, D_MODEL)
        self.transformer = nn.Transformer(D_MODEL, HEADS, N, N, D_FF, batch_first=True)
        self.generator = nn.Linear(D_MODEL, VOCABULARY)
        self.register_buffer("positions", positional_encoding(SOURCE + WRITTEN, D_MODEL))

    def embed(self, tokens: Tensor) -> Tensor:
        return self.embedding(tokens) * math.sqrt(D_MODEL) + self.positions[: tokens.size(1)]

    @torch.no_grad()
    def write(self, source: Tensor) -> Tensor:
        """The usual loop: all that is written is read again at each step, and scored again, too."""
        memory = self.transformer.encoder(self.embed(source))
        written = source.new_full((len(source), 1), BEGIN)
        for _ in range(WRITTEN):
            mask = nn.Transformer.generate_square_subsequent_mask(written.size(1))
            states = self.transformer.decoder(self.embed(written), memory, tgt_mask=mask, tgt_is_causal=True)
            scores = self.generator(states)[:, -1]
            scores[:, END] = -torch.inf
            written = torch.cat([written, scores.argmax(-1, keepdim=True)], dim=1)
        return written[:, 1:]


def marian() -> Callable[[Tensor, int], Tensor]:
    """Return a function that lets transformers' model write, with its cache."""
    from transformers import MarianConfig, MarianMTModel
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    logging.getLogger("transformers").setLevel(logging.ERROR)
    sides = {
        f"{side}_{what}": value
        for side in ("encoder", "decoder")
        for what, value in {"layers": N, "attention_heads": HEADS, "ffn_dim": D_FF}.items()
    }
    config = MarianConfig(
        vocab_size=VOCABULARY,
        d_model=D_MODEL,
        **sides,
        activation_function="relu",
        scale_embedding=True,
        max_position_embeddings=1024,
        pad_token_id=PAD,
        eos_token_id=END,
        decoder_start_token_id=BEGIN,
        forced_eos_token_id=None,
    )
    model = MarianMTModel(config).eval()
    model.generation_config.forced_eos_token_id = None

    def write(source: Tensor, beams: int) -> Tensor:
        return model.generate(
            source,
            attention_mask=torch.ones_like(source),
            num_beams=beams,
            do_sample=False,
            use_cache=True,
            min_new_tokens=WRITTEN,
            max_new_tokens=WRITTEN,
        )[:, 1:]

    return write


def runners(source: Tensor) -> dict[str, Callable[[], Any]]:
    """All that write translations of the same source."""
    ours = Endless(VOCABULARY, N=N, d_model=D_MODEL, d_ff=D_FF, h=HEADS).eval()
    usual = Usual().eval()
    theirs = marian()
    forced = {"most": WRITTEN}
    return {
        "greedy": lambda: greedy(ours, source, **forced),
        "greedy without caches": lambda: greedy(ours, source, cached=False, **forced),
        "greedy of transformers": lambda: theirs(source, 1),
        "torch.nn.Transformer, the usual loop": lambda: usual.write(source),
        "beam 5": lambda: [found[0].tokens for found in beam_search(ours, source, beam_size=BEAMS, **forced)],
        "beam 5 of transformers": lambda: theirs(source, BEAMS),
    }


RATIOS = {
    "greedy": ["greedy without caches", "greedy of transformers", "torch.nn.Transformer, the usual loop"],
    "beam 5": ["beam 5 of transformers"],
}


def decoding_speed() -> dict[str, dict[str, Any]]:
    """Milliseconds of each, and theirs over ours: medians, with the least and the most of the rounds."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    result = {}
    for batch, rounds in SENTENCES.items():
        source = torch.randint(UNKNOWN + 1, VOCABULARY, (batch, SOURCE))
        writing = runners(source)
        seconds: dict[str, list[float]] = {name: [] for name in writing}
        for number in range(rounds + 1):
            for name, write in writing.items():
                begun = time.process_time()
                written = write()
                took = time.process_time() - begun
                assert [len(row) for row in written] == [WRITTEN] * batch, name
                if number:  # the first round warms up
                    seconds[name].append(took)
        ratios = {
            ours: {other: sorted(a / b for a, b in zip(seconds[other], seconds[ours], strict=True)) for other in others}
            for ours, others in RATIOS.items()
        }
        result[f"batch {batch}"] = {
            "milliseconds": {name: 1000 * statistics.median(times) for name, times in seconds.items()},
            "theirs over ours": {
                ours: {
                    other: {"median": statistics.median(ratio), "least": ratio[0], "most": ratio[-1]}
                    for other, ratio in others.items()
                }
                for ours, others in ratios.items()
            },
        }
    torch.set_num_threads(threads)
    return result

"""German in, English out: a trained model with all that is around it."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from reconstructing_transformer.transformer import padding_mask, record
from reconstructing_transformer.translation.batches import collate
from reconstructing_transformer.translation.beam import Hypothesis, beam_search
from reconstructing_transformer.translation.model import TranslationModel
from reconstructing_transformer.translation.passages import passages
from reconstructing_transformer.translation.pretrained import load_pretrained
from reconstructing_transformer.translation.search import at_rest
from reconstructing_transformer.translation.tokeniser import BEGIN, END, PAD, Tokeniser

DEFAULT = "tatoeba"
STRANGE = 0.5  # share of unknown characters above which a translation is no more than a guess
BATCH = 64
END_LABEL = "⏎"


class TranslationWarning(UserWarning):
    """A translation was made, but there is something about it that its reader should know."""


@dataclass(frozen=True)
class Attention:
    """What a model looked at while it read a sentence and wrote its translation.

    Row t of `decoder` and `cross` is what it looked at when it wrote `target[t]`; it had then read BEGIN and all
    of `target` before t.
    """

    source: tuple[str, ...]
    """Pieces of the source, as figures show them; the last is the end."""

    target: tuple[str, ...]
    """Pieces of the translation; the last is the end, unless the translation was cut off."""

    encoder: Float[Tensor, "layers h m m"]
    decoder: Float[Tensor, "layers h n n"]
    cross: Float[Tensor, "layers h n m"]


@dataclass(frozen=True)
class Translation:
    """A translated text. `str(translation)` is the translation alone."""

    source: str
    """What was translated."""

    text: str
    """The translation."""

    log_probability: float
    """log P(Y|X) in nats, over all its parts."""

    remarks: tuple[str, ...] = ()
    """What its reader should know of it. Each is a `TranslationWarning`, too."""

    attention: tuple[Attention, ...] = field(default=(), repr=False)
    """Of each part, where it was asked for: one, unless the text was too long; none of an empty text."""

    def __str__(self) -> str:
        return self.text


class Translator:
    """A model, its tokeniser, and the longest sentence that it has learned from.

    Args:
        model: it is put into evaluation mode when it translates, and back.
        tokeniser: its own.
        longest: pieces of the longest source that it is asked to read at once; what is longer is cut.

    Raises:
        ValueError: the model has too few positions for such a source, its end and a translation.
    """

    def __init__(self, model: TranslationModel, tokeniser: Tokeniser, longest: int = 128) -> None:
        positions = model.positions.PE.size(0)
        if not 1 < longest < positions:
            raise ValueError(f"the model has {positions} positions: a source has 2 to {positions - 1}; got {longest}")
        self.model, self.tokeniser, self.longest = model, tokeniser, longest

    @classmethod
    def from_pretrained(cls, where: str | Path = DEFAULT) -> "Translator":
        """Load a trained translator.

        Args:
            where: the name of a released model, or a folder that a training wrote.

        Returns:
            The translator, on the CPU.

        Raises:
            PretrainedError: there is no translator, or its files don't fit together.
        """
        model, tokeniser, config = load_pretrained(where)
        return cls(model, tokeniser, config.longest)

    def translate(
        self,
        texts: Sequence[str],
        *,
        beam_size: int = 4,
        alpha: float = 0.6,
        return_attention: bool = False,
    ) -> list[Translation]:
        """Translate texts, those of like length together.

        Args:
            texts: German, a list of sentences or longer texts. An empty one stays empty.
            beam_size: how many beginnings are followed; with 1 the search is greedy.
            alpha: of the length penalty.
            return_attention: whether the attention weights are wanted, too.

        Returns:
            A translation of each text, in their order. Each is what it would be alone.

        Warns:
            TranslationWarning: a text was too long and was cut, or most of it is unknown to the model.

        Raises:
            TypeError: a single text came instead of a list.
            ValueError: the beam size is not positive, or alpha is negative.
        """
        if isinstance(texts, str):
            raise TypeError(f"translate takes a list of texts; got one text: write translate([{texts[:20]!r}])")
        cut = [self._parts(" ".join(text.split())) for text in texts]
        for remark in (remark for _, remarks in cut for remark in remarks):
            warnings.warn(remark, TranslationWarning, stacklevel=2)
        encoded = self.tokeniser.encode([part for parts, _ in cut for part in parts])
        ready = iter(zip(encoded, self._search(encoded, beam_size, alpha), strict=True))
        translations = []
        for text, (parts, remarks) in zip(texts, cut, strict=True):
            mine = list(islice(ready, len(parts)))
            written = self.tokeniser.decode([hypothesis.tokens for _, hypothesis in mine])
            looked = tuple(self.watch(a, b.tokens, b.ended) for a, b in mine) if return_attention else ()
            likely = sum((hypothesis.log_probability for _, hypothesis in mine), 0.0)
            translations.append(Translation(text, " ".join(written), likely, remarks, looked))
        return translations

    def _parts(self, text: str) -> tuple[list[str], tuple[str, ...]]:
        """What is translated at once: the text, its sentences, or nothing; and what is to be said of it."""
        if not any(self.tokeniser.encode([text])):
            return [], ()
        shown = f"“{text[:40]}…”" if len(text) > 40 else f"“{text}”"
        parts, remarks = passages(text, self.longest, self.tokeniser), []
        if len(parts) > 1:
            remarks.append(
                f"{shown} is longer than {self.longest} pieces, the most that the model reads at once: it was "
                f"translated in {len(parts)} parts that know nothing of each other"
            )
        if (share := self.tokeniser.unknown_share(text)) > STRANGE:
            remarks.append(
                f"{shown}: {share:.0%} of its characters are unknown to the model, which has read German alone; its "
                "translation is a guess"
            )
        return parts, tuple(remarks)

    def _search(self, encoded: list[list[int]], beam_size: int, alpha: float) -> list[Hypothesis]:
        """The best translation of each source. Those of like length share a batch, so that there is little padding."""
        device = next(self.model.parameters()).device
        order = sorted(range(len(encoded)), key=lambda index: len(encoded[index]))
        found: dict[int, Hypothesis] = {}
        for start in range(0, len(order), BATCH):
            chosen = order[start : start + BATCH]
            source = collate([(encoded[index], []) for index in chosen]).source.to(device)
            best = beam_search(self.model, source, padding_mask(source, PAD), beam_size=beam_size, alpha=alpha)
            found |= {index: hypotheses[0] for index, hypotheses in zip(chosen, best, strict=True)}
        return [found[index] for index in range(len(encoded))]

    def watch(self, source: list[int], written: list[int], ended: bool = True) -> Attention:
        """Let the model read a sentence and write a given translation of it, whatever it would have written.

        Args:
            source: pieces of the sentence.
            written: pieces of the translation.
            ended: whether the translation came to its end, and was not cut off.

        Returns:
            All weights of all its attentions.
        """
        device = next(self.model.parameters()).device
        target = [*written, END] if ended else written
        read = torch.tensor([[*source, END]], device=device), torch.tensor([[BEGIN, *target[:-1]]], device=device)
        with at_rest(self.model), record(self.model) as recording:
            self.model.decode(read[1], self.model.encode(read[0]))
        kinds = {"encoder": [], "decoder": [], "cross": []}
        for name, kept in recording.items():
            kind = "cross" if name.endswith("cross_attention") else name.split(".")[0]
            if kept.weights is not None:
                kinds[kind].append(kept.weights[0].cpu())
        labels = [self.tokeniser.tokens(tokens) for tokens in (source, written)]
        return Attention(
            source=(*labels[0], END_LABEL),
            target=(*labels[1], END_LABEL) if ended else tuple(labels[1]),
            **{kind: torch.stack(weights) for kind, weights in kinds.items()},
        )

"""A task small enough to watch: write a word backwards. What a Transformer needs to learn it, and to be judged."""

import random
from collections.abc import Sequence

import torch
from jaxtyping import Bool, Int
from torch import Tensor, nn

from reconstructing_transformer.transformer.label_smoothing import LabelSmoothing
from reconstructing_transformer.transformer.masks import padding_mask
from reconstructing_transformer.transformer.model import Transformer
from reconstructing_transformer.transformer.schedule import learning_rate

PAD, BEGIN, END = 0, 1, 2
LETTERS = "abcdefghij"
SYMBOLS = ["<pad>", "<s>", "</s>", *LETTERS]
SHORTEST, LONGEST = 3, 6


def draw_words(count: int, seed: int = 0) -> list[str]:
    """Draw words of random letters and random lengths, no word twice.

    Args:
        count: how many.
        seed: another one draws other words.

    Returns:
        The words, in the order of their drawing: any two slices that do not overlap have no word in common.
    """
    rng = random.Random(seed)
    words: dict[str, None] = {}
    while len(words) < count:
        length = rng.randint(SHORTEST, LONGEST)
        words["".join(rng.choices(LETTERS, k=length))] = None
    return list(words)


def to_tokens(words: Sequence[str], begin: bool = False) -> Int[Tensor, "words m"]:
    """Write words as tokens: letters, the end, then padding up to the longest.

    Args:
        words: the words.
        begin: whether the beginning is a token too, as the decoder needs it.

    Returns:
        One row a word.
    """
    rows = [[BEGIN] * begin + [SYMBOLS.index(letter) for letter in word] + [END] for word in words]
    return nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], batch_first=True, padding_value=PAD)


def to_words(tokens: Int[Tensor, "words n"]) -> list[str]:
    """Read words from tokens, up to the end of each.

    Args:
        tokens: one row a word. It begins with the beginning; a row without an end is read as far as it goes.

    Returns:
        The words.
    """
    rows = [row[1 : row.index(END) if END in row else None] for row in tokens.tolist()]
    return ["".join(SYMBOLS[token] for token in row) for row in rows]


def train(
    model: Transformer,
    words: Sequence[str],
    *,
    steps: int = 400,
    batch: int = 64,
    warmup: int = 100,
    epsilon: float = 0.1,
) -> list[float]:
    """Teach a model to write words backwards.

    Args:
        model: it is changed in place. It ends with the mean of the weights at the last five checkpoints (§6.1).
        words: what it sees in training.
        steps: number of batches.
        batch: words a batch.
        warmup: steps over which the learning rate rises.
        epsilon: of the label smoothing.

    Returns:
        The loss of each step, in nats a token.
    """
    source, target = to_tokens(words), to_tokens([word[::-1] for word in words], begin=True)
    loss_of = LabelSmoothing(len(SYMBOLS), epsilon, pad=PAD)
    optimiser = torch.optim.Adam(model.parameters(), betas=(0.9, 0.98), eps=1e-9, fused=True)
    model.train()
    losses, checkpoints = [], []
    for step in range(1, steps + 1):
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(step, model.source_embedding.d_model, warmup)
        chosen = torch.randint(len(words), (batch,))
        read, written = source[chosen], target[chosen]
        # Teacher forcing: whatever the model would have written, it reads what it should have.
        logits = model(read, written[:, :-1], padding_mask(read, PAD))
        loss = loss_of(logits, written[:, 1:])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
        if (steps - step) % 10 == 0 and steps - step < 50:
            checkpoints.append(nn.utils.parameters_to_vector(model.parameters()).detach())
    nn.utils.vector_to_parameters(torch.stack(checkpoints).mean(0), model.parameters())
    return losses


@torch.no_grad()
def write(
    model: Transformer,
    source: Int[Tensor, "batch m"],
    source_mask: Bool[Tensor, "batch 1 m"] | None = None,
    most: int = LONGEST + 1,
) -> Int[Tensor, "batch n"]:
    """Let a model write, always the token that it thinks likeliest, until all have come to their end.

    Args:
        model: it should be in evaluation mode.
        source: what it reads.
        source_mask: True where a token of the source may be attended to; everywhere where None.
        most: number of tokens after which writing stops in any case.

    Returns:
        What it wrote, from the beginning token on. What stands behind an end token means nothing.
    """
    memory = model.encode(source, source_mask)
    target = torch.full((len(source), 1), BEGIN)
    for _ in range(most):
        states = model.decode(target, memory, source_mask)
        likeliest = model.logits(states[:, -1:]).argmax(-1)
        target = torch.cat([target, likeliest], dim=1)
        if (target == END).any(dim=1).all():
            break
    return target


def reverse(model: Transformer, words: Sequence[str]) -> list[str]:
    """Let a model write words backwards, without help.

    Args:
        model: a model that `train` has taught. It is left in evaluation mode.
        words: what it reads.

    Returns:
        What it writes for each.
    """
    model.eval()
    source = to_tokens(words)
    return to_words(write(model, source, padding_mask(source, PAD)))


def exact_match(model: Transformer, words: Sequence[str]) -> float:
    """Share of the words that a model writes backwards without a single mistake.

    Args:
        model: a model that `train` has taught. It is left in evaluation mode.
        words: what it reads.

    Returns:
        A share from 0 to 1.
    """
    pairs = zip(reverse(model, words), words, strict=True)
    return sum(written == word[::-1] for written, word in pairs) / len(words)

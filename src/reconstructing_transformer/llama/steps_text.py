"""The text of the ladder: newsgroup posts as one long row of pieces, cut into windows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Int
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor

END = "<|end|>"  # stands between two posts; its number is 0
LONGEST = 4_000  # bytes: longer posts are lists, and programs that somebody encoded as letters


@dataclass(frozen=True)
class Stream:
    """Posts in a row.

    Args:
        pieces: numbers of their pieces, END before each post and after the last.
        bytes: how many bytes of UTF-8 the posts have.
        posts: how many they are.
    """

    pieces: Int[Tensor, " pieces"]
    bytes: int
    posts: int

    def windows(self, n: int) -> Int[Tensor, "windows {n}+1"]:
        """Cut into windows of n pieces to read and one more to predict; the next begins with the last one of this.

        Args:
            n: the length of the context.

        Returns:
            The windows; what doesn't fill a last one is left out.
        """
        if len(self.pieces) <= n:
            return self.pieces.new_empty(0, n + 1)
        return self.pieces.unfold(0, n + 1, n)


def readable(posts: Iterable[str]) -> list[str]:
    """The posts that have something to read: neither empty nor longer than `LONGEST`.

    Args:
        posts: without headers, footers and quotes.
    """
    stripped = (post.strip() for post in posts)
    return [post for post in stripped if 0 < len(post.encode()) <= LONGEST]


def learn_pieces(posts: Sequence[str], vocabulary: int) -> Tokenizer:
    """Learn a byte-level byte-pair encoding: every text has pieces, and none is unknown.

    Args:
        posts: to learn from.
        vocabulary: number of pieces, END and the 256 bytes included.

    Returns:
        The tokeniser.
    """
    tokeniser = Tokenizer(models.BPE())
    tokeniser.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokeniser.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokeniser.train_from_iterator(
        posts,
        trainers.BpeTrainer(
            vocab_size=vocabulary, special_tokens=[END], initial_alphabet=alphabet, show_progress=False
        ),
    )
    return tokeniser


def stream(posts: Sequence[str], tokeniser: Tokenizer) -> Stream:
    """Write posts one after the other.

    Args:
        posts: the readable ones.
        tokeniser: of `learn_pieces`.

    Returns:
        The stream.
    """
    end = tokeniser.token_to_id(END)
    pieces = [end]
    for encoding in tokeniser.encode_batch(list(posts)):
        pieces += [*encoding.ids, end]
    return Stream(torch.tensor(pieces), sum(len(post.encode()) for post in posts), len(posts))

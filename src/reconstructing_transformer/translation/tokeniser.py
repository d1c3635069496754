"""Sentences to pieces of words and back: byte-pair encoding, one vocabulary for both languages, by `tokenizers`."""

import json
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from reconstructing_transformer._data import write_whole

FILE = "tokeniser.json"
VOCABULARY = 8_000

PAD, BEGIN, END, UNKNOWN = range(4)
# The first three can't come out of any text, for a piece has letters or signs, never both. The fourth is Unicode's own
# character for what could not be read.
SPECIALS = ["<pad>", "<s>", "</s>", "\N{REPLACEMENT CHARACTER}"]

SPACE = "\N{LOWER ONE EIGHTH BLOCK}"  # stands for the space, at the beginning of the word behind it
# A word; the end of a shortened one (’s); a digit; any run of signs; spaces on their own. Pieces never cross these.
WORDS = rf"{SPACE}?\p{{L}}[\p{{L}}\p{{M}}]*|['’]\p{{L}}+|{SPACE}?\p{{N}}|{SPACE}?[^\p{{L}}\p{{N}}{SPACE}]+|{SPACE}"


class TokeniserError(RuntimeError):
    """A file is not a tokeniser of this book. The message says which file, and what is wrong with it."""


def _untrained() -> Tokenizer:
    """The parts of which the text plays none: how a sentence becomes characters and words, and comes back."""
    tokenizer = Tokenizer(models.BPE(unk_token=SPECIALS[UNKNOWN]))
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.NFC(),
            normalizers.Replace(SPACE, SPECIALS[UNKNOWN]),  # in a text it is not known: it would come back as a space
            normalizers.Replace(" ", SPACE),
            normalizers.Prepend(SPACE),  # a word is the same piece at the beginning of a sentence and in its middle
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(WORDS), "isolated")
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace(SPACE, " "), decoders.Fuse(), decoders.Strip(" ", left=1, right=0)]
    )
    return tokenizer


def _unmarked(text: str) -> Tokenizer:
    """A tokeniser from its JSON, whose special tokens are entries of the vocabulary and nothing else.

    `tokenizers` would look for “</s>” in every text and read the end of the sentence where somebody writes about HTML.
    """
    return Tokenizer.from_str(json.dumps(json.loads(text) | {"added_tokens": []}, ensure_ascii=False))


class Tokeniser:
    """Byte-pair encoding with one vocabulary for both languages.

    A text that is in NFC, and whose characters occurred in training, is encoded without loss, spaces included.

    Args:
        tokenizer: the trained one of `tokenizers`.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._known = {piece for piece in tokenizer.get_vocab() if len(piece) == 1} - {SPECIALS[UNKNOWN]}

    @classmethod
    def train(cls, sentences: Iterable[str], vocabulary: int = VOCABULARY) -> "Tokeniser":
        """Learn a vocabulary: all characters, then, time and again, the pair of pieces that occurs most often.

        Args:
            sentences: of both languages, from the training split alone.
            vocabulary: number of pieces; fewer where the sentences have no more pairs that occur twice.

        Returns:
            The tokeniser, the same for the same sentences.

        Raises:
            ValueError: the characters alone, with the four special tokens, are more than the vocabulary can hold.
        """
        tokenizer = _untrained()
        trainer = trainers.BpeTrainer(
            vocab_size=vocabulary, min_frequency=2, special_tokens=SPECIALS, show_progress=False
        )
        tokenizer.train_from_iterator(sentences, trainer)
        if (least := tokenizer.get_vocab_size()) > vocabulary:
            raise ValueError(f"a vocabulary of {vocabulary:,} is too small: the characters alone need {least:,}")
        return cls(_unmarked(tokenizer.to_str()))

    def numbered_for(self, sentences: Sequence[str]) -> tuple["Tokeniser", int]:
        """Number the pieces anew, those first that some sentences are made of.

        If they are all of one language, a model can leave the pieces of the other out of its last layer.

        Args:
            sentences: of the target language, from the training split alone.

        Returns:
            A tokeniser that cuts as this one does, and how many of its pieces, counted from 0, the sentences use;
            the four special ones are among them.
        """
        used = set(range(len(SPECIALS))).union(*self.encode(sentences))
        order = sorted(range(len(self)), key=lambda index: (index not in used, index))
        content = json.loads(self._tokenizer.to_str())
        pieces = {index: piece for piece, index in content["model"]["vocab"].items()}
        content["model"]["vocab"] = {pieces[old]: new for new, old in enumerate(order)}
        return Tokeniser(_unmarked(json.dumps(content, ensure_ascii=False))), len(used)

    def __len__(self) -> int:
        return self._tokenizer.get_vocab_size()

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Cut sentences into pieces.

        Args:
            texts: the sentences, a list of them.

        Returns:
            The numbers of each one's pieces, without begin and end. An empty sentence has none.

        Raises:
            TypeError: a single sentence came instead of a list.
        """
        if isinstance(texts, str):
            raise TypeError(f"encode takes a list of sentences; got one sentence: write encode([{texts[:20]!r}])")
        return [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]

    def decode(self, ids: Sequence[Sequence[int]]) -> list[str]:
        """Put sentences together again.

        Args:
            ids: numbers of pieces, a list for each sentence.

        Returns:
            The sentences. Padding, begin and end are left out; what was unknown is written as �.
        """
        return self._tokenizer.decode_batch([[index for index in row if index > END] for row in ids])

    def tokens(self, ids: Sequence[int]) -> list[str]:
        """Pieces as figures show them.

        Args:
            ids: numbers of pieces.

        Returns:
            One label a piece. One that continues a word begins with a dot: `Fahr`, `·rad`; a space alone is ␣.

        Raises:
            ValueError: the vocabulary has no piece of such a number.
        """
        labels = []
        for index in ids:
            piece = self._tokenizer.id_to_token(index) if 0 <= index < len(self) else None
            if piece is None:
                raise ValueError(f"the vocabulary has pieces 0 to {len(self) - 1:,}; got {index}")
            if piece.startswith(SPACE):
                labels.append(piece[1:] or "␣")
            else:
                labels.append(f"·{piece}" if index > UNKNOWN and piece[0].isalnum() else piece)
        return labels

    def unknown_share(self, text: str) -> float:
        """How much of a text the tokeniser has never seen.

        Args:
            text: any text.

        Returns:
            The share of unknown characters, white space not counted, from 0 to 1; 0 for an empty text.
        """
        letters = [letter for letter in unicodedata.normalize("NFC", text) if not letter.isspace()]
        unknown = sum(letter not in self._known or letter == SPACE for letter in letters)
        return unknown / len(letters) if letters else 0.0

    def save(self, folder: Path) -> Path:
        """Write `tokeniser.json`, whole or not at all.

        Args:
            folder: where to; it is made where it isn't there.

        Returns:
            The file.
        """
        path = folder / FILE
        write_whole(path, self._tokenizer.to_str(pretty=True).encode("utf-8"))
        return path

    @classmethod
    def load(cls, folder: Path) -> "Tokeniser":
        """Read what `save` has written.

        Args:
            folder: where `tokeniser.json` lies.

        Returns:
            The tokeniser.

        Raises:
            TokeniserError: there is no such file, or it is broken, or another tokeniser's.
        """
        path = folder / FILE
        try:
            tokenizer = _unmarked(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise TokeniserError(f"there is no tokeniser at {path}: `Tokeniser.save` writes one there") from error
        except Exception as error:  # `tokenizers` raises nothing more precise
            raise TokeniserError(
                f"{path} is truncated or was altered: no tokeniser can be read from it ({error})"
            ) from error
        specials = [tokenizer.id_to_token(index) for index in range(len(SPECIALS))]
        if specials != SPECIALS:
            raise TokeniserError(f"{path} is another tokeniser's: its first pieces are {specials}, not {SPECIALS}")
        return cls(tokenizer)

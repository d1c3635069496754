"""Translations that were judged by hand: no score says what is wrong with a sentence.

`book/data/tatoeba-judged.json` keeps what the released translator made of some sentences of the test, drawn by lot, and
what a reader found in each. It is of these weights alone: it says which, and a test asks for new judgements when others
are released.
"""

import random
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field, model_validator

from reconstructing_transformer._data import book_folder

FILE = "tatoeba-judged.json"
AMOUNT, LOT = 100, 16


class Judged(BaseModel):
    """One translation, and what was found in it."""

    model_config = ConfigDict(extra="forbid")

    german: str
    reference: str
    translation: str
    kind: str
    remark: str = ""


class Judgements(BaseModel):
    """All translations that were judged, and of which weights they are."""

    model_config = ConfigDict(extra="forbid")

    attribution: str
    licence: str
    weights: str = Field(pattern=r"^sha256:[0-9a-f]{64}$", description="Of the released file.")
    beam_size: int
    kinds: dict[str, str] = Field(description="What may be found in a translation, from best to worst.")
    judged: list[Judged]

    @model_validator(mode="after")
    def _only_these_kinds(self) -> "Judgements":
        unknown = {one.kind for one in self.judged} - self.kinds.keys()
        if unknown:
            raise ValueError(f"a translation is one of {', '.join(self.kinds)}; got {', '.join(sorted(unknown))}")
        return self

    def counts(self) -> dict[str, int]:
        """How many translations are of each kind, from best to worst."""
        return {kind: sum(one.kind == kind for one in self.judged) for kind in self.kinds}


def drawn(sentences: Sequence[object], amount: int = AMOUNT) -> list[int]:
    """Draw the sentences that are judged, by lot.

    Args:
        sentences: the test.
        amount: how many of them.

    Returns:
        Their places, in order; always the same ones.
    """
    return sorted(random.Random(LOT).sample(range(len(sentences)), amount))


def book_judgements() -> Judgements:
    """Read the judgements that the book carries.

    Returns:
        They.
    """
    return Judgements.model_validate_json((book_folder("data") / FILE).read_bytes())

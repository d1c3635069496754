"""Translations that were read by hand: they are of the weights that the book carries, and of nobody's choice."""

import pytest
from pydantic import ValidationError

from reconstructing_transformer._data import book_folder, digest
from reconstructing_transformer.translation import Translator, load_sample
from reconstructing_transformer.translation.judged import AMOUNT, Judged, Judgements, book_judgements, drawn
from reconstructing_transformer.translation.pretrained import WEIGHTS
from reconstructing_transformer.translation.translator import DEFAULT

KINDS = {"right": "right", "wrong": "wrong"}


def judgements_of(*kinds: str) -> Judgements:
    judged = [Judged(german="Ja.", reference="Yes.", translation="Yes.", kind=kind) for kind in kinds]
    return Judgements(
        attribution="us", licence="ours", weights=f"sha256:{'0' * 64}", beam_size=5, kinds=KINDS, judged=judged
    )


def test_the_lot_draws_each_sentence_once_and_the_same_every_time():
    chosen = drawn(range(2000))
    assert len(set(chosen)) == AMOUNT
    assert chosen == sorted(chosen) == drawn(range(2000))
    assert set(chosen) <= set(range(2000))
    assert drawn(range(3), amount=3) == [0, 1, 2]


def test_each_kind_is_counted_and_none_is_made_up():
    assert judgements_of("right", "right").counts() == {"right": 2, "wrong": 0}
    with pytest.raises(ValidationError, match="a translation is one of right, wrong; got odd"):
        judgements_of("right", "odd")


def test_what_was_read_are_the_sentences_that_the_lot_has_drawn():
    test = load_sample("test")
    assert [(one.german, one.reference) for one in book_judgements().judged] == [test[i] for i in drawn(test)]


def test_a_translation_that_is_the_reference_is_called_so_and_no_other():
    judgements = book_judgements()
    assert next(iter(judgements.kinds)) == "same"
    for one in judgements.judged:
        assert (one.translation == one.reference) == (one.kind == "same"), one


def test_new_weights_need_new_judgements():
    """When it fails: translate the drawn sentences by the new weights, read them, and write book/data anew."""
    judgements = book_judgements()
    assert judgements.weights == digest((book_folder("models") / DEFAULT / WEIGHTS).read_bytes(), "sha256")
    judged = judgements.judged
    found = Translator.from_pretrained().translate([one.german for one in judged], beam_size=judgements.beam_size)
    differ = [one.german for one, now in zip(judged, found, strict=True) if one.translation != str(now)]
    assert len(differ) <= 2, f"other translations than those that were read: {differ}"

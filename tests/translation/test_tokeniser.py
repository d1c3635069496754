"""Sentences become pieces and come back as they were; the same sentences make the same vocabulary."""

import os
import subprocess
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconstructing_transformer.translation.tokeniser import (
    BEGIN,
    END,
    FILE,
    PAD,
    SPECIALS,
    UNKNOWN,
    Tokeniser,
    TokeniserError,
)
from tests.translation.conftest import SENTENCES

KNOWN = sorted(set("".join(SENTENCES)))


def test_special_tokens_have_the_first_numbers(tokeniser):
    assert (PAD, BEGIN, END, UNKNOWN) == (0, 1, 2, 3)
    assert tokeniser.tokens([PAD, BEGIN, END, UNKNOWN]) == SPECIALS
    assert len(tokeniser) == 200


@given(text=st.text(KNOWN))
def test_a_text_of_known_characters_comes_back_as_it_was(tokeniser, text):
    text = unicodedata.normalize("NFC", text)
    assert tokeniser.decode(tokeniser.encode([text])) == [text]


@given(text=st.text())
def test_any_text_has_as_many_unknown_characters_as_come_back_unreadable(tokeniser, text):
    written = unicodedata.normalize("NFC", text)
    (back,) = tokeniser.decode(tokeniser.encode([text]))
    assert len(back) == len(written)
    assert all(new in (old, SPECIALS[UNKNOWN]) for old, new in zip(written, back, strict=True))
    signs = [letter for letter, old in zip(back, written, strict=True) if not old.isspace()]
    share = signs.count(SPECIALS[UNKNOWN]) / len(signs) if signs else 0.0
    assert tokeniser.unknown_share(text) == pytest.approx(share)


@pytest.mark.parametrize("text", SENTENCES)
def test_the_sentences_it_learnt_from_have_no_unknown_piece(tokeniser, text):
    (ids,) = tokeniser.encode([text])
    assert min(ids) > UNKNOWN
    assert tokeniser.decode([[BEGIN, *ids, END, PAD, PAD]]) == [text]


def test_special_tokens_written_out_in_a_text_are_text():
    tokeniser = Tokeniser.train(["</s> <s> <pad> <unk>"] * 9, 60)
    (ids,) = tokeniser.encode(["<pad> </s>"])
    assert min(ids) > UNKNOWN
    assert tokeniser.decode([ids]) == ["<pad> </s>"]


def test_a_word_is_the_same_piece_wherever_it_stands(tokeniser):
    first, second = tokeniser.encode(["Mann", "Ein Mann"])
    assert second[-len(first) :] == first


def test_digits_stand_alone_and_signs_stand_apart(tokeniser):
    assert tokeniser.tokens(tokeniser.encode(["24."])[0]) == ["2", "·4", "."]
    assert tokeniser.tokens(tokeniser.encode(["Auto, Auto"])[0])[-1] == "Auto"


def test_figures_show_where_words_go_on(tokeniser):
    labels = tokeniser.tokens(tokeniser.encode(["Mann, Mannauto."])[0])
    assert labels[:2] == ["Mann", ","]
    assert labels[-1] == "."
    assert labels[-2].startswith("·")
    assert "".join(label.removeprefix("·") for label in labels) == "Mann,Mannauto."
    assert tokeniser.tokens(tokeniser.encode(["a  a"])[0])[1] == "␣"


@pytest.mark.parametrize("number", [-1, 200, 10**6])
def test_a_piece_that_there_is_not_is_named(tokeniser, number):
    with pytest.raises(ValueError, match="0 to 199"):
        tokeniser.tokens([number])


@pytest.mark.parametrize(
    ("text", "share"), [("", 0.0), (" \n", 0.0), ("Mann", 0.0), ("我爱你", 1.0), ("Mann我爱你!", 0.375)]
)
def test_what_is_unknown_is_counted_in_characters(tokeniser, text, share):
    assert tokeniser.unknown_share(text) == pytest.approx(share)


def test_a_single_sentence_is_refused(tokeniser):
    with pytest.raises(TypeError, match="list"):
        tokeniser.encode("Mann")


def test_the_same_sentences_make_the_same_file_in_any_process(tmp_path, tokeniser):
    here = tokeniser.save(tmp_path / "here").read_bytes()
    assert Tokeniser.train(SENTENCES * 2, 200).save(tmp_path / "again").read_bytes() == here
    code = (
        "import sys, pathlib; from reconstructing_transformer.translation.tokeniser import Tokeniser; "
        "Tokeniser.train(sys.argv[2:] * 2, 200).save(pathlib.Path(sys.argv[1]))"
    )
    environment = os.environ | {"PYTHONHASHSEED": "7", "RAYON_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "there"), *SENTENCES], check=True, env=environment)
    assert (tmp_path / "there" / FILE).read_bytes() == here


def test_a_vocabulary_that_can_not_hold_the_characters_is_refused():
    with pytest.raises(ValueError, match="too small"):
        Tokeniser.train(SENTENCES, 20)


def test_a_small_corpus_makes_a_small_vocabulary():
    assert len(Tokeniser.train(["ja", "nein"], 8_000)) == len({*"janein"}) + 1 + len(SPECIALS)


def test_numbering_for_a_language_puts_its_pieces_first_and_cuts_as_before(tokeniser):
    english = SENTENCES[4:]
    renumbered, used = tokeniser.numbered_for(english)
    assert len(SPECIALS) < used < len(tokeniser) == len(renumbered)
    assert renumbered.tokens(range(4)) == SPECIALS
    assert {index for ids in renumbered.encode(english) for index in ids} == set(range(4, used))
    for text in SENTENCES:
        ((old,), (new,)) = tokeniser.encode([text]), renumbered.encode([text])
        assert tokeniser.tokens(old) == renumbered.tokens(new)
        assert renumbered.decode([new]) == [text]


def test_what_was_saved_comes_back(tmp_path, tokeniser):
    for one in (tokeniser, tokeniser.numbered_for(SENTENCES[4:])[0]):
        loaded = Tokeniser.load(one.save(tmp_path).parent)
        assert len(loaded) == len(one)
        assert loaded.encode(SENTENCES) == one.encode(SENTENCES)
        assert loaded.decode(loaded.encode(SENTENCES)) == SENTENCES
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: "",
        lambda text: "[]",
        lambda text: "{}",
        lambda text: text.replace('"BPE"', '"XYZ"'),
        lambda text: text.replace("</s>", "<eos>"),
    ],
    ids=["cut off", "empty", "a list", "an object", "another kind", "other specials"],
)
def test_a_broken_file_is_named(tmp_path, tokeniser, damage):
    path = tokeniser.save(tmp_path)
    path.write_text(damage(path.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(TokeniserError, match=FILE):
        Tokeniser.load(tmp_path)


def test_a_file_that_is_not_text_is_named(tmp_path):
    (tmp_path / FILE).write_bytes(b"\xff\xfe\x00")
    with pytest.raises(TokeniserError, match="altered"):
        Tokeniser.load(tmp_path)


def test_a_folder_without_a_tokeniser_is_named(tmp_path):
    with pytest.raises(TokeniserError, match="no tokeniser"):
        Tokeniser.load(tmp_path)


def test_multi30k_comes_back_as_it_was(multi30k):
    tokeniser = Tokeniser.train([text for pair in multi30k.train for text in pair])
    assert len(tokeniser) == 8_000
    texts = [unicodedata.normalize("NFC", text) for pair in multi30k.train + multi30k.test for text in pair]
    assert tokeniser.decode(tokeniser.encode(texts)) == texts

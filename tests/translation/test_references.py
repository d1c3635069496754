"""Other translations of the test's sentences: what the corpus has, and no translation twice."""

import ast
import re

from reconstructing_transformer._data import book_folder
from reconstructing_transformer.translation import load_sample
from reconstructing_transformer.translation.references import FILE, freeze, load_references, other_translations
from reconstructing_transformer.translation.splits import sentence_key


def test_others_are_found_in_the_order_of_the_test_and_none_twice():
    test = [("Ich bin müde.", "I'm tired."), ("Ja.", "Yes."), ("Nein.", "No.")]
    pairs = [
        ("Nein!", "Nope."),
        ("Nein.", "No."),
        ("Ich bin müde.", "I am tired."),
        ("Nein.", "No!"),
        ("Ich bin wach.", "I am awake."),
        ("Ich bin müde!", "I am tired!"),
        ("Ich bin müde.", "I feel tired."),
    ]
    assert other_translations(pairs, test) == [
        ("Ich bin müde.", "I am tired."),
        ("Ich bin müde.", "I feel tired."),
        ("Nein.", "Nope."),
    ]


def test_the_books_references_are_of_the_test_and_say_something_else():
    test, others = dict(load_sample("test")), load_references()
    assert len(others) > 200
    assert others.keys() <= test.keys()
    for german, english in others.items():
        keys = [sentence_key(sentence) for sentence in (test[german], *english)]
        assert len(keys) == len(set(keys)) > 1, german


def test_the_books_references_are_what_the_corpus_gives(tatoeba):
    assert (book_folder("data") / FILE).read_text(encoding="utf-8") == freeze(tatoeba)


def test_the_everyday_sentences_of_the_chapter_were_never_learned(tatoeba):
    chapter = (book_folder("translation") / "how-good.md").read_text(encoding="utf-8")
    everyday = ast.literal_eval(re.search(r"^everyday = (\[.*?\])$", chapter, re.MULTILINE | re.DOTALL)[1])
    trained = {sentence_key(german) for german, _ in tatoeba.train}
    assert len(everyday) == 10
    assert not trained & {sentence_key(german) for german in everyday}


def test_no_other_translation_is_in_the_training_sample_with_its_german():
    trained = {sentence_key(german) for german, _ in load_sample("train")}
    assert not trained & {sentence_key(german) for german in load_references()}

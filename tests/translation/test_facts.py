"""What the book says of a corpus is what the corpus says."""

import json

import pytest
from typer.testing import CliRunner

from reconstructing_transformer import cli
from reconstructing_transformer.translation.batches import padding_share, token_batches
from reconstructing_transformer.translation.facts import book_facts, facts_of
from tests.translation.small import NUMBERS


def test_facts_count_every_training_pair_and_its_pieces():
    facts = facts_of(NUMBERS, 90)
    german, english = facts.pairs()
    assert len(german) == len(english) == facts.splits["train"] == 700
    assert facts.vocabulary <= 90
    assert 4 < facts.target_tokens < facts.vocabulary
    assert not any(word in facts.model_dump_json() for word in ("twenty", "zwanzig"))


@pytest.mark.parametrize("name", ["multi30k", "tatoeba"])
def test_the_books_facts_are_those_of_the_corpus(name, request):
    assert book_facts(name) == facts_of(request.getfixturevalue(name))


@pytest.mark.parametrize("name", ["multi30k", "tatoeba"])
def test_batches_of_real_lengths_have_less_than_15_per_cent_of_padding(name):
    lengths = book_facts(name).pairs()
    assert padding_share(token_batches(*lengths, 2048, seed=1), *lengths) < 0.15


def test_the_command_prints_the_facts_as_json(monkeypatch):
    from reconstructing_transformer.translation import corpora

    monkeypatch.setitem(corpora.CORPORA, "numbers", lambda: NUMBERS)
    done = CliRunner().invoke(cli.app, ["corpora", "facts", "numbers", "--vocabulary", "90"])
    assert json.loads(done.stdout) == json.loads(facts_of(NUMBERS, 90).model_dump_json())
    assert CliRunner().invoke(cli.app, ["corpora", "facts", "europarl"]).exit_code == 2


def test_the_list_names_what_is_not_at_hand_and_where_to_put_it(bare):
    done = CliRunner().invoke(cli.app, ["corpora", "list"], env={"COLUMNS": "200"})
    assert done.exit_code == 0
    assert "numbers" in done.stdout
    assert done.stdout.count("not at hand") == 2
    assert "multi30k: " in done.stderr
    assert "Put train.de" in done.stderr

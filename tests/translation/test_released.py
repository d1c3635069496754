"""The translator that the book carries, and the records of all: what is released is what was measured, and it searches
as it should."""

import pytest
import torch

from reconstructing_transformer._data import book_folder, digest
from reconstructing_transformer.tracking.store import book_records
from reconstructing_transformer.transformer import padding_mask
from reconstructing_transformer.translation import RECIPES, Translator, load_sample
from reconstructing_transformer.translation.batches import collate
from reconstructing_transformer.translation.beam import beam_search
from reconstructing_transformer.translation.evaluation import bleu
from reconstructing_transformer.translation.facts import book_facts
from reconstructing_transformer.translation.pretrained import CARD, WEIGHTS, Config, load_pretrained, model_card
from reconstructing_transformer.translation.search import greedy
from reconstructing_transformer.translation.tokeniser import PAD

RECORDS = book_records("machine-translation")
[RELEASED] = [record for record in RECORDS if record.model == "tatoeba" and record.seed == 1]
SENTENCES = 500


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.id)
def test_each_record_was_made_by_the_recipe_that_the_command_uses(record):
    recipe = RECIPES[record.model]
    assert record.config == recipe.model_dump(exclude={"name", "seed"})
    assert record.command.removesuffix(" --resume") == (
        f"reconstruct train translation --corpus {recipe.corpus} --model {record.model} --seed {record.seed}"
    )
    sizes = Config.model_validate_json((book_folder("models") / RELEASED.model / "config.json").read_bytes())
    if record.model == RELEASED.model:
        assert record.parameters == sum(parameter.numel() for parameter in sizes.build().parameters())


def test_released_weights_and_card_are_those_of_the_record():
    facts = book_facts("tatoeba")
    folder = book_folder("models") / RELEASED.model
    content = (folder / WEIGHTS).read_bytes()
    assert digest(content, "sha256") == f"sha256:{RELEASED.weights.sha256}"
    assert len(content) <= 12_000_000
    card = (folder / CARD).read_text(encoding="utf-8")
    assert card == model_card(RELEASED, facts.licence, facts.attribution)
    assert "tatoeba.org" in card


def test_models_of_multi30k_are_not_given_away():
    assert not [path for path in book_folder("models").iterdir() if path.name.startswith("multi30k")]


def test_its_name_is_not_that_of_a_folder_that_lies_about(tmp_path, monkeypatch):
    (tmp_path / RELEASED.model).mkdir()
    monkeypatch.chdir(tmp_path)
    assert load_pretrained(RELEASED.model)[2].longest > 1


@pytest.fixture(scope="module")
def searched():
    """500 sentences of the test, in pieces, and what a batch of them gets greedily."""
    torch.manual_seed(0)
    model, tokeniser, _ = load_pretrained(RELEASED.model)
    pairs = load_sample("test")[:SENTENCES]
    encoded = sorted(tokeniser.encode([german for german, _ in pairs]), key=len)
    slices = [encoded[start : start + 50] for start in range(0, SENTENCES, 50)]
    batches = [collate([(source, []) for source in some]).source for some in slices]
    written = [tokens for source in batches for tokens in greedy(model, source, padding_mask(source, PAD))]
    return model, batches, written


def test_it_writes_the_same_with_caches_and_without(searched):
    model, batches, written = searched
    found = [tokens for source in batches for tokens in greedy(model, source, padding_mask(source, PAD), cached=False)]
    assert len(found) == SENTENCES
    assert found == written


def test_one_beam_of_it_is_greedy(searched):
    model, batches, written = searched
    found = [
        best.tokens
        for source in batches
        for [best] in beam_search(model, source, padding_mask(source, PAD), beam_size=1)
    ]
    assert found == written


def test_a_batch_gets_what_each_sentence_gets_alone(searched):
    model, batches, written = searched
    alone = [tokens for source in batches for row in source for tokens in greedy(model, row[row != PAD].unsqueeze(0))]
    assert alone == written


def test_beams_with_caches_and_without_find_the_same(searched):
    model, batches, _ = searched
    with_caches, without = (
        [
            best.tokens
            for source in batches[:4]
            for [best] in beam_search(model, source, padding_mask(source, PAD), cached=cached)
        ]
        for cached in (True, False)
    )
    assert with_caches == without


def test_it_translates_about_as_well_as_its_record_says():
    german, english = zip(*load_sample("test")[:SENTENCES], strict=True)
    found = [str(translation) for translation in Translator.from_pretrained().translate(german)]
    assert abs(bleu(found, english).value - RELEASED.metrics["bleu"].value) < 4  # 500 of its 2,000 sentences

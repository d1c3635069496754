"""A training learns, goes on where it was interrupted, and leaves a translator and a record that says all of it."""

import json

import pytest
import torch

from reconstructing_transformer.tracking.checkpoint import CHECKPOINT
from reconstructing_transformer.tracking.record import read_record
from reconstructing_transformer.translation import RECIPES, PretrainedError, Recipe, Translator, bleu
from reconstructing_transformer.translation.batches import collate
from reconstructing_transformer.translation.evaluation import paired_bootstrap, perplexity, translate_all
from reconstructing_transformer.translation.model import TranslationModel
from reconstructing_transformer.translation.objective import Objective, packed_loss
from reconstructing_transformer.translation.pretrained import Config, load_pretrained, model_card, save_pretrained
from reconstructing_transformer.translation.tokeniser import END, PAD, UNKNOWN, Tokeniser
from reconstructing_transformer.translation.training import PROJECT, Trainer, TrainingError, learn_tokeniser, train
from tests.tracking.wandb_home import isolate
from tests.translation.small import NUMBERS, SMALL

pytestmark = pytest.mark.filterwarnings("ignore:.*lr_scheduler.*")


@pytest.fixture(scope="module")
def learned() -> tuple[Tokeniser, int]:
    return learn_tokeniser(SMALL, NUMBERS)


def a_trainer(learned, **changes) -> Trainer:
    return Trainer(SMALL.model_copy(update=changes), NUMBERS, *learned)


def weights(trainer: Trainer) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in trainer.model.parameters()])


# The objective ---------------------------------------------------------------------------------------------------


def test_the_loss_is_that_of_the_written_tokens_whatever_is_padded_to_them():
    torch.manual_seed(0)
    model = TranslationModel(30, 20, N=1, d_model=16, d_ff=16, h=2, dropout=0.0).double()
    pairs = [([4, 5, 6], [7, 8]), ([9], [10, 11, 12, 13, 14]), ([], [15])]
    batch = collate(pairs)
    together = Objective(model, 0.1)(batch.source, batch.target)
    alone = [collate([pair]) for pair in pairs]
    apart = sum(Objective(model, 0.1)(one.source, one.target) for one in alone)
    torch.testing.assert_close(together, apart)


def test_label_smoothing_mixes_the_right_token_with_all_tokens():
    torch.manual_seed(1)
    model = TranslationModel(30, 20, N=1, d_model=16, d_ff=16, h=2).double()
    states, written = torch.randn(2, 4, 16, dtype=torch.float64), torch.tensor([[5, 6, 7, PAD], [8, PAD, PAD, PAD]])
    log_p = model.logits(states).log_softmax(-1)
    real = [(0, 0), (0, 1), (0, 2), (1, 0)]
    expected = -sum(0.9 * log_p[at][written[at]] + 0.1 * log_p[at].mean() for at in real)
    torch.testing.assert_close(packed_loss(model, states, written, 0.1).double(), expected, rtol=1e-6, atol=1e-6)
    mean = packed_loss(model, states, written, 0.1, reduction="mean")
    torch.testing.assert_close(mean.double(), expected / 4, rtol=1e-6, atol=1e-6)


# The steps -------------------------------------------------------------------------------------------------------


def test_training_lowers_the_loss(learned):
    losses = [loss for loss, _ in a_trainer(learned, epochs=3).train_epoch()]
    assert losses[-1] < 0.8 * losses[0]


def test_each_token_of_the_targets_is_counted_once_an_epoch(learned):
    trainer = a_trainer(learned)
    assert sum(tokens for _, tokens in trainer.train_epoch()) == sum(len(target) + 1 for _, target in trainer.pairs)
    assert trainer.step == trainer.steps // 2


def test_micro_batches_change_nothing_but_rounding(learned):
    whole, pieces = a_trainer(learned, micro_tokens=512), a_trainer(learned, micro_tokens=100)
    ours, theirs = ([loss for loss, _ in trainer.train_epoch()] for trainer in (whole, pieces))
    torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4)


def test_the_same_seed_gives_the_same_training_and_another_seed_another(learned):
    trainers = [a_trainer(learned, dropout=0.1, seed=seed) for seed in (3, 3, 4)]
    first, again, other = ([loss for loss, _ in trainer.train_epoch()] for trainer in trainers)
    assert first == again
    assert first != other
    assert torch.equal(weights(trainers[0]), weights(trainers[1]))


def test_a_training_that_goes_on_from_a_checkpoint_is_the_same_to_the_last_bit(learned, tmp_path):
    whole = a_trainer(learned, dropout=0.1, averaged=2)
    for _ in range(2):
        list(whole.train_epoch())
    begun = a_trainer(learned, dropout=0.1, averaged=2)
    list(begun.train_epoch())
    begun.save(tmp_path / CHECKPOINT, history=[{"loss": 1.0}])
    gone_on = a_trainer(learned, dropout=0.1, averaged=2)
    assert gone_on.load(tmp_path / CHECKPOINT)["history"] == [{"loss": 1.0}]
    list(gone_on.train_epoch())
    assert torch.equal(weights(whole), weights(gone_on))
    for ours, theirs in zip(whole.result.parameters(), gone_on.result.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_what_is_kept_is_the_mean_of_the_last_checkpoints(learned):
    trainer = a_trainer(learned, epochs=3, averaged=2)
    seen = []
    for _ in range(3):
        list(trainer.train_epoch())
        seen.append(weights(trainer))
    kept = torch.cat([parameter.detach().flatten() for parameter in trainer.result.parameters()])
    torch.testing.assert_close(kept, (seen[1] + seen[2]) / 2)


def test_a_loss_that_is_no_number_stops_the_training_and_says_what_to_do(learned):
    trainer = a_trainer(learned)
    with torch.no_grad():
        trainer.model.target_embedding.E.fill_(torch.nan)
    with pytest.raises(TrainingError, match="Lower --learning-rate"):
        list(trainer.train_epoch())


# The learning rate -------------------------------------------------------------------------------------------------


def test_the_learning_rate_rises_to_its_peak_and_falls_to_almost_nothing():
    recipe = Recipe(name="any", corpus="numbers", learning_rate=0.5, warmup=0.1)
    rates = [recipe.rate(step, 100) for step in range(100)]
    assert rates[9] == rates[10] == 0.5
    assert rates[:10] == sorted(rates[:10])
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert 0 < rates[-1] < 0.01


def test_the_papers_schedule_is_proportional_to_eq_3():
    recipe = Recipe(name="any", corpus="numbers", learning_rate=0.5, warmup=0.1, schedule="paper")
    paper = [min((step + 1) ** -0.5, (step + 1) * 10**-1.5) for step in range(100)]
    ours = [recipe.rate(step, 100) for step in range(100)]
    assert ours == pytest.approx([0.5 * 10**0.5 * rate for rate in paper])


# From the first epoch to the card ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a training of two epochs, and its record."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        root = tmp_path_factory.mktemp("run")
        isolate(monkeypatch, root)
        recipe = SMALL.model_copy(update={"averaged": 2})
        folder = train(recipe, NUMBERS, runs=root / "runs", command="reconstruct train translation --corpus numbers")
    return folder, read_record(folder.with_name(f"{folder.name}.json"))


def test_a_record_says_what_was_trained_how_long_and_how_well(run):
    folder, record = run
    assert (record.id, record.status, record.model, record.seed) == (folder.name, "finished", "numbers", 1)
    assert record.project == PROJECT
    assert record.dataset.splits == {"train": 700, "validation": 40, "test": 40}
    assert {"bleu", "bleu greedy", "bleu without averaging", "chrf", "validation perplexity"} <= record.metrics.keys()
    assert "sacreBLEU BLEU: nrefs:1|case:mixed" in record.metrics["bleu"].definition
    assert "tok:13a" in record.metrics["bleu"].definition
    assert [row["epoch"] for row in record.history if "epoch" in row] == [1, 2]


def test_the_translator_of_a_run_reaches_what_its_record_says(run):
    folder, record = run
    german, english = zip(*NUMBERS.test, strict=True)
    translator = Translator.from_pretrained(folder)
    written = [str(one) for one in translator.translate(german, beam_size=5)]
    # Its weights were rounded to half precision when they were written.
    assert bleu(written, english).value == pytest.approx(record.metrics["bleu"].value, abs=2)
    assert not (folder / CHECKPOINT).exists()
    kept = (folder / "test.en").read_text(encoding="utf-8").splitlines()
    assert bleu(kept, english).value == pytest.approx(record.metrics["bleu"].value)
    assert len((folder / "test-greedy.en").read_text(encoding="utf-8").splitlines()) == len(english)


def test_a_model_card_has_every_number_from_the_record(run):
    folder, record = run
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert card == model_card(record, NUMBERS.licence, NUMBERS.attribution)
    assert f"{record.parameters:,} parameters" in card
    assert f"| bleu | {record.metrics['bleu'].value:.2f} | test |" in card


# Weights on disk ---------------------------------------------------------------------------------------------------


@pytest.fixture
def saved(learned, tmp_path):
    tokeniser, target_tokens = learned
    config = Config(
        vocabulary=len(tokeniser),
        target_tokens=target_tokens,
        N=1,
        d_model=16,
        d_ff=16,
        h=2,
        norm_first=True,
        longest=20,
    )
    torch.manual_seed(2)
    model = config.build().eval()
    save_pretrained(model, tokeniser, config, tmp_path)
    return model, tokeniser, config, tmp_path


def test_what_was_saved_is_what_is_loaded(saved):
    model, tokeniser, config, folder = saved
    loaded, its, sizes = load_pretrained(folder)
    assert sizes == config
    assert its.encode(["zweiundvierzig"]) == tokeniser.encode(["zweiundvierzig"])
    assert loaded.target_embedding.E is loaded.source_embedding.E
    assert not loaded.training
    for name, tensor in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor), name
    assert translate_all(loaded, its, ["drei"], beam_size=1) == translate_all(model, tokeniser, ["drei"], beam_size=1)


def test_half_precision_takes_half_the_room(saved):
    model, tokeniser, config, folder = saved
    whole = (folder / "model.safetensors").stat().st_size
    save_pretrained(model, tokeniser, config, folder, half=True)
    assert (folder / "model.safetensors").stat().st_size < 0.6 * whole
    load_pretrained(folder)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokeniser.json"])
def test_a_file_that_was_cut_off_is_an_error_that_names_the_folder(saved, name):
    folder = saved[-1]
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(PretrainedError, match=str(folder)):
        load_pretrained(folder)


def test_files_of_two_translators_are_not_mixed(saved):
    folder = saved[-1]
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"d_ff": 32}))
    with pytest.raises(PretrainedError, match="not of one translator"):
        load_pretrained(folder)


def test_a_translator_that_is_not_there_is_named(tmp_path):
    with pytest.raises(PretrainedError, match="name a released model"):
        load_pretrained("klingon")
    with pytest.raises(PretrainedError, match=r"has no model\.safetensors"):
        load_pretrained(tmp_path)


# How good a translation is -----------------------------------------------------------------------------------------


def test_perplexity_is_e_to_the_mean_loss_of_a_token(learned):
    trainer = a_trainer(learned)
    trainer.model.eval()
    batch = collate(trainer.pairs[:10])
    with torch.no_grad():
        loss = Objective(trainer.model, 0.0)(batch.source, batch.target)
    tokens = int((batch.target[:, 1:] != PAD).sum())
    assert perplexity(trainer.model, trainer.pairs[:10]) == pytest.approx((loss / tokens).exp().item(), rel=1e-4)


def test_a_piece_that_the_target_language_never_had_counts_as_unknown():
    torch.manual_seed(3)
    model = TranslationModel(30, 20, N=1, d_model=16, d_ff=16, h=2)
    model.eval()
    read = collate([([5, 25], [6, 25])])
    with torch.no_grad():
        log_p = model(read.source, read.target[:, :-1])[0].log_softmax(-1)
    expected = -(log_p[0, 6] + log_p[1, UNKNOWN] + log_p[2, END]) / 3
    assert perplexity(model, [([5, 25], [6, 25])]) == pytest.approx(expected.exp().item(), rel=1e-5)


def test_a_system_differs_from_itself_by_nothing_and_from_a_worse_one_surely():
    english = [target for _, target in NUMBERS.train[:60]]
    worse = [target if place % 3 else "nothing at all" for place, target in enumerate(english)]
    difference, p = paired_bootstrap(worse, english, english, samples=200)
    assert difference > 10
    assert p < 0.02
    assert paired_bootstrap(english, list(english), english, samples=200) == (0, 1)
    shifted = ["nothing at all", *english[1:]]
    other = [*english[:-1], "nothing at all"]
    assert paired_bootstrap(shifted, other, english, samples=200)[1] > 0.2


def test_every_recipe_is_called_what_it_says_and_fits_its_limit():
    for name, recipe in RECIPES.items():
        assert recipe.name == name
    built = {
        name: TranslationModel(recipe.vocabulary, None, recipe.N, recipe.d_model, recipe.d_ff, recipe.h)
        for name, recipe in RECIPES.items()
    }
    sizes = {name: sum(parameter.numel() for parameter in model.parameters()) for name, model in built.items()}
    assert sizes["multi30k-base"] <= 10_000_000
    assert sizes["multi30k-small"] <= 4_500_000
    assert sizes["tatoeba"] * 2 < 12_000_000  # bytes in half precision

"""Searches find what they should: compared with brute force, with a search on plain lists, and with transformers'."""

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reconstructing_transformer.transformer import Transformer, padding_mask
from reconstructing_transformer.transformer.reversal import write
from reconstructing_transformer.translation import beam, search
from reconstructing_transformer.translation.beam import Hypothesis, beam_search, score, search_tree
from reconstructing_transformer.translation.cache import CachedDecoder
from reconstructing_transformer.translation.largest import largest
from reconstructing_transformer.translation.search import LONGER, greedy
from reconstructing_transformer.translation.tokeniser import BEGIN, END, PAD, UNKNOWN

SMALL = {"N": 2, "d_model": 16, "d_ff": 24, "h": 4, "dropout": 0.3, "max_length": 80}


@pytest.fixture(autouse=True)
def float64_and_a_seed():
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(0)
    yield
    torch.set_default_dtype(before)


class Whims(torch.nn.Module):
    """A last layer that likes this word now and that word then, as no layer with random weights does by itself."""

    def __init__(self, d_model: int, vocabulary: int, end: float) -> None:
        super().__init__()
        self.out = torch.nn.Linear(d_model, vocabulary)
        self.end = end

    def forward(self, x):
        scores = 2 * torch.sin(10 * self.out(x))
        scores[..., END] += self.end
        return scores


class Lively(Transformer):
    """Writes this and that, and ends after a while, sooner where `end` is larger."""

    def __init__(self, vocabulary: int, end: float = 0.0, **sizes) -> None:
        super().__init__(vocabulary, **sizes)
        self.whims = Whims(self.source_embedding.d_model, vocabulary, end)

    def logits(self, x):
        return self.whims(x)


def random_model(seed: int = 0, vocabulary: int = 11, end: float = 0.0, **changed) -> Transformer:
    torch.manual_seed(seed)
    return Lively(vocabulary, end, **(SMALL | changed)).double().eval()


def sources(count: int, longest: int = 9, vocabulary: int = 11) -> torch.Tensor:
    source = torch.full((count, longest), PAD)
    for row in source:
        length = int(torch.randint(1, longest + 1, ()))
        row[:length] = torch.randint(UNKNOWN + 1, vocabulary, (length,))
        row[length - 1] = END
    return source


class Endless(Transformer):
    def logits(self, x):
        scores = super().logits(x)
        scores[..., END] = -torch.inf
        return scores


def tokens(found: list[list[Hypothesis]]) -> list[list[int]]:
    return [hypotheses[0].tokens for hypotheses in found]


def log_probabilities(model: Transformer, source: torch.Tensor, begun: list[int]) -> list[float]:
    """Of each token that may come next, by the model itself."""
    with torch.no_grad():
        logits = model(source.unsqueeze(0), torch.tensor([[BEGIN, *begun]]))[0, -1]
    return logits.log_softmax(-1).tolist()


def by_lists(
    model: Transformer, source: torch.Tensor, beam_size: int, alpha: float, most: int
) -> list[tuple[list[int], float]]:
    """Beam search as one would explain it, without the rule that ends it early."""
    beams, found = [([], 0.0)], []
    for length in range(1, most + 1):
        candidates = []
        for begun, log_P in beams:
            for token, log_p in enumerate(log_probabilities(model, source, begun)):
                if token not in (PAD, BEGIN):
                    candidates.append(([*begun, token], log_P + log_p))
        candidates = sorted(candidates, key=lambda one: -one[1])[: 2 * beam_size]
        found += [
            (begun[:-1], log_P / ((5 + length) / 6) ** alpha)
            for begun, log_P in candidates[:beam_size]
            if begun[-1] == END
        ]
        beams = [candidate for candidate in candidates if candidate[0][-1] != END][:beam_size]
        if len(found) >= beam_size:
            break
    cut = [(begun, log_P / ((5 + most) / 6) ** alpha) for begun, log_P in beams]
    return [*sorted(found, key=lambda one: -one[1]), *cut]


def test_greedy_writes_the_likeliest_token_each_time():
    model, source = random_model(), sources(8)
    for row, written in zip(source, greedy(model, source, padding_mask(source, PAD), most=20), strict=True):
        begun = []
        for token in [*written, END][:20]:
            log_p = log_probabilities(model, row[row != PAD], begun)
            assert token == max(range(END, 11), key=log_p.__getitem__)
            begun.append(token)


def test_greedy_is_what_part_one_writes():
    class Decent(Lively):
        """Part I lets a model write what it wants, padding too: this one does not want to."""

        def logits(self, x):
            scores = super().logits(x)
            scores[..., [PAD, BEGIN]] = -100
            return scores

    model, source = Decent(11, **SMALL).double().eval(), sources(8)
    mask = padding_mask(source, PAD)
    theirs = write(model, source, mask, most=20)[:, 1:].tolist()
    expected = [row[: row.index(END)] if END in row else row for row in theirs]
    assert len({len(row) for row in expected}) > 3
    assert greedy(model, source, mask, most=20) == expected


@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_with_caches_or_without_the_same_is_written(norm_first, dtype):
    source = sources(40)
    mask = padding_mask(source, PAD)
    model = random_model(norm_first=norm_first).to(dtype)
    assert greedy(model, source, mask) == greedy(model, source, mask, cached=False)
    ours, plain = (beam_search(model, source, mask, cached=cached) for cached in (True, False))
    assert [[one.tokens for one in row] for row in ours] == [[one.tokens for one in row] for row in plain]
    scores = [torch.tensor([one.score for row in found for one in row]) for found in (ours, plain)]
    torch.testing.assert_close(*scores, rtol=1e-5 if dtype == torch.float32 else 1e-12, atol=0)


@settings(max_examples=10)
@given(seed=st.integers(0, 10_000), alpha=st.sampled_from([0.0, 0.6, 1.5]), end=st.sampled_from([-2.0, 0.0, 2.0]))
def test_one_beam_is_greedy(seed, alpha, end):
    model, source = random_model(seed, end=end), sources(6)
    mask = padding_mask(source, PAD)
    assert tokens(beam_search(model, source, mask, beam_size=1, alpha=alpha)) == greedy(model, source, mask)


def test_a_batch_writes_what_one_sentence_at_a_time_would():
    model, source = random_model(), sources(30)
    mask = padding_mask(source, PAD)
    alone = [row[row != PAD].unsqueeze(0) for row in source]
    assert greedy(model, source, mask) == [greedy(model, row)[0] for row in alone]
    together = beam_search(model, source, mask, beam_size=3, best=3)
    for found, row in zip(together, alone, strict=True):
        (expected,) = beam_search(model, row, beam_size=3, best=3)
        assert [(one.tokens, one.ended) for one in found] == [(one.tokens, one.ended) for one in expected]
        assert [one.score for one in found] == pytest.approx([one.score for one in expected], rel=1e-12)


def test_to_ask_seldom_who_is_done_changes_nothing(monkeypatch):
    """As on a GPU, which is not to be kept waiting."""
    model, source = random_model(), sources(20)
    mask = padding_mask(source, PAD)
    expected = greedy(model, source, mask), beam_search(model, source, mask, best=3)
    usual = search.still_open
    for module in (search, beam):
        monkeypatch.setattr(module, "still_open", lambda over, step: usual(over, step) if step % 8 == 7 else None)
    assert greedy(model, source, mask) == expected[0]
    for found, usually in zip(beam_search(model, source, mask, best=3), expected[1], strict=True):
        assert [one.tokens for one in found] == [one.tokens for one in usually]
        assert [one.score for one in found] == pytest.approx([one.score for one in usually], rel=1e-12)


@pytest.mark.parametrize("alpha", [0.0, 0.6, 2.0])
def test_a_beam_that_holds_everything_finds_the_best_of_all_translations(alpha):
    """Three words, at most four tokens: 40 translations come to their end, 81 are cut off."""
    model, source = random_model(3, vocabulary=6), torch.tensor([[4, 5, 4, END]])
    expected = {}
    for length in range(4):
        for words in itertools.product(range(UNKNOWN, 6), repeat=length):
            written = [*words, END]
            log_P = sum(
                log_probabilities(model, source[0], written[:place])[token] for place, token in enumerate(written)
            )
            expected[words] = log_P, log_P / math.pow((5 + len(written)) / 6, alpha)
    assert len(expected) == 40
    (found,) = beam_search(model, source, beam_size=200, alpha=alpha, most=4, best=121)
    assert [one.ended for one in found] == [True] * 40 + [False] * 81
    ranked = sorted(expected, key=lambda words: -expected[words][1])
    assert [tuple(one.tokens) for one in found[:40]] == ranked
    for one in found[:40]:
        assert (one.log_probability, one.score) == pytest.approx(expected[tuple(one.tokens)], rel=1e-10)
    (alone,) = beam_search(model, source, beam_size=200, alpha=alpha, most=4)
    assert tuple(alone[0].tokens) == ranked[0]


@settings(max_examples=25)
@given(
    seed=st.integers(0, 10_000),
    beam_size=st.integers(1, 5),
    alpha=st.sampled_from([0.0, 0.6, 1.0, 3.0]),
    end=st.sampled_from([-2.0, 0.0, 2.0]),
)
def test_to_end_early_loses_nothing(seed, beam_size, alpha, end):
    """A search that goes on to the very end, on plain lists, finds nothing better, whatever one asks for."""
    model, source = random_model(seed, vocabulary=7, end=end), sources(1, 4, 7)
    source = source[:, source[0] != PAD]
    expected = by_lists(model, source[0], beam_size, alpha, most=7)
    for best in range(1, beam_size + 1):
        (found,) = beam_search(model, source, beam_size=beam_size, alpha=alpha, most=7, best=best)
        assert [one.tokens for one in found] == [begun for begun, _ in expected[:best]]
        assert [one.score for one in found] == pytest.approx([points for _, points in expected[:best]], rel=1e-10)


def test_an_early_end_saves_steps(monkeypatch):
    """Or the rule would prove nothing."""
    steps = []
    step = CachedDecoder.step
    monkeypatch.setattr(CachedDecoder, "step", lambda *args: steps.append(1) or step(*args))
    model, taken = random_model(end=4.0), []
    for best in (1, 4):
        steps.clear()
        for seed in range(10):
            torch.manual_seed(seed)
            beam_search(model, sources(1), beam_size=4, best=best)
        taken.append(len(steps))
    assert taken[0] < 0.8 * taken[1]


def test_sentences_that_are_done_leave_the_batch(monkeypatch):
    sizes = []
    step = CachedDecoder.step
    monkeypatch.setattr(
        CachedDecoder, "step", lambda self, tokens, *rest: sizes.append(len(tokens)) or step(self, tokens, *rest)
    )
    model, source = random_model(), sources(32)
    written = greedy(model, source)
    assert sizes[0] == 32
    assert sizes == sorted(sizes, reverse=True)
    # Of those that are computed, few are done.
    assert sum(sizes) < 1.25 * sum(min(len(row) + 1, 9 + LONGER) for row in written) + 32


def test_a_penalty_favours_longer_translations():
    model, source = random_model(), sources(30)
    mean = []
    for alpha in (0.0, 1.0, 3.0):
        found = beam_search(model, source, padding_mask(source, PAD), beam_size=5, alpha=alpha)
        mean.append(sum(map(len, tokens(found))) / 30)
    assert mean[0] < mean[1] < mean[2]


def test_the_score_is_the_log_probability_over_the_penalty():
    model, source = random_model(), sources(10)
    for alpha in (0.0, 0.6):
        for found in beam_search(model, source, padding_mask(source, PAD), beam_size=4, alpha=alpha, best=4):
            assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
            for one in found:
                length = len(one.tokens) + one.ended
                assert one.score == pytest.approx(score(one.log_probability, length, alpha))
                assert alpha or one.score == one.log_probability


def test_what_comes_to_no_end_is_cut_off_and_says_so():
    model = Endless(11, **SMALL).double().eval()
    source = sources(5)
    assert [len(row) for row in greedy(model, source, most=6)] == [6] * 5
    for found in beam_search(model, source, most=6, best=4):
        assert [(len(one.tokens), one.ended) for one in found] == [(6, False)] * 4


def test_what_came_to_its_end_goes_before_what_was_cut_off():
    for seed in range(10):
        (found,) = beam_search(random_model(seed, end=-1.0), sources(1), beam_size=4, most=3, best=4)
        assert [one.ended for one in found] == sorted((one.ended for one in found), reverse=True)


def test_a_model_that_ends_at_once_writes_nothing():
    class Silent(Transformer):
        def logits(self, x):
            scores = super().logits(x)
            scores[..., END] = 1e3
            return scores

    model = Silent(11, **SMALL).double()
    assert greedy(model, sources(3)) == [[], [], []]
    assert tokens(beam_search(model, sources(3))) == [[], [], []]


def test_a_translation_is_at_most_fifty_tokens_longer_than_its_own_source():
    model, source = Endless(11, **SMALL).double(), sources(6)
    lengths = (source != PAD).sum(1).tolist()
    mask = padding_mask(source, PAD)
    assert [len(row) for row in greedy(model, source, mask)] == [length + LONGER for length in lengths]
    found = beam_search(model, source, mask, beam_size=2)
    assert [len(row) for row in tokens(found)] == [length + LONGER for length in lengths]


def test_a_translation_has_no_more_tokens_than_the_model_has_positions():
    model = Endless(11, **(SMALL | {"max_length": 12})).double()
    assert len(greedy(model, sources(1))[0]) == 12
    with pytest.raises(ValueError, match=r"1 to 12 tokens.*most=13"):
        greedy(model, sources(1), most=13)
    with pytest.raises(ValueError, match="most=0"):
        beam_search(model, sources(1), most=0)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"beam_size": 0}, "at least one beginning; got beam_size=0"),
        ({"best": 5}, "1 to 4 translations of a sentence; got best=5"),
        ({"best": 0}, "got best=0"),
        ({"alpha": -0.1}, "alpha is 0 or more; got -0.1"),
        ({"alpha": math.nan}, "got nan"),
    ],
)
def test_what_no_search_can_do_is_refused(asked, message):
    with pytest.raises(ValueError, match=message):
        beam_search(random_model(), sources(1), **asked)


def test_no_sentences_have_no_translations():
    empty = torch.empty(0, 5, dtype=torch.long)
    assert greedy(random_model(), empty) == []
    assert beam_search(random_model(), empty) == []


def test_a_source_without_tokens_is_translated_all_the_same():
    nothing = torch.empty(2, 0, dtype=torch.long)
    model = random_model()
    assert greedy(model, nothing) == greedy(model, nothing, cached=False)
    assert tokens(beam_search(model, nothing)) == tokens(beam_search(model, nothing, cached=False))


def test_padding_and_begin_are_never_written():
    class Fond(Transformer):
        def logits(self, x):
            scores = super().logits(x)
            scores[..., [PAD, BEGIN]] += 50
            return scores

    model = Fond(11, **SMALL).double()
    found = beam_search(model, sources(5), best=4, most=8)
    written = [*greedy(model, sources(5), most=8), *(one.tokens for row in found for one in row)]
    assert not {PAD, BEGIN} & set(itertools.chain(*written))


def test_a_vocabulary_smaller_than_the_beam_is_searched_whole():
    model = random_model(vocabulary=4)
    (found,) = beam_search(model, torch.tensor([[UNKNOWN, END]]), beam_size=8, most=3, best=8)
    written = [((), True), ((UNKNOWN,), True), ((UNKNOWN,) * 2, True), ((UNKNOWN,) * 3, False)]
    assert sorted(((tuple(one.tokens), one.ended) for one in found), key=lambda one: len(one[0])) == written


def test_a_model_is_left_as_it_was_and_no_dropout_disturbs_it():
    model, source = random_model().train(), sources(5)
    first, again = greedy(model, source), greedy(model, source)
    assert model.training
    assert all(module.training for module in model.modules())
    assert first == again == greedy(model.eval(), source)
    assert not model.training


def test_a_search_that_dies_leaves_the_model_in_training(monkeypatch):
    model = random_model().train()
    monkeypatch.setattr(search, "largest", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        greedy(model, sources(1))
    assert model.training


def test_half_precision_finds_scores_that_are_nearly_right():
    model, source = Transformer(11, norm_first=True, **SMALL).eval(), sources(8)
    mask = padding_mask(source, PAD)
    expected = beam_search(model, source, mask, most=5)
    for (one,), (precise,) in zip(beam_search(model.half(), source, mask, most=5), expected, strict=True):
        assert one.score == pytest.approx(precise.score, abs=0.1)


def test_the_tree_leads_to_the_translation():
    model, source = random_model(), sources(1)
    source = source[:, source[0] != PAD]
    (found,) = beam_search(model, source, beam_size=3, best=3)
    tree = search_tree(model, source[0], beam_size=3, best=3)
    ended = {}
    for number, candidates in enumerate(tree):
        assert len(candidates) == 6
        assert sum(one.fate == "live" for one in candidates) == 3
        assert [one.log_probability for one in candidates] == sorted((one[2] for one in candidates), reverse=True)
        for one in candidates:
            path, place = [one], number
            while path[-1].parent is not None:
                place -= 1
                path.append(tree[place][path[-1].parent])
                assert path[-1].fate == "live"
            assert place == 0
            written = [step.token for step in reversed(path)]
            log_p = [log_probabilities(model, source[0], written[:i])[token] for i, token in enumerate(written)]
            assert one.log_probability == pytest.approx(sum(log_p))
            if one.fate == "ended":
                ended[tuple(written[:-1])] = one.log_probability
    for one in found:
        assert ended[tuple(one.tokens)] == pytest.approx(one.log_probability)


@given(
    seed=st.integers(0, 1000),
    sentences=st.integers(1, 6),
    beams=st.integers(1, 5),
    vocabulary=st.integers(1, 3000) | st.sampled_from([8192, 9453]),
    count=st.integers(1, 40),
)
def test_the_largest_are_the_largest(seed, sentences, beams, vocabulary, count):
    scores = torch.randn(sentences, beams, vocabulary, generator=torch.Generator().manual_seed(seed))
    count = min(count, beams * vocabulary)
    values, beams_of, token = largest(scores, count)
    expected = scores.flatten(1).topk(count)
    assert torch.equal(values, expected.values)
    assert torch.equal(beams_of * vocabulary + token, expected.indices)


@pytest.fixture(scope="module")
def marian():
    """A model of transformers', with random weights."""
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(5)
    sides = {
        f"{side}_{what}": value
        for side in ("encoder", "decoder")
        for what, value in {"layers": 2, "attention_heads": 4, "ffn_dim": 24}.items()
    }
    config = transformers.MarianConfig(
        vocab_size=23,
        d_model=16,
        **sides,
        activation_function="relu",
        scale_embedding=True,
        max_position_embeddings=80,
        pad_token_id=PAD,
        eos_token_id=END,
        decoder_start_token_id=BEGIN,
        forced_eos_token_id=None,
    )
    model = transformers.MarianMTModel(config).double().eval()
    for name, parameter in model.named_parameters():
        if "embed_positions" not in name:
            torch.nn.init.normal_(parameter, std=0.4)
    model.lm_head = Whims(16, 23, end=1.0)
    return model.double()


def ours_of(marian) -> Transformer:
    """Our model with its weights, and its way to arrange sines and cosines."""
    ours = Lively(23, **SMALL).double().eval()
    ours.whims = marian.lm_head
    ours.positions.PE = marian.model.encoder.embed_positions.weight.detach().double()
    weights = {f"whims.{name}": weight for name, weight in marian.lm_head.state_dict().items()}
    weights["source_embedding.E"] = marian.model.shared.weight
    for side, stack in (("encoder", marian.model.encoder), ("decoder", marian.model.decoder)):
        for number, layer in enumerate(stack.layers):
            at = f"{side}.layers.{number}"
            attentions = {"self_attention": (layer.self_attn, layer.self_attn_layer_norm)}
            if side == "decoder":
                attentions["cross_attention"] = (layer.encoder_attn, layer.encoder_attn_layer_norm)
            for name, (attention, norm) in attentions.items():
                for mine, theirs in zip("QKVO", ("q_proj", "k_proj", "v_proj", "out_proj"), strict=True):
                    weights[f"{at}.{name}.W_{mine}.weight"] = getattr(attention, theirs).weight
                    weights[f"{at}.{name}.W_{mine}.bias"] = getattr(attention, theirs).bias
                weights[f"{at}.around_{name}.norm.g"] = norm.weight
                weights[f"{at}.around_{name}.norm.b"] = norm.bias
            for number_of_it, linear in enumerate((layer.fc1, layer.fc2), 1):
                weights[f"{at}.feed_forward.W_{number_of_it}"] = linear.weight.T
                weights[f"{at}.feed_forward.b_{number_of_it}"] = linear.bias
            weights[f"{at}.around_feed_forward.norm.g"] = layer.final_layer_norm.weight
            weights[f"{at}.around_feed_forward.norm.b"] = layer.final_layer_norm.bias
    weights["target_embedding.E"] = weights["source_embedding.E"]
    ours.load_state_dict(weights)
    return ours


def test_it_writes_what_transformers_writes_with_the_same_weights(marian):
    """Without a penalty, for theirs is another; the search is the same."""
    ours, source = ours_of(marian), sources(20, vocabulary=23)
    mask = padding_mask(source, PAD)
    for beams in (1, 4):
        found = (
            greedy(ours, source, mask, most=60)
            if beams == 1
            else tokens(beam_search(ours, source, mask, beam_size=beams, alpha=0.0, most=60))
        )
        theirs = marian.generate(
            source,
            attention_mask=mask.squeeze(1),
            num_beams=beams,
            do_sample=False,
            length_penalty=0.0,
            early_stopping=True,
            max_new_tokens=60,
            suppress_tokens=[PAD, BEGIN],
        )[:, 1:].tolist()
        expected = [row[: row.index(END)] if END in row else row for row in theirs]
        assert sum(END in row for row in theirs) > 10
        assert found == expected

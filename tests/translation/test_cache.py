"""A decoder with caches computes what the model computes, whatever happens to its beams."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reconstructing_transformer.transformer import Transformer, padding_mask
from reconstructing_transformer.translation.cache import ROOM, CachedDecoder, RecomputingDecoder
from reconstructing_transformer.translation.tokeniser import PAD

VOCABULARY = 12
SMALL = {"N": 2, "d_model": 12, "d_ff": 16, "h": 3}


@pytest.fixture(autouse=True)
def float64_and_a_seed():
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(0)
    with torch.no_grad():
        yield
    torch.set_default_dtype(before)


def random_model(**changed) -> Transformer:
    """With biases and gains that do something, and far from even distributions."""
    model = Transformer(VOCABULARY, **(SMALL | changed)).double().eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return model


def padded(*lengths: int) -> torch.Tensor:
    """Sources of such lengths."""
    source = torch.full((len(lengths), max(lengths)), PAD)
    for row, length in zip(source, lengths, strict=True):
        row[:length] = torch.randint(4, VOCABULARY, (length,))
    return source


@pytest.mark.parametrize("norms", [{}, {"norm_first": True}, {"final_norm": True}], ids=["post", "pre", "final"])
def test_each_step_is_what_the_model_computes_at_its_last_position(norms):
    model, source = random_model(**norms), padded(3, 7, 5)
    mask, target = padding_mask(source, PAD), torch.randint(4, VOCABULARY, (3, 9))
    expected = model.decode(target, model.encode(source, mask), mask)
    decoder = CachedDecoder(model, source, mask)
    for position in range(9):
        state = decoder.step(target[:, position : position + 1])
        torch.testing.assert_close(state, expected[:, position : position + 1], rtol=0, atol=1e-10)


def test_a_cache_grows_when_more_is_written_than_it_has_room_for():
    model, source = random_model(), padded(4, 2)
    target = torch.randint(4, VOCABULARY, (2, 3 * ROOM))
    expected = model.decode(target, model.encode(source))
    decoder = CachedDecoder(model, source)
    states = [decoder.step(target[:, position : position + 1]) for position in range(3 * ROOM)]
    torch.testing.assert_close(torch.cat(states, 1), expected, rtol=0, atol=1e-10)


@settings(max_examples=25)
@given(st.data())
def test_beams_may_branch_die_and_leave_and_the_others_do_not_notice(data):
    torch.manual_seed(data.draw(st.integers(0, 1000), "seed"))
    model, source = random_model(), padded(*data.draw(st.lists(st.integers(1, 5), min_size=1, max_size=4), "lengths"))
    mask = padding_mask(source, PAD)
    ours, plain = CachedDecoder(model, source, mask), RecomputingDecoder(model, source, mask)
    sentences, beams, parents = len(source), 1, None
    for _ in range(data.draw(st.integers(1, 8), "steps")):
        tokens = torch.randint(4, VOCABULARY, (sentences, beams))
        torch.testing.assert_close(ours.step(tokens, parents), plain.step(tokens, parents), rtol=0, atol=1e-10)
        after = data.draw(st.integers(1, 4), "beams")
        parents, beams = torch.randint(beams, (sentences, after)), after
        kept = torch.tensor(data.draw(st.lists(st.integers(0, sentences - 1), min_size=1, unique=True), "kept"))
        ours.keep(kept)
        plain.keep(kept)
        parents, sentences = parents[kept], len(kept)


def test_keys_and_values_of_the_memory_are_computed_once():
    model, source = random_model(), padded(4, 2)
    calls = []
    for layer in model.decoder.layers:
        for projection in (layer.cross_attention.W_K, layer.cross_attention.W_V):
            projection.register_forward_hook(lambda *_: calls.append(1))
    decoder = CachedDecoder(model, source)
    for _ in range(6):
        decoder.step(
            torch.randint(4, VOCABULARY, (2, 3 if decoder.length else 1)),
            None if not decoder.length else (torch.zeros(2, 3, dtype=torch.long)),
        )
    assert len(calls) == 4


def test_what_was_computed_stays_where_it_is():
    decoder = CachedDecoder(random_model(), padded(4, 2))
    decoder.step(torch.full((2, 1), 5))
    first = decoder.layers[0].KV[:, :, :, 0].clone()
    buffer = decoder.layers[0].KV
    for _ in range(3):
        decoder.step(torch.full((2, 4), 6), torch.zeros(2, 4, dtype=torch.long))
    assert decoder.layers[0].KV is buffer
    assert torch.equal(buffer[:, :, :, 0], first)


@pytest.mark.parametrize("hidden", ["no source", "all of it"])
def test_where_there_is_nothing_to_read_it_computes_what_the_model_does(hidden):
    model = random_model()
    source = torch.empty(2, 0, dtype=torch.long) if hidden == "no source" else torch.full((2, 3), PAD)
    mask = padding_mask(source, PAD)
    ours, plain = CachedDecoder(model, source, mask), RecomputingDecoder(model, source, mask)
    for token in (1, 5, 7):
        tokens = torch.full((2, 1), token)
        state = ours.step(tokens)
        assert state.isfinite().all()
        torch.testing.assert_close(state, plain.step(tokens), rtol=0, atol=1e-10)


def test_without_biases_it_is_the_model_too():
    model = random_model()
    for module in list(model.modules()):
        if isinstance(module, torch.nn.Linear):
            module.bias = None
    source, target = padded(4, 2), torch.randint(4, VOCABULARY, (2, 5))
    decoder = CachedDecoder(model, source)
    states = [decoder.step(target[:, position : position + 1]) for position in range(5)]
    torch.testing.assert_close(torch.cat(states, 1), model.decode(target, model.encode(source)), rtol=0, atol=1e-10)


def test_half_precision_stays_near_the_truth():
    model, source = random_model(norm_first=True), padded(4, 6)
    target, mask = torch.randint(4, VOCABULARY, (2, 6)), padding_mask(source, PAD)
    expected = model.decode(target, model.encode(source, mask), mask)
    model.half()
    decoder = CachedDecoder(model, source, mask)
    states = torch.cat([decoder.step(target[:, position : position + 1]) for position in range(6)], 1)
    assert states.dtype == torch.float16
    torch.testing.assert_close(states.double(), expected, rtol=0, atol=0.05)

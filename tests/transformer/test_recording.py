import pytest
import torch

from reconstructing_transformer.transformer import (
    MultiHeadAttention,
    Transformer,
    is_recording,
    record,
    scaled_dot_product_attention,
)


@pytest.fixture
def model():
    return Transformer(11, N=2, d_model=12, d_ff=16, h=3).eval()


@pytest.fixture
def sentences():
    return torch.randint(11, (2, 5)), torch.randint(11, (2, 4))


def test_a_recording_names_every_attention_in_the_order_of_its_call(model, sentences):
    with record(model) as recording:
        model(*sentences)
    assert list(recording) == [
        "encoder.layers.0.self_attention",
        "encoder.layers.1.self_attention",
        "decoder.layers.0.self_attention",
        "decoder.layers.0.cross_attention",
        "decoder.layers.1.self_attention",
        "decoder.layers.1.cross_attention",
    ]


def test_a_recording_has_a_map_for_each_sentence_and_head(model, sentences):
    with record(model) as recording:
        model(*sentences)
    cross = recording["decoder.layers.1.cross_attention"]
    assert cross.scores.shape == cross.weights.shape == (2, 3, 4, 5)
    assert cross.heads.shape == (2, 3, 4, 4)


def test_recorded_weights_are_the_softmax_of_the_recorded_scores(model, sentences):
    with record(model) as recording:
        model(*sentences)
    cross = recording["decoder.layers.0.cross_attention"]
    torch.testing.assert_close(cross.weights, cross.scores.softmax(-1))


def test_recorded_weights_are_the_ones_that_are_returned(model):
    attention = model.encoder.layers[0].self_attention
    x = torch.randn(2, 5, 12)
    _, weights = attention(x, x, x, need_weights=True)
    with record(model) as recording:
        attention(x, x, x)
    assert torch.equal(recording["encoder.layers.0.self_attention"].weights, weights)


def test_recorded_heads_make_the_output(model):
    attention = model.encoder.layers[0].self_attention
    x = torch.randn(2, 5, 12)
    with record(attention) as recording:
        output, _ = attention(x, x, x)
    heads = recording[""].heads
    torch.testing.assert_close(attention.W_O(heads.transpose(1, 2).flatten(2)), output)


def test_the_decoder_records_no_look_ahead(model, sentences):
    with record(model) as recording:
        model(*sentences)
    weights = recording["decoder.layers.0.self_attention"].weights
    assert (weights.triu(1) == 0).all()


def test_recording_does_not_change_what_the_model_computes(model, sentences, assert_equal):
    before = model(*sentences)
    with record(model):
        during = model(*sentences)
    assert_equal(during, before)
    assert torch.equal(model(*sentences), before)


def test_a_recording_holds_no_graph(model, sentences):
    with record(model) as recording:
        model(*sentences)
    assert not any(kept.weights.requires_grad for kept in recording.values())


def test_nothing_is_left_behind(model, sentences):
    with record(model) as recording:
        model(*sentences)
    recorded = recording["encoder.layers.0.self_attention"].weights
    model(*sentences)
    assert recording["encoder.layers.0.self_attention"].weights is recorded
    assert not is_recording()
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_the_last_call_is_kept(model):
    attention = model.encoder.layers[0].self_attention
    first, last = torch.randn(1, 5, 12), torch.randn(1, 5, 12)
    with record(attention) as both:
        attention(first, first, first)
        attention(last, last, last)
    with record(attention) as one:
        attention(last, last, last)
    assert torch.equal(both[""].weights, one[""].weights)


def test_an_attention_outside_the_model_is_not_recorded(model):
    x = torch.randn(2, 5, 12)
    with record(model) as recording:
        MultiHeadAttention(12, 3)(x, x, x)
        scaled_dot_product_attention(x, x, x)
    assert len(recording) == 0


def test_of_nested_recordings_the_inner_one_records(model, sentences):
    with record(model) as outer:
        with record(model.encoder) as inner:
            model.encode(sentences[0])
        assert not outer
        model.encode(sentences[0])
    assert list(inner) == ["layers.0.self_attention", "layers.1.self_attention"]
    assert len(outer) == 2


def test_recording_ends_and_starts_afresh_after_an_error(model, sentences):
    too_long = torch.zeros(2, 2000, dtype=torch.long)
    with pytest.raises(ValueError, match="got 2000 positions"), record(model):
        model(too_long, sentences[1])
    assert not is_recording()
    with record(model) as recording:
        with pytest.raises(ValueError, match="got 2000 positions"):
            model(too_long, sentences[1])
        model(*sentences)
    assert next(iter(recording)) == "encoder.layers.0.self_attention"


def test_an_unknown_name_is_answered_with_the_known_ones(model):
    x = torch.randn(2, 5, 12)
    with record(model.encoder) as recording:
        model.encoder(x)
    with pytest.raises(KeyError, match=r"no attention named 'encoder'.*layers\.0\.self_attention"):
        recording["encoder"]

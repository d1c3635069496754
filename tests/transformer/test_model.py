import pytest
import torch

from reconstructing_transformer.transformer import (
    Decoder,
    Encoder,
    LabelSmoothing,
    Transformer,
    learning_rate,
    padding_mask,
)

SMALL = {"N": 2, "d_model": 12, "d_ff": 16, "h": 3}


def parameters(*modules):
    return sum(parameter.numel() for module in modules for parameter in module.parameters())


@pytest.fixture
def model():
    return Transformer(11, **SMALL).eval()


def test_the_base_model_has_as_many_parameters_as_pytorchs():
    with torch.device("meta"):  # sizes without numbers
        pytorchs = torch.nn.Transformer(512, 8, 6, 6, 2048, batch_first=True)
        encoder, decoder = (stack(6, 512, 2048, 8, final_norm=True) for stack in (Encoder, Decoder))
    assert parameters(encoder) == 18_915_328
    assert parameters(decoder) == 25_225_216
    assert parameters(encoder, decoder) == 44_140_544 == parameters(pytorchs)


def test_the_papers_base_model_has_two_norms_less():
    with torch.device("meta"):
        model = Transformer(vocabulary=1)
    assert parameters(model.encoder, model.decoder) == 44_140_544 - 2 * 2 * 512


def test_a_shared_embedding_counts_once():
    layers = parameters(Encoder(**SMALL), Decoder(**SMALL))
    assert parameters(Transformer(11, **SMALL)) == layers + 11 * 12
    assert parameters(Transformer(11, 7, **SMALL)) == layers + 11 * 12 + 7 * 12


def test_the_model_predicts_the_targets_vocabulary():
    source, target = torch.randint(11, (2, 5)), torch.randint(7, (2, 4))
    assert Transformer(11, 7, **SMALL)(source, target).shape == (2, 4, 7)


def test_the_projection_before_the_softmax_is_the_targets_embedding():
    model = Transformer(11, 7, **SMALL)
    x = torch.randn(2, 4, 12)
    torch.testing.assert_close(model.logits(x), x @ model.target_embedding.E.T)


def test_encode_decode_and_logits_make_the_model(model):
    source, target = torch.randint(11, (2, 5)), torch.randint(11, (2, 4))
    mask = padding_mask(source, pad=0)
    states = model.decode(target, model.encode(source, mask), mask)
    assert torch.equal(model.logits(states), model(source, target, mask))


def test_no_prediction_sees_a_later_token(model):
    source, target = torch.randint(11, (1, 5)), torch.randint(11, (1, 6))
    changed = target.clone()
    changed[:, 4:] = (changed[:, 4:] + 1) % 11
    before, after = model(source, target), model(source, changed)
    torch.testing.assert_close(after[:, :4], before[:, :4])
    assert not torch.allclose(after[:, 4:], before[:, 4:])


def test_padding_does_not_change_a_sentence(model):
    source, target = torch.randint(1, 11, (1, 5)), torch.randint(1, 11, (1, 4))
    padded_source = torch.nn.functional.pad(source, (0, 3))
    padded_target = torch.nn.functional.pad(target, (0, 2))
    alone = model(source, target)
    padded = model(padded_source, padded_target, padding_mask(padded_source, pad=0))
    torch.testing.assert_close(padded[:, :4], alone)


def test_every_weight_gets_a_gradient():
    model = Transformer(11, 7, **SMALL)
    model(torch.randint(11, (3, 5)), torch.randint(7, (3, 4))).square().sum().backward()
    assert all((parameter.grad != 0).any() for parameter in model.parameters())


def test_matrices_start_xavier_uniform():
    layer = Encoder(1, 64, 256, 4).layers[0]
    for W, fans in ((layer.self_attention.W_Q.weight, 64 + 64), (layer.feed_forward.W_1, 64 + 256)):
        bound = (6 / fans) ** 0.5
        assert 0.99 * bound < W.abs().max() <= bound


def test_the_model_is_the_same_for_the_same_seed():
    torch.manual_seed(3)
    first = Transformer(11, **SMALL).state_dict()
    torch.manual_seed(3)
    second = Transformer(11, **SMALL).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("norm_first", [False, True], ids=["post-norm", "pre-norm"])
def test_a_small_transformer_learns_to_reverse(norm_first):
    torch.set_default_dtype(torch.float32)
    start, digits, length, warmup = 0, 8, 4, 100
    model = Transformer(1 + digits, N=1, d_model=32, d_ff=64, h=4, dropout=0.0, norm_first=norm_first)
    loss = LabelSmoothing(1 + digits, 0.1)
    optimiser = torch.optim.Adam(model.parameters(), lr=1.0, betas=(0.9, 0.98), eps=1e-9)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: learning_rate(step + 1, 32, warmup))

    def draw(sentences):
        source = torch.randint(1, 1 + digits, (sentences, length))
        target = source.flip(-1)
        return source, torch.nn.functional.pad(target, (1, 0), value=start)[:, :-1], target

    for _ in range(300):
        source, before, target = draw(64)
        optimiser.zero_grad()
        loss(model(source, before), target).backward()
        optimiser.step()
        schedule.step()

    source, _, expected = draw(200)
    model.eval()
    written = torch.full((200, 1), start)
    with torch.no_grad():
        for _ in range(length):
            written = torch.cat([written, model(source, written)[:, -1:].argmax(-1)], dim=1)
    assert (written[:, 1:] == expected).all(-1).float().mean() > 0.9

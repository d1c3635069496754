"""The final exercise of Part I: build the Transformer yourself, and let these tests say whether it is one.

Write a file `my_transformer.py`, put this file beside it, and run

    python -m pytest -x rebuild_tests.py

Only PyTorch and pytest are needed. With `-x` it stops at the first thing that is not right yet; the tests come in the
order in which one builds. If your file is somewhere else, say where: MY_TRANSFORMER=/path/to/my_transformer.py.

These are the names that the tests ask for. They are the book's; what is inside is up to you. A mask is boolean, and
True means that a query may attend to a key. `*` is any number of axes in front.

    scaled_dot_product_attention(Q, K, V, mask=None)    gives the output and the weights
    causal_mask(n)                                      (n, n)
    padding_mask(tokens, pad)                           (*, m) -> (*, 1, m)
    MultiHeadAttention(d_model, h)                      parts W_Q, W_K, W_V, W_O: linear maps with a bias
        .forward(Q, K, V, mask=None)                    gives the output first, whatever else it gives
    Embedding(vocabulary, d_model)                      part E: (vocabulary, d_model)
        .forward(tokens), .logits(x)
    positional_encoding(length, d_model)                (length, d_model)
    PositionwiseFeedForward(d_model, d_ff)              W_1 and W_2: linear maps, or matrices beside b_1 and b_2
    LayerNorm(d_model)                                  g and b, or weight and bias
    EncoderLayer(d_model, d_ff, h, dropout)             parts self_attention, feed_forward,
        .forward(x, mask=None)                              around_self_attention.norm, around_feed_forward.norm
    DecoderLayer(d_model, d_ff, h, dropout)             the same, cross_attention and around_cross_attention.norm
        .forward(x, memory, mask=None, memory_mask=None)
    Transformer(vocabulary, N=…, d_model=…, d_ff=…, h=…, dropout=…)
                                                        parts source_embedding, encoder.layers, decoder.layers
        .forward(source, target, source_mask=None)      logits: (*, n) -> (*, n, vocabulary)
"""

import importlib.util
import math
import os
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

VOCABULARY, N, D_MODEL, D_FF, HEADS = 11, 2, 12, 20, 3
SIZES = {"d_model": D_MODEL, "d_ff": D_FF, "h": HEADS, "dropout": 0.0}
PYTORCHS = {"d_model": D_MODEL, "nhead": HEADS, "dim_feedforward": D_FF, "dropout": 0.0, "batch_first": True}

CHAPTERS = {
    "scaled_dot_product_attention": 2,
    "MultiHeadAttention": 3,
    "Embedding": 4,
    "positional_encoding": 4,
    "PositionwiseFeedForward": 5,
    "LayerNorm": 5,
    "causal_mask": 6,
    "padding_mask": 6,
    "EncoderLayer": 7,
    "DecoderLayer": 8,
    "Transformer": 10,
}


class Mine:
    """Your module. It says which chapter to read when a name is missing."""

    def __init__(self, module: ModuleType) -> None:
        self._module = module

    def __getattr__(self, name: str) -> object:
        if not hasattr(self._module, name):
            pytest.fail(f"my_transformer has no `{name}` yet. Chapter {CHAPTERS[name]} builds it.", pytrace=False)
        return getattr(self._module, name)


@pytest.fixture(scope="session")
def mine() -> Mine:
    path = Path(os.environ.get("MY_TRANSFORMER", Path(__file__).with_name("my_transformer.py")))
    if not path.is_file():
        pytest.exit(f"There is no {path}. Put your file there, or say where it is: MY_TRANSFORMER=/path/to/it.py", 2)
    spec = importlib.util.spec_from_file_location("my_transformer", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return Mine(module)


@pytest.fixture(autouse=True)
def float64_and_a_seed() -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(0)
    yield
    torch.set_default_dtype(before)


def check(mine: Tensor, reference: Tensor, what: str, suspects: dict[str, Tensor] | None = None) -> None:
    """The same to 1e-10, or a message that says how far off, and what it looks like that you did."""
    if not isinstance(mine, Tensor):
        pytest.fail(f"{what}: a tensor was expected, and you return a {type(mine).__name__}.", pytrace=False)
    if mine.shape != reference.shape:
        shapes = f"your shape is {tuple(mine.shape)}, it should be {tuple(reference.shape)}"
        pytest.fail(f"{what}: {shapes}.", pytrace=False)
    if not mine.isfinite().all():
        pytest.fail(f"{what}: there are NaNs or infinities in it.", pytrace=False)
    if torch.allclose(mine, reference, rtol=0, atol=1e-10):
        return
    for suspicion, tensor in (suspects or {}).items():
        if tensor.shape == mine.shape and torch.allclose(mine, tensor, rtol=0, atol=1e-10):
            pytest.fail(f"{what}: not yet. It looks as if {suspicion}.", pytrace=False)
    error = (mine - reference).abs().max().item()
    pytest.fail(f"{what}: the largest error is {error:.1e}, and 1e-10 would be allowed.", pytrace=False)


def part(module: nn.Module, path: str) -> object:
    """A part of a module, by its path."""
    found = module
    for name in path.split("."):
        if not hasattr(found, name):
            pytest.fail(f"{type(module).__name__} has no part `{path}`: `{name}` is missing.", pytrace=False)
        found = getattr(found, name)
    return found


@torch.no_grad()
def fill(parameter: Tensor, value: Tensor, name: str) -> None:
    """Copy a weight, if it fits."""
    if parameter.shape != value.shape:
        shapes = f"it has the shape {tuple(parameter.shape)}, {tuple(value.shape)} was expected"
        pytest.fail(f"I can't give `{name}` its weights: {shapes}.", pytrace=False)
    parameter.copy_(value)


def fill_linear(module: nn.Module, name: str, weight: Tensor, bias: Tensor) -> None:
    """Give a linear map its weights: an nn.Linear, or a matrix W_1 beside its b_1. `weight` is PyTorch's: (out, in)."""
    found = part(module, name)
    if isinstance(found, nn.Linear):
        if found.bias is None:
            pytest.fail(f"`{name}` needs a bias, or PyTorch's weights can't be copied to it.", pytrace=False)
        fill(found.weight, weight, f"{name}.weight")
        fill(found.bias, bias, f"{name}.bias")
    else:
        fill(found, weight.T, name)
        fill(part(module, name.replace("W_", "b_")), bias, name.replace("W_", "b_"))


def fill_norm(module: nn.Module, path: str, theirs: nn.LayerNorm) -> None:
    norm = part(module, path) if path else module
    gain, bias = ("g", "b") if hasattr(norm, "g") else ("weight", "bias")
    fill(part(norm, gain), theirs.weight, f"{path}.{gain}")
    fill(part(norm, bias), theirs.bias, f"{path}.{bias}")


def fill_attention(ours: nn.Module, theirs: nn.MultiheadAttention) -> None:
    weights, biases = theirs.in_proj_weight.chunk(3), theirs.in_proj_bias.chunk(3)
    for name, weight, bias in zip(("W_Q", "W_K", "W_V"), weights, biases, strict=True):
        fill_linear(ours, name, weight, bias)
    fill_linear(ours, "W_O", theirs.out_proj.weight, theirs.out_proj.bias)


def fill_layer(ours: nn.Module, theirs: nn.Module) -> None:
    """Give an encoder or decoder layer the weights of PyTorch's."""
    parts = {"self_attention": theirs.self_attn}
    if isinstance(theirs, nn.TransformerDecoderLayer):
        parts["cross_attention"] = theirs.multihead_attn
    for name, attention in parts.items():
        fill_attention(part(ours, name), attention)
    fill_linear(part(ours, "feed_forward"), "W_1", theirs.linear1.weight, theirs.linear1.bias)
    fill_linear(part(ours, "feed_forward"), "W_2", theirs.linear2.weight, theirs.linear2.bias)
    for i, name in enumerate([*parts, "feed_forward"], start=1):
        fill_norm(ours, f"around_{name}.norm", getattr(theirs, f"norm{i}"))


def drawn(module: nn.Module) -> nn.Module:
    """All weights drawn anew: biases and gains too, which start at 0 and 1 and would hide a mistake."""
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.5)
    return module


def a_mask(n: int, m: int) -> Tensor:
    """A random mask that leaves each query its first key."""
    mask = torch.rand(n, m) < 0.6
    mask[:, 0] = True
    return mask


def output_of(result: Tensor | tuple) -> Tensor:
    return result[0] if isinstance(result, tuple) else result


# Chapter 2


def test_attention_is_the_equation(mine: Mine) -> None:
    Q, K, V = torch.randn(2, 5, 4), torch.randn(2, 7, 4), torch.randn(2, 7, 3)
    output, weights = mine.scaled_dot_product_attention(Q, K, V)
    scores = Q @ K.mT
    expected = (scores / 2).softmax(-1)
    suspects = {
        "you don't divide by the root of d_k": scores.softmax(-1),
        "you divide by d_k and not by its root": (scores / 4).softmax(-1),
        "you divide by the root of d_v": (scores / math.sqrt(3)).softmax(-1),
        "your softmax runs over the queries and not over the keys": (scores / 2).softmax(-2),
    }
    check(weights, expected, "The weights", suspects)
    check(output, functional.scaled_dot_product_attention(Q, K, V), "The output")


def test_attention_obeys_a_mask(mine: Mine) -> None:
    Q, K, V = torch.randn(2, 5, 4), torch.randn(2, 7, 4), torch.randn(2, 7, 3)
    mask = a_mask(5, 7)
    output, weights = mine.scaled_dot_product_attention(Q, K, V, mask)
    expected = functional.scaled_dot_product_attention(Q, K, V, attn_mask=mask)
    turned = functional.scaled_dot_product_attention(Q, K, V, attn_mask=~mask)
    check(output, expected, "The output", {"your mask hides where it should show": turned})
    check(weights[:, ~mask], torch.zeros(2, int((~mask).sum())), "The weights where the mask is False")


def test_a_query_that_may_attend_to_nothing_gets_zeros(mine: Mine) -> None:
    Q, K, V = (torch.randn(3, 4, requires_grad=True) for _ in range(3))
    mask = torch.tensor([[True, True, True], [False, False, False], [True, False, True]])
    output, _ = mine.scaled_dot_product_attention(Q, K, V, mask)
    check(output[1], torch.zeros(4), "The output of a query whose row of the mask is all False")
    output.sum().backward()
    check(Q.grad[1], torch.zeros(4), "Its gradient")


# Chapter 6


def test_the_causal_mask_lets_a_position_see_itself_and_what_was_before(mine: Mine) -> None:
    mask = mine.causal_mask(3)
    assert mask.dtype == torch.bool, f"a mask is boolean; yours is {mask.dtype}"
    assert mask.tolist() == [[True, False, False], [True, True, False], [True, True, True]]


def test_the_padding_mask_shows_tokens_and_hides_padding(mine: Mine) -> None:
    mask = mine.padding_mask(torch.tensor([[5, 4, 0], [3, 0, 0]]), 0)
    assert mask.dtype == torch.bool, f"a mask is boolean; yours is {mask.dtype}"
    assert mask.shape == (2, 1, 3), f"one row for all queries: (2, 1, 3); yours is {tuple(mask.shape)}"
    assert mask.squeeze(-2).tolist() == [[True, True, False], [True, False, False]]


# Chapter 3


def test_multi_head_attention_is_pytorchs(mine: Mine) -> None:
    theirs = drawn(nn.MultiheadAttention(D_MODEL, HEADS, batch_first=True))
    ours = mine.MultiHeadAttention(D_MODEL, HEADS)
    fill_attention(ours, theirs)
    Q, K, V = torch.randn(2, 5, D_MODEL), torch.randn(2, 7, D_MODEL), torch.randn(2, 7, D_MODEL)
    mask = a_mask(5, 7)
    # For PyTorch's modules True means: may not.
    check(output_of(ours(Q, K, V, mask)), theirs(Q, K, V, attn_mask=~mask)[0], "Multi-head attention with a mask")
    check(output_of(ours(Q, K, V)), theirs(Q, K, V)[0], "Multi-head attention without a mask")


# Chapter 4


def test_an_embedding_looks_up_rows_and_scales_them(mine: Mine) -> None:
    embedding = mine.Embedding(VOCABULARY, D_MODEL)
    E = part(embedding, "E")
    tokens = torch.tensor([[3, 0], [10, 3]])
    expected = math.sqrt(D_MODEL) * E[tokens]
    check(embedding(tokens), expected, "The embedded tokens", {"the root of d_model is missing": E[tokens]})


def test_the_same_matrix_turns_vectors_into_logits(mine: Mine) -> None:
    embedding = mine.Embedding(VOCABULARY, D_MODEL)
    x = torch.randn(2, 3, D_MODEL)
    unscaled = x @ part(embedding, "E").T
    scaled = {"you scale here too: only the vectors that go in are scaled": math.sqrt(D_MODEL) * unscaled}
    check(embedding.logits(x), unscaled, "The logits", scaled)


def formula_of_positions(length: int, d_model: int) -> Tensor:
    rows = []
    for pos in range(length):
        angles = [pos / 10000 ** (2 * i / d_model) for i in range(d_model // 2)]
        rows.append([wave(angle) for angle in angles for wave in (math.sin, math.cos)])
    return torch.tensor(rows)


def test_positions_are_the_formula(mine: Mine) -> None:
    expected = formula_of_positions(30, D_MODEL)
    halves = torch.cat([expected[:, 0::2], expected[:, 1::2]], dim=1)
    suspects = {"all sines come before all cosines: they should take turns": halves}
    positions = mine.positional_encoding(30, D_MODEL)
    check(positions.double() if isinstance(positions, Tensor) else positions, expected, "The positions", suspects)


# Chapter 5


def test_the_feed_forward_network_is_the_formula(mine: Mine) -> None:
    first, second = drawn(nn.Linear(D_MODEL, D_FF)), drawn(nn.Linear(D_FF, D_MODEL))
    ours = mine.PositionwiseFeedForward(D_MODEL, D_FF)
    fill_linear(ours, "W_1", first.weight, first.bias)
    fill_linear(ours, "W_2", second.weight, second.bias)
    x = torch.randn(2, 5, D_MODEL)
    linear = {"there is no ReLU between the two maps": second(first(x))}
    check(ours(x), second(first(x).clamp(min=0)), "The feed-forward network", linear)


def test_layer_normalisation_is_pytorchs(mine: Mine) -> None:
    theirs = drawn(nn.LayerNorm(D_MODEL))
    ours = mine.LayerNorm(D_MODEL)
    fill_norm(ours, "", theirs)
    x = 3 * torch.randn(2, 5, D_MODEL) + 1
    centred = (x - x.mean(-1, keepdim=True)) * theirs.weight
    bessel = centred / torch.sqrt(x.var(-1, keepdim=True) + 1e-5) + theirs.bias
    outside = centred / (x.std(-1, keepdim=True, correction=0) + 1e-5) + theirs.bias
    suspects = {
        "your variance divides by d_model − 1 and not by d_model": bessel,
        "your ε stands outside the root": outside,
    }
    check(ours(x), theirs(x), "Layer normalisation (ε = 1e-5)", suspects)


# Chapters 7 and 8


def test_an_encoder_layer_is_pytorchs(mine: Mine) -> None:
    theirs, ours = drawn(nn.TransformerEncoderLayer(**PYTORCHS)), mine.EncoderLayer(**SIZES)
    fill_layer(ours, theirs)
    x, mask = torch.randn(2, 5, D_MODEL), a_mask(5, 5)
    check(ours(x, mask), theirs(x, src_mask=~mask), "The encoder layer")


def test_a_decoder_layer_is_pytorchs(mine: Mine) -> None:
    theirs, ours = drawn(nn.TransformerDecoderLayer(**PYTORCHS)), mine.DecoderLayer(**SIZES)
    fill_layer(ours, theirs)
    x, memory = torch.randn(2, 4, D_MODEL), torch.randn(2, 5, D_MODEL)
    mask, memory_mask = a_mask(4, 4), a_mask(4, 5)
    expected = theirs(x, memory, tgt_mask=~mask, memory_mask=~memory_mask)
    swapped = theirs(x, memory, tgt_mask=torch.zeros_like(mask), memory_mask=~memory_mask)
    suspects = {"your self-attention ignores its mask": swapped}
    check(ours(x, memory, mask, memory_mask), expected, "The decoder layer", suspects)


# Chapter 10


def pytorchs_stacks() -> tuple[nn.TransformerEncoder, nn.TransformerDecoder]:
    """PyTorch's two stacks, without the norms on top that the paper does not have."""
    encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(**PYTORCHS), N, enable_nested_tensor=False)
    return drawn(encoder), drawn(nn.TransformerDecoder(nn.TransformerDecoderLayer(**PYTORCHS), N))


def a_model(mine: Mine) -> nn.Module:
    return mine.Transformer(VOCABULARY, N=N, **SIZES)


def test_the_whole_model_is_pytorchs(mine: Mine) -> None:
    encoder, decoder = pytorchs_stacks()
    ours = a_model(mine)
    for ours_side, theirs_side in ((part(ours, "encoder"), encoder), (part(ours, "decoder"), decoder)):
        assert len(ours_side.layers) == N, f"{N} layers were asked for, and you have {len(ours_side.layers)}"
        for layer, their_layer in zip(ours_side.layers, theirs_side.layers, strict=True):
            fill_layer(layer, their_layer)
    E = part(ours, "source_embedding.E").detach()
    source, target = torch.tensor([[3, 7, 2, 9], [5, 4, 0, 0]]), torch.tensor([[1, 8, 6, 8, 2], [1, 10, 9, 3, 4]])
    blank, ahead = source == 0, torch.ones(5, 5, dtype=torch.bool).triu(1)

    def embedded(tokens: Tensor) -> Tensor:
        return math.sqrt(D_MODEL) * E[tokens] + formula_of_positions(tokens.size(1), D_MODEL)

    memory = encoder(embedded(source), src_key_padding_mask=blank)
    states = decoder(embedded(target), memory, tgt_mask=ahead, memory_key_padding_mask=blank)
    check(ours(source, target, ~blank.unsqueeze(-2)), states @ E.T, "The logits of the whole model")


def test_no_prediction_depends_on_a_later_token(mine: Mine) -> None:
    model = a_model(mine).eval()
    source, target = torch.randint(1, VOCABULARY, (2, 4)), torch.randint(1, VOCABULARY, (2, 6))
    changed = target.clone()
    changed[:, 3:] = changed[:, 3:] % (VOCABULARY - 1) + 1
    before, after = model(source, target), model(source, changed)
    check(after[:, :3], before[:, :3], "The predictions before the place where the target was changed")
    assert not torch.allclose(before[:, 3:], after[:, 3:]), "the predictions from there on should have changed"


def test_padding_does_not_change_a_sentence(mine: Mine) -> None:
    model = a_model(mine).eval()
    source, target = torch.randint(1, VOCABULARY, (1, 4)), torch.randint(1, VOCABULARY, (1, 3))
    padded = functional.pad(source, (0, 3))
    mask = mine.padding_mask(padded, 0)
    check(model(padded, target, mask), model(source, target), "The logits of a sentence with padding behind it")


def test_there_is_no_weight_too_many_and_none_that_is_not_used(mine: Mine) -> None:
    model = a_model(mine)
    wanted = sum(p.numel() for stack in pytorchs_stacks() for p in stack.parameters()) + VOCABULARY * D_MODEL
    mine_has = sum(p.numel() for p in model.parameters())
    assert mine_has == wanted, (
        f"your model has {mine_has:,} parameters, it should have {wanted:,}: layers as PyTorch's, no norm on top of "
        "the stacks, positions that are not learned, and one matrix for both embeddings and the logits"
    )
    model(torch.randint(VOCABULARY, (3, 5)), torch.randint(VOCABULARY, (3, 4))).square().sum().backward()
    idle = [name for name, p in model.named_parameters() if p.grad is None or not (p.grad != 0).any()]
    assert not idle, f"these get no gradient: {', '.join(idle)}"

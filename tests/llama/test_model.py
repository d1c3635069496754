"""Our LLaMA: its parts, its real weights, what it writes, what it refuses."""

import json
import shutil

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import nn

from reconstructing_transformer.llama.attention import GroupedQueryAttention, grouped_query_attention
from reconstructing_transformer.llama.cache import KeyValueCache, cache_numbers
from reconstructing_transformer.llama.feed_forward import SwiGLU, swiglu
from reconstructing_transformer.llama.generation import choose, generate
from reconstructing_transformer.llama.model import Llama, LlamaConfig, LlamaError
from reconstructing_transformer.llama.normalisation import RMSNorm, rms_norm
from reconstructing_transformer.llama.parity import compare
from reconstructing_transformer.llama.pretrained import our_name
from reconstructing_transformer.llama.rotary import halve, interleave, rotary_angles, rotate, rotation_matrix
from reconstructing_transformer.llama.sources import fetch
from reconstructing_transformer.transformer.recording import record

SMALL = {
    "vocabulary": 11, "d_model": 8, "d_ff": 12, "N": 2, "h": 4, "g": 2, "d_k": 2, "base": 10_000.0, "tied": False,
}  # fmt: skip


@pytest.fixture(scope="module")
def stories():
    return Llama.from_pretrained(fetch("stories260k"))


@pytest.mark.parametrize(
    ("name", "parameters", "beginning"),
    [
        ("stories260k", 260_032, "Once upon a time"),
        ("smollm2-135m", 134_515_008, "The attention mechanism lets a model"),
    ],
)
def test_logits_and_words_are_those_of_transformers(name, parameters, beginning):
    found = compare(fetch(name), beginning, tokens=100)
    assert found.parameters == parameters
    assert found.largest_difference <= 1e-4
    assert found.agreed == found.written == 100


def test_the_norm_is_its_function():
    norm = RMSNorm(6)
    nn.init.normal_(norm.g)
    a = torch.randn(3, 6)
    assert torch.allclose(norm(a), rms_norm(a, norm.g), atol=1e-6)


@given(scale=st.floats(0.01, 100))
@settings(deadline=None, max_examples=20)
def test_the_norm_forgets_how_long_a_vector_was(scale):
    a, g = torch.linspace(-1, 2, 8).double(), torch.ones(8).double()
    assert torch.allclose(rms_norm(scale * a, g, 0.0), rms_norm(a, g, 0.0), atol=1e-12)


def test_the_norm_of_zeros_is_zero_and_has_a_gradient():
    a = torch.zeros(4, requires_grad=True)
    rms_norm(a, torch.ones(4)).sum().backward()
    assert torch.isfinite(a.grad).all()


@given(st.integers(0, 500), st.integers(0, 500), st.integers(0, 300))
@settings(deadline=None, max_examples=30)
def test_a_score_depends_on_the_distance_alone(m, n, shift):
    generator = torch.Generator().manual_seed(m + n)
    q, k = torch.randn(2, 1, 16, generator=generator).double()

    def score(a, b):
        turned = rotate(torch.cat((q, k)), rotary_angles(torch.tensor([a, b]), 16))
        return (turned[0] @ turned[1]).item()

    assert abs(score(m, n) - score(m + shift, n + shift)) < 1e-3


def test_turning_is_multiplying_by_the_matrix():
    x = torch.randn(1, 6).double()
    turned = rotate(x, rotary_angles(torch.tensor([7]), 6))
    assert torch.allclose(turned[0], rotation_matrix(7, 6) @ x[0], atol=1e-6)


def test_turning_keeps_lengths():
    x = torch.randn(5, 8)
    assert torch.allclose(rotate(x, rotary_angles(torch.arange(5), 8)).norm(dim=-1), x.norm(dim=-1), atol=1e-5)


def test_an_odd_width_can_not_be_turned():
    with pytest.raises(ValueError, match="even width; got d=7"):
        rotary_angles(torch.arange(3), 7)


def test_rows_are_interleaved_and_halved_back():
    W = torch.arange(8.0)[:, None]
    assert interleave(W, 2)[:, 0].tolist() == [0, 2, 1, 3, 4, 6, 5, 7]
    assert torch.equal(halve(interleave(W, 2), 2), W)


def test_the_gated_network_is_its_function():
    network = SwiGLU(4, 6)
    x = torch.randn(3, 4)
    W, V, W_2 = (layer.weight.T for layer in (network.W, network.V, network.W_2))
    assert torch.allclose(network(x), swiglu(x, W, V, W_2), atol=1e-6)


@pytest.mark.parametrize("g", [1, 2, 4])
def test_every_query_head_sees_the_keys_of_its_group(g):
    Q, K, V = torch.randn(1, 4, 3, 2), torch.randn(1, g, 3, 2), torch.randn(1, g, 3, 2)
    whole, _ = grouped_query_attention(Q, K, V)
    for i in range(4):
        j = i * g // 4
        alone, _ = grouped_query_attention(Q[:, i : i + 1], K[:, j : j + 1], V[:, j : j + 1])
        assert torch.allclose(whole[:, i : i + 1], alone, atol=1e-6)


def test_heads_that_can_not_be_grouped_are_refused():
    with pytest.raises(ValueError, match="h=4 and g=3"):
        GroupedQueryAttention(8, 4, 3)
    with pytest.raises(ValueError, match="h=4 and g=3"):
        grouped_query_attention(torch.randn(4, 2, 2), torch.randn(3, 2, 2), torch.randn(3, 2, 2))


@pytest.mark.parametrize("pieces", [[1] * 70, [30, 1, 39], [70]])
def test_reading_in_pieces_with_a_cache_is_reading_at_once(pieces, stories):
    tokens = torch.randint(3, 512, (1, 70), generator=torch.Generator().manual_seed(0))
    cache, told = KeyValueCache(), []
    for piece in tokens.split(pieces, dim=1):
        told.append(stories(piece, cache))
    assert torch.allclose(torch.cat(told, 1), stories(tokens), atol=1e-4)
    config = stories.config
    assert cache.length == 70
    assert cache.numbers == cache_numbers(config.N, config.g, config.d_k, 70)
    cache.clear()
    assert (cache.length, cache.numbers) == (0, 0)


def test_no_token_sees_what_comes_after_it(stories):
    a = torch.randint(3, 512, (1, 12), generator=torch.Generator().manual_seed(1))
    b = a.clone()
    b[0, 8:] = 5
    assert torch.allclose(stories(a)[0, :8], stories(b)[0, :8], atol=1e-5)


def test_attention_can_be_recorded(stories):
    tokens = torch.arange(3, 13)[None]
    with record(stories) as recording:
        stories(tokens)
    weights = recording["layers.4.attention"].weights
    assert weights.shape == (1, 8, 10, 10)
    assert torch.allclose(weights.sum(-1), torch.ones(1, 8, 10), atol=1e-5)


def test_the_residual_stream_ends_in_the_logits(stories):
    tokens = torch.arange(3, 9)[None]
    streams = list(stories.hidden(tokens))
    assert len(streams) == stories.config.N + 1
    assert torch.allclose(stories.read_out(streams[-1]), stories(tokens))


def test_the_same_seed_writes_the_same(stories):
    begun = torch.tensor([1, 403, 407, 261, 378])
    told = [list(generate(stories, begun, 20, temperature=1.0, top_k=50, top_p=0.9, seed=seed)) for seed in (1, 1, 2)]
    assert told[0] == told[1]
    assert told[0] != told[2]


def test_nothing_is_written_after_the_end(stories):
    begun = torch.tensor([1, 403])
    first = next(generate(stories, begun, 5))
    assert list(generate(stories, begun, 5, end=first)) == []


def test_writing_needs_a_beginning(stories):
    with pytest.raises(ValueError, match="one token at least"):
        next(generate(stories, torch.tensor([], dtype=torch.long), 5))


def test_the_choice_obeys_its_bounds():
    logits = torch.log(torch.tensor([0.5, 0.3, 0.15, 0.05]))
    lot = torch.Generator().manual_seed(0)
    assert choose(logits) == 0
    assert {choose(logits, 1.0, top_k=2, generator=lot) for _ in range(100)} == {0, 1}
    assert {choose(logits, 1.0, top_p=0.7, generator=lot) for _ in range(100)} == {0, 1}
    assert {choose(logits, 1.0, top_p=0.1, generator=lot) for _ in range(20)} == {0}
    with pytest.raises(ValueError, match="temperature must be"):
        choose(logits, -1.0)


@pytest.fixture
def folder(tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(fetch("stories260k"), copy)
    return copy


def change(folder, **entries):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | entries))


def test_a_pickle_is_refused(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(LlamaError, match=r"pytorch_model\.bin, which is a pickle.*save_pretrained"):
        Llama.from_pretrained(folder)


def test_shards_are_read_by_their_index(folder):
    whole = load_file(folder / "model.safetensors")
    names = sorted(whole)
    (folder / "model.safetensors").unlink()
    for number, part in enumerate((names[:10], names[10:])):
        save_file({name: whole[name] for name in part}, folder / f"part-{number}.safetensors")
    places = {name: f"part-{int(place >= 10)}.safetensors" for place, name in enumerate(names)}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    tokens = torch.arange(3, 9)[None]
    assert torch.equal(Llama.from_pretrained(folder)(tokens), Llama.from_pretrained(fetch("stories260k"))(tokens))


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ({"model_type": "mistral"}, "model_type 'mistral'"),
        ({"attention_bias": True}, "attention_bias"),
        ({"hidden_act": "gelu"}, "hidden_act"),
        ({"rope_parameters": {"rope_type": "llama3"}}, "rope scaling"),
        ({"hidden_size": 32}, "does not fit its own config.json"),
        ({"num_hidden_layers": 4}, "does not fit its own config.json"),
    ],
)
def test_what_is_no_llama_2_is_refused(folder, entries, words):
    change(folder, **entries)
    with pytest.raises(LlamaError, match=words):
        Llama.from_pretrained(folder)


def test_a_tensor_without_a_place_is_refused(folder):
    extra = load_file(folder / "model.safetensors") | {"model.layers.0.self_attn.q_proj.bias": torch.zeros(64)}
    save_file(extra, folder / "model.safetensors")
    with pytest.raises(LlamaError, match=r"q_proj\.bias, which a LLaMA has no place for"):
        Llama.from_pretrained(folder)


def test_weights_that_were_cut_off_are_refused(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(LlamaError, match="no whole safetensors file"):
        Llama.from_pretrained(folder)


def test_a_folder_without_a_configuration_is_refused(tmp_path):
    with pytest.raises(LlamaError, match=r"config\.json can't be read"):
        Llama.from_pretrained(tmp_path)


def test_a_name_that_is_nothing_is_refused():
    with pytest.raises(LlamaError, match="neither a folder"):
        Llama.from_pretrained("no such/model/at all")


def test_a_gated_model_says_what_to_do(monkeypatch):
    import httpx
    import huggingface_hub
    from huggingface_hub.errors import GatedRepoError

    def gated(*_, **__):
        answer = httpx.Response(401, request=httpx.Request("GET", "http://127.0.0.1/"))
        raise GatedRepoError("401", response=answer)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", gated)
    with pytest.raises(LlamaError, match=r"Accept its licence.*HF_TOKEN"):
        Llama.from_pretrained("meta-llama/Llama-2-7b-hf")


def test_every_tensor_of_a_layer_has_its_place():
    assert our_name("model.layers.12.mlp.up_proj.weight") == "layers.12.feed_forward.V.weight"
    assert our_name("model.layers.x.mlp.up_proj.weight") is None


def test_a_fresh_model_can_be_trained():
    model = Llama(LlamaConfig(**SMALL))
    tokens = torch.randint(0, 11, (2, 6), generator=torch.Generator().manual_seed(0))
    optimiser = torch.optim.Adam(model.parameters(), 1e-2)
    losses = []
    for _ in range(20):
        loss = nn.functional.cross_entropy(model(tokens)[:, :-1].flatten(0, 1), tokens[:, 1:].flatten())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]

"""A low-rank update begins at nothing, learns alone, and can be added to the weights."""

import pytest
import torch
from torch import nn

from reconstructing_transformer.llama.fine_tuning_checks import peft_layer
from reconstructing_transformer.llama.lora import LoRALinear, adapted


@pytest.fixture(autouse=True)
def a_seed():
    torch.manual_seed(0)


def layer_that_has_learned(rank=3, alpha=6) -> LoRALinear:
    layer = LoRALinear(nn.Linear(10, 7).double(), rank, alpha)
    nn.init.normal_(layer.B)
    return layer


def test_at_the_start_nothing_changes():
    W_0 = nn.Linear(10, 7)
    x = torch.randn(5, 10)
    before = W_0(x)
    assert torch.equal(LoRALinear(W_0, 3, 6)(x), before)


def test_at_the_start_a_is_gaussian_and_keeps_the_size_of_what_it_reads():
    layer = LoRALinear(nn.Linear(400, 50), 40, 40)
    assert (layer.A @ torch.randn(400, 2000)).std().item() == pytest.approx(1, abs=0.05)
    kurtosis = (layer.A / layer.A.std()).pow(4).mean().item()
    assert kurtosis == pytest.approx(3, abs=0.3)  # a uniform distribution has 1.8


def test_the_update_has_the_rank_that_was_asked_for():
    assert torch.linalg.matrix_rank(layer_that_has_learned(rank=2).update()).item() == 2


def test_the_update_is_multiplied_by_alpha_over_r():
    layer = layer_that_has_learned(rank=3, alpha=6)
    torch.testing.assert_close(layer.update(), 2 * layer.B @ layer.A)
    x = torch.randn(4, 10, dtype=torch.float64)
    torch.testing.assert_close(layer(x) - layer.W_0(x), x @ layer.update().T)


def test_in_the_first_step_only_b_gets_a_gradient():
    layer = LoRALinear(nn.Linear(10, 7), 3, 6)
    layer(torch.randn(5, 10)).square().sum().backward()
    assert (layer.A.grad == 0).all()
    assert (layer.B.grad != 0).any()
    assert layer.W_0.weight.grad is None


def test_merging_and_taking_out_again_gives_back_the_weights():
    layer = layer_that_has_learned()
    before, x = layer.W_0.weight.clone(), torch.randn(5, 10, dtype=torch.float64)
    said = layer(x)
    layer.merge()
    assert not torch.allclose(layer.W_0.weight, before)
    torch.testing.assert_close(layer(x), said, rtol=0, atol=1e-14)
    layer.unmerge()
    torch.testing.assert_close(layer.W_0.weight, before, rtol=0, atol=1e-15)
    torch.testing.assert_close(layer(x), said, rtol=0, atol=1e-14)


def test_merging_twice_adds_once():
    layer = layer_that_has_learned()
    expected = layer.W_0.weight + layer.update()
    layer.merge()
    layer.merge()
    torch.testing.assert_close(layer.W_0.weight, expected)


def test_pefts_layer_merges_to_the_same_weights():
    ours = layer_that_has_learned(alpha=5)
    theirs = peft_layer(ours, 5)
    before = theirs.base_layer.weight.clone()
    ours.merge()
    theirs.merge()
    torch.testing.assert_close(ours.W_0.weight, theirs.base_layer.weight, rtol=0, atol=1e-15)
    ours.unmerge()
    theirs.unmerge()
    torch.testing.assert_close(ours.W_0.weight, theirs.base_layer.weight, rtol=0, atol=1e-15)
    torch.testing.assert_close(ours.W_0.weight, before, rtol=0, atol=1e-15)


def test_dropout_is_on_what_the_update_reads_and_only_while_it_learns():
    layer = LoRALinear(nn.Linear(10, 7), 3, 3, dropout=0.5)
    nn.init.normal_(layer.B)
    x = torch.ones(2000, 10)
    learning = layer(x) - layer.W_0(x)
    assert learning.std(0).min() > 0
    used = layer.eval()(x)
    torch.testing.assert_close(learning.mean(0), (used - layer.W_0(x))[0], rtol=0, atol=0.3)
    assert torch.equal(used, layer(x))


@pytest.mark.parametrize("rank", [0, 8])
def test_a_rank_that_the_matrix_cannot_have_is_refused(rank):
    with pytest.raises(ValueError, match=rf"7 × 10 weights is from 1 to 7; got {rank}"):
        LoRALinear(nn.Linear(10, 7), rank, 1)


class Small(nn.Module):
    """Two layers with queries and values, as in a Transformer."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(
            nn.ModuleDict({name: nn.Linear(8, 8) for name in ("q_proj", "v_proj", "o_proj")}) for _ in range(2)
        )

    def forward(self, x):
        for layer in self.layers:
            x = layer["o_proj"](layer["q_proj"](x) * layer["v_proj"](x))
        return x


def test_a_model_is_adapted_where_it_was_told_to_be_and_learns_nowhere_else():
    model, x = Small(), torch.randn(3, 8)
    before = model(x)
    assert adapted(model, ("q_proj", "v_proj"), 2, 4) is model
    learns = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    assert learns == [f"layers.{i}.{name}.{factor}" for i in (0, 1) for name in ("q_proj", "v_proj") for factor in "AB"]
    assert torch.equal(model(x), before)


def test_a_name_that_no_layer_has_is_refused():
    with pytest.raises(ValueError, match="no linear layer is called query; there are o_proj, q_proj, v_proj"):
        adapted(Small(), ("query",), 2, 4)

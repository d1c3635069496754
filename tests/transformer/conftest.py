"""What the tests of the transformer share: float64, a fixed seed, and PyTorch's modules as the measure of ours."""

import jaxtyping
import pytest
import torch
from torch import nn


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """The tensors here are small: a second thread costs more than it helps, above all on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def float64_and_a_seed():
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(0)
    yield
    torch.set_default_dtype(before)


@pytest.fixture
def no_shape_checks():
    """Run without jaxtyping, as a reader's program does: it would refuse a wrong tensor before our own errors can."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


def in_our_layout(theirs: nn.Module, value=lambda parameter: parameter.detach()) -> dict[str, torch.Tensor]:
    """A PyTorch module's parameters, or what `value` takes from them, under the names and in the shapes of ours."""
    match theirs:
        case nn.LayerNorm():
            return {"g": value(theirs.weight), "b": value(theirs.bias)}
        case nn.MultiheadAttention():
            weights, biases = value(theirs.in_proj_weight).chunk(3), value(theirs.in_proj_bias).chunk(3)
            return {
                **{f"{W}.weight": weight for W, weight in zip(("W_Q", "W_K", "W_V"), weights, strict=True)},
                **{f"{W}.bias": bias for W, bias in zip(("W_Q", "W_K", "W_V"), biases, strict=True)},
                "W_O.weight": value(theirs.out_proj.weight),
                "W_O.bias": value(theirs.out_proj.bias),
            }
        case nn.TransformerEncoderLayer() | nn.TransformerDecoderLayer():
            decodes = isinstance(theirs, nn.TransformerDecoderLayer)
            parts = {"self_attention": theirs.self_attn, "around_self_attention.norm": theirs.norm1}
            if decodes:
                parts |= {"cross_attention": theirs.multihead_attn, "around_cross_attention.norm": theirs.norm2}
            parts["around_feed_forward.norm"] = theirs.norm3 if decodes else theirs.norm2
            own = {
                "feed_forward.W_1": value(theirs.linear1.weight).T,
                "feed_forward.b_1": value(theirs.linear1.bias),
                "feed_forward.W_2": value(theirs.linear2.weight).T,
                "feed_forward.b_2": value(theirs.linear2.bias),
            }
        case nn.TransformerEncoder() | nn.TransformerDecoder():
            parts = {f"layers.{i}": layer for i, layer in enumerate(theirs.layers)}
            parts |= {"norm": theirs.norm} if theirs.norm else {}
            own = {}
    inner = {f"{part}.{name}": w for part, module in parts.items() for name, w in in_our_layout(module, value).items()}
    return own | inner


@pytest.fixture
def copy_weights():
    """Draw all of a PyTorch module's weights anew, biases and gains too, and copy them to ours."""

    def copy(theirs: nn.Module, ours: nn.Module) -> None:
        for parameter in theirs.parameters():
            nn.init.normal_(parameter, std=0.5)
        ours.load_state_dict(in_our_layout(theirs))

    return copy


@pytest.fixture
def assert_same_gradients():
    """After a backward pass on both sides: the gradients of all parameters are the same."""

    def compare(theirs: nn.Module, ours: nn.Module) -> None:
        gradients = in_our_layout(theirs, lambda parameter: parameter.grad)
        assert gradients.keys() == dict(ours.named_parameters()).keys()
        for name, parameter in ours.named_parameters():
            torch.testing.assert_close(parameter.grad, gradients[name], rtol=0, atol=1e-10, msg=name)

    return compare


@pytest.fixture
def assert_equal():
    """The same to 1e-10, the largest error that float64 may leave."""

    def compare(ours: torch.Tensor, theirs: torch.Tensor) -> None:
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-10)

    return compare

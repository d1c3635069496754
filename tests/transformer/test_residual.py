import torch
from torch import nn
from torch.nn import functional

from reconstructing_transformer.transformer import Residual


def test_post_norm_normalises_the_sum():
    x = torch.randn(3, 8)
    torch.testing.assert_close(Residual(8, dropout=0.0)(x, torch.sin), functional.layer_norm(x + x.sin(), (8,)))


def test_pre_norm_normalises_what_goes_in():
    x = torch.randn(3, 8)
    expected = x + functional.layer_norm(x, (8,)).sin()
    torch.testing.assert_close(Residual(8, dropout=0.0, norm_first=True)(x, torch.sin), expected)


def test_dropout_falls_on_the_sublayers_output_alone():
    x = torch.randn(3, 8)
    everything_dropped = Residual(8, dropout=1.0)
    torch.testing.assert_close(everything_dropped(x, torch.sin), functional.layer_norm(x, (8,)))
    torch.testing.assert_close(Residual(8, dropout=1.0, norm_first=True)(x, torch.sin), x)


def test_dropout_rests_in_evaluation():
    x = torch.randn(3, 8)
    residual = Residual(8, dropout=0.5).eval()
    torch.testing.assert_close(residual(x, torch.sin), functional.layer_norm(x + x.sin(), (8,)))


def test_a_sublayer_may_be_a_module():
    x = torch.randn(3, 8)
    sublayer = nn.Linear(8, 8)
    torch.testing.assert_close(Residual(8, dropout=0.0)(x, sublayer), functional.layer_norm(x + sublayer(x), (8,)))

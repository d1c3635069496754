"""What a training minimises: label-smoothed cross-entropy of the tokens that were written, and of no padding."""

from torch import Tensor, nn
from torch.nn import functional

from reconstructing_transformer.transformer import padding_mask
from reconstructing_transformer.translation.model import TranslationModel
from reconstructing_transformer.translation.tokeniser import PAD


def packed_loss(
    model: TranslationModel, states: Tensor, written: Tensor, epsilon: float, reduction: str = "sum"
) -> Tensor:
    """Label-smoothed cross-entropy of the tokens that were written, and of no padding.

    Padding is left out before the last layer, not after: scoring the vocabulary is a good part of all work, and a place
    where nothing stands needs no score.

    Args:
        model: whose last layer it is.
        states: what `decode` made of the target, one vector a place.
        written: the tokens that should follow, padding where there is none.
        epsilon: share of the probability that is spread over the whole vocabulary.
        reduction: `"sum"` or `"mean"`.

    Returns:
        The loss, in nats.
    """
    real = written != PAD
    logits = model.logits(states[real]).float()
    return functional.cross_entropy(logits, written[real], label_smoothing=epsilon, reduction=reduction)


class Objective(nn.Module):
    """What is minimised, as a module: several processes share the gradients of what is called, and it is this.

    Args:
        model: the translator.
        epsilon: of the label smoothing.
    """

    def __init__(self, model: TranslationModel, epsilon: float) -> None:
        super().__init__()
        self.model = model
        self.epsilon = epsilon

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        """Sum the loss of all tokens of the targets.

        Args:
            source: tokens of the sources, padded.
            target: tokens of the targets from BEGIN to END, padded.

        Returns:
            The loss, in nats.
        """
        mask = padding_mask(source, PAD)
        states = self.model.decode(target[:, :-1], self.model.encode(source, mask), mask)
        return packed_loss(self.model, states, target[:, 1:], self.epsilon)

"""How good a model is: what it says of each digit, and the two numbers that are made of it."""

import torch
from accelerate import Accelerator
from jaxtyping import Float, Int
from torch import Tensor, nn
from torchmetrics.functional.classification import multiclass_accuracy, multiclass_f1_score

from reconstructing_transformer.vision.data import Digits
from reconstructing_transformer.vision.transforms import normalise

CLASSES = 10
DEFINITIONS = {
    "accuracy": "share of the digits whose likeliest class is the right one (torchmetrics multiclass_accuracy, micro)",
    "f1": "unweighted mean of the ten classes' F1 (torchmetrics multiclass_f1_score, macro)",
}


@torch.no_grad()
def logits_of(model: nn.Module, digits: Digits, batch: int = 500) -> Float[Tensor, "n 10"]:
    """What a model says of each digit. The model is put into evaluation mode, and back.

    Args:
        model: it lies on the device of the digits.
        digits: what it is shown.
        batch: digits at once.

    Returns:
        One logit a class for each digit.
    """
    training = model.training
    model.eval()
    logits = torch.cat([model(normalise(images)) for images in digits.images.split(batch)])
    model.train(training)
    return logits.float()


def shared_logits(model: nn.Module, digits: Digits, accelerator: Accelerator) -> Float[Tensor, "n 10"]:
    """The same with several processes, each of which is asked about its share.

    Args:
        model: as it is, not wrapped for several processes.
        digits: all of them, on each process.
        accelerator: of the training.

    Returns:
        One logit a class for each digit, on each process.
    """
    share = -(-len(digits) // accelerator.num_processes)
    # The last process may have fewer: it counts some twice, so that all send equally much.
    mine = torch.arange(share, device=digits.images.device) + share * accelerator.process_index
    with accelerator.autocast():
        logits = logits_of(model, digits.at(mine % len(digits)))
    return accelerator.gather(logits)[: len(digits)]


def scores(logits: Float[Tensor, "n 10"], labels: Int[Tensor, " n"]) -> dict[str, float]:
    """Accuracy and macro F1.

    Args:
        logits: what the model said.
        labels: what is right.

    Returns:
        Both, by the names in `DEFINITIONS`.
    """
    said = logits.argmax(-1)
    return {
        "accuracy": multiclass_accuracy(said, labels, CLASSES, average="micro").item(),
        "f1": multiclass_f1_score(said, labels, CLASSES, average="macro").item(),
    }

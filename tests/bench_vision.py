"""Training throughput on MNIST, side by side: our models, the naive version that they replace, and their peers.

A round trains each for a few batches, in turns, on one thread; what counts is processor time, so that whoever else uses
the machine counts less. The naive version has a loader and an optimiser of its own, as it was written; the peers run in
our training step, with our batches.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2

from reconstructing_transformer.transformer import positional_encoding
from reconstructing_transformer.vision import RECIPES, Digits, load_mnist
from reconstructing_transformer.vision.training import Trainer
from reconstructing_transformer.vision.transforms import MEAN, STD

ROUNDS = 7
IMAGES = 384  # that each trains on in a round
SIZES = {
    "small-vit": {"D": 16, "L": 2, "heads": 2, "d_ff": 2048},
    "deep-vit": {"D": 64, "L": 6, "heads": 4, "d_ff": 256},
    "large-vit": {"D": 64, "L": 4, "heads": 4, "d_ff": 2048},
}


class NaiveDigits(Dataset):
    """One image at a time, from a picture to a tensor, as most notebooks load MNIST."""

    def __init__(self, digits: Digits) -> None:
        to_picture = v2.ToPILImage()
        self.pictures = [to_picture(image) for image in digits.images]
        self.labels = digits.labels.tolist()
        self.transform = v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize([MEAN], [STD])])

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(self.pictures[index]), self.labels[index]


class NaiveViT(nn.Module):
    """The naive version: patches image by image, positions under `no_grad`, post-norm, dropout, a last softmax."""

    def __init__(self, D: int, L: int, heads: int, d_ff: int) -> None:
        super().__init__()
        self.embedding = nn.Linear(16, D, bias=False)
        layer = nn.TransformerEncoderLayer(D, heads, d_ff, dropout=0.1, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, L)
        self.pooler = nn.Linear(49 * D, D)
        self.head = nn.Linear(D, 10)
        self.positions = positional_encoding(49, D)

    def patches(self, images: Tensor) -> Tensor:
        cut = [image.unfold(1, 4, 4).unfold(2, 4, 4).reshape(49, 16) for image in images]
        return torch.stack(cut)

    def forward(self, images: Tensor) -> Tensor:
        with torch.no_grad():
            z = self.embedding(self.patches(images)) + self.positions
        return self.head(self.pooler(self.encoder(z).flatten(1))).softmax(-1)


def naive_steps(size: dict[str, int], digits: Digits) -> Callable[[], int]:
    """Return a function that trains the naive version for a round and returns the number of its images."""
    model = NaiveViT(**size)
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
    loader = DataLoader(NaiveDigits(digits), batch_size=128, shuffle=True, drop_last=True)

    def forever() -> Iterator[tuple[Tensor, Tensor]]:
        while True:
            yield from loader

    batches = forever()

    def steps() -> int:
        for _ in range(IMAGES // 128):
            images, labels = next(batches)
            loss = nn.functional.cross_entropy(model(images), labels)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        return IMAGES

    return steps


def our_steps(name: str, digits: Digits, model: nn.Module | None = None) -> Callable[[], int]:
    """Return a function that trains for a round as `reconstruct train vision` does, augmentation and all."""
    trainer = Trainer(RECIPES[name].model_copy(update={"epochs": 10_000}), digits, model=model)

    def forever() -> Iterator[float]:
        while True:
            yield from trainer.train_epoch()

    losses = forever()

    def steps() -> int:
        for _ in range(IMAGES // trainer.recipe.batch_size):
            next(losses)
        return IMAGES

    return steps


class Logits(nn.Module):
    """A model of transformers, which returns more than logits."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        return self.model(images).logits


def peers(size: dict[str, int]) -> dict[str, nn.Module]:
    """Vision Transformers of others, of the same depth and widths."""
    from transformers import ViTConfig, ViTForImageClassification
    from vit_pytorch import ViT

    D, L, heads, d_ff = size.values()
    config = ViTConfig(
        hidden_size=D,
        num_hidden_layers=L,
        num_attention_heads=heads,
        intermediate_size=d_ff,
        image_size=28,
        patch_size=4,
        num_channels=1,
        num_labels=10,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    lucidrains = ViT(
        image_size=28,
        patch_size=4,
        num_classes=10,
        dim=D,
        depth=L,
        heads=heads,
        dim_head=D // heads,
        mlp_dim=d_ff,
        channels=1,
    )
    return {"vit-pytorch": lucidrains, "transformers": Logits(ViTForImageClassification(config))}


def training_throughput() -> dict[str, dict[str, Any]]:
    """Images a second of each, and ours over theirs: medians, with the least and the most of the rounds."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    digits = load_mnist().train.at(slice(4096))
    result = {}
    for name, size in SIZES.items():
        runners = {"ours": our_steps(name, digits), "naive": naive_steps(size, digits)}
        runners |= {peer: our_steps(name, digits, model) for peer, model in peers(size).items()}
        speeds: dict[str, list[float]] = {runner: [] for runner in runners}
        for number in range(ROUNDS + 1):
            for runner, steps in runners.items():
                begun = time.process_time()
                images = steps()
                if number:  # the first round warms up
                    speeds[runner].append(images / (time.process_time() - begun))
        ratios = {
            runner: sorted(a / b for a, b in zip(speeds["ours"], theirs, strict=True))
            for runner, theirs in speeds.items()
            if runner != "ours"
        }
        result[name] = {
            "images per processor second": {runner: statistics.median(speed) for runner, speed in speeds.items()},
            "ours over theirs": {
                runner: {"median": statistics.median(ratio), "least": ratio[0], "most": ratio[-1]}
                for runner, ratio in ratios.items()
            },
        }
    torch.set_num_threads(threads)
    return result

"""Using what was fine-tuned: a pre-trained model with an adapter, or a whole model, as a classifier of texts."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from reconstructing_transformer._data import book_folder
from reconstructing_transformer.llama.classifiers import FineTuningError, find_model, load_tokeniser
from reconstructing_transformer.llama.sources import MODELS

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedTokenizerBase

ABOUT = "classifier.json"


def about(folder: Path) -> dict[str, object]:
    """What a training has written of a classifier beside its weights: model, labels, greatest length.

    Args:
        folder: that a training wrote, or one of `book/models`.

    Raises:
        FineTuningError: it has no such file.
    """
    try:
        return json.loads((folder / ABOUT).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise FineTuningError(
            f"{folder} has no {ABOUT}: it is no folder that `reconstruct train llama` wrote"
        ) from error


class TextClassifier:
    """A fine-tuned model that says how likely each class is.

    Args:
        model: transformers' classifier, or peft's around it.
        tokeniser: of the model.
        labels: the classes.
        max_length: tokens that it reads of a text.
    """

    def __init__(
        self, model: "nn.Module", tokeniser: "PreTrainedTokenizerBase", labels: Sequence[str], max_length: int
    ) -> None:
        self.model, self.tokeniser, self.labels, self.max_length = model.eval(), tokeniser, list(labels), max_length

    @classmethod
    def from_pretrained(cls, name: str) -> "TextClassifier":
        """Load a released adapter, or what a training wrote.

        Args:
            name: a folder, or a name in `book/models`.

        Raises:
            FineTuningError: there is no such thing.
            DataError: the pre-trained weights under it can't be had.
        """
        import reconstructing_transformer.llama.classifiers as how
        from reconstructing_transformer.llama.recipe import Recipe

        released = book_folder("models") / name
        folder = released if released.is_dir() else Path(name)
        if not folder.is_dir():
            known = sorted(path.parent.name for path in book_folder("models").glob(f"*/{ABOUT}"))
            raise FineTuningError(f"there is no adapter “{name}”: it is no folder, and not one of {', '.join(known)}")
        told = about(folder)
        labels, base = tuple(told["labels"]), str(told["model"])
        tokeniser = load_tokeniser(base if base in MODELS else str(folder))
        whole = (folder / "model.safetensors").is_file()
        recipe = Recipe(model=str(folder) if whole else base, method="full" if whole else "lora")
        model = how.load_pretrained(recipe, how.load_config(recipe.model, labels, tokeniser.pad_token_id))
        if (folder / "adapter_config.json").is_file():
            from peft import PeftModel

            with how.old_names():
                model = PeftModel.from_pretrained(model, str(folder))
        elif not whole:
            from safetensors.torch import load_file

            model.load_state_dict(load_file(folder / "head.safetensors"), strict=False)
        return cls(model, tokeniser, labels, int(told["max_length"]))

    @torch.no_grad()
    def __call__(self, texts: Sequence[str]) -> list[dict[str, float]]:
        """How likely each class is.

        Args:
            texts: one or several.

        Returns:
            Probabilities by class, a text each.
        """
        batch = self.tokeniser(
            list(texts), truncation=True, max_length=self.max_length, padding=True, return_tensors="pt"
        )
        shares = self.model(**batch).logits.softmax(-1)
        return [dict(zip(self.labels, row, strict=True)) for row in shares.tolist()]


__all__ = ["ABOUT", "TextClassifier", "about", "find_model"]

"""How a pre-trained model is fine-tuned: one recipe, which a run's record keeps as its config."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from reconstructing_transformer.llama.tasks import TASKS

Share = Annotated[float, Field(ge=0, lt=1)]
Method = Literal["lora", "qlora", "full", "head"]
Precision = Literal["no", "bf16"]


class Recipe(BaseModel):
    """What decides the outcome of a fine-tuning, apart from the machine."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str = Field(default="smollm2-135m", description="A name that `fetch` knows, a hub's id, or a folder.")
    task: Literal["trec", "newsgroups"] = "trec"
    method: Method = "lora"
    seed: int = Field(default=1, ge=0, lt=2**31)
    epochs: int = Field(default=3, ge=1)
    batch_size: int = Field(default=32, ge=1, description="Texts a step, over all processes.")
    micro_batch: int = Field(default=32, ge=1, description="Texts that a process takes at once.")
    learning_rate: float = Field(default=5e-4, gt=0, description="At its peak.")
    warmup: Share = Field(default=0.1, description="Share of all steps in which the learning rate rises.")
    weight_decay: float = Field(default=0.01, ge=0)
    clip: float = Field(default=1.0, gt=0, description="Largest norm of the gradient.")
    rank: int = Field(default=8, ge=1, description="r of LoRA.")
    alpha: int = Field(default=16, ge=1, description="α of LoRA: an update is scaled by α/r.")
    dropout: Share = Field(default=0.05, description="Before LoRA's A.")
    max_length: int = Field(default=128, ge=2, description="Tokens of a text; what is beyond is cut off.")
    examples: int | None = Field(default=None, ge=1, description="Train on that many texts only; all where None.")
    precision: Precision = "no"
    gradient_checkpointing: bool = False

    @property
    def name(self) -> str:
        """What the record calls it: task and method, and the model where it isn't the book's own."""
        base = "" if self.model == "smollm2-135m" else "-" + self.model.rstrip("/").split("/")[-1].lower()
        return f"{self.task}-{self.method}{base}"


# Found on the validation split with seed 1. A head on frozen features, and LoRA, want larger steps than a whole model.
LEARNING_RATES: dict[str, float] = {"lora": 5e-4, "qlora": 5e-4, "full": 5e-5, "head": 3e-3}
EPOCHS: dict[tuple[str, str], int] = {("trec", "head"): 30, ("newsgroups", "head"): 10, ("newsgroups", "full"): 2}


def recipe_of(task: str, method: str) -> Recipe:
    """The recipe behind the book's table.

    Args:
        task: one of `TASKS`.
        method: lora, qlora, full or head.

    Raises:
        ValueError: there is no such task or method.
    """
    if task not in TASKS or method not in LEARNING_RATES:
        raise ValueError(
            f"no recipe for {task} by {method}: tasks are {', '.join(TASKS)}, methods {', '.join(LEARNING_RATES)}"
        )
    return Recipe(task=task, method=method, learning_rate=LEARNING_RATES[method], epochs=EPOCHS.get((task, method), 3))


def best_precision() -> Precision:
    """bf16 where the device multiplies such numbers itself, 32-bit numbers elsewhere."""
    import torch

    if torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "no"
    return "bf16" if torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported() else "no"

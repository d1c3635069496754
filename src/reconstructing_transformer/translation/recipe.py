"""How a translator is trained: one recipe for each corpus, which a run's record keeps as its config."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float, Field(ge=0, lt=1)]


class Recipe(BaseModel):
    """What decides the outcome of a training, apart from the machine."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(description="Which of the recipes it is: a row of the result table.")
    corpus: Literal["multi30k", "tatoeba", "numbers"]
    seed: int = Field(default=1, ge=0, lt=2**31)
    vocabulary: int = Field(default=8000, ge=64, description="Tokens of both languages together.")
    N: int = Field(default=3, ge=1)
    d_model: int = Field(default=256, ge=2)
    d_ff: int = Field(default=1024, ge=1)
    h: int = Field(default=4, ge=1)
    dropout: Share = 0.1
    norm_first: bool = True
    epochs: int = Field(default=10, ge=1)
    batch_tokens: int = Field(
        default=4096, ge=64, description="Padded target tokens between two steps, over all processes."
    )
    micro_tokens: int = Field(default=2048, ge=64, description="Padded tokens that a process takes at once.")
    learning_rate: float = Field(default=2e-3, gt=0, description="At its peak.")
    schedule: Literal["linear", "paper"] = Field(
        default="linear",
        description="After the warm-up: a straight line down to zero, or the paper's inverse square root of the step.",
    )
    warmup: Share = Field(default=0.125, description="Share of all steps in which the learning rate rises.")
    weight_decay: float = Field(default=0.01, ge=0, description="Of matrices; biases and gains are left alone.")
    label_smoothing: Share = 0.1
    clip: float = Field(default=1.0, gt=0, description="Largest norm of the gradient.")
    averaged: int = Field(default=3, ge=1, description="Checkpoints whose mean is kept (§6.1); 1: the last alone.")
    precision: Literal["no", "fp16", "bf16"] = "no"

    def rate(self, step: int, steps: int) -> float:
        """Learning rate of a step: a straight rise, then what the schedule says.

        Args:
            step: the steps taken before it.
            steps: all steps of the training.
        """
        rise = max(1, round(self.warmup * steps))
        if step < rise:
            return self.learning_rate * (step + 1) / rise
        if self.schedule == "paper":
            return self.learning_rate * (rise / (step + 1)) ** 0.5
        return self.learning_rate * (steps - step) / max(1, steps - rise)


_SMALL = Recipe(
    name="multi30k-small", corpus="multi30k", d_model=192, d_ff=512, dropout=0.12, epochs=10, batch_tokens=2048
)

RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        Recipe(name="multi30k-base", corpus="multi30k", d_ff=512, dropout=0.2, epochs=14, batch_tokens=2048),
        _SMALL,
        # What the small model owes to one of its parts: the same without it.
        _SMALL.model_copy(update={"name": "multi30k-unsmoothed", "label_smoothing": 0.0}),
        # Small enough to be a part of the book: less than 12 MB in half precision.
        Recipe(name="tatoeba", corpus="tatoeba", d_model=224, d_ff=768, epochs=16, batch_tokens=2048),
        Recipe(
            name="numbers", corpus="numbers", vocabulary=200, N=2, d_model=64, d_ff=128, dropout=0.0, epochs=3,
            batch_tokens=1024, learning_rate=3e-3, averaged=1,
        ),
    )
}  # fmt: skip

"""How a model is trained: one recipe each, which a run's record keeps as its config."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from reconstructing_transformer.tracking.schedule import cosine_rate
from reconstructing_transformer.vision.zoo import MODELS

Share = Annotated[float, Field(ge=0, lt=1)]


class Recipe(BaseModel):
    """What decides the outcome of a training, apart from the machine."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str
    seed: int = Field(default=1, ge=0, lt=2**31)
    epochs: int = Field(default=10, ge=1)
    batch_size: int = Field(
        default=64, ge=1, description="Images between two steps of the optimiser, over all processes."
    )
    micro_batch: int = Field(
        default=64, ge=1, description="Images that a process takes at once; their gradients add up."
    )
    learning_rate: float = Field(default=1.5e-3, gt=0, description="At its peak.")
    warmup: Share = Field(default=0.1, description="Share of all steps in which the learning rate rises.")
    weight_decay: float = Field(default=0.05, ge=0, description="Of matrices; biases and gains are left alone.")
    label_smoothing: Share = 0.05
    clip: float = Field(default=1.0, gt=0, description="Largest norm of the gradient.")
    augmentation: float = Field(default=1.0, ge=0, le=2, description="0: none; 1: 15°, 2 pixels, 15 %, 10° of shear.")
    averaging: Share = Field(default=0.999, description="Decay of the running mean of the weights; 0: none.")
    dropout: Share = 0.0
    examples: int | None = Field(default=None, ge=1, description="Train on that many images only; all where None.")
    precision: Literal["no", "fp16", "bf16"] = "no"

    @model_validator(mode="after")
    def _known_model(self) -> "Recipe":
        if self.model not in MODELS:
            raise ValueError(f"no model “{self.model}”; there are {', '.join(MODELS)}")
        return self

    def rate(self, step: int, steps: int) -> float:
        """Learning rate of a step: a straight rise, then half a cosine down to zero.

        Args:
            step: the steps taken before it.
            steps: all steps of the training.
        """
        return cosine_rate(self.learning_rate, step, steps, self.warmup)


# What each model does best with, found on the validation split.
RECIPES: dict[str, Recipe] = {
    "small-vit": Recipe(
        model="small-vit", epochs=15, batch_size=32, micro_batch=16, learning_rate=3e-3, augmentation=0.5
    ),
    "deep-vit": Recipe(model="deep-vit", epochs=12),
    "large-vit": Recipe(model="large-vit", epochs=7, micro_batch=16, learning_rate=1e-3),
    "paper-vit": Recipe(model="paper-vit", epochs=12, learning_rate=1e-3),
    "cnn": Recipe(model="cnn", epochs=10, batch_size=128, micro_batch=128, learning_rate=2e-3),
    "feed-forward": Recipe(model="feed-forward", epochs=15, learning_rate=3e-3),
}

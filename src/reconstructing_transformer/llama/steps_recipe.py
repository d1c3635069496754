"""How the models of the ladder are trained: all by one recipe, but for the learning rate."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from reconstructing_transformer.tracking.schedule import cosine_rate

Share = Annotated[float, Field(ge=0, lt=1)]

# Of the first two, at the peak: beginning with 4e-3, the rate was halved or doubled as long as the validation loss of a
# run with seed 0 fell, up to 8e-3. Each later model keeps the rate of the one before it.
RATES = {"2017": 2e-3, "pre-norm": 8e-3, "rms-norm": 8e-3, "rotary": 8e-3, "swiglu": 8e-3, "llama": 8e-3}


class Recipe(BaseModel):
    """What decides the outcome of a training, apart from the machine."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str
    seed: int = Field(default=1, ge=0, lt=2**31)
    learning_rate: float = Field(gt=0, description="At its peak.")
    steps: int = Field(default=400, ge=1)
    windows: int = Field(default=8, ge=1, description="Windows of text between two steps, over all processes.")
    context: int = Field(default=128, ge=2, description="Pieces of a window.")
    vocabulary: int = Field(default=1024, ge=257, description="Pieces: bytes, merges and the end of a post.")
    N: int = Field(default=4, ge=1)
    d_model: int = Field(default=128, ge=4)
    h: int = Field(default=4, ge=2)
    warmup: Share = Field(default=0.3, description="Share of the steps in which the learning rate rises.")
    weight_decay: float = Field(default=0.1, ge=0, description="Of matrices; biases and gains are left alone.")
    clip: float = Field(default=1.0, gt=0, description="Largest norm of the gradient.")
    precision: Literal["no", "fp16", "bf16"] = "no"

    @model_validator(mode="after")
    def _known_model(self) -> "Recipe":
        if self.model not in RATES:
            raise ValueError(f"no model “{self.model}”; there are {', '.join(RATES)}")
        return self

    def rate(self, step: int) -> float:
        """Learning rate of a step: a straight rise, then half a cosine down to zero.

        Args:
            step: the steps taken before it.
        """
        return cosine_rate(self.learning_rate, step, self.steps, self.warmup)


RECIPES: dict[str, Recipe] = {name: Recipe(model=name, learning_rate=rate) for name, rate in RATES.items()}

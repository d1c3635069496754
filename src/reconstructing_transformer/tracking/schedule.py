"""The learning rate over the steps of a training."""

import math


def cosine_rate(peak: float, step: int, steps: int, warmup: float) -> float:
    """A straight rise to the peak, then half a cosine down to zero.

    Args:
        peak: the highest rate.
        step: the steps taken before this one.
        steps: all steps of the training.
        warmup: share of the steps in which the rate rises; one step at least.

    Returns:
        The learning rate of this step.
    """
    rise = max(1, round(warmup * steps))
    if step < rise:
        return peak * (step + 1) / rise
    return peak * (1 + math.cos(math.pi * (step - rise) / max(1, steps - rise))) / 2

"""The learning rate (Vaswani et al. 2017, §5.3)."""

from reconstructing_transformer.equations import implements


@implements("vaswani2017-3", step_num="step", warmup_steps="warmup")
def learning_rate(step: int, d_model: int, warmup: int = 4000) -> float:
    """Lrate = d_model^−0.5 · min(step^−0.5, step · warmup^−1.5), Eq. 3 of Vaswani et al. 2017.

    Args:
        step: number of the training step, counted from 1.
        d_model: width of the model.
        warmup: number of steps over which the rate rises. It falls with the root of the step thereafter.

    Returns:
        The learning rate of this step.

    Raises:
        ValueError: the step is 0 or less. PyTorch's schedulers count from 0: give them `step + 1`.
    """
    if step < 1:
        raise ValueError(f"steps are counted from 1; got {step}. A scheduler that counts from 0 must pass step + 1")
    return d_model**-0.5 * min(step**-0.5, step * warmup**-1.5)

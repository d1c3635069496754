"""A recording of what attention computes on its way: scores, weights and heads, layer by layer.

    with record(model) as recording:
        model(source, target)
    recording["encoder.layers.0.self_attention"].weights  # (batch, h, n, m)

The attention that is recorded is the attention that runs: it notes its intermediate results as it makes them, and while
nobody records, a note is a single look at a variable that holds None.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor, nn


@dataclass
class Intermediates:
    """What one attention computed when it was last called. All tensors are detached from the graph."""

    scores: Float[Tensor, "*batch h n m"] | None = None
    """QKᵀ/√d_k, before mask and softmax."""

    weights: Float[Tensor, "*batch h n m"] | None = None
    """The softmax of the scores: what share of each value a query takes."""

    heads: Float[Tensor, "*batch h n d_v"] | None = None
    """The heads' outputs, before they are concatenated and projected."""


class Recording(Mapping[str, Intermediates]):
    """The intermediate results of a model's attentions, by the name of the module, in the order of their first call."""

    def __init__(self) -> None:
        self._kept: dict[str, Intermediates] = {}
        self._running: list[str] = []

    def note(self, **results: Tensor) -> None:
        """Keep results under the name of the innermost module that is running."""
        if self._running:
            kept = self._kept.setdefault(self._running[-1], Intermediates())
            for name, result in results.items():
                setattr(kept, name, result.detach())

    @contextmanager
    def _following(self, model: nn.Module) -> Iterator[None]:
        """Know at each moment which module of the model is running."""
        hooks = []
        for name, module in model.named_modules():
            hooks += [
                module.register_forward_pre_hook(lambda *_, name=name: self._running.append(name)),
                module.register_forward_hook(lambda *_: self._forget_running(), always_call=True),
            ]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def _forget_running(self) -> None:
        self._running.pop()  # and return nothing: what a hook returns would replace the module's output

    def __getitem__(self, name: str) -> Intermediates:
        if name not in self._kept:
            raise KeyError(f"no attention named {name!r} was recorded; there are: {', '.join(self._kept) or 'none'}")
        return self._kept[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._kept)

    def __len__(self) -> int:
        return len(self._kept)


_recording: ContextVar[Recording | None] = ContextVar("recording", default=None)


@contextmanager
def record(model: nn.Module) -> Iterator[Recording]:
    """Record the intermediate results of all attentions in a model while the block runs.

    An attention that is called several times keeps what it computed last. Of recordings that are nested, the innermost
    one records.

    Args:
        model: the module whose attentions are recorded, under the names that `model.named_modules()` gives them.

    Yields:
        The recording. It is filled while the block runs and can be read afterwards.
    """
    recording = Recording()
    token = _recording.set(recording)
    try:
        with recording._following(model):
            yield recording
    finally:
        _recording.reset(token)


def is_recording() -> bool:
    """Whether somebody wants to see intermediate results: kernels that never form them must then not be used."""
    return _recording.get() is not None


def note(**results: Tensor) -> None:
    """Show intermediate results to whoever records, by their names in `Intermediates`."""
    recording = _recording.get()
    if recording is not None:  # it is falsy while it is empty
        recording.note(**results)

"""How much memory a fine-tuning takes, measured: some steps in a process of its own, which is watched meanwhile.

`python -m reconstructing_transformer.llama.memory_measured '{…}'` is that process. It imports what all need, and
then each fine-tuning gets a fork of it, so that none sees what another has left.
"""

import json
import multiprocessing
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import asdict
from multiprocessing.connection import Connection
from types import TracebackType

import psutil
import torch
from torch.nn import functional

from reconstructing_transformer.llama.configurations import STORIES_260K, configuration
from reconstructing_transformer.llama.memory import Method, prepared

DTYPES = {str(dtype): dtype for dtype in (torch.float32, torch.bfloat16)}
STEPS = 2  # the moments are made in the first; in the second all is there at once
# glibc keeps small blocks for later, and counts as small what was freed often: a fixed size gives everything back.
GIVE_BACK = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536", "OMP_NUM_THREADS": "1"}


class Watch:
    """The most memory that this process holds while something runs, in bytes."""

    def __init__(self) -> None:
        self.process = psutil.Process()
        self.most = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look_on, daemon=True)

    def now(self) -> int:
        """What the process holds now, without the files that it has mapped, where the system tells them apart."""
        found = self.process.memory_info()
        return found.rss - getattr(found, "shared", 0)

    def _look_on(self) -> None:
        while not self._over.wait(0.002):
            self.most = max(self.most, self.now())

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()


def steps_of(name: str, method: Method, batch: int, length: int, classes: int) -> int:
    """Take some steps with random weights and random texts.

    Args:
        name: of a model in `configurations`.
        method: how it is fine-tuned.
        batch: number of texts a step.
        length: of each, in tokens.
        classes: how many the classifier tells apart.

    Returns:
        The most memory that they took, beyond what the process held before, in bytes.
    """
    from transformers import LlamaForSequenceClassification
    from transformers.initialization import no_init_weights

    watch = Watch()
    before = watch.now()
    config = configuration(name)
    config.num_labels = classes
    with no_init_weights():  # numbers take the same room whatever they are
        model = LlamaForSequenceClassification(config).to(method.dtype)
    for parameter in model.parameters():
        torch.nn.init.constant_(parameter, 0.01)
    prepared(model, method)
    optimiser = torch.optim.AdamW([parameter for parameter in model.parameters() if parameter.requires_grad])
    tokens = torch.randint(1, config.vocab_size, (batch, length))
    with watch:
        for _ in range(STEPS):
            logits = model(input_ids=tokens).logits
            functional.cross_entropy(logits.float(), torch.zeros(batch, dtype=torch.long)).backward()
            optimiser.step()
            optimiser.zero_grad()
    return watch.most - before


def _report(answer: Connection, name: str, method: Method, sizes: tuple[int, int, int]) -> None:
    answer.send(steps_of(name, method, *sizes))


def main(order: str) -> None:
    """Measure what was ordered, and print the bytes, as JSON."""
    asked = json.loads(order)
    torch.manual_seed(0)
    # What is imported late is there.
    steps_of(STORIES_260K, Method("qlora", torch.float32, checkpointing=True), 1, 8, 2)
    found = []
    for name, method, batch, length in asked["runs"]:
        plan = Method(**{**method, "dtype": DTYPES[method["dtype"]]})
        ours, its = multiprocessing.Pipe(duplex=False)
        child = multiprocessing.get_context("fork").Process(
            target=_report, args=(its, name, plan, (batch, length, asked["classes"]))
        )
        child.start()
        its.close()
        found.append(ours.recv())
        child.join()
    print(json.dumps(found))


def measured(runs: Sequence[tuple[str, Method, int, int]], classes: int = 20) -> list[int]:
    """The most memory that fine-tunings take, on the processor, one after the other, each in a process of its own.

    What is measured is the process's resident set, without mapped files, beyond what it held before the model was made.

    Args:
        runs: for each the name of a model in `configurations`, how it is fine-tuned, the number of texts a step, and
            their length in tokens.
        classes: how many the classifier tells apart.

    Returns:
        Bytes, for each.

    Raises:
        RuntimeError: the process failed.
    """
    asked = [(name, {**asdict(method), "dtype": str(method.dtype)}, *sizes) for name, method, *sizes in runs]
    order = json.dumps({"runs": asked, "classes": classes})
    done = subprocess.run(
        [sys.executable, "-m", __name__, order],
        capture_output=True, text=True, check=False, env={**os.environ, **GIVE_BACK},
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"the process that was to be measured ended with {done.returncode}: {done.stderr[-500:]}")
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    main(sys.argv[1])

"""What is fine-tuned for: the kind of a question (TREC), and the newsgroup of a post (20 newsgroups)."""

import random
from collections.abc import Iterable
from dataclasses import dataclass

from reconstructing_transformer.llama.downloads import DataError
from reconstructing_transformer.llama.newsgroups import NEWSGROUPS_LICENCE, posts
from reconstructing_transformer.llama.trec import TREC_LABELS, TREC_LICENCE, questions
from reconstructing_transformer.tracking.record import Dataset

TASKS = ("trec", "newsgroups")
LABELS = {
    "trec": tuple(TREC_LABELS),
    "newsgroups": (
        "alt.atheism", "comp.graphics", "comp.os.ms-windows.misc", "comp.sys.ibm.pc.hardware", "comp.sys.mac.hardware",
        "comp.windows.x", "misc.forsale", "rec.autos", "rec.motorcycles", "rec.sport.baseball", "rec.sport.hockey",
        "sci.crypt", "sci.electronics", "sci.med", "sci.space", "soc.religion.christian", "talk.politics.guns",
        "talk.politics.mideast", "talk.politics.misc", "talk.religion.misc",
    ),
}  # fmt: skip
HELD_OUT = {"trec": 500, "newsgroups": 1_000}


@dataclass(frozen=True)
class Examples:
    """Texts and what they are: a label is its place among the task's labels."""

    texts: tuple[str, ...]
    labels: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.texts)

    def first(self, n: int | None) -> "Examples":
        """The first `n` of them; all where None."""
        return Examples(self.texts[:n], self.labels[:n])


@dataclass(frozen=True)
class Task:
    """Texts to be told apart.

    Args:
        name: what `load_task` knows it by.
        labels: the classes, in the order of their numbers.
        train: to learn from; shuffled once, always alike.
        validation: cut from the published training set, to watch a training by.
        test: the published test set.
        checksums: `algorithm:digest` of what was read.
        source: where it came from, in words.
        licence: under which terms.
    """

    name: str
    labels: tuple[str, ...]
    train: Examples
    validation: Examples
    test: Examples
    checksums: dict[str, str]
    source: str
    licence: str


def _examples(pairs: Iterable[tuple[str, str]], labels: tuple[str, ...]) -> Examples:
    known = [(text, labels.index(label)) for label, text in pairs]
    return Examples(tuple(text for text, _ in known), tuple(label for _, label in known))


def load_task(name: str) -> Task:
    """Load a task: its texts and classes, cut in three.

    Args:
        name: `trec` (5,452 and 500 questions, six classes) or `newsgroups` (11,314 and 7,532 posts without headers,
            footers and quotes, twenty classes).

    Returns:
        The task. Validation is cut from the training set by lot, the same lot always.

    Raises:
        DataError: there is no such task, or its texts can't be had.
    """
    if name == "trec":
        read, licence = questions(), TREC_LICENCE
    elif name == "newsgroups":
        read, licence = posts(), NEWSGROUPS_LICENCE
    else:
        raise DataError(f"no task “{name}”; there are {', '.join(TASKS)}")
    labels = LABELS[name]
    known = list(read.train)
    random.Random(0).shuffle(known)
    cut = HELD_OUT[name]
    return Task(
        name=name,
        labels=labels,
        train=_examples(known[cut:], labels),
        validation=_examples(known[:cut], labels),
        test=_examples(read.test, labels),
        checksums=read.checksums,
        source=read.source,
        licence=licence,
    )


def describe_dataset(task: Task, train: int) -> Dataset:
    """What the record says of the data.

    Args:
        task: the texts.
        train: how many were learned from.
    """
    return Dataset(
        name=f"{task.name}, {task.source}",
        checksums=task.checksums,
        splits={"train": train, "validation": len(task.validation), "test": len(task.test)},
    )

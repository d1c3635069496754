"""What a fine-tuned model must beat: words counted, weighed and given to a linear classifier, within seconds."""

import time
from pathlib import Path
from typing import Any

from reconstructing_transformer.llama.resources import PEAK_MEMORY, peak_memory
from reconstructing_transformer.llama.tasks import Task, describe_dataset
from reconstructing_transformer.tracking.environment import describe_device
from reconstructing_transformer.tracking.run import track

SECONDS = "processor time of the fit alone (time.process_time)"
PROJECT = "llama-fine-tuning"
BASELINES = ("svm", "naive-bayes")
SETTINGS: dict[tuple[str, str], dict[str, Any]] = {
    # Found on the validation split. Of a question, words and pairs of words, for its small words say most.
    ("trec", "svm"): {"ngram_range": [1, 2], "sublinear_tf": True, "stop_words": None, "C": 3.0},
    ("trec", "naive-bayes"): {"ngram_range": [1, 2], "sublinear_tf": True, "stop_words": None, "alpha": 0.3},
    ("newsgroups", "svm"): {"ngram_range": [1, 1], "sublinear_tf": True, "stop_words": "english", "C": 1.0},
    ("newsgroups", "naive-bayes"): {"ngram_range": [1, 1], "sublinear_tf": True, "stop_words": None, "alpha": 0.3},
}


def pipeline(task: str, method: str, seed: int) -> Any:  # noqa: ANN401 (scikit-learn's Pipeline, imported late)
    """TF-IDF under a linear SVM or complement naive Bayes, by scikit-learn.

    Args:
        task: trec or newsgroups.
        method: svm or naive-bayes.
        seed: of the SVM's coordinate descent.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.naive_bayes import ComplementNB
    from sklearn.pipeline import make_pipeline
    from sklearn.svm import LinearSVC

    chosen = SETTINGS[task, method]
    words = TfidfVectorizer(
        ngram_range=tuple(chosen["ngram_range"]), sublinear_tf=chosen["sublinear_tf"], stop_words=chosen["stop_words"]
    )
    if method == "svm":
        return make_pipeline(words, LinearSVC(C=chosen["C"], random_state=seed))
    return make_pipeline(words, ComplementNB(alpha=chosen["alpha"]))


def train_baseline(
    task: Task,
    method: str,
    seed: int,
    *,
    runs: Path,
    command: str,
) -> Path:
    """Fit a baseline on the whole training set, judge it once by the test set, and record it as any other run.

    Args:
        task: texts and classes.
        method: one of `BASELINES`.
        seed: decides the order in which the SVM goes over its coordinates; naive Bayes has no use for it.
        runs: folder of the records.
        command: what was typed.

    Returns:
        The record.
    """
    import numpy as np

    from reconstructing_transformer.llama.scores import DEFINITIONS, scores

    model = pipeline(task.name, method, seed)
    begun = time.process_time()
    model.fit(task.train.texts, task.train.labels)
    seconds = time.process_time() - begun
    parameters = len(model[0].vocabulary_) * len(task.labels)
    with track(
        project=PROJECT,
        model=f"{task.name}-{method}",
        seed=seed,
        command=command,
        parameters=parameters,
        config=SETTINGS[task.name, method] | {"task": task.name, "method": method, "labels": list(task.labels)},
        dataset=describe_dataset(task, len(task.train)),
        device=describe_device("cpu", 1, "no"),
        folder=runs,
    ) as run:
        for split, examples in (("test", task.test), ("validation", task.validation)):
            said = model.predict(examples.texts)
            logits = np.eye(len(task.labels))[said]
            for name, value in scores(logits, np.array(examples.labels)).items():
                if split == "test" or name == "accuracy":
                    title = name if split == "test" else f"validation {name}"
                    run.measure(title, value, definition=DEFINITIONS[name], split=split)
        run.measure("peak memory", peak_memory(), definition=PEAK_MEMORY, split="training")
        run.measure("processor minutes", seconds / 60, definition=SECONDS, split="training")
    return runs / PROJECT / f"{run.id}.json"

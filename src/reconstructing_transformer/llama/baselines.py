"""What a fine-tuned model must beat: words counted, weighed and given to a linear classifier, within seconds."""

import time
from pathlib import Path
from typing import Any

from reconstructing_transformer.llama.resources import PEAK_MEMORY, peak_memory
from reconstructing_transformer.llama.tasks import Task, describe_dataset
from reconstructing_transformer.tracking.environment import describe_device
from reconstructing_transformer.tracking.run import track

SECONDS = "processor time of search and fit (time.process_time)"
PROJECT = "llama-fine-tuning"
BASELINES = ("svm", "naive-bayes")
WORDS: dict[str, list[Any]] = {  # of a question the small words say most, of a post the others
    "words__ngram_range": [(1, 1), (1, 2)],
    "words__stop_words": [None, "english"],
    "words__min_df": [1, 2],
}
TRIED = {
    "svm": WORDS | {"classifier__C": [0.1, 0.2, 0.5, 1.0, 3.0]},
    "naive-bayes": WORDS | {"classifier__alpha": [0.01, 0.03, 0.1, 0.3, 1.0]},
}


def search(task: Task, method: str, seed: int) -> Any:  # noqa: ANN401 (scikit-learn's GridSearchCV, imported late)
    """TF-IDF under a linear SVM or complement naive Bayes: the settings that the validation split likes best.

    A baseline gets every advantage: all of `TRIED` is tried, and the winner learns from the validation split too.

    Args:
        task: texts and classes.
        method: svm or naive-bayes.
        seed: of the SVM's coordinate descent.

    Returns:
        scikit-learn's search, to be fitted with `train` and `validation`, one behind the other.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.model_selection import GridSearchCV, PredefinedSplit
    from sklearn.naive_bayes import ComplementNB
    from sklearn.pipeline import Pipeline
    from sklearn.svm import LinearSVC

    classifier = LinearSVC(random_state=seed) if method == "svm" else ComplementNB()
    model = Pipeline([("words", TfidfVectorizer(sublinear_tf=True)), ("classifier", classifier)])
    held_out = PredefinedSplit([-1] * len(task.train) + [0] * len(task.validation))
    return GridSearchCV(model, TRIED[method], cv=held_out, error_score="raise")


def train_baseline(
    task: Task,
    method: str,
    seed: int,
    *,
    runs: Path,
    command: str,
) -> Path:
    """Choose a baseline by the validation split, judge it once by the test set, and record it as any other run.

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

    found, begun = search(task, method, seed), time.process_time()
    found.fit(task.train.texts + task.validation.texts, task.train.labels + task.validation.labels)
    seconds = time.process_time() - begun
    chosen = {name.partition("__")[2]: setting for name, setting in found.best_params_.items()}
    parameters = len(found.best_estimator_["words"].vocabulary_) * len(task.labels)
    with track(
        project=PROJECT,
        model=f"{task.name}-{method}",
        seed=seed,
        command=command,
        parameters=parameters,
        config=chosen | {"sublinear_tf": True, "task": task.name, "method": method, "labels": list(task.labels)},
        dataset=describe_dataset(task, len(task.train) + len(task.validation)),
        device=describe_device("cpu", 1, "no"),
        folder=runs,
    ) as run:
        said = np.eye(len(task.labels))[found.predict(task.test.texts)]
        for name, value in scores(said, np.array(task.test.labels)).items():
            run.measure(name, value, definition=DEFINITIONS[name], split="test")
        run.measure("validation accuracy", found.best_score_, definition=DEFINITIONS["accuracy"], split="validation")
        run.measure("peak memory", peak_memory(), definition=PEAK_MEMORY, split="training")
        run.measure("processor minutes", seconds / 60, definition=SECONDS, split="training")
    return runs / PROJECT / f"{run.id}.json"

"""How a classifier of texts is judged: by scikit-learn."""

from typing import Any

DEFINITIONS = {
    "accuracy": "share of texts whose likeliest class is right (sklearn.metrics.accuracy_score)",
    "f1": "mean over the classes of F1 (sklearn.metrics.f1_score, average='macro')",
}


def scores(logits: Any, labels: Any) -> dict[str, float]:  # noqa: ANN401 (arrays)
    """Accuracy and macro F1.

    Args:
        logits: a row a text.
        labels: the right classes.
    """
    from sklearn.metrics import accuracy_score, f1_score

    said = logits.argmax(-1)
    return {
        "accuracy": float(accuracy_score(labels, said)),
        "f1": float(f1_score(labels, said, average="macro", zero_division=0)),
    }

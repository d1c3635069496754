"""The baselines: recorded as any other run."""

import pytest

from reconstructing_transformer.llama.baselines import BASELINES, TRIED, train_baseline
from reconstructing_transformer.tracking.record import read_record


@pytest.mark.parametrize("method", BASELINES)
def test_a_baseline_learns_and_leaves_a_record(method, task, tmp_path):
    record = read_record(train_baseline(task, method, 2, runs=tmp_path, command="a test"))
    assert record.status == "finished"
    assert (record.model, record.seed) == (f"trec-{method}", 2)
    assert record.metrics["accuracy"].value == 1.0
    assert record.metrics["processor minutes"].value < 1


def test_what_the_validation_split_likes_best_learns_from_it_too(task, tmp_path):
    record = read_record(train_baseline(task, "naive-bayes", 1, runs=tmp_path, command="a test"))
    assert record.config["alpha"] in TRIED["naive-bayes"]["classifier__alpha"]
    assert record.metrics["validation accuracy"].split == "validation"
    assert record.dataset.splits == {"train": len(task.train) + len(task.validation), "validation": 8, "test": 8}

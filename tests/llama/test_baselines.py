"""The baselines: recorded as any other run."""

import pytest

from reconstructing_transformer.llama.baselines import BASELINES, train_baseline
from reconstructing_transformer.tracking.record import read_record


@pytest.mark.parametrize("method", BASELINES)
def test_a_baseline_learns_and_leaves_a_record(method, task, tmp_path):
    record = read_record(train_baseline(task, method, 2, runs=tmp_path, command="a test"))
    assert record.status == "finished"
    assert (record.model, record.seed) == (f"trec-{method}", 2)
    assert record.metrics["accuracy"].value == 1.0
    assert record.metrics["processor minutes"].value < 1

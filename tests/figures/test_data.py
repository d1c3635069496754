"""The data of a figure as files: what went in can be read back, to the last digit, with names."""

import csv
import io
import json
from inspect import unwrap

import numpy as np
import pandas as pd
import pytest
import torch

from reconstructing_transformer.figures import labelled
from reconstructing_transformer.figures.data import data_files, to_csv, to_json


@pytest.fixture
def table():
    return pd.DataFrame({"step": [1, 2], "loss": [0.5, 0.25]})


@pytest.fixture
def tensor():
    return labelled(torch.tensor([[0.25, 0.75], [1.0, 0.0]]), query=["a", "b"], key=["x", "y"])


def written(*arguments, **axes):
    return json.loads(to_json(labelled(*arguments, **axes)))


def unchecked(function):
    """The function as readers call it: the tests' import hook checks the types of arguments before the function can."""
    return unwrap(function)


# Tensors -----------------------------------------------------------------------------------------------------------


def test_a_tensor_keeps_its_numbers_and_the_names_of_its_axes(tensor):
    assert json.loads(to_json(tensor)) == {
        "axes": [{"name": "query", "labels": ["a", "b"]}, {"name": "key", "labels": ["x", "y"]}],
        "values": [[0.25, 0.75], [1.0, 0.0]],
    }


@pytest.mark.parametrize("values", [[1.5, 2.5], np.array([1.5, 2.5]), torch.tensor([1.5, 2.5])])
def test_numbers_may_come_as_a_list_an_array_or_a_tensor(values):
    assert written(values, place=range(2))["values"] == [1.5, 2.5]


def test_a_tensor_may_have_a_gradient():
    assert written(torch.ones(2, requires_grad=True), place=range(2))["values"] == [1.0, 1.0]


def test_a_tensor_may_have_more_axes_than_a_page():
    values = torch.arange(24).reshape(2, 3, 4)
    assert written(values, head=range(2), query=range(3), key=range(4))["values"] == values.tolist()


@pytest.mark.parametrize("kind", [torch.float32, torch.float64, torch.int64, torch.bool])
def test_numbers_stay_what_they_are(kind):
    values = torch.tensor([0, 1]).to(kind)
    assert written(values, place=range(2))["values"] == values.tolist()
    assert type(written(values, place=range(2))["values"][1]) is type(values.tolist()[1])


def test_a_small_number_has_no_more_digits_than_it_knows():
    single, double = 0.1 * torch.ones(1), 0.1 * torch.ones(1).double()
    assert "[0.1]" in to_json(labelled(single, place=["a"]))
    assert "[0.1]" in to_json(labelled(double, place=["a"]))


def test_numbers_can_be_read_back_to_the_last_digit():
    torch.manual_seed(0)
    for kind in (torch.float32, torch.float64):
        values = torch.randn(50, dtype=kind)
        read = torch.tensor(written(values, place=range(50))["values"], dtype=kind)
        assert torch.equal(read, values)


def test_what_is_no_number_becomes_null():
    values = torch.tensor([1.0, torch.nan, torch.inf])
    assert written(values, place=range(3))["values"] == [1.0, None, None]


def test_labels_may_be_numbers_of_numpy_and_of_torch():
    tensor = unchecked(labelled)([0, 0, 0], place=[np.int64(3), np.float32(0.1), torch.tensor(2)])
    assert json.loads(to_json(tensor))["axes"] == [{"name": "place", "labels": [3, 0.1, 2]}]


def test_letters_are_written_as_letters(tensor):
    assert "ε′" in to_json(labelled([1.0], sign=["ε′"]))
    assert to_json(tensor).endswith("}\n")


@pytest.mark.parametrize(
    ("axes", "named"),
    [
        ({"query": "ab"}, r"query \(2 labels\)"),
        ({"query": "ab", "key": "xyz"}, r"query \(2 labels\), key \(3 labels\)"),
        ({"head": "h", "query": "ab", "key": "xy"}, r"head \(1 labels\)"),
    ],
)
def test_axes_that_do_not_fit_are_refused_by_name(axes, named):
    with pytest.raises(ValueError, match=rf"shape \(2, 2\) needs one axis for each size.*got .*{named}"):
        labelled(torch.eye(2), **axes)


# Tables ------------------------------------------------------------------------------------------------------------


def test_a_table_has_a_head_and_a_line_for_each_row(table):
    assert to_csv(table) == "step,loss\n1,0.5\n2,0.25\n"


def test_an_index_that_only_counts_is_left_out_and_one_with_names_stays(table):
    named = table.set_index(pd.Index(["first", "second"], name="row"))
    assert to_csv(named) == "row,step,loss\nfirst,1,0.5\nsecond,2,0.25\n"
    assert to_csv(table.rename_axis("row")).startswith("row,step,loss\n0,1,0.5\n")


def test_a_name_with_a_comma_is_still_one_column(table):
    text = to_csv(table.rename(columns={"loss": "loss, “with” the root"}))
    assert next(csv.reader(io.StringIO(text))) == ["step", "loss, “with” the root"]


def test_a_gap_stays_empty(table):
    table.loc[0, "loss"] = np.nan
    assert to_csv(table) == "step,loss\n1,\n2,0.25\n"


@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
def test_a_table_of_tensors_can_be_read_back_to_the_last_digit(kind):
    torch.manual_seed(0)
    values = torch.randn(50, dtype=kind)
    _, *lines = to_csv(pd.DataFrame({"y": values})).splitlines()
    assert torch.equal(torch.tensor([float(line) for line in lines], dtype=kind), values)


# Files -------------------------------------------------------------------------------------------------------------


def test_a_table_becomes_csv_and_a_tensor_json(table, tensor):
    assert data_files("loss", table) == {"loss.csv": to_csv(table).encode()}
    assert data_files("map", tensor) == {"map.data.json": to_json(tensor).encode()}


def test_several_have_a_file_each(table, tensor):
    files = data_files("both", {"curve": table, "maps": tensor})
    assert files == {"both-curve.csv": to_csv(table).encode(), "both-maps.data.json": to_json(tensor).encode()}


@pytest.mark.parametrize("data", [[1, 2], torch.ones(2), np.ones(2), "a,b", 3.0])
def test_what_has_no_names_is_refused(data):
    with pytest.raises(TypeError, match=rf"a DataFrame.*labelled.*or a dictionary.*got {type(data).__name__}"):
        unchecked(data_files)("loss", data)
    with pytest.raises(TypeError):
        unchecked(data_files)("loss", {"part": data})

"""A result table says what the records hold, in one form everywhere, and refuses records that make no result."""

import csv
import io
import math
import re

import numpy as np
import pytest
import yaml

from reconstructing_transformer.tracking.published import PublishedError, PublishedProject, read_published
from reconstructing_transformer.tracking.summary import ResultError, summarise
from reconstructing_transformer.tracking.table import ResultTable, result_table
from tests.records import DEFINITION, PUBLISHED, a_record, three_seeds


@pytest.fixture
def published() -> PublishedProject:
    return PublishedProject.model_validate(yaml.safe_load(PUBLISHED)["toy-vision"])


@pytest.fixture
def table(published) -> ResultTable:
    return result_table(three_seeds(), published)


def column(table: ResultTable, title: str) -> list[str]:
    (place,) = [place for place, column in enumerate(table.columns) if f"{column.group}/{column.head}" == title]
    return [row[place] for row in table.texts]


def test_a_row_is_a_model_in_the_published_order(table):
    assert column(table, "Model/Model") == ["Small toy", "Deep toy"]
    assert column(table, "Parameters/Parameters") == ["1,234", "56,789"]


def test_models_that_nobody_published_come_after_the_others_by_name(published):
    table = result_table([*three_seeds(), a_record("beta"), a_record("alpha")], published)
    assert column(table, "Model/Model") == ["Small toy", "Deep toy", "alpha", "beta"]


def test_a_metric_is_mean_and_sample_deviation_over_seeds(table):
    for model, text in zip(("small", "deep"), column(table, "Accuracy/ours"), strict=True):
        values = [record.metrics["accuracy"].value for record in three_seeds() if record.model == model]
        assert text == f"{np.mean(values):.4f} ± {np.std(values, ddof=1):.4f}"
    assert column(table, "n/n") == ["3", "3"]
    assert column(table, "Seeds/Seeds") == ["1, 2, 3", "1, 2, 3"]


def test_one_run_has_no_deviation_and_the_table_says_so(published):
    table = result_table([a_record()], published)
    assert column(table, "Accuracy/ours") == ["0.9700"]
    assert column(table, "n/n") == ["1"]
    assert "One run has no deviation." in table.notes[0]
    assert "accuracy sd" not in table.csv()


def test_what_was_published_stands_beside_ours(table):
    assert column(table, "Accuracy/published") == ["0.9500", "—"]
    assert column(table, "Training time/published") == ["3 min 5 s", "—"]
    assert "Published: README of the toys (30 epochs, GPU)." in table.notes


def test_where_nothing_was_published_there_is_no_column_for_it():
    assert [column.head for column in result_table(three_seeds()).columns] == [
        "Model", "Parameters", "Accuracy", "F1", "Training time", "n", "Seeds",
    ]  # fmt: skip


def test_time_is_a_mean_with_its_device(table, published):
    assert column(table, "Training time/ours") == ["1 min 42 s", "1 h 7 min"]
    assert "Training time: mean wall time of a run, on Toy CPU, 2 threads." in table.notes
    gpu = {"kind": "cuda", "name": "Toy GPU", "processes": 1, "threads": 2, "precision": "bf16"}
    mixed = result_table([a_record(), a_record("deep", device=gpu)], published)
    assert column(mixed, "Training time/ours") == ["1 min 41 s, Toy CPU, 2 threads", "1 min 41 s, Toy GPU, bf16"]


def test_a_published_size_that_is_not_ours_is_shown(published):
    table = result_table([a_record(parameters=1_235)], published)
    assert column(table, "Parameters/Parameters") == ["1,235 (published: 1,234)"]


def test_what_exactly_was_measured_stands_below(table):
    assert f"Accuracy, on test: {DEFINITION}." in table.notes


def test_runs_that_were_configured_differently_are_confessed(published):
    other = a_record(seed=2, config={"epochs": 9, "learning_rate": 0.0015, "seed": 2})
    assert "The runs of Small toy differ in epochs, too." in result_table([a_record(), other], published).notes
    assert not any("differ in epochs" in note for note in result_table(three_seeds(), published).notes)


def test_metrics_and_models_can_be_chosen(published):
    table = result_table(three_seeds(), published, metrics=["f1"], models=["deep"])
    assert column(table, "Model/Model") == ["Deep toy"]
    assert "Accuracy" not in table.text()
    assert column(table, "F1/F1") == ["0.9895 ± 0.0006"]


def test_decimals_are_those_of_the_metric():
    published = PublishedProject.model_validate({"metrics": {"accuracy": {"label": "ACC", "decimals": 1}}})
    table = result_table([a_record(seed=1, accuracy=34.24), a_record(seed=2, accuracy=35.94)], published)
    assert column(table, "ACC/ACC") == ["35.1 ± 1.2"]
    assert "small,small,1234,35.1,1.2," in table.csv()


# One form everywhere ------------------------------------------------------------------------------------------------


def test_every_form_says_the_same(table):
    plain = [re.split(r"  +", line) for line in table.text().splitlines()[2:4]]
    markdown = [line.strip("| ").split(" | ") for line in table.markdown().splitlines()[2:4]]
    latex = [
        line.removesuffix(r" \\").replace(r"$\pm$", "±").replace("---", "—").split(" & ")
        for line in table.latex().splitlines()
        if " & " in line and "toy" in line
    ]
    assert plain == markdown == latex == table.texts


def test_csv_is_read_back_as_the_numbers_of_the_table(table):
    rows = list(csv.DictReader(io.StringIO(table.csv())))
    for row, texts in zip(rows, column(table, "Accuracy/ours"), strict=True):
        assert f"{row['accuracy']} ± {row['accuracy sd']}" == texts
        assert row["runs"].split() == [f"{row['model']}-{seed}" for seed in (1, 2, 3)]
    assert [row["accuracy published"] for row in rows] == ["0.9500", ""]


def test_the_frame_keeps_all_digits(table):
    values = [0.99, 0.9904, 0.9912]
    assert math.isclose(table.frame["accuracy"][1], sum(values) / 3)
    assert math.isclose(table.frame["accuracy sd"][1], np.std(values, ddof=1))


def test_names_are_text_in_every_form(published):
    harmful = published.model_copy(
        update={"models": {"small": published.models["small"].model_copy(update={"label": "<b>&_|*x*"})}}
    )
    table = result_table([a_record()], harmful)
    assert "<b>" not in table.markdown()
    assert r"&lt;b&gt;&amp;\_\|\*x\*" in table.markdown()
    assert r"<b>\&\_|*x*" in table.latex()


def test_nothing_that_a_terminal_obeys_is_printed(published):
    device = {"kind": "cpu", "name": "A\x1b[31m\nCPU", "processes": 1, "threads": 1, "precision": "no"}
    text = result_table([a_record(device=device)], published).text()
    assert "\x1b" not in text
    assert "on A [31m CPU, 1 thread." in text


# Records that make no result ----------------------------------------------------------------------------------------

OTHER = {"accuracy": {"value": 0.9, "definition": "our own", "split": "test"}}
WITH_F1 = OTHER | {"f1": {"value": 0.9, "definition": "torchmetrics MulticlassF1Score, macro average", "split": "test"}}
WRONG = {
    "failed": (lambda: [a_record(status="failed", error="killed")], "run small-1 has the status “failed”"),
    "parameters": (lambda: [a_record(), a_record(seed=2, parameters=9)], "1,234 (run small-1), 9 (run small-2)"),
    "seed": (lambda: [a_record(), a_record(id="again")], "2 runs have the seed 1: again, small-1"),
    "meaning": (lambda: [a_record(), a_record(seed=2, metrics=OTHER)], "measure different things as “accuracy”"),
    "models": (
        lambda: [a_record(metrics=WITH_F1), a_record("deep")],
        "the models measure different things as “accuracy”",
    ),
    "metric": (lambda: [a_record(), a_record("deep", metrics=OTHER)], "no metric “f1” in run deep-1; metrics are acc"),
    "projects": (lambda: [a_record(), a_record(project="other")], "one project; got other, toy-vision"),
    "none": (list, "there is no record"),
}


@pytest.mark.parametrize("case", WRONG)
def test_records_that_make_no_result_are_refused_by_name(case, published):
    make, said = WRONG[case]
    with pytest.raises(ResultError, match=re.escape(said)):
        result_table(make(), published)


def test_a_model_that_was_not_trained_is_named(published):
    with pytest.raises(ResultError, match=r"no run of wide; there are runs of small, deep"):
        result_table(three_seeds(), published, models=["small", "wide"])


def test_seeds_stand_in_their_order():
    shuffled = [three_seeds()[place] for place in (2, 0, 1)]
    assert summarise(shuffled)["small"].seeds == (1, 2, 3)


# What was published -------------------------------------------------------------------------------------------------


def test_the_books_file_of_published_figures_is_read(request):
    folder = request.config.rootpath / "book" / "runs"
    project = read_published(folder / "published.yml")["vision-transformer"]
    assert project.models["deep-vit"].published.parameters == 502_346
    published = {name: entry.published.epochs for name, entry in project.models.items()}
    assert published.pop("paper-vit") is None  # the original project had no model in the paper's own form
    assert set(published.values()) == {30}


def test_a_file_that_is_not_there_says_nothing(tmp_path):
    assert read_published(tmp_path / "published.yml") == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("p: {modles: {}}", r"published\.yml: p\.modles: Extra inputs"),
        ("p: {models: {m: {}}}", r"p\.models\.m\.label: Field required"),
        ("p: {metrics: {a: {decimals: -1}}}", r"p\.metrics\.a\.decimals: Input should be greater"),
        ("[", r"published\.yml: not readable as YAML"),
    ],
)
def test_a_file_that_cannot_be_right_is_named_with_its_place(tmp_path, text, said):
    path = tmp_path / "published.yml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(PublishedError, match=said):
        read_published(path)

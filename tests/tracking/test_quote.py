"""Prose quotes the records, and a number that none of them backs is found."""

import re

import pytest
import yaml

from reconstructing_transformer.tracking.backing import backing, numbers_in
from reconstructing_transformer.tracking.forms import duration, size
from reconstructing_transformer.tracking.published import PublishedProject
from reconstructing_transformer.tracking.quote import quote
from reconstructing_transformer.tracking.summary import ResultError, summarise
from tests.records import PUBLISHED, a_record, three_seeds

FORM = PublishedProject.model_validate(yaml.safe_load(PUBLISHED)["toy-vision"])
MODELS = summarise(three_seeds(), FORM)

QUOTED = {
    "small/accuracy": "0.9720",
    "small/accuracy:mean": "0.9720",
    "small/accuracy:both": "0.9720 ± 0.0020",
    "small/accuracy:sd": "0.0020",
    "small/accuracy:n": "3",
    "small/accuracy:min": "0.9700",
    "small/accuracy:max": "0.9740",
    "small/accuracy:percent": "97.20%",
    "small/accuracy:gain": "+0.0220",
    "small@3/accuracy": "0.9740",
    "small@3/accuracy:both": "0.9740",
    "small/parameters": "1,234",
    "small/device": "Toy CPU, 2 threads",
    "small/n": "3",
    "small/time": "1 min 42 s",
    "small/time:seconds": "102",
    "deep/time:minutes": "67",
    "small/config.epochs": "8",
    "small@2/config.seed": "2",
    "small/published-accuracy": "0.9500",
    "small/published-accuracy:percent": "95.00%",
    "small/published-parameters": "1,234",
    "small/published-time": "3 min 5 s",
    "small/published-epochs": "30",
}


def quoted(words: str):
    return quote(f"toy-vision/{words}", {"toy-vision": MODELS}, {"toy-vision": FORM})


@pytest.mark.parametrize("words", QUOTED)
def test_a_quotation_is_what_the_records_say(words):
    assert quoted(words).text == QUOTED[words]


def test_a_quotation_says_what_it_is():
    assert quoted("small/accuracy").title == (
        "Small toy: Accuracy on test, mean of 3 runs (seeds 1, 2, 3). torchmetrics MulticlassAccuracy, micro average"
    )
    assert (quoted("small/accuracy").run, quoted("small@2/accuracy").run) == (None, "small-2")


def test_a_loss_against_the_published_figure_has_its_sign():
    models = summarise([a_record(accuracy=0.94)], FORM)
    assert quote("toy-vision/small/accuracy:gain", {"toy-vision": models}, {"toy-vision": FORM}).text == "−0.0100"


ASTRAY = {
    "small": "PROJECT/MODEL/WHAT",
    "smal/accuracy": "there are small, deep; did you mean “small”?",
    "small@7/accuracy": "no seed “7”; there are 1, 2, 3",
    "small/accurcy": "did you mean “accuracy”?",
    "small/accuracy:median": "it has the forms mean, both, sd",
    "small/parameters:percent": "“parameters” has no form “percent”; it has no forms",
    "small@1/accuracy:sd": "needs two runs or more",
    "deep/accuracy:gain": "published.yml has none",
    "deep/published-accuracy": "no published figure “published-accuracy”; there are none",
    "small/published-bleu": "published-accuracy, published-f1",
    "small/config.epoch": "no `epoch` in the configuration of its runs; there is epochs",
    "small/config.seed": "its runs have different `seed`: 1, 2, 3",
}


@pytest.mark.parametrize("words", ASTRAY)
def test_a_quotation_of_what_is_not_there_lists_what_there_is(words):
    with pytest.raises(ResultError, match=re.escape(ASTRAY[words])):
        quoted(words)


# Numbers in prose ---------------------------------------------------------------------------------------------------

TEXTS = {
    "reaches 0.9931 in 8 epochs": ["0.9931"],
    "99.31% or 99 %, or 1,234.50 s.": ["99.31%", "99 %", "1,234.50"],
    "by −0.25, (0.50) and “0.75”": ["0.25", "0.50", "0.75"],
    "0.1 is short, 1,199,882 is whole, 1.2.34 a version, v0.25 too, §3.14 a section, arXiv:2010.11929 a paper": [],
    "x0.25, 0.25x and 3.141.": [  "3.141"],
}  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
def test_numbers_that_look_measured_are_seen(text):
    assert [number.text for number in numbers_in(text)] == TEXTS[text]


BACKED = ["0.9720", "0.972", "0.97", "97.2%", "97%", "0.0020", "0.0015", "0.9740", "0.9500", "95%", "102.00", "1.70"]
LOOSE = ["0.9721", "0.98", "97.6%", "50%", "0.0021", "0.0016", "3.14", "101.50"]


@pytest.mark.parametrize("text", BACKED)
def test_a_number_of_the_records_is_backed_at_its_precision(text):
    (number,) = numbers_in(text)
    assert backing([MODELS["small"]], [FORM]).backs(number)


@pytest.mark.parametrize("text", LOOSE)
def test_a_number_of_no_record_is_not(text):
    (number,) = numbers_in(text)
    assert not backing([MODELS["small"]], [FORM]).backs(number)


def test_nothing_backs_a_number_where_there_are_no_records():
    (number,) = numbers_in("0.00")
    assert not backing([]).backs(number)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (4.2, "4.2 s"),
        (9.96, "10 s"),
        (41.4, "41 s"),
        (59.7, "1 min 0 s"),
        (416.0, "6 min 56 s"),
        (7_500.0, "2 h 5 min"),
    ],
)
def test_times_are_written_for_people(seconds, text):
    assert duration(seconds) == text


def test_sizes_are_written_for_people():
    assert [size(count) for count in (12, 2_000, 2_009_384, 3_000_000_000)] == ["12 B", "2.0 kB", "2.0 MB", "3.0 GB"]

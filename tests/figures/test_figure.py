"""`show` makes a figure whole: words, data and drawing in files that are the same every time, or an error."""

import base64
import hashlib
import json
from io import BytesIO
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
import pytest
import torch
from PIL import Image

from reconstructing_transformer.figures import attention_map, book_style, draw_attention, encoder_diagram, show
from reconstructing_transformer.figures.figure import MIME, figures_folder

NAMES = {"curve.svg", "curve-dark.svg", "curve.pdf", "curve.png", "curve.csv", "curve.meta.json"}
TABLE = pd.DataFrame({"x": [0, 1, 2], "y": [1.0, 3.0, 2.0]})
WORDS = {"caption": "A curve. It rises.", "alt": "Rises, then falls"}


@pytest.fixture(autouse=True)
def headless():
    plt.switch_backend("agg")
    yield
    plt.close("all")


def drawing():
    with book_style():
        figure, axes = plt.subplots(figsize=(4, 3))
        axes.plot(TABLE["x"], TABLE["y"])
        axes.set(xlabel="x", ylabel="y", xlim=(0, 2), ylim=(0, 4))
    return figure


def shown(**changes):
    return show(drawing(), **{"id": "curve", **WORDS, "data": TABLE} | changes)


@pytest.fixture(scope="module")
def curve(tmp_path_factory):
    """One figure, for the tests that only look at it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECONSTRUCT_FIGURES", str(tmp_path_factory.mktemp("curve")))
        plt.switch_backend("agg")
        return shown()


def maps(count: int, *, same: bool = True, title: str = "head {}"):
    """A figure with some maps; the last one has other keys unless they are all the same."""
    with book_style():
        figure, row = plt.subplots(1, count, squeeze=False)
        for i, axes in enumerate(row[0]):
            keys = ["x", "y"] if same or i < count - 1 else ["u", "v"]
            attention_map(axes, torch.eye(2) * (i + 1) / 4, ["a", "b"], keys, title=title.format(i + 1))
    return figure


def tensor_of(figure, name: str) -> dict:
    return json.loads(figure.files[name])


# What must be there ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("id", ["", "Loss", "loss curve", "loss_curve", "-loss", "loss-", "loss--curve", "löss", "a/b"])
def test_an_id_is_an_address(id):  # noqa: A002
    with pytest.raises(ValueError, match=f"lower-case letters, digits and hyphens.*got {id!r}"):
        shown(id=id)


@pytest.mark.parametrize("id", ["loss", "loss-curve", "2-heads", "q"])
def test_letters_digits_and_hyphens_make_an_id(id):  # noqa: A002
    assert shown(id=id).id == id


@pytest.mark.parametrize("words", ["caption", "alt"])
@pytest.mark.parametrize("empty", ["", "  \n"])
def test_a_figure_needs_words(words, empty):
    with pytest.raises(ValueError, match=f"needs `{words}`"):
        shown(**{words: empty})


@pytest.mark.parametrize("words", ["caption", "alt"])
def test_words_cannot_be_forgotten(words):
    others = {name: text for name, text in WORDS.items() if name != words}
    with pytest.raises(TypeError, match=words):
        show(drawing(), "curve", data=TABLE, **others)


def test_an_id_cannot_be_forgotten():
    with pytest.raises(TypeError, match="id"):
        show(drawing(), data=TABLE, **WORDS)


def test_a_figure_needs_data():
    with pytest.raises(ValueError, match="needs `data`: a table or a labelled tensor"):
        shown(data=None)


def test_data_without_names_are_refused():
    for nameless in (torch.ones(3), [1, 2], "x,y"):
        with pytest.raises(TypeError):
            shown(data=nameless)


def test_what_is_refused_leaves_no_file(saved):
    for wrong in ({"id": "A"}, {"caption": ""}, {"alt": ""}, {"data": None}, {"data": [1]}):
        with pytest.raises((ValueError, TypeError)):
            shown(**wrong)
    assert not saved.exists()


# Files -------------------------------------------------------------------------------------------------------------


def test_a_figure_is_saved_in_every_form(saved):
    figure = shown()
    assert {path.name for path in saved.iterdir()} == figure.files.keys() == NAMES
    for name, content in figure.files.items():
        assert (saved / name).read_bytes() == content


def test_files_begin_as_files_of_their_kind_do(curve):
    files = curve.files
    assert files["curve.svg"].startswith(b"<svg")
    assert files["curve.pdf"].startswith(b"%PDF-")
    assert files["curve.csv"] == b"x,y\n0,1.0\n1,3.0\n2,2.0\n"
    assert files["curve-dark.svg"] != files["curve.svg"]


def test_the_picture_has_two_pixels_for_each_of_the_pages(curve):
    with Image.open(BytesIO(curve.files["curve.png"])) as image:
        assert image.size == (2 * 4 * 96, 2 * 3 * 96)


def test_the_same_figure_has_the_same_bytes():
    assert shown().files == shown().files


def test_a_figure_that_is_shown_again_replaces_its_files(saved):
    shown()
    again = shown(data=TABLE.assign(y=[2, 3, 1]), alt="Falls")
    assert {path.name: path.read_bytes() for path in saved.iterdir()} == again.files


def test_a_file_is_whole_or_not_there(saved, monkeypatch):
    shown()
    before = {path.name: path.read_bytes() for path in saved.iterdir()}
    write = Path.write_bytes

    def write_half(path, content):
        write(path, content[: len(content) // 2])
        raise OSError("the disk is full")

    monkeypatch.setattr(Path, "write_bytes", write_half)
    with pytest.raises(OSError, match="the disk is full"):
        shown(alt="Another text")
    assert {name: (saved / name).read_bytes() for name in before} == before


def test_a_folder_is_the_current_ones_unless_it_is_named(saved, monkeypatch, tmp_path):
    assert figures_folder() == saved
    monkeypatch.chdir(tmp_path)
    for unnamed in ("", None):
        monkeypatch.delenv("RECONSTRUCT_FIGURES") if unnamed is None else monkeypatch.setenv(
            "RECONSTRUCT_FIGURES", unnamed
        )
        assert figures_folder() == Path("figures")
    shown()
    assert (tmp_path / "figures" / "curve.svg").is_file()


def test_the_description_lists_the_other_files_as_they_are(curve):
    files = curve.files
    facts = json.loads(files["curve.meta.json"])
    assert {name: facts[name] for name in ("id", "caption", "alt")} == {"id": "curve", **WORDS}
    assert {file["name"] for file in facts["files"]} == NAMES - {"curve.meta.json"}
    for file in facts["files"]:
        content = files[file["name"]]
        assert (file["bytes"], file["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())


def test_the_description_says_what_the_axes_mean(curve):
    (axes,) = json.loads(curve.files["curve.meta.json"])["axes"]
    left, top, right, bottom = axes["box"]
    assert 0 < left < right <= 4 * 72
    assert 0 <= top < bottom < 3 * 72
    assert (axes["xlim"], axes["ylim"], axes["scales"]) == ([0, 2], [0, 4], ["linear", "linear"])


def test_a_caption_is_one_paragraph():
    assert shown(caption="  A curve.\n    It rises. ").caption == WORDS["caption"]


# What a notebook gets ----------------------------------------------------------------------------------------------


def test_a_notebook_gets_everything_in_one_output(curve):
    bundle = curve._repr_mimebundle_()
    payload = bundle[MIME]
    assert bundle.keys() == {MIME, "text/html", "text/plain"}
    assert {name: payload[name] for name in ("id", "caption", "alt")} == {"id": "curve", **WORDS}
    assert payload["svg"] == curve.svg
    assert {name: base64.b64decode(text) for name, text in payload["files"].items()} == curve.files
    assert json.loads(json.dumps(payload)) == payload
    assert bundle["text/plain"] == "[figure curve: Rises, then falls]"


def test_a_notebook_shows_drawing_and_caption():
    figure = shown(caption="A curve of {cite:t}`vaswani2017`, as in {numref}`this one <fig-loss>`: x < 3.")
    html = figure._repr_html_()
    assert html == figure._repr_mimebundle_()["text/html"]
    assert figure.svg in html
    assert "A curve of vaswani2017, as in this one: x &lt; 3." in html


# What a drawing brings along ---------------------------------------------------------------------------------------


def test_one_map_is_one_tensor():
    figure = show(maps(1), "maps", **WORDS)
    assert tensor_of(figure, "maps.data.json") == {
        "axes": [{"name": "query", "labels": ["a", "b"]}, {"name": "key", "labels": ["x", "y"]}],
        "values": [[0.25, 0.0], [0.0, 0.25]],
    }


def test_maps_of_the_same_words_are_stacked_by_their_titles():
    tensor = tensor_of(show(maps(2), "maps", **WORDS), "maps.data.json")
    assert [axis["name"] for axis in tensor["axes"]] == ["map", "query", "key"]
    assert tensor["axes"][0]["labels"] == ["head 1", "head 2"]
    assert tensor["values"] == [[[0.25, 0.0], [0.0, 0.25]], [[0.5, 0.0], [0.0, 0.5]]]


def test_the_heads_of_an_attention_are_stacked():
    heads = torch.tensor([[[0.25, 0.75]], [[1.0, 0.0]]])
    tensor = tensor_of(show(draw_attention(heads, ["a"], ["x", "y"]), "maps", **WORDS), "maps.data.json")
    assert tensor["axes"][0] == {"name": "map", "labels": ["head 1", "head 2"]}
    assert tensor["values"] == heads.tolist()


def test_maps_of_other_words_have_a_file_each():
    figure = show(maps(3, same=False), "maps", **WORDS)
    assert [name for name in figure.files if "data" in name] == [f"maps-map-{i}.data.json" for i in (1, 2, 3)]
    assert tensor_of(figure, "maps-map-3.data.json")["axes"][1]["labels"] == ["u", "v"]


def test_a_diagram_brings_its_boxes():
    text = show(encoder_diagram(), "encoder", **WORDS).files["encoder.csv"].decode()
    assert text.splitlines()[0] == "box,left,right,bottom,top"
    assert "multi-head self-attention" in text


def test_what_is_given_stands_beside_what_is_drawn():
    more = show(maps(2), "maps", data={"rings": TABLE}, **WORDS).files
    assert {"maps-maps.data.json", "maps-rings.csv"} <= more.keys()
    one = show(maps(2), "maps", data=TABLE, **WORDS).files
    assert {"maps-maps.data.json", "maps-data.csv"} <= one.keys()

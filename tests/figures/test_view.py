"""The page carries attention weights as bytes, and says clearly what it cannot carry."""

import base64
import io
import json
import re
from html.parser import HTMLParser

import pytest
import torch
from PIL import Image

from reconstructing_transformer.figures.view import AttentionView, Start, attention_view, patch_image

ENGLISH = ["forty", "-", "two", "</s>"]
GERMAN = ["zwei", "und", "vierzig"]


def heads(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1)).softmax(-1)


def island(view: AttentionView) -> dict:
    return json.loads(view.to_json())


def decoded(text: str, *shape: int) -> torch.Tensor:
    return torch.tensor(list(base64.b64decode(text))).view(*shape) / 255


def test_weights_are_kept_to_half_a_byte_in_the_order_of_the_tensor():
    weights = heads(3, 2, 4, 3)
    found = decoded(island(attention_view(weights, ENGLISH, GERMAN))["weights"], 3, 2, 4, 3)
    torch.testing.assert_close(found, weights, rtol=0, atol=0.5 / 255 + 1e-6)


def test_weights_of_zero_and_one_are_exact():
    found = decoded(island(attention_view(torch.eye(3)[None], GERMAN))["weights"], 1, 1, 3, 3)
    assert torch.equal(found, torch.eye(3)[None, None])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_weights_of_any_precision_are_taken(dtype):
    weights = heads(1, 3, 3).to(dtype).requires_grad_()
    found = decoded(island(attention_view(weights, GERMAN))["weights"], 1, 3, 3)
    torch.testing.assert_close(found, weights.detach().float(), rtol=0, atol=0.5 / 255 + 1e-6)


def test_layers_and_heads_are_numbered_from_one():
    data = island(attention_view(heads(2, 3, 4, 4), ENGLISH))
    assert data["rows"] == ["layer 1", "layer 2"]
    assert data["columns"] == ["head 1", "head 2", "head 3"]


def test_a_single_layer_and_a_single_head_need_no_name():
    data = island(attention_view(heads(1, 4, 4), ENGLISH))
    assert (data["rows"], data["columns"]) == ([""], [""])


def test_given_names_are_kept():
    data = island(attention_view(heads(1, 2, 4, 4), ENGLISH, rows=["decoder"], columns=["causal", "free"]))
    assert (data["rows"], data["columns"]) == (["decoder"], ["causal", "free"])


def test_without_keys_it_is_self_attention():
    data = island(attention_view(heads(2, 4, 4), ENGLISH))
    assert data["self"]
    assert data["keys"] == data["queries"] == ENGLISH


def test_with_keys_it_is_cross_attention():
    data = island(attention_view(heads(2, 4, 3), ENGLISH, GERMAN))
    assert not data["self"]
    assert data["keys"] == GERMAN


def test_rollout_is_one_more_head():
    rollout = heads(4, 4)
    (extra,) = island(attention_view(heads(2, 4, 4), ENGLISH, rollout=rollout))["extra"]
    assert extra["name"] == "rollout"
    torch.testing.assert_close(decoded(extra["weights"], 4, 4), rollout, rtol=0, atol=0.5 / 255 + 1e-6)


def test_the_start_is_kept():
    view = attention_view(heads(3, 2, 4, 4), ENGLISH, start=Start(2, 1, query=3))
    assert island(view)["start"] == {"row": 2, "column": 1, "query": 3}


def test_the_same_weights_have_the_same_bytes():
    made = [attention_view(heads(3, 2, 4, 4), ENGLISH).html("<p>figure</p>", id="a", label="b") for _ in range(2)]
    assert made[0] == made[1]


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        (torch.ones(4, 4), r"shape \(layers, heads, n, m\) or \(heads, n, m\); got \(4, 4\)"),
        (torch.ones(2, 2, 2, 4, 4), r"got \(2, 2, 2, 4, 4\)"),
        (torch.ones(0, 4, 4), r"got \(0, 4, 4\)"),
        (torch.ones(2, 4, 3), "need 4 names of queries and 3 of keys; got 4 queries and 4 keys"),
        (torch.full((1, 4, 4), 1.5), "lie in 0..1; got 1.5 to 1.5: pass what the softmax returned"),
        (torch.full((1, 4, 4), -0.5), "lie in 0..1; got -0.5"),
        (torch.full((1, 4, 4), torch.nan), "got NaN or infinity: is a whole row of the mask closed"),
    ],
)
def test_what_is_no_attention_is_refused(weights, words):
    with pytest.raises(ValueError, match=words):
        attention_view(weights, ENGLISH)


def test_rounding_errors_of_a_softmax_are_no_error():
    found = island(attention_view(torch.eye(4)[None] * 1.0005, ENGLISH))
    assert decoded(found["weights"], 4, 4).max() == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"rows": ["a"]}, "have 2 layers; got 1 names for them: a"),
        ({"columns": ["a", "b", "c"]}, "have 2 heads; got 3 names for them: a, b, c"),
        ({"rollout": torch.ones(3, 3)}, r"shape of one head, \(4, 4\); got \(3, 3\)"),
        ({"rollout": torch.full((4, 4), 2.0)}, "weights of the rollout lie in 0..1; got 2 to 2"),
        ({"start": Start(row=2)}, "2 × 2 heads and 4 queries cannot start with Start"),
        ({"start": Start(column=-1)}, "cannot start with"),
        ({"start": Start(query=4)}, "cannot start with"),
    ],
)
def test_options_that_do_not_fit_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        attention_view(heads(2, 2, 4, 4), ENGLISH, **options)


def test_tokens_are_needed():
    with pytest.raises(ValueError, match="needs `queries`, its tokens"):
        attention_view(heads(1, 4, 4))


class Elements(HTMLParser):
    """The elements of a piece of HTML, and the text of its scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.data = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.data += data if self.tags[-1][0] == "script" else ""


def test_the_element_holds_the_island_and_the_static_figure():
    view = attention_view(heads(1, 4, 4), ENGLISH)
    found = Elements(view.html("<svg></svg>", id="crossing", label='Weights of "two"'))
    (element, island_tag, static, svg) = found.tags
    expected = {"id": "view-crossing", "class": "attention-view", "role": "group", "aria-label": 'Weights of "two"'}
    assert element == ("attention-view", expected)
    assert island_tag == ("script", {"type": "application/json"})
    assert static == ("div", {"class": "static-figure"})
    assert svg[0] == "svg"
    assert json.loads(found.data) == island(view)


def test_no_token_ends_the_island():
    tokens = ["</script>", "<!--", "<img src=x onerror=alert(1)>", "\u2028"]
    text = attention_view(heads(1, 4, 4), tokens).html("", id="a", label="b")
    inside = text[text.index("json") : text.rindex("</script>")]
    assert "<" not in inside.removeprefix('json">')
    assert json.loads(Elements(text).data)["queries"] == tokens


@pytest.mark.parametrize("name", ["", "Two Words", "a_b", "ä", "-a"])
def test_an_id_must_be_fit_for_an_address(name):
    with pytest.raises(ValueError, match=re.escape(f"hyphens, `heads` say; got {name!r}")):
        attention_view(heads(1, 4, 4), ENGLISH).html("", id=name, label="b")


def test_a_view_needs_a_label():
    with pytest.raises(ValueError, match="needs `label`"):
        attention_view(heads(1, 4, 4), ENGLISH).html("", id="a", label=" ")


# Images ------------------------------------------------------------------------------------------------------------


def test_an_image_names_its_tokens_by_row_and_column():
    image = patch_image(torch.zeros(4, 6), 2)
    assert image.tokens() == ["class token"] + [
        f"patch {place}" for place in ("1,1", "1,2", "1,3", "2,1", "2,2", "2,3")
    ]
    assert patch_image(torch.zeros(4, 6), (4, 3), class_token=False).tokens() == ["patch 1,1", "patch 1,2"]


def test_a_view_of_an_image_has_its_tokens_as_queries_and_keys():
    image = patch_image(torch.zeros(4, 6), 2)
    data = island(attention_view(heads(2, 7, 7), image=image))
    assert data["queries"] == data["keys"] == image.tokens()
    facts = {key: value for key, value in data["image"].items() if key != "src"}
    assert facts == {"width": 6, "height": 4, "rows": 2, "columns": 3, "class_token": True}


@pytest.mark.parametrize("shape", [(4, 6), (1, 4, 6), (3, 4, 6)])
def test_the_image_is_that_of_the_pixels(shape):
    pixels = torch.rand(*shape, generator=torch.Generator().manual_seed(2))
    source = island(attention_view(heads(1, 7, 7), image=patch_image(pixels, 2)))["image"]["src"]
    kind, data = source.split(",")
    assert kind == "data:image/png;base64"
    found = torch.tensor(list(Image.open(io.BytesIO(base64.b64decode(data))).tobytes())) / 255
    expected = pixels.movedim(0, -1) if shape[0] == 3 else pixels
    torch.testing.assert_close(found, expected.flatten(), rtol=0, atol=0.5 / 255 + 1e-6)


@pytest.mark.parametrize(
    ("pixels", "patch", "words"),
    [
        (torch.zeros(4), 2, r"\(3, height, width\); got \(4,\)"),
        (torch.zeros(2, 4, 4), 2, r"got \(2, 4, 4\)"),
        (torch.full((4, 4), -0.42), 2, "lie in 0..1; undo its normalisation"),
        (torch.full((4, 4), torch.nan), 2, "lie in 0..1"),
        (torch.zeros(4, 4), 3, "patches of 3 × 3 pixels don't fill an image of 4 × 4"),
        (torch.zeros(4, 4), 0, "patches of 0 × 0 pixels"),
    ],
)
def test_what_is_no_image_in_patches_is_refused(pixels, patch, words):
    with pytest.raises(ValueError, match=words):
        patch_image(pixels, patch)


def test_an_image_needs_weights_for_all_its_tokens():
    image = patch_image(torch.zeros(4, 4), 2)
    with pytest.raises(ValueError, match="need 4 names of queries"):
        attention_view(heads(1, 4, 4), image=image)
    with pytest.raises(ValueError, match=r"image of 5 tokens needs as many queries and keys; got \(4, 4\)"):
        attention_view(heads(1, 4, 4), ENGLISH, image=image)

"""stories260K: the book's copy is what llama2.c published."""

import hashlib
import json
import struct

import pytest
import torch

from reconstructing_transformer._data import own_folder
from reconstructing_transformer.llama.sources import fetch
from reconstructing_transformer.llama.stories import FILES, StoriesError, find_files, read_model, tokeniser_of
from reconstructing_transformer.llama.stories import write_checkpoint as write


def small_file(spare=0):
    """A model in llama2.c's format: d 4, d_ff 6, one layer, two heads on one, 5 pieces, length 3. Weights 0, 1, 2, …"""
    header = struct.pack("<7i", 4, 6, 1, 2, 1, 5, 3)
    count = 5 * 4 + 4 + 16 + 8 + 8 + 16 + 4 + 24 + 24 + 24 + 4 + 3 * 2 + spare
    return header + torch.arange(count, dtype=torch.float32).numpy().tobytes()


def test_weights_are_cut_in_the_order_of_the_file():
    sizes, weights = read_model(small_file())
    assert sizes["num_key_value_heads"] == 1
    assert weights["model.embed_tokens.weight"][0].tolist() == [0, 1, 2, 3]
    assert weights["model.layers.0.input_layernorm.weight"].tolist() == [20, 21, 22, 23]
    assert weights["model.layers.0.mlp.down_proj.weight"].shape == (4, 6)
    assert weights["model.norm.weight"].shape == (4,)


def test_a_file_of_another_length_is_refused():
    with pytest.raises(StoriesError, match=r"not llama2\.c's format"):
        read_model(small_file(spare=3))


def test_a_file_that_was_altered_is_refused(tmp_path):
    for name in FILES:
        (tmp_path / name).write_bytes(b"something else")
    with pytest.raises(StoriesError, match="truncated or altered"):
        find_files(tmp_path)


def test_pieces_with_better_scores_are_merged_first():
    pieces = [(b"<unk>", 0.0), (b"\n<s>\n", 0.0), (b"\n</s>\n", 0.0)]
    pieces += [(f"<0x{byte:02X}>".encode(), 0.0) for byte in range(256)]
    pieces += [(b"bc", -1.0), (b"ab", -2.0), (b" ", -3.0), (b"a", -4.0), (b"b", -5.0), (b"c", -6.0)]
    tokens = tokeniser_of(pieces).encode("abc", add_special_tokens=False).tokens
    assert tokens == ["▁", "a", "bc"]


def test_a_letter_that_is_no_piece_becomes_its_bytes():
    from transformers import AutoTokenizer

    tokeniser = AutoTokenizer.from_pretrained(fetch("stories260k"))
    assert "<0xE7>" in tokeniser.tokenize("猫")
    assert tokeniser.decode(tokeniser("Zoë said “猫”.").input_ids, skip_special_tokens=True) == "Zoë said “猫”."


def test_the_books_copy_tells_a_story():
    from transformers import AutoTokenizer, LlamaForCausalLM

    folder = fetch("stories260k")
    tokeniser, model = AutoTokenizer.from_pretrained(folder), LlamaForCausalLM.from_pretrained(folder)
    assert sum(p.numel() for p in model.parameters()) == 260_032
    begun = tokeniser("Once upon a time", return_tensors="pt")
    told = model.generate(**begun, max_new_tokens=20, do_sample=False, pad_token_id=2)
    assert tokeniser.decode(told[0], skip_special_tokens=True).startswith(
        "Once upon a time, there was a little girl named Lily."
    )


def test_the_books_copy_can_be_written_again(tmp_path):
    own = own_folder("tinyllamas")
    if own is None or not (own / "stories260K").is_dir():
        pytest.skip("llama2.c's files are not at hand")
    write(find_files(own / "stories260K"), tmp_path)
    for name in ("model.safetensors", "tokenizer.json", "origin.json"):
        ours, book = ((folder / name).read_bytes() for folder in (tmp_path, fetch("stories260k")))
        assert hashlib.sha256(ours).digest() == hashlib.sha256(book).digest(), name
    assert json.loads((tmp_path / "origin.json").read_text())["files"] == FILES

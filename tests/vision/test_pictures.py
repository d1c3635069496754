"""Anybody's picture of a digit becomes what MNIST's digits are; what is no picture gets a clear error."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from reconstructing_transformer.vision.pictures import PictureError, read_picture


@pytest.fixture
def digit(mnist) -> Image.Image:
    return Image.fromarray(mnist.test.images[0, 0].numpy())


def test_a_digit_of_mnist_comes_back_as_it_is(digit, tmp_path, mnist):
    digit.save(tmp_path / "7.png")
    assert torch.equal(read_picture(tmp_path / "7.png"), mnist.test.images[0])


def test_dark_ink_on_light_paper_is_turned_into_its_negative(digit, tmp_path, mnist):
    ImageOps.invert(digit).save(tmp_path / "7.png")
    assert torch.equal(read_picture(tmp_path / "7.png"), mnist.test.images[0])


def test_transparent_paper_is_white(digit, tmp_path, mnist):
    clear = Image.merge("LA", (Image.new("L", digit.size, 0), digit))
    clear.save(tmp_path / "7.png")
    assert torch.equal(read_picture(tmp_path / "7.png"), mnist.test.images[0])


@pytest.mark.parametrize("mode", ["RGB", "1", "P", "CMYK"])
def test_other_kinds_of_pixels_are_read(digit, tmp_path, mode):
    path = tmp_path / ("7.tiff" if mode == "CMYK" else "7.png")
    digit.point(lambda value: 255 * (value > 127)).convert(mode).save(path)
    assert ((read_picture(path) > 127) == (torch.from_numpy(np.array(digit)) > 127)).all()


def test_sixteen_bits_a_pixel_are_scaled_to_eight(digit, tmp_path, mnist):
    Image.fromarray(np.array(digit).astype(np.uint16) * 257).save(tmp_path / "7.png")
    read = read_picture(tmp_path / "7.png").int()
    largest = mnist.test.images[0].max().item()
    torch.testing.assert_close(read * largest / 255, mnist.test.images[0].float(), atol=1.5, rtol=0)


def test_a_large_picture_with_the_digit_in_a_corner_is_fitted_and_centred(digit, tmp_path):
    paper = Image.new("L", (900, 600), 250)
    paper.paste(ImageOps.invert(digit.resize((200, 200))), (650, 380))
    paper.save(tmp_path / "photo.jpg", quality=90)
    pixels = read_picture(tmp_path / "photo.jpg")[0].double()
    rows, columns = pixels.sum(1), pixels.sum(0)
    places = torch.arange(28, dtype=torch.float64)
    assert (rows @ places / rows.sum()).item() == pytest.approx(13.5, abs=0.6)
    assert (columns @ places / columns.sum()).item() == pytest.approx(13.5, abs=0.6)
    inked = (pixels > 100).nonzero()
    assert (inked.max(0).values - inked.min(0).values).max() + 1 in range(18, 21)


def test_a_picture_that_is_turned_by_its_exif_is_read_upright(digit, tmp_path, mnist):
    turned = Image.Exif()
    turned[0x0112] = 6
    digit.rotate(90, expand=True).save(tmp_path / "7.png", exif=turned)
    assert torch.equal(read_picture(tmp_path / "7.png"), mnist.test.images[0])


def test_a_missing_path_a_folder_a_text_and_an_empty_file_are_named(tmp_path):
    (tmp_path / "text.png").write_text("seven", encoding="utf-8")
    (tmp_path / "empty.png").touch()
    cases = {"gone.png": "no such file", ".": "is no file", "text.png": "is no picture", "empty.png": "is empty"}
    for name, message in cases.items():
        with pytest.raises(PictureError, match=message) as error:
            read_picture(tmp_path / name)
        assert str(tmp_path) in str(error.value)


@pytest.mark.parametrize("side", [5_000, 10_000, 20_000])
def test_a_picture_that_is_far_too_large_is_refused_before_it_is_read(tmp_path, side):
    Image.new("1", (side, side)).save(tmp_path / "large.png")
    with pytest.raises(PictureError, match=r"at most 4,096 × 4,096"):
        read_picture(tmp_path / "large.png")


def test_a_picture_that_was_cut_off_is_named(digit, tmp_path):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (200, 200), dtype=np.uint8))
    noise.save(tmp_path / "cut.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "cut.png").read_bytes()[:9000])
    with pytest.raises(PictureError, match=r"cut\.png is a broken picture"):
        read_picture(tmp_path / "cut.png")


@pytest.mark.parametrize("grey", [0, 255, 128])
def test_an_empty_sheet_shows_nothing(tmp_path, grey):
    Image.new("L", (100, 100), grey).save(tmp_path / "sheet.png")
    with pytest.raises(PictureError, match="shows nothing"):
        read_picture(tmp_path / "sheet.png")

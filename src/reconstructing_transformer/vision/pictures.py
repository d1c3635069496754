"""One's own picture, made what MNIST's digits are: 28 × 28 pixels, light ink on black, in the middle."""

import warnings
from pathlib import Path

import torch
from jaxtyping import UInt8
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

SIDE, INK_SIDE = 28, 20  # MNIST's digits were fitted into 20 × 20 pixels, and centred in 28 × 28 by their mass
LARGEST = 4096
CONTRAST = 32  # of 255: less between ink and paper is nothing drawn


class PictureError(ValueError):
    """A file is no picture that can be read as a digit. The message names it and what is wrong."""


def _bytes_of(image: Image.Image) -> Image.Image:
    """A picture of a byte a channel. Pillow cuts numbers that are larger, as scanners write them; we scale them."""
    if not image.mode.startswith(("I", "F")):
        return image
    wide = image.convert("F")
    low, high = wide.getextrema()
    return wide.point(lambda value: (value - low) * (255 / max(high - low, 1)) + 0).convert("L")


def _opened(path: Path) -> Image.Image:
    if not path.exists():
        raise PictureError(f"{path}: there is no such file")
    if not path.is_file():
        raise PictureError(f"{path} is no file; name one picture, PNG or JPEG say")
    if path.stat().st_size == 0:
        raise PictureError(f"{path} is empty; a picture was expected, PNG or JPEG say")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the size is looked at below
            image = Image.open(path)
        with image:
            if max(image.size) > LARGEST:
                raise PictureError(
                    f"{path} has {image.width:,} × {image.height:,} pixels; at most {LARGEST:,} × {LARGEST:,} are "
                    "read. Cut out the digit, or make the picture smaller"
                )
            upright = ImageOps.exif_transpose(_bytes_of(image)).convert("RGBA")
    except PictureError:
        raise
    except Image.DecompressionBombError as error:
        raise PictureError(f"{path} has far too many pixels; at most {LARGEST:,} × {LARGEST:,} are read") from error
    except UnidentifiedImageError as error:
        raise PictureError(f"{path} is no picture; PNG, JPEG or another common format was expected") from error
    except (OSError, SyntaxError, ValueError) as error:
        raise PictureError(f"{path} is a broken picture: {error}") from error
    paper = Image.new("RGBA", upright.size, "white")
    return Image.alpha_composite(paper, upright).convert("L")


def _light_on_black(image: Image.Image) -> Image.Image:
    """Paper is what the border is made of; where it is light, the picture is turned into its negative."""
    pixels = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8).view(image.height, image.width).float()
    border = torch.cat([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    return ImageOps.invert(image) if border.median() > 127 else image


def _centred(image: Image.Image, path: Path) -> Image.Image:
    """Cut out the ink, fit it into 20 × 20 pixels, and lay its centre of mass into the middle of 28 × 28."""
    low, high = image.getextrema()
    if high - low < CONTRAST:
        raise PictureError(f"{path} shows nothing: it is of one colour; a digit was expected")
    image = ImageOps.autocontrast(image)
    ink = image.point(lambda value: 255 if value > 96 else 0).getbbox()
    fitted = ImageOps.contain(image.crop(ink), (INK_SIDE, INK_SIDE), Image.Resampling.LANCZOS)
    pixels = torch.frombuffer(bytearray(fitted.tobytes()), dtype=torch.uint8).view(fitted.height, fitted.width).double()
    row = (pixels.sum(1) @ torch.arange(fitted.height, dtype=torch.float64) / pixels.sum()).item()
    column = (pixels.sum(0) @ torch.arange(fitted.width, dtype=torch.float64) / pixels.sum()).item()
    place = [
        min(max(round((SIDE - 1) / 2 - centre), 0), SIDE - length)
        for centre, length in ((column, fitted.width), (row, fitted.height))
    ]
    digit = Image.new("L", (SIDE, SIDE), 0)
    digit.paste(fitted, (place[0], place[1]))
    return digit


def read_picture(path: Path) -> UInt8[Tensor, "1 28 28"]:
    """Read a picture of one digit: dark on light or light on dark, of any shape, in the middle or not.

    A picture of 28 × 28 pixels is taken as it is; another is cut out and centred as MNIST's digits were.

    Args:
        path: PNG, JPEG, or whatever else Pillow reads.

    Returns:
        Its pixels, light ink on black.

    Raises:
        PictureError: the file is not there, is no picture, is too large, or shows nothing.
    """
    image = _light_on_black(_opened(path))
    if image.size != (SIDE, SIDE):
        image = _centred(image, path)
    return torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8).view(1, SIDE, SIDE)

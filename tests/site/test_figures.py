"""Every figure of the book has number, caption, files and citation, and its data are what is drawn."""

import csv
import hashlib
import io
import json
import math
import re
from base64 import b64decode
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bs4 import BeautifulSoup
from lxml import etree
from PIL import Image
from pybtex.database import parse_file, parse_string

from reconstructing_transformer.figures import ACCENT, SECOND
from reconstructing_transformer.figures.pixels import LEVELS

SVG = "{http://www.w3.org/2000/svg}"
LINK = "{http://www.w3.org/1999/xlink}href"
PAIR = re.compile(r"(-?[\d.]+(?:e-?\d+)?)[ ,]+(-?[\d.]+(?:e-?\d+)?)")
OPACITY = re.compile(r"(?:fill-)?opacity: ([\d.]+)")
CLOSE = 0.002  # of an axis's length


@pytest.fixture(scope="session")
def catalogue(site) -> list[dict[str, Any]]:
    return json.loads((site / "figures.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def shown(site, addresses) -> dict[str, tuple[str, Any]]:
    """Every figure that a chapter shows: id → its page and its element."""
    found = {}
    for address in addresses:
        if not address.startswith("book/"):
            continue
        page = BeautifulSoup((site / address).read_text(encoding="utf-8"), "html.parser")
        found |= {figure["id"].removeprefix("fig-"): (address, figure) for figure in page.select("figure.book-figure")}
    return found


def test_the_catalogue_holds_what_the_chapters_show_and_nothing_else(catalogue, shown):
    assert [entry["id"] for entry in catalogue] == list(dict.fromkeys(entry["id"] for entry in catalogue))
    assert {entry["id"] for entry in catalogue} == shown.keys()
    assert len(catalogue) > 30


def test_no_chapter_shows_a_drawing_that_is_no_figure_of_the_book(site, addresses):
    for address in addresses:
        if address.startswith("book/"):
            page = BeautifulSoup((site / address).read_text(encoding="utf-8"), "html.parser")
            loose = [svg for svg in page.select(".cell_output svg") if not svg.find_parent("figure", "book-figure")]
            assert not loose, address


def test_number_caption_and_words_are_those_of_the_page(catalogue, shown):
    for entry in catalogue:
        address, figure = shown[entry["id"]]
        assert figure.select_one(".caption-number").get_text().strip() == f"Fig. {entry['number']}"
        assert figure.select_one(".caption-text").get_text().strip()
        assert figure.svg["aria-label"] == entry["alt"]
        assert entry["chapter_url"].endswith(f"{address}#fig-{entry['id']}")


def test_numbers_follow_each_other(catalogue):
    places = [tuple(map(int, entry["number"].split("."))) for entry in catalogue]
    for before, after in pairwise(places):
        assert after in {(before[0], before[1] + 1), (before[0] + 1, 1)}, after


def test_every_file_is_there_as_it_is_listed(catalogue, site):
    for entry in catalogue:
        for file in entry["files"]:
            content = (site / "figures" / file["name"]).read_bytes()
            assert len(content) == file["bytes"], file["name"]
            assert hashlib.sha256(content).hexdigest() == file["sha256"], file["name"]


def test_every_figure_can_be_taken_home_in_every_form(catalogue):
    for entry in catalogue:
        names = {file["name"] for file in entry["files"]}
        forms = (".svg", "-dark.svg", ".pdf", ".png", ".meta.json")
        assert {f"{entry['id']}{form}" for form in forms} <= names
        assert any(name.endswith((".csv", ".data.json")) for name in names), entry["id"]


def test_every_file_opens(catalogue, site, shown):
    for entry in catalogue:
        path = site / "figures" / entry["id"]
        light, dark = (etree.parse(f"{path}{ending}.svg").getroot() for ending in ("", "-dark"))
        assert light.findtext(f"{SVG}title") == dark.findtext(f"{SVG}title") == entry["alt"]
        assert etree.tostring(light) != etree.tostring(dark)
        pdf = Path(f"{path}.pdf").read_bytes()
        assert pdf.startswith(b"%PDF-")
        assert len(re.findall(rb"/Type /Page\b", pdf)) == 1, entry["id"]
        with Image.open(f"{path}.png") as image:
            image.verify()
            drawing = shown[entry["id"]][1].svg
            for pixels, side in zip(image.size, ("width", "height"), strict=True):
                assert abs(pixels - 2 * int(drawing[side])) <= 2, entry["id"]


def test_every_citation_is_bibtex_with_number_version_and_date(catalogue, site):
    all_of_them = parse_file(str(site / "figures.bib")).entries
    assert len(all_of_them) == len(catalogue)
    for entry in catalogue:
        ((key, cited),) = parse_string(entry["bibtex"], "bibtex").entries.items()
        assert all_of_them[key] == cited
        assert cited.fields["title"].startswith(f"Figure {entry['number']}: ")
        assert cited.persons["author"]
        assert re.match(r"Version \S+.*, \d{4}-\d\d-\d\d", cited.fields["note"])
        assert "a local build" in cited.fields["note"] or cited.fields["url"] == entry["url"]


def test_every_permanent_page_shows_it_all_and_leads_back(catalogue, site):
    for entry in catalogue:
        page = BeautifulSoup((site / "figures" / f"{entry['id']}.html").read_text(encoding="utf-8"), "html.parser")
        assert page.select_one(".kicker").get_text() == f"Figure {entry['number']}"
        assert page.select_one("figure svg")["aria-label"] == entry["alt"]
        assert page.select_one("figcaption").get_text().strip()
        assert page.select_one(".cite-panel pre").get_text().strip() == entry["bibtex"].strip()
        assert page.select_one("table.data, .soft")
        assert page.select_one(f'a[href$="#fig-{entry["id"]}"]')
        assert "show" in page.select("pre")[-1].get_text()


# What is drawn -----------------------------------------------------------------------------------------------------


def scale(value: float, kind: str) -> float:
    return math.log10(value) if kind == "log" else value


@dataclass(frozen=True)
class Axes:
    """What is drawn between one pair of axes: points, on scales that are straight, and how close is close."""

    points: list[tuple[float, float]]
    close: tuple[float, float]
    kinds: tuple[str, str]

    def has(self, side: int, value: float) -> bool:
        """Whether something is drawn at an x (side 0) or at a y (side 1)."""
        place = scale(value, self.kinds[side])
        return any(abs(place - point[side]) <= self.close[side] for point in self.points)

    def has_point(self, x: float, y: float) -> bool:
        """Whether something is drawn at a point."""
        place = scale(x, self.kinds[0]), scale(y, self.kinds[1])
        near = (abs(place[0] - a) <= self.close[0] and abs(place[1] - b) <= self.close[1] for a, b in self.points)
        return any(near)


class Drawing:
    """The positions that an SVG file draws, read back into the numbers of its axes."""

    def __init__(self, path: Path) -> None:
        self.root = etree.parse(f"{path}.svg").getroot()
        places = json.loads(Path(f"{path}.meta.json").read_text(encoding="utf-8"))["axes"]
        self.axes = [self._axes(number, place) for number, place in enumerate(places, start=1)]

    def _raw(self, group: etree._Element) -> list[tuple[float, float]]:
        points = []
        for part in group:
            name = part.get("id") or ""
            if name.startswith(("matplotlib.axis", "text")) or part.tag == f"{SVG}defs":
                continue
            if part.tag == f"{SVG}path":
                points += [(float(x), float(y)) for x, y in PAIR.findall(part.get("d", ""))]
            elif part.tag == f"{SVG}use":
                points.append((float(part.get("x", 0)), float(part.get("y", 0))))
            points += self._raw(part)
        return points

    def _axes(self, number: int, place: dict[str, Any]) -> Axes:
        (group,) = self.root.iterfind(f".//{SVG}g[@id='axes_{number}']")
        left, top, right, bottom = place["box"]
        sides = []
        for limits, start, end, kind in zip(
            (place["xlim"], place["ylim"]), (left, bottom), (right, top), place["scales"], strict=True
        ):
            low, high = (scale(limit, kind) for limit in limits)
            sides.append((low, (high - low) / (end - start), start, CLOSE * abs(high - low)))
        (x0, across, left, near_x), (y0, up, bottom, near_y) = sides
        points = [(x0 + (x - left) * across, y0 + (y - bottom) * up) for x, y in self._raw(group)]
        return Axes(points, (near_x, near_y), tuple(place["scales"]))

    def shows(self, xs: list[float], ys: list[float]) -> bool:
        """Whether a curve, or a crowd of points, is drawn between one pair of axes."""
        return any(all(axes.has_point(x, y) for x, y in zip(xs, ys, strict=True)) for axes in self.axes)

    def has_all(self, values: list[float]) -> bool:
        """Whether all values are positions on one axis."""
        return any(all(axes.has(side, value) for value in values) for axes in self.axes for side in (0, 1))

    def shades(self) -> list[float]:
        """How full of colour each cell is, in the order in which they were drawn; empty ones are left out."""
        shades = []
        for part in self.root.iterfind(f".//{SVG}path"):
            style = part.get("style") or ""
            if any(f"fill: {colour}" in style for colour in (ACCENT, SECOND)):
                opacity = float(found[1]) if (found := OPACITY.search(style)) else 1.0
                shades += [opacity] * part.get("d", "").count("M")  # cells that are alike may be one path
        return [shade for shade in shades if shade]

    def _images(self) -> list[np.ndarray]:
        encoded = [image.get(LINK, "").partition(",")[2] for image in self.root.iter(f"{SVG}image")]
        images = [Image.open(io.BytesIO(b64decode(text))).convert("RGBA") for text in encoded]
        return [np.asarray(image)[..., 3] / 255 for image in images]

    def pictures(self) -> list[np.ndarray]:
        """How full of colour each pixel is, picture by picture, in the order in which they were drawn."""
        return [opacity for opacity in self._images() if opacity.min() < 1]

    def covered(self) -> int:
        """How many images lie below a figure's colour: they have no holes."""
        return sum(opacity.min() == 1 for opacity in self._images())


def read_table(path: Path) -> dict[str, list[str]]:
    rows = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"))))
    return dict(zip(rows[0], map(list, zip(*rows[1:], strict=True)), strict=True))


def numbers(words: list[str]) -> list[float] | None:
    try:
        return [float(word or "nan") for word in words]
    except ValueError:
        return None  # names


def strays_of(table: dict[str, list[str]], drawing: Drawing) -> list[str]:
    """The columns of numbers that are not drawn."""
    first, *others = table
    xs, strays = numbers(table[first]), []
    columns = {name: numbers(table[name]) for name in others} if others and xs else {first: xs}
    if others and not xs:
        columns = {name: numbers(table[name]) for name in others}
    for name, values in columns.items():
        if values is None:
            continue
        kept = [(x, y) for x, y in zip(xs or values, values, strict=True) if not math.isnan(y)]
        ys = [y for _, y in kept]
        guide = len(set(ys)) == 1 < len(ys)
        level = guide or not xs or name == first  # numbers that belong to no x, or to names
        if not (drawing.has_all(ys) if level else drawing.shows([x for x, _ in kept], ys)):
            strays.append(name)
    return strays


def test_every_column_of_every_table_is_drawn(catalogue, site):
    strays = []
    for entry in catalogue:
        drawing = Drawing(site / "figures" / entry["id"])
        for file in entry["files"]:
            if file["name"].endswith(".csv"):
                found = strays_of(read_table(site / "figures" / file["name"]), drawing)
                strays += [f"{file['name']}: {column}" for column in found]
    assert strays == []


def tensors_of(entry: dict[str, Any], site: Path) -> list[np.ndarray]:
    names = [file["name"] for file in entry["files"] if file["name"].endswith(".data.json")]
    texts = [(site / "figures" / name).read_text(encoding="utf-8") for name in names]
    return [np.array(json.loads(text)["values"], dtype=float) for text in texts]


def test_every_map_is_as_full_as_its_weights(catalogue, site):
    compared = 0
    for entry in catalogue:
        drawing, tensors = Drawing(site / "figures" / entry["id"]), tensors_of(entry, site)
        if not tensors or drawing.pictures() or drawing.covered():
            continue
        weights = np.concatenate([np.nan_to_num(tensor).ravel() for tensor in tensors])
        full = [weight for weight in weights.tolist() if round(weight, 3)]
        shades = drawing.shades()
        if is_picture_of_pixels(tensors):  # see below
            continue
        assert len(shades) >= len(full), entry["id"]
        assert shades[: len(full)] == pytest.approx(full, abs=0.0011), entry["id"]
        compared += 1
    assert compared > 8


def is_picture_of_pixels(tensors: list[np.ndarray]) -> bool:
    """Whether there are digits among them: as high and as wide as MNIST's."""
    return any(tensor.shape[-2:] == (28, 28) for tensor in tensors)


def test_every_picture_of_pixels_has_as_many_of_each_fullness_as_its_numbers(catalogue, site):
    compared = 0
    for entry in catalogue:
        drawing, tensors = Drawing(site / "figures" / entry["id"]), tensors_of(entry, site)
        if not tensors or drawing.pictures() or drawing.covered() or not is_picture_of_pixels(tensors):
            continue
        fullness = np.concatenate([tensor.ravel() for tensor in tensors if tensor.shape[-2:] == (28, 28)])
        wanted = np.bincount((fullness * LEVELS).round().astype(int), minlength=LEVELS + 1)[1:]
        drawn = np.bincount((np.array(drawing.shades()) * LEVELS).round().astype(int), minlength=LEVELS + 1)[1:]
        # Numbers halfway between two levels may fall to either, and other maps may be drawn besides.
        assert (drawn >= wanted - 2).all(), entry["id"]
        compared += 1
    assert compared > 0


def test_every_picture_is_as_full_as_its_numbers(catalogue, site):
    compared = 0
    for entry in catalogue:
        if pictures := Drawing(site / "figures" / entry["id"]).pictures():
            matrices = [part for tensor in tensors_of(entry, site) for part in tensor.reshape(-1, *tensor.shape[-2:])]
            assert len(pictures) == len(matrices), entry["id"]
            for picture in pictures:  # they are drawn in an order of their own
                alike = [matrix for matrix in matrices if matrix.shape == picture.shape]
                assert any(is_shade_of(picture, matrix) for matrix in alike), entry["id"]
                compared += 1
    assert compared > 2


def test_every_image_is_covered_by_the_weights_of_one_query(catalogue, site):
    """A head's image is as full of colour at a patch as its weight, beside the head's largest."""
    compared = 0
    for entry in catalogue:
        drawing = Drawing(site / "figures" / entry["id"])
        if not drawing.covered():
            continue
        weights = next(tensor for tensor in tensors_of(entry, site) if tensor.ndim == 4)
        heads = weights.shape[0] * weights.shape[1]
        assert drawing.covered() == heads, entry["id"]
        places = math.isqrt(weights.shape[-1]) ** 2  # the class token has no place in the image
        patches = weights[..., -places:] / weights[..., -places:].max(axis=-1, keepdims=True)
        by_query = (0.85 * patches).round(3).reshape(heads, weights.shape[2], places).swapaxes(0, 1)
        shades = np.array(drawing.shades())
        expected = [full for query in by_query if len(full := query[query > 0]) == len(shades)]
        assert min(np.abs(full - shades).max() for full in expected) < 0.0015, entry["id"]
        compared += 1
    assert compared > 0


def is_shade_of(picture: np.ndarray, matrix: np.ndarray) -> bool:
    """Whether the pixels are the numbers, on a scale of their own; a pixel knows 256 shades."""
    slope, start = np.polyfit(matrix.ravel(), picture.ravel(), 1)
    return slope > 0 and bool(np.abs(start + slope * matrix - picture).max() < 1 / 255)


def test_a_wrong_number_would_be_noticed(site):
    drawing = Drawing(site / "figures" / "learning")
    table = read_table(site / "figures" / "learning.csv")
    assert strays_of(table, drawing) == []
    table["loss, seed 1"][200] = str(float(table["loss, seed 1"][200]) + 0.05)
    assert strays_of(table, drawing) == ["loss, seed 1"]


def test_a_point_that_is_not_on_its_curve_would_be_noticed(site):
    drawing = Drawing(site / "figures" / "schedule")
    top = read_table(site / "figures" / "schedule-top.csv")
    assert strays_of(top, drawing) == []
    assert strays_of({**top, "learning rate": ["0.0005"]}, drawing) == ["learning rate"]


def test_a_wrong_shade_would_be_noticed(site):
    (picture,) = Drawing(site / "figures" / "dot-products").pictures()
    matrix = np.array(json.loads((site / "figures" / "dot-products-places.data.json").read_text())["values"])
    assert is_shade_of(picture, matrix)
    matrix[3, 40] += 0.5
    assert not is_shade_of(picture, matrix)

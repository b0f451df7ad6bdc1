"""Pictures under `pytest --nbval`: they are compared with the committed ones.

nbval compares text and passes over pictures. Two pictures are the same here if they
have one size and, once both are blurred a little, hardly a pixel is far off: an
edge that is smoothed otherwise passes; a point that lies elsewhere, another word or
another colour doesn't.

Some cells draw what depends on the processor: rounding errors, seconds, training
that amplifies the last digit. Such a cell carries the tag `picture-varies`: of its
pictures only number and size are compared.

Another release of matplotlib sets words and edges elsewhere on every picture. Under
one that constraints.txt doesn't name, only their number is compared.
"""

import base64
import io
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from nbval.plugin import IPyNbCell
from PIL import Image, ImageFilter

BLUR = 1.0  # pixels, standard deviation
FAR = 32  # of 255, in the colour that differs most
FEW = 8  # pixels that may be far off
CONSTRAINTS = Path(__file__).parents[1] / "constraints.txt"


def decode(data: str | list[str]) -> Image.Image:
    """Return the picture of an output, in base64, as it looks on white paper."""
    drawn = Image.open(io.BytesIO(base64.b64decode("".join(data)))).convert("RGBA")
    paper = Image.new("RGBA", drawn.size, "white")
    return Image.alpha_composite(paper, drawn).convert("RGB")


def far_off(one: Image.Image, other: Image.Image) -> np.ndarray:
    """Return (row, column) of each pixel far off in two pictures of one size."""
    blur = ImageFilter.GaussianBlur(BLUR)
    first, second = (np.int16(picture.filter(blur)) for picture in (one, other))
    return np.argwhere(np.abs(first - second).max(axis=2) > FAR)


def difference(old: Image.Image, new: Image.Image, varies: bool = False) -> str:
    """Say how `new` is another picture than `old`; nothing if it is the same."""
    if old.size != new.size:
        sizes = ["{} x {}".format(*picture.size) for picture in (old, new)]
        return f"committed with {sizes[0]} pixels, drawn with {sizes[1]}"
    places = [] if varies else far_off(old, new)
    if len(places) <= FEW:
        return ""
    (top, left), (bottom, right) = places.min(axis=0), places.max(axis=0)
    box = f"x {left} to {right}, y {top} to {bottom}"
    return f"{len(places)} pixels are far off, in {box}"


def drawn_alike(version: str = matplotlib.__version__) -> bool:
    """Say whether that matplotlib is the one that drew the committed pictures."""
    lines = CONSTRAINTS.read_text(encoding="utf-8").splitlines()
    return f"matplotlib=={version}" in lines


def pictures(outputs: list[dict]) -> list[Image.Image]:
    data = [output.get("data", {}) for output in outputs]
    return [decode(kinds["image/png"]) for kinds in data if "image/png" in kinds]


class CellWithPictures(IPyNbCell):
    """A cell of a notebook, whose pictures are compared after its text."""

    def compare_outputs(self, test, ref, skip_compare=None):
        # A drawing (SVG) is of the same figure, and has digits that no eye sees.
        skip = (*(skip_compare or self.parent.skip_compare), "image/svg+xml")
        if not super().compare_outputs(test, ref, skip):
            return False
        committed, drawn = pictures(ref), pictures(test)
        varies = "picture-varies" in self.cell.metadata.get("tags", [])
        if len(committed) != len(drawn):
            found = [f"pictures: {len(committed)} committed, {len(drawn)} drawn"]
        elif not drawn_alike():
            found = []
        else:
            pairs = enumerate(zip(committed, drawn, strict=True), 1)
            said = {number: difference(*pair, varies) for number, pair in pairs}
            found = [
                f"picture {number}: {what}" for number, what in said.items() if what
            ]
        self.comparison_traceback += found
        return not found


def pytest_itemcollected(item: pytest.Item) -> None:
    if type(item) is IPyNbCell:
        item.__class__ = CellWithPictures

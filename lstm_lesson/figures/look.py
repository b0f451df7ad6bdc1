"""The book's look: a colour for each quantity of the cell, the size of a figure, its letters.

Colours are those of Okabe and Ito, safe for colour-blind readers; each quantity of the cell has one
colour in every equation, diagram, plot and widget of the book.
"""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib import font_manager, patheffects
from matplotlib.axes import Axes
from matplotlib.figure import Figure

COLOURS = {
    "i": "#0072B2",  # input gate
    "f": "#D55E00",  # forget gate
    "g": "#009E73",  # candidate
    "o": "#CC79A7",  # output gate
    "c": "#E69F00",  # cell state
    "h": "#56B4E9",  # hidden state
}
# For letters, which need more contrast than lines: the pages' own shades of the same hues.
INKS = {
    COLOURS["i"]: "#006FAE",
    COLOURS["f"]: "#B04E00",
    COLOURS["g"]: "#007958",
    COLOURS["o"]: "#B04380",
    COLOURS["c"]: "#8E6200",
    COLOURS["h"]: "#1571A5",
    "#A9A53A": "#716E14",  # olive, of a series
}
NAMES = {
    "i": "input gate",
    "f": "forget gate",
    "g": "candidate",
    "o": "output gate",
    "c": "cell state",
    "h": "hidden state",
}
# Arms of a comparison, none of which is a quantity of the cell: by shade and by line, for `band`.
ARMS = (
    {"colour": "#111111", "linestyle": "-"},
    {"colour": "#777777", "linestyle": "--"},
    {"colour": "#444444", "linestyle": ":"},
    {"colour": "#777777", "linestyle": "-."},
)
# Models, runs and series that are told apart by hue, none of which is a quantity of the cell. They
# differ in lightness too, for greyscale and colour-blind eyes; what is only beside them is grey.
SERIES = {
    "black": "#111111",
    "indigo": "#3D2A91",
    "wine": "#962F57",
    "olive": "#A9A53A",
}
TALL = (5.0, 5.0)  # inches: a figure of more than one panel; on a phone it stays readable


def use_style() -> None:
    """Set the book's look for every figure that follows.

    In a notebook a figure is then shown as a drawing too (SVG), which a page takes: it is sharp on
    every screen and in print.
    """
    for font in Path(__file__).with_name("fonts").glob("*.ttf"):
        if not any(known.fname == str(font) for known in font_manager.fontManager.ttflist):
            font_manager.fontManager.addfont(font)
    plt.style.use(Path(__file__).with_name("lesson.mplstyle"))
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell is not None:
        import matplotlib_inline.backend_inline  # noqa: F401 (forgets the formats it finds)

        shell.display_formatter.formatters["image/svg+xml"].for_type(Figure, to_svg)


def to_png(figure: Figure) -> bytes:
    """Return a figure as a PNG file's bytes, the same for the same figure, and close it."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    plt.close(figure)
    return buffer.getvalue()


def to_svg(figure: Figure, *, whole: bool = False) -> str:
    """Return a figure as SVG, its places to a hundredth of a point.

    It is cut to what is drawn, unless the `whole` of it is wanted, ground and margins included.
    """
    buffer = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    how = {"facecolor": figure.get_facecolor()} if whole else {"bbox_inches": "tight"}
    figure.savefig(buffer, format="svg", metadata=nothing, **how)
    places = re.compile(r' (?:d|x|y)="[^"]*"|translate\([^)]*\)')
    return places.sub(lambda m: re.sub(r"(\.\d\d)\d+", r"\1", m[0]), buffer.getvalue())


def readable(colour: str) -> dict:
    """Return the style of letters that name a line of `colour` and are read across others."""
    halo = patheffects.withStroke(linewidth=2.5, foreground="white")
    return {"color": INKS.get(colour, colour), "path_effects": [halo]}


def on_white(colour: str) -> dict:
    """Return the style of letters that name a line of `colour`, on a patch of white.

    In a drawing these are a tenth of the bytes of `readable`, whose halo writes each letter as a
    path of its own. They suit letters that stand beside lines, not across them.
    """
    patch = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}
    return {"color": INKS.get(colour, colour), "bbox": patch}


def label_end(ax: Axes, x: np.ndarray, y: np.ndarray, text: str, *, dx: int = 4, **style) -> Axes:
    """Write `text` beside the last point of a line, in place of a legend; return the axes."""
    style = {"va": "center", **style, **readable(style.get("color", "#333333"))}
    ax.annotate(text, (x[-1], y[-1]), xytext=(dx, 0), textcoords="offset points", **style)
    return ax

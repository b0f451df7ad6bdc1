"""The book's cover: what the units of a trained network keep in mind while it reads one line."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lstm_lesson.figures.look import to_png, to_svg, use_style

LINE = "c = f * c + i * g  # what an LSTM keeps, and what it adds"
SMOOTH = np.array([1, 2, 1]) / 4  # over a letter
NIGHT, STAR = "#12161C", "#F4F1EA"  # ground and letters, on light pages and on dark ones
BRIGHT = {"c": "#E69F00", "f": "#FF7F1A", "i": "#2FB0FF", "g": "#00C08C"}


def ridges(ax: Axes, text: str, values: np.ndarray) -> Axes:
    """Draw each unit as a ridge over the text that it read; return the axes.

    Parameters
    ----------
    ax : empty axes on a dark ground; the frame is taken off.
    text : T characters, written below.
    values : (T, H), drawn from the back to the front, each on its unit's own scale.
    """
    T, H = values.shape
    fine = np.linspace(0, T - 1, 2 * T)
    for k, unit in enumerate(values.T):
        depth, base = k / (H - 1), H - k  # depth: 0 at the back
        height = 3.4 * (unit - unit.min()) / max(np.ptp(unit), 1e-9)
        y = base + np.convolve(
            np.pad(np.interp(fine, np.arange(T), height), 1, mode="edge"), SMOOTH, mode="valid"
        )
        line = dict(color=BRIGHT["c"], alpha=0.3 + 0.7 * depth, linewidth=0.7 + 0.9 * depth)
        ax.fill_between(fine, base - 4, y, color=NIGHT, linewidth=0, zorder=2 * k)
        ax.plot(fine, y, zorder=2 * k + 1, **line)
    for t, letter in enumerate(text):
        ink = BRIGHT.get(letter, STAR) if t < text.find("#") else STAR
        style = dict(family="monospace", ha="center", va="center", color=ink)
        ax.text(t, -3.2, letter, size=10.5, zorder=3 * H, **style)
    ax.set(xlim=(-0.8, T - 0.2), ylim=(-4.4, H + 3.2))
    ax.axis("off")
    return ax


def cover(c: np.ndarray, size: tuple[float, float], *, title: bool = False) -> Figure:
    """Return the cover, of `size` in inches: ridges over `LINE`, with or without the title.

    `c`, (T, H), are the cell states of a network that read `LINE`; thirty of them are drawn.
    """
    moving = np.argsort(np.abs(np.diff(c, axis=0)).max(axis=0) / np.abs(c).max(axis=0))
    calm = c[:, moving[:: len(moving) // 30][:30]]  # from units that hold to units that jump
    figure = plt.figure(figsize=size, layout="none", facecolor=NIGHT)
    ridges(figure.add_axes((0.03, 0.02, 0.94, 0.62 if title else 0.96)), LINE, calm)
    if title:
        style = dict(color=STAR, va="center", ha="left")
        figure.text(0.06, 0.83, "Inside the LSTM", size=44, weight="bold", **style)
        said = "Take it apart, do it by hand, check every number"
        figure.text(0.062, 0.70, said, size=17, **style)
    return figure


def write_cover(folder: str | Path, c: np.ndarray) -> None:
    """Write the cover of the first page (SVG), and the card for links to the book (PNG)."""
    use_style()
    picture = cover(c, (11.2, 3.4))
    Path(folder, "cover.svg").write_text(to_svg(picture, whole=True), encoding="utf-8")
    plt.close(picture)
    card = cover(c, (12, 6.3), title=True)
    with plt.rc_context({"savefig.dpi": 100, "savefig.facecolor": NIGHT}):
        Path(folder, "social_card.png").write_bytes(to_png(card))

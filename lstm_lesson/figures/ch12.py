"""Chapter 12: what every gate and state did over one sequence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes


def heat_maps(
    axes: Sequence[Axes], rows: Mapping[str, np.ndarray], *, important: np.ndarray | None = None
) -> Sequence[Axes]:
    """Draw what gates and states did over one sequence, a heat map each; return the axes.

    Parameters
    ----------
    axes : as many as there are rows, from a column of subplots.
    rows : letter (i, f, g, o, c or h) to values (T, H), a unit a line. Gates are drawn from 0,
        dark, to 1, light; the others from blue through white to red, white at zero.
    important : (T,), true where the input matters: a triangle above the first map.
    """
    for ax, (key, values) in zip(axes, rows.items(), strict=True):
        gate = key in "ifo"
        edges = (0.5, len(values) + 0.5, values.shape[1] + 0.5, 0.5)
        look = {"vmin": 0, "vmax": 1}
        if not gate:
            most = max(np.abs(values).max(), 1e-9)
            look = {"cmap": "RdBu_r", "vmin": -most, "vmax": most}
        image = ax.imshow(values.T, aspect="auto", extent=edges, **look)
        # The gates have one scale, so they share a bar.
        beside = [other for other, name in zip(axes, rows, strict=True) if name in "ifo"]
        if not gate or ax is beside[0]:
            bar = ax.figure.colorbar(image, ax=beside if gate else ax, pad=0.02, fraction=0.04)
            bar.ax.tick_params(labelsize=8)
        ax.set_ylabel(f"${key}_t$", rotation=0, ha="right", va="center")
        ax.set_yticks([])
        ax.grid(False)
        if ax is not axes[-1]:
            ax.tick_params(labelbottom=False)
    if important is not None:
        steps = 1 + np.flatnonzero(important)
        axes[0].plot(
            steps, np.full(len(steps), 1.06), "v", color="#333333", clip_on=False,
            transform=axes[0].get_xaxis_transform(),
        )  # fmt: skip
    axes[-1].set_xlabel("step")
    axes[-1].xaxis.get_major_locator().set_params(integer=True)
    return axes

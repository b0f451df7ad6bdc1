"""The gate playground: every number of one LSTM cell of one unit, to be moved."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from traitlets import Dict, Enum, Float, Int, List, Unicode

from lstm_lesson.engine.equations import LSTMState
from lstm_lesson.engine.plain_lstm import lstm_step
from lstm_lesson.figures.diagrams import CELL, cell_diagram
from lstm_lesson.widgets.base import Choice, LessonWidget, script, stylesheet

# The step that chapter 3 works out by hand.
WORKED = {
    "w": [0.6, -0.2, 1.2, -0.9],
    "u": [0.4, 0.8, -0.8, 0.6],
    "b": [-0.3, 1.0, 0.1, 0.3],
    "x": [1.0, -1.0, 0.0, 0.0, 2.0, 0.0],
    "h": 0.5,
    "c": 0.8,
}


def _five_things(forget_bias: float, input_bias: float) -> dict[str, Any]:
    """Return the settings of one of the five units of chapter 3: two biases make the difference."""
    return {
        "w": [0.0, 0.0, 10.0, 0.0],
        "u": [0.0] * 4,
        "b": [input_bias, forget_bias, 0.0, 10.0],
        "x": [0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 0.0, -1.0, 0.0, 0.0],
        "h": 0.0,
        "c": 0.5,
    }


PRESETS = {
    "worked example": WORKED,
    "keep": _five_things(10.0, -10.0),
    "forget": _five_things(-10.0, -10.0),
    "overwrite": _five_things(-10.0, 10.0),
    "count": _five_things(10.0, 10.0),
    "leak": _five_things(1.386, 10.0),  # sigmoid(1.386) = 0.8
}
MOST = 16  # inputs


def _four() -> List:
    return List(Float(), minlen=4, maxlen=4).tag(sync=True)


class GatePlayground(LessonWidget):
    """One LSTM cell with one unit and one input, every number of it on a slider.

    Parameters
    ----------
    preset : one of `PRESETS`, the settings to start from: "worked example" (chapter 3's), "keep",
        "forget", "overwrite", "count" or "leak".
    settings : traits to set differently: ``w``, ``u`` and ``b``, four numbers each in the order
        i, f, g, o; ``x``, 1 to 16 inputs; ``h`` and ``c``, the initial state; ``step``, the step
        that is shown, from 0 (beyond the end it is the last); ``chosen``, the gate whose weights
        and bias can be moved ("i", "f", "g" or "o"), or "x" for the input and the state; ``pins``,
        ``{"2": {"c": 1.0}}`` for a state that is set by hand before a later step.

    Raises
    ------
    ValueError
        If there is no such preset.
    traitlets.TraitError
        If a setting, now or later, is of another kind or out of its range.
    """

    _esm = script("playground", PRESETS=PRESETS, MOST=MOST)
    _css = stylesheet("playground")

    w = _four()
    u = _four()
    b = _four()
    x = List(Float(), minlen=1, maxlen=MOST).tag(sync=True)
    h = Float().tag(sync=True)
    c = Float().tag(sync=True)
    # JSON has text for keys: by any other the script and compute() would read different settings.
    pins = Dict(Dict(Float(), Enum(("h", "c"))), Unicode()).tag(sync=True)
    step = Int(0, min=0).tag(sync=True)
    chosen = Choice(("x", *"ifgo"), "x").tag(sync=True)
    preset = Unicode().tag(sync=True)

    def __init__(self, preset: str = "worked example", **settings) -> None:
        if preset not in PRESETS:
            raise ValueError(f"preset must be one of {', '.join(PRESETS)}, not {preset!r}")
        shown = "" if settings.keys() & PRESETS[preset].keys() else preset
        super().__init__(preset=shown, **{**PRESETS[preset], **settings})

    def compute(self) -> list[dict[str, float]]:
        """Return every number of every step, as the script's ``compute`` does."""
        w, u = (np.array(weight)[:, None] for weight in (self.w, self.u))
        h, c, steps = self.h, self.c, []
        for t, x in enumerate(self.x):
            pinned = self.pins.get(str(t), {})
            h, c = pinned.get("h", h), pinned.get("c", c)
            arrays = (np.array([[value]], dtype=float) for value in (x, h, c))
            x_t, h_prev, c_prev = arrays
            state, cache = lstm_step(x_t, LSTMState(h_prev, c_prev), w, u, np.array(self.b))
            values = {name: array.item() for name, array in cache._asdict().items()}
            h, c = state.h.item(), state.c.item()
            kept, added = values["f"] * values["c_prev"], values["i"] * values["g"]
            steps.append({**values, "kept": kept, "added": added, "h": h})
        return steps

    def table(self) -> str:
        """Return gates and state at each step, three decimals."""
        names = ("x", "i", "f", "g", "o", "c", "h")
        lines = ["step" + "".join(f"{name:>7}" for name in names)]
        for t, step in enumerate(self.compute(), start=1):
            # Adding 0 turns a rounded -0 into 0.
            lines.append(f"{t:4}" + "".join(f"{round(step[k], 3) + 0.0:7.3f}" for k in names))
        return "\n".join(lines)

    def figure(self) -> Figure:
        """Draw the cell at the step that is shown, as the widget does."""
        figure, ax = plt.subplots(figsize=CELL)
        cell_diagram(ax, self.compute()[min(self.step, len(self.x) - 1)])
        return figure

"""The gradient highway: how much of a gradient gets back through an LSTM and a plain network."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from traitlets import Float, Int

from lstm_lesson import LSTM, RNN, LSTMState, trace
from lstm_lesson.figures import COLOURS, norm_against_lag
from lstm_lesson.widgets.base import LessonWidget, script, stylesheet

INPUT, HIDDEN, SEEDS, WARM_UP, LAGS = 4, 16, 10, 50, 100
SCALE = 2.0  # the largest: beyond, the plain network is chaotic


class Drawing(NamedTuple):
    """What one seed draws, for both networks: ``highway.js`` draws the same."""

    x: np.ndarray  # normal inputs, (T, D)
    v: np.ndarray  # what the loss weighs the last state with, of length 1, (H,)
    lstm_weight: np.ndarray  # uniform as by Xavier, (4H, D)
    lstm_recurrent: np.ndarray  # four orthogonal blocks, (4H, H)
    rnn_weight: np.ndarray  # (H, D)
    rnn_recurrent: np.ndarray  # orthogonal, (H, H)


def mulberry32(seed: int):
    """Yield numbers in [0, 1): Tommy Ettinger's generator of 32 bits, the same in any language."""
    state = seed & 0xFFFFFFFF
    while True:
        state = (state + 0x6D2B79F5) & 0xFFFFFFFF
        mixed = ((state ^ (state >> 15)) * (1 | state)) & 0xFFFFFFFF
        mixed ^= (mixed + (mixed ^ (mixed >> 7)) * (61 | mixed)) & 0xFFFFFFFF
        yield (mixed ^ (mixed >> 14)) / 2**32


@lru_cache(maxsize=SEEDS)
def draw(seed: int) -> Drawing:
    """Draw the inputs and weights of one seed, in an order that the script repeats."""
    numbers = mulberry32(seed)

    def normal(*shape):
        # Box and Muller: two uniform numbers for a normal one.
        values = [
            math.sqrt(-2 * math.log(1 - next(numbers))) * math.cos(2 * math.pi * next(numbers))
            for _ in range(math.prod(shape))
        ]
        return np.array(values).reshape(shape)

    def uniform(*shape):
        bound = math.sqrt(6 / (INPUT + HIDDEN))
        values = [bound * (2 * next(numbers) - 1) for _ in range(math.prod(shape))]
        return np.array(values).reshape(shape)

    def orthogonal():
        # Gram and Schmidt: each row loses its part along the rows before it.
        rows = normal(HIDDEN, HIDDEN)
        for n, row in enumerate(rows):
            for before in rows[:n]:
                row -= (row @ before) * before
            row /= math.sqrt(row @ row)
        return rows

    x, v = normal(WARM_UP + LAGS + 1, INPUT), normal(HIDDEN)
    lstm_weight = uniform(4 * HIDDEN, INPUT)
    lstm_recurrent = np.concatenate([orthogonal() for _ in range(4)])
    rnn_weight, rnn_recurrent = uniform(HIDDEN, INPUT), orthogonal()
    v /= math.sqrt(v @ v)
    return Drawing(x, v, lstm_weight, lstm_recurrent, rnn_weight, rnn_recurrent)


def _set(layer, *arrays: np.ndarray) -> None:
    for parameter, array in zip(layer.parameters().values(), arrays, strict=True):
        parameter[...] = array


def _lengths(vectors: np.ndarray) -> np.ndarray:
    return np.sqrt(np.sum(vectors**2, axis=(1, 2)))


def gradient_norms(forget_bias: float, scale: float) -> dict[str, np.ndarray]:
    """Return the norms that `GradientHighway` draws, by the package's engine.

    Parameters
    ----------
    forget_bias : of every unit; the other biases are 0.
    scale : what the orthogonal recurrent matrices are multiplied by.

    Returns
    -------
    ``lstm``, ``path`` and ``rnn``, each (seeds, lags + 1), the first column at lag 0.
    """
    norms = {"lstm": [], "path": [], "rnn": []}
    bias = np.repeat([0.0, forget_bias, 0.0, 0.0], HIDDEN)
    for seed in range(1, SEEDS + 1):
        drawn = draw(seed)
        x, v = drawn.x[:, None], drawn.v[None, None]  # (T, 1, D), (1, 1, H)
        lstm = LSTM(INPUT, HIDDEN, dtype=np.float64)
        rnn = RNN(INPUT, HIDDEN, dtype=np.float64)
        _set(lstm, drawn.lstm_weight, scale * drawn.lstm_recurrent, bias)
        _set(rnn, drawn.rnn_weight, scale * drawn.rnn_recurrent, np.zeros(HIDDEN))
        ran = trace(lstm, x, d_state=LSTMState(0 * v, v))
        plain = trace(rnn, x, d_state=v)
        # Through the cell alone: v times the forget gates of the steps in between.
        passed = np.cumprod([v[0], *ran.f[: -LAGS - 1 : -1]], axis=0)
        norms["lstm"].append(_lengths(ran.gradients.c[: -LAGS - 2 : -1]))
        norms["path"].append(_lengths(passed))
        norms["rnn"].append(_lengths(plain.gradients.h[: -LAGS - 2 : -1]))
    return {name: np.array(rows) for name, rows in norms.items()}


class GradientHighway(LessonWidget):
    """The gradient of a loss on the last state, followed back through two untrained networks.

    Ten LSTMs and ten plain recurrent networks of 16 units read 151 steps of noise. The loss is
    ``v . c`` of the last step for an LSTM and ``v . h`` for a plain network, with ``v`` of length
    1. What is drawn against the lag is the norm of the total gradient with respect to that state
    so many steps earlier, and for the LSTM also the part along the cell alone, the product of the
    forget gates.

    Parameters
    ----------
    forget_bias : the forget gates' bias; 50 makes them exactly 1. The other biases are 0.
    scale : what the orthogonal recurrent matrices of both networks are multiplied by, 0 to 2.
        Beyond, the plain network is so chaotic that its numbers depend on the last digit.
    lag : the lag at which to read the numbers, 0 to 100.
    """

    _esm = script("highway", LAGS=LAGS, SCALE=SCALE)
    _css = stylesheet("highway")

    forget_bias = Float(1.0).tag(sync=True)
    scale = Float(1.0, min=0.0, max=SCALE).tag(sync=True)
    lag = Int(40, min=0, max=LAGS).tag(sync=True)
    input_size = Int(INPUT, read_only=True).tag(sync=True)
    hidden_size = Int(HIDDEN, read_only=True).tag(sync=True)
    seeds = Int(SEEDS, read_only=True).tag(sync=True)
    warm_up = Int(WARM_UP, read_only=True).tag(sync=True)
    lags = Int(LAGS, read_only=True).tag(sync=True)

    def compute(self) -> dict[str, np.ndarray]:
        """Return the norms ``lstm``, ``path`` and ``rnn``, each (seeds, lags + 1)."""
        return gradient_norms(self.forget_bias, self.scale)

    def table(self) -> str:
        """Return the medians at six lags, to one digit."""
        medians = {name: np.median(norms, axis=0) for name, norms in self.compute().items()}
        lines = [
            f"forget bias {self.forget_bias:g}, recurrent scale {self.scale:g}",
            " lag     LSTM  cell alone      RNN",
        ]
        for lag in (0, 5, 10, 20, 50, 100):
            lstm, path, rnn = (medians[name][lag] for name in ("lstm", "path", "rnn"))
            lines.append(f"{lag:4}{lstm:9.0e}{path:12.0e}{rnn:9.0e}")
        return "\n".join(lines)

    def figure(self) -> Figure:
        """Draw the three norms against the lag, the median and the middle 80 % of the seeds."""
        norms = self.compute()
        figure, ax = plt.subplots()
        norm_against_lag(ax, norms["lstm"], "LSTM", COLOURS["c"], at=80)
        norm_against_lag(ax, norms["path"], "cell alone", COLOURS["f"], at=62, linestyle="--")
        norm_against_lag(ax, norms["rnn"], "RNN", COLOURS["h"], at=70, above=False)
        ax.axvline(self.lag, color="black", linestyle=":", linewidth=1)
        ax.set(xlabel="lag k (steps)", ylabel="gradient norm", ylim=(1e-16, 1e4))
        return figure

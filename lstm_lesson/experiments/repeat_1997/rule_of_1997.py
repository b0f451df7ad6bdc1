"""The network of Hochreiter and Schmidhuber 1997 and its learning rule, to the letter.

Cells stand in blocks that share an input and an output gate; cells and gates see the input, the
cells' outputs and the gates of the step before. The rule runs forwards: each weight of a cell or an
input gate keeps an eligibility trace, the derivative of the cell state by that weight. Weights move
at every step that has a target, or, as the paper's appendix A.1 adds it up, once a sequence.
Introduced in chapter 17.
"""

from __future__ import annotations

import json
from typing import NamedTuple

import numpy as np

from lstm_lesson.engine import activations
from lstm_lesson.engine.initializers import uniform
from lstm_lesson.experiments.repeat_1997.rows import Spec1997
from lstm_lesson.experiments.repeat_1997.settings import SETTINGS
from lstm_lesson.tasks.classics import ClassicBatch, classic

try:
    from lstm_lesson.engine.compiled import compiled
except ImportError:  # the same functions run on arrays as they stand, some thirty times slower

    def compiled(function):
        """Return the function itself."""
        return function


sigmoid = compiled(activations.sigmoid)


class Shape(NamedTuple):
    """The shape of a network."""

    C: int  # cells
    K: int  # blocks
    D: int  # inputs
    V: int  # outputs
    alone: bool  # the cell of task 2a: no output gate, no recurrence, g = sigmoid, h(s) = s
    shortcut: bool  # whether outputs see the inputs too
    cells_biased: bool
    gates_biased: bool
    outputs_biased: bool

    @property
    def rows(self) -> int:
        """How many cells and gates there are."""
        return self.C + self.K * (1 if self.alone else 2)

    @property
    def columns(self) -> int:
        """How many numbers each of them sees, a 1 included if any of them has a bias."""
        recurrent = 0 if self.alone else self.C + 2 * self.K
        return self.D + recurrent + (self.cells_biased or self.gates_biased)

    @property
    def count(self) -> int:
        """How many weights are trained."""
        without_bias = self.C if self.gates_biased and not self.cells_biased else 0
        head = self.V * (self.C + self.shortcut * self.D + self.outputs_biased)
        return self.rows * self.columns - without_bias + head


class Weights(NamedTuple):
    """The weights of a network; learning changes them in place."""

    weight: np.ndarray  # (rows, columns): of cells, input gates, output gates; by inputs, cells,
    # input gates, output gates, 1
    head_weight: np.ndarray  # (V, C), or (V, C + D) with a shortcut
    head_bias: np.ndarray  # (V,)


class Step(NamedTuple):
    """One time step of one sequence."""

    seen: np.ndarray  # what cells and gates saw, (columns,)
    g: np.ndarray  # candidates, (C,)
    slope_g: np.ndarray  # derivatives of g by what goes into it, (C,)
    i: np.ndarray  # input gates, (K,)
    o: np.ndarray  # output gates, (K,); ones for the cell alone, which has none
    s: np.ndarray  # cell states, (C,)
    h: np.ndarray  # h(s), (C,)
    slope_h: np.ndarray  # derivatives of h by s, (C,)
    read: np.ndarray  # what the outputs see: the cells' outputs o h(s), then the inputs if a
    # shortcut leads there


def shape_of(spec: Spec1997) -> Shape:
    """Return the shape of a run's network; raise ValueError if its cells fill no blocks."""
    task, setting, C = classic(spec.task), SETTINGS[spec.task], spec.hidden_size
    in_block = RuleOf1997.CELLS[spec.cell]
    if C % in_block:
        raise ValueError(f"hidden_size: expected {spec.cell}, got {C} cells")
    biased = [units in setting.biased for units in ("cells", "gates", "outputs")]
    D, V = task.input_size(spec.T), task.output_size(spec.T)
    return Shape(C, C // in_block, D, V, spec.cell == "one cell", setting.shortcut, *biased)


def initial(spec: Spec1997, rng) -> Weights:
    """Return the initial weights of one network; the spec's biases are one per block."""
    shape, bound = shape_of(spec), SETTINGS[spec.task].bound
    C, K, D, V = shape.C, shape.K, shape.D, shape.V
    sizes = ((shape.rows, shape.columns), (V, C + shape.shortcut * D), (V,))
    weights = Weights(*(uniform(size, rng, low=-bound, high=bound) for size in sizes))
    if not shape.outputs_biased:
        weights.head_bias[:] = 0
    if shape.gates_biased and not shape.cells_biased:
        weights.weight[:C, -1] = 0
    for gate, values in json.loads(spec.biases).items():
        first = C + "io".index(gate) * K
        weights.weight[first : first + K, -1] = values
    return weights


class RuleOf1997:
    """A network of 1997, which learns by the rule of 1997 from one sequence after the other."""

    CELLS = {"one cell": 1, "blocks of 1": 1, "blocks of 2": 2}  # noqa: RUF012, cells per block
    EACH_STEP = True  # whether weights move at each step that has a target

    def __init__(self, spec: Spec1997, rng):
        self.shape, self.lr = shape_of(spec), spec.lr
        self.weights = initial(spec, rng)

    @property
    def num_parameters(self) -> int:
        """How many weights are trained."""
        return self.shape.count

    def learn(self, batch: ClassicBatch) -> tuple[np.ndarray, bool]:
        """Learn from a batch, and return the outputs that the weights of the time gave.

        Returns
        -------
        Outputs (L, N, V), zero at steps where none counts; and whether all of them are finite.
        """
        y = np.zeros_like(batch.target)
        for n, end in enumerate(_ends(batch)):
            x, target, counts = (np.ascontiguousarray(part[:end, n]) for part in batch[:3])
            y[:end, n] = learn(self.shape, self.weights, x, target, counts, self.lr, self.EACH_STEP)
        return y, bool(np.isfinite(y).all())

    def predict(self, batch: ClassicBatch) -> np.ndarray:
        """Return the outputs (L, N, V), up to the last of each sequence that counts."""
        y = np.zeros_like(batch.target)
        for n, end in enumerate(_ends(batch)):
            y[:end, n] = predict(self.shape, self.weights, np.ascontiguousarray(batch.x[:end, n]))
        return y


class OncePerSequence(RuleOf1997):
    """The same, but its weights move once, at the end of each sequence, by the sum of all steps."""

    EACH_STEP = False


def _ends(batch: ClassicBatch) -> np.ndarray:
    """Return the steps of each sequence up to the last that counts, (N,)."""
    return len(batch.mask) - batch.mask[::-1].argmax(axis=0)


# ---- One sequence, in functions that Numba can compile ----


@compiled
def start(shape: Shape) -> Step:
    """Return what comes before the first step."""
    cells, gates, inputs = np.zeros(shape.C), np.zeros(shape.K), np.zeros(shape.D)
    return Step(inputs, cells, cells, gates, gates, cells, cells, cells, cells)


@compiled
def step(shape: Shape, weight: np.ndarray, x: np.ndarray, before: Step) -> Step:
    """Return the step that follows on another, with an input x (D,)."""
    C, K, D, in_block = shape.C, shape.K, shape.D, shape.C // shape.K
    seen = np.ones(weight.shape[1])  # of which the last stays, where there are biases
    seen[:D] = x
    if not shape.alone:
        seen[D : D + C] = before.read[:C]
        seen[D + C : D + C + K] = before.i
        seen[D + C + K : D + C + 2 * K] = before.o
    a = sigmoid((weight * seen).sum(axis=1))  # (rows,)
    i = a[C : C + K]
    if shape.alone:
        g, slope_g, o = a[:C], a[:C] * (1 - a[:C]), np.ones(K)
        s = before.s + np.repeat(i, in_block) * g
        h, slope_h = s, np.ones(C)
    else:
        g, o = 4 * a[:C] - 2, a[C + K :]
        slope_g = (4 - g * g) / 4
        s = before.s + np.repeat(i, in_block) * g
        h = np.tanh(s / 2)  # which is 2 sigmoid(s) - 1
        slope_h = (1 - h * h) / 2
    read = np.repeat(o, in_block) * h
    if shape.shortcut:
        read = np.concatenate((read, x))
    return Step(seen, g, slope_g, i, o, s, h, slope_h, read)


@compiled
def outputs(weights: Weights, read: np.ndarray) -> np.ndarray:
    """Return the outputs of one step, (V,)."""
    return sigmoid((weights.head_weight * read).sum(axis=1) + weights.head_bias)


@compiled
def predict(shape: Shape, weights: Weights, x: np.ndarray) -> np.ndarray:
    """Return the outputs (L, V) of one sequence x (L, D)."""
    y, now = np.empty((len(x), shape.V)), start(shape)
    for t in range(len(x)):
        now = step(shape, weights.weight, x[t], now)
        y[t] = outputs(weights, now.read)
    return y


@compiled
def learn(
    shape: Shape, weights: Weights, x: np.ndarray, target: np.ndarray, counts: np.ndarray,
    lr: float, each_step: bool,
) -> np.ndarray:  # fmt: skip
    """Learn from one sequence, by each of its steps that counts.

    Parameters
    ----------
    shape, weights : of the network; the weights change in place.
    x, target : (L, D) and (L, V).
    counts : (L,), bools.
    lr : learning rate.
    each_step : whether weights move at each of these steps, or once after all of them.

    Returns
    -------
    Outputs (L, V) before each change; zero at steps where none counts.
    """
    C, K, in_block = shape.C, shape.K, shape.C // shape.K
    weight, head_weight, head_bias = weights
    moved = weights if each_step else Weights(weight.copy(), head_weight.copy(), head_bias.copy())
    y, now = np.zeros_like(target), start(shape)
    # Traces: the derivative of s by its cell's weights, and by its input gate's.
    by_cell, by_gate = np.zeros((C, weight.shape[1])), np.zeros((C, weight.shape[1]))
    for t in range(len(x)):
        now = step(shape, weight, x[t], now)
        i = np.repeat(now.i, in_block)
        by_cell += np.outer(i * now.slope_g, now.seen)
        by_gate += np.outer(now.g * i * (1 - i), now.seen)
        if not counts[t]:
            continue
        y[t] = outputs(weights, now.read)
        d_z = (y[t] - target[t]) * y[t] * (1 - y[t])  # (V,)
        d_h = (head_weight[:, :C].T * d_z).sum(axis=1)  # and no further than into the cell
        d_s = d_h * np.repeat(now.o, in_block) * now.slope_h
        d_weight = np.zeros_like(weight)
        d_weight[:C] = np.expand_dims(d_s, 1) * by_cell
        for c in range(C):
            d_weight[C + c // in_block] += d_s[c] * by_gate[c]
        if not shape.alone:
            d_o = (d_h * now.h).reshape(K, in_block).sum(axis=1)
            d_weight[C + K :] = np.outer(d_o * now.o * (1 - now.o), now.seen)
        if shape.gates_biased and not shape.cells_biased:
            d_weight[:C, -1] = 0
        moved.weight[:] -= lr * d_weight
        moved.head_weight[:] -= lr * np.outer(d_z, now.read)
        if shape.outputs_biased:
            moved.head_bias[:] -= lr * d_z
    if not each_step:
        weight[:], head_weight[:], head_bias[:] = moved
    return y

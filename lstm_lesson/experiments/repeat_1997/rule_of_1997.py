"""The network of Hochreiter and Schmidhuber 1997 and its learning rule, to the letter.

Cells stand in blocks that share an input and an output gate; cells and gates see the input, the
cells' outputs and the gates of the step before. The rule runs forwards: each weight of a cell or an
input gate keeps a trace, the derivative of the cell state by that weight, and weights move at every
step that has a target. Replicas S side by side. Introduced in chapter 17.
"""

from __future__ import annotations

import json
from typing import NamedTuple

import numpy as np

from lstm_lesson.engine.activations import sigmoid
from lstm_lesson.engine.initializers import uniform
from lstm_lesson.tasks.classics import Drawn, classic

CELLS = {"one cell": 1, "blocks of 1": 1, "blocks of 2": 2}  # cells a block; see `Net.alone`
# What has a bias, where it is not every unit but the inputs: found from the paper's counts of
# weights, 276, 10,504 and 102.
GATES, HIDDEN, NONE = "gates", "hidden", "none"
BIASES = {"embedded_reber": GATES, "noise_free_lag": NONE, "two_sequence": HIDDEN}


class Net(NamedTuple):
    """The shape of a network."""

    C: int  # cells
    K: int  # blocks
    alone: bool  # the cell of task 2a: no output gate, no recurrence, g = sigmoid, h(s) = s
    biases: str  # "gates", "hidden", "none" or "all"
    D: int  # inputs
    V: int  # outputs
    shortcut: bool  # whether outputs see the inputs too

    @property
    def block(self) -> np.ndarray:
        """The block of each cell, (C,)."""
        return np.arange(self.C) // (self.C // self.K)

    @property
    def hidden_biased(self) -> bool:
        """Whether hidden units, or some of them, see a 1."""
        return self.biases != NONE

    @property
    def count(self) -> int:
        """How many weights are trained."""
        rows = self.C + self.K * (1 if self.alone else 2)
        inputs = self.D + (0 if self.alone else self.C + 2 * self.K) + self.hidden_biased
        fixed = self.C if self.biases == GATES else 0
        head = self.V * (self.C + self.shortcut * self.D + (self.biases == "all"))
        return rows * inputs - fixed + head


def net(spec) -> Net:
    """Return the shape of the network of a `ReplicaSpec`; raise if its cells fill no blocks."""
    task, cells = classic(spec.task), CELLS[spec.cell]
    if spec.hidden_size % cells:
        raise ValueError(f"hidden_size: expected {spec.cell}, got {spec.hidden_size} cells")
    return Net(
        spec.hidden_size, spec.hidden_size // cells, spec.cell == "one cell",
        BIASES.get(spec.task, "all"), task.input_size(spec.T), task.output_size(spec.T),
        task.shortcut,
    )  # fmt: skip


def initial(spec, rng) -> dict[str, np.ndarray]:
    """Return the initial weights of one network.

    ``weight`` has a row for each cell, input gate and output gate; its columns are inputs, cells,
    input gates, output gates, 1. ``head_weight`` reads the cells, then the inputs if there is a
    shortcut; ``head_bias`` is a column. The spec's biases are one a block.
    """
    shape = net(spec)
    C, K, D, V = shape.C, shape.K, shape.D, shape.V
    bound = 0.2 if spec.task in ("embedded_reber", "noise_free_lag") else 0.1
    rows, columns = (C + K, D) if shape.alone else (C + 2 * K, D + C + 2 * K)
    columns += shape.hidden_biased

    def draw(*size):
        return uniform(size, rng, low=-bound, high=bound)

    params = {
        "weight": draw(rows, columns),
        "head_weight": draw(V, C + shape.shortcut * D),
        "head_bias": draw(V, 1),
    }
    if shape.biases != "all":
        params["head_bias"][:] = 0
    if shape.biases == GATES:
        params["weight"][:C, -1] = 0
    for gate, values in json.loads(spec.biases).items():
        start = C + "io".index(gate) * K
        params["weight"][start : start + K, -1] = values
    return params


def forward(spec, params, x) -> np.ndarray:
    """Return the outputs (L, S, B, V) of sequences x (L, S, B, D)."""
    shape, state = net(spec), None
    y = []
    for x_t in x:
        state = _step(shape, params, x_t, state)
        y.append(_outputs(params, state))
    return np.stack(y)


def learn(spec, params, drawn: Drawn, lr) -> np.ndarray:
    """Learn from one sequence a replica, and return the outputs that weights of the time gave.

    Parameters
    ----------
    params : changed in place, at each step at which an output counts.
    drawn : `Drawn` of arrays (L, S, 1, ...).
    lr : learning rates (S, 1, 1).

    Returns
    -------
    Outputs (L, S, 1, V); zero at steps where none counts.
    """
    shape, state = net(spec), None
    C, K, block = shape.C, shape.K, shape.block
    fixed = slice(0, C) if shape.biases == GATES else slice(0)
    y = np.zeros_like(drawn.target)
    weight, head = params["weight"], params["head_weight"]
    S, columns = weight.shape[0], weight.shape[-1]
    # Traces: the derivative of s by its cell's weights, and by its input gate's.
    by_cell, by_gate = np.zeros((2, S, C, columns))
    pending = []  # what the traces have yet to take in
    for t, x_t in enumerate(drawn.x):
        state = _step(shape, params, x_t, state)
        g, i, o, _, squashed, seen, read = (a[:, 0] for a in state)
        slope_g = g * (1 - g) if shape.alone else (4 - g**2) / 4
        i_cell = i[:, block]
        pending.append((i_cell * slope_g, g * i_cell * (1 - i_cell), seen))
        counts = drawn.mask[t]  # (S, 1)
        if not counts.any():
            continue
        of_cell, of_gate, inputs = (np.stack(a, axis=1) for a in zip(*pending, strict=True))
        by_cell += of_cell.swapaxes(1, 2) @ inputs
        by_gate += of_gate.swapaxes(1, 2) @ inputs
        pending.clear()
        y[t] = _outputs(params, state)
        out = y[t, :, 0]
        d_z = np.where(counts, out - drawn.target[t, :, 0], 0) * out * (1 - out)  # (S, V)
        d_h = (d_z[:, None] @ head[..., :C])[:, 0]  # and no further than into the cell
        d_s = d_h if shape.alone else d_h * o[:, block] * (1 - squashed**2) / 2
        d_weight = np.zeros_like(weight)
        d_weight[:, :C] = d_s[..., None] * by_cell
        by_block = (d_s[..., None] * by_gate).reshape(S, K, C // K, columns)
        d_weight[:, C : C + K] = by_block.sum(axis=2)
        if not shape.alone:
            d_o = (d_h * squashed).reshape(S, K, C // K).sum(axis=2)
            d_weight[:, C + K :] = (d_o * o * (1 - o))[..., None] * seen[:, None]
        d_weight[:, fixed, -1] = 0
        weight -= lr * d_weight
        head -= lr * (d_z[..., None] * read[:, None])
        if shape.biases == "all":
            params["head_bias"] -= lr * d_z[..., None]
    return y


class _State(NamedTuple):
    """One step of S replicas and B sequences: (S, B, ...)."""

    g: np.ndarray  # candidates
    i: np.ndarray  # input gates, one a block
    o: np.ndarray  # output gates
    s: np.ndarray  # cell states
    squashed: np.ndarray  # h(s)
    seen: np.ndarray  # what cells and gates saw
    read: np.ndarray  # what the outputs see: the cells' outputs; with a shortcut the inputs too


def _step(shape: Net, params, x, before: _State | None) -> _State:
    S, B, _ = x.shape
    C, K, block = shape.C, shape.K, shape.block
    parts = [x]
    if not shape.alone:
        parts += [np.zeros((S, B, C + 2 * K))] if before is None else [
            before.read[..., :C], before.i, before.o
        ]  # fmt: skip
    seen = np.concatenate([*parts, np.ones((S, B, int(shape.hidden_biased)))], axis=-1)
    a = sigmoid(seen @ params["weight"].swapaxes(-1, -2))
    g, i, o = np.split(a, [C, C + K], axis=-1)
    if not shape.alone:
        g = 4 * g - 2
    s = i[..., block] * g + (0 if before is None else before.s)
    squashed = s if shape.alone else np.tanh(s / 2)
    h = s if shape.alone else o[..., block] * squashed
    read = np.concatenate([h, x], axis=-1) if shape.shortcut else h
    return _State(g, i, o, s, squashed, seen, read)


def _outputs(params, state: _State) -> np.ndarray:
    head, bias = (params[name].swapaxes(-1, -2) for name in ("head_weight", "head_bias"))
    return sigmoid(state.read @ head + bias)

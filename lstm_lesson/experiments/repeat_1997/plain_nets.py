"""The small networks that Adam trains as `replicas`: initial values, outputs, gradients.

A network is given by fields of a `ReplicaSpec`; its parameters are a dict of arrays
(S, rows, columns), with replicas S. What the rule of 1997 trains is in `original`. Introduced in
chapter 17.
"""

from __future__ import annotations

import json
from typing import NamedTuple

import numpy as np

from lstm_lesson.engine import sequence
from lstm_lesson.engine.activations import sigmoid
from lstm_lesson.engine.equations import LSTMCell
from lstm_lesson.engine.initializers import chrono, orthogonal, uniform, xavier_uniform
from lstm_lesson.engine.lstm_kernel import LSTMKernel, LSTMWeights
from lstm_lesson.engine.step_kernel import StepKernel
from lstm_lesson.tasks.classics import Drawn, classic

HELD = 1000.0  # bias that holds a gate at 1, to the last digit


class ReplicaSpec(NamedTuple):
    """All that decides the outcome of a run."""

    arm: str  # what is compared, by name
    task: str  # of `lstm_lesson.tasks.classics.CLASSICS`
    T: int  # its lag
    cell: (
        str  # of the rule of 1997 a name in `rule_of_1997.CELLS`; of Adam "1997", without a forget
    )
    # gate, "LSTM", the plain one, or "peephole", with these
    rule: str  # "1997", or "Adam"
    hidden_size: int  # cells
    biases: str  # initial ones of gates, as JSON: {"i": one a gate}, or {"chrono": longest lag}
    lr: float
    batch_size: int
    budget: int  # sequences at most; of a stream, pieces
    seed: int

    @property
    def steps(self) -> int:
        """Updates of the weights at most."""
        return self.budget // self.batch_size


def initial(spec: ReplicaSpec, rng) -> dict[str, np.ndarray]:
    """Return the initial parameters of one network, vectors as columns.

    The 1997 cell has ``g(z) = 2 tanh(z / 2)`` and ``h(c) = tanh(c / 2)``. Halve the weights of the
    candidate and the cell state, and it is the plain cell: so it is kept, and its forget gate is
    held at 1 by a bias whose gradient is 0.
    """
    task, H = classic(spec.task), spec.hidden_size
    D, V = task.input_size(spec.T), task.output_size(spec.T)
    seen = H + D if task.shortcut else H
    if spec.cell == "1997":
        bound = 0.2 if spec.task in ("embedded_reber", "noise_free_lag") else 0.1

        def draw(*shape):
            return uniform(shape, rng, low=-bound, high=bound)

        params = {
            "weight_ih": draw(4 * H, D), "weight_hh": draw(4 * H, H), "bias": draw(4 * H, 1),
            "head_weight": draw(V, seen), "head_bias": draw(V, 1),
        }  # fmt: skip
        for name in ("weight_ih", "weight_hh", "bias"):
            params[name][2 * H : 3 * H] /= 2
            params[name][H : 2 * H] = HELD if name == "bias" else 0
    else:
        params = {
            "weight_ih": np.vstack([xavier_uniform((H, D), rng) for _ in range(4)]),
            "weight_hh": np.vstack([orthogonal((H, H), rng) for _ in range(4)]),
            "bias": np.zeros((4 * H, 1)),
            "head_weight": xavier_uniform((V, seen), rng),
            "head_bias": np.zeros((V, 1)),
        }
        params["bias"][H : 2 * H] = 1
    if spec.cell == "peephole":
        params["peephole"] = np.zeros((3 * H, 1))
    biases = json.loads(spec.biases)
    if "chrono" in biases:
        params["bias"][:, 0] = chrono(H, biases.pop("chrono"), rng)
    for gate, values in biases.items():
        start = "ifgo".index(gate) * H
        params["bias"][start : start + H, 0] = values
    return params


def forward(spec: ReplicaSpec, params, x, state=None, keep=True):
    """Return outputs (L, S, B, V), the last state, what the head saw, and the cache."""
    _, S, B, _ = x.shape
    if state is None:
        state = (np.zeros((S, B, spec.hidden_size)),) * 2
    inner = {name: p for name, p in params.items() if not name.startswith("head")}
    kernel = StepKernel(LSTMCell()) if spec.cell == "peephole" else LSTMKernel()
    hidden, state, cache = sequence.forward(kernel, x, state, inner, keep=keep)
    if classic(spec.task).shortcut:
        hidden = np.concatenate([hidden, x], axis=-1)
    z = hidden @ params["head_weight"].swapaxes(-1, -2) + params["head_bias"].swapaxes(-1, -2)
    if classic(spec.task).output_size(spec.T) == 1:
        return sigmoid(z), state, hidden, cache
    z -= z.max(axis=-1, keepdims=True)
    e = np.exp(z)
    return e / e.sum(axis=-1, keepdims=True), state, hidden, cache


def gradients(spec: ReplicaSpec, params, drawn: Drawn, state=None, *, cut: bool = False):
    """Return outputs, the gradients of each replica's loss, and the last state.

    The loss is the mean over what counts of the cross-entropy, or of half the squared error where
    there is one output that gives a value. With `cut`, errors that reach a gate or a candidate go
    no further back, as under the rule of 1997.
    """
    y, state, hidden, cache = forward(spec, params, drawn.x, state)
    H, d_z = spec.hidden_size, np.where(drawn.mask[..., None], y - drawn.target, 0.0)
    if y.shape[-1] == 1 and not classic(spec.task).entropy:
        d_z *= y * (1 - y)
    d_z /= drawn.mask.sum(axis=(0, 2))[:, None, None]
    if cut:  # as if on the way back, and there alone, the recurrent weights were zero
        rows = cache.weights.rows.copy()
        rows[..., :H] = 0
        cache = cache._replace(weights=LSTMWeights(rows, columns=rows))
    flat = np.moveaxis(d_z, 0, 1).reshape(d_z.shape[1], -1, d_z.shape[-1])  # (S, L * B, V)
    seen = np.moveaxis(hidden, 0, 1).reshape(d_z.shape[1], -1, hidden.shape[-1])
    d_hidden = (d_z @ params["head_weight"])[..., :H]
    zero = (np.zeros(d_hidden.shape[1:]),) * 2
    grads = sequence.backward(d_hidden, zero, cache).params
    grads["head_weight"] = flat.swapaxes(-1, -2) @ seen
    grads["head_bias"] = flat.sum(axis=1)[..., None]
    return y, grads, state if classic(spec.task).continual else None

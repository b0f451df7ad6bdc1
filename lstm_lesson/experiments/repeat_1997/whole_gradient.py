"""The package's own LSTM on the tasks of the papers, trained by Adam with the whole gradient.

It can also be the cell of 1997, which is a plain one with other weights. Introduced in chapter 17.
"""

from __future__ import annotations

import json

import numpy as np

from lstm_lesson.engine.activations import sigmoid
from lstm_lesson.engine.initializers import chrono, uniform
from lstm_lesson.engine.layers import LSTM, Linear
from lstm_lesson.experiments.repeat_1997.rows import Spec1997
from lstm_lesson.experiments.repeat_1997.settings import SETTINGS
from lstm_lesson.tasks.classics import ClassicBatch, classic
from lstm_lesson.training.losses import log_softmax
from lstm_lesson.training.models import named
from lstm_lesson.training.optim import Adam, clip_by_norm

HELD = 1000.0  # bias that holds a gate at 1, to the last digit
CLIP = 1.0  # bound of the gradient's norm


class WholeGradient:
    """An LSTM, a linear head that reads it, and Adam.

    The 1997 cell has ``g(z) = 2 tanh(z / 2)`` and ``h(c) = tanh(c / 2)``. Halve the weights of the
    candidate and the cell state, and it is the plain cell: so it is kept, and its forget gate is
    held at 1 by a bias whose gradient is 0.
    """

    CELLS = ("1997", "LSTM", "peephole")  # the first has no forget gate

    def __init__(self, spec: Spec1997, rng):
        self.spec, self.setting, self.task = spec, SETTINGS[spec.task], classic(spec.task)
        D, V, H = self.task.input_size(spec.T), self.task.output_size(spec.T), spec.hidden_size
        seen = H + D if self.setting.shortcut else H
        if spec.cell == "1997":
            self._draw_1997(D, seen, V, rng)
        else:
            peephole = spec.cell == "peephole"
            self.layer = LSTM(D, H, peephole=peephole, dtype=np.float64, rng=rng)
            self.head = Linear(seen, V, dtype=np.float64, rng=rng)
        bias, biases = self.layer.parameters()["bias_l0"], json.loads(spec.biases)
        if "chrono" in biases:
            bias[:] = chrono(H, biases.pop("chrono"), rng)
        for gate, values in biases.items():
            start = "ifgo".index(gate) * H
            bias[start : start + H] = values
        self.optimiser = Adam(spec.lr)
        self.state = None  # after what was learned from last

    def _draw_1997(self, D: int, seen: int, V: int, rng) -> None:
        H, bound = self.spec.hidden_size, self.setting.bound

        def draw(shape, rng=rng, dtype=np.float64):
            return uniform(shape, rng, dtype, -bound, bound)

        self.layer = LSTM(D, H, weight_init=draw, recurrent_init=draw, dtype=np.float64, rng=rng)
        self.head = Linear(seen, V, dtype=np.float64)
        cell = self.layer.parameters()
        for p in (cell["bias_l0"], *self.head.parameters().values()):
            p[:] = draw(p.shape)
        for p in cell.values():
            p[2 * H : 3 * H] /= 2
            p[H : 2 * H] = HELD if p.ndim == 1 else 0

    @property
    def num_parameters(self) -> int:
        """How many numbers are trained."""
        kept = 3 / 4 if self.spec.cell == "1997" else 1  # no forget gate
        return int(kept * self.layer.num_parameters) + self.head.num_parameters

    def parameters(self) -> dict[str, np.ndarray]:
        """Return the arrays of both parts, as ``layer.weight_ih_l0`` and ``head.weight``."""
        return named("layer", self.layer.parameters()) | named("head", self.head.parameters())

    def forward(self, x: np.ndarray, state=None, *, keep: bool = True):
        """Return outputs (L, N, V) of x (L, N, D), the last state, and what `gradients` needs."""
        hidden, state, cache = self.layer.forward(x, state, keep=keep)
        read = np.concatenate([hidden, x], axis=-1) if self.setting.shortcut else hidden
        z, head_cache = self.head.forward(read)
        y = sigmoid(z) if z.shape[-1] == 1 else np.exp(log_softmax(z))
        return y, state, (cache, head_cache)

    def predict(self, batch: ClassicBatch) -> np.ndarray:
        """Return the outputs (L, N, V)."""
        return self.forward(batch.x, keep=False)[0]

    def gradients(self, batch: ClassicBatch, state=None):
        """Return outputs, the gradients of the loss by name of the parameter, and the last state.

        The loss is the mean over what counts of the cross-entropy, or of half the squared error
        where there is one output that gives a value.
        """
        y, state, (cache, head_cache) = self.forward(batch.x, state)
        d_z = np.where(batch.mask[..., None], y - batch.target, 0) / batch.mask.sum()
        if y.shape[-1] == 1 and not self.setting.entropy:
            d_z *= y * (1 - y)
        head = self.head.backward(d_z, head_cache)
        d_hidden = head.x[..., : self.spec.hidden_size]
        layer = self.layer.backward(d_hidden, cache)
        return y, named("layer", layer.params) | named("head", head.params), state

    def learn(self, batch: ClassicBatch, state=None) -> tuple[np.ndarray, bool]:
        """Take a step of Adam on a batch that begins in a state, by default of zeros.

        Returns
        -------
        Outputs (L, N, V) before the step; and whether the gradient was finite, without which there
        is no step.
        """
        y, grads, self.state = self.gradients(batch, state)
        try:
            grads, _ = clip_by_norm(grads, CLIP)
        except ValueError:
            return y, False
        if self.task.continual:  # the rate falls to zero
            self.optimiser.lr = self.spec.lr * (1 - self.optimiser.steps / self.spec.steps)
        self.optimiser.step(self.parameters(), grads)
        return y, True

"""A right backward pass of the LSTM, twenty ways to get one line of it wrong, and a judge.

`backward` is written to be read and to be broken: each entry of `MUTANTS` replaces one of its
lines. Chapter 6 uses all of this; to compute something, take `lstm_lesson.LSTM`.
"""

from __future__ import annotations

import inspect
import re
from typing import NamedTuple

import numpy as np

from lstm_lesson.engine.activations import sigmoid
from lstm_lesson.engine.arguments import check_choice, check_rng
from lstm_lesson.engine.equations import LSTMState
from lstm_lesson.engine.plain_lstm import LSTMStepCache
from lstm_lesson.inspect.gradcheck import DIFFERENCES_TOLERANCE, numerical_gradient, relative_error


def forward(x, state, W, U, b):
    """Run an LSTM over a sequence, plainly, and keep every step.

    Parameters
    ----------
    x : (T, B, D). Every array may have an axis S of replicas before its last two (`b` before its
        last): S networks side by side.
    state : `LSTMState` of two (B, H), the state before the first step.
    W, U, b : (4H, D), (4H, H) and (4H,), gates stacked i, f, g, o.

    Returns
    -------
    output : (T, B, H).
    state : `LSTMState`, the state after the last step.
    caches : list of T `LSTMStepCache`.
    """
    h, c = state
    output, caches = [], []
    for x_t in x:
        z = x_t @ W.mT + h @ U.mT + b[..., None, :]  # (B, 4H)
        z_i, z_f, z_g, z_o = np.split(z, 4, axis=-1)
        i, f, g, o = sigmoid(z_i), sigmoid(z_f), np.tanh(z_g), sigmoid(z_o)
        h_prev, c_prev = h, c
        c = f * c_prev + i * g
        tanh_c = np.tanh(c)
        h = o * tanh_c
        output.append(h)
        caches.append(LSTMStepCache(x_t, h_prev, c_prev, i, f, g, o, c, tanh_c))
    return np.stack(output), LSTMState(h, c), caches


def backward(d_output, d_state, caches, W, U):
    """Carry gradients back through `forward`: the equations of chapter 5.

    `d_output` is (T, B, H), `d_state` an `LSTMState`; return a dict of
    x, h_0, c_0, W, U, b.
    """
    T = len(caches)
    d_x = np.zeros((T, *caches[0].x.shape))
    d_W, d_U, d_b = np.zeros(W.shape), np.zeros(U.shape), np.zeros(U.shape[:-1])
    d_h, d_c = d_state
    for t in reversed(range(T)):
        x, h_prev, c_prev, i, f, g, o, c, tanh_c = caches[t]
        d_h = d_h + d_output[t]
        d_o = d_h * np.tanh(c)
        d_c = d_c + d_h * o * (1 - tanh_c**2)
        d_i = d_c * g
        d_f = d_c * c_prev
        d_g = d_c * i
        d_z_i = d_i * i * (1 - i)
        d_z_f = d_f * f * (1 - f)
        d_z_g = d_g * (1 - g**2)
        d_z_o = d_o * o * (1 - o)
        d_z = np.concatenate([d_z_i, d_z_f, d_z_g, d_z_o], axis=-1)
        d_x[t] = d_z @ W
        d_W += d_z.mT @ x
        d_U += d_z.mT @ h_prev
        d_b += d_z.sum(axis=-2)
        d_h = d_z @ U
        d_c = d_c * f
    return {"x": d_x, "h_0": d_h, "c_0": d_c, "W": d_W, "U": d_U, "b": d_b}


# Name to a line of `backward`, without its indent, and what stands there instead.
MUTANTS = {
    "slope of i": ("d_z_i = d_i * i * (1 - i)", "d_z_i = d_i"),
    "slope of g": ("d_z_g = d_g * (1 - g**2)", "d_z_g = d_g"),
    "slope of c": ("d_c = d_c + d_h * o * (1 - tanh_c**2)", "d_c = d_c + d_h * o"),
    "no tanh(c)": ("d_o = d_h * np.tanh(c)", "d_o = d_h * c"),
    "late c": ("d_f = d_c * c_prev", "d_f = d_c * c"),
    "late h": ("d_U += d_z.mT @ h_prev", "d_U += d_z.mT @ (o * tanh_c)"),
    "= in d_h": ("d_h = d_h + d_output[t]", "d_h = d_output[t]"),
    "= in d_c": ("d_c = d_c + d_h * o * (1 - tanh_c**2)", "d_c = d_h * o * (1 - tanh_c**2)"),
    "= in d_W": ("d_W += d_z.mT @ x", "d_W = d_z.mT @ x"),
    "last gate": ("d_h = d_z @ U", "d_h = d_z_o @ np.split(U, 4, axis=-2)[3]"),
    "no forget": ("d_c = d_c * f", "d_c = d_c"),
    "i, f swapped": (
        "d_z = np.concatenate([d_z_i, d_z_f, d_z_g, d_z_o], axis=-1)",
        "d_z = np.concatenate([d_z_f, d_z_i, d_z_g, d_z_o], axis=-1)",
    ),
    "g, o swapped": (
        "d_z = np.concatenate([d_z_i, d_z_f, d_z_g, d_z_o], axis=-1)",
        "d_z = np.concatenate([d_z_i, d_z_f, d_z_o, d_z_g], axis=-1)",
    ),
    "U turned": (
        "d_h = d_z @ U",
        "d_h = d_z @ np.concatenate([u.mT for u in np.split(U, 4, -2)], -2)",
    ),
    "b twice": ("d_b += d_z.sum(axis=-2)", "d_b += 2 * d_z.sum(axis=-2)"),
    "b averaged": ("d_b += d_z.sum(axis=-2)", "d_b += d_z.mean(axis=-2)"),
    "no final c": ("d_h, d_c = d_state", "d_h, d_c = d_state.h, 0 * d_state.c"),
    "no first h": ("d_U += d_z.mT @ h_prev", "d_U += d_z.mT @ h_prev if t > 0 else 0"),
    "last output": ("d_h = d_h + d_output[t]", "d_h = d_h + d_output[t] * (t == T - 1)"),
    "x backwards": ("d_x[t] = d_z @ W", "d_x[T - 1 - t] = d_z @ W"),
}


def mutate(name: str):
    """Return `backward` with one line made wrong; raise ValueError on a name not in `MUTANTS`."""
    right, wrong = MUTANTS[check_choice("mutant", name, MUTANTS)]
    namespace = dict(globals())
    exec(inspect.getsource(backward).replace(f"    {right}\n", f"    {wrong}\n"), namespace)
    return namespace["backward"]


class Problem(NamedTuple):
    """What a gradient check needs: a short sequence, weights, and gradients that arrive."""

    x: np.ndarray  # (T, B, D)
    state: LSTMState  # before the first step, two (B, H)
    W: np.ndarray  # (4H, D)
    U: np.ndarray  # (4H, H)
    b: np.ndarray  # (4H,)
    d_output: np.ndarray  # (T, B, H)
    d_state: LSTMState  # two (B, H)

    def run(self, backward) -> dict[str, np.ndarray]:
        """Return the gradients that a function like `backward` finds."""
        _, _, caches = forward(self.x, self.state, self.W, self.U, self.b)
        return backward(self.d_output, self.d_state, caches, self.W, self.U)

    def differences(self) -> dict[str, np.ndarray]:
        """Return the gradients by central differences of `forward`."""

        def loss() -> float:
            output, last, _ = forward(self.x, self.state, self.W, self.U, self.b)
            return float(np.sum(output * self.d_output) + np.sum(np.multiply(last, self.d_state)))

        h, c = self.state
        tensors = {"x": self.x, "h_0": h, "c_0": c, "W": self.W, "U": self.U, "b": self.b}
        return {name: numerical_gradient(loss, tensor) for name, tensor in tensors.items()}


def problem(T: int = 4, B: int = 3, D: int = 2, H: int = 3, rng=0) -> Problem:
    """Return a `Problem` with every entry of every array drawn from N(0, 1): nothing is zero."""
    rng = check_rng(rng)
    x, W, U, b = (rng.normal(size=shape) for shape in [(T, B, D), (4 * H, D), (4 * H, H), 4 * H])
    d_output, state, d_state = (rng.normal(size=(n, B, H)) for n in (T, 2, 2))
    return Problem(x, LSTMState(*state), W, U, b, d_output, LSTMState(*d_state))


def by_gate(grads: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Split the gradients of W, U and b into those of their four gates: ``W_i`` to ``b_o``."""
    parts = {name: grads[name] for name in ("x", "h_0", "c_0")}
    for name in "WUb":
        rows = np.split(np.asarray(grads[name]), 4)
        parts |= {f"{name}_{gate}": row for gate, row in zip("ifgo", rows, strict=True)}
    return parts


def disagreeing(ours, reference, tolerance: float = DIFFERENCES_TOLERANCE) -> tuple[str, ...]:
    """Return the names in `reference` under which two dicts of gradients differ; a nan differs."""
    errors = {name: relative_error(ours[name], reference[name]) for name in reference}
    return tuple(name for name, error in errors.items() if not error <= tolerance)


class Verdict(NamedTuple):
    """What `judge` found wrong: names of gradients, or what is amiss with their form."""

    one_step: tuple[str, ...]
    four_steps: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.one_step or self.four_steps)

    def __str__(self) -> str:
        """Format one line for each length, with the gates of a tensor together: ``W_fg``."""
        one, four = (f"wrong: {', '.join(found)}" if found else "right" for found in self)
        return re.sub(r"(?<=([WUb])_[ifgo]), \1_", "", f"1 step:  {one}\n4 steps: {four}")


def judge(your_backward, rng=0) -> Verdict:
    """Check a function that is called like `backward`, and name the gradients that are wrong.

    Parameters
    ----------
    your_backward : the function. If it raises, or returns what has not the right names and shapes,
        the verdict says so.
    rng : a generator or a seed, for the problems.

    Returns
    -------
    `Verdict`, on a sequence of one step and on one of four. Used in chapter 6.
    """
    rng = check_rng(rng)
    return Verdict(*(_wrong(your_backward, problem(T, rng=rng)) for T in (1, 4)))


def _wrong(your_backward, task: Problem) -> tuple[str, ...]:
    reference = task.differences()
    try:
        grads = dict(task.run(your_backward))
        grads = {name: np.asarray(grads[name], float) for name in reference if name in grads}
    except Exception as error:  # whatever a reader's function may do
        return (f"{type(error).__name__}: {error}",)
    form = {
        name: f"{name} (shape {grads[name].shape}, not {right.shape})"
        if name in grads
        else f"{name} (missing)"
        for name, right in reference.items()
        if name not in grads or grads[name].shape != right.shape
    }
    if not form:
        return disagreeing(by_gate(grads), by_gate(reference))
    # What has no right form can't be split by gate: judge the others whole.
    rest = {name: right for name, right in reference.items() if name not in form}
    return (*form.values(), *disagreeing(grads, rest))

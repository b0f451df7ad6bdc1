"""The relational memory core: a memory of several vectors, which look at each other at every step.

After Santoro et al. 2018, as their published code has it: attention over memory and input, and the
gates of an LSTM around it. Introduced in chapter 24.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lstm_lesson.engine.activations import (
    relu,
    relu_derivative,
    sigmoid,
    sigmoid_derivative,
    tanh,
    tanh_derivative,
)
from lstm_lesson.engine.arguments import check_number, check_size
from lstm_lesson.engine.attention import attend, attend_back, from_heads, to_heads
from lstm_lesson.engine.initializers import xavier_uniform
from lstm_lesson.engine.layer import option
from lstm_lesson.engine.residual import layer_norm, layer_norm_back
from lstm_lesson.engine.sequence import SequenceLayer, SequenceOptions, affine, affine_back


def linear(x, params, name):
    """Return ``x W.T + b`` with the parameters of that name."""
    return affine(x, params[f"weight_{name}"], params[f"bias_{name}"])


def linear_back(d_y, x, params, name, grads):
    """Return the gradient of `x`, and add those of the parameters to `grads`."""
    d_x, d_weight, d_bias = affine_back(d_y, x, params[f"weight_{name}"])
    grads[f"weight_{name}"] += d_weight
    grads[f"bias_{name}"] += d_bias
    return d_x


def relational_step(x, memory, params, heads):
    """Return the memory after one step, and the cache.

    Parameters
    ----------
    x : (B, 1, S), the input, as large as a slot of the memory.
    memory : (B, slots, S).
    params : of a `RelationalMemory`; their number doesn't depend on that of the slots.
    """
    seen = np.concatenate([memory, x], axis=1)  # (B, slots + 1, S)
    q = linear(memory, params, "q")
    k, v = np.split(linear(seen, params, "kv"), 2, axis=-1)
    taken, attended = attend(*(to_heads(a, heads) for a in (q, k, v)))
    taken = from_heads(taken)  # (B, slots, S)
    summed = memory + linear(taken, params, "out")
    a, kept_a = layer_norm(summed, params["gain_1"], params["offset_1"])
    inner = relu(linear(a, params, "up"))
    summed = a + linear(inner, params, "down")
    new, kept_new = layer_norm(summed, params["gain_2"], params["offset_2"])
    z = linear(tanh(memory), params, "gates")  # (B, slots, 2 S)
    z = z + x @ params["weight_x"].T
    i, f = np.split(sigmoid(z), 2, axis=-1)
    g = tanh(new)
    attention = (seen, taken, attended)
    block = (kept_a, a, inner, kept_new)
    return f * memory + i * g, (x, memory, attention, block, i, f, g)


def relational_back(d_after, kept, params, grads):
    """Return the gradients of the input and of the memory before, and add to `grads` the others."""
    x, memory, (seen, taken, attended), (kept_a, a, inner, kept_new), i, f, g = kept
    d_z = np.concatenate(
        [d_after * g * sigmoid_derivative(i), d_after * memory * sigmoid_derivative(f)], axis=-1
    )
    squashed = tanh(memory)
    d_memory = d_after * f
    d_memory += linear_back(d_z, squashed, params, "gates", grads) * tanh_derivative(squashed)
    d_z_x = d_z.sum(axis=1, keepdims=True)  # every slot sees the same input
    grads["weight_x"] += d_z_x[:, 0].T @ x[:, 0]
    d_x = d_z_x @ params["weight_x"]

    d_new = d_after * i * tanh_derivative(g)
    d_a, d_gain, d_offset = layer_norm_back(d_new, kept_new)
    grads["gain_2"] += d_gain
    grads["offset_2"] += d_offset
    d_inner = linear_back(d_a, inner, params, "down", grads) * relu_derivative(inner)
    d_a = d_a + linear_back(d_inner, a, params, "up", grads)
    d_summed, d_gain, d_offset = layer_norm_back(d_a, kept_a)
    grads["gain_1"] += d_gain
    grads["offset_1"] += d_offset
    d_memory += d_summed

    d_taken = linear_back(d_summed, taken, params, "out", grads)
    d_q, d_k, d_v = map(from_heads, attend_back(to_heads(d_taken, attended[0].shape[1]), attended))
    d_memory += linear_back(d_q, memory, params, "q", grads)
    d_kv = np.concatenate([d_k, d_v], axis=-1)
    d_seen = linear_back(d_kv, seen, params, "kv", grads)
    return d_x + d_seen[:, -1:], d_memory + d_seen[:, :-1]


@dataclass(frozen=True, kw_only=True)
class RelationalOptions(SequenceOptions):
    """What a `RelationalMemory` is built from."""

    slots: int = option(1, check_size, "vectors in the memory, of H / slots numbers each")
    heads: int = option(1, check_size, "how many parts of a vector attend apart")
    forget_bias: float = option(1.0, check_number, "of the forget gates, at the start")

    def check_together(self) -> None:
        """Raise ValueError if the memory can't be shared out evenly."""
        if self.hidden_size % (self.slots * self.heads):
            raise ValueError(
                f"hidden_size: expected a multiple of slots * heads, {self.slots} * {self.heads}, "
                f"got {self.hidden_size}"
            )


class RelationalMemory(SequenceLayer):
    """A recurrent layer whose memory is a matrix, its rows related to each other by attention.

    Parameters
    ----------
    OPTIONS
    rng : as in `LSTM`. Weights are Xavier uniform, biases zero but for `forget_bias`.

    The memory starts as the identity, slot k with a one at place k, so that slots differ. Output
    and state are how far it is from that, flattened to (..., H). Introduced in chapter 24.
    """

    OPTIONS = RelationalOptions

    @property
    def _slot(self) -> int:
        return self.hidden_size // self.slots

    def _shapes(self):
        S = self._slot
        sizes = {"in": (S, self.input_size), "q": (S, S), "kv": (2 * S, S), "out": (S, S),
                 "up": (S, S), "down": (S, S), "gates": (2 * S, S)}  # fmt: skip
        shapes = {}
        for name, shape in sizes.items():
            shapes |= {f"weight_{name}": shape, f"bias_{name}": shape[:1]}
        norms = {f"{part}_{n}": (S,) for n in (1, 2) for part in ("gain", "offset")}
        return shapes | {"weight_x": (2 * S, S)} | norms

    def _draw(self, rng):
        S, params = self._slot, {}
        for name, shape in self._shapes().items():
            value = np.zeros(shape, self.dtype)
            if name.startswith("weight"):  # a matrix of two blocks is drawn as two
                blocks = [(S, shape[1])] * (shape[0] // S)
                value = np.concatenate([xavier_uniform(b, rng, self.dtype) for b in blocks])
            params[name] = value + name.startswith("gain")
        params["bias_gates"][S:] = self.forget_bias
        return params

    def _forward(self, x, state, inside, rng):
        (T, B, _), S = x.shape, self._slot
        start = np.eye(self.slots, S, dtype=self.dtype)
        memory = state[0].reshape(B, self.slots, S) + start
        entered = linear(x, self._params, "in")  # (T, B, S)
        output, steps = np.empty((T, B, self.hidden_size), self.dtype), []
        for t in range(T):
            memory, kept = relational_step(entered[t][:, None], memory, self._params, self.heads)
            output[t] = (memory - start).reshape(B, -1)
            steps.append(kept)
        return output, (), (x, steps)

    def _backward(self, d_output, d_rest, kept):
        x, steps = kept
        T, B, _ = x.shape
        params = {name: np.zeros_like(p) for name, p in self._params.items()}
        d_memory = np.zeros((B, self.slots, self._slot), self.dtype)
        d_entered = np.empty((T, B, self._slot), self.dtype)
        for t in reversed(range(T)):
            d_memory = d_memory + d_output[t].reshape(d_memory.shape)
            d_x, d_memory = relational_back(d_memory, steps[t], self._params, params)
            d_entered[t] = d_x[:, 0]
        d_x = linear_back(d_entered, x, self._params, "in", params)
        return d_x, (d_memory.reshape(B, -1),), params

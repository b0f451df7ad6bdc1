"""What can be trained: an adapter for our layers and one for PyTorch modules, with one loss.

Introduced in chapter 8.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lstm_lesson.engine.arguments import check_choice, check_flag, check_rng


class Batch(NamedTuple):
    """N sequences to learn from."""

    x: np.ndarray  # (T, N, D), or (N, T, D) if the model is batch first
    target: np.ndarray  # (T, N, ...) or (N, T, ...) as x; (N, ...) if the model reads the last step
    lengths: np.ndarray | None = None  # (N,), steps of each sequence; by default all T
    mask: np.ndarray | None = None  # bools, target's two first axes or (N,): what counts


class Model:
    """Base of what can be trained.

    A subclass defines ``parameters()``, a dict of its own arrays, and ``forward(x, lengths, rng)``,
    which returns predictions and a function from their gradient to that of the parameters.
    """

    def __init__(self, loss, read: str, batch_first: bool):
        self._loss, self._read = loss, check_choice("read", read, ("every", "last"))
        axis = 0 if check_flag("batch_first", batch_first) else 1
        self.axes = Batch(axis, axis if read == "every" else 0, 0, axis if read == "every" else 0)

    def loss_and_grads(self, batch: Batch, rng=None) -> tuple[float, dict[str, np.ndarray]]:
        """Return the loss of a batch and its gradients; with dropout if given a generator."""
        y, backward = self.forward(batch.x, batch.lengths, rng)
        value, d_y = self._loss(y, batch.target, self._mask(batch))
        return value, backward(d_y)

    def loss(self, batch: Batch) -> float:
        """Return the loss of a batch, without dropout."""
        y, _ = self.forward(batch.x, batch.lengths)
        return self._loss(y, batch.target, self._mask(batch))[0]

    def zero_state(self, N: int) -> tuple[np.ndarray, ...]:
        """Return the state before the first step of N sequences, for a model that can carry it."""
        raise TypeError(
            f"model: expected a SequenceModel to carry a state, got {type(self).__name__}"
        )

    def _mask(self, batch: Batch) -> np.ndarray | None:
        """Return what counts of the batch's target: the steps inside of `lengths` and of `mask`."""
        if batch.lengths is None or self._read == "last":
            return batch.mask
        steps = np.arange(batch.x.shape[1 - self.axes.x])
        inside = np.asarray(batch.lengths)[:, None] > steps  # (N, T)
        inside = inside.T if self.axes.x else inside
        return inside if batch.mask is None else inside & batch.mask


class SequenceModel(Model):
    """A recurrent layer and a linear head in NumPy, under a loss of `lstm_lesson.training.losses`.

    `layer` is an `LSTM`, `GRU` or `RNN`, `head` a `Linear` that reads it, `loss` a function
    ``(y, target, mask) -> (value, gradient)``. With `read` "every" there is a prediction at every
    step; with "last" there is one, from the final hidden states of the last layer.
    """

    def __init__(self, layer, head, loss, read: str = "every"):
        super().__init__(loss, read, layer.batch_first)
        self.layer, self.head = layer, head

    def parameters(self) -> dict[str, np.ndarray]:
        """Return the arrays of both parts, as ``layer.weight_ih_l0`` and ``head.weight``."""
        return named("layer", self.layer.parameters()) | named("head", self.head.parameters())

    def zero_state(self, N: int) -> tuple[np.ndarray, ...]:
        """Return the state before the first step of N sequences, (layers, N, ...) each."""
        shape = [1, 1, self.layer.input_size]
        shape[self.axes.x] = N
        _, state, _ = self.layer.forward(np.zeros(shape, self.layer.dtype), keep=False)
        return tuple(np.zeros_like(part) for part in _parts(state))

    def forward(self, x: np.ndarray, lengths=None, rng=None):
        """Return predictions, and a function from their gradient to that of the parameters."""
        return self._forward(x, lengths, rng, None)[:2]

    def loss_grads_and_state(self, batch: Batch, rng, state: tuple[np.ndarray, ...]):
        """Return what `loss_and_grads` does of a batch that starts in a state, and the last one."""
        y, backward, last = self._forward(batch.x, batch.lengths, rng, state)
        value, d_y = self._loss(y, batch.target, self._mask(batch))
        return value, backward(d_y), _parts(last)

    def _forward(self, x, lengths, rng, state):
        state = state[0] if state is not None and len(state) == 1 else state
        output, state, cache = self.layer.forward(x, state, lengths, rng=rng)
        directions = 2 if self.layer.bidirectional else 1
        h = _parts(state)[0]
        read = output if self._read == "every" else np.concatenate(h[-directions:], axis=-1)
        y, head_cache = self.head.forward(read)

        def backward(d_y):
            head = self.head.backward(d_y, head_cache)
            d_output, d_state = head.x, None
            if self._read == "last":
                d_output, d_parts = np.zeros_like(output), [np.zeros_like(a) for a in _parts(state)]
                d_parts[0][-directions:] = np.split(head.x, directions, axis=-1)
                d_state = type(state)(*d_parts) if isinstance(state, tuple) else d_parts[0]
            layer = self.layer.backward(d_output, cache, d_state)
            return named("layer", layer.params) | named("head", head.params)

        return y, backward, state


class TorchModel(Model):
    """A PyTorch module on the CPU, under a loss of `lstm_lesson.training.losses`.

    `module` is called with `x` as a tensor, and `lengths` if there are any, and returns
    predictions; `loss` and `read` are as in `SequenceModel`. `batch_first` says whether N is the
    first axis of `x`. Buffers that change in training are not kept.
    """

    def __init__(self, module, loss, read: str = "every", batch_first: bool = False):
        super().__init__(loss, read, batch_first)
        self.module = module

    def parameters(self) -> dict[str, np.ndarray]:
        """Return arrays that share memory with the parameters that require a gradient."""
        return {name: p.detach().numpy() for name, p in self._trained().items()}

    def forward(self, x: np.ndarray, lengths=None, rng=None):
        """Return predictions, and a function from their gradient to that of the parameters."""
        import torch

        mode = self.module.training
        with torch.random.fork_rng(devices=[]):
            if rng is not None:  # PyTorch's dropout takes no generator
                torch.default_generator.manual_seed(int(check_rng(rng).integers(2**63)))
            arrays = [np.ascontiguousarray(a) for a in (x, lengths) if a is not None]
            try:
                y = self.module.train(rng is not None)(*map(torch.tensor, arrays))
            finally:
                self.module.train(mode)

        def backward(d_y):
            d_y, trained = torch.tensor(np.ascontiguousarray(d_y)), self._trained()
            grads = torch.autograd.grad(y, trained.values(), d_y, materialize_grads=True)
            named = zip(trained, grads, strict=True)
            # In PyTorch 2.4 the zeros of an unused parameter want a gradient themselves.
            return {name: g.detach().numpy().copy() for name, g in named}

        return y.detach().numpy().copy(), backward  # a copy, for `backward` may need y as it is

    def _trained(self) -> dict:
        return {name: p for name, p in self.module.named_parameters() if p.requires_grad}


def _parts(state) -> tuple[np.ndarray, ...]:
    return state if isinstance(state, tuple) else (state,)


def named(prefix: str, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the arrays with a prefix to each name."""
    return {f"{prefix}.{name}": array for name, array in arrays.items()}

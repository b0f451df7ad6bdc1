"""Check a backward pass two ways: central differences, and PyTorch's autograd."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from lstm_lesson import interop
from lstm_lesson.engine.arguments import check_rng
from lstm_lesson.engine.layer import Layer

DIFFERENCES_TOLERANCE = 1e-7  # a central difference with step 1e-5 keeps about 9 digits in float64
AUTOGRAD_TOLERANCE = 1e-12  # rounding alone; sums of many terms lose a few digits of 16


class Row(NamedTuple):
    """One line of a `Table`: one tensor's gradient against its references."""

    tensor: str  # name of the tensor that the gradient belongs to
    shape: tuple[int, ...]
    largest: float  # largest absolute entry of the reference gradient
    differences: float  # relative error against central differences
    autograd: float | None  # relative error against PyTorch's autograd, if compared

    @property
    def passed(self) -> bool:
        """Whether both errors are within tolerance; a nan in a gradient is a failure."""
        agrees = self.autograd is None or self.autograd <= AUTOGRAD_TOLERANCE
        return agrees and self.differences <= DIFFERENCES_TOLERANCE


class Table(NamedTuple):
    """The outcome of a check, one row a tensor; print it to read it."""

    rows: tuple[Row, ...]

    @property
    def passed(self) -> bool:
        """Whether every tensor passed."""
        return all(row.passed for row in self.rows)

    def __str__(self) -> str:
        """Format the table; an error within tolerance prints as its bound, alike on every machine.

        The digits of a rounding error differ from one processor to the next; that it is rounding
        does not. An error above its tolerance prints as it is.
        """
        titles = (
            f"{'gradient of':<14}{'shape':<14}{'largest':>9}{'differences':>13}{'autograd':>11}"
        )
        lines = [titles]
        for row in self.rows:
            shape = " x ".join(map(str, row.shape))
            differences = _bounded(row.differences, DIFFERENCES_TOLERANCE)
            autograd = _bounded(row.autograd, AUTOGRAD_TOLERANCE)
            verdict = "ok" if row.passed else "WRONG"
            lines.append(
                f"{row.tensor:<14}{shape:<14}{row.largest:>9.4f}{differences:>13}{autograd:>11}"
                f"  {verdict}"
            )
        return "\n".join(lines)


def _bounded(error: float | None, tolerance: float) -> str:
    if error is None:
        return "-"
    return f"< {tolerance:.0e}" if error <= tolerance else f"{error:.1e}"


def numerical_gradient(
    loss: Callable[[], float], array: np.ndarray, step: float = 1e-5
) -> np.ndarray:
    """Return ``dloss/darray`` by central differences, ``(L(a + step) - L(a - step)) / (2 step)``.

    Parameters
    ----------
    loss : a function of no arguments that reads `array` and returns a number.
    array : float64, of any shape; each entry is moved in place, and put back.
    step : how far. The error has a part in ``step**2`` from the curvature and a part in
        ``1e-16 / step`` from rounding; 1e-5 balances the two.

    Returns
    -------
    Array of the shape of `array`. Raises TypeError unless `array` is float64. Introduced in
    chapter 2.
    """
    if not isinstance(array, np.ndarray) or array.dtype != np.float64:
        kind = getattr(array, "dtype", type(array).__name__)
        raise TypeError(f"array: expected a float64 array, got {kind}; float32 is too coarse here")
    gradient = np.empty_like(array)
    for index in np.ndindex(array.shape):
        value = array[index]
        array[index] = value + step
        above = loss()
        array[index] = value - step
        below = loss()
        array[index] = value
        gradient[index] = (above - below) / (2 * step)
    return gradient


def relative_error(ours: np.ndarray, reference: np.ndarray) -> float:
    """Return the largest difference between two arrays over the largest entry of the reference.

    One figure for a whole tensor: an entry that is zero in truth does not blow it up. Two arrays of
    zeros differ by 0; where only the reference is zero the error is infinite. Raises ValueError if
    the shapes differ.
    """
    if np.shape(ours) != np.shape(reference):
        raise ValueError(f"shapes: expected equal, got {np.shape(ours)} and {np.shape(reference)}")
    difference = float(np.max(np.abs(ours - reference), initial=0.0))
    scale = float(np.max(np.abs(reference), initial=0.0))
    if scale == 0.0:
        return 0.0 if difference == 0.0 else np.inf
    return difference / scale


def compare(
    ours: dict[str, np.ndarray],
    differences: dict[str, np.ndarray],
    autograd: dict[str, np.ndarray] | None = None,
) -> Table:
    """Return the `Table` of one set of gradients beside one or two sets of references.

    Parameters
    ----------
    ours, differences, autograd : dicts of arrays under the same names. `autograd` may be left out.

    Raises
    ------
    ValueError
        If a name is in one dict and not in another, or two shapes differ.
    """
    for reference in (differences, autograd or ours):
        if missing := set(ours) ^ set(reference):
            raise ValueError(f"expected the same tensors in each dict, differ in {sorted(missing)}")
    return Table(
        tuple(
            Row(
                name,
                np.shape(gradient),
                float(np.max(np.abs(differences[name]), initial=0.0)),
                relative_error(gradient, differences[name]),
                relative_error(gradient, autograd[name]) if autograd else None,
            )
            for name, gradient in ours.items()
        )
    )


def check(
    layer: Layer, x: np.ndarray, lengths=None, *, autograd: bool = True, state=None, rng=0
) -> Table:
    """Check every gradient that `layer.backward` returns, for random gradients arriving everywhere.

    The loss is a random weighted sum of every output and of every final state, from a random
    initial state, so that no path through the layer goes unseen.

    Parameters
    ----------
    layer : a float64 layer: `RNN`, `GRU`, `LSTM`, or one of those of chapter 24, which have to be
        checked by differences alone.
    x, lengths : what ``layer.forward`` takes; keep `x` small, every entry of every tensor costs two
        forward passes.
    autograd : whether to compare with PyTorch as well; it has not every option.
    state : what to start from, random by default. A layer in which not every state makes sense,
        such as an sLSTM with its normaliser, takes one that `forward` returned.
    rng : a generator or a seed, for the weights of the sum and the initial state.

    Returns
    -------
    `Table` with a row for the input, each initial state and each parameter.

    Raises
    ------
    TypeError
        If the layer is not float64.
    ValueError
        If it has an option that PyTorch lacks, unless `autograd` is False.

    Explained in chapters 2 and 5.
    """
    if layer.dtype != np.float64:
        raise TypeError(f"layer: expected dtype float64, got {layer.dtype}; digits run out")
    rng = check_rng(rng)
    x = x.copy()
    output, last, _ = layer.forward(x, state, lengths)
    start, d_state = (_like(last, rng) for _ in range(2))
    if state is not None:
        start = type(state)(*map(np.copy, state)) if isinstance(state, tuple) else state.copy()
    d_output = rng.normal(size=output.shape)

    def loss() -> float:
        output, last, _ = layer.forward(x, start, lengths)
        parts = zip(_parts(last), _parts(d_state), strict=True)
        return float(np.sum(output * d_output) + sum(np.sum(a * d) for a, d in parts))

    _, _, cache = layer.forward(x, start, lengths)
    grads = layer.backward(d_output, cache, d_state)
    names = [f"{part}_0" for part in getattr(last, "_fields", ("h",))]
    tensors = {"x": x, **dict(zip(names, _parts(start), strict=False)), **layer.parameters()}
    d_start = dict(zip(names, _parts(grads.state), strict=False))
    ours = {"x": grads.x, **d_start, **grads.params}
    reference = _autograd(layer, x, start, lengths, d_output, d_state) if autograd else None
    differences = {name: numerical_gradient(loss, tensors[name]) for name in ours}
    return compare(ours, differences, reference)


def _parts(state) -> tuple[np.ndarray, ...]:
    return state if isinstance(state, tuple) else (state,)


def _like(state, rng):
    drawn = [rng.normal(size=part.shape) for part in _parts(state)]
    return type(state)(*drawn) if isinstance(state, tuple) else drawn[0]


def _autograd(layer, x, state, lengths, d_output, d_state) -> dict[str, np.ndarray]:
    """Return the same gradients by PyTorch, under our names."""
    import torch
    from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

    try:
        module = interop.to_torch(layer).train(False)
    except ValueError as error:
        raise ValueError(f"{error}; check it with autograd=False, by differences alone") from error
    x, *start = (torch.tensor(a, requires_grad=True) for a in (x, *_parts(state)))
    sequences = x
    if lengths is not None:
        lengths = torch.as_tensor(np.asarray(lengths))
        order = {"batch_first": layer.batch_first}
        sequences = pack_padded_sequence(x, lengths, enforce_sorted=False, **order)
    output, last = module(sequences, tuple(start) if len(start) == 2 else start[0])
    if lengths is not None:
        steps = x.shape[1 if layer.batch_first else 0]
        output, _ = pad_packed_sequence(output, total_length=steps, **order)
    arriving = [torch.from_numpy(a) for a in (d_output, *_parts(d_state))]
    torch.autograd.backward([output, *(last if len(start) == 2 else [last])], arriving)
    gradients = {"x": x.grad} | {
        name: part.grad for name, part in zip(("h_0", "c_0"), start, strict=False)
    }
    # Our one bias is PyTorch's bias_ih: the gradient of either of its two is the gradient of ours.
    for name, parameter in module.named_parameters():
        if not name.startswith("bias_hh"):
            gradients[name.replace("bias_ih", "bias")] = parameter.grad
        elif name.replace("bias_hh", "bias_hn") in layer.parameters():
            hidden = parameter.grad[2 * layer.hidden_size :]
            gradients[name.replace("bias_hh", "bias_hn")] = hidden
    return {name: gradient.numpy() for name, gradient in gradients.items()}

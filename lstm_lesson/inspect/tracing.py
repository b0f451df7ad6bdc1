"""Every gate and state of any trained layer at every step, and the gradients of a loss there."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lstm_lesson import interop
from lstm_lesson.engine.arguments import check_size
from lstm_lesson.engine.equations import GRUCell, LSTMCell, RNNCell
from lstm_lesson.engine.loop import ArrayLoop, in_order
from lstm_lesson.engine.lstm_options import LSTMOptionsCell
from lstm_lesson.engine.recurrent import RecurrentLayer
from lstm_lesson.interop.common import kind_of


class LSTMTrace(NamedTuple):
    """One layer and direction of an LSTM, each (T, B, H); ``h`` is (T, B, P) when projected."""

    i: np.ndarray  # input gate
    f: np.ndarray  # forget gate
    g: np.ndarray  # candidate
    o: np.ndarray  # output gate
    c: np.ndarray  # cell state after the step
    h: np.ndarray  # hidden state after the step
    gradients: LSTMTrace | None = None  # total derivatives of the loss, under the same names


class GRUTrace(NamedTuple):
    """One layer and direction of a GRU, each (T, B, H)."""

    r: np.ndarray  # reset gate
    z: np.ndarray  # update gate
    n: np.ndarray  # candidate
    h: np.ndarray  # hidden state after the step
    gradients: GRUTrace | None = None


class RNNTrace(NamedTuple):
    """One layer and direction of an RNN, (T, B, H)."""

    h: np.ndarray  # hidden state after the step
    gradients: RNNTrace | None = None


def trace(
    model,
    x,
    state=None,
    lengths=None,
    *,
    layer: int = -1,
    direction: int = 0,
    d_output=None,
    d_state=None,
) -> LSTMTrace | GRUTrace | RNNTrace:
    """Run a layer over a batch and return what its gates and states did.

    Parameters
    ----------
    model : an `LSTM`, `GRU` or `RNN` of this package, or a `torch.nn` one, which does not show
        them; its weights are read through `interop.from_torch`.
    x, state, lengths : what ``model.forward`` takes, as arrays or as PyTorch tensors; `x` may be a
        PyTorch ``PackedSequence``, which has the lengths.
    layer : which of the stacked layers, counted as a list is; the last by default.
    direction : 0 forwards, 1 backwards in a bidirectional layer.
    d_output, d_state : gradients of a loss with respect to the output and the final state, packed
        if `x` is. With either, the trace has ``gradients``.

    Returns
    -------
    `LSTMTrace`, `GRUTrace` or `RNNTrace`; time first whatever the layer's layout, in the order of
    `x`; zero where a sequence is padded.

    Raises
    ------
    TypeError, ValueError
        As ``forward`` and ``backward`` do, and if there is no such layer or direction.

    Introduced in chapter 12.
    """
    if not isinstance(model, RecurrentLayer):
        model = interop.from_torch(model)
    kind_of(model, "model")
    if check_size("layer", layer, least=-model.num_layers) >= model.num_layers:
        raise ValueError(f"layer: expected less than num_layers {model.num_layers}, got {layer}")
    directions = 2 if model.bidirectional else 1
    if check_size("direction", direction, least=0) not in range(directions):
        raise ValueError(f"direction: expected one of {list(range(directions))}, got {direction}")
    if hasattr(x, "batch_sizes"):
        if lengths is not None:
            raise ValueError("lengths: a PackedSequence has its own; leave them out")
        x, lengths = _unpacked(x, model)
        d_output = _unpacked(d_output, model)[0] if hasattr(d_output, "batch_sizes") else d_output
    x, state, d_output, d_state = (_array(a) for a in (x, state, d_output, d_state))
    output, _, cache = model.forward(x, state, lengths, loop=ArrayLoop)
    n = (layer % model.num_layers) * directions + direction
    cell, params, _ = cache.runs[n].weights
    kept = [step for segment in cache.runs[n].segments for step in segment.kept]
    kind = _KINDS[type(cell)]
    values = [cell.values(after, more) for _, after, more in kept]
    traced = _stack(kind, values, cache.runs[n])
    if d_output is None and d_state is None:
        return traced
    record = {}
    d_output = np.zeros_like(output) if d_output is None else d_output
    model.backward(d_output, cache, d_state, record=record)
    steps = zip(reversed(record[n]), kept, strict=True)
    gradients = [cell.gradients(d_after, more, params) for d_after, (_, _, more) in steps]
    return traced._replace(gradients=_stack(kind, gradients, cache.runs[n]))


_KINDS = {
    LSTMCell: LSTMTrace,
    LSTMOptionsCell: LSTMTrace,
    GRUCell: GRUTrace,
    RNNCell: RNNTrace,
}


def _stack(kind, steps, run):
    """Return the steps of one run as a trace, in the order of the input."""
    columns = (np.stack(column) for column in zip(*steps, strict=True))  # (T, B, H) each
    return kind(*(in_order(column, run.lengths, run.reverse) for column in columns))


def _unpacked(packed, model):
    """Return the tensor and the lengths of a PackedSequence, padded as the model reads it."""
    from torch.nn.utils.rnn import pad_packed_sequence

    padded, lengths = pad_packed_sequence(packed, batch_first=model.batch_first)
    return padded, lengths.numpy()


def _array(value):
    """Return PyTorch tensors, also inside a tuple, as arrays; anything else as it is."""
    if isinstance(value, tuple):
        parts = [_array(part) for part in value]
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    return value.detach().cpu().numpy() if hasattr(value, "detach") else value

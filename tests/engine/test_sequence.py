"""What all layers of chapter 24 keep to: pieces, lengths, padding, files, refusals."""

import re

import numpy as np
import pytest
from modern_reference import parts_of, shake

from lstm_lesson import LSTM, Linear
from lstm_lesson.engine.minimal import MinGRU, MinLSTM
from lstm_lesson.engine.residual import Residual
from lstm_lesson.engine.sequence import SequenceLayer
from lstm_lesson.engine.state_space import StateSpace
from lstm_lesson.engine.xlstm import MLSTM, SLSTM
from lstm_lesson.training import Adam, Batch, SequenceModel, fit, mean_squared_error


def blocks(input_size, hidden_size, dtype=np.float32, **options):
    """Return a `Residual` around two layers."""
    inside = [kind(hidden_size, hidden_size, dtype=dtype) for kind in (LSTM, StateSpace)]
    return Residual(input_size, inside, **options)


blocks.load = Residual.load
LAYERS = [
    (blocks, {}),
    (blocks, {"expand": 0}),
    (MinGRU, {}),
    (MinGRU, {"signed": True}),
    (MinLSTM, {"how": "scan"}),
    (StateSpace, {}),
    (StateSpace, {"selective": True}),
    (SLSTM, {}),
    (SLSTM, {"forget_gate": "exp", "stabilised": False}),
    (MLSTM, {"heads": 2}),
    (MLSTM, {"forget_gate": "exp"}),
]
each = pytest.mark.parametrize(("kind", "options"), LAYERS)


def build(kind, options, **more):
    layer = kind(3, 4, **{"dtype": np.float64} | options | more)
    shake(layer, np.random.default_rng(1))
    return layer, np.random.default_rng(2)


@each
def test_two_calls_in_a_row_equal_one(kind, options):
    layer, rng = build(kind, options)
    x, d_output = rng.normal(size=(7, 2, 3)), rng.normal(size=(7, 2, 4))
    output, state, cache = layer.forward(x)
    first, middle, cache_1 = layer.forward(x[:3])
    second, last, cache_2 = layer.forward(x[3:], middle)
    np.testing.assert_allclose(np.concatenate([first, second]), output, atol=1e-14)
    for a, b in zip(parts_of(last), parts_of(state), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-14)
    whole = layer.backward(d_output, cache)
    later = layer.backward(d_output[3:], cache_2)
    earlier = layer.backward(d_output[:3], cache_1, later.state)
    np.testing.assert_allclose(np.concatenate([earlier.x, later.x]), whole.x, atol=1e-13)
    for name, g in whole.params.items():
        np.testing.assert_allclose(earlier.params[name] + later.params[name], g, atol=1e-12)


@each
def test_padding_touches_nothing(kind, options):
    layer, rng = build(kind, options)
    x, d_output = rng.normal(size=(6, 3, 3)), rng.normal(size=(6, 3, 4))
    lengths = np.array([6, 1, 4])
    clean = layer.forward(x, lengths=lengths)
    for b, T in enumerate(lengths):
        x[T:, b], d_output[T:, b] = np.nan, np.nan
    output, state, cache = layer.forward(x, lengths=lengths)
    grads = layer.backward(d_output, cache)
    alone = [layer.forward(x[:T, b : b + 1]) for b, T in enumerate(lengths)]
    np.testing.assert_array_equal(output, clean[0])
    for b, T in enumerate(lengths):
        assert (output[T:, b] == 0).all() and (grads.x[T:, b] == 0).all()
        np.testing.assert_allclose(output[:T, b], alone[b][0][:, 0], atol=1e-14)
        for a, other in zip(parts_of(state), parts_of(alone[b][1]), strict=True):
            np.testing.assert_allclose(a[0, b], other[0, 0], atol=1e-14)
    np.testing.assert_array_equal(parts_of(state)[0][0], output[lengths - 1, np.arange(3)])
    assert all(np.isfinite(g).all() for g in grads.params.values())


@each
def test_float32_stays_float32_and_is_close(kind, options):
    layer, rng = build(kind, options)
    small = kind(3, 4, **options | {"dtype": np.float32})
    for name, p in small.parameters().items():
        p[...] = layer.parameters()[name]
    x = rng.normal(size=(20, 2, 3))
    output, state, cache = small.forward(x.astype(np.float32))
    grads = small.backward(output, cache)
    for a in (output, *parts_of(state), grads.x, *parts_of(grads.state), *grads.params.values()):
        assert a.dtype == np.float32
    np.testing.assert_allclose(output, layer.forward(x)[0], atol=1e-5)


@each
def test_a_file_gives_the_layer_back(kind, options, tmp_path):
    layer, rng = build(kind, options)
    layer.save(tmp_path / "layer.safetensors")
    again = kind.load(tmp_path / "layer.safetensors")
    x = rng.normal(size=(4, 2, 3))
    np.testing.assert_array_equal(again.forward(x)[0], layer.forward(x)[0])
    assert again._options() == layer._options()


@pytest.mark.slow
@each
@pytest.mark.parametrize("read", ["last", "every"])
def test_a_model_learns_with_the_loop_of_the_book(kind, options, read):
    layer = kind(1, 8, **options)
    model = SequenceModel(layer, Linear(8, 1), mean_squared_error, read=read)
    x = np.random.default_rng(0).normal(size=(5, 64, 1)).astype(np.float32)
    target = x.sum(axis=0) if read == "last" else x.cumsum(axis=0)
    batch = Batch(x, target, np.full(64, 5))
    before = model.loss(batch)
    fit(model, batch, optimiser=Adam(0.02), batch_size=64, steps=150)
    assert model.loss(batch) < 0.5 * before
    assert all(part.shape[:2] == (1, 3) for part in model.zero_state(3))


@each
def test_a_change_of_the_weights_after_forward_does_not_reach_backward(kind, options):
    layer, rng = build(kind, options)
    x, d_output = rng.normal(size=(4, 2, 3)), rng.normal(size=(4, 2, 4))
    expected = layer.backward(d_output, layer.forward(x)[2])
    cache = layer.forward(x)[2]
    shake(layer, rng)
    grads = layer.backward(d_output, cache)
    np.testing.assert_array_equal(grads.x, expected.x)
    for name, g in grads.params.items():
        np.testing.assert_array_equal(g, expected.params[name])


def test_what_every_layer_refuses():
    layer = MinGRU(3, 4)
    x = np.zeros((5, 2, 3), np.float32)
    refused = [
        (TypeError, "x: expected a NumPy array", lambda: layer.forward([[1.0]])),
        (TypeError, "x: expected dtype float32", lambda: layer.forward(x.astype(float))),
        (ValueError, "x: expected shape (T, B, 3)", lambda: layer.forward(x[..., :2])),
        (ValueError, "x: expected at least one step", lambda: layer.forward(x[:0])),
        (ValueError, "lengths: expected 1 to 5, got 0", lambda: layer.forward(x, lengths=[0, 5])),
        (ValueError, "lengths: expected shape (2,)", lambda: layer.forward(x, lengths=[5])),
        (TypeError, "keep: expected True or False", lambda: layer.forward(x, keep=1)),
        (TypeError, "rng: expected a numpy Generator", lambda: layer.forward(x, rng="0")),
        (ValueError, "state: expected shape (1, 2, 4)", lambda: layer.forward(x, x[:1])),
        (ValueError, "hidden_size: expected at least 1", lambda: MinGRU(3, 0)),
    ]
    for kind, message, call in refused:
        with pytest.raises(kind, match=re.escape(message)):
            call()
    output, _, cache = layer.forward(x)
    assert layer.forward(x, keep=False)[2] is None
    with pytest.raises(TypeError, match="cache: expected what forward with keep returned"):
        layer.backward(output, None)
    with pytest.raises(ValueError, match="got another's"):
        MinGRU(3, 4).backward(output, cache)
    with pytest.raises(ValueError, match="d_output: expected shape"):
        layer.backward(output[1:], cache)


def test_a_layer_of_ones_own_needs_two_functions():
    class Twice(SequenceLayer):
        def _shapes(self):
            return {"weight": (self.hidden_size, self.input_size)}

        def _forward(self, x, state, inside, rng):
            return x @ self._params["weight"].T + state[0], (), x

        def _backward(self, d_output, d_rest, x):
            weight = np.einsum("tbh,tbd->hd", d_output, x)
            return d_output @ self._params["weight"], (d_output.sum(axis=0),), {"weight": weight}

    layer = Twice(2, 3, batch_first=True)
    x = np.ones((4, 5, 2), np.float32)
    output, state, cache = layer.forward(x, lengths=[5, 1, 2, 3])
    assert output.shape == (4, 5, 3) and state.shape == (1, 4, 3)
    assert layer.backward(output, cache).x.shape == x.shape

"""An LSTM with gates and states held: what depends on them follows, and nothing else."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from lstm_lesson import GRU, LSTM, trace
from lstm_lesson.inspect.interventions import Hold, run


@pytest.fixture
def layer():
    return LSTM(3, 4, dtype=np.float64, rng=0)


@pytest.fixture
def x():
    return np.random.default_rng(1).normal(size=(7, 2, 3))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_with_nothing_held_it_is_the_layer(dtype):
    layer = LSTM(3, 4, dtype=dtype, rng=0)
    x = np.random.default_rng(1).normal(size=(7, 2, 3)).astype(dtype)
    ours, theirs = run(layer, x), trace(layer, x)
    for name in "ifgoch":
        value = getattr(ours, name)
        assert value.dtype == dtype
        assert_allclose(value, getattr(theirs, name), atol=4 * np.finfo(dtype).eps)


@pytest.mark.parametrize("gate, block", [("i", 0), ("f", 1), ("g", 2), ("o", 3)])
def test_a_gate_held_is_one_whose_weights_say_so(layer, x, gate, block):
    held = run(layer, x, [Hold(gate, 2, 0.3)])
    row = 4 * block + 2
    for name in ("weight_ih_l0", "weight_hh_l0"):
        layer.parameters()[name][row] = 0
    z = np.arctanh(0.3) if gate == "g" else np.log(0.3 / 0.7)
    layer.parameters()["bias_l0"][row] = z
    same = trace(layer, x)
    for name in "ifgoch":
        assert_allclose(getattr(held, name), getattr(same, name), atol=1e-12)


def test_a_cell_held_shows_in_its_hidden_state_and_is_carried_on(layer, x):
    held = run(layer, x, [Hold("c", 1, -2.0, 3, 4)])
    free = run(layer, x)
    assert_array_equal(held.c[:3], free.c[:3])
    assert_array_equal(held.c[3, :, 1], -2)
    assert_allclose(held.h[3, :, 1], held.o[3, :, 1] * np.tanh(-2))
    added = held.i[4, :, 1] * held.g[4, :, 1]
    assert_allclose(held.c[4, :, 1], -2 * held.f[4, :, 1] + added)


def test_a_hidden_state_held_at_0_is_a_column_of_zeros(layer, x):
    held = run(layer, x, [Hold("h", 0, 0.0)])
    layer.parameters()["weight_hh_l0"][:, 0] = 0
    assert_allclose(held.c, trace(layer, x).c, atol=1e-12)


def test_holds_have_a_first_and_a_last_step(layer, x):
    f = run(layer, x, [Hold("f", 0, 0.25, 2, 5)]).f[:, 0, 0]
    assert_array_equal(f[2:5], 0.25)
    assert not np.any(np.isin([*f[:2], *f[5:]], 0.25))


def test_the_last_of_two_counts(layer, x):
    assert_array_equal(run(layer, x, [Hold("i", 0, 0.1), Hold("i", 0, 0.9)]).i[..., 0], 0.9)


@pytest.mark.parametrize(
    "hold, message",
    [
        (Hold("z", 0, 0.0), "hold.what: expected one of"),
        (Hold("if", 0, 0.0), "hold.what: expected one of"),
        (Hold("i", 4, 0.0), "less than hidden_size 4, got 4"),
        (Hold("i", 0, np.nan), "hold.value: expected a finite number"),
        (Hold("i", 0, 0.0, -1), "hold.start: expected at least 0"),
        (Hold("i", 0, 0.0, 3, 2), "hold.stop: expected at least 3"),
    ],
)
def test_other_holds_are_refused(layer, x, hold, message):
    with pytest.raises(ValueError, match=message):
        run(layer, x, [hold])


def test_other_layers_are_refused(layer, x):
    with pytest.raises(TypeError, match="expected an LSTM of this package, got GRU"):
        run(GRU(3, 4), x)
    with pytest.raises(ValueError, match=r"expected a plain LSTM\(3, 4\)"):
        run(LSTM(3, 4, num_layers=2, dtype=np.float64), x)
    with pytest.raises(TypeError, match="float64"):
        run(layer, x.astype(np.float32))

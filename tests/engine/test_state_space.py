"""The diagonal state-space layer against its step in torch, and against the minimal GRU."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from modern_reference import compare, shake

from lstm_lesson import gradcheck
from lstm_lesson.engine.minimal import MinGRU
from lstm_lesson.engine.scan import HOW
from lstm_lesson.engine.state_space import StateSpace

options = st.fixed_dictionaries(
    {"selective": st.booleans(), "states": st.integers(1, 3), "how": st.sampled_from(HOW)}
    | {"batch_first": st.booleans()}
)


@pytest.mark.slow
@given(options, *[st.integers(1, n) for n in (6, 3, 3, 3)], st.booleans(), st.integers(0))
def test_it_equals_a_second_implementation(options, T, B, D, H, ragged, seed):
    layer = StateSpace(D, H, dtype=np.float64, **options)
    rng = np.random.default_rng(seed)
    shake(layer, rng)
    compare(layer, T, B, rng, ragged=ragged)


@pytest.mark.parametrize("selective", [False, True])
def test_gradients_by_central_differences(selective):
    rng = np.random.default_rng(0)
    layer = StateSpace(3, 4, selective=selective, dtype=np.float64)
    shake(layer, rng)
    table = gradcheck.check(layer, rng.normal(size=(5, 2, 3)), [5, 3], autograd=False)
    assert table.passed, table


def test_with_one_state_a_selective_layer_is_a_minimal_gru():
    rng = np.random.default_rng(0)
    gru = MinGRU(3, 4, dtype=np.float64)
    shake(gru, rng)
    layer = StateSpace(3, 4, states=1, selective=True, dtype=np.float64)
    p, q = layer.parameters(), gru.parameters()
    p["weight_delta"][:], p["weight_ih_l0"][:] = np.split(q["weight_ih_l0"], 2)
    p["bias_delta"][:], p["bias_l0"][:] = np.split(q["bias_l0"], 2)
    p["bias_B"][:] = p["bias_C"][:] = 1
    p["weight_B"][:] = p["weight_C"][:] = p["log_A"][:] = p["d"][:] = 0
    x = rng.normal(size=(7, 2, 3))
    np.testing.assert_allclose(layer.forward(x)[0], gru.forward(x)[0], rtol=1e-12)


def test_it_starts_with_real_poles_and_small_steps():
    p = StateSpace(3, 50, states=3, dtype=np.float64).parameters()
    np.testing.assert_allclose(-np.exp(p["log_A"][7]), [-1, -2, -3])
    delta = np.log1p(np.exp(p["bias_delta"]))
    assert 0.001 <= delta.min() < 0.003 and 0.03 < delta.max() <= 0.1


def test_a_fixed_layer_answers_to_a_sum_with_the_sum_of_the_answers():
    layer = StateSpace(2, 3, dtype=np.float64)
    a, b = np.random.default_rng(0).normal(size=(2, 6, 1, 2))
    run = [layer.forward(x)[0] for x in (a, b, a + b)]
    np.testing.assert_allclose(run[0] + run[1], run[2], atol=1e-14)


def test_what_it_refuses():
    with pytest.raises(ValueError, match="states: expected at least 1, got 0"):
        StateSpace(1, 1, states=0)
    with pytest.raises(TypeError, match=r"state: expected StateSpaceState\(h, s\)"):
        StateSpace(1, 1).forward(np.zeros((1, 1, 1), np.float32), np.zeros((1, 1, 1), np.float32))

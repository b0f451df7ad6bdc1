"""The cells of the xLSTM against their steps in torch, and plain form against stabilised form."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from modern_reference import compare, shake

from lstm_lesson.engine.xlstm import MLSTM, SLSTM
from lstm_lesson.inspect import gradcheck

shared = {
    "forget_gate": st.sampled_from(["sigmoid", "exp"]),
    "stabilised": st.booleans(),
    "batch_first": st.booleans(),
}
sizes = [st.integers(1, n) for n in (6, 3, 3)]


def positive_normaliser(start):
    """Return the parts of a state of an sLSTM, whose normaliser is a sum of positive gates."""
    h, c, n, m = start
    return [h, c, np.abs(n) + 0.5, m]


@pytest.mark.slow
@given(st.fixed_dictionaries(shared), *sizes, st.integers(1, 4), st.booleans(), st.integers(0))
def test_the_slstm_equals_a_second_implementation(options, T, B, D, H, ragged, seed):
    layer = SLSTM(D, H, dtype=np.float64, **options)
    rng = np.random.default_rng(seed)
    shake(layer, rng)
    compare(layer, T, B, rng, ragged=ragged, draw_state=positive_normaliser)


@pytest.mark.slow
@given(
    st.fixed_dictionaries(shared), *sizes, st.sampled_from([(1, 1), (3, 1), (4, 2), (4, 4)]),
    st.booleans(), st.integers(0),
)  # fmt: skip
def test_the_mlstm_equals_a_second_implementation(options, T, B, D, H_heads, ragged, seed):
    H, heads = H_heads
    layer = MLSTM(D, H, heads=heads, dtype=np.float64, **options)
    rng = np.random.default_rng(seed)
    shake(layer, rng)
    compare(layer, T, B, rng, ragged=ragged)


@pytest.mark.parametrize("forget_gate", ["sigmoid", "exp"])
@pytest.mark.parametrize("stabilised", [True, False])
@pytest.mark.parametrize("kind", [SLSTM, MLSTM])
def test_gradients_by_central_differences(kind, forget_gate, stabilised):
    rng = np.random.default_rng(0)
    layer = kind(3, 4, forget_gate=forget_gate, stabilised=stabilised, dtype=np.float64)
    shake(layer, rng)
    x = rng.normal(size=(5, 2, 3))
    _, state, _ = layer.forward(x)  # a state that a sequence leaves is one to start from
    table = gradcheck.check(layer, x, [5, 3], state=state, autograd=False)
    assert table.passed, table
    assert len(table.rows) == 1 + len(state) + len(layer.parameters())


@given(
    st.sampled_from([SLSTM, MLSTM]), shared["forget_gate"], *[st.integers(1, n) for n in (12, 3)],
    st.integers(0),
)  # fmt: skip
def test_the_stabilised_form_equals_the_plain_one(kind, forget_gate, T, B, seed):
    rng = np.random.default_rng(seed)
    x, d_output = rng.normal(size=(T, B, 3)), rng.normal(size=(T, B, 4))
    found = []
    for stabilised in (True, False):
        layer = kind(3, 4, forget_gate=forget_gate, stabilised=stabilised, dtype=np.float64)
        shake(layer, np.random.default_rng(seed))
        output, (*_, n, m), cache = layer.forward(x)
        grads = layer.backward(d_output, cache)
        exponent = np.exp(m if kind is SLSTM else np.repeat(m, 4, axis=-1))
        found.append([output, n * exponent, grads.x, *grads.params.values()])
    for a, b in zip(*found, strict=True):
        # Rounding of exponentials; some gradients are zero in truth, so it isn't relative alone.
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-11 * max(1, np.abs(b).max()))


@pytest.mark.parametrize("kind", [SLSTM, MLSTM])
@pytest.mark.parametrize("forget_gate", ["sigmoid", "exp"])
def test_large_inputs_overflow_in_the_plain_form_alone(kind, forget_gate):
    rng = np.random.default_rng(0)
    x = (300 * rng.normal(size=(40, 3, 3))).astype(np.float32)
    for stabilised in (True, False):
        layer = kind(3, 4, forget_gate=forget_gate, stabilised=stabilised)
        shake(layer, np.random.default_rng(1))
        with np.errstate(**({} if stabilised else {"all": "ignore"})):
            output, state, cache = layer.forward(x)
            grads = layer.backward(output, cache)
        finite = all(
            np.isfinite(a).all() for a in (output, *state, grads.x, *grads.params.values())
        )
        assert finite == stabilised


def test_an_slstm_that_has_stored_nothing_takes_the_first_value_whole():
    layer = SLSTM(1, 1, dtype=np.float64)
    for p in layer.parameters().values():
        p[...] = 0
    layer.parameters()["bias_l0"][:] = [-900, 0, 0.5, 40]  # i is 0 in float64, and o is 1
    output, state, _ = layer.forward(np.zeros((3, 1, 1)))
    np.testing.assert_allclose(output, np.tanh(0.5))  # the mean of equal values
    assert state.n.item() == pytest.approx(1.75)  # 1, then half of it and 1, and again


def test_an_mlstm_gives_back_the_value_whose_key_is_asked_for():
    H = 4
    layer = MLSTM(3 * H, H, dtype=np.float64)
    p = layer.parameters()
    for value in p.values():
        value[...] = 0
    q, k, v = np.eye(3 * H).reshape(3, H, 3 * H)
    p["weight_ih_l0"][:] = np.concatenate([q, 2 * k, v, 0 * q])  # 2 undoes the division by sqrt(H)
    p["bias_l0"][3 * H :] = 40  # the output gate is open
    p["bias_if_l0"][:] = [0, 40]  # i and f are 1
    values = np.random.default_rng(0).normal(size=(H, H))
    x = np.zeros((2 * H, 1, 3 * H))
    for t in range(H):
        x[t, 0, H + t] = 1  # a key
        x[t, 0, 2 * H :] = values[t]
        x[H + t, 0, t] = 1  # a query with the same key
    output, _, _ = layer.forward(x)
    np.testing.assert_allclose(output[H:, 0], values, atol=1e-14)


def test_the_forget_bias_is_where_it_belongs():
    assert SLSTM(1, 1, forget_bias=3.0).parameters()["bias_l0"].tolist() == [0, 3, 0, 0]
    biases = MLSTM(1, 2, heads=2, forget_bias=3.0).parameters()["bias_if_l0"]
    assert biases.tolist() == [0, 0, 3, 3]


def test_what_they_refuse():
    with pytest.raises(ValueError, match="heads: expected a divisor of hidden_size 4, got 3"):
        MLSTM(1, 4, heads=3)
    with pytest.raises(ValueError, match=r"forget_gate: expected one of \['exp', 'sigmoid'\]"):
        SLSTM(1, 4, forget_gate="tanh")
    with pytest.raises(TypeError, match=r"state: expected SLSTMState\(h, c, n, m\)"):
        SLSTM(1, 1).forward(np.zeros((1, 1, 1), np.float32), np.zeros((1, 1, 1), np.float32))

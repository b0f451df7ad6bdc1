"""The minimal GRU and LSTM against the papers' steps in torch, and what they can count."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from modern_reference import compare, shake

from lstm_lesson import gradcheck
from lstm_lesson.engine.minimal import MinGRU, MinLSTM
from lstm_lesson.engine.scan import HOW

kinds = st.one_of(
    st.tuples(st.just(MinGRU), st.fixed_dictionaries({"signed": st.booleans()})),
    st.tuples(st.just(MinLSTM), st.just({})),
)


@pytest.mark.slow
@given(
    kinds, st.sampled_from(HOW), *[st.integers(1, n) for n in (9, 3, 3, 4)],
    *[st.booleans()] * 2, st.integers(0),
)  # fmt: skip
def test_both_equal_a_second_implementation(
    kind_options, how, T, B, D, H, batch_first, ragged, seed
):
    kind, options = kind_options
    layer = kind(D, H, how=how, batch_first=batch_first, dtype=np.float64, **options)
    rng = np.random.default_rng(seed)
    shake(layer, rng)
    compare(layer, T, B, rng, ragged=ragged)


@pytest.mark.parametrize(
    ("kind", "options"), [(MinGRU, {}), (MinGRU, {"signed": True}), (MinLSTM, {"how": "scan"})]
)
def test_gradients_by_central_differences(kind, options):
    rng = np.random.default_rng(0)
    layer = kind(3, 4, dtype=np.float64, **options)
    shake(layer, rng)
    table = gradcheck.check(layer, rng.normal(size=(5, 2, 3)), [5, 3], autograd=False)
    assert table.passed, table


def test_one_signed_unit_counts_modulo_two_and_no_unsigned_one_can_turn_its_sign():
    x = np.random.default_rng(0).integers(0, 2, (500, 8, 1)).astype(float)
    layer = MinGRU(1, 1, signed=True, dtype=np.float64)
    p = layer.parameters()
    p["weight_ih_l0"][:] = [[80.0], [0.0]]  # z is 1 for a one and 0 for a zero, g is 1 always
    p["bias_l0"][:] = [-40.0, 1.0]
    output, _, _ = layer.forward(x)
    np.testing.assert_allclose(output, np.cumsum(x, axis=0) % 2, atol=1e-12)
    # Between 0 and 1, a is the share of h that stays: with the same input h only gets closer to g.
    plain = MinGRU(1, 1, dtype=np.float64)
    for name, value in p.items():
        plain.parameters()[name][:] = value
    output, _, _ = plain.forward(np.ones((9, 1, 1)))
    assert (np.diff(output[:, 0, 0]) >= 0).all()


def test_gates_that_are_nearly_zero_both_give_numbers():
    layer = MinLSTM(1, 1)
    layer.parameters()["bias_l0"][:] = [-400.0, -401.0, 1.0]  # sigmoid of both is 0 in float32
    output, _, cache = layer.forward(np.zeros((3, 1, 1), np.float32))
    f = 1 / (1 + np.exp(1.0))
    np.testing.assert_allclose(output[:, 0, 0], 1 - f ** np.arange(1, 4), rtol=1e-6)
    assert all(np.isfinite(g).all() for g in layer.backward(output, cache).params.values())


def test_the_forget_bias_is_where_it_belongs():
    gru, lstm = MinGRU(1, 2, forget_bias=3.0), MinLSTM(1, 2, forget_bias=3.0)
    assert gru.parameters()["bias_l0"].tolist() == [-3, -3, 0, 0]
    assert lstm.parameters()["bias_l0"].tolist() == [0, 0, 3, 3, 0, 0]


def test_what_they_refuse():
    with pytest.raises(ValueError, match=r"how: expected one of \['loop', 'scan'\]"):
        MinGRU(1, 1, how="fast")
    with pytest.raises(TypeError, match="signed: expected True or False, got 1"):
        MinGRU(1, 1, signed=1)
    with pytest.raises(TypeError, match=r"MinLSTM: expected options .* got \['signed'\]"):
        MinLSTM(1, 1, signed=True)
    with pytest.raises(TypeError, match="forget_bias: expected a number"):
        MinLSTM(1, 1, forget_bias=None)

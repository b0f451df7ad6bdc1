"""What a trace shows is what the layer did, and its gradients are the loss's."""

import numpy as np
import pytest
import torch

from lstm_lesson import GRU, LSTM, RNN, gradcheck, trace
from lstm_lesson.engine.activations import sigmoid

X = np.random.default_rng(0).normal(size=(6, 3, 2))
LENGTHS = [6, 2, 4]


def test_an_lstm_trace_satisfies_the_equations():
    layer = LSTM(2, 4, dtype=np.float64, rng=1)
    t = trace(layer, X)
    output, state, _ = layer.forward(X)
    np.testing.assert_allclose(t.h, output, rtol=0, atol=1e-15)
    np.testing.assert_allclose(t.c[-1], state.c[0], rtol=0, atol=1e-15)
    c_prev = np.concatenate([np.zeros((1, 3, 4)), t.c[:-1]])
    h_prev = np.concatenate([np.zeros((1, 3, 4)), t.h[:-1]])
    np.testing.assert_allclose(t.c, t.f * c_prev + t.i * t.g, rtol=0, atol=1e-15)
    np.testing.assert_allclose(t.h, t.o * np.tanh(t.c), rtol=0, atol=1e-15)
    p = layer.parameters()
    z = X @ p["weight_ih_l0"].T + h_prev @ p["weight_hh_l0"].T + p["bias_l0"]
    np.testing.assert_allclose(t.f, sigmoid(z[..., 4:8]), rtol=0, atol=1e-15)
    assert t.gradients is None


@pytest.mark.parametrize("kind", [torch.nn.LSTM, torch.nn.GRU, torch.nn.RNN])
@pytest.mark.parametrize("layer", [0, 1, -1])
@pytest.mark.parametrize("direction", [0, 1])
def test_any_layer_and_direction_of_a_torch_module(kind, layer, direction):
    torch.manual_seed(0)
    module = kind(2, 4, 2, bidirectional=True, dtype=torch.float64)
    t = trace(module, torch.tensor(X), lengths=LENGTHS, layer=layer, direction=direction)
    packed = torch.nn.utils.rnn.pack_padded_sequence(
        torch.tensor(X), torch.tensor(LENGTHS), enforce_sorted=False
    )
    output, last = module(packed)
    output = torch.nn.utils.rnn.pad_packed_sequence(output)[0].detach().numpy()
    if layer != 0:
        half = output[..., direction * 4 : direction * 4 + 4]
        np.testing.assert_allclose(t.h, half, rtol=0, atol=1e-14)
    # The state after a sequence's last step: its end forwards, its start backwards.
    h_n = (last[0] if kind is torch.nn.LSTM else last).detach()[(layer % 2) * 2 + direction]
    ends = [0 if direction else length - 1 for length in LENGTHS]
    np.testing.assert_allclose(t.h[ends, range(3)], h_n, rtol=0, atol=1e-14)
    assert not np.any(t.h[2:, 1])  # padding


def test_traces_of_a_gru_and_an_rnn():
    t = trace(GRU(2, 4, dtype=np.float64), X)
    h_prev = np.concatenate([np.zeros((1, 3, 4)), t.h[:-1]])
    np.testing.assert_allclose(t.h, (1 - t.z) * t.n + t.z * h_prev, rtol=0, atol=1e-15)
    rnn = RNN(2, 4, dtype=np.float64)
    np.testing.assert_allclose(trace(rnn, X).h, rnn.forward(X)[0], rtol=0, atol=1e-15)


@pytest.mark.parametrize("layer", [0, 1])
@pytest.mark.parametrize("kind", [LSTM, GRU, RNN])
def test_the_gradient_of_h_is_what_a_central_difference_gives(kind, layer):
    # Nudging h_t of a layer from outside is nudging the state that the next step starts from.
    model = kind(2, 3, 2, dtype=np.float64, rng=1)
    rng = np.random.default_rng(0)
    d_output = rng.normal(size=(6, 3, 3))
    gradients = trace(model, X, layer=layer, d_output=d_output).gradients
    t = 3
    _, state, _ = model.forward(X[:t])
    h = state.h if kind is LSTM else state

    def loss():
        return float(np.sum(model.forward(X[t:], state)[0] * d_output[t:]))

    expected = gradcheck.numerical_gradient(loss, h)[layer]
    # Through the layer above at its own step, h_t has a way that the state does not have.
    immediate = d_output[t - 1] if layer == 1 else None
    if immediate is not None:
        np.testing.assert_allclose(gradients.h[t - 1], expected + immediate, rtol=0, atol=1e-8)
    if kind is LSTM:
        # What reaches c_t: from the state of the next step, and through h_t itself.
        d_c = gradcheck.numerical_gradient(loss, state.c)[layer]
        values = trace(model, X, layer=layer)
        through_h = gradients.h[t - 1] * values.o[t - 1] * (1 - np.tanh(values.c[t - 1]) ** 2)
        np.testing.assert_allclose(gradients.c[t - 1], d_c + through_h, rtol=0, atol=1e-8)


def test_gate_gradients_are_what_a_bias_at_one_step_would_get():
    # The sum over steps of the gradient of a gate times its slope is the gradient of its bias.
    model = LSTM(2, 3, dtype=np.float64, peephole=True, proj_size=2, rng=1)
    for p in model.parameters().values():
        p[...] = np.random.default_rng(p.size).normal(size=p.shape)
    output, _, cache = model.forward(X)
    d_output = np.random.default_rng(0).normal(size=output.shape)
    t = trace(model, X, d_output=d_output)
    slopes = [t.i * (1 - t.i), t.f * (1 - t.f), 1 - t.g**2, t.o * (1 - t.o)]
    d_z = [d * slope for d, slope in zip(t.gradients[:4], slopes, strict=True)]
    d_bias = np.concatenate([d.sum(axis=(0, 1)) for d in d_z])
    expected = model.backward(d_output, cache).params["bias_l0"]
    np.testing.assert_allclose(d_bias, expected, rtol=0, atol=1e-13)


def test_what_does_not_exist_is_named():
    layer = LSTM(2, 3, dtype=np.float64)
    with pytest.raises(ValueError, match="layer: expected less than num_layers 1, got 1"):
        trace(layer, X, layer=1)
    with pytest.raises(ValueError, match=r"direction: expected one of \[0\], got 1"):
        trace(layer, X, direction=1)
    with pytest.raises(TypeError, match="expected a torch"):
        trace(torch.nn.Linear(2, 3), X)


@pytest.mark.parametrize("kind", [torch.nn.LSTM, torch.nn.GRU, torch.nn.RNN])
@pytest.mark.parametrize("batch_first", [False, True])
def test_a_packed_sequence_has_its_lengths(kind, batch_first):
    module = kind(2, 4, bidirectional=True, batch_first=batch_first)
    sequences = [torch.randn(n, 2) for n in (2, 5, 3)]  # of any order
    pack = torch.nn.utils.rnn.pack_sequence
    x = pack(sequences, enforce_sorted=False)
    given = torch.nn.utils.rnn.pad_sequence(sequences, batch_first=batch_first)
    packed, _ = module(x)
    d_output = packed._replace(data=torch.randn_like(packed.data))
    padded, _ = torch.nn.utils.rnn.pad_packed_sequence(d_output, batch_first=batch_first)
    t = trace(module, x, d_output=d_output)
    same = trace(module, given, lengths=[2, 5, 3], d_output=padded)
    for ours, theirs in zip(
        (*t[:-1], *t.gradients[:-1]), (*same[:-1], *same.gradients[:-1]), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)
    assert t.h.shape == (5, 3, 4) and np.all(t.h[:2, 0]) and not np.any(t.h[2:, 0])
    with pytest.raises(ValueError, match="lengths: a PackedSequence has its own"):
        trace(module, x, lengths=[2, 5, 3])

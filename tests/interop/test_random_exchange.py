"""Random layers, run by PyTorch, by ONNX Runtime and by Keras, with gradients where they have them.

Each is a seed: sizes, options, weights, lengths and states are drawn from it. A layer goes to the
library, and what is read back from there goes through the engine; both results are compared.
"""

import numpy as np
import pytest
import torch
from foreign import keras, quiet, run_model
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from lstm_lesson import GRU, LSTM, RNN
from lstm_lesson.engine.activations import ACTIVATIONS
from lstm_lesson.interop import (
    from_keras,
    from_onnx,
    from_torch,
    to_keras_layer,
    to_onnx_model,
    to_torch,
)

pytestmark = [pytest.mark.slow, quiet]
TORCH, RUNTIME, KERAS, PART = 1000, 500, 300, 50  # configurations, and how many a test runs
NAMED = ["tanh", "relu", "sigmoid", "softplus", "softsign", "identity", "elu(1.0)"]


def choose(rng, *values):
    return values[rng.integers(len(values))]


def draw_layer(rng, kind, *, foreign=(), sizes=(1, 8), **options):
    """Return a layer of random size with random weights; `foreign` names what options it draws."""
    D, H = (int(n) for n in rng.integers(*sizes, 2))
    way = choose(rng, {}, {"bidirectional": True}, {"reverse": True} if foreign else {})
    options |= {"bias": bool(rng.random() < 0.8), "batch_first": bool(rng.random() < 0.5)} | way
    layer = kind(D, H, rng=0, **options)
    # An unbounded activation of a state that feeds itself lets rounding grow from step to step.
    scale = 0.5 if set(options.values()) & {"relu", "softplus", "identity"} else 1
    for p in layer.parameters().values():
        p[...] = rng.uniform(-1, 1, p.shape) * scale / np.sqrt(max(H, 1))
    return layer


def parts_of(state):
    return list(state) if isinstance(state, tuple) else [state]


def draw_run(rng, layer, lengths):
    """Return an input, a state, lengths or None, and gradients for the output and final state."""
    T, B = (int(n) for n in rng.integers(1, 7, 2))
    shape = (B, T) if layer.batch_first else (T, B)
    x = rng.normal(size=(*shape, layer.input_size)).astype(layer.dtype)
    output, state, _ = layer.forward(x)
    start, d_state = (
        [rng.normal(size=p.shape).astype(layer.dtype) for p in parts_of(state)] for _ in range(2)
    )
    steps = rng.integers(lengths, T + 1, B) if rng.random() < 0.5 else None
    return x, start, steps, rng.normal(size=output.shape).astype(layer.dtype), d_state


def pack(layer, parts):
    return tuple(parts) if isinstance(layer, LSTM) else parts[0]


def assert_close(found, expected, tolerance, seed):
    """Compare arrays: the largest difference of each, by its largest entry if that is above 1."""
    for k, (ours, theirs) in enumerate(zip(found, expected, strict=True)):
        scale = max(1.0, np.abs(theirs).max())
        assert np.abs(ours - theirs).max() <= tolerance * scale, f"seed {seed}, array {k}"


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@pytest.mark.parametrize("first", range(0, TORCH, 10 * PART))
def test_layers_give_what_pytorch_gives(first):
    for seed in range(first, first + 10 * PART):
        rng = np.random.default_rng(seed)
        kind = choose(rng, LSTM, GRU, RNN)
        options = {
            "num_layers": int(rng.integers(1, 4)),
            "dtype": choose(rng, "float32", "float64"),
        }
        if kind is RNN:
            options["nonlinearity"] = choose(rng, "tanh", "relu")
        elif kind is LSTM and rng.random() < 0.4:
            options["proj_size"] = 1
        layer = draw_layer(rng, kind, sizes=(2, 9), **options)
        module = to_torch(layer)
        ours = from_torch(module)
        assert ours.options == layer.options
        x, start, lengths, d_output, d_state = draw_run(rng, ours, lengths=1)
        output, state, cache = ours.forward(x, pack(ours, start), lengths)
        grads = ours.backward(d_output, cache, pack(ours, d_state))

        inputs = [torch.tensor(a, requires_grad=True) for a in (x, *start)]
        given, order = inputs[0], {"batch_first": layer.batch_first}
        if lengths is not None:
            steps = torch.tensor(lengths)
            given = pack_padded_sequence(given, steps, enforce_sorted=False, **order)
        theirs, last = module(given, pack(ours, inputs[1:]))
        if lengths is not None:
            T = x.shape[1 if layer.batch_first else 0]
            theirs, _ = pad_packed_sequence(theirs, total_length=T, **order)
        results = [theirs, *parts_of(last)]
        torch.autograd.backward(results, [torch.tensor(a) for a in (d_output, *d_state)])
        by_name = dict(module.named_parameters())
        names = [*by_name]
        expected = [a.detach().numpy() for a in results] + [a.grad.numpy() for a in inputs]
        found = [output, *parts_of(state), grads.x, *parts_of(grads.state)]
        for name in names:
            if name.startswith("bias_hh"):
                continue  # its gradient is that of bias_ih, but for the GRU's candidate
            expected.append(by_name[name].grad.numpy())
            found.append(grads.params[name.replace("bias_ih", "bias")])
            candidate = name.replace("bias_ih", "bias_hn")
            if candidate in grads.params and candidate != name:
                hidden = by_name[name.replace("bias_ih", "bias_hh")].grad.numpy()
                expected.append(hidden[2 * layer.hidden_size :])
                found.append(grads.params[candidate])
        tolerance = 1e-5 if layer.dtype == np.float32 else 1e-13
        assert_close(found, expected, tolerance, seed)


ROLES = {
    LSTM: ("gate_activation", "cell_activation", "hidden_activation"),
    GRU: ("gate_activation", "cell_activation"),
    RNN: ("nonlinearity",),
}


def draw_activation(rng):
    a, b = (round(float(n), 3) for n in rng.uniform(0.2, 1, 2))
    with_numbers = [
        f"affine({a}, {b})", f"elu({a})", f"hard_sigmoid({a}, {b})", f"leaky_relu({a})",
        f"scaled_tanh({a}, {b})", f"thresholded_relu({a})",
    ]  # fmt: skip
    return choose(rng, *sorted(ACTIVATIONS), *with_numbers)


@pytest.mark.parametrize("first", range(0, RUNTIME, 5 * PART))
def test_layers_give_what_onnx_runtime_gives(first):
    for seed in range(first, first + 5 * PART):
        rng = np.random.default_rng(seed)
        kind = choose(rng, LSTM, GRU, RNN)
        options = {"num_layers": int(rng.integers(1, 4))}
        if rng.random() < 0.6:
            options |= {role: draw_activation(rng) for role in ROLES[kind]}
        if rng.random() < 0.4:
            options["clip"] = round(float(rng.uniform(0.2, 2)), 3)
        if kind is LSTM:
            options["peephole"] = bool(rng.random() < 0.4)
            options["couple_input_forget"] = bool(rng.random() < 0.3)
        if kind is GRU:
            options["reset_after"] = bool(rng.random() < 0.5)
        layer = draw_layer(rng, kind, foreign=options, **options)
        for p in layer.parameters().values():
            p *= 0.5  # unbounded gates multiply
        x, start, lengths, *_ = draw_run(rng, layer, lengths=0)
        with_state = bool(rng.random() < 0.7)
        model = to_onnx_model(layer, lengths=lengths is not None, state=with_state)
        given = {"x": x}
        given |= {} if lengths is None else {"lengths": lengths.astype(np.int32)}
        given |= dict(zip(("h_0", "c_0"), start, strict=False)) if with_state else {}
        expected = run_model(model, given)
        ours = from_onnx(model)
        x = x.swapaxes(0, 1) if layer.batch_first else x
        output, state, _ = ours.forward(x, pack(ours, start) if with_state else None, lengths)
        output = output.swapaxes(0, 1) if layer.batch_first else output
        assert_close([output, *parts_of(state)], expected, 1e-5, seed)


@pytest.mark.parametrize("first", range(0, KERAS, 2 * PART))
def test_layers_give_what_keras_gives(first):
    keras()
    for seed in range(first, first + 2 * PART):
        rng = np.random.default_rng(seed)
        kind = choose(rng, LSTM, GRU, RNN)
        options = {"dtype": choose(rng, "float32", "float64")}
        inner = choose(rng, "tanh", "hard_sigmoid_6", "leaky_relu(0.2)", *NAMED)
        if kind is RNN:
            options["nonlinearity"] = inner
        else:
            options["gate_activation"] = choose(rng, "sigmoid", "hard_sigmoid_6", *NAMED[:5])
            options["cell_activation"] = inner
        if kind is LSTM:
            options["hidden_activation"] = inner
        if kind is GRU:
            options["reset_after"] = bool(rng.random() < 0.5)
        layer = draw_layer(rng, kind, foreign=options, **options)
        made = to_keras_layer(layer)
        ours = from_keras(made)
        assert ours.given() | {"batch_first": 0} == layer.given() | {"batch_first": 0}
        x, start, _, d_output, d_state = draw_run(rng, ours, lengths=1)
        output, state, cache = ours.forward(x, pack(ours, start))
        # Keras leaves the output of a layer that runs backwards alone in the order of computing.
        turn = (lambda a: a[:, ::-1]) if layer.reverse else (lambda a: a)
        grads = ours.backward(np.ascontiguousarray(turn(d_output)), cache, pack(ours, d_state))

        def flat(parts):
            """Return the states as Keras has them: each direction's h and c, (B, H)."""
            return [part[k] for k in range(len(parts[0])) for part in parts]

        inputs = [torch.tensor(a, requires_grad=True) for a in (x, *flat(start))]
        results = made(inputs[0], initial_state=inputs[1:])
        arriving = [torch.tensor(a) for a in (d_output, *flat(d_state))]
        torch.autograd.backward(list(results), arriving)
        weights = [w.value.grad for w in made.trainable_weights]
        expected = [a.detach().numpy() for a in results] + [a.grad.numpy() for a in inputs]
        found = [turn(output), *flat(parts_of(state)), grads.x, *flat(parts_of(grads.state))]
        size = 3 if layer.bias else 2
        for n, gradient in enumerate(weights):
            name = ("weight_ih", "weight_hh", "bias")[n % size]
            suffix = "_l0" + ("_reverse" if n >= size else "")
            theirs = gradient.numpy()
            mine = grads.params[name + suffix]
            if name == "bias" and theirs.ndim == 2:  # a GRU's two
                theirs, hidden = theirs[0], theirs[1][2 * layer.hidden_size :]
                expected.append(hidden)
                found.append(grads.params["bias_hn" + suffix])
            if kind is GRU:
                r, z, n_ = np.split(mine, 3)
                mine = np.concatenate([z, r, n_])
            expected.append(theirs)
            found.append(mine if name == "bias" else mine.T)
        # With PyTorch's backend, Keras 3.15 multiplies float64 as float32 here and there.
        assert_close(found, expected, 1e-5, seed)

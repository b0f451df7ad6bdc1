"""The adapters: gradients by central differences, and one loss in NumPy and PyTorch."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from lstm_lesson import GRU, LSTM, RNN, Linear
from lstm_lesson.inspect.gradcheck import DIFFERENCES_TOLERANCE, numerical_gradient, relative_error
from lstm_lesson.interop import to_torch
from lstm_lesson.training.losses import mean_squared_error, softmax_cross_entropy
from lstm_lesson.training.models import Batch, SequenceModel, TorchModel

T, N, D, H, V = 5, 4, 2, 3, 3


class Net(nn.Module):
    """A recurrent layer and a linear head, as a reader would write it in PyTorch."""

    def __init__(self, model, read):
        super().__init__()
        self.layer, self.read = to_torch(model.layer), read
        self.head = nn.Linear(model.head.input_size, model.head.output_size, dtype=torch.float64)
        with torch.no_grad():
            self.head.weight.copy_(torch.from_numpy(model.head.parameters()["weight"]))
            self.head.bias.copy_(torch.from_numpy(model.head.parameters()["bias"]))

    def forward(self, x, lengths=None):
        order = {"batch_first": self.layer.batch_first}
        if lengths is not None:
            steps = x.shape[1 if self.layer.batch_first else 0]
            x = pack_padded_sequence(x, lengths, enforce_sorted=False, **order)
        output, state = self.layer(x)
        if lengths is not None:
            output, _ = pad_packed_sequence(output, total_length=steps, **order)
        if self.read == "last":
            h = state[0] if isinstance(state, tuple) else state
            output = torch.cat(list(h[-2:] if self.layer.bidirectional else h[-1:]), dim=-1)
        return self.head(output)


def build(kind, read, loss=mean_squared_error, seed=0, **options):
    layer = kind(D, H, dtype=np.float64, rng=seed, **options)
    head = Linear(H * (2 if layer.bidirectional else 1), V, dtype=np.float64, rng=seed)
    return SequenceModel(layer, head, loss, read)


def draw(model, read, ragged, loss=mean_squared_error, seed=1):
    rng = np.random.default_rng(seed)
    lead = (N, T) if model.layer.batch_first else (T, N)
    target_lead = lead if read == "every" else (N,)
    target = (
        rng.normal(size=(*target_lead, V))
        if loss is mean_squared_error
        else rng.integers(V, size=target_lead)
    )
    lengths = rng.integers(1, T + 1, N) if ragged else None
    mask = rng.random(target_lead) < 0.8 if ragged else None
    return Batch(rng.normal(size=(*lead, D)), target, lengths, mask)


@pytest.mark.parametrize("read", ["every", "last"])
@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (LSTM, {}),
        (LSTM, {"num_layers": 2, "bidirectional": True, "batch_first": True}),
        (GRU, {"bidirectional": True}),
        (RNN, {"num_layers": 2, "batch_first": True}),
    ],
)
@pytest.mark.parametrize("loss", [mean_squared_error, softmax_cross_entropy])
def test_loss_and_gradients_equal_torch(kind, options, read, ragged, loss):
    model = build(kind, read, loss, **options)
    theirs = TorchModel(Net(model, read), loss, read, options.get("batch_first", False))
    batch = draw(model, read, ragged, loss)
    value, grads = model.loss_and_grads(batch)
    expected, expected_grads = theirs.loss_and_grads(batch)
    # Rounding alone; the engine's own tests hold it to 1e-10 of the largest entry as well.
    assert value == pytest.approx(expected, rel=1e-12)
    assert model.loss(batch) == value
    assert theirs.loss(batch) == expected
    assert list(grads) == list(model.parameters())
    assert list(expected_grads) == list(theirs.parameters())
    for name, gradient in grads.items():
        other = expected_grads[name.replace(".bias_l", ".bias_ih_l").replace("bias_hn", "bias_hh")]
        other = other[-len(gradient) :] if "bias_hn" in name else other
        assert relative_error(gradient, other) <= 1e-10, name


@pytest.mark.parametrize("read", ["every", "last"])
@pytest.mark.parametrize("way", [{}, {"reverse": True}, {"bidirectional": True}])
def test_gradients_agree_with_central_differences(read, way):
    model = build(LSTM, read, **way)
    batch = draw(model, read, ragged=True)
    _, grads = model.loss_and_grads(batch)
    for name, p in model.parameters().items():
        differences = numerical_gradient(lambda: model.loss(batch), p)
        assert relative_error(grads[name], differences) <= DIFFERENCES_TOLERANCE, name


@pytest.mark.parametrize("batch_first", [False, True])
def test_padding_and_what_is_masked_do_not_count(batch_first):
    model = build(GRU, "every", batch_first=batch_first)
    batch = draw(model, "every", ragged=True)
    value, grads = model.loss_and_grads(batch)
    inside = np.arange(T)[:, None] < batch.lengths
    inside = inside.T if batch_first else inside
    x, target = batch.x.copy(), batch.target.copy()
    x[~inside] = np.nan
    target[~(inside & batch.mask)] = np.nan
    again, same = model.loss_and_grads(Batch(x, target, batch.lengths, batch.mask))
    assert again == value
    for name, gradient in grads.items():
        np.testing.assert_array_equal(same[name], gradient)
    # The mean is over what counts: one entry alone gives its own error.
    alone = np.zeros_like(inside)
    alone[0, 0] = True
    y, _ = model.forward(batch.x, batch.lengths)
    expected = np.mean((y[0, 0] - batch.target[0, 0]) ** 2)
    assert model.loss(batch._replace(mask=alone)) == pytest.approx(expected, rel=1e-14)


def test_torch_parameters_are_the_modules_own_memory():
    net = Net(build(LSTM, "every"), "every")
    net.head.bias.requires_grad_(False)
    params = TorchModel(net, mean_squared_error).parameters()
    params["head.weight"][...] = 7
    assert torch.all(net.head.weight == 7)
    assert "head.bias" not in params
    assert (
        "head.bias"
        not in TorchModel(net, mean_squared_error).loss_and_grads(
            draw(build(LSTM, "every"), "every", False)
        )[1]
    )


def test_a_parameter_that_is_not_used_has_a_gradient_of_zeros():
    net = Net(build(LSTM, "every"), "every")
    net.idle = nn.Parameter(torch.ones(2, dtype=torch.float64))
    batch = draw(build(LSTM, "every"), "every", False)
    _, grads = TorchModel(net, mean_squared_error).loss_and_grads(batch)
    np.testing.assert_array_equal(grads["idle"], [0, 0])


class Tanh(nn.Module):
    """A module whose backward pass reads its own output, and whose gradients share memory."""

    def __init__(self):
        super().__init__()
        self.a, self.b = (nn.Parameter(torch.ones(1, dtype=torch.float64)) for _ in range(2))

    def forward(self, x):
        return torch.tanh(x * (self.a + self.b))


def test_changing_what_torch_returned_changes_nothing_else():
    x, module = np.random.default_rng(0).normal(size=(T, N, 1)), Tanh()
    model = TorchModel(module, mean_squared_error)
    grads = []
    for spoil in (False, True):
        y, backward = model.forward(x[:, ::-1])  # PyTorch itself takes no negative strides
        d_y = np.ones_like(y)[::-1]
        if spoil:
            y[...] = 0
        grads.append(backward(d_y))
        grads[-1]["b"][...] += spoil
    assert grads[1]["a"] == grads[0]["a"] != grads[1]["b"]


def test_an_error_in_a_module_leaves_its_mode():
    module = nn.Linear(2, 2).double().train(False)
    with pytest.raises(RuntimeError):
        TorchModel(module, mean_squared_error).forward(np.zeros((1, 3)), rng=0)
    assert not module.training


@pytest.mark.parametrize("kind", [LSTM, GRU, RNN])
@pytest.mark.parametrize("batch_first", [False, True])
def test_two_halves_with_the_state_carried_are_one_pass(kind, batch_first):
    model = build(kind, "every", num_layers=2, batch_first=batch_first)
    batch, axis, state = draw(model, "every", False), model.axes.x, model.zero_state(N)
    assert all(part.shape == (2, N, H) and not part.any() for part in state)
    losses = []
    for steps in (slice(2), slice(2, T)):
        where = (slice(None), steps) if axis == 0 else (steps,)
        part = Batch(batch.x[where], batch.target[where])
        loss, _, state = model.loss_grads_and_state(part, None, state)
        losses.append(loss * part.x.shape[1 - axis])
    assert sum(losses) / T == pytest.approx(model.loss(batch), rel=1e-13)


def test_dropout_comes_from_the_generator_alone_in_both():
    ours = build(LSTM, "every", num_layers=2, dropout=0.5)
    net = Net(ours, "every").train(False)
    batch = draw(ours, "every", False)
    for model in (ours, TorchModel(net, mean_squared_error)):
        before = torch.get_rng_state()
        losses = [model.loss_and_grads(batch, rng)[0] for rng in (1, 1, 2, None)]
        assert losses[0] == losses[1]
        assert len(set(losses)) == 3
        assert model.loss(batch) == losses[3]
        assert torch.equal(torch.get_rng_state(), before)
        assert not net.training
        net.train(True)
        assert model.loss(batch) == losses[3]
        assert net.training
        net.train(False)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("all",), ValueError, r"read: expected one of \['every', 'last'\], got 'all'"),
        (("last", 1), TypeError, "batch_first: expected True or False"),
    ],
)
def test_options_that_do_not_fit_are_named(arguments, error, message):
    with pytest.raises(error, match=message):
        TorchModel(nn.Linear(1, 1), mean_squared_error, *arguments)

"""Surprise against PyTorch's cross-entropy; what is generated against the prediction."""

import numpy as np
import pytest
import torch

from lstm_lesson import GRU, LSTM, RNN, Linear
from lstm_lesson.interop import to_torch
from lstm_lesson.training.language import generate, surprise

V, H = 5, 7


def model(kind=LSTM, seed=0, **options):
    layer = kind(V, H, dtype=np.float64, rng=seed, **options)
    return layer, Linear(H, V, dtype=np.float64, rng=seed)


@pytest.mark.parametrize("kind", [LSTM, GRU, RNN])
@pytest.mark.parametrize("piece", [1, 3, 29, 1000])
def test_surprise_is_the_cross_entropy_of_pytorch_however_it_is_cut(kind, piece):
    layer, head = model(kind, num_layers=2)
    symbols = np.random.default_rng(1).integers(V, size=30)
    output, _ = to_torch(layer)(torch.eye(V, dtype=torch.float64)[symbols[:-1], None])
    weight, bias = (torch.from_numpy(head.parameters()[name]) for name in ("weight", "bias"))
    scores = output[:, 0] @ weight.T + bias
    wanted = torch.nn.functional.cross_entropy(scores, torch.tensor(symbols[1:]), reduction="none")
    found = surprise(layer, head, symbols, piece=piece)
    np.testing.assert_allclose(found, wanted.detach().numpy(), rtol=1e-12)


def test_a_model_that_knows_nothing_is_surprised_by_log_V():
    layer, head = model()
    head.parameters()["weight"][:] = 0
    np.testing.assert_allclose(surprise(layer, head, np.arange(V)), np.log(V), rtol=1e-14)


def test_what_is_generated_follows_the_prediction():
    layer, head = model(seed=3)
    head.parameters()["weight"][:] *= 3  # so that the shares differ
    beginning = np.array([1, 4, 2])
    each = [np.exp(-surprise(layer, head, np.append(beginning, v))[-1]) for v in range(V)]
    rng = np.random.default_rng(0)
    drawn = [generate(layer, head, beginning, 1, rng=rng)[0] for _ in range(4000)]
    shares = np.bincount(drawn, minlength=V) / 4000
    np.testing.assert_allclose(shares, each, atol=4 * 0.5 / np.sqrt(4000))  # four deviations


def test_at_temperature_0_the_likeliest_symbol_is_taken_each_time():
    layer, head = model(seed=5)
    text = np.array([0])
    for _ in range(6):
        after = [surprise(layer, head, np.append(text, v))[-1] for v in range(V)]
        text = np.append(text, np.argmin(after))
    np.testing.assert_array_equal(generate(layer, head, text[:1], 6, temperature=0), text[1:])


def test_generating_goes_on_from_all_that_was_read():
    layer, head = model(seed=2)
    text = generate(layer, head, np.array([3]), 12, rng=4)
    assert len(set(text)) > 1
    again = generate(layer, head, np.append([3], text[:5]), 1, temperature=0)
    whole = [surprise(layer, head, np.concatenate([[3], text[:5], [v]]))[-1] for v in range(V)]
    assert again[0] == np.argmin(whole)


@pytest.mark.parametrize(
    "symbols, error, says",
    [
        ([0.0, 1.0], TypeError, "expected whole numbers"),
        ([[0, 1]], TypeError, "of shape"),
        ([1], ValueError, "expected at least 2, got 1"),
        ([0, V], ValueError, "expected 0 to 4, got 0 to 5"),
        ([-1, 0], ValueError, "got -1 to 0"),
    ],
)
def test_symbols_that_the_layer_cannot_read_are_refused(symbols, error, says):
    with pytest.raises(error, match=says):
        surprise(*model(), symbols)


def test_a_temperature_below_zero_is_refused():
    with pytest.raises(ValueError, match="temperature"):
        generate(*model(), np.array([0]), 1, temperature=-1)

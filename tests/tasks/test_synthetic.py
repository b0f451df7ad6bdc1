"""The synthetic tasks: shapes, seeds, shortest lags and how a prediction is scored."""

import math

import numpy as np
import pytest

from lstm_lesson.tasks.synthetic import PATTERNS, SYMBOLS, TASKS, WORD, task
from lstm_lesson.training.losses import mean_squared_error

N = 4000


@pytest.fixture(params=TASKS)
def name(request):
    return request.param


def test_shapes_are_what_the_task_says(name):
    one = task(name)
    T = max(one.shortest, 12)
    x, target, lengths, mask = one.sample(0, 5, T)
    steps = T + 2 * WORD if name == "copy" else T
    assert x.shape == (steps, 5, one.input_size)
    lead = (steps, 5) if one.read == "every" else (5,)
    if one.loss is mean_squared_error:
        assert target.shape == (*lead, one.output_size)
    else:
        assert target.shape == lead
        assert target.dtype.kind == "i"
        assert 0 <= target.min()
        assert target.max() < one.output_size
    assert lengths is None
    assert mask is None or (mask.shape == target.shape and mask.dtype == bool and mask.any())


def test_the_same_seed_gives_the_same_sequences_and_another_gives_others(name):
    one = task(name)
    a, again, b = (one.sample(seed, 50, 20) for seed in (3, 3, 4))
    np.testing.assert_array_equal(a.x, again.x)
    np.testing.assert_array_equal(a.target, again.target)
    assert not np.array_equal(a.x, b.x)


def test_the_shortest_lag_can_be_drawn_and_a_shorter_one_is_refused(name):
    one = task(name)
    one.sample(0, 50, one.shortest)
    with pytest.raises(ValueError, match=f"T: expected at least {one.shortest}"):
        one.sample(0, 50, one.shortest - 1)


def best_constant(one, batch):
    """Return the loss of the best prediction that is the same for every sequence."""
    if one.loss is mean_squared_error:
        return float(np.var(batch.target))
    if one.read == "last":
        share = np.bincount(batch.target, minlength=one.output_size) / N
        return -np.sum(share * np.log(share))
    counts = slice(None) if batch.mask is None else batch.mask.all(axis=1)
    share = np.eye(one.output_size)[batch.target[counts]].mean(axis=1)  # (T, V)
    return -np.sum(share * np.log(share, out=np.zeros_like(share), where=share > 0)) / len(share)


def test_trivial_is_the_loss_of_the_best_constant(name):
    one = task(name)
    measured = best_constant(one, one.sample(0, N, 20))
    assert measured == pytest.approx(one.trivial(20), rel=0.06)  # 3 standard errors of 4,000


def test_a_perfect_prediction_scores_one_and_the_mean_scores_nothing(name):
    one = task(name)
    batch = one.sample(0, N, 20)
    if one.loss is mean_squared_error:
        assert one.score(batch.target, batch, 20) == 1
        assert abs(one.score(np.full_like(batch.target, batch.target.mean()), batch, 20)) < 0.06
    else:
        perfect = np.eye(one.output_size)[batch.target]
        assert one.score(perfect, batch, 20) == 1
        wrong = np.roll(perfect, 1, axis=-1)
        assert one.score(wrong, batch, 20) == 0


def test_unknown_names_are_refused_with_those_that_exist():
    with pytest.raises(ValueError, match=r"adding.*temporal_order"):
        task("addition")


# ---- What each target is, computed again from the input ----


def test_adding_targets_are_the_sum_of_one_marked_value_in_each_half():
    x, target, *_ = task("adding").sample(1, 300, 21)
    assert set(np.unique(x[..., 1])) == {0, 1}
    np.testing.assert_array_equal(x[:10, :, 1].sum(axis=0), 1)
    np.testing.assert_array_equal(x[10:, :, 1].sum(axis=0), 1)
    np.testing.assert_allclose(target[:, 0], (x[..., 0] * x[..., 1]).sum(axis=0))


def test_recall_and_marked_value_targets_are_in_the_input():
    x, target, *_ = task("recall").sample(1, 30, 9)
    np.testing.assert_array_equal(target, x[0])
    x, target, *_ = task("marked_value").sample(1, 300, 50)
    np.testing.assert_array_equal(x[:5, :, 1].sum(axis=0), 1)
    assert x[5:, :, 1].sum() == 0
    np.testing.assert_allclose(target[:, 0], (x[..., 0] * x[..., 1]).sum(axis=0))


def test_a_sine_and_its_target_obey_the_recurrence_of_sines():
    x, target, *_ = task("sine").sample(1, 300, 30)
    steps = np.concatenate([x[..., 0], target.T])  # (T + 1, N)
    cosine = (steps[2] + steps[0]) / (2 * steps[1])
    np.testing.assert_allclose(steps[2:] + steps[:-2], 2 * cosine * steps[1:-1], atol=1e-9)
    period = 2 * np.pi / np.arccos(cosine)
    assert 10 <= period.min()
    assert period.max() <= 40


def test_the_noisy_pattern_is_found_by_the_best_filter():
    np.testing.assert_array_equal(PATTERNS @ PATTERNS.T, 8 * np.eye(4))
    x, target, *_ = task("noisy_pattern").sample(1, 2000, 80)
    windows = np.lib.stride_tricks.sliding_window_view(x[..., 0], 8, axis=0)  # (73, N, 8)
    found = np.einsum("snk,pk->nps", windows, PATTERNS).max(axis=-1).argmax(axis=-1)
    assert np.mean(found == target) > 0.95


def test_temporal_order_classes_follow_from_the_letters():
    x, target, *_ = task("temporal_order").sample(1, 400, 50)
    letters = x.argmax(axis=-1)
    first, second = letters[5:10], letters[25:30]
    assert np.all(np.isin(letters, (4, 5)).sum(axis=0) == 2)
    classes = 2 * (first == 5).any(axis=0) + (second == 5).any(axis=0)
    np.testing.assert_array_equal(target, classes)
    assert np.all(letters[-1] == 6)


def test_copy_asks_for_its_first_ten_symbols_after_the_lag():
    x, target, *_ = task("copy").sample(1, 40, 7)
    letters = x.argmax(axis=-1)
    np.testing.assert_array_equal(target[-WORD:], letters[:WORD])
    assert np.all(target[:-WORD] == SYMBOLS)
    assert np.all(letters[-WORD - 1] == SYMBOLS + 1)
    assert math.isclose(task("copy").trivial(100), 10 * math.log(8) / 120)

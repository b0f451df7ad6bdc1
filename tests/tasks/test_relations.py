"""Recall by keys and comparing of points: targets computed again, and the trivial scores."""

import numpy as np
import pytest

from lstm_lesson.tasks.relations import KEYS, most_frequent_value, nth_farthest
from lstm_lesson.tasks.synthetic import task


@pytest.mark.parametrize("T", [2, 3, 16, 33])
def test_each_answer_is_the_value_that_was_shown_with_the_key(T):
    batch = task("associative_recall").sample(1, 50, T)
    keys, values = batch.x[..., :KEYS].argmax(axis=-1), batch.x[..., KEYS:]
    assert np.all(batch.x[..., :KEYS].sum(axis=-1) == 1)
    for n in range(50):
        shown = dict(zip(keys[: T // 2, n], values[: T // 2, n].argmax(axis=-1), strict=True))
        assert len(shown) == T // 2
        assert [shown[key] for key in keys[:, n]] == [*batch.target[:, n]]
    assert values[T // 2 :].sum() == 0
    assert batch.mask.sum() == 50 * (T - T // 2)
    assert not batch.mask[: T // 2].any()


def test_there_are_only_so_many_keys():
    with pytest.raises(ValueError, match="T: expected at most 33, for 16 keys, got 34"):
        task("associative_recall").sample(0, 5, 34)


def test_only_what_the_mask_names_is_scored():
    one = task("associative_recall")
    batch = one.sample(2, 20, 8)
    y = np.eye(one.output_size)[batch.target]
    y[:4] = 0
    assert one.score(y, batch, 8) == 1
    y[4] = np.roll(y[4], 1, axis=-1)
    assert one.score(y, batch, 8) == 0.75


@pytest.mark.parametrize("pairs", [1, 2, 8])
def test_the_most_frequent_value_scores_what_is_computed(pairs):
    one = task("associative_recall")
    batch = one.sample(3, 20_000, 2 * pairs)
    counts = batch.x[:pairs, :, KEYS:].sum(axis=0)  # (N, values)
    measured = one.score(np.broadcast_to(counts, (2 * pairs, *counts.shape)), batch, 2 * pairs)
    assert measured == pytest.approx(most_frequent_value(pairs), abs=0.006)
    if pairs == 2:  # by hand: half of the answers, and the other half where both are the same
        assert most_frequent_value(2) == pytest.approx(1 / 2 + 1 / 32)


def parts(batch, K, d):
    at, rest = batch.x[..., :d], batch.x[..., d:]
    return at, *(a.argmax(axis=-1) for a in np.split(rest, rest.shape[-1] // K, axis=-1))


def test_the_target_is_the_nth_farthest_point():
    batch = nth_farthest(0, 60, 5, 3)
    at, labels, m, n = parts(batch, 5, 3)
    assert sorted(np.unique(n)) == [0, 1, 2, 3, 4]
    for k in range(60):
        place = {label: at[step, k] for step, label in enumerate(labels[:, k])}
        away = {label: np.linalg.norm(p - place[m[0, k]]) for label, p in place.items()}
        assert batch.target[k] == sorted(away, key=away.get, reverse=True)[n[0, k]]
        assert away[m[0, k]] == 0


def test_who_answers_m_when_asked_for_the_nearest_and_guesses_scores_two_in_k():
    K, batch = 8, nth_farthest(1, 20_000, 8, 16)
    *_, m, n = parts(batch, K, 16)
    guess = (m[0] + np.random.default_rng(0).integers(1, K, size=20_000)) % K
    answer = np.where(n[0] == K - 1, m[0], guess)
    assert np.mean(answer == batch.target) == pytest.approx(2 / K, abs=0.01)


def test_the_farthest_of_four_is_never_the_point_itself_and_may_have_to_wait():
    one = task("farthest")
    batch = one.sample(2, 200, 7)
    assert not batch.x[4:].any()
    *_, m = parts(batch._replace(x=batch.x[:4]), 4, 2)
    assert not np.any(batch.target == m[0])
    first = one.sample(2, 200, 4)
    np.testing.assert_array_equal(first.x, batch.x[:4])
    np.testing.assert_array_equal(first.target, batch.target)

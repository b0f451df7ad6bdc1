"""The two languages that need a counter, and the networks trained on them."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from lstm_lesson.engine import files
from lstm_lesson.pretrained import counting
from lstm_lesson.pretrained.counting import CLOSE, END, OPEN, a_n_b_n, brackets, encode


def test_a_n_b_n_has_as_many_of_each():
    strings = a_n_b_n(0, 500, longest=9, shortest=3)
    assert {len(s) // 2 for s in strings} == set(range(3, 10))
    assert all(s == "a" * (len(s) // 2) + "b" * (len(s) // 2) for s in strings)


def test_brackets_close_and_never_go_below_zero():
    for string in brackets(0, 500, longest=9):
        depths = np.cumsum([1 if symbol == "(" else -1 for symbol in string])
        assert depths.min() == 0
        assert depths[-1] == 0


def test_all_brackets_of_three_pairs_are_equally_likely():
    strings, counts = np.unique(brackets(0, 5000, longest=3, shortest=3), return_counts=True)
    assert len(strings) == 5
    assert np.all(abs(counts - 1000) < 100)  # over 3 standard deviations of 28


def test_the_same_seed_gives_the_same_strings():
    for draw in counting.LANGUAGES.values():
        assert draw(3, 20) == draw(3, 20) != draw(4, 20)


def test_encoding():
    x, target, lengths, mask = batch = encode(["aabb", "()"])
    assert x.shape == (5, 2, 3)
    assert_array_equal(x[:, 0].argmax(axis=1), [END, OPEN, OPEN, CLOSE, CLOSE])
    assert_array_equal(target[:, 0], [OPEN, OPEN, CLOSE, CLOSE, END])
    assert_array_equal(target[:3, 1], [OPEN, CLOSE, END])
    assert_array_equal(lengths, [5, 3])
    assert mask is None
    assert_array_equal(x[3:, 1], 0)
    assert_array_equal(counting.depth(batch)[:, 0], [0, 1, 2, 1, 0])
    assert_array_equal(counting.inside(batch)[:, 1], [False, True, True, False, False])


def test_other_symbols_are_refused():
    with pytest.raises(ValueError, match="expected symbols of"):
        encode(["abc"])


def test_a_string_is_right_if_every_step_is():
    batch = encode(["aabb", "ab"])
    perfect = np.zeros((5, 2, 3))
    perfect[..., CLOSE] = counting.depth(batch) > 0
    perfect[..., END] = 1 - perfect[..., CLOSE]
    assert_array_equal(counting.right(perfect, batch), [True, True])
    wrong = perfect.copy()
    wrong[2, 0] = wrong[2, 0, [0, 2, 1]]
    wrong[4, 1] = 9, 9, 0  # padding
    assert_array_equal(counting.right(wrong, batch), [False, True])


def test_without_memory_only_one_pair_is_right():
    strings = ["a" * n + "b" * n for n in range(1, 17)]
    batch = encode(strings)
    says_end_after_b = batch.x @ np.array([[0, 1, 0], [0, 0, 1], [0, 0, 0.0]])
    says_more = batch.x @ np.array([[0, 1, 0], [0, 1, 0], [0, 0, 0.0]])
    assert_array_equal(counting.right(says_end_after_b, batch), np.arange(16) == 0)
    assert not counting.right(says_more, batch).any()


@pytest.mark.parametrize("name", counting.LANGUAGES)
def test_the_ten_that_come_along_are_right_on_the_lengths_they_saw(name):
    batch = encode(counting.LANGUAGES[name](77, 300))
    models = counting.trained(name)
    assert len(models) == counting.SEEDS
    for model in models:
        assert counting.right(model.forward(batch.x, batch.lengths)[0], batch).all()


def test_they_differ_and_their_file_holds_nothing_else():
    arrays, options = files.load(counting.FILE)
    assert options == {"pairs": counting.PAIRS, "seeds": counting.SEEDS, "units": counting.UNITS}
    for array in arrays.values():
        assert array.dtype == np.float32
        assert len(np.unique(array.reshape(counting.SEEDS, -1), axis=0)) == counting.SEEDS


@pytest.mark.slow
def test_training_learns():
    batch = encode(["a" * n + "b" * n for n in range(1, 17)])
    before, after = counting.untrained(0), counting.train("a_n_b_n", 0, steps=300)
    assert after.loss(batch) < 0.5 * before.loss(batch)


def test_no_such_language():
    with pytest.raises(ValueError, match="name: expected one of"):
        counting.trained("parity")

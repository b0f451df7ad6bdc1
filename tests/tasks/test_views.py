"""Views of the digits: each is the same images, step by step."""

import numpy as np
import pytest

from lstm_lesson.tasks.datasets import digits, mnist_1d
from lstm_lesson.tasks.views import STEPS, VIEWS, ink, pixels, rows, shifted, view

IMAGES = np.random.default_rng(0).integers(0, 17, (5, 8, 8)).astype(float)


def test_a_step_is_a_row():
    x = rows(IMAGES)
    assert x.shape == (8, 5, 8)
    np.testing.assert_array_equal(16 * x[3, 2], IMAGES[2, 3])


def test_a_shifted_digit_is_whole_and_somewhere_and_all_else_is_blank():
    images = np.maximum(IMAGES, 1)
    x = shifted(np.concatenate([images] * 100), np.random.default_rng(1))
    assert x.shape == (STEPS, 500, 8)
    starts = (x.max(axis=2) > 0).argmax(axis=0)
    assert {*starts} == {*range(STEPS - 8 + 1)}
    for n, start in enumerate(starts):
        np.testing.assert_array_equal(16 * x[start : start + 8, n], images[n % 5])
    assert np.count_nonzero(x) == 500 * 64


def test_pixels_come_in_order_of_reading():
    x = pixels(IMAGES)
    assert x.shape == (64, 5, 1)
    np.testing.assert_array_equal(16 * x[:, 3, 0], IMAGES[3].ravel())


def test_ink_lists_the_dark_pixels_and_pads_with_zeros():
    images = np.zeros((2, 8, 8))
    images[0, 1, 7], images[0, 2, 0], images[0, 2, 3] = 16, 8, 7
    images[1, 0, 0] = 12
    x, lengths = ink(images)
    assert lengths.tolist() == [2, 1] and x.shape == (2, 2, 3)
    np.testing.assert_allclose(x[:, 0], [[1 / 7, 1, 1], [2 / 7, 0, 0.5]])
    np.testing.assert_allclose(x[:, 1], [[0, 0, 0.75], [0, 0, 0]])


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_is_split_and_the_same_at_each_call(name):
    parts, data = view(name), mnist_1d() if name == "mnist_1d" else digits()
    assert parts is view(name)
    classes = np.concatenate([parts.train.target, parts.validation.target])
    np.testing.assert_array_equal(classes, data.y)
    np.testing.assert_array_equal(parts.test.target, data.y_test)
    assert len(parts.validation.target) == len(data.y) // 5
    for part in parts:
        assert part.x.dtype == np.float32 and part.x.shape[1] == len(part.target)
        assert (part.lengths is None) == (name != "ink")


def test_permuted_pixels_are_those_of_the_image_in_one_other_order():
    plain, other = view("pixels"), view("permuted")
    order = np.array([np.flatnonzero(np.all(plain.train.x == step, (1, 2)))[0]
                      for step in other.train.x if step.std()])  # fmt: skip
    assert not np.array_equal(order, np.sort(order))
    for part in ("train", "validation", "test"):
        a, b = getattr(plain, part).x, getattr(other, part).x
        np.testing.assert_array_equal(np.sort(a, axis=0), np.sort(b, axis=0))
        assert not np.array_equal(a, b)


def test_an_unknown_view_is_refused():
    with pytest.raises(ValueError, match=r"view: expected one of .*'rows'.*, got 'columns'"):
        view("columns")

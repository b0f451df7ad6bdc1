"""Images of digits as sequences with one label each, seen in five ways; and MNIST-1D.

A view says what a step is: a row of the image, that row somewhere in a longer sequence, one pixel,
one pixel of an order that was shuffled once, or one dark pixel with its place. Introduced in
chapter 21.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

from lstm_lesson.engine.arguments import check_choice
from lstm_lesson.tasks.datasets import Labelled, digits, mnist_1d
from lstm_lesson.training.models import Batch

CLASSES = 10
STEPS = 24  # of the view "shifted", eight of which are the digit's
INK = 8  # darkness, of 16, from which on a pixel counts as ink


class Parts(NamedTuple):
    """Labelled sequences by use, x (T, N, D) in float32 and the class of each as target."""

    train: Batch
    validation: Batch  # the last fifth of what is there to train on
    test: Batch


def rows(images: np.ndarray) -> np.ndarray:
    """Return images (N, 8, 8) as sequences of their rows, (8, N, 8), pixels from 0 to 1."""
    return images.swapaxes(0, 1) / 16


def shifted(images: np.ndarray, rng) -> np.ndarray:
    """Return the rows somewhere in `STEPS` steps that are blank before and after, (24, N, 8)."""
    found = np.zeros((STEPS, len(images), 8))
    starts = rng.integers(STEPS - 8 + 1, size=len(images))
    for n, (start, image) in enumerate(zip(starts, images, strict=True)):
        found[start : start + 8, n] = image / 16
    return found


def pixels(images: np.ndarray) -> np.ndarray:
    """Return images as sequences of single pixels, row by row, (64, N, 1)."""
    return images.reshape(len(images), 64, 1).swapaxes(0, 1) / 16


def ink(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the dark pixels of each image in order of reading, and how many they are, (N,).

    A step is (row, column, darkness), each from 0 to 1; zeros follow the last one, as padding.
    """
    dark = images >= INK
    lengths = dark.sum(axis=(1, 2))
    found = np.zeros((lengths.max(), len(images), 3))
    for n, image in enumerate(images):
        where = np.argwhere(dark[n])
        found[: lengths[n], n, :2] = where / 7
        found[: lengths[n], n, 2] = image[dark[n]] / 16
    return found, lengths


VIEWS = ("rows", "shifted", "pixels", "permuted", "ink", "mnist_1d")


@functools.cache
def view(name: str) -> Parts:
    """Return the sequences of a view, a name in `VIEWS`; the same at each call.

    Raises ValueError for another name.
    """
    check_choice("view", name, VIEWS)
    data = mnist_1d() if name == "mnist_1d" else digits()
    cut = len(data.x) - len(data.x) // 5
    images = (data.x[:cut], data.x[cut:], data.x_test)
    classes = (data.y[:cut], data.y[cut:], data.y_test)
    rng = np.random.default_rng(21)  # of the places of "shifted" and of the one order of "permuted"
    order, lengths = rng.permutation(64), None
    found = []
    for x, y in zip(images, classes, strict=True):
        if name == "rows":
            x = rows(x)
        elif name == "shifted":
            x = shifted(x, rng)
        elif name == "ink":
            x, lengths = ink(x)
        elif name == "mnist_1d":
            x = x.T[..., None]
        else:
            x = pixels(x) if name == "pixels" else pixels(x)[order]
        found.append(Batch(x.astype(np.float32), y, lengths))
    return Parts(*found)


__all__ = ["CLASSES", "VIEWS", "Labelled", "Parts", "ink", "pixels", "rows", "shifted", "view"]

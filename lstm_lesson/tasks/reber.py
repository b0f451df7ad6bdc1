"""The embedded Reber grammar: its automaton, strings drawn from it, and what may follow.

A string of the plain grammar stands between two symbols that are the same, T or P: who predicts the
second must keep the first in mind all along (Hochreiter and Schmidhuber 1997, experiment 1).
Introduced in chapter 17.
"""

from __future__ import annotations

import numpy as np

from lstm_lesson.engine.arguments import check_rng, check_size

SYMBOLS = "BTPSXVE"  # in the order of the one-hot vectors


def _reber() -> np.ndarray:
    """Return the automaton of the embedded grammar: node and symbol to the next node, or -1."""
    table = np.full((19, len(SYMBOLS)), -1)

    def edge(node: int, symbol: str, to: int):
        table[node, SYMBOLS.index(symbol)] = to

    edge(0, "B", 1)
    for outer, base in (("T", 2), ("P", 10)):
        edge(1, outer, base)
        for start, symbol, end in (
            (0, "B", 1), (1, "T", 2), (1, "P", 3), (2, "S", 2), (2, "X", 4), (3, "T", 3),
            (3, "V", 5), (4, "X", 3), (4, "S", 6), (5, "P", 4), (5, "V", 6), (6, "E", 7),
        ):  # fmt: skip
            edge(base + start, symbol, base + end)
        edge(base + 7, outer, 18)
    edge(18, "E", 0)  # where the next string begins
    return table


NEXT = _reber()  # (nodes, symbols)
CHOICES = np.array([(legal[0], legal[-1]) for legal in map(np.flatnonzero, NEXT >= 0)])


def reber_strings(rng, N: int) -> tuple[np.ndarray, np.ndarray]:
    """Return N strings of the embedded Reber grammar and their lengths, at least 9.

    Parameters
    ----------
    rng : a generator or an integer seed; where two symbols are legal, each has probability 1/2.
    N : strings.

    Returns
    -------
    symbols : (L, N), indices into `SYMBOLS`; -1 after the end.
    lengths : (N,).
    """
    rng, node = check_rng(rng), np.zeros(check_size("N", N), int)
    rows, going = [], np.ones(N, bool)
    while going.any():
        symbol = CHOICES[node, rng.integers(2, size=N)]
        rows.append(np.where(going, symbol, -1))
        node = np.where(going, NEXT[node, symbol], 0)
        going &= node != 0
    symbols = np.array(rows)
    return symbols, (symbols >= 0).sum(axis=0)


def legal_next(symbols: np.ndarray) -> np.ndarray:
    """Return which symbols may follow each, (L, N, 7), after strings (L, N) up to there.

    Strings may stand one after the other; where there is no symbol, -1, all is as before it.
    """
    node, legal = np.zeros(symbols.shape[1], int), []
    for symbol in symbols:
        node = np.where(symbol >= 0, NEXT[node, symbol], node)
        legal.append(NEXT[node] >= 0)
    return np.array(legal)


def _symbol_shares() -> np.ndarray:
    """Return how often each symbol occurs in strings, as shares of all symbols."""
    moves = np.zeros((len(NEXT), len(NEXT)))  # probability of each step between nodes
    emits = np.zeros(NEXT.shape)
    for node, choices in enumerate(CHOICES):
        for symbol in choices:
            moves[node, NEXT[node, symbol]] += 0.5
            emits[node, symbol] += 0.5
    moves[:, 0] = 0  # a string ends
    visits = np.linalg.solve(np.eye(len(NEXT)) - moves.T, np.eye(len(NEXT))[0])
    return visits @ emits / visits.sum()


SHARES = _symbol_shares()

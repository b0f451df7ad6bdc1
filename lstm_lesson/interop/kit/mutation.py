"""Make a mistake: replace lines of `interop.kit.plain`, and run what comes out."""

from __future__ import annotations

import functools
import inspect
from typing import NamedTuple

from lstm_lesson.interop.kit import plain


class Mistake(NamedTuple):
    """Lines of `plain`, without their indent, and what stands there instead."""

    cells: str  # which it can be made in: letters of LSTM, GRU and RNN
    lines: tuple[tuple[str, str], ...]


def line(cells: str, *lines: str) -> Mistake:
    """Return a mistake of lines that are right and wrong in turn."""
    return Mistake(cells, tuple(zip(lines[::2], lines[1::2], strict=True)))


def order(cell: str, wrong: str) -> Mistake:
    """Return the mistake of reading the gates of a cell in another order."""
    right = 'ORDER = {"LSTM": "ifgo", "GRU": "rzn", "RNN": "h"}'
    return line(cell[0], right, f'{right} | {{"{cell}": "{wrong}"}}')


@functools.cache
def mutate(mistake: Mistake):
    """Return `plain.solve` with a mistake in it."""
    source = inspect.getsource(plain)
    for right, wrong in mistake.lines:
        before = source
        source = "".join(
            each.replace(right, wrong) if each.strip() == right else each
            for each in source.splitlines(keepends=True)
        )
        if source == before:
            raise ValueError(f"no line of plain is: {right}")
    namespace = {"swapped": _swapped}
    exec(compile(source, "plain with a mistake", "exec"), namespace)
    return namespace["solve"]


def _swapped(h, c):
    """Return c and h where their shapes allow it."""
    return (c, h) if h.shape == c.shape else (h, c)

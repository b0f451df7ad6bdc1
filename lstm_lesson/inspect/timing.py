"""How long functions take beside each other, on a machine that has other work as well."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping

import numpy as np


def clock() -> float:
    """Return the seconds that this thread has had a processor, or else those on the wall.

    The first pass over whatever else the machine does in between; some systems count them in steps
    that are too coarse. Work in further threads is not in them.
    """
    fine = time.get_clock_info("thread_time").resolution < 1e-5
    return time.thread_time() if fine else time.perf_counter()


def in_turn(
    functions: Mapping[object, Callable[[], object]],
    seconds: float,
    *,
    rounds: int = 5,
    now: Callable[[], float] = clock,
) -> dict[object, float]:
    """Return the median seconds of each function, called by turns until time is up.

    Parameters
    ----------
    functions : name to what is called, without arguments; once more at first, unmeasured.
    seconds : on the wall, after which no new round begins.
    rounds : how many there are at least. Each has an order of its own: what ran before leaves the
        caches as it needed them.
    now : the clock.

    Raises ValueError without a function or a round. Used in chapter 22.
    """
    if not functions or rounds < 1:
        raise ValueError(
            f"expected at least one function and one round, got {len(functions)} and {rounds}"
        )
    for function in functions.values():
        function()
    shuffled = random.Random(0)
    times: dict[object, list[float]] = {name: [] for name in functions}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(next(iter(times.values()))) < rounds:
        for name in shuffled.sample([*functions], len(functions)):
            start = now()
            functions[name]()
            times[name].append(now() - start)
    return {name: float(np.median(taken)) for name, taken in times.items()}

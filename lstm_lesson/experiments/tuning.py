"""Which runs an experiment of the second edition consists of: tuned first, then reported.

Each arm at each place tries one geometric grid of learning rates on its tuning seeds; where the
best is at an edge, the grid grows on that side until it is not. The best rate is then run with
other seeds, and these alone are reported. So what is to run follows from the rows that there are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from lstm_lesson.experiments.statistics import Arm

# As far as a grid may grow, and what every arm tries. That was only 0.0003 to 0.03 at first. But a
# GRU that recalls was best at 0.003, failed at 0.01 and was better again beyond 0.03, where a grid
# that stops at the first best inside never looks; so the first rates span three decades.
RATES = (0.00003, 0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
FIRST = RATES[2:9]
FIVE = RATES[3:8]  # for what is known to need neither end
TUNING = tuple(range(100, 105))  # seeds; those reported are counted from 0
# A setting is a `Spec` whose rate and seed are open.
OPEN = {"lr": 0.0, "seed": -1}


class Plan(NamedTuple):
    """What an experiment runs: called with rows, it returns the runs that these make known."""

    settings: tuple  # one `Spec` for each arm at each place, with `OPEN` rate and seed
    seeds: int  # how many runs are reported of each
    first: tuple[float, ...] = FIRST  # rates that each tries, some in a row of `RATES`

    def __call__(self, rows: Mapping) -> list:
        """Return the runs that are known to be wanted: all of them once all are stored."""
        specs = []
        for setting in self.settings:
            rates, tuned = tuning(setting, rows, self.first)
            specs += [setting._replace(lr=lr, seed=seed) for lr in rates for seed in TUNING]
            if tuned is not None:
                specs += [setting._replace(lr=tuned, seed=seed) for seed in range(self.seeds)]
        return specs

    def arms(self, rows: Mapping) -> dict[tuple[str, str, int], Arm]:
        """Return by (arm, task, T) the reported runs; without those that aren't all stored."""
        found = {}
        for setting in self.settings:
            rates, lr = tuning(setting, rows, self.first)
            specs = tuple(setting._replace(lr=lr, seed=seed) for seed in range(self.seeds))
            if lr is not None and all(spec in rows for spec in specs):
                key = setting.arm, setting.task, setting.T
                found[key] = Arm(*key, lr, tuple(rates), specs, tuple(rows[s] for s in specs))
        return found


class Once(NamedTuple):
    """What an experiment runs whose settings have no learning rate and no luck: each of them once.

    Such are baselines, for example.
    """

    settings: tuple  # one spec for each arm at each place

    def __call__(self, rows: Mapping) -> list:
        """Return the runs that are wanted, which rows don't change."""
        return [*self.settings]

    def arms(self, rows: Mapping) -> dict[tuple[str, str, int], Arm]:
        """Return by (arm, task, T) the one run of each setting that is stored."""
        stored = ((s, rows[s]) for s in self.settings if s in rows)
        return {(s.arm, s.task, s.T): Arm(s.arm, s.task, s.T, 0.0, (), (s,), (o,))
                for s, o in stored}  # fmt: skip


def tuning(setting, rows: Mapping, begin=FIRST) -> tuple[Sequence[float], float | None]:
    """Return the rates that a setting tries, in order, and the one that is picked.

    It begins with some in a row of `RATES`. The one that is picked is None as long as rows are
    missing to tell.
    """
    first, last = RATES.index(begin[0]), RATES.index(begin[-1])
    while True:
        rates = RATES[first : last + 1]
        tried = {
            lr: [rows.get(setting._replace(lr=lr, seed=seed)) for seed in TUNING] for lr in rates
        }
        if any(outcome is None for outcomes in tried.values() for outcome in outcomes):
            return rates, None
        best = min(rates, key=lambda lr: rank(tried[lr]))
        if best == rates[0] and first > 0:
            first -= 1
        elif best == rates[-1] and last < len(RATES) - 1:
            last += 1
        else:
            return rates, best


def rank(outcomes: Sequence) -> tuple[float, float, float]:
    """Return what is least for the best rate; test data have no say.

    That is the share of runs that never solved the task, then the median of the sequences until
    they did, then of the best validation loss.
    """
    solved_at = [outcome.solved_at or math.inf for outcome in outcomes]
    losses = [o.validation_loss if o.status == "ok" else math.inf for o in outcomes]
    failed = sum(map(math.isinf, solved_at)) / len(solved_at)
    return failed, float(np.median(solved_at)), float(np.median(losses))

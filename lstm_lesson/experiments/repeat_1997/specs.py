"""What chapter 17 repeats of 1997, 2000 and 2002, as data: tasks, nets, rates and budgets."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator

from lstm_lesson.experiments.repeat_1997.rows import Outcome1997, Spec1997
from lstm_lesson.experiments.repeat_1997.training import run
from lstm_lesson.experiments.sweep import Experiment

SEEDS = range(10)

LAGS = (
    "noise_free_lag", "two_sequence", "adding_1997", "multiplication", "temporal_order_1997"
)  # fmt: skip
RULE, CELL, PLAIN, CHRONO = "1997", "1997 cell, Adam", "LSTM, Adam", "LSTM, chrono, Adam"
RATES = (0.01, 0.03)  # of Adam; the rule of 1997 has the paper's own


def _original(
    task: str, T: int, cell: str, hidden_size: int, biases: dict, rate: float, budget: int,
    arm: str = RULE, rule: str = "1997",
) -> Iterator[Spec1997]:  # fmt: skip
    """Yield the runs of one task that the rule of 1997 trains; `biases` are one a block."""
    for seed in SEEDS:
        yield Spec1997(
            arm, task, T, cell, rule, hidden_size, json.dumps(biases), rate, 1, budget, seed
        )


def _repeat(
    task: str, T: int, hidden_size: int, biases: dict, budget: int, *, batch_size: int = 16,
    arms: dict[str, tuple[str, dict]] | None = None, rates: tuple[float, ...] = RATES,
) -> Iterator[Spec1997]:  # fmt: skip
    """Yield the runs of one task that Adam trains.

    `biases` are the paper's initial ones, of the 1997 cell; the plain one has its forget bias 1,
    and, where the lag is long, once more with chrono initial values.
    """
    if arms is None:
        arms = {CELL: ("1997", biases)}
        if task != "multiplication":  # for the time it takes
            arms[PLAIN] = ("LSTM", {})
        if task in LAGS:
            arms[CHRONO] = ("LSTM", {"chrono": T + T // 10})
    for (arm, (cell, initial)), lr, seed in itertools.product(arms.items(), rates, SEEDS):
        yield Spec1997(
            arm, task, T, cell, "Adam", hidden_size, json.dumps(initial), lr, batch_size, budget,
            seed,
        )  # fmt: skip


# The paper's nets for the grammar, 3 blocks of 2 cells and 4 of 1, each with two updates compared.
_THREE_BLOCKS = ("embedded_reber", 10, "blocks of 2", 6, {"o": [-1, -2, -3]}, 0.5, 60_000)
_FOUR_BLOCKS = ("embedded_reber", 10, "blocks of 1", 4, {"o": [-1, -2, -3, -4]}, 0.5, 60_000)

REPEAT_1997 = Experiment(
    name="repeat_1997",
    about="tasks of Hochreiter and Schmidhuber 1997, Gers et al. 2000 and 2002 (chapter 17)",
    specs=(
        *_original(*_THREE_BLOCKS),
        *_original(
            "embedded_reber", 10, "blocks of 1", 6, {"o": [-1, -1, -2, -2, -3, -3]}, 0.5, 60_000,
            "1997, own gates",
        ),
        *_original(*_FOUR_BLOCKS, "1997, four blocks"),
        *_original(*_THREE_BLOCKS, "1997, by sequence", "1997, by sequence"),
        *_original(*_FOUR_BLOCKS, "1997, four blocks, by sequence", "1997, by sequence"),
        *_repeat(
            "embedded_reber", 10, 6, {"o": [-1, -1, -2, -2, -3, -3]}, 30_000, batch_size=8
        ),
        *_original("noise_free_lag", 100, "one cell", 1, {}, 1.0, 10_000),
        *_repeat("noise_free_lag", 100, 2, {}, 4_000, batch_size=2),
        *_original(
            "two_sequence", 100, "blocks of 1", 3, {"i": [-1, -3, -5], "o": [-2, -4, -6]}, 1.0,
            100_000,
        ),
        *_repeat("two_sequence", 100, 3, {"i": [-1, -3, -5], "o": [-2, -4, -6]}, 40_000),
        *_original("adding_1997", 100, "blocks of 2", 4, {"i": [-3, -6]}, 0.5, 200_000),
        *_repeat("adding_1997", 100, 4, {"i": [-3, -3, -6, -6]}, 60_000),
        *_original("multiplication", 100, "blocks of 2", 4, {}, 0.1, 500_000),
        *_repeat("multiplication", 100, 4, {}, 60_000),
        *_original("temporal_order_1997", 100, "blocks of 2", 4, {"i": [-2, -4]}, 0.5, 100_000),
        *_repeat("temporal_order_1997", 100, 4, {"i": [-2, -2, -4, -4]}, 40_000),
        *_repeat(
            "continual_reber", 50, 8, {}, 24_000, batch_size=8,
            arms={"no forget gates": ("1997", {}), "forget gates": ("LSTM", {})},
        ),
        *_repeat(
            "timed_spikes", 10, 1, {}, 24_000, batch_size=8, rates=(0.003, 0.01),
            arms={"no peepholes": ("LSTM", {}), "peepholes": ("peephole", {})},
        ),
    ),
    run=run,
    outcome=Outcome1997,
    minutes=55,
    long_lag=100,
)  # fmt: skip

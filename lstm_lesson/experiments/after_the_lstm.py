"""What came after the LSTM, and the LSTM, on three small tasks; chapter 24.

Parity wants a state that is kept for long; associative recall wants to be looked up in; and for the
farthest of four, points have to be compared. All arms of a task have about as many parameters as
its LSTM, and see as many sequences. Five rates, over two decades, are where every grid starts.
Twenty runs are reported of each. They were ten at first; but with the questions of all three tasks
together, one run more or less decided some words of parity, and the rule on seeds asks for more.
"""

from __future__ import annotations

import functools

from lstm_lesson.experiments import lengths
from lstm_lesson.experiments.second_edition import LSTM, settings
from lstm_lesson.experiments.sweep import Experiment
from lstm_lesson.experiments.trials import Trial, trial
from lstm_lesson.experiments.tuning import RATES, Plan

FIRST = RATES[2:7]


def _arms(sizes: dict[str, int]) -> dict[str, dict]:
    """Return the arms for these hidden sizes; each arm in blocks has two of them."""
    kinds = {
        "LSTM": LSTM,
        "LSTM in blocks": {"layer": "LSTM in blocks"},
        "sLSTM": {"layer": "SLSTM"},
        "mLSTM": {"layer": "MLSTM in blocks", "heads": 2},
        "minGRU": {"layer": "MinGRU in blocks"},
        "minGRU, signed": {"layer": "MinGRU in blocks", "signed": True},
        "state space": {"layer": "StateSpace in blocks", "selective": True},
        "Transformer": {"layer": "SelfAttention in blocks", "positions": "sine"},
        "relational memory": {"layer": "RelationalMemory", "slots": 4, "heads": 2},
    }
    return {name: kinds[name] | {"hidden_size": size} for name, size in sizes.items()}


def _experiment(name, about, arms, place, *, run, outcome, minutes, **common) -> Experiment:
    plan = Plan(settings(arms, [place], stop=True, **common), seeds=20, first=FIRST)
    return Experiment(name, about, tuple(plan({})), run, outcome, minutes, plan=plan)


KEEP_A_BIT = _experiment(
    "keep_a_bit",
    "parity by what came after the LSTM: trained to 40 steps, tested to 500 (chapter 24)",
    _arms({"LSTM": 20, "LSTM in blocks": 8, "sLSTM": 20, "minGRU": 12, "minGRU, signed": 12,
           "Transformer": 10}),
    ("parity", 40),
    # Attention over 500 steps takes memory: fewer sequences than elsewhere.
    run=functools.partial(lengths.run, tested=128),
    outcome=lengths.Lengths,
    minutes=6,
    steps=600,
    dtype="float32",
)  # fmt: skip

LOOK_IT_UP = _experiment(
    "look_it_up",
    "associative recall of 8 pairs by what came after the LSTM (chapter 24)",
    _arms({"LSTM": 32, "LSTM in blocks": 18, "mLSTM": 22, "minGRU": 24, "state space": 23,
           "Transformer": 21}),
    ("associative_recall", 16),
    run=trial,
    outcome=Trial,
    minutes=10,
    batch_size=32,
    steps=720,
    dtype="float32",
)  # fmt: skip

COMPARE_THEM = _experiment(
    "compare_them",
    "the farthest of four points by an LSTM and a relational memory (chapter 24)",
    _arms({"LSTM": 32, "relational memory": 88}),
    ("farthest", 4),
    run=trial,
    outcome=Trial,
    minutes=15,
    batch_size=128,
    steps=2000,
    dtype="float32",
)

AFTER_THE_LSTM = (KEEP_A_BIT, LOOK_IT_UP, COMPARE_THEM)

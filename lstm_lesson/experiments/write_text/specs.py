"""The runs of chapter 19 as data, and what is asked of their rows."""

from __future__ import annotations

from lstm_lesson.experiments.rules import Sooner
from lstm_lesson.experiments.sweep import Experiment
from lstm_lesson.experiments.tuning import OPEN, Plan
from lstm_lesson.experiments.write_text.training import OutcomeText, SpecText, run

# Equal parameters, about 47,500 each with the head: 64, 77 and 142 units.
_CELLS = {"LSTM": 64, "GRU": 77, "RNN": 142}
_COMMON = {"forget_bias": 1.0, "share": 1.0, "T": 100, "steps": 2000, **OPEN}


def _setting(cell: str, hidden_size: int, task: str) -> SpecText:
    return SpecText(arm=cell, layer=cell, hidden_size=hidden_size, task=task, **_COMMON)


_PLAN = Plan(tuple(_setting(cell, size, "chapters") for cell, size in _CELLS.items()), seeds=10)

WRITE_TEXT = Experiment(
    "second/write_text",
    "LSTM, GRU and RNN on a text of 4 MB, character by character (chapter 19)",
    tuple(_PLAN({})),
    run,
    OutcomeText,
    minutes=30,
    plan=_PLAN,
)


def questions(arms) -> dict[tuple[str, str], Sooner]:
    """Return what is asked, by the arms that are compared: is the first's loss on the test lower?

    `arms` is what the plan's `arms` returned. A run that diverged has a loss of infinity.
    """
    test = {arm: tuple(o.test for o in runs.outcomes) for (arm, *_), runs in arms.items()}
    pairs = (("LSTM", "RNN"), ("GRU", "RNN"), ("LSTM", "GRU"))
    return {(a, b): Sooner(test[a], test[b]) for a, b in pairs if a in test and b in test}

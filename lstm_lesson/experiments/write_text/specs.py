"""The runs of chapter 19 as data; what is asked of their rows stands in ``questions.json``."""

from __future__ import annotations

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

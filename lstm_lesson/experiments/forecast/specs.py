"""The runs of chapter 20 as data; what is asked of their rows stands in ``questions.json``."""

from __future__ import annotations

from lstm_lesson.experiments.forecast.training import OutcomeForecast, SpecForecast, run
from lstm_lesson.experiments.sweep import Experiment
from lstm_lesson.experiments.tuning import OPEN, Plan

# Task and values that are read: an hour of glucose, or one solar cycle.
_PLACES = {("glucose", 12): (32, 64, 2000), ("sunspots", 11): (16, 32, 300)}


def _setting(task: str, T: int, hidden_size: int, batch_size: int, steps: int) -> SpecForecast:
    sizes = {"hidden_size": hidden_size, "batch_size": batch_size, "steps": steps}
    return SpecForecast(arm="LSTM", task=task, layer="LSTM", T=T, **sizes, **OPEN)


_PLAN = Plan(tuple(_setting(*place, *sizes) for place, sizes in _PLACES.items()), seeds=10)

FORECAST = Experiment(
    "forecast",
    "blood glucose and sunspots, many steps ahead, by an LSTM (chapter 20)",
    tuple(_PLAN({})),
    run,
    OutcomeForecast,
    minutes=3,
    plan=_PLAN,
)

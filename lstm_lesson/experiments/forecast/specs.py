"""The runs of chapter 20 as data, and what is asked of their rows."""

from __future__ import annotations

from collections.abc import Mapping

from lstm_lesson.experiments.forecast.training import OutcomeForecast, SpecForecast, run
from lstm_lesson.experiments.rules import Share
from lstm_lesson.experiments.sweep import Experiment
from lstm_lesson.experiments.tuning import OPEN, Plan

# Task and values that are read: an hour of glucose, or one solar cycle.
_PLACES = {("glucose", 12): (32, 64, 2000), ("sunspots", 11): (16, 32, 300)}


def _setting(task: str, T: int, hidden_size: int, batch_size: int, steps: int) -> SpecForecast:
    sizes = {"hidden_size": hidden_size, "batch_size": batch_size, "steps": steps}
    return SpecForecast(arm="LSTM", task=task, layer="LSTM", T=T, **sizes, **OPEN)


_PLAN = Plan(tuple(_setting(*place, *sizes) for place, sizes in _PLACES.items()), seeds=10)

FORECAST = Experiment(
    "second/forecast",
    "blood glucose and sunspots, many steps ahead, by an LSTM (chapter 20)",
    tuple(_PLAN({})),
    run,
    OutcomeForecast,
    minutes=3,
    plan=_PLAN,
)


def questions(arms, levels: Mapping[str, Mapping[str, float]]) -> dict[tuple, Share]:
    """Return what is asked of each place and each baseline: do half of all runs have a lower error?

    `arms` is what the plan's `arms` returned, `levels` the mean error over the steps ahead of each
    baseline, by task and name. Keys are task, T and the baseline's name.
    """
    return {
        (task, T, name): Share(tuple(bool(o.test < level) for o in runs.outcomes), 0.5)
        for (_, task, T), runs in arms.items()
        for name, level in levels.get(task, {}).items()
    }

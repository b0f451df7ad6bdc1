"""The runs of chapter 21 as data; what is asked of their rows stands in ``questions.json``."""

from __future__ import annotations

from lstm_lesson.experiments.classify.training import OutcomeClassify, SpecClassify, run
from lstm_lesson.experiments.sweep import Experiment
from lstm_lesson.experiments.tuning import FIVE, OPEN, Plan

STEPS = {"shifted": 500, "rows": 400, "ink": 500, "mnist_1d": 700, "pixels": 500, "permuted": 500}
LENGTHS = {"shifted": 24, "rows": 8, "ink": 30, "mnist_1d": 40, "pixels": 64, "permuted": 64}
_LSTM = {"network": "LSTM", "hidden_size": 32}


def _settings(task: str, arms: dict[str, dict]) -> tuple[SpecClassify, ...]:
    """Return a setting for each arm, which is what differs from a network that reads its end."""
    common = {"read": "last", "bidirectional": False, "lengths": True, "batch_size": 50, **OPEN}
    common |= {"task": task, "T": LENGTHS[task], "steps": STEPS[task]}
    return tuple(SpecClassify(arm=arm, **(common | own)) for arm, own in arms.items())


# Sizes are such that the counts of parameters, with the head, are nearest to that of the LSTM.
_DIGITS = _settings(
    "shifted",
    {
        "LSTM": _LSTM,
        "LSTM, attention": _LSTM | {"read": "attention"},
        "MLP": {"network": "MLP", "hidden_size": 27},
        "convolution": {"network": "conv", "hidden_size": 21},
    },
) + _settings("rows", {"LSTM": _LSTM})
_VIEWS = (
    _settings("rows", {"MLP": {"network": "MLP", "hidden_size": 74}})
    + _settings(
        "shifted",
        {
            "LSTM, mean": _LSTM | {"read": "mean"},
            "LSTM, bidirectional": _LSTM | {"hidden_size": 21, "bidirectional": True},
        },
    )
    + _settings(
        "ink",
        {
            "last, padded": _LSTM | {"lengths": False},
            "last": _LSTM,
            "mean, padded": _LSTM | {"lengths": False, "read": "mean"},
            "mean": _LSTM | {"read": "mean"},
        },
    )
    + _settings(
        "mnist_1d",
        {
            "LSTM": _LSTM,
            "LSTM, attention": _LSTM | {"read": "attention"},
            "MLP": {"network": "MLP", "hidden_size": 92},
            "convolution": {"network": "conv", "hidden_size": 21},
            "GRU": {"network": "GRU", "hidden_size": 37},
        },
    )
    + _settings("pixels", {"LSTM": _LSTM})
    + _settings("permuted", {"LSTM": _LSTM})
)


def _experiment(name: str, about: str, settings: tuple[SpecClassify, ...], minutes: float):
    # Five rates first, where `tuning.FIRST` has seven; beyond them the grid grows in the same way.
    plan = Plan(settings, seeds=10, first=FIVE)
    return Experiment(name, about, tuple(plan({})), run, OutcomeClassify, minutes, plan=plan)


CLASSIFY = _experiment(
    "classify",
    "digits at one place and at any place, by LSTM, MLP and convolution (chapter 21)",
    _DIGITS,
    minutes=4,
)
CLASSIFY_VIEWS = _experiment(
    "classify_views",
    "MNIST-1D, digits pixel by pixel, and sequences of different lengths (chapter 21)",
    _VIEWS,
    minutes=6,
)

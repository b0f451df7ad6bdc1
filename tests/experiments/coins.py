"""A small experiment that the tests share: a toss of a coin."""

import os
import signal
import time
from typing import NamedTuple

import numpy as np

from lstm_lesson.experiments.sweep import THREADS, Experiment


class Toss(NamedTuple):
    arm: str
    task: str
    T: int
    lr: float
    seed: int


class Fell(NamedTuple):
    value: float
    solved: bool
    note: str


def fell(spec):
    value = float(np.random.default_rng(spec.seed).normal())
    return Fell(value, value > 0, 'a "quoted", noté\tof one line')


def toss(spec):
    time.sleep(0.02)
    return fell(spec)


def endless_toss(spec):
    while spec.seed >= 4:  # at full load, as a run is
        pass
    return fell(spec)


def threads(spec):
    return fell(spec)._replace(note=" ".join(os.environ[name] for name in THREADS))


def blocked(spec):
    """Name the signals that this thread holds back."""
    held = sorted(s.name for s in signal.pthread_sigmask(signal.SIG_BLOCK, []))
    return fell(spec)._replace(note=" ".join(held))


def fatal_toss(spec):
    if spec.seed == 3:
        os._exit(1)  # as one that takes too much memory ends
    return fell(spec)


def bad_toss(spec):
    if spec.seed == 3:
        raise OSError("the coin rolled away")
    return toss(spec)


COINS = Experiment(
    name="coins",
    about="a toss",
    specs=tuple(Toss("penny", "toss", 1, 0.1, seed) for seed in range(60)),
    run=toss,
    outcome=Fell,
    minutes=1,
)


def coins(folder):
    """Return the rows of the coins in a folder."""
    return COINS.store(folder)


ENDLESS = COINS._replace(run=endless_toss)

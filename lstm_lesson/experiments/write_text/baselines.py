"""What the networks of chapter 19 have to beat: n-grams, counted in the same text."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lstm_lesson.experiments.sweep import Experiment
from lstm_lesson.experiments.tuning import Once
from lstm_lesson.experiments.write_text.ngrams import KneserNey
from lstm_lesson.experiments.write_text.training import by_kind, texts
from lstm_lesson.training.language import ALPHABET, encode


class SpecCounts(NamedTuple):
    """All that decides what a table of n-grams pays."""

    arm: str  # its name
    task: str  # what is held out whole, "chapters" or "books"
    T: int  # characters of an n-gram
    seed: int = 0  # of nothing: a table is counted


class OutcomeCounts(NamedTuple):
    """What a table came to, in bits a character: on the test text, and on each kind in it."""

    stored: int  # n-grams that it keeps
    test: float
    first: float
    later: float
    space: float
    bracket: float
    digit: float
    other: float

    @property
    def solved(self) -> bool:
        """Return False: a text isn't solved."""
        return False


def run(spec: SpecCounts) -> OutcomeCounts:
    """Count the n-grams of the training text, and test the table of the highest order."""
    text = texts(spec.task)
    table = KneserNey(encode(text.train), spec.T, len(ALPHABET))
    bits = -np.log2(table.probabilities(encode(text.test))[-1, 1:])
    return OutcomeCounts(table.stored, float(bits.mean()), **by_kind(bits, text.test))


_PLAN = Once(tuple(SpecCounts(f"{n}-grams", "chapters", n) for n in (5, 9)))

WRITE_TEXT_BASELINES = Experiment(
    "write_text_baselines",
    "the same text by counts of n-grams (chapter 19)",
    tuple(_PLAN({})),
    run,
    OutcomeCounts,
    minutes=0.5,
    plan=_PLAN,
)

"""The runs of chapter 19 as data; what is asked of their rows stands in ``questions.json``."""

from __future__ import annotations

from lstm_lesson.experiments.sweep import Experiment
from lstm_lesson.experiments.tuning import FIVE, OPEN, Plan
from lstm_lesson.experiments.write_text.training import OutcomeText, SpecText, run

# Equal parameters, about 47,500 each with the head: 64, 77 and 142 units.
_CELLS = {"LSTM": 64, "GRU": 77, "RNN": 142}
_FIXED = {"task": "chapters", "forget_bias": 1.0, "T": 100, "steps": 2000, **OPEN}


def _setting(arm: str, layer: str = "LSTM", hidden_size: int = 64, **more) -> SpecText:
    more = _FIXED | {"num_layers": 1, "dropout": 0.0, "share": 1.0, "restart": 0.05} | more
    return SpecText(arm=arm, layer=layer, hidden_size=hidden_size, **more)


_PLAN = Plan(
    tuple(_setting(cell, cell, size) for cell, size in _CELLS.items()), seeds=30, first=FIVE
)
# The first rows never started anew, and at some rates most GRUs paid 12 to 19 bits a character for
# the test text, more than for a guess: from a state of zeros, which they had seen once, they fell
# into one that they never left. So now they do, and the first rows are an experiment of their own.
_NEVER_ANEW = Plan(
    tuple(
        _setting(f"{cell}, never anew", cell, size, restart=0.0) for cell, size in _CELLS.items()
    ),
    seeds=10,
)
# A fiftieth of the text has 76,506 characters, each of which is read 42 times.
_LITTLE = {"num_layers": 2, "share": 0.02, "steps": 1000}
_SIZES = Plan(
    (
        _setting("LSTM, 16 units", hidden_size=16),
        _setting("LSTM, 32 units", hidden_size=32),
        _setting("LSTM, 128 units", hidden_size=128),
        # In the rows of equal parameters, the fastest runs took 19.2 seconds of a GRU, 17.4 of an
        # LSTM and 16.0 of an RNN. So these read for as long as a GRU does.
        _setting("LSTM, a GRU's time", steps=2200),
        _setting("RNN, a GRU's time", "RNN", _CELLS["RNN"], steps=2400),
        _setting("little text", **_LITTLE),
        _setting("little text, dropout", dropout=0.5, **_LITTLE),
    ),
    seeds=10,
    first=FIVE,
)

WRITE_TEXT = Experiment(
    "write_text",
    "LSTM, GRU and RNN on a text of 4 MB, character by character (chapter 19)",
    tuple(_PLAN({})),
    run,
    OutcomeText,
    minutes=35,
    long_lag=100,
    plan=_PLAN,
)
NEVER_ANEW = Experiment(
    "never_anew",
    "the same with a state that is carried on from beginning to end (chapter 19)",
    tuple(_NEVER_ANEW({})),
    run,
    OutcomeText,
    minutes=35,
    long_lag=100,
    plan=_NEVER_ANEW,
)
WRITE_TEXT_SIZES = Experiment(
    "write_text_sizes",
    "other sizes and times on that text, and two layers on a fiftieth of it (chapter 19)",
    tuple(_SIZES({})),
    run,
    OutcomeText,
    minutes=55,
    long_lag=100,
    plan=_SIZES,
)

"""Every experiment of the book as data: which runs there are, and nothing of how they are done.

`EXPERIMENTS` is the registry. Two are described where their runs are: chapter 12's beside what it
measures of gates, chapter 17's in `repeat_1997.specs`.
"""

from __future__ import annotations

from lstm_lesson.engine.arguments import check_choice
from lstm_lesson.experiments.after_the_lstm import AFTER_THE_LSTM
from lstm_lesson.experiments.classify.specs import CLASSIFY, CLASSIFY_VIEWS
from lstm_lesson.experiments.forecast.baselines import FORECAST_BASELINES
from lstm_lesson.experiments.forecast.specs import FORECAST
from lstm_lesson.experiments.repeat_1997.specs import REPEAT_1997
from lstm_lesson.experiments.second_edition import SECOND_EDITION
from lstm_lesson.experiments.sweep import Experiment
from lstm_lesson.experiments.watch_the_gates import WATCH_THE_GATES
from lstm_lesson.experiments.write_text.baselines import WRITE_TEXT_BASELINES
from lstm_lesson.experiments.write_text.specs import NEVER_ANEW, WRITE_TEXT, WRITE_TEXT_SIZES

# Every experiment there is, by name; `experiment` looks here.
EXPERIMENTS = {
    experiment.name: experiment
    for experiment in (
        REPEAT_1997,
        WATCH_THE_GATES,
        *SECOND_EDITION,
        *AFTER_THE_LSTM,
        WRITE_TEXT,
        WRITE_TEXT_SIZES,
        NEVER_ANEW,
        WRITE_TEXT_BASELINES,
        CLASSIFY,
        FORECAST,
        FORECAST_BASELINES,
        CLASSIFY_VIEWS,
    )
}


def experiment(name: str) -> Experiment:
    """Return the experiment of that name; raise ValueError that names all if there is none."""
    return EXPERIMENTS[check_choice("experiment", name, EXPERIMENTS)]

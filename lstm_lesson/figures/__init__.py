"""Figures: functions that take data and axes and return the axes."""

from lstm_lesson.figures.dots import (
    caught_or_not,
    differences_by_size,
    gate_correlations,
    rate_strips,
    runs,
    scores_by_name,
)
from lstm_lesson.figures.lines import (
    band,
    beside_reference,
    curves,
    dashboard,
    error_growth,
    norm_against_lag,
    rates_by_gain,
    strips,
)
from lstm_lesson.figures.maps import gate_activations, pair_map, text_map
from lstm_lesson.figures.style import COLOURS, NAMES, TALL, label_end, to_png, use_style

__all__ = [
    "COLOURS",
    "NAMES",
    "TALL",
    "band",
    "beside_reference",
    "caught_or_not",
    "curves",
    "dashboard",
    "differences_by_size",
    "error_growth",
    "gate_activations",
    "gate_correlations",
    "label_end",
    "norm_against_lag",
    "pair_map",
    "rate_strips",
    "rates_by_gain",
    "runs",
    "scores_by_name",
    "strips",
    "text_map",
    "to_png",
    "use_style",
]

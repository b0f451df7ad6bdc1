"""Figures: functions that take data and axes and return the axes.

What several chapters draw is here by name. What one chapter draws is in the module of its number:
``figures.ch02.rate_strips`` is drawn in chapter 2.
"""

from lstm_lesson.figures import (
    ch01,
    ch02,
    ch03,
    ch05,
    ch06,
    ch08,
    ch09,
    ch12,
    ch16,
    ch17,
    ch19,
    ch20,
    ch21,
    ch22,
    ch23,
    ch24,
)
from lstm_lesson.figures.chains import chain
from lstm_lesson.figures.dots import dots_and_rings, ranking, scores_by_name
from lstm_lesson.figures.lines import band, norm_against_lag, over_lengths, strips
from lstm_lesson.figures.look import (
    ARMS,
    COLOURS,
    INKS,
    NAMES,
    SERIES,
    TALL,
    label_end,
    on_white,
    readable,
    to_png,
    to_svg,
    use_style,
)
from lstm_lesson.figures.maps import text_map

__all__ = [
    "ARMS",
    "COLOURS",
    "INKS",
    "NAMES",
    "SERIES",
    "TALL",
    "band",
    "ch01",
    "ch02",
    "ch03",
    "ch05",
    "ch06",
    "ch08",
    "ch09",
    "ch12",
    "ch16",
    "ch17",
    "ch19",
    "ch20",
    "ch21",
    "ch22",
    "ch23",
    "ch24",
    "chain",
    "dots_and_rings",
    "label_end",
    "norm_against_lag",
    "on_white",
    "over_lengths",
    "ranking",
    "readable",
    "scores_by_name",
    "strips",
    "text_map",
    "to_png",
    "to_svg",
    "use_style",
]

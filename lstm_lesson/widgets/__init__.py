"""Widgets of the book, alive in JupyterLab and on the built pages.

Each is a ``.py`` and a ``.js`` of the same name: the script computes, draws and listens; the
Python class holds the settings and computes the same by the package's engine, for the tests and
for print. Needs the ``widgets`` extra (`anywidget`); nothing else in `lstm_lesson` does.
"""

from lstm_lesson.widgets.counter import Counter
from lstm_lesson.widgets.highway import GradientHighway
from lstm_lesson.widgets.playground import GatePlayground
from lstm_lesson.widgets.reader import Reader

__all__ = ["Counter", "GatePlayground", "GradientHighway", "Reader"]

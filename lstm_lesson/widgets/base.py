"""What the widgets share: how a script becomes a widget, its names, and its look."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import anywidget
from ipywidgets import Layout
from traitlets import Enum, TraitError, Unicode

from lstm_lesson.figures import COLOURS, NAMES

HERE = Path(__file__).parent
_numbers = itertools.count(1)


def script(name: str, **constants) -> str:
    """Return the module of a widget: constants, the helpers of ``base.js``, then ``name.js``.

    What Python and a script both need to know is written in Python alone. The constants are
    `figures.NAMES` and those given, as JSON has them.
    """
    lines = [f"const {key} = {json.dumps(value)};" for key, value in constants.items()]
    parts = [HERE / "base.js", HERE / f"{name}.js"]
    texts = [part.read_text(encoding="utf-8") for part in parts]
    return "\n".join([f"const NAMES = {json.dumps(NAMES)};", *lines, *texts])


def stylesheet(name: str) -> str:
    """Return the style sheet of a widget: colours, ``base.css`` and, if any, ``name.css``."""
    colours = "".join(f"--fill-{key}: {colour}; " for key, colour in COLOURS.items())
    parts = [HERE / "base.css", HERE / f"{name}.css"]
    texts = [part.read_text(encoding="utf-8") for part in parts if part.exists()]
    return "\n".join([f".lstm-widget {{ {colours}}}", *texts])


class WrongSetting(TraitError, ValueError):
    """A setting that a widget can't show; traitlets takes back what was set together with it."""


class Choice(Enum):
    """A trait that is one of a few values, checked whenever it is set."""

    def error(self, obj, value, error=None, info=None):
        """Raise WrongSetting with what there is to choose from."""
        raise WrongSetting(f"{self.name}: expected one of {list(self.values)}, got {value!r}")


class LessonWidget(anywidget.AnyWidget):
    """A widget whose JavaScript does its own arithmetic, so that it needs no kernel.

    A subclass sets ``_esm = script(name, **constants)`` and ``_css = stylesheet(name)``, keeps its
    whole state in synced traits, and has

    - ``compute()``: by the package's engine what the script's ``compute(state)`` returns,
    - ``table()``: the same for print, a few lines of at most 60 characters, in fixed digits,
    - ``figure()``: the same as a matplotlib figure.

    A widget's names in a notebook are numbered from 1 in each kernel, not drawn at random, so that
    a notebook that is run again from the top is the same file.
    """

    # What a page shows where no script runs: `table()` of the first state.
    static = Unicode().tag(sync=True)

    def __init__(self, **settings) -> None:
        name = f"{type(self).__name__}-{next(_numbers)}"
        settings.setdefault("layout", Layout(model_id=f"{name}-layout"))
        super().__init__(model_id=name, **settings)
        self.static = self.table()

    def __repr__(self) -> str:
        # Shown wherever there is no widget: on a code host's page, in a terminal.
        return self.table()

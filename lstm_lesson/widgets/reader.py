"""The reader: every gate of the trained character model, at every character of any text."""

from __future__ import annotations

import base64
import functools
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from traitlets import Dict, Int, Unicode, validate

from lstm_lesson import figures
from lstm_lesson.inspect.gate_statistics import correlation
from lstm_lesson.pretrained import characters
from lstm_lesson.training.losses import log_softmax
from lstm_lesson.widgets.base import Choice, LessonWidget, WrongSetting, script, stylesheet

UNITS = 128  # of the model
UNSORTED = "unit number"
MOST = 600  # characters, which are code points in Python as in the script
TEXT = '''\
def path_length(G, path, weight="weight"):
    """Return the length of a path in G."""
    total = 0
    for u, v in nx.utils.pairwise(path):
        # an edge (u, v) without weight counts 1
        total += G.edges[u, v].get(weight, 1)
    return total
'''


class Reader(LessonWidget):
    """Text, what each unit of the character model does at each character, and its guesses.

    Parameters
    ----------
    text : 1 to 600 characters. A tab counts as four spaces, and a line may end as on any system:
        the widget keeps the text with the model's spaces and line ends. Any other character that
        the model doesn't know is kept, and read as a question mark.
    gate : what to show: i, f, g, o, c or h.
    sort : what to sort the units by: a name of `pretrained.characters.PROPERTIES`, for the size of
        their correlation with it, or "unit number".
    unit : the unit to follow, 0 to 127.
    cursor : the character at which to look, from 0; by default the last of a text that is given.
        Beyond the end it is the last.
    shown : how many units to show, the first in order: 16, 32, 64 or 128.

    The weights are those of `pretrained.characters.load`, each row rounded to 8 bits, here and in
    the script: 130 KB instead of 254, for less than 0.001 nats a character.

    Raises
    ------
    ValueError
        If, now or later, the text is empty or too long or there is no such choice.
    traitlets.TraitError
        If a number is out of its range.
    """

    _esm = script(
        "reader",
        ALPHABET=characters.ALPHABET,
        PROPERTIES=characters.PROPERTIES,
        UNITS=UNITS,
        UNSORTED=UNSORTED,
        MOST=MOST,
    )
    _css = stylesheet("reader")
    text = Unicode(TEXT).tag(sync=True)
    gate = Choice(tuple(figures.NAMES), "c").tag(sync=True)
    sort = Choice((*characters.PROPERTIES, UNSORTED), "bracket depth").tag(sync=True)
    unit = Int(20, min=0, max=UNITS - 1).tag(sync=True)
    cursor = Int(0, min=0).tag(sync=True)
    shown = Choice((16, 32, 64, 128), 32).tag(sync=True)
    weights = Dict().tag(sync=True)  # name: {"shape", "rows" and "scale" in base64}

    def __init__(self, text: str = TEXT, **settings: Any) -> None:
        self.model, weights = shipped()
        last = len(characters.plain(text)) - 1
        settings.setdefault("cursor", TEXT.index(",") - 1 if text == TEXT else max(0, last))
        super().__init__(text=text, weights=weights, **settings)

    @validate("text")
    def _readable(self, proposal):
        text = characters.plain(proposal["value"])
        if not 1 <= len(text) <= MOST:
            raise WrongSetting(f"text: expected 1 to {MOST} characters, got {len(text)}")
        return text

    def compute(self) -> dict[str, Any]:
        """Return what the script does of its state.

        ``gates``, letter to (T, H); ``scores`` (H,), the correlation of each unit with what the
        units are sorted by; ``order`` (H,), the units in that order; ``guesses``, the five
        likeliest characters after the cursor with their probabilities; ``surprise`` (T,), nats of
        each character given those before, zero for the first.
        """
        text = characters.known(self.text)
        traced, logits = self.model.read(text)
        values = getattr(traced, self.gate)
        scores = np.zeros(values.shape[1])
        order = np.arange(values.shape[1])
        if self.sort != UNSORTED:
            tracked = characters.properties(text)[self.sort]
            scores = correlation(values, tracked[:, None], axis=0)
            order = np.argsort(-np.abs(scores), kind="stable")
        log_p = log_softmax(logits)
        codes = characters.encode(text)
        surprise = np.concatenate([[0.0], -log_p[np.arange(len(text) - 1), codes[1:]]])
        p = np.exp(log_p[min(self.cursor, len(text) - 1)])
        best = np.argsort(-p, kind="stable")[:5]
        return {
            "gates": {key: getattr(traced, key) for key in figures.NAMES},
            "scores": scores,
            "order": order,
            "guesses": [(characters.ALPHABET[k], float(p[k])) for k in best],
            "surprise": surprise,
        }

    def table(self) -> str:
        """Return the five first units, and the guesses at the cursor, as text."""
        found = self.compute()
        name, text = figures.NAMES[self.gate], characters.known(self.text)
        where = min(self.cursor, len(text) - 1)
        lines = [
            f"{len(text)} characters read by {len(found['order'])} units: {name} {self.gate}",
            f"units by {self.sort}, with their correlation:",
            "  " + ", ".join(f"{k} ({found['scores'][k]:.2f})" for k in found["order"][:5]),
            f"guesses after {text[where]!r}, character {where + 1}:",
            "  " + ", ".join(f"{character!r} {p:.2f}" for character, p in found["guesses"]),
            f"mean surprise: {found['surprise'][1:].mean() if len(text) > 1 else 0:.2f} nats",
        ]
        return "\n".join(lines)

    def figure(self, first: int = 0, last: int | None = None) -> Figure:
        """Draw characters `first` to `last`: the followed unit as a line, and the first units."""
        found, part = self.compute(), slice(first, last)
        values = found["gates"][self.gate][part]
        figure, axes = plt.subplots(2, 1, figsize=(5, 3.8), sharex=True, height_ratios=(1, 2.6))
        chosen, text = values[:, found["order"][: self.shown]], characters.known(self.text)[part]
        figures.text_map(axes, text, self.gate, values[:, self.unit], chosen)
        axes[0].set_title(f"unit {self.unit}", weight="normal")
        return figure


@functools.cache
def shipped() -> tuple[characters.CharacterModel, dict]:
    """Return what `rounded` makes of the model that ships with the book."""
    return rounded(characters.load())


def rounded(model: characters.CharacterModel) -> tuple[characters.CharacterModel, dict]:
    """Return a model with its rows rounded to 8 bits and a scale, and these in base64."""
    weights = {}
    for name, p in characters.names(model.layer, model.head).items():
        rows = np.atleast_2d(p)  # a bias is one row
        scale = (np.abs(rows).max(axis=1, keepdims=True) / 127).astype(np.float32)
        whole = np.round(rows / scale).astype(np.int8)
        p[...] = (whole * scale.astype(np.float64)).reshape(p.shape)
        weights[name] = {
            "shape": list(rows.shape),
            "rows": base64.b64encode(whole.tobytes()).decode(),
            "scale": base64.b64encode(scale.astype("<f4").tobytes()).decode(),
        }
    return model, weights

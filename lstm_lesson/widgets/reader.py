"""The reader: every gate of the trained character model, at every character of any text."""

from __future__ import annotations

import base64
import functools
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from traitlets import Dict, Int, List, Unicode, validate

from lstm_lesson import figures
from lstm_lesson.inspect.gate_statistics import correlation
from lstm_lesson.inspect.interventions import Hold
from lstm_lesson.pretrained import characters
from lstm_lesson.training.losses import log_softmax
from lstm_lesson.widgets.base import Choice, LessonWidget, WrongSetting, script, stylesheet

UNITS = 128  # of the model
MARKED, UNSORTED = "the marked part", "unit number"
VIEWS = ("all units", "one unit", "what mattered")
HOLDS = ("free", "at zero", "as before the part")
MOST = 600  # characters, which are code points in Python as in the script
FAR = 60  # characters back, as far as is looked for those that mattered
SHIFTS = 40  # of what is counted against a unit by chance, at most
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
    view : "all units", a map; or the text, each character on the colour of what "one unit" has
        there, or of "what mattered" for the guess at the cursor.
    sort : what to sort the units by: a name of `pretrained.characters.PROPERTIES`, for the size of
        their correlation with it, "the marked part", for that with being in it, or "unit number".
    unit : the unit to follow, 0 to 127.
    part : (first, end), the characters that are marked; (0, 0), and whatever is beyond the text,
        for none.
    hold : whether the followed unit's cell state is "free"; or, in the marked part, or in the whole
        text if none is, held "at zero" or "as before the part".
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
        MARKED=MARKED,
        UNSORTED=UNSORTED,
        VIEWS=VIEWS,
        HOLDS=HOLDS,
        MOST=MOST,
        FAR=FAR,
        SHIFTS=SHIFTS,
    )
    _css = stylesheet("reader")
    text = Unicode(TEXT).tag(sync=True)
    gate = Choice(tuple(figures.NAMES), "c").tag(sync=True)
    view = Choice(VIEWS, VIEWS[0]).tag(sync=True)
    sort = Choice((*characters.PROPERTIES, MARKED, UNSORTED), "bracket depth").tag(sync=True)
    unit = Int(20, min=0, max=UNITS - 1).tag(sync=True)
    cursor = Int(0, min=0).tag(sync=True)
    part = List(Int(min=0), [0, 0], minlen=2, maxlen=2).tag(sync=True)
    hold = Choice(HOLDS, HOLDS[0]).tag(sync=True)
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

    @validate("part")
    def _in_order(self, proposal):
        first, end = proposal["value"]
        if first > end:
            raise WrongSetting(f"part: expected first <= end, got {[first, end]}")
        return proposal["value"]

    def compute(self) -> dict[str, Any]:
        """Return what the script does of its state.

        ``gates``, letter to (T, H); ``scores`` (H,), the correlation of each unit with what the
        units are sorted by; ``order`` (H,), the units in that order; ``chance``, the largest size
        of a correlation among all units when what they are sorted by is moved along the text, on
        average; ``guesses``, the five likeliest characters after the cursor with their
        probabilities; ``surprise`` (T,), nats of each character given those before, zero for the
        first; ``free``, its mean without the first while no unit is held; ``mattered`` (T,), nats
        by which the likeliest guess gets less likely without each of the `FAR` characters up to the
        cursor, zero elsewhere and in other views.
        """
        text = characters.known(self.text)
        T, where = len(text), min(self.cursor, len(text) - 1)
        first, end = self._marked(T)
        freely = self.model.read(text)
        holds = self._holds(freely.trace.c, first, end or T)
        traced, logits = self.model.read(text, holds) if holds else freely
        values = getattr(traced, self.gate)
        scores, order, chance = np.zeros(UNITS), np.arange(UNITS), 0.0
        if self.sort != UNSORTED:
            inside = (np.arange(T) >= first) & (np.arange(T) < end)
            tracked = (characters.properties(text) | {MARKED: inside.astype(float)})[self.sort]
            scores = correlation(values, tracked[:, None], axis=0)
            order = np.argsort(-np.abs(scores), kind="stable")
            moved = [np.roll(tracked, n)[:, None] for n in range(1, T, -(-T // SHIFTS))]
            largest = [np.abs(correlation(values, other, axis=0)).max() for other in moved]
            chance = float(np.mean(largest or [0.0]))
        log_p = log_softmax(logits)
        p = np.exp(log_p[where])
        best = np.argsort(-p, kind="stable")[:5]
        mattered = np.zeros(T)
        read = range(max(0, where - FAR + 1), where + 1)
        for n in read if self.view == VIEWS[2] else ():
            left = text[:n] + text[n + 1 : where + 1]
            shifted = [_earlier(hold, n) for hold in holds]
            h = self.model.read(left, shifted).trace.h[-1:] if left else np.zeros((1, UNITS))
            scored = self.model.head.forward(h)[0]
            mattered[n] = log_p[where, best[0]] - log_softmax(scored)[0, best[0]]
        return {
            "gates": {key: getattr(traced, key) for key in figures.NAMES},
            "scores": scores,
            "order": order,
            "chance": chance,
            "guesses": [(characters.ALPHABET[k], float(p[k])) for k in best],
            "surprise": _surprise(text, log_p),
            "free": _mean(_surprise(text, log_softmax(freely.logits))),
            "mattered": mattered,
        }

    def _marked(self, T: int) -> tuple[int, int]:
        """Return the first marked character and the end of those that are, (0, 0) if none is."""
        first, end = (min(place, T) for place in self.part)
        return (first, end) if first < end else (0, 0)

    def _holds(self, c: np.ndarray, first: int, end: int) -> list[Hold]:
        """Return what is held, given the cell states (T, H) while nothing is."""
        if self.hold == HOLDS[0]:
            return []
        kept = self.hold == HOLDS[2] and first > 0
        return [Hold("c", self.unit, float(c[first - 1, self.unit]) if kept else 0.0, first, end)]

    def table(self) -> str:
        """Return the five first units, and the guesses at the cursor, as text."""
        found = self.compute()
        name, text = figures.NAMES[self.gate], characters.known(self.text)
        where = min(self.cursor, len(text) - 1)
        lines = [
            f"{len(text)} characters read by {len(found['order'])} units: {name} {self.gate}",
            f"units by {self.sort}, with their correlation:",
            "  " + ", ".join(f"{k} ({found['scores'][k]:.2f})" for k in found["order"][:5]),
            f"  the best of them by chance: {found['chance']:.2f}",
            f"guesses after {text[where]!r}, character {where + 1}:",
            "  " + ", ".join(f"{character!r} {p:.2f}" for character, p in found["guesses"]),
            f"mean surprise: {_mean(found['surprise']):.2f} nats",
        ]
        if self.hold != HOLDS[0]:
            lines.append(f"unit {self.unit} is held {self.hold}; free: {found['free']:.2f} nats")
        return "\n".join(lines)

    def figure(self, first: int = 0, last: int | None = None) -> Figure:
        """Draw characters `first` to `last`.

        Of "all units" the followed one as a line and the first of them as a map; else the text, in
        the colours of the view.
        """
        found, part = self.compute(), slice(first, last)
        values, text = found["gates"][self.gate][part], characters.known(self.text)[part]
        if self.view != VIEWS[0]:
            figure, ax = plt.subplots(figsize=(5, 2.4))
            shown, label = values[:, self.unit], f"${self.gate}_t$"
            if self.view == VIEWS[2]:
                shown, label = found["mattered"][part], "nats"
            figures.ch19.coloured_text(ax, text, shown, label=label)
            return figure
        figure, axes = plt.subplots(2, 1, figsize=(5, 3.8), sharex=True, height_ratios=(1, 2.6))
        chosen = values[:, found["order"][: self.shown]]
        figures.text_map(axes, text, self.gate, values[:, self.unit], chosen)
        axes[0].set_title(f"unit {self.unit}", weight="normal")
        return figure


def _earlier(hold: Hold, n: int) -> Hold:
    """Return what holds the same characters once the n-th is left out."""
    return hold._replace(start=hold.start - (n < hold.start), stop=hold.stop - (n < hold.stop))


def _surprise(text: str, log_p: np.ndarray) -> np.ndarray:
    """Return nats of each character given those before it, (T,); zero for the first."""
    codes = characters.encode(text)
    return np.concatenate([[0.0], -log_p[np.arange(len(text) - 1), codes[1:]]])


def _mean(surprise: np.ndarray) -> float:
    """Return the mean of all characters but the first, 0 if there is no other."""
    return float(surprise[1:].mean()) if len(surprise) > 1 else 0.0


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
